//! The footprint of a step, which decides whether the order of two steps can matter.

use serde::{Deserialize, Serialize};

use super::super::requests::Touched;
use super::decode::Call;
use super::resources::Resources;

/// The resources that a step touches.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Footprint {
    /// Set if names are moved or linked, so that any file may be touched.
    any_file: bool,
    targets: Vec<String>,
    /// The files and places behind the names: two names may refer to one file. They are those of
    /// one run, and not saved.
    #[serde(skip)]
    resources: Resources,
    /// What it touches on a server.
    touched: Option<Touched>,
    writes: bool,
    /// Set if the driver reads or writes a line, or may do so.
    speaks: bool,
    /// Set if the step may touch anything, as the death of a process does.
    anything: bool,
}

impl Footprint {
    /// The footprint of a call; `speaks` is `true` if the driver may read an answer after it.
    pub fn of(call: &Call, speaks: bool) -> Self {
        Footprint {
            any_file: call.operation.rebinds_names() && !call.targets.is_empty(),
            targets: call.targets.clone(),
            resources: call.resources.clone(),
            touched: call.request.as_ref().map(|request| request.touched.clone()),
            writes: call.effect.changes(),
            speaks,
            anything: false,
        }
    }

    /// The footprint of a command from the driver.
    pub fn of_command() -> Self {
        Footprint {
            any_file: false,
            targets: Vec::new(),
            resources: Resources::default(),
            touched: None,
            writes: false,
            speaks: true,
            anything: false,
        }
    }

    /// The footprint of a fault. A death frees kernel locks and ends a process that others look for.
    pub fn of_fault() -> Self {
        Footprint {
            anything: true,
            ..Footprint::of_command()
        }
    }

    /// Returns `true` if the two steps lead to the same state in either order.
    pub fn commutes_with(&self, other: &Footprint) -> bool {
        if self.anything || other.anything || (self.speaks && other.speaks) {
            return false;
        }
        if !self.writes && !other.writes {
            return true;
        }
        if (self.any_file && other.touches_files()) || (other.any_file && self.touches_files()) {
            return false;
        }
        if let (Some(one), Some(other)) = (&self.touched, &other.touched)
            && !one.commutes_with(other)
        {
            return false;
        }
        if self.resources.overlap(&other.resources) {
            return false;
        }
        let clash = |one: &String, two: &String| is_within(one, two) || is_within(two, one);
        let mut targets = self.targets.iter();
        !targets.any(|one| other.targets.iter().any(|two| clash(one, two)))
    }

    /// The same footprint with the names, files and keys that the step touches in another run, perhaps
    /// by another explorer, whose lock has another name.
    pub fn with_resources_of(self, step: &Footprint) -> Self {
        Footprint {
            targets: step.targets.clone(),
            resources: step.resources.clone(),
            touched: match (self.touched, &step.touched) {
                (Some(slept), Some(here)) => Some(slept.with_keys_of(here)),
                (slept, here) => slept.or_else(|| here.clone()),
            },
            ..self
        }
    }

    fn touches_files(&self) -> bool {
        self.any_file || !self.targets.is_empty()
    }
}

/// Returns `true` if the name is the folder or is inside it. `.` is the lock's directory.
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
        // It may be another name of the same file.
        assert!(!footprint(Operation::Unlink, Effect::Claim, "c").commutes_with(&look));
        assert!(!Footprint::of_command().commutes_with(&Footprint::of_command()));
        assert!(Footprint::of_command().commutes_with(&make));
        assert!(!Footprint::of_fault().commutes_with(&look));
        assert!(!look.commutes_with(&Footprint::of_fault()));
    }
}
