//! Properties of the readers of /proc, for random tests and for the programs in `fuzz/`.

use super::filesystem::type_if_on;
use super::holders::{lock_on, started};

/// Any text is read, or skipped.
pub fn proc_files(text: &str) {
    started(text);
    let fields = "0 ".repeat(19);
    let of_a_process = format!("1 ({text}) {fields}4711 0");
    assert_eq!(started(&of_a_process), Some(4711.0), "{of_a_process:?}");
    for line in text.lines() {
        lock_on(line, 1234);
        type_if_on(line, "98:0");
    }
}
