//! Reading as much as is there.

use std::io::{self, Read};

/// Reads what is there, but not so much that others wait long for their turn. Returns `true` at the
/// end.
pub(super) fn read_available(from: &mut impl Read, into: &mut Vec<u8>) -> io::Result<bool> {
    const AT_ONCE: u64 = 1 << 20;
    match from.take(AT_ONCE).read_to_end(into) {
        Ok(count) => Ok((count as u64) < AT_ONCE),
        // All earlier data has been read.
        Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(false),
        Err(error) => Err(error),
    }
}
