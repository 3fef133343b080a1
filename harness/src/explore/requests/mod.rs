//! Requests to servers: what they touch, as far as their bytes tell.
//!
//! A request whose protocol is not known touches everything on its server.

mod commands;
mod framing;
mod http;
mod mariadb;
mod postgres;
mod resp;
mod text;
mod touched;
mod zookeeper;

pub use touched::{Access, Touched};

/// A request to a server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Request {
    /// What it touches.
    pub touched: Touched,
    /// Its beginning, for display.
    pub text: String,
    /// All of its bytes, as a number: two requests with the same number are equal.
    digest: u64,
    /// The beginning of the answer, once it has arrived.
    pub answer: Option<String>,
    /// Set if the answer shows that nothing was changed.
    pub in_vain: bool,
}

impl Request {
    /// The request that these bytes make to the server with this number.
    pub fn of(server: usize, bytes: &[u8]) -> Self {
        let commands = resp::commands(bytes);
        let http = http::Http::parse(bytes);
        let touched = match (&commands, &http) {
            (Some(commands), _) => commands::touched(server, commands),
            (None, Some(http)) => http.touched(server),
            (None, None) if concerns_the_connection(bytes) => Touched::nothing(server),
            (None, None) => Touched::everything(server),
        };
        let text = match (&commands, &http) {
            (Some(commands), _) => text::of_commands(commands),
            (None, Some(http)) => http.text(),
            (None, None) => text::of_bytes(mariadb::statement(bytes).unwrap_or(bytes)),
        };
        Request {
            touched,
            text,
            digest: digest(bytes),
            answer: None,
            in_vain: false,
        }
    }

    /// A request of which nothing is known.
    pub fn unknown(server: usize) -> Self {
        Request {
            text: "something".to_owned(),
            ..Request::of(server, b"")
        }
    }

    /// The end of a session with a server.
    pub fn end_of_session(server: usize) -> Self {
        Request {
            touched: Touched::everything(server),
            text: "the session".to_owned(),
            digest: 0,
            answer: None,
            in_vain: false,
        }
    }

    /// Adds a further part of the same request.
    pub fn continued(&mut self, part: Request) {
        self.touched = Touched::everything(self.touched.server);
        self.text = text::joined(&self.text, &part.text);
        self.digest = self.digest.rotate_left(1) ^ part.digest;
        self.answer = part.answer;
        self.in_vain = part.in_vain;
    }

    /// Records the bytes of the answer.
    pub fn answered(&mut self, bytes: &[u8]) {
        self.in_vain = resp::is_refusal(bytes);
        let text = resp::answer(bytes).or_else(|| http::answer(bytes));
        self.answer = Some(text.unwrap_or_else(|| text::of_bytes(bytes)));
    }
}

/// Returns `true` for a request that begins a session, or only keeps it alive.
fn concerns_the_connection(bytes: &[u8]) -> bool {
    postgres::begins_session(bytes)
        || mariadb::begins_session(bytes)
        || zookeeper::concerns_the_session(bytes)
        || framing::is_control(bytes)
}

/// FNV-1a, 64 bits: the same in every run.
fn digest(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_of_redis_touches_its_keys_and_any_other_everything() {
        let set = Request::of(0, b"*3\r\n$3\r\nSET\r\n$1\r\na\r\n$1\r\n1\r\n");
        assert_eq!(set.text, "SET a 1");
        assert_eq!(set.touched.access, Access::Writes);
        let get = Request::of(0, b"*2\r\n$3\r\nGET\r\n$1\r\nb\r\n");
        assert!(set.touched.commutes_with(&get.touched));
        let other = Request::of(0, b"add lock 0 0 1\r\n1\r\n");
        assert_eq!(other.touched, Touched::everything(0));
        assert!(!set.touched.commutes_with(&other.touched));
        assert!(set.touched.commutes_with(&Touched::everything(1)));
    }

    #[test]
    fn an_answer_shows_whether_anything_was_changed() {
        let answered = |bytes: &[u8]| {
            let mut request = Request::of(0, b"*2\r\n$3\r\nDEL\r\n$1\r\na\r\n");
            request.answered(bytes);
            (request.answer.unwrap(), request.in_vain)
        };
        assert_eq!(answered(b":1\r\n"), ("1".to_owned(), false));
        assert_eq!(answered(b":0\r\n"), ("0".to_owned(), true));
        assert_eq!(answered(b"$-1\r\n"), ("nil".to_owned(), true));
        assert_eq!(answered(b"+OK\r\n"), ("OK".to_owned(), false));
        assert_eq!(answered(b"STORED\r\n"), ("STORED".to_owned(), false));
    }
}
