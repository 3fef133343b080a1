//! What a request touches on its server.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

/// The way in which a request touches its keys.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Access {
    /// It concerns the connection alone.
    Nothing,
    Reads,
    Writes,
    /// It may remove keys, or ends a transaction or a session.
    Removes,
}

/// The keys that a request touches.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Keys {
    These(BTreeSet<Vec<u8>>),
    All,
}

/// What a request touches.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Touched {
    /// The number of its server.
    pub server: usize,
    pub keys: Keys,
    pub access: Access,
}

impl Touched {
    /// A request of which nothing is known.
    pub fn everything(server: usize) -> Self {
        Touched {
            server,
            keys: Keys::All,
            access: Access::Removes,
        }
    }

    /// A request that touches no key yet.
    pub fn nothing(server: usize) -> Self {
        Touched {
            server,
            keys: Keys::These(BTreeSet::new()),
            access: Access::Nothing,
        }
    }

    /// Adds what a further command of the same request touches.
    pub fn add(&mut self, keys: Keys, access: Access) {
        self.access = self.access.max(access);
        self.keys = match (std::mem::replace(&mut self.keys, Keys::All), keys) {
            (Keys::These(mut before), Keys::These(more)) => {
                before.extend(more);
                Keys::These(before)
            }
            _ => Keys::All,
        };
    }

    /// The same access to what `here` touches: in another run, keys and servers may have other names.
    pub fn with_keys_of(self, here: &Touched) -> Self {
        Touched {
            server: here.server,
            keys: match self.keys {
                Keys::All => Keys::All,
                Keys::These(_) => here.keys.clone(),
            },
            access: self.access.max(here.access),
        }
    }

    /// Returns `true` if the two requests lead to the same state in either order. Two servers know
    /// nothing of each other.
    pub fn commutes_with(&self, other: &Touched) -> bool {
        let changes = self.access.max(other.access) > Access::Reads;
        let idle = self.access.min(other.access) == Access::Nothing;
        if self.server != other.server || !changes || idle {
            return true;
        }
        match (&self.keys, &other.keys) {
            (Keys::These(one), Keys::These(two)) => one.is_disjoint(two),
            _ => false,
        }
    }
}
