//! File names.

use std::ffi::{OsStr, OsString};

/// Characters that part a path into names: `os.sep` of Python, and `/`, which Windows takes too.
pub(crate) const SEPARATORS: &[char] = &['\\', '/'];

/// NTFS takes 255 units of UTF-16, which have at least as many bytes here.
pub(crate) const LONGEST_FILE_NAME: usize = 255;

/// Names of devices, in each directory, with and without an extension ("Naming Files, Paths, and
/// Namespaces").
const DEVICES: [&str; 6] = ["CON", "PRN", "AUX", "NUL", "CONIN$", "CONOUT$"];
/// Names that are devices with a digit behind them.
const PORTS: [&str; 2] = ["COM", "LPT"];

/// The start of a name. Half of a pair of UTF-16 becomes U+FFFD.
pub(crate) fn start_of_file_name(name: &OsStr, length: usize) -> OsString {
    let name = name.to_string_lossy();
    let mut end = length.min(name.len());
    while !name.is_char_boundary(end) {
        end -= 1;
    }
    name[..end].into()
}

/// The problem with a name that Windows refuses, or takes for something else than a file.
pub(crate) fn problem_with_file_name(name: &str) -> Option<&'static str> {
    if name.contains(|c: char| c < ' ' || "<>:\"|?*".contains(c)) {
        return Some(
            "Windows allows none of <>:\"|?* and no control character in a file name; choose another name",
        );
    }
    if name.ends_with(['.', ' ']) {
        return Some("Windows drops a dot or a space at the end of a file name; remove it");
    }
    if is_device(name) {
        return Some("it is the name of a device on Windows; choose another name");
    }
    None
}

fn is_device(name: &str) -> bool {
    let stem = name.split('.').next().unwrap_or_default().trim_end();
    let is = |device: &&str| stem.eq_ignore_ascii_case(device);
    if DEVICES.iter().any(is) {
        return true;
    }
    let mut characters = stem.chars();
    let digit = characters.next_back();
    // Windows takes superscript digits for digits.
    digit.is_some_and(|digit| digit.is_ascii_digit() || "¹²³".contains(digit))
        && PORTS
            .iter()
            .any(|port| characters.as_str().eq_ignore_ascii_case(port))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_are_no_files_are_refused() {
        for name in [
            "a:b", "a<b", "a?", "*", "a\"b", "a|b", "a\u{7}b", "a\n", "a.", "a ", "NUL", "nul",
            "nul.txt", "Con .x", "com1", "LPT9.log", "com¹", "CONOUT$", "aux",
        ] {
            assert!(problem_with_file_name(name).is_some(), "{name:?}");
        }
        for name in [
            "image-7", ".a", "a.b", " a", "null", "console", "com", "com10", "comx", "é", "a_b",
            "lpt", "xnul", "prn-1",
        ] {
            assert_eq!(problem_with_file_name(name), None, "{name:?}");
        }
    }

    #[test]
    fn the_start_of_a_name_ends_between_characters() {
        assert_eq!(start_of_file_name("aéb".as_ref(), 2), "a");
        assert_eq!(start_of_file_name("aéb".as_ref(), 3), "aé");
        assert_eq!(start_of_file_name("ab".as_ref(), 9), "ab");
    }
}
