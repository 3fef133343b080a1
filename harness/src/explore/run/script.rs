//! The commands of each worker in a scenario.

use crate::model::{Scenario, Verb};

use super::super::command::Command;

/// The commands of each worker, for this many rounds.
pub fn script(scenario: Scenario, rounds: usize) -> Vec<Command> {
    let section = [Command::Verb(Verb::Acquire), Command::Verb(Verb::Release)];
    let more: &[Command] = match scenario {
        Scenario::Remove => &[Command::Verb(Verb::Remove)],
        Scenario::Respawn => &[Command::Leave],
        _ => &[],
    };
    let mut script: Vec<Command> = (0..rounds)
        .flat_map(|_| section.iter().chain(more))
        .copied()
        .collect();
    if scenario == Scenario::Respawn {
        script.extend(section);
    }
    script
}
