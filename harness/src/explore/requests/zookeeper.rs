//! The bytes of ZooKeeper's clients, as far as they concern a session alone: its beginning, and pings
//! (`zookeeper-jute/src/main/resources/zookeeper.jute` in its sources).

/// A ping: its number is -2, and its operation 11.
const PING: [u8; 12] = [0, 0, 0, 8, 0xff, 0xff, 0xff, 0xfe, 0, 0, 0, 11];
/// Lengths of a request for a session, with and without the flag for servers that only read.
const CONNECT: [u8; 2] = [45, 44];

/// Returns `true` for a request for a session, and for a ping.
pub fn concerns_the_session(bytes: &[u8]) -> bool {
    match bytes {
        // The length, and the version 0 of the protocol.
        [0, 0, 0, length, 0, 0, 0, 0, ..] => {
            CONNECT.contains(length) && bytes.len() == usize::from(*length) + 4
        }
        bytes => bytes == PING,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_sessions_and_pings_count() {
        let connect = [&[0, 0, 0, 44][..], &[0; 44]].concat();
        assert!(concerns_the_session(&connect) && concerns_the_session(&PING));
        assert!(!concerns_the_session(&connect[..40]));
        let exists = b"\0\0\0\x0f\0\0\0\x01\0\0\0\x03\0\0\0\x02/a\0";
        assert!(!concerns_the_session(exists) && !concerns_the_session(b""));
    }
}
