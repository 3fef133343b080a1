//! The lock is freed when the holder dies, however it dies.

use nix::sys::signal::Signal;

use crate::{holder, lock_path};

fn freed_by(death: Signal) {
    let directory = lock_path();
    let (mut one, mut other) = (holder(&directory), holder(&directory));
    assert_eq!(one.ask("acquire x"), "acquired");
    assert_eq!(other.ask("try x"), "busy");
    other.send("acquire x");
    other.wait_until_it_waits();
    one.signal(death);
    assert_eq!(other.answer(), "acquired", "after {death}");
}

#[test]
fn a_killed_holder_frees_it() {
    freed_by(Signal::SIGKILL);
}

#[test]
fn an_aborted_holder_frees_it() {
    freed_by(Signal::SIGABRT);
}

#[test]
fn a_terminated_holder_frees_it() {
    freed_by(Signal::SIGTERM);
}

#[test]
fn a_stopped_holder_keeps_it_until_it_dies() {
    let directory = lock_path();
    let (mut one, mut other) = (holder(&directory), holder(&directory));
    assert_eq!(one.ask("acquire x"), "acquired");
    one.signal(Signal::SIGSTOP);
    assert_eq!(other.ask("timed x 50"), "timeout");
    other.send("acquire x");
    other.wait_until_it_waits();
    one.signal(Signal::SIGKILL);
    assert_eq!(other.answer(), "acquired");
}

#[test]
fn a_holder_that_exits_without_releasing_frees_it() {
    let directory = lock_path();
    let (mut one, mut other) = (holder(&directory), holder(&directory));
    assert_eq!(one.ask("acquire x"), "acquired");
    other.send("acquire x");
    other.wait_until_it_waits();
    one.send("exit");
    assert_eq!(other.answer(), "acquired");
}

#[test]
fn a_holder_that_becomes_another_program_frees_it() {
    let directory = lock_path();
    let (mut one, mut other) = (holder(&directory), holder(&directory));
    assert_eq!(one.ask("acquire x"), "acquired");
    other.send("acquire x");
    other.wait_until_it_waits();
    assert_eq!(one.ask("become-program"), "becoming");
    assert_eq!(other.answer(), "acquired");
    assert!(one.lives());
}

#[test]
fn every_kind_of_lock_is_freed_by_death() {
    for acquire in ["acquire-fair x", "acquire-kept x", "read x", "write x"] {
        let directory = lock_path();
        let (mut one, mut other) = (holder(&directory), holder(&directory));
        assert_eq!(one.ask("keep x"), "kept");
        assert_eq!(one.ask(acquire), "acquired");
        assert_eq!(other.ask("try x"), "busy", "{acquire}");
        other.send("acquire-fair x");
        other.wait_until_it_waits();
        one.kill();
        assert_eq!(other.answer(), "acquired", "{acquire}");
    }
}

#[test]
fn a_waiter_that_dies_takes_nothing() {
    let directory = lock_path();
    let mut processes = [(); 3].map(|()| holder(&directory));
    let [one, waiter, other] = &mut processes;
    assert_eq!(one.ask("acquire x"), "acquired");
    waiter.send("acquire x");
    waiter.wait_until_it_waits();
    waiter.kill();
    assert_eq!(one.ask("release x"), "released");
    assert_eq!(other.ask("try x"), "acquired");
}
