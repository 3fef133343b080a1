//! Properties of the parsers of `/proc`, for random tests and for the program in `fuzz/`.

#![allow(missing_docs, reason = "public only to the program in fuzz/")]

use super::stat::parse_uptime;
use super::{DescriptorInfo, Environment, LockLine, Stat, Status, SystemCall};

/// Every parser accepts or rejects any text, and reads each field whatever surrounds it.
pub fn proc_files(text: &str) {
    DescriptorInfo::parse(text);
    Status::parse(text);
    Stat::parse(text);
    parse_uptime(text);
    if let Some(call) = SystemCall::parse(text) {
        call.lock_wait();
    }
    let environment = Environment::parse(text.as_bytes().to_vec());
    assert!(environment.values("X").count() <= text.len());
    let fields = "0 ".repeat(19);
    let stat = Stat::parse(&format!("1 ({text}) {fields}4711 0"));
    assert_eq!(stat.map(|stat| stat.started), Some(4711));
    for line in text.lines() {
        let Some(read) = LockLine::parse(line) else {
            continue;
        };
        assert!(read.pid.is_none_or(|pid| pid > 0), "{line:?}");
        assert_eq!(LockLine::parse(&format!("{line} 0 EOF")), Some(read));
    }
    if !text.contains(char::is_whitespace) {
        let line = format!("1: OFDLCK ADVISORY WRITE -1 fe:01:1234 {text} EOF");
        assert!(LockLine::parse(&line).is_some(), "{line:?}");
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    const PIECES: &[&str] = &[
        "lock:",
        "ino:",
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
        "ffffffffffffffff",
        ":",
        " 0 EOF",
        "72 ",
        "73 ",
        "0x3 ",
        "0x26 ",
        "0x",
        "(",
        ") ",
        " ",
        "\n",
        "é",
        ".",
        "Tgid:",
        "State:\t",
        "voluntary_ctxt_switches:\t18446744073709551615\n",
        "X=",
        "\0",
    ];

    fn piece() -> impl Strategy<Value = String> {
        prop_oneof![
            4 => proptest::sample::select(PIECES).prop_map(str::to_owned),
            1 => any::<String>(),
        ]
    }

    proptest! {
        #[test]
        fn any_text_is_read_as_files_of_proc(
            pieces in proptest::collection::vec(piece(), 0..24),
        ) {
            super::proc_files(&pieces.concat());
        }
    }
}
