//! Runs the workers of a schedule. Not available here.

use std::convert::Infallible;
use std::io;
use std::marker::PhantomData;

use crate::engines::Server;
use crate::workers::spawner::WorkerSpawner;

use super::super::error::ExploreError;

/// All workers of a schedule; there is none.
pub struct Controller<'a> {
    pub(super) never: Infallible,
    _spawner: PhantomData<WorkerSpawner<'a>>,
}

impl<'a> Controller<'a> {
    /// # Errors
    /// Always: explore needs Linux.
    pub fn check_system() -> Result<(), ExploreError> {
        Err(not_available())
    }

    /// # Errors
    /// Always: explore needs Linux.
    pub fn block_signals() -> Result<Infallible, ExploreError> {
        Err(not_available())
    }

    pub fn new(
        _spawner: WorkerSpawner<'a>,
        _explorer: usize,
        _server: Option<&'a Server>,
    ) -> io::Result<Self> {
        Err(io::Error::new(io::ErrorKind::Unsupported, not_available()))
    }

    /// The reason why workers start afresh for each schedule.
    pub fn starts_afresh(&self) -> Option<&str> {
        match self.never {}
    }

    /// Returns `true` if the lock is on a server.
    pub fn uses_servers(&self) -> bool {
        match self.never {}
    }

    /// Returns `true` if the user has interrupted the exploration.
    pub fn is_interrupted(&self) -> bool {
        match self.never {}
    }
}

fn not_available() -> ExploreError {
    ExploreError::System {
        system: std::env::consts::OS,
    }
}
