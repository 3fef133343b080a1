//! The findings of the coordinator, as text in the shared memory.

use std::sync::atomic::{AtomicU64, Ordering};

/// Room for 64 KiB of text.
pub(super) const WORDS: usize = 8 << 10;
/// Between the rule and the text.
const SEPARATOR: char = '\u{1f}';
/// After the text.
const END: char = '\u{1e}';

/// A finding of the coordinator: the rule that was broken, and how.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Note {
    pub(crate) rule: String,
    pub(crate) text: String,
}

/// All findings. Only the coordinator writes; others read once it has ended.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Notes<'a>(pub(super) &'a [AtomicU64]);

impl Notes<'_> {
    pub(crate) fn add(self, rule: &str, text: &str) {
        for byte in format!("{rule}{SEPARATOR}{text}{END}").bytes() {
            let at = self.0[0].load(Ordering::Relaxed);
            let Some(word) = self.0.get(1 + at as usize / 8) else {
                return; // full: the first findings matter most
            };
            word.fetch_or(u64::from(byte) << (at % 8 * 8), Ordering::Relaxed);
            self.0[0].store(at + 1, Ordering::Release);
        }
    }

    pub(crate) fn all(self) -> Vec<Note> {
        let length = self.0[0].load(Ordering::Acquire) as usize;
        let words = self.0[1..].iter();
        let bytes: Vec<u8> = words
            .flat_map(|word| word.load(Ordering::Relaxed).to_le_bytes())
            .take(length)
            .collect();
        String::from_utf8_lossy(&bytes)
            .split(END)
            .filter_map(|note| note.split_once(SEPARATOR))
            .map(|(rule, text)| Note {
                rule: rule.into(),
                text: text.into(),
            })
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn notes_are_read_as_they_were_written_until_there_is_no_room() {
        let words: Vec<AtomicU64> = (0..WORDS).map(|_| AtomicU64::new(0)).collect();
        let notes = Notes(&words);
        assert_eq!(notes.all(), []);
        notes.add("stuck", "worker 1 – since 3 µs\nhere");
        notes.add("orphan", "");
        let note = |rule: &str, text: &str| Note {
            rule: rule.into(),
            text: text.into(),
        };
        let both = [
            note("stuck", "worker 1 – since 3 µs\nhere"),
            note("orphan", ""),
        ];
        assert_eq!(notes.all(), both);
        notes.add("long", &"x".repeat(10 * WORDS));
        assert_eq!(notes.all()[..2], both);
    }
}
