//! One value per worker.

/// The state of each worker, by its number.
#[derive(Debug)]
pub(super) struct Workers<T>(pub(super) Vec<T>);

impl<T: Default> Workers<T> {
    pub(super) fn new() -> Self {
        Workers(Vec::new())
    }

    pub(super) fn of(&mut self, worker: u32) -> &mut T {
        let index = worker as usize;
        if self.0.len() <= index {
            self.0.resize_with(index + 1, T::default);
        }
        &mut self.0[index]
    }
}
