//! One test binary that talks to the device.

use lockutils_examples::ask;

#[test]
fn the_device_says_what_it_is() {
    for _ in 0..200 {
        assert_eq!(ask("identify").unwrap(), "thermometer");
    }
}

#[test]
fn the_device_knows_what_it_does_not_know() {
    for _ in 0..200 {
        assert_eq!(ask("dance").unwrap(), "what is dance?");
    }
}
