//! The bytes of MariaDB's and MySQL's clients, as far as they concern a connection alone: how a session
//! begins (<https://mariadb.com/kb/en/connection/>).

/// The least length of an answer to the greeting: capabilities, longest packet, character set, and 23
/// reserved bytes.
const LOGIN: usize = 32;
/// Bytes before the body: its length, and the number of the packet.
const HEAD: usize = 4;
/// The command of a query as text.
const QUERY: u8 = 3;

/// Returns `true` for the answer to the greeting. Every command is the packet with the number 0.
pub fn begins_session(bytes: &[u8]) -> bool {
    let Some(([one, two, three, number], body)) = bytes.split_first_chunk::<HEAD>() else {
        return false;
    };
    let length = u32::from_le_bytes([*one, *two, *three, 0]) as usize;
    // With TLS, the second is the same without the end.
    *number == 1 && length == body.len() && length >= LOGIN
}

/// The statement of a query.
pub fn statement(bytes: &[u8]) -> Option<&[u8]> {
    let ([one, two, three, number], body) = bytes.split_first_chunk::<HEAD>()?;
    let length = u32::from_le_bytes([*one, *two, *three, 0]) as usize;
    let statement = body.strip_prefix(&[QUERY])?;
    (*number == 0 && length == body.len()).then_some(statement)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn only_the_answer_to_the_greeting_counts() {
        let packet = |number: u8, length: u8| {
            let mut bytes = vec![length, 0, 0, number];
            bytes.extend(vec![0; usize::from(length)]);
            bytes
        };
        assert!(begins_session(&packet(1, 32)) && begins_session(&packet(1, 90)));
        assert!(!begins_session(&packet(0, 90)) && !begins_session(&packet(1, 5)));
        let query = b"\x09\0\0\0\x03SELECT 1";
        assert!(!begins_session(query));
        assert_eq!(statement(query), Some(&b"SELECT 1"[..]));
        assert_eq!((statement(&query[..8]), statement(b"")), (None, None));
    }

    proptest! {
        #[test]
        fn any_bytes_are_read(bytes in proptest::collection::vec(any::<u8>(), 0..50)) {
            let _ = (begins_session(&bytes), statement(&bytes));
        }
    }
}
