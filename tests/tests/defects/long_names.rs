//! Names that leave no room for the name of a turnstile.

use oslo_concurrency::lockutils;

use crate::lock_path;

#[test]
fn a_lock_with_a_long_name_can_be_fair_and_be_removed() {
    let directory = lock_path();
    for length in [243, 244, 245, 255] {
        let name = "x".repeat(length);
        let lock = lockutils::lock(&name)
            .external(true)
            .lock_path(directory.path());
        lock.fair(true).run(|| ()).unwrap();
        lockutils::remove_external_lock_file(&name, Some(directory.path())).unwrap();
        let left = std::fs::read_dir(directory.path()).unwrap().count();
        assert_eq!(left, 0, "{length} bytes");
    }
}
