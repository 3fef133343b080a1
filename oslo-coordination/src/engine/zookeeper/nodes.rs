//! Paths and names of the nodes of a lock, as tooz and kazoo make them.

use crate::lock_name::LockName;

/// The part of a contender's name before its number.
const MARK: &str = "__lock__";
/// The digits of a number.
const DIGITS: usize = 10;

/// The problem with a name that has no path.
pub(super) fn check(name: &LockName) -> Result<&str, &'static str> {
    let Ok(name) = std::str::from_utf8(name.bytes()) else {
        return Err("a path must be UTF-8");
    };
    if name.starts_with('/') {
        return Err("it leaves the namespace; write a name without `/` at its beginning");
    }
    if name.split('/').any(|part| matches!(part, "" | "." | "..")) {
        return Err("a part of a path is neither empty nor `.` or `..`");
    }
    // As ZooKeeper's PathUtils has it.
    let is_refused = |c: char| {
        matches!(c, '\0'..='\u{1f}' | '\u{7f}'..='\u{9f}' | '\u{f000}'..='\u{f8ff}'
            | '\u{fff0}'..='\u{ffff}')
    };
    if name.contains(is_refused) {
        return Err("a path has no control characters and no private ones");
    }
    Ok(name)
}

/// The node whose children contend for the lock. Like tooz, we leave it behind.
pub(super) fn parent(namespace: &str, name: &LockName) -> String {
    let name = check(name).expect("the name was checked");
    format!("/{namespace}/locks/{name}")
}

/// The name of a claim's node, before its number.
pub(super) fn prefix(id: &str) -> String {
    format!("{id}{MARK}")
}

/// The number of a contender; `None` for other nodes.
fn number(node: &str) -> Option<i32> {
    let (rest, digits) = node.split_at_checked(node.len().checked_sub(DIGITS)?)?;
    let number: i32 = digits.parse().ok()?;
    // After 2³¹ nodes.
    if let Some(rest) = rest.strip_suffix('-') {
        return rest.ends_with(MARK).then_some(-number);
    }
    rest.ends_with(MARK).then_some(number)
}

/// The contender next before `own`. `None` if there is none; an error if `own` is not there.
pub(super) fn predecessor<'a>(own: &str, all: &'a [String]) -> Result<Option<&'a str>, Missing> {
    if !all.iter().any(|node| node == own) {
        return Err(Missing);
    }
    let own = number(own).ok_or(Missing)?;
    let contenders = all
        .iter()
        .filter_map(|node| Some((number(node)?, node.as_str())));
    let before = contenders.filter(|(number, _)| *number < own);
    Ok(before.max().map(|(_, node)| node))
}

/// A node is not among its parent's children.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Missing;

#[cfg(test)]
mod tests {
    use super::*;

    fn name(name: &[u8]) -> LockName {
        LockName::new(None, name)
    }

    #[test]
    fn the_paths_of_tooz() {
        assert_eq!(parent("tooz", &name(b"volume-7")), "/tooz/locks/volume-7");
        assert_eq!(prefix("me-1"), "me-1__lock__");
        for bad in ["/x", "a//b", "a/", "../x", "a/./b", "\0", "a\u{7f}"] {
            assert!(check(&name(bad.as_bytes())).is_err(), "{bad:?}");
        }
        assert!(check(&name(b"\xff")).unwrap_err().contains("UTF-8"));
        assert!(check(&name("a b/ü".as_bytes())).is_ok());
    }

    #[test]
    fn contenders_wait_for_the_one_before_them() {
        let nodes = [
            "b__lock__0000000009",
            "readme",
            "a__lock__0000000010",
            "c__lock__0000000007",
            "x-lock-0000000001",
        ];
        let nodes = nodes.map(str::to_owned);
        let before = |own| predecessor(own, &nodes);
        assert_eq!(
            before("a__lock__0000000010"),
            Ok(Some("b__lock__0000000009"))
        );
        assert_eq!(before("c__lock__0000000007"), Ok(None));
        assert_eq!(before("d__lock__0000000007"), Err(Missing));
        assert_eq!(number("a__lock__-2147483648"), None);
        assert_eq!(number("a__lock__-2147483647"), Some(-2_147_483_647));
    }
}
