//! Properties of the parsers for any input, for the random tests below and for the programs in
//! `fuzz/`.

#![allow(missing_docs, reason = "public only to the programs in fuzz/")]

pub use crate::lockutils::ini::properties::ini;
pub use crate::processutils::mask::properties::{mask, mask_named};
pub use crate::sys::properties::proc_files;

#[cfg(test)]
mod tests {
    use proptest::collection::vec;
    use proptest::prelude::*;

    use super::*;

    /// Random text, mixed with tokens of the parser.
    fn text(pieces: &'static [&'static str]) -> impl Strategy<Value = String> {
        let piece = prop_oneof![
            4 => proptest::sample::select(pieces).prop_map(str::to_owned),
            1 => any::<String>(),
            1 => "[a-d]{1,2}",
        ];
        vec(piece, 0..40).prop_map(|pieces| pieces.concat())
    }

    const INI: &[&str] = &[
        "[DEFAULT]\n",
        "[s]\n",
        "[oslo_concurrency]\n",
        "lock_path",
        "a",
        "b",
        " = ",
        "=",
        ":",
        "\n",
        "\r\n",
        "\n ",
        "$a",
        "$b",
        "${a}",
        "$lock_path",
        "$s.a",
        "$DEFAULT.a",
        "$",
        "$$",
        "\\$",
        "{",
        "}",
        "\"",
        "'",
        "#",
        ";",
        "[",
        "]",
        "\u{feff}",
        "\t",
    ];
    const PROC: &[&str] = &[
        "lock:\t",
        "1: ",
        "-> ",
        "OFDLCK ",
        "POSIX ",
        "FLOCK ",
        "ADVISORY ",
        "WRITE ",
        "READ ",
        "-1 ",
        "4711 ",
        "08:01:1234",
        ":",
        " 0 EOF",
        "1 (sh) S 1",
        " 7",
        ")",
        ") ",
        "(",
        " - ",
        "ext4 ",
        "36 35 98:0 /",
        "\n",
        "é",
    ];
    const MASKED: &[&str] = &[
        "password",
        "--password ",
        "\"",
        "'",
        "\\\"",
        "=",
        ": ",
        ", ",
        "<",
        ">",
        "</",
        "://",
        "-u ",
        "-v ",
        "authorization: ",
        "<![CDATA[",
        "token",
        "{",
        "[",
        "=>",
        "u'",
        "\n",
        "]]>",
        "secret",
        "-",
        "é",
    ];

    proptest! {
        #[test]
        fn any_text_is_read_as_an_ini_file_or_refused_with_its_line(text in text(INI)) {
            ini(&text);
        }

        #[test]
        fn any_text_is_read_as_files_of_proc(text in text(PROC)) {
            proc_files(&text);
        }

        #[test]
        fn any_bytes_are_masked(text in text(MASKED), bytes in vec(any::<u8>(), 0..8)) {
            mask(&[text.as_bytes(), &bytes, text.as_bytes()].concat());
        }

        #[test]
        fn a_secret_of_a_known_form_is_masked_whatever_stands_around_it(
            before in text(MASKED), after in text(MASKED), form in any::<u8>(),
        ) {
            mask_named(form, before.as_bytes(), after.as_bytes());
        }
    }
}
