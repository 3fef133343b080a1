//! Numbers of owners.

#[cfg(feature = "tokio")]
use super::new_task;
use super::{Owner, current_thread};

#[test]
fn a_number_tells_the_kind_of_owner() {
    let here = current_thread();
    assert_eq!(Owner::of(here), Owner::Thread(here));
    assert_eq!(Owner::of(0), Owner::None);
    #[cfg(feature = "tokio")]
    assert_eq!(Owner::of(new_task()), Owner::Task);
    let other = std::thread::spawn(current_thread).join().unwrap();
    assert_ne!(other, here);
}
