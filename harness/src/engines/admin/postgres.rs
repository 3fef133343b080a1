//! The protocol of PostgreSQL, version 3, with simple queries and without a password
//! (<https://www.postgresql.org/docs/current/protocol-message-formats.html>).

use std::io::{self, Read, Write};
use std::net::TcpStream;

use super::rows::Rows;

/// Maximum length of a message.
const LONGEST: usize = 16 << 20;
const VERSION: u32 = 3 << 16;

/// A session.
#[derive(Debug)]
pub struct Connection(TcpStream);

impl Connection {
    pub fn new(mut stream: TcpStream) -> io::Result<Self> {
        let mut startup = VERSION.to_be_bytes().to_vec();
        for word in ["user", "lockutils", "database", "postgres", ""] {
            startup.extend(word.bytes());
            startup.push(0);
        }
        stream.write_all(&framed(None, &startup))?;
        let mut connection = Connection(stream);
        connection.rows()?;
        Ok(connection)
    }

    pub fn run(&mut self, words: &[String]) -> io::Result<Rows> {
        let mut query = words.join(" ").into_bytes();
        query.push(0);
        self.0.write_all(&framed(Some(b'Q'), &query))?;
        self.rows()
    }

    /// Reads up to `ReadyForQuery`. An error is returned after that.
    fn rows(&mut self) -> io::Result<Rows> {
        let mut rows = Rows::new();
        let mut error = None;
        loop {
            let (kind, body) = self.message()?;
            match kind {
                b'Z' => return error.map_or(Ok(rows), |error| Err(io::Error::other(error))),
                b'D' => rows.push(row(&body).ok_or_else(malformed)?),
                b'E' => error = Some(message_of(&body)),
                b'R' if body.first_chunk() != Some(&[0; 4]) => {
                    return Err(io::Error::other("it wants a password"));
                }
                _ => {}
            }
            // After a fatal error, such as a refused session, nothing follows.
            if let Some(error) = error.take_if(|_| is_fatal(&body)) {
                return Err(io::Error::other(error));
            }
        }
    }

    fn message(&mut self) -> io::Result<(u8, Vec<u8>)> {
        let mut head = [0; 5];
        self.0.read_exact(&mut head)?;
        let [kind, length @ ..] = head;
        let length = (u32::from_be_bytes(length) as usize).checked_sub(4);
        let length = length
            .filter(|length| *length <= LONGEST)
            .ok_or_else(malformed)?;
        let mut body = vec![0; length];
        self.0.read_exact(&mut body)?;
        Ok((kind, body))
    }
}

fn malformed() -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, "not an answer of PostgreSQL")
}

fn framed(kind: Option<u8>, body: &[u8]) -> Vec<u8> {
    let length = (body.len() + 4) as u32;
    let mut message: Vec<u8> = kind.into_iter().collect();
    message.extend(length.to_be_bytes());
    message.extend(body);
    message
}

/// The columns of `DataRow`; a null is an empty text.
fn row(body: &[u8]) -> Option<Vec<String>> {
    let (count, mut rest) = body.split_first_chunk()?;
    let mut columns = Vec::new();
    for _ in 0..u16::from_be_bytes(*count) {
        let (length, after) = rest.split_first_chunk()?;
        let length = usize::try_from(i32::from_be_bytes(*length)).unwrap_or(0);
        let (column, after) = after.split_at_checked(length)?;
        columns.push(String::from_utf8_lossy(column).into_owned());
        rest = after;
    }
    Some(columns)
}

/// The fields of `ErrorResponse`, each with its kind.
fn fields(body: &[u8]) -> impl Iterator<Item = (u8, &[u8])> {
    let fields = body.split(|byte| *byte == 0);
    fields.filter_map(|field| field.split_first().map(|(kind, text)| (*kind, text)))
}

fn message_of(body: &[u8]) -> String {
    let message = fields(body).find(|(kind, _)| *kind == b'M');
    message.map_or_else(String::new, |(_, text)| {
        String::from_utf8_lossy(text).into_owned()
    })
}

fn is_fatal(body: &[u8]) -> bool {
    fields(body).any(|(kind, text)| kind == b'V' && text != b"ERROR")
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_row_has_texts_and_an_error_a_message() {
        let body = b"\0\x03\0\0\0\x012\xff\xff\xff\xff\0\0\0\x02ab";
        assert_eq!(row(body).unwrap(), ["2", "", "ab"]);
        assert_eq!(row(b"\0\x01\0\0\0\x09a"), None);
        let error = b"SFATAL\0VFATAL\0C28000\0Mno such user\0\0";
        assert_eq!(message_of(error), "no such user");
        assert!(is_fatal(error) && !is_fatal(b"SFEHLER\0VERROR\0Mno\0\0"));
        assert_eq!(framed(Some(b'Q'), b"x\0"), b"Q\0\0\0\x06x\0");
    }

    proptest! {
        #[test]
        fn any_body_is_read_or_refused(body in proptest::collection::vec(any::<u8>(), 0..60)) {
            let _ = (row(&body), message_of(&body), is_fatal(&body));
        }
    }
}
