//! The command line of `cmd /C`, as Python's `shell=True` has it.

use std::ffi::{OsStr, OsString};
use std::path::Path;

/// The interpreter: `%ComSpec%` as for Python, unless it is relative.
pub(super) fn interpreter() -> OsString {
    std::env::var_os("ComSpec")
        .filter(|path| Path::new(path).is_absolute())
        .unwrap_or_else(|| "cmd.exe".into())
}

/// The arguments of the interpreter, as one string. `/S` takes off the outer quotes and nothing else.
pub(super) fn command_line(script: &OsStr, arguments: &[OsString]) -> OsString {
    let mut line = OsString::from("/S /C \"");
    line.push(script);
    for argument in arguments {
        line.push(" ");
        line.push(quoted(argument));
    }
    line.push("\"");
    line
}

/// Returns `true` if `cmd` reads no more than a word in it, quoted or not.
pub(super) fn is_safe(word: &OsStr) -> bool {
    let acts = |byte: &u8| b"\"%!^&|<>()\r\n\0".contains(byte);
    !word.as_encoded_bytes().iter().any(acts)
}

/// A word without quotes in it, for a program that splits its command line in the usual way.
fn quoted(word: &OsStr) -> OsString {
    let bytes = word.as_encoded_bytes();
    let plain = |byte: &u8| byte.is_ascii_alphanumeric() || b"\\/:._-+@".contains(byte);
    if !bytes.is_empty() && bytes.iter().all(plain) {
        return word.to_owned();
    }
    let backslashes = bytes
        .iter()
        .rev()
        .take_while(|byte| **byte == b'\\')
        .count();
    let mut quoted = OsString::from("\"");
    quoted.push(word);
    // Before a quote, two backslashes are one.
    quoted.push("\\".repeat(backslashes));
    quoted.push("\"");
    quoted
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_words_after_a_script_are_quoted_and_dangerous_ones_are_found() {
        let words = ["a", "b c", "", "d e\\", "f\\"].map(OsString::from);
        assert_eq!(
            command_line(OsStr::new("echo x & type"), &words),
            r#"/S /C "echo x & type a "b c" "" "d e\\" f\""#
        );
        for word in ["a&b", "%PATH%", "a\"b", "a|b", "a\nb", "!x!"] {
            assert!(!is_safe(OsStr::new(word)), "{word}");
        }
        assert!(is_safe(OsStr::new("C:\\a b\\größe, 7=8;")));
    }
}
