//! Names of locks.

use std::fmt;
use std::sync::Arc;

/// A lock's name: any bytes.
#[derive(Clone, PartialEq, Eq, Hash)]
pub(crate) struct LockName(Arc<[u8]>);

impl LockName {
    /// The name with its prefix, joined as `lockutils` does: with `-`, unless the prefix ends in
    /// one.
    pub(crate) fn new(prefix: Option<&str>, name: &[u8]) -> Self {
        let mut whole = Vec::new();
        if let Some(prefix) = prefix.filter(|prefix| !prefix.is_empty()) {
            whole.extend_from_slice(prefix.as_bytes());
            if !prefix.ends_with('-') {
                whole.push(b'-');
            }
        }
        whole.extend_from_slice(name);
        LockName(whole.into())
    }

    pub(crate) fn bytes(&self) -> &[u8] {
        &self.0
    }

    /// The name for messages.
    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.0).into_owned()
    }
}

impl fmt::Debug for LockName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", self.text())
    }
}
