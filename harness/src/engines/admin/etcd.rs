//! etcd's JSON gateway, over HTTP/1.1 (<https://etcd.io/docs/v3.4/dev-guide/api_grpc_gateway/>).

use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::TcpStream;

use serde_json::{Value, json};

use super::base64;
use super::rows::Rows;

/// Maximum length of an answer.
const LONGEST: usize = 16 << 20;
/// The range of all keys.
const FIRST: &[u8] = b"\0";

/// A connection to etcd.
///
/// It has the commands `status`, `delete-all TEXT` and `leases TEXT` for the keys that contain the
/// text, and `revoke LEASE`.
#[derive(Debug)]
pub struct Connection(BufReader<TcpStream>);

/// A lease and the keys that end with it.
struct Lease {
    id: String,
    seconds: u64,
    keys: Vec<String>,
}

impl Connection {
    pub fn new(stream: TcpStream) -> Self {
        Connection(BufReader::new(stream))
    }

    pub fn run(&mut self, words: &[String]) -> io::Result<Rows> {
        match words {
            [command] if command == "status" => {
                self.ask("maintenance/status", &json!({}))?;
                Ok(Rows::new())
            }
            [command, text] if command == "delete-all" => {
                for lease in self.leases(text)? {
                    self.revoke(&lease.id)?;
                }
                for key in self.keys(text)? {
                    let key = base64::encode(key.as_bytes());
                    self.ask("kv/deleterange", &json!({ "key": key }))?;
                }
                Ok(Rows::new())
            }
            [command, text] if command == "leases" => {
                let leases = self.leases(text)?.into_iter();
                Ok(leases.filter_map(row).collect())
            }
            [command, id] if command == "revoke" => {
                self.revoke(id)?;
                Ok(Rows::new())
            }
            words => Err(io::Error::other(format!("no such command: {words:?}"))),
        }
    }

    fn revoke(&mut self, id: &str) -> io::Result<()> {
        match self.ask("lease/revoke", &json!({ "ID": id })) {
            // It has run out meanwhile.
            Err(error) if error.to_string().contains("not found") => Ok(()),
            other => other.map(drop),
        }
    }

    /// The leases without keys, and those with one that contains this text.
    fn leases(&mut self, text: &str) -> io::Result<Vec<Lease>> {
        let all = self.ask("lease/leases", &json!({}))?;
        let ids: Vec<String> = all["leases"]
            .as_array()
            .into_iter()
            .flatten()
            .filter_map(|lease| Some(lease["ID"].as_str()?.to_owned()))
            .collect();
        let mut leases = Vec::new();
        for id in ids {
            let lease = self.ask("lease/timetolive", &json!({ "ID": id, "keys": true }))?;
            let keys = lease["keys"].as_array().into_iter().flatten();
            let keys: Vec<String> = keys.filter_map(key).collect();
            let is_meant = text.is_empty() || keys.iter().any(|key| key.contains(text));
            // A lease that has just run out has a time of -1.
            let seconds = number(&lease["TTL"]).filter(|_| is_meant);
            leases.extend(seconds.map(|seconds| Lease { id, seconds, keys }));
        }
        Ok(leases)
    }

    fn keys(&mut self, text: &str) -> io::Result<Vec<String>> {
        let all = base64::encode(FIRST);
        let range = json!({ "key": all, "range_end": all, "keys_only": true });
        let found = self.ask("kv/range", &range)?;
        let keys = found["kvs"].as_array().into_iter().flatten();
        let keys = keys.filter_map(|pair| key(&pair["key"]));
        Ok(keys.filter(|key| key.contains(text)).collect())
    }

    fn ask(&mut self, path: &str, body: &Value) -> io::Result<Value> {
        let body = body.to_string();
        let head = format!(
            "POST /v3/{path} HTTP/1.1\r\nHost: etcd\r\nContent-Type: application/json\r\n\
             Content-Length: {}\r\n\r\n{body}",
            body.len()
        );
        self.0.get_mut().write_all(head.as_bytes())?;
        let (status, body) = response(&mut self.0)?;
        let value: Value = serde_json::from_slice(&body).map_err(|_| malformed())?;
        match status {
            200 => Ok(value),
            _ => {
                let error = value["error"].as_str().unwrap_or("it refuses");
                Err(io::Error::other(error.to_owned()))
            }
        }
    }
}

fn malformed() -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, "not an answer of etcd")
}

fn key(value: &Value) -> Option<String> {
    let bytes = base64::decode(value.as_str()?)?;
    Some(String::from_utf8_lossy(&bytes).into_owned())
}

/// A number, which the gateway writes as text if it has 64 bits.
fn number(value: &Value) -> Option<u64> {
    value.as_u64().or_else(|| value.as_str()?.parse().ok())
}

/// The row of a lease with keys. Its time is rounded to seconds, so it may end sooner.
fn row(lease: Lease) -> Option<Vec<String>> {
    let Lease { id, seconds, keys } = lease;
    let left = seconds.saturating_sub(1) * 1000;
    (!keys.is_empty()).then(|| vec![id, keys.join(","), left.to_string()])
}

/// Status and body of a response.
fn response(from: &mut impl BufRead) -> io::Result<(u16, Vec<u8>)> {
    let status = line(from)?;
    let status = status.split(' ').nth(1).and_then(|code| code.parse().ok());
    let status = status.ok_or_else(malformed)?;
    let (mut length, mut is_chunked) = (0, false);
    loop {
        let header = line(from)?.to_ascii_lowercase();
        match header.split_once(':') {
            Some(("content-length", number)) => {
                length = number.trim().parse().map_err(|_| malformed())?;
            }
            Some(("transfer-encoding", value)) => is_chunked = value.trim() == "chunked",
            _ if header.is_empty() => break,
            _ => {}
        }
    }
    let mut body = Vec::new();
    if !is_chunked {
        append(from, &mut body, length)?;
        return Ok((status, body));
    }
    loop {
        let size = usize::from_str_radix(&line(from)?, 16).map_err(|_| malformed())?;
        append(from, &mut body, size)?;
        line(from)?;
        if size == 0 {
            return Ok((status, body));
        }
    }
}

fn append(from: &mut impl Read, body: &mut Vec<u8>, length: usize) -> io::Result<()> {
    let before = body.len();
    if length > LONGEST - before {
        return Err(malformed());
    }
    body.resize(before + length, 0);
    from.read_exact(&mut body[before..])
}

fn line(from: &mut impl BufRead) -> io::Result<String> {
    let mut line = String::new();
    from.take(LONGEST as u64).read_line(&mut line)?;
    let line = line.strip_suffix("\r\n").ok_or_else(malformed)?;
    Ok(line.to_owned())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_body_has_a_length_or_chunks() {
        let whole = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}rest";
        assert_eq!(response(&mut &whole[..]).unwrap(), (200, b"{}".to_vec()));
        let chunks =
            b"HTTP/1.1 404 Not Found\r\nTransfer-Encoding: chunked\r\n\r\n1\r\n{\r\n1\r\n}\r\n0\r\n\r\n";
        assert_eq!(response(&mut &chunks[..]).unwrap(), (404, b"{}".to_vec()));
        for broken in [
            "",
            "HTTP/1.1\r\n\r\n",
            "HTTP/1.1 200\r\ncontent-length: 9\r\n\r\n{}",
        ] {
            assert!(response(&mut broken.as_bytes()).is_err(), "{broken:?}");
        }
    }

    #[test]
    fn a_lease_without_keys_is_not_one_of_the_lock() {
        let lease = |keys: &[&str]| Lease {
            id: "7".to_owned(),
            seconds: 10,
            keys: keys.iter().map(|key| (*key).to_owned()).collect(),
        };
        assert_eq!(row(lease(&["a", "b"])).unwrap(), ["7", "a,b", "9000"]);
        assert_eq!(row(lease(&[])), None);
        assert_eq!((number(&json!("-1")), number(&json!("8"))), (None, Some(8)));
    }

    proptest! {
        #[test]
        fn any_response_is_read_or_refused(bytes in proptest::collection::vec(any::<u8>(), 0..80)) {
            let _ = response(&mut &bytes[..]);
        }
    }
}
