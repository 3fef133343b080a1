//! The bytes of PostgreSQL's clients, as far as they concern a connection alone: how a session
//! begins (<https://www.postgresql.org/docs/current/protocol-message-formats.html>).

/// The codes of `StartupMessage` (version 3), `SSLRequest` and `GSSENCRequest`.
const STARTUP: [u32; 3] = [3 << 16, 80_877_103, 80_877_104];

/// Returns `true` for the first message of a session, and for the answer to a request for a password.
pub fn begins_session(bytes: &[u8]) -> bool {
    is_startup(bytes) || is_password(bytes)
}

fn is_startup(bytes: &[u8]) -> bool {
    let Some((length, rest)) = bytes.split_first_chunk() else {
        return false;
    };
    let code = rest.first_chunk().map(|code| u32::from_be_bytes(*code));
    u32::from_be_bytes(*length) as usize == bytes.len()
        && code.is_some_and(|code| STARTUP.contains(&code))
}

fn is_password(bytes: &[u8]) -> bool {
    let Some((b'p', rest)) = bytes.split_first() else {
        return false;
    };
    let length = rest.first_chunk().map(|length| u32::from_be_bytes(*length));
    length.is_some_and(|length| length as usize == rest.len())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn only_the_beginning_of_a_session_counts() {
        assert!(begins_session(&[0, 0, 0, 8, 4, 0xd2, 0x16, 0x2f]));
        assert!(begins_session(b"\0\0\0\x0d\0\x03\0\0user\0"));
        assert!(begins_session(b"p\0\0\0\x07md5"));
        assert!(!begins_session(b"Q\0\0\0\x0dSELECT 1\0"));
        assert!(!begins_session(&[0, 0, 0, 9, 4, 0xd2, 0x16, 0x2f]));
    }

    proptest! {
        #[test]
        fn any_bytes_are_read(bytes in proptest::collection::vec(any::<u8>(), 0..20)) {
            let _ = begins_session(&bytes);
        }
    }
}
