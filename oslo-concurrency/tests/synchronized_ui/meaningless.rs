use oslo_concurrency::lockutils;
use std::time::Duration;

#[lockutils::synchronized("x", or_panic)]
fn cannot_fail() {}

#[lockutils::synchronized("x", lock_path = "/tmp")]
fn not_external() {}

#[lockutils::synchronized("x", blocking = false, timeout = Duration::ZERO)]
fn never_waits() -> Result<(), lockutils::Error> {
    Ok(())
}

fn main() {}
