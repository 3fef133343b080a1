//! What each worker does in a scenario.

use crate::model::{Scenario, Verb};

use super::stage::Told;

/// The commands of each worker, in this many rounds.
pub(super) fn script(scenario: Scenario, rounds: usize) -> Vec<Told> {
    let section = [Told::Verb(Verb::Acquire), Told::Verb(Verb::Release)];
    let more: &[Told] = match scenario {
        Scenario::Remove => &[Told::Verb(Verb::Remove)],
        Scenario::Respawn => &[Told::Leave],
        _ => &[],
    };
    let mut script: Vec<Told> = (0..rounds)
        .flat_map(|_| section.iter().chain(more))
        .copied()
        .collect();
    if scenario == Scenario::Respawn {
        script.extend(section);
    }
    script
}
