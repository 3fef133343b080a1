//! The protocol of Redis: requests are arrays of strings.

use std::io::{self, BufRead, BufReader, Write};
use std::net::TcpStream;

use super::rows::Rows;

/// Maximum length of a string in an answer.
const LONGEST: usize = 16 << 20;
/// Maximum depth of arrays in an answer.
const DEEPEST: usize = 8;

/// A connection to Redis.
#[derive(Debug)]
pub struct Connection(BufReader<TcpStream>);

/// An answer.
#[derive(Debug, PartialEq, Eq)]
enum Value {
    Text(String),
    Error(String),
    Array(Vec<Value>),
}

impl Connection {
    pub fn new(stream: TcpStream) -> Self {
        Connection(BufReader::new(stream))
    }

    pub fn run(&mut self, words: &[String]) -> io::Result<Rows> {
        let mut request = format!("*{}\r\n", words.len()).into_bytes();
        for word in words {
            request.extend(format!("${}\r\n", word.len()).bytes());
            request.extend(word.bytes());
            request.extend(b"\r\n");
        }
        self.0.get_mut().write_all(&request)?;
        match read(&mut self.0, 0)? {
            Value::Error(text) => Err(io::Error::other(text)),
            Value::Text(text) => Ok(vec![vec![text]]),
            Value::Array(rows) => Ok(rows.into_iter().map(row).collect()),
        }
    }
}

fn row(value: Value) -> Vec<String> {
    match value {
        Value::Text(text) | Value::Error(text) => vec![text],
        Value::Array(values) => values.into_iter().flat_map(row).collect(),
    }
}

fn malformed() -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, "not an answer of Redis")
}

fn read(from: &mut impl BufRead, depth: usize) -> io::Result<Value> {
    let mut line = String::new();
    from.read_line(&mut line)?;
    let line = line.strip_suffix("\r\n").ok_or_else(malformed)?;
    let kind = line.chars().next().ok_or_else(malformed)?;
    let rest = line.get(kind.len_utf8()..).unwrap_or_default();
    let length = || rest.parse::<i64>().map_err(|_| malformed());
    match kind {
        '+' | ':' => Ok(Value::Text(rest.to_owned())),
        '-' => Ok(Value::Error(rest.to_owned())),
        '$' => {
            let Ok(length) = usize::try_from(length()?) else {
                return Ok(Value::Text(String::new()));
            };
            if length > LONGEST {
                return Err(malformed());
            }
            let mut bytes = vec![0; length + 2];
            from.read_exact(&mut bytes)?;
            bytes.truncate(length);
            Ok(Value::Text(String::from_utf8_lossy(&bytes).into_owned()))
        }
        '*' if depth < DEEPEST => {
            let count = length()?.max(0);
            (0..count)
                .map(|_| read(from, depth + 1))
                .collect::<io::Result<_>>()
                .map(Value::Array)
        }
        _ => Err(malformed()),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn answer(bytes: &[u8]) -> io::Result<Value> {
        read(&mut &bytes[..], 0)
    }

    #[test]
    fn answers_are_texts_errors_and_arrays() {
        assert_eq!(answer(b"+PONG\r\n").unwrap(), Value::Text("PONG".into()));
        assert_eq!(
            answer(b"-ERR no\r\n").unwrap(),
            Value::Error("ERR no".into())
        );
        assert_eq!(answer(b"$-1\r\n").unwrap(), Value::Text(String::new()));
        let rows = answer(b"*2\r\n*2\r\n$1\r\na\r\n:7\r\n*0\r\n").unwrap();
        let Value::Array(rows) = rows else {
            panic!("{rows:?}");
        };
        let rows: Rows = rows.into_iter().map(row).collect();
        assert_eq!(rows, [vec!["a".to_owned(), "7".to_owned()], vec![]]);
        for broken in ["", "$5\r\nab", "*1\r\n", "$99999999999\r\n", "x\r\n"] {
            assert!(answer(broken.as_bytes()).is_err(), "{broken:?}");
        }
    }

    proptest! {
        #[test]
        fn any_answer_is_read_or_refused(bytes in proptest::collection::vec(any::<u8>(), 0..60)) {
            let _ = answer(&bytes);
        }
    }
}
