//! HTTP/1.1 requests with their bodies, and what those of etcd's JSON gateway touch.

use super::text;
use super::touched::{Access, Keys, Touched};

/// A request.
pub struct Http<'a> {
    /// Method and path.
    line: &'a str,
    body: &'a [u8],
}

impl<'a> Http<'a> {
    /// The request, if these bytes are one.
    pub fn parse(bytes: &'a [u8]) -> Option<Self> {
        let (head, body) = split(bytes)?;
        let first = head.lines().next()?;
        let line = first.strip_suffix(" HTTP/1.1")?;
        Some(Http { line, body })
    }

    /// Method, path and body as text.
    pub fn text(&self) -> String {
        let body = text::of_bytes(self.body);
        format!("{} {body}", text::of_bytes(self.line.as_bytes()))
            .trim_end()
            .to_owned()
    }

    /// The keys that the request touches. The gateway uses POST for reads too.
    pub fn touched(&self, server: usize) -> Touched {
        let mut touched = Touched::everything(server);
        if self.line == "POST /v3/kv/range" {
            touched.access = Access::Reads;
            touched.keys = Keys::All;
        }
        touched
    }
}

/// The text of a response: its status and its body.
pub fn answer(bytes: &[u8]) -> Option<String> {
    let (head, body) = split(bytes)?;
    let status = head.lines().next()?.strip_prefix("HTTP/1.1 ")?;
    let body = text::of_bytes(without_header(body));
    Some(format!("{status} {body}").trim_end().to_owned())
}

/// A body without the header of etcd's gateway, which names the cluster.
fn without_header(body: &[u8]) -> &[u8] {
    const HEADER: &[u8] = b"{\"header\":{";
    let end = body.iter().position(|byte| *byte == b'}');
    match end.filter(|_| body.starts_with(HEADER)) {
        Some(end) => body.get(end + 2..).unwrap_or_default(),
        None => body,
    }
}

fn split(bytes: &[u8]) -> Option<(&str, &[u8])> {
    let end = bytes.windows(4).position(|four| four == b"\r\n\r\n")?;
    let head = std::str::from_utf8(&bytes[..end]).ok()?;
    Some((head, &bytes[end + 4..]))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_request_is_told_without_its_headers() {
        let bytes = b"POST /v3/kv/range HTTP/1.1\r\nHost: a\r\n\r\n{\"key\": \"YQ==\"}";
        let range = Http::parse(bytes).unwrap();
        assert_eq!(range.text(), "POST /v3/kv/range {\"key\": \"YQ==\"}");
        let put = Http::parse(b"POST /v3/kv/put HTTP/1.1\r\n\r\n").unwrap();
        assert_eq!(put.text(), "POST /v3/kv/put");
        let (range, put) = (range.touched(0), put.touched(0));
        assert!(range.commutes_with(&range) && !range.commutes_with(&put));
        assert!(Http::parse(b"GET / HTTP/2\r\n\r\n").is_none());
        let ok = b"HTTP/1.1 200 OK\r\nDate: now\r\n\r\n{}";
        assert_eq!(answer(ok).unwrap(), "200 OK {}");
        let etcd = b"HTTP/1.1 200 OK\r\n\r\n{\"header\":{\"revision\":\"1\"},\"count\":\"1\"}";
        assert_eq!(answer(etcd).unwrap(), "200 OK \"count\":\"1\"}");
    }

    proptest! {
        #[test]
        fn any_bytes_are_read(bytes in proptest::collection::vec(any::<u8>(), 0..60)) {
            let _ = (Http::parse(&bytes).map(|http| http.text()), answer(&bytes));
        }
    }
}
