//! The registry on real threads; `tests/model` checks it under a scheduler.

use std::sync::Arc;

use super::Registry;

#[test]
fn one_name_one_value_while_it_is_used() {
    let registry: Registry<str, u32> = Registry::default();
    let first = registry.get_or_make("a", |_| 1);
    let second = registry.get_or_make("a", |_| 2);
    assert!(Arc::ptr_eq(&first, &second));
    assert_eq!((**second, second.key()), (1, "a"));
    drop((first, second));
    assert_eq!(**registry.get_or_make("a", |_| 3), 3);
}

#[test]
fn a_million_names_leave_nothing_behind() {
    let registry: Registry<str, u32> = Registry::default();
    for number in 0..1_000_000 {
        let _ = registry.get_or_make(&number.to_string(), |_| number);
    }
    let many: Vec<_> = (0..10_000)
        .map(|number| registry.get_or_make(&number.to_string(), |_| number))
        .collect();
    assert_eq!(registry.len(), 10_000);
    drop(many);
    let map = registry.map.lock().unwrap();
    assert_eq!(map.len(), 0);
    assert!(map.capacity() <= 64, "capacity {}", map.capacity());
}
