//! The turnstile in front of a fair lock: a second file on which processes queue.
//!
//! It is not another byte of the lock file: locks on that would make the whole-file locks of
//! Python's fasteners fail.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use crate::sys::{LONGEST_FILE_NAME, start_of_file_name};

/// The end of the names of turnstiles.
pub(crate) const TURNSTILE_SUFFIX: &str = ".turnstile";

/// The turnstile of the lock file at `path`: `.NAME.turnstile`. A name that is too long for that is
/// cut, and made unique by a hash of the whole.
pub(crate) fn turnstile_path(path: &Path) -> PathBuf {
    const LONGEST: usize = LONGEST_FILE_NAME - 1 - TURNSTILE_SUFFIX.len();
    const HASH: usize = 1 + 16;
    let name = path.file_name().unwrap_or_default();
    let mut turnstile = OsString::from(".");
    if name.len() <= LONGEST {
        turnstile.push(name);
    } else {
        turnstile.push(start_of_file_name(name, LONGEST - HASH));
        turnstile.push(format!("-{:016x}", fnv_1a(name.as_encoded_bytes())));
    }
    turnstile.push(TURNSTILE_SUFFIX);
    path.with_file_name(turnstile)
}

/// The 64-bit FNV-1a hash (RFC 9923): the same in every process and every release.
fn fnv_1a(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(*byte)).wrapping_mul(0x0000_0100_0000_01b3)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_turnstile_of_every_lock_file_has_a_name_that_fits() {
        assert_eq!(
            turnstile_path(Path::new("a/b")),
            Path::new("a/.b.turnstile")
        );
        let gates: Vec<_> = (1..=255)
            .flat_map(|length| ["x", "y"].map(|last| "x".repeat(length - 1) + last))
            .map(|name| turnstile_path(Path::new(&name)))
            .collect();
        assert!(gates.iter().all(|gate| gate.as_os_str().len() <= 255));
        let distinct: std::collections::HashSet<_> = gates.iter().collect();
        assert_eq!(distinct.len(), gates.len());
        assert_eq!(fnv_1a(b""), 0xcbf2_9ce4_8422_2325);
        assert_eq!(fnv_1a(b"a"), 0xaf63_dc4c_8601_ec8c);
    }
}
