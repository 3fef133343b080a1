//! The protocol of MariaDB and MySQL, with text queries, as a user without a password
//! (<https://mariadb.com/kb/en/clientserver-protocol/>).

use std::io::{self, Read, Write};
use std::net::TcpStream;

use super::rows::Rows;

/// Maximum length of a packet: longer ones come in parts, which no answer here needs.
const LONGEST: usize = 0xff_fffe;
/// CLIENT_LONG_PASSWORD, CLIENT_PROTOCOL_41, CLIENT_TRANSACTIONS, CLIENT_SECURE_CONNECTION,
/// CLIENT_MULTI_RESULTS, CLIENT_PLUGIN_AUTH.
const CAPABILITIES: u32 = 1 | 0x200 | 0x2000 | 0x8000 | 0x2_0000 | 0x8_0000;
/// SERVER_MORE_RESULTS_EXISTS.
const MORE_RESULTS: u16 = 8;
/// utf8mb4_general_ci.
const CHARSET: u8 = 45;
const COM_QUERY: u8 = 3;
const USER: &str = "root";

/// A session.
#[derive(Debug)]
pub struct Connection(TcpStream);

impl Connection {
    pub fn new(stream: TcpStream) -> io::Result<Self> {
        let mut connection = Connection(stream);
        // The greeting, which asks for nothing that matters here.
        let (sequence, greeting) = connection.packet()?;
        check(&greeting)?;
        let mut login = CAPABILITIES.to_le_bytes().to_vec();
        login.extend((1_u32 << 24).to_le_bytes());
        login.push(CHARSET);
        login.extend([0; 23]);
        login.extend(USER.bytes());
        // No password.
        login.extend([0, 0]);
        login.extend(b"mysql_native_password\0");
        connection.send(sequence.wrapping_add(1), &login)?;
        loop {
            let (sequence, answer) = connection.packet()?;
            check(&answer)?;
            match answer.first() {
                Some(0) => return Ok(connection),
                // It names another way; without a password, each has an empty answer.
                Some(0xfe) => connection.send(sequence.wrapping_add(1), &[])?,
                _ => return Err(malformed()),
            }
        }
    }

    pub fn run(&mut self, words: &[String]) -> io::Result<Rows> {
        let mut query = vec![COM_QUERY];
        query.extend(words.join(" ").bytes());
        self.send(0, &query)?;
        let mut rows = Rows::new();
        while self.result(&mut rows)? {}
        Ok(rows)
    }

    /// Reads one result. Returns `true` if there are more: a statement with several parts has one for
    /// each.
    fn result(&mut self, rows: &mut Rows) -> io::Result<bool> {
        let (_, head) = self.packet()?;
        check(&head)?;
        if let [0, rest @ ..] = &head[..] {
            // After the numbers of changed rows and of the last new one.
            let (_, rest) = length(rest).ok_or_else(malformed)?;
            let (_, rest) = length(rest).ok_or_else(malformed)?;
            return has_more(rest);
        }
        // Descriptions of the columns up to the first end, and rows up to the second.
        let mut ends = 0;
        loop {
            let (_, packet) = self.packet()?;
            check(&packet)?;
            match &packet[..] {
                // After the number of warnings.
                [0xfe, _, _, rest @ ..] if packet.len() < 9 && ends == 1 => return has_more(rest),
                [0xfe, ..] if packet.len() < 9 => ends += 1,
                _ if ends == 1 => rows.push(row(&packet).ok_or_else(malformed)?),
                _ => {}
            }
        }
    }

    fn send(&mut self, sequence: u8, body: &[u8]) -> io::Result<()> {
        let [one, two, three, _] = (body.len() as u32).to_le_bytes();
        let mut packet = vec![one, two, three, sequence];
        packet.extend(body);
        self.0.write_all(&packet)
    }

    fn packet(&mut self) -> io::Result<(u8, Vec<u8>)> {
        let mut head = [0; 4];
        self.0.read_exact(&mut head)?;
        let [one, two, three, sequence] = head;
        let length = u32::from_le_bytes([one, two, three, 0]) as usize;
        if length > LONGEST {
            return Err(malformed());
        }
        let mut body = vec![0; length];
        self.0.read_exact(&mut body)?;
        Ok((sequence, body))
    }
}

fn malformed() -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, "not an answer of MariaDB")
}

/// Returns the error that a packet contains.
fn check(packet: &[u8]) -> io::Result<()> {
    match packet {
        // Its code and, in most cases, a state such as `#HY000` precede the message.
        [0xff, _, _, rest @ ..] => {
            let message = match rest {
                [b'#', _, _, _, _, _, message @ ..] => message,
                message => message,
            };
            Err(io::Error::other(
                String::from_utf8_lossy(message).into_owned(),
            ))
        }
        _ => Ok(()),
    }
}

fn has_more(status: &[u8]) -> io::Result<bool> {
    let status = status.first_chunk().ok_or_else(malformed)?;
    Ok(u16::from_le_bytes(*status) & MORE_RESULTS != 0)
}

/// A length, and what follows; that of a null is zero.
fn length(bytes: &[u8]) -> Option<(usize, &[u8])> {
    let (&first, rest) = bytes.split_first()?;
    Some(match first {
        0xfb => (0, rest),
        0xfc => {
            let (bytes, rest) = rest.split_first_chunk()?;
            (usize::from(u16::from_le_bytes(*bytes)), rest)
        }
        0xfd => {
            let ([one, two, three], rest) = rest.split_first_chunk()?;
            (u32::from_le_bytes([*one, *two, *three, 0]) as usize, rest)
        }
        0xfe => {
            let (bytes, rest) = rest.split_first_chunk()?;
            (usize::try_from(u64::from_le_bytes(*bytes)).ok()?, rest)
        }
        0xff => return None,
        length => (usize::from(length), rest),
    })
}

/// The columns of a row; a null is an empty text.
fn row(packet: &[u8]) -> Option<Vec<String>> {
    let mut rest = packet;
    let mut columns = Vec::new();
    while !rest.is_empty() {
        let (length, after) = length(rest)?;
        let (column, after) = after.split_at_checked(length)?;
        columns.push(String::from_utf8_lossy(column).into_owned());
        rest = after;
    }
    Some(columns)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_row_has_texts_and_an_error_a_message() {
        assert_eq!(row(b"\x012\xfb\x02ab").unwrap(), ["2", "", "ab"]);
        assert_eq!(row(b"\xfc\x02\0ab").unwrap(), ["ab"]);
        assert_eq!((row(b"\x05ab"), row(b"\xfe")), (None, None));
        assert!(has_more(b"\x0a\0").unwrap() && !has_more(b"\x02\0").unwrap());
        let error = |packet: &[u8]| check(packet).unwrap_err().to_string();
        assert_eq!(error(b"\xff\x15\x04#28000Access denied"), "Access denied");
        assert_eq!(
            error(b"\xff\x10\x04Too many connections"),
            "Too many connections"
        );
        assert!(check(b"\0").is_ok());
    }

    proptest! {
        #[test]
        fn any_packet_is_read_or_refused(packet in proptest::collection::vec(any::<u8>(), 0..60)) {
            let _ = (row(&packet), check(&packet));
        }
    }
}
