//! Takes locks as it is told, a command a line; what the process-level tests hold against each other.

mod configuration;
mod faults;
mod forks;
mod held;
mod loops;

use held::Held;
use nix::sys::prctl::set_pdeathsig;
use nix::sys::signal::Signal;

fn main() {
    // A test that is killed leaves nobody behind who waits for a lock forever.
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
