//! Numbers of threads, for systems that use the id of a thread again after its end.

use std::sync::atomic::{AtomicU64, Ordering};

/// The lower bits of a number are the system's id of the thread, which messages show.
const ID_BITS: u32 = 22;
const HIGHEST: u64 = (1 << 63) - 1;

/// A number that was never used, for the thread with this id. An id of more than 22 bits is left
/// out.
pub(super) fn number_for(id: u32) -> u64 {
    static NEXT: AtomicU64 = AtomicU64::new(1);
    let id = u64::from(id);
    let id = if id >> ID_BITS == 0 { id } else { 0 };
    (NEXT.fetch_add(1, Ordering::Relaxed) << ID_BITS) & HIGHEST | id
}

/// The id of the thread with this number, or 0 if it was left out.
pub(super) fn id_in(number: u64) -> u32 {
    u32::try_from(number & ((1 << ID_BITS) - 1)).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_has_its_id_and_is_used_once() {
        let numbers = [0, 1, (1 << ID_BITS) - 1].map(|id| (id, number_for(id)));
        assert!(numbers.iter().all(|(id, number)| id_in(*number) == *id));
        assert_eq!(id_in(number_for(1 << ID_BITS)), 0);
        assert_ne!(number_for(7), number_for(7));
    }
}
