//! Faults that Windows has no means for.

use std::io;

use super::Means;

/// There are no signals that interrupt a wait.
#[derive(Debug)]
pub(crate) struct SignalStorm(());

impl SignalStorm {
    pub(crate) fn begin() -> io::Result<Self> {
        Err(super::missing(Means::Signals))
    }
}

/// There is no limit of handles.
#[derive(Debug)]
pub(crate) struct Descriptors(());

impl Descriptors {
    pub(crate) fn begin() -> io::Result<Self> {
        Err(super::missing(Means::DescriptorLimit))
    }
}
