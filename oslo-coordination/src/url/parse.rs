//! The parts of a URL.

/// The URL of a coordination service.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct ServiceUrl {
    pub(crate) scheme: String,
    pub(crate) username: Option<String>,
    pub(crate) password: Option<String>,
    /// Servers, in the order in which they are tried.
    pub(crate) endpoints: Vec<Endpoint>,
    pub(crate) path: String,
    /// Names and values, in the order of the URL.
    pub(crate) options: Vec<(String, String)>,
}

/// A server's address.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Endpoint {
    pub(crate) host: String,
    pub(crate) port: Option<u16>,
}

impl ServiceUrl {
    /// Parses `scheme://user:password@host:port,host:port/path?option=value`.
    ///
    /// # Errors
    /// Returns the problem, and the form to write.
    pub(crate) fn parse(url: &str) -> Result<Self, String> {
        let Some((scheme, rest)) = url.split_once("://") else {
            return Err("it has no scheme; write, for example, redis://host:6379".to_owned());
        };
        let (rest, query) = rest.split_once('?').unwrap_or((rest, ""));
        let (authority, path) = match rest.find('/') {
            Some(at) => rest.split_at(at),
            None => (rest, ""),
        };
        let (user, hosts) = authority.rsplit_once('@').unwrap_or(("", authority));
        let (username, password) = match user.split_once(':') {
            Some((name, password)) => (name, Some(decode(password)?)),
            None => (user, None),
        };
        let endpoints = hosts.split(',').filter(|host| !host.is_empty());
        Ok(ServiceUrl {
            scheme: scheme.to_ascii_lowercase(),
            username: Some(decode(username)?).filter(|name| !name.is_empty()),
            password,
            endpoints: endpoints.map(endpoint).collect::<Result<_, _>>()?,
            path: decode(path)?,
            options: query
                .split('&')
                .filter(|option| !option.is_empty())
                .map(|option| {
                    let (name, value) = option.split_once('=').unwrap_or((option, ""));
                    Ok((decode(name)?, decode(&value.replace('+', " "))?))
                })
                .collect::<Result<_, String>>()?,
        })
    }

    /// The URL for messages: without password and options.
    pub(crate) fn shown(&self) -> String {
        let mut shown = format!("{}://", self.scheme);
        if let Some(name) = &self.username {
            shown.push_str(name);
            shown.push('@');
        }
        let endpoints: Vec<String> = self.endpoints.iter().map(Endpoint::to_string).collect();
        shown.push_str(&endpoints.join(","));
        shown.push_str(&self.path);
        shown
    }
}

impl std::fmt::Debug for ServiceUrl {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.shown())
    }
}

impl std::fmt::Display for Endpoint {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Endpoint { host, port } = self;
        if host.contains(':') {
            write!(f, "[{host}]")?;
        } else {
            f.write_str(host)?;
        }
        port.map_or(Ok(()), |port| write!(f, ":{port}"))
    }
}

fn endpoint(text: &str) -> Result<Endpoint, String> {
    let (host, port) = match text.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
        Some((host, port)) => (host, port.strip_prefix(':')),
        None => match text.split_once(':') {
            Some((host, port)) => (host, Some(port)),
            None => (text, None),
        },
    };
    let port = match port {
        None | Some("") => None,
        Some(port) => Some(
            port.parse()
                .map_err(|_| format!("{port:?} is no port; write a number up to 65535"))?,
        ),
    };
    Ok(Endpoint {
        host: decode(host)?,
        port,
    })
}

/// Decodes `%2F` and the like.
fn decode(text: &str) -> Result<String, String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&first, others)) = rest.split_first() {
        rest = others;
        if first != b'%' {
            bytes.push(first);
            continue;
        }
        let digits = rest
            .get(..2)
            .and_then(|digits| std::str::from_utf8(digits).ok());
        let byte = digits.and_then(|digits| u8::from_str_radix(digits, 16).ok());
        let Some(byte) = byte else {
            return Err("a `%` is not followed by two hexadecimal digits; write %25 for it".into());
        };
        bytes.push(byte);
        rest = &rest[2..];
    }
    String::from_utf8(bytes).map_err(|_| "it decodes to something that is not UTF-8".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_parts() {
        let url = "rediss://me:p%40ss@a:1,[::1]:2,b/x%2Fy?lock_timeout=10&z=1+2&flag";
        let url = ServiceUrl::parse(url).unwrap();
        assert_eq!(url.scheme, "rediss");
        assert_eq!(url.username.as_deref(), Some("me"));
        assert_eq!(url.password.as_deref(), Some("p@ss"));
        let shown: Vec<String> = url.endpoints.iter().map(Endpoint::to_string).collect();
        assert_eq!(shown, ["a:1", "[::1]:2", "b"]);
        assert_eq!(url.path, "/x/y");
        let options = [("lock_timeout", "10"), ("z", "1 2"), ("flag", "")];
        let given = url.options.iter();
        assert!(
            given.eq(options
                .map(|(name, value)| (name.to_owned(), value.to_owned()))
                .iter())
        );
        assert_eq!(url.shown(), "rediss://me@a:1,[::1]:2,b/x/y");
    }

    #[test]
    fn a_directory_has_no_host() {
        let url = ServiceUrl::parse("file:///var/lib/locks").unwrap();
        assert_eq!((url.endpoints.len(), &*url.path), (0, "/var/lib/locks"));
    }

    #[test]
    fn the_password_is_never_shown() {
        let url = ServiceUrl::parse("redis://:secret@h?x=secret").unwrap();
        assert!(!format!("{url:?}").contains("secret"));
    }

    #[test]
    fn says_what_to_write() {
        let problem = |url| ServiceUrl::parse(url).unwrap_err();
        assert!(problem("localhost").contains("redis://host:6379"));
        assert!(problem("redis://h:99999").contains("up to 65535"));
        assert!(problem("redis://h/%zz").contains("%25"));
    }
}
