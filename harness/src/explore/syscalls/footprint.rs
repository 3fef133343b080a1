//! Whether the order of two steps can matter.

use super::decode::Call;
use super::resources::Resources;

/// What a step touches.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Footprint {
    /// Names are moved or linked, so any file may be touched.
    any_file: bool,
    targets: Vec<String>,
    /// What the names mean: two may mean one file.
    resources: Resources,
    writes: bool,
    /// The driver reads or writes a line, or may do so.
    speaks: bool,
}

impl Footprint {
    /// The footprint of a call; `speaks` if the driver may read an answer after it.
    pub fn of(call: &Call, speaks: bool) -> Self {
        Footprint {
            any_file: call.operation.rebinds_names() && !call.targets.is_empty(),
            targets: call.targets.clone(),
            resources: call.resources.clone(),
            writes: call.effect.changes(),
            speaks,
        }
    }

    /// The footprint of a command from the driver.
    pub fn of_command() -> Self {
        Footprint {
            any_file: false,
            targets: Vec::new(),
            resources: Resources::default(),
            writes: false,
            speaks: true,
        }
    }

    /// Returns `true` if both orders of the two steps lead to the same state.
    pub fn commutes_with(&self, other: &Footprint) -> bool {
        if self.speaks && other.speaks {
            return false;
        }
        if !self.writes && !other.writes {
            return true;
        }
        if (self.any_file && other.touches_files()) || (other.any_file && self.touches_files()) {
            return false;
        }
        if self.resources.overlap(&other.resources) {
            return false;
        }
        let clash = |one: &String, two: &String| is_within(one, two) || is_within(two, one);
        let mut targets = self.targets.iter();
        !targets.any(|one| other.targets.iter().any(|two| clash(one, two)))
    }

    /// The same with the files that the step touches in another run.
    pub fn with_resources_of(self, step: &Footprint) -> Self {
        Footprint {
            resources: step.resources.clone(),
            ..self
        }
    }

    fn touches_files(&self) -> bool {
        self.any_file || !self.targets.is_empty()
    }
}

/// Returns `true` if the name lies in the folder, or is the same. `.` is the lock's directory.
fn is_within(name: &str, folder: &str) -> bool {
    name == folder
        || folder == "."
        || name
            .strip_prefix(folder)
            .is_some_and(|rest| rest.starts_with('/'))
}

#[cfg(test)]
mod tests {
    use super::super::effect::Effect;
    use super::super::operation::Operation;
    use super::*;

    fn footprint(operation: Operation, effect: Effect, target: &str) -> Footprint {
        Footprint::of(&Call::from_outside(operation, effect, target), false)
    }

    #[test]
    fn what_touches_the_same_does_not_commute_unless_both_only_look() {
        let look = footprint(Operation::Stat, Effect::Observe, "a");
        let make = footprint(Operation::Mkdir, Effect::Modify, "a");
        let elsewhere = footprint(Operation::Mkdir, Effect::Modify, "b");
        assert!(look.commutes_with(&look));
        assert!(!look.commutes_with(&make) && !make.commutes_with(&look));
        assert!(make.commutes_with(&elsewhere) && look.commutes_with(&elsewhere));
        let inside = footprint(Operation::Open, Effect::Modify, "a/x");
        let list = footprint(Operation::List, Effect::Observe, ".");
        assert!(!inside.commutes_with(&make) && !list.commutes_with(&elsewhere));
        // Another name of the same file may be meant.
        assert!(!footprint(Operation::Unlink, Effect::Claim, "c").commutes_with(&look));
        assert!(!Footprint::of_command().commutes_with(&Footprint::of_command()));
        assert!(Footprint::of_command().commutes_with(&make));
    }
}
