//! Masks secrets in text: command lines, `key=value`, JSON, Python's `repr`, XML, headers, URLs.
//!
//! It masks everything that oslo.utils' `mask_password` masks, and some secrets that it misses
//! (tests compare the two). The time is linear in the length of the text, which need not be UTF-8.

mod command;
mod keys;
mod value;

use std::borrow::Cow;
use std::ops::Range;

pub use self::command::shell_join;
pub(super) use self::command::{mask_command, mask_shell};
use self::keys::{ends_of_keys, name_before, skip};
use self::value::{FAR, Quote, bare, end_of_line, json, quoted};

/// The replacement for a secret.
pub(super) const MASK: &str = "***";

/// Replaces passwords, tokens and keys in `message` by `***`.
///
/// A value is a secret if its name ends in `password`, `token`, `secret`, `admin_pass`,
/// `private_key` or the like, in upper or lower case, with an optional number: `password=x`,
/// `'password': 'x'`, `--password x`, `<password>x</password>`, `X-Auth-Token: x`. So is the
/// password in `-u user:x` and `scheme://user:x@host`. This is a heuristic: a secret with another
/// name is not masked.
///
/// ```
/// use oslo_concurrency::processutils::mask_password;
///
/// assert_eq!(mask_password("mysqld --password aaa -v"), "mysqld --password *** -v");
/// assert_eq!(mask_password(r#"{"adminPass": "a", "id": 7}"#), r#"{"adminPass": "***", "id": 7}"#);
/// ```
pub fn mask_password(message: &str) -> Cow<'_, str> {
    match mask_password_bytes(message.as_bytes()) {
        Cow::Borrowed(_) => Cow::Borrowed(message),
        Cow::Owned(masked) => Cow::Owned(into_text(masked)),
    }
}

/// [`mask_password`] for output that need not be UTF-8. All other bytes stay as they are.
pub fn mask_password_bytes(message: &[u8]) -> Cow<'_, [u8]> {
    let secrets = secrets(message);
    if secrets.is_empty() {
        return Cow::Borrowed(message);
    }
    let mut masked = Vec::with_capacity(message.len());
    let mut done = 0;
    for secret in secrets {
        masked.extend_from_slice(&message[done..secret.start]);
        masked.extend_from_slice(MASK.as_bytes());
        done = secret.end;
    }
    masked.extend_from_slice(&message[done..]);
    Cow::Owned(masked)
}

/// Converts bytes to text, with invalid UTF-8 replaced.
pub(super) fn into_text(bytes: Vec<u8>) -> String {
    String::from_utf8(bytes)
        .unwrap_or_else(|error| String::from_utf8_lossy(error.as_bytes()).into_owned())
}

/// The ranges of the secrets: in order, not overlapping.
fn secrets(text: &[u8]) -> Vec<Range<usize>> {
    let mut found: Vec<Range<usize>> = Vec::new();
    let mut at = 0;
    while at < text.len() {
        let before = found.len();
        match text[at] {
            b':' if text[at..].starts_with(b"://") => found.extend(in_url(text, at + 3)),
            b'-' => found.extend(after_user_option(text, at)),
            b'a' | b'A' if is_word(text, at, b"authorization") => {
                found.extend(after_authorization(text, at + b"authorization".len()));
            }
            _ => {}
        }
        for end in ends_of_keys(text, at) {
            if found.len() == before {
                after_key(text, at, end, &mut found);
            }
        }
        at += 1;
        // Inside a secret there is nothing to find, except another name at its end.
        if let Some(secret) = found
            .iter()
            .rev()
            .take(2)
            .find(|secret| secret.contains(&at))
        {
            at = go_on(text, secret).max(at);
        }
    }
    joined(found)
}

/// Sorts the ranges and joins those that overlap.
fn joined(mut found: Vec<Range<usize>>) -> Vec<Range<usize>> {
    found.sort_by_key(|secret| secret.start);
    found.dedup_by(|later, secret| {
        let overlap = later.start < secret.end;
        if overlap {
            secret.end = secret.end.max(later.end);
        }
        overlap || later == secret
    });
    found
}

/// The position at which the search continues: after this secret, or at a name at its end. In
/// `--password --token x` the supposed value is the next name.
fn go_on(text: &[u8], secret: &Range<usize>) -> usize {
    const LONGEST: usize = 64;
    let value = &text[secret.clone()];
    let between = |byte: &&u8| byte.is_ascii_whitespace() || b"\"'\\:=>,".contains(byte);
    let name = &value[..value.len() - value.iter().rev().take_while(between).count()];
    let is_name = |start: &usize| {
        let rest = &name[*start..];
        ends_of_keys(name, *start).any(|end| end == name.len())
            || rest.eq_ignore_ascii_case(b"authorization")
            || USER_OPTIONS.contains(&rest)
    };
    (name.len().saturating_sub(LONGEST)..name.len())
        .find(is_name)
        .map_or(secret.end, |start| secret.start + start)
}

fn is_word(text: &[u8], at: usize, word: &[u8]) -> bool {
    text.get(at..at + word.len())
        .is_some_and(|found| found.eq_ignore_ascii_case(word))
}

fn skip_spaces(text: &[u8], at: usize) -> usize {
    skip(text, at, |byte| byte.is_ascii_whitespace())
}

/// The value of the key that begins at `start` and ends at `end`.
fn after_key(text: &[u8], start: usize, end: usize, found: &mut Vec<Range<usize>>) {
    if text.get(end) == Some(&b'>') {
        return found.extend(in_element(text, start, end + 1));
    }
    if let Some((_, after)) = Quote::at(text, end) {
        return after_quoted_key(text, start, after, found);
    }
    let next = skip_spaces(text, end);
    match text.get(next) {
        Some(b'=') => {
            let arrow = usize::from(text.get(next + 1) == Some(&b'>'));
            let value = skip_spaces(text, next + 1 + arrow);
            found.extend(quoted(text, value).or_else(|| bare(text, value)));
        }
        Some(b':') => {
            let value = skip_spaces(text, next + 1);
            let nested = matches!(text.get(value), Some(b'{' | b'['));
            if !nested {
                found.extend(quoted(text, value).or_else(|| bare(text, value)));
            }
        }
        Some(_) if next > end => after_space(text, start, next, found),
        _ => {}
    }
}

/// `--password x`, `password "x"`, `node.session.auth.password -v x`.
fn after_space(text: &[u8], start: usize, next: usize, found: &mut Vec<Range<usize>>) {
    if let Some(value) = quoted(text, next) {
        found.push(value);
    } else if is_option(text, start) {
        found.extend(bare(text, next));
    } else if let Some(after) = option(text, next) {
        found.extend(bare(text, skip_spaces(text, after)));
    }
}

/// Returns `true` if the name that continues at `start` is an option, such as `--db-password`.
fn is_option(text: &[u8], start: usize) -> bool {
    text[name_before(text, start)].starts_with(b"-") || (start > 0 && text[start - 1] == b'-')
}

/// The end of the option, such as `-v` or `--value`, that begins at `at`.
fn option(text: &[u8], at: usize) -> Option<usize> {
    let name = skip(text, at, |byte| byte == b'-');
    let end = skip(text, name, |byte| {
        byte.is_ascii_alphabetic() || b"-_".contains(&byte)
    });
    (matches!(name - at, 1 | 2) && end > name).then_some(end)
}

/// `"password": "x"`, `"password": 7`, and lists of arguments: `"--password", "x"` and
/// `"name.password", "-v", "x"`.
fn after_quoted_key(text: &[u8], start: usize, after: usize, found: &mut Vec<Range<usize>>) {
    let next = skip_spaces(text, after);
    match text.get(next) {
        Some(b':' | b'=') => {
            let arrow = usize::from(text.get(next + 1) == Some(&b'>'));
            let value = skip_spaces(text, next + 1 + arrow);
            found.extend(quoted(text, value).or_else(|| json(text, value)));
        }
        Some(b',') => {
            let Some(first) = quoted(text, skip_spaces(text, next + 1)) else {
                return;
            };
            let second = option(text, first.start)
                .filter(|end| *end == first.end)
                .and_then(|end| Quote::at(text, end))
                .map(|(_, after)| skip_spaces(text, after))
                .filter(|comma| text.get(*comma) == Some(&b','))
                .and_then(|comma| quoted(text, skip_spaces(text, comma + 1)));
            if is_option(text, start) {
                found.push(first);
            }
            found.extend(second);
        }
        _ => {}
    }
}

/// The content of an XML element whose name continues at `start`.
fn in_element(text: &[u8], start: usize, content: usize) -> Option<Range<usize>> {
    let name = name_before(text, start);
    if name.start == 0 || text[name.start - 1] != b'<' {
        return None;
    }
    let rest = &text[content..text.len().min(content + FAR)];
    let length = match rest.starts_with(b"<![CDATA[") {
        true => rest.windows(3).position(|end| end == b"]]>")? + 3,
        false => rest.iter().position(|byte| *byte == b'<')?,
    };
    rest[length..]
        .starts_with(b"</")
        .then_some(content..content + length)
}

/// The password of `scheme://user:password@host`, whose `user` begins at `at`.
fn in_url(text: &[u8], at: usize) -> Option<Range<usize>> {
    let part = |at, ends: &'static [u8]| {
        skip(text, at, move |byte| {
            !byte.is_ascii_whitespace() && !ends.contains(&byte)
        })
    };
    let user = part(at, b"/:@\"'");
    (text.get(user) == Some(&b':')).then_some(())?;
    let password = part(user + 1, b"/@\"'");
    let closed = text.get(password) == Some(&b'@') && password > user + 1;
    closed.then_some(user + 1..password)
}

/// The options that take `user:password`, such as curl's.
const USER_OPTIONS: [&[u8]; 4] = [b"-u", b"-U", b"--user", b"--proxy-user"];

/// The password of `-u user:password`, if such an option begins at `at`.
fn after_user_option(text: &[u8], at: usize) -> Option<Range<usize>> {
    let begins = at == 0 || text[at - 1].is_ascii_whitespace() || b"\"'".contains(&text[at - 1]);
    let name = skip(text, at, |byte| {
        !byte.is_ascii_whitespace() && !b"=\"'".contains(&byte)
    });
    if !begins || !USER_OPTIONS.contains(&&text[at..name]) {
        return None;
    }
    let value = skip(text, name, |byte| {
        byte.is_ascii_whitespace() || b"=,\"'".contains(&byte)
    });
    let pair = match value
        .checked_sub(1)
        .and_then(|quote| Quote::at(text, quote))
    {
        Some((_, inside)) if inside == value => quoted(text, value - 1),
        _ => bare(text, value),
    }?;
    password_of_pair(&text[pair.clone()]).map(|start| pair.start + start..pair.end)
}

/// The start of the password in `user:password`. A pair of numbers is a user and a group.
fn password_of_pair(pair: &[u8]) -> Option<usize> {
    let colon = pair.iter().position(|byte| *byte == b':')?;
    let numbers = pair
        .iter()
        .all(|byte| byte.is_ascii_digit() || *byte == b':');
    (colon > 0 && colon + 1 < pair.len() && !numbers).then_some(colon + 1)
}

/// Maximum length of a URL scheme.
const LONGEST_SCHEME: usize = 64;

/// The credentials in `Authorization: Bearer x`, without the scheme.
fn after_authorization(text: &[u8], at: usize) -> Option<Range<usize>> {
    let at = skip(text, at, |byte| b"\"' \t".contains(&byte));
    (text.get(at) == Some(&b':')).then_some(())?;
    let at = skip(text, at + 1, |byte| b"\"' \t".contains(&byte));
    let first = bare(text, at)?;
    let second = skip(text, first.end, |byte| byte == b' ');
    let credentials = skip(text, second, |byte| !b"\"'\r\n".contains(&byte));
    let is_scheme = first.len() <= LONGEST_SCHEME && second > first.end;
    match is_scheme && credentials > second && second < end_of_line(text, at) {
        true => Some(second..credentials),
        false => Some(first),
    }
}

/// Properties of masking for any text, for random tests and for the programs in `fuzz/`.
#[cfg(all(any(test, fuzzing), target_os = "linux"))]
pub mod properties {
    use super::*;

    /// Only secrets are replaced; all other bytes stay as they are.
    pub fn mask(message: &[u8]) {
        let secrets = secrets(message);
        let mut end = 0;
        for secret in &secrets {
            assert!(
                secret.start >= end && secret.end >= secret.start,
                "{secrets:?}"
            );
            end = secret.end;
        }
        assert!(end <= message.len(), "{secrets:?}");
        let masked = mask_password_bytes(message);
        let hidden: usize = secrets.iter().map(ExactSizeIterator::len).sum();
        assert_eq!(
            masked.len(),
            message.len() - hidden + MASK.len() * secrets.len()
        );
        if let Ok(text) = std::str::from_utf8(message) {
            let as_text = mask_password(text);
            assert_eq!(
                as_text.as_bytes(),
                &*String::from_utf8_lossy(&masked).into_owned().into_bytes()
            );
        }
    }

    /// A secret is masked in each known form, on a line of its own, whatever the other lines are.
    pub fn mask_named(form: u8, before: &[u8], after: &[u8]) {
        const SECRET: &str = "Tr0ub4dor&3";
        let line = match form % 8 {
            0 => format!("run --password={SECRET} more"),
            1 => format!("run admin_pass = \"{SECRET}\" more"),
            2 => format!("{{'auth_token': '{SECRET}', 'id': 7}}"),
            3 => format!("<private_key>{SECRET}</private_key>"),
            4 => format!("run --db-password {SECRET} more"),
            5 => format!("X-Auth-Token: {SECRET}"),
            6 => format!("fetch https://user:{SECRET}@host/x"),
            _ => format!("curl --user me:{SECRET} x"),
        };
        let message = [before, b"\n", line.as_bytes(), b"\n", after].concat();
        let masked = mask_password_bytes(&message);
        let masked = String::from_utf8_lossy(&masked);
        let shown = masked.matches(SECRET).count();
        let around =
            [before, after].map(|part| String::from_utf8_lossy(part).matches(SECRET).count());
        assert!(shown <= around[0] + around[1], "{masked:?}");
    }
}

#[cfg(test)]
mod tests;
