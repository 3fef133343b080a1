//! Requests and answers of the gateway. Bytes are in base64, and 64-bit numbers are strings.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use crate::engine::contract::Claim;

/// The prefix of tooz, without a slash at its end.
const PREFIX: &[u8] = b"/tooz/locks";

/// The key of a lock, and the value that its claim gives it.
pub(super) struct Key {
    key: String,
    value: String,
}

/// The key of a lock that is held.
#[derive(Clone, Copy, Debug)]
pub(super) struct Found {
    pub(super) is_ours: bool,
    pub(super) lease: i64,
    pub(super) revision: i64,
}

impl Key {
    pub(super) fn of(claim: &Claim) -> Self {
        Key {
            key: STANDARD.encode([PREFIX, claim.name.bytes()].concat()),
            value: STANDARD.encode(claim.id.as_bytes()),
        }
    }

    /// Creates the key if it does not exist, or gets it.
    pub(super) fn acquire(&self, lease: i64) -> Value {
        let Key { key, value } = self;
        json!({
            "compare": [
                {"key": key, "target": "CREATE", "result": "EQUAL", "create_revision": "0"},
            ],
            "success": [
                {"request_put": {"key": key, "value": value, "lease": lease.to_string()}},
            ],
            "failure": [{"request_range": {"key": key}}],
        })
    }

    /// Deletes the key if it has our value.
    pub(super) fn release(&self) -> Value {
        let Key { key, value } = self;
        json!({
            "compare": [{"key": key, "target": "VALUE", "result": "EQUAL", "value": value}],
            "success": [{"request_delete_range": {"key": key}}],
        })
    }

    /// Watches for the deletion of the key from this revision on.
    pub(super) fn watch(&self, revision: i64) -> Value {
        json!({
            "create_request": {
                "key": self.key,
                "start_revision": revision.to_string(),
                "filters": ["NOPUT"],
            },
        })
    }

    /// The key in the answer to [`acquire`](Self::acquire); `None` if it was created.
    pub(super) fn found(&self, answer: &Value) -> Option<Found> {
        if succeeded(answer) {
            return None;
        }
        let found = &answer["responses"][0]["response_range"]["kvs"][0];
        Some(Found {
            is_ours: found["value"].as_str() == Some(&self.value),
            lease: number(&found["lease"]),
            revision: number(&found["create_revision"]),
        })
    }
}

/// Gets the keys, without their values.
pub(super) fn get(keys: impl Iterator<Item = Key>) -> Value {
    let ranges =
        keys.map(|Key { key, .. }| json!({"request_range": {"key": key, "keys_only": true}}));
    json!({"success": ranges.collect::<Vec<_>>()})
}

/// The create revisions in the answer to [`get`]; `None` for a key that does not exist.
pub(super) fn created(answer: &Value) -> Vec<Option<i64>> {
    let responses = answer["responses"].as_array().into_iter().flatten();
    let created = responses.map(|response| {
        let key = response["response_range"]["kvs"].get(0)?;
        Some(number(&key["create_revision"]))
    });
    created.collect()
}

pub(super) fn succeeded(answer: &Value) -> bool {
    // A field that is false is left out.
    answer["succeeded"].as_bool() == Some(true)
}

/// The revision of the server when it answered.
pub(super) fn revision(answer: &Value) -> i64 {
    number(&answer["header"]["revision"])
}

/// A 64-bit number; one that is zero is left out.
pub(super) fn number(value: &Value) -> i64 {
    let text = value.as_str().and_then(|text| text.parse().ok());
    text.or_else(|| value.as_i64()).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lock_name::LockName;

    #[test]
    fn the_key_of_tooz() {
        let claim = Claim {
            name: LockName::new(None, b"volume-7"),
            id: "me-1".into(),
        };
        let key = Key::of(&claim);
        assert_eq!(STANDARD.decode(&key.key).unwrap(), b"/tooz/locksvolume-7");
        let held = json!({"responses": [{"response_range": {"kvs": [
            {"create_revision": "7", "value": key.value, "lease": "12"}
        ]}}]});
        let found = key.found(&held).unwrap();
        assert!(found.is_ours);
        assert_eq!((found.lease, found.revision), (12, 7));
        let created = json!({"header": {"revision": "9"}, "succeeded": true});
        assert!(key.found(&created).is_none());
        assert_eq!(revision(&created), 9);
    }
}
