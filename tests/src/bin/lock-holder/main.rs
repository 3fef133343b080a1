//! A process that acquires and releases locks on command, one command a line; for the tests between
//! processes.

mod configuration;
mod faults;
mod forks;
mod held;
mod loops;

use held::Held;
use nix::sys::prctl::set_pdeathsig;
use nix::sys::signal::Signal;

fn main() {
    // A killed test leaves no process behind that waits for a lock forever.
    set_pdeathsig(Signal::SIGKILL).expect("a signal for our parent's end");
    let mut held = Held::default();
    for line in std::io::stdin().lines() {
        let Ok(line) = line else { return };
        let words: Vec<&str> = line.split(' ').collect();
        println!("{}", obey(words[0], &words[1..], &mut held));
    }
}

fn obey(command: &str, words: &[&str], held: &mut Held) -> String {
    held.obey(command, words)
        .or_else(|| forks::obey(command, words, held))
        .or_else(|| loops::obey(command, words))
        .or_else(|| configuration::obey(command, words, held))
        .or_else(|| faults::obey(command, words))
        .unwrap_or_else(|| format!("unknown {command}"))
}
