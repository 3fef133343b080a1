//! System calls, of which none is seen here. What the story and the strategies ask of one is the
//! same as on Linux.

use std::convert::Infallible;

use serde::{Deserialize, Serialize};

#[path = "../syscalls/effect.rs"]
mod effect;
#[path = "../syscalls/operation.rs"]
mod operation;

pub use effect::Effect;
pub use operation::Operation;

/// A system call of a worker; there is none.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Call {
    pub operation: Operation,
    pub effect: Effect,
    pub targets: Vec<String>,
    never: Infallible,
}

impl Call {
    /// The target of the call, for display.
    pub fn target(&self) -> String {
        match self.never {}
    }

    /// The answer of the server to a request, for display.
    pub fn answer(&self) -> Option<&str> {
        match self.never {}
    }

    /// The name of the error of this result.
    pub fn error(&self, _result: i64) -> String {
        match self.never {}
    }
}

/// The resources that a step touches.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Footprint(());

impl Footprint {
    /// The footprint of a call.
    pub fn of(call: &Call, _speaks: bool) -> Self {
        match call.never {}
    }

    /// The footprint of a command from the driver.
    pub fn of_command() -> Self {
        Footprint(())
    }

    /// The footprint of a fault.
    pub fn of_fault() -> Self {
        Footprint(())
    }

    /// Two commands do not commute: the driver speaks in both.
    pub fn commutes_with(&self, _other: &Footprint) -> bool {
        false
    }

    /// The same with the files that the step touches in another run: none.
    pub fn with_resources_of(self, _step: &Footprint) -> Self {
        self
    }
}
