//! Requests and answers as text for people.

/// Maximum number of characters of a word, and of the whole.
const WORD: usize = 24;
const LONGEST: usize = 64;

/// The first command, and the number of the others.
pub fn of_commands(commands: &[Vec<&[u8]>]) -> String {
    let Some(first) = commands.first() else {
        return String::new();
    };
    let words: Vec<String> = first
        .iter()
        .map(|word| shorten(&printable(word), WORD))
        .collect();
    let text = shorten(&words.join(" "), LONGEST);
    match commands.len() {
        1 => text,
        count => format!("{text} (+{})", count - 1),
    }
}

/// The beginning of any bytes.
pub fn of_bytes(bytes: &[u8]) -> String {
    shorten(&printable(&bytes[..bytes.len().min(4 * LONGEST)]), LONGEST)
}

/// Two parts of one text.
pub fn joined(first: &str, second: &str) -> String {
    shorten(format!("{first} {second}").trim(), LONGEST)
}

/// Runs of printable characters, with one space between them.
pub fn printable(bytes: &[u8]) -> String {
    let text = String::from_utf8_lossy(bytes);
    let is_shown = |c: char| !c.is_control() && c != char::REPLACEMENT_CHARACTER;
    let parts = text
        .split(|c: char| !is_shown(c))
        .filter(|part| !part.trim().is_empty());
    parts.map(str::trim).collect::<Vec<_>>().join(" ")
}

fn shorten(text: &str, most: usize) -> String {
    match text.char_indices().nth(most) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_is_one_short_line() {
        assert_eq!(of_bytes(b"Q\0\0\0\x1eSELECT 1\0"), "Q SELECT 1");
        assert_eq!(of_bytes(b"\0\x01\x02"), "");
        assert_eq!(
            (joined("a", "b"), joined("", "b")),
            ("a b".into(), "b".into())
        );
        let script = "return\n".repeat(50);
        let text = of_commands(&[vec![b"EVAL", script.as_bytes(), b"1", b"key"], vec![b"GET"]]);
        assert_eq!(text, "EVAL return return return ret… 1 key (+1)");
    }
}
