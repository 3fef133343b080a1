//! Whether the order of two steps can matter.

use super::{Call, Identity, Kind};

/// What a step touches.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Effect {
    /// Names are moved or linked, or it is not known what is touched.
    everything: bool,
    targets: Vec<String>,
    /// What the names mean: two may mean one file.
    identity: Identity,
    writes: bool,
    /// The driver hears or says something, or may do so.
    speaks: bool,
}

impl Effect {
    /// Of this call; `speaks` if the driver may hear something after it.
    pub fn of(call: &Call, speaks: bool) -> Self {
        Effect {
            everything: matches!(
                call.name,
                "rename" | "exchange" | "link" | "unlink" | "symlink"
            ) && !call.targets.is_empty(),
            targets: call.targets.clone(),
            identity: call.identity.clone(),
            writes: !matches!(call.kind, Kind::Looks | Kind::Sleeps),
            speaks,
        }
    }

    /// Of a command from the driver.
    pub fn of_command() -> Self {
        Effect {
            everything: false,
            targets: Vec::new(),
            identity: Identity::default(),
            writes: false,
            speaks: true,
        }
    }

    /// Whether both orders of the two lead to the same.
    pub fn commutes_with(&self, other: &Effect) -> bool {
        if self.speaks && other.speaks {
            return false;
        }
        if !self.writes && !other.writes {
            return true;
        }
        let touches = |effect: &Effect| effect.everything || !effect.targets.is_empty();
        if (self.everything && touches(other)) || (other.everything && touches(self)) {
            return false;
        }
        if self.identity.overlaps(&other.identity) {
            return false;
        }
        // What lies in a folder belongs to it as well.
        let within = |one: &str, other: &str| {
            one == other
                || other == "."
                || one
                    .strip_prefix(other)
                    .is_some_and(|rest| rest.starts_with('/'))
        };
        !self.targets.iter().any(|one| {
            other
                .targets
                .iter()
                .any(|two| within(one, two) || within(two, one))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn effect(name: &'static str, kind: Kind, target: &str) -> Effect {
        let mut call = Call::from_outside(name, target);
        call.kind = kind;
        Effect::of(&call, false)
    }

    #[test]
    fn what_touches_the_same_does_not_commute_unless_both_only_look() {
        let look = effect("stat", Kind::Looks, "a");
        let make = effect("mkdir", Kind::Makes, "a");
        let elsewhere = effect("mkdir", Kind::Makes, "b");
        assert!(look.commutes_with(&look));
        assert!(!look.commutes_with(&make) && !make.commutes_with(&look));
        assert!(make.commutes_with(&elsewhere) && look.commutes_with(&elsewhere));
        let inside = effect("open", Kind::Makes, "a/x");
        let list = effect("list", Kind::Looks, ".");
        assert!(!inside.commutes_with(&make) && !list.commutes_with(&elsewhere));
        // Another name of the same file may be meant.
        assert!(!effect("unlink", Kind::TakesOrRemoves, "c").commutes_with(&look));
        assert!(!Effect::of_command().commutes_with(&Effect::of_command()));
        assert!(Effect::of_command().commutes_with(&make));
    }
}
