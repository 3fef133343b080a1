//! Bytes that keep a connection going below the requests of a protocol: control frames of HTTP/2 (RFC
//! 9113, sections 3.4 and 4.1) and the handshake of TLS (RFC 8446, section 5.1).

/// The preface with which a client opens a connection of HTTP/2.
const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
/// Length of a frame's head: its length (3), type, flags, and stream (4).
const HEAD: usize = 9;
/// PRIORITY, SETTINGS, PING, GOAWAY and WINDOW_UPDATE.
const CONTROL: [u8; 5] = [2, 4, 6, 7, 8];
/// Length of a TLS record's head: its type, version (2) and length (2).
const RECORD: usize = 5;
/// `change_cipher_spec` and `handshake`; encrypted records are `application_data`.
const HANDSHAKE: [u8; 2] = [20, 22];

/// Returns `true` for bytes that consist of control frames or handshakes alone.
pub fn is_control(bytes: &[u8]) -> bool {
    let frames = bytes.strip_prefix(PREFACE).unwrap_or(bytes);
    let begins = frames.len() < bytes.len() && frames.is_empty();
    begins || consists_of(frames, frame) || consists_of(bytes, record)
}

/// Returns `true` if there is at least one part, and each is one for which `part` returns its length.
fn consists_of(bytes: &[u8], part: fn(&[u8]) -> Option<usize>) -> bool {
    let mut rest = bytes;
    while !rest.is_empty() {
        match part(rest).and_then(|length| rest.get(length..)) {
            Some(after) => rest = after,
            None => return false,
        }
    }
    !bytes.is_empty()
}

/// The length of a control frame.
fn frame(bytes: &[u8]) -> Option<usize> {
    let [one, two, three, kind, _, stream, ..] = *bytes.first_chunk::<HEAD>()?;
    let length = u32::from_be_bytes([0, one, two, three]) as usize;
    let is_right = match kind {
        // For the whole connection.
        4 => length.is_multiple_of(6),
        6 => length == 8,
        7 => length >= 8,
        2 => length == 5,
        _ => length == 4,
    };
    let is_control = CONTROL.contains(&kind) && is_right && stream < 0x80;
    is_control.then_some(HEAD + length)
}

/// The length of a record of a handshake.
fn record(bytes: &[u8]) -> Option<usize> {
    let [kind, major, _, one, two] = *bytes.first_chunk::<RECORD>()?;
    let length = usize::from(u16::from_be_bytes([one, two]));
    (HANDSHAKE.contains(&kind) && major == 3 && length > 0).then_some(RECORD + length)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn framed(kind: u8, stream: u8, body: &[u8]) -> Vec<u8> {
        let length = body.len() as u8;
        [&[0, 0, length, kind, 0, 0, 0, 0, stream], body].concat()
    }

    #[test]
    fn pings_and_settings_are_control_and_headers_are_not() {
        let (ping, settings) = (framed(6, 0, &[0; 8]), framed(4, 0, &[0; 12]));
        let headers = framed(1, 1, b"abc");
        assert!(is_control(&ping) && is_control(&[&settings[..], &ping].concat()));
        assert!(is_control(PREFACE) && is_control(&[PREFACE, &settings].concat()));
        assert!(!is_control(&headers) && !is_control(&[&ping[..], &headers].concat()));
        assert!(!is_control(&ping[..9]) && !is_control(b""));
        assert!(!is_control(&[PREFACE, &headers].concat()));
    }

    #[test]
    fn a_handshake_is_control_and_encrypted_data_is_not() {
        let hello = [22, 3, 1, 0, 2, 1, 0];
        let finished = [20, 3, 3, 0, 1, 1, 23, 3, 3, 0, 1, 9];
        assert!(is_control(&hello) && is_control(&finished[..6]));
        assert!(!is_control(&finished) && !is_control(&hello[..6]));
        for other in [
            &b"*1\r\n$4\r\nPING\r\n"[..],
            b"GET / HTTP/1.1\r\n\r\n",
            b"get a\r\n",
        ] {
            assert!(!is_control(other));
        }
    }

    proptest! {
        #[test]
        fn any_bytes_are_read(bytes in proptest::collection::vec(any::<u8>(), 0..60)) {
            let _ = is_control(&bytes);
        }
    }
}
