//! The names of turnstiles.

use std::path::Path;

use super::process_lock::{fnv_1a, turnstile_path};

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
