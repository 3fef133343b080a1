//! The protocol of ZooKeeper: records in the form of jute
//! (`zookeeper-jute/src/main/resources/zookeeper.jute` in its sources).

use std::collections::BTreeMap;
use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream};

use super::rows::Rows;
use super::stream::stream;

/// Maximum length of an answer.
const LONGEST: usize = 16 << 20;
/// The timeout of our own session, in milliseconds; the server shortens it to its longest.
const SESSION: i32 = 600_000;
/// The length of a session's password.
const PASSWORD: usize = 16;
/// ZooKeeper's own nodes.
const OWN: &str = "/zookeeper";

const DELETE: i32 = 2;
const EXISTS: i32 = 3;
const CHILDREN: i32 = 8;
const CLOSE: i32 = -11;
const NO_NODE: i32 = -101;

/// A session.
///
/// It has the commands `exists PATH`, `delete-all TEXT` and `leases TEXT` for nodes whose paths
/// contain the text, and `close SESSION`.
#[derive(Debug)]
pub struct Connection {
    stream: TcpStream,
    address: SocketAddr,
    /// The number of the last request.
    last: i32,
}

/// A node: its path, and its session and time of creation if it is ephemeral.
struct Node {
    path: String,
    owner: Option<(i64, i64)>,
}

impl Connection {
    pub fn new(stream: TcpStream) -> io::Result<Self> {
        let address = stream.peer_addr()?;
        Self::join(stream, address, 0)
    }

    /// Connects to a session, or to a new one if the number is zero.
    fn join(mut stream: TcpStream, address: SocketAddr, session: i64) -> io::Result<Self> {
        let password = match session {
            0 => [0; PASSWORD],
            session => password_of(session),
        };
        let mut request = Vec::new();
        request.extend(0_i32.to_be_bytes());
        request.extend(0_i64.to_be_bytes());
        request.extend(SESSION.to_be_bytes());
        request.extend(session.to_be_bytes());
        request.extend((PASSWORD as i32).to_be_bytes());
        request.extend(password);
        request.push(0);
        stream.write_all(&framed(&request))?;
        let answer = frame(&mut stream)?;
        let timeout = Record(&answer).skip(4).and_then(|mut rest| rest.int());
        match timeout {
            Some(1..) => Ok(Connection {
                stream,
                address,
                last: 0,
            }),
            Some(_) => Err(io::Error::other("the session is over")),
            None => Err(malformed()),
        }
    }

    pub fn run(&mut self, words: &[String]) -> io::Result<Rows> {
        match words {
            [command, path] if command == "exists" => {
                self.node(path.clone())?;
                Ok(Rows::new())
            }
            [command, text] if command == "delete-all" => {
                let mut nodes = self.nodes(text)?;
                let owners = nodes.iter().filter_map(|node| node.owner);
                let sessions: Vec<i64> = owners.map(|(session, _)| session).collect();
                for session in sessions {
                    self.close(session)?;
                }
                // Children before their parents.
                nodes.sort_by(|one, other| other.path.cmp(&one.path));
                for node in nodes {
                    let mut request = text_of(&node.path);
                    request.extend((-1_i32).to_be_bytes());
                    self.ask(DELETE, &request)?;
                }
                Ok(Rows::new())
            }
            [command, text] if command == "leases" => Ok(rows(&self.nodes(text)?)),
            [command, session] if command == "close" => {
                let session = session.parse().map_err(|_| malformed())?;
                self.close(session)?;
                Ok(Rows::new())
            }
            words => Err(io::Error::other(format!("no such command: {words:?}"))),
        }
    }

    /// Closes a session in its own name: the server derives its password from its number
    /// (`ZooKeeperServer.generatePasswd`).
    fn close(&mut self, session: i64) -> io::Result<()> {
        let stream = stream(&self.address.to_string())?;
        match Self::join(stream, self.address, session) {
            Ok(mut owner) => owner.ask(CLOSE, &[]).map(drop),
            Err(error) if error.kind() == io::ErrorKind::Other => Ok(()),
            Err(error) => Err(error),
        }
    }

    /// All nodes below the root whose paths contain this text.
    fn nodes(&mut self, text: &str) -> io::Result<Vec<Node>> {
        let mut parents = vec!["/".to_owned()];
        let mut nodes = Vec::new();
        while let Some(parent) = parents.pop() {
            let mut request = text_of(&parent);
            request.push(0);
            let Some(answer) = self.ask(CHILDREN, &request)? else {
                continue;
            };
            for name in Record(&answer).texts().ok_or_else(malformed)? {
                let path = format!("{}/{name}", parent.trim_end_matches('/'));
                if path == OWN {
                    continue;
                }
                parents.push(path.clone());
                if path.contains(text) {
                    nodes.extend(self.node(path)?);
                }
            }
        }
        Ok(nodes)
    }

    fn node(&mut self, path: String) -> io::Result<Option<Node>> {
        let mut request = text_of(&path);
        request.push(0);
        let Some(answer) = self.ask(EXISTS, &request)? else {
            return Ok(None);
        };
        let created = Record(&answer).long().ok_or_else(malformed)?;
        // czxid, mzxid, ctime, mtime and three versions precede it.
        let owner = Record(&answer).skip(4 * 8 + 3 * 4);
        let owner = owner.and_then(|mut rest| rest.long());
        let owner = owner.ok_or_else(malformed)?;
        Ok(Some(Node {
            path,
            owner: (owner != 0).then_some((owner, created)),
        }))
    }

    /// The answer to a request; `None` if there is no such node.
    fn ask(&mut self, operation: i32, body: &[u8]) -> io::Result<Option<Vec<u8>>> {
        self.last = self.last.wrapping_add(1);
        let mut request = self.last.to_be_bytes().to_vec();
        request.extend(operation.to_be_bytes());
        request.extend(body);
        self.stream.write_all(&framed(&request))?;
        loop {
            let answer = frame(&mut self.stream)?;
            let mut record = Record(&answer);
            let (number, _, error) = (record.int(), record.long(), record.int());
            match (number, error) {
                (Some(number), _) if number != self.last => {}
                (_, Some(0)) => return Ok(Some(record.0.to_vec())),
                (_, Some(NO_NODE)) => return Ok(None),
                (_, Some(error)) => return Err(io::Error::other(format!("error {error}"))),
                (_, None) => return Err(malformed()),
            }
        }
    }
}

fn malformed() -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, "not an answer of ZooKeeper")
}

/// A row for each session with ephemeral nodes.
fn rows(nodes: &[Node]) -> Rows {
    let mut sessions: BTreeMap<i64, Vec<String>> = BTreeMap::new();
    for node in nodes {
        if let Some((session, created)) = node.owner {
            let of_session = sessions.entry(session).or_default();
            of_session.push(format!("{}@{created}", node.path));
        }
    }
    let row = |(session, mut nodes): (i64, Vec<String>)| {
        nodes.sort();
        vec![session.to_string(), nodes.join(",")]
    };
    sessions.into_iter().map(row).collect()
}

/// The password of a session: what `java.util.Random` yields.
fn password_of(session: i64) -> [u8; PASSWORD] {
    const SECRET: i64 = 0xb341_5c00;
    const FACTOR: u64 = 0x5_deec_e66d;
    const BITS: u64 = (1 << 48) - 1;
    let mut seed = ((session ^ SECRET) as u64 ^ FACTOR) & BITS;
    let mut password = [0; PASSWORD];
    for part in password.chunks_mut(4) {
        seed = seed.wrapping_mul(FACTOR).wrapping_add(0xb) & BITS;
        part.copy_from_slice(&((seed >> 16) as u32).to_le_bytes());
    }
    password
}

fn framed(body: &[u8]) -> Vec<u8> {
    let mut bytes = (body.len() as u32).to_be_bytes().to_vec();
    bytes.extend(body);
    bytes
}

fn frame(from: &mut impl Read) -> io::Result<Vec<u8>> {
    let mut length = [0; 4];
    from.read_exact(&mut length)?;
    let length = u32::from_be_bytes(length) as usize;
    if length > LONGEST {
        return Err(malformed());
    }
    let mut body = vec![0; length];
    from.read_exact(&mut body)?;
    Ok(body)
}

fn text_of(text: &str) -> Vec<u8> {
    framed(text.as_bytes())
}

/// The part of a record that was not read yet.
struct Record<'a>(&'a [u8]);

impl<'a> Record<'a> {
    fn skip(self, bytes: usize) -> Option<Self> {
        self.0.get(bytes..).map(Record)
    }

    fn int(&mut self) -> Option<i32> {
        let (bytes, rest) = self.0.split_first_chunk()?;
        self.0 = rest;
        Some(i32::from_be_bytes(*bytes))
    }

    fn long(&mut self) -> Option<i64> {
        let (bytes, rest) = self.0.split_first_chunk()?;
        self.0 = rest;
        Some(i64::from_be_bytes(*bytes))
    }

    fn text(&mut self) -> Option<String> {
        let length = usize::try_from(self.int()?).ok()?;
        let (bytes, rest) = self.0.split_at_checked(length)?;
        self.0 = rest;
        Some(String::from_utf8_lossy(bytes).into_owned())
    }

    fn texts(&mut self) -> Option<Vec<String>> {
        let count = self.int()?.max(0);
        (0..count).map(|_| self.text()).collect()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// As the program `new Random(1 ^ 0xB3415C00L).nextBytes(new byte[16])` prints it.
    #[test]
    fn a_password_is_that_of_the_server() {
        let printed = 0x054c_c74a_3732_7db2_15e7_02e2_0c73_f005_u128;
        assert_eq!(password_of(1), printed.to_be_bytes());
    }

    #[test]
    fn a_lease_is_a_session_with_its_nodes() {
        let node = |path: &str, owner| Node {
            path: path.to_owned(),
            owner,
        };
        let nodes = [
            node("/b", Some((7, 2))),
            node("/a", Some((7, 1))),
            node("/c", None),
        ];
        assert_eq!(rows(&nodes), [["7", "/a@1,/b@2"]]);
        let names = b"\0\0\0\x02\0\0\0\x01a\0\0\0\x02bc";
        assert_eq!(Record(names).texts().unwrap(), ["a", "bc"]);
        assert_eq!(Record(&names[..7]).texts(), None);
    }

    proptest! {
        #[test]
        fn any_record_is_read_or_refused(bytes in proptest::collection::vec(any::<u8>(), 0..40)) {
            let _ = (Record(&bytes).texts(), frame(&mut &bytes[..]));
        }
    }
}
