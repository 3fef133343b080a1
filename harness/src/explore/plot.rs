//! What befalls a lock in a schedule.

use crate::foreign::protocol::Verb;

use super::stage::Told;

/// See the module.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Plot {
    /// All acquire and release.
    Contend,
    /// One has died in the section, an hour ago; then all acquire and release.
    Die,
    /// All acquire and release, leave, and are replaced by fresh ones which do the same.
    Respawn,
    /// All acquire, release, and remove the lock in the library's own way.
    Remove,
    /// As contend, and somebody deletes the files of the lock at some time.
    Unlink,
}

impl Plot {
    /// All of them.
    pub const ALL: [Plot; 5] = [
        Plot::Contend,
        Plot::Die,
        Plot::Respawn,
        Plot::Remove,
        Plot::Unlink,
    ];

    /// As in `stress`.
    pub fn word(self) -> &'static str {
        match self {
            Plot::Contend => "contend",
            Plot::Die => "die",
            Plot::Respawn => "respawn",
            Plot::Remove => "remove",
            Plot::Unlink => "unlink",
        }
    }

    /// What happens, in a sentence.
    pub fn meaning(self) -> &'static str {
        match self {
            Plot::Contend => "all acquire and release",
            Plot::Die => "one has died in the section an hour ago; all others acquire and release",
            Plot::Respawn => "all acquire, release and exit, and fresh workers do the same",
            Plot::Remove => "all acquire, release, and remove the lock in the library's own way",
            Plot::Unlink => "all acquire and release, and somebody deletes the lock's files",
        }
    }

    /// What each worker is told, in so many rounds.
    pub(super) fn script(self, rounds: usize) -> Vec<Told> {
        let section = [Told::Verb(Verb::Acquire), Told::Verb(Verb::Release)];
        let more: &[Told] = match self {
            Plot::Remove => &[Told::Verb(Verb::Remove)],
            Plot::Respawn => &[Told::Leave],
            _ => &[],
        };
        let mut script: Vec<Told> = (0..rounds)
            .flat_map(|_| section.iter().chain(more))
            .copied()
            .collect();
        if self == Plot::Respawn {
            script.extend(section);
        }
        script
    }
}
