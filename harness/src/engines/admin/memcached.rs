//! The text protocol of memcached (doc/protocol.txt in its sources).

use std::io::{self, BufRead, BufReader, Write};
use std::net::TcpStream;
use std::time::{SystemTime, UNIX_EPOCH};

use super::rows::Rows;

/// A connection to memcached.
///
/// Beside the commands of memcached with an answer of one line, it has `delete-all TEXT` and `leases
/// TEXT`, for the keys that contain the text.
#[derive(Debug)]
pub struct Connection(BufReader<TcpStream>);

/// A key as `lru_crawler metadump` lists it.
#[derive(Debug, PartialEq, Eq)]
struct Key {
    name: String,
    /// Grows with each change.
    version: String,
    /// Seconds since 1970; `None` if it does not run out.
    until: Option<u64>,
}

impl Connection {
    pub fn new(stream: TcpStream) -> Self {
        Connection(BufReader::new(stream))
    }

    pub fn run(&mut self, words: &[String]) -> io::Result<Rows> {
        match words {
            [command, text] if command == "delete-all" => {
                for key in self.keys(text)? {
                    self.ask(&format!("delete {}", key.name))?;
                }
                Ok(Rows::new())
            }
            [command, text] if command == "leases" => {
                let now = SystemTime::now()
                    .duration_since(UNIX_EPOCH)
                    .unwrap_or_default();
                let keys = self.keys(text)?.into_iter();
                Ok(keys.filter_map(|key| row(key, now.as_secs())).collect())
            }
            words => {
                let answer = self.ask(&words.join(" "))?;
                let is_error = ["ERROR", "CLIENT_ERROR", "SERVER_ERROR"]
                    .iter()
                    .any(|error| answer.starts_with(error));
                match is_error {
                    true => Err(io::Error::other(answer)),
                    false => Ok(vec![vec![answer]]),
                }
            }
        }
    }

    fn ask(&mut self, request: &str) -> io::Result<String> {
        self.0
            .get_mut()
            .write_all(format!("{request}\r\n").as_bytes())?;
        self.line()
    }

    fn line(&mut self) -> io::Result<String> {
        let mut line = String::new();
        match self.0.read_line(&mut line)? {
            0 => Err(io::ErrorKind::UnexpectedEof.into()),
            _ => Ok(line.trim_end().to_owned()),
        }
    }

    /// The keys whose names contain this text.
    fn keys(&mut self, text: &str) -> io::Result<Vec<Key>> {
        let mut line = self.ask("lru_crawler metadump all")?;
        let mut keys = Vec::new();
        while line != "END" {
            let key = Key::parse(&line).ok_or_else(|| io::Error::other(line.clone()))?;
            keys.push(key);
            line = self.line()?;
        }
        keys.retain(|key| key.name.contains(text));
        Ok(keys)
    }
}

impl Key {
    fn parse(line: &str) -> Option<Self> {
        let field = |name: &str| {
            let mut fields = line.split(' ');
            fields.find_map(|field| field.strip_prefix(name)?.strip_prefix('='))
        };
        let until: i64 = field("exp")?.parse().ok()?;
        Some(Key {
            name: unescape(field("key")?),
            version: field("cas")?.to_owned(),
            until: u64::try_from(until).ok(),
        })
    }
}

/// Replaces `%20` and the like.
fn unescape(text: &str) -> String {
    let mut bytes = Vec::new();
    let mut rest = text.as_bytes();
    while let Some((first, after)) = rest.split_first() {
        let code = after.get(..2).filter(|_| *first == b'%');
        let code = code.and_then(|code| std::str::from_utf8(code).ok());
        match code.and_then(|code| u8::from_str_radix(code, 16).ok()) {
            Some(byte) => {
                bytes.push(byte);
                rest = &after[2..];
            }
            None => {
                bytes.push(*first);
                rest = after;
            }
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

/// The row of a key that runs out. Its clock ticks once a second, so it may end a second sooner.
fn row(key: Key, now: u64) -> Option<Vec<String>> {
    let left = key.until?.saturating_sub(now + 1) * 1000;
    Some(vec![key.name, key.version, left.to_string()])
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_key_with_a_time_limit_is_a_lease() {
        let line = "key=lock%2D1 exp=1700000010 la=1700000000 cas=7 fetch=no cls=1 size=63";
        let key = Key::parse(line).unwrap();
        assert_eq!(
            (key.name.as_str(), key.until),
            ("lock-1", Some(1_700_000_010))
        );
        let row_of = |line: &str| row(Key::parse(line).unwrap(), 1_700_000_000);
        assert_eq!(row_of(line).unwrap(), ["lock-1", "7", "9000"]);
        assert_eq!(row_of(&line.replace("exp=1700000010", "exp=-1")), None);
        assert_eq!(
            Key::parse("BUSY currently processing crawler request"),
            None
        );
    }

    proptest! {
        #[test]
        fn any_name_is_unescaped(text in "\\PC{0,20}") {
            prop_assert!(unescape(&text).chars().count() <= text.chars().count());
        }
    }
}
