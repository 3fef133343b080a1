//! The commands of Redis: the keys of each, and what it does to them.
//!
//! The positions are those of the documentation, <https://redis.io/docs/latest/commands/>. A
//! command that is not listed touches everything.

use std::collections::BTreeSet;

use super::touched::{Access, Keys, Touched};
use Access::{Nothing, Reads, Removes, Writes};

/// The places of a command's keys.
#[derive(Clone, Copy, Debug)]
enum Places {
    /// No key.
    None,
    /// One, after the name.
    One,
    /// All words after the name.
    Rest,
    /// All words after the name but the last, which is a time limit.
    RestButLast,
    /// Every second word.
    Pairs,
    /// After the second word, as many as it says: `EVAL script 1 key`.
    Counted,
    /// Everything.
    All,
}

/// The scripts that the server knows: a pseudo-key that no client can name.
const SCRIPTS: &[u8] = b"\r\nscripts";

/// What the commands of a request touch.
pub fn touched(server: usize, commands: &[Vec<&[u8]>]) -> Touched {
    let mut touched = Touched::nothing(server);
    for words in commands {
        let (keys, access) = one(words);
        touched.add(keys, access);
    }
    touched
}

fn one(words: &[&[u8]]) -> (Keys, Access) {
    let name = words.first().map_or_else(String::new, |name| {
        String::from_utf8_lossy(name).to_ascii_uppercase()
    });
    let (places, access) = places(&name);
    let rest = words.get(1..).unwrap_or_default();
    let keys =
        |words: &[&[u8]]| -> BTreeSet<Vec<u8>> { words.iter().map(|word| word.to_vec()).collect() };
    let keys = match places {
        Places::None => BTreeSet::new(),
        Places::One => keys(&rest[..rest.len().min(1)]),
        Places::Rest => keys(rest),
        Places::RestButLast => keys(&rest[..rest.len().saturating_sub(1)]),
        Places::Pairs => rest.iter().step_by(2).map(|word| word.to_vec()).collect(),
        Places::Counted => match counted(rest) {
            // A script without keys may use any.
            None | Some([]) => return (Keys::All, access),
            Some(words) => keys(words),
        },
        Places::All => return (Keys::All, access),
    };
    let scripts = match name.as_str() {
        // It may not know the script.
        "EVALSHA" | "EVALSHA_RO" | "EVAL" | "EVAL_RO" | "SCRIPT" => Some(SCRIPTS.to_vec()),
        _ => None,
    };
    (
        Keys::These(keys.into_iter().chain(scripts).collect()),
        access,
    )
}

/// The keys of `EVAL script 2 one two argument`.
fn counted<'a, 'b>(rest: &'a [&'b [u8]]) -> Option<&'a [&'b [u8]]> {
    let count: usize = std::str::from_utf8(rest.get(1)?).ok()?.parse().ok()?;
    rest.get(2..count.checked_add(2)?)
}

fn places(name: &str) -> (Places, Access) {
    match name {
        "AUTH" | "CLIENT" | "COMMAND" | "ECHO" | "HELLO" | "INFO" | "MULTI" | "PING" | "QUIT"
        | "READONLY" | "READWRITE" | "SELECT" | "TIME" | "UNWATCH" | "DISCARD" => {
            (Places::None, Nothing)
        }
        "SCRIPT" => (Places::None, Writes),
        // The times of keys are read like their values. WATCH remembers a state.
        "BITCOUNT" | "DUMP" | "EXPIRETIME" | "GET" | "GETRANGE" | "HEXISTS" | "HGET"
        | "HGETALL" | "HKEYS" | "HLEN" | "HMGET" | "HVALS" | "LINDEX" | "LLEN" | "LPOS"
        | "LRANGE" | "PEXPIRETIME" | "PTTL" | "SCARD" | "SISMEMBER" | "SMEMBERS" | "STRLEN"
        | "TTL" | "TYPE" | "ZCARD" | "ZCOUNT" | "ZRANGE" | "ZRANGEBYSCORE" | "ZRANK" | "ZSCORE" => {
            (Places::One, Reads)
        }
        "EXISTS" | "MGET" | "WATCH" => (Places::Rest, Reads),
        "APPEND" | "DECR" | "DECRBY" | "EXPIRE" | "EXPIREAT" | "GETSET" | "HINCRBY" | "HMSET"
        | "HSET" | "HSETNX" | "INCR" | "INCRBY" | "INCRBYFLOAT" | "LPUSH" | "LPUSHX"
        | "PERSIST" | "PEXPIRE" | "PEXPIREAT" | "PSETEX" | "RPUSH" | "RPUSHX" | "SADD" | "SET"
        | "SETBIT" | "SETEX" | "SETNX" | "SETRANGE" | "XADD" | "ZADD" | "ZINCRBY" => {
            (Places::One, Writes)
        }
        "MSET" | "MSETNX" => (Places::Pairs, Writes),
        "GETDEL" | "GETEX" | "HDEL" | "LPOP" | "LREM" | "LTRIM" | "RPOP" | "SPOP" | "SREM"
        | "ZPOPMAX" | "ZPOPMIN" | "ZREM" | "ZREMRANGEBYRANK" | "ZREMRANGEBYSCORE" => {
            (Places::One, Removes)
        }
        "DEL" | "RENAME" | "RENAMENX" | "UNLINK" => (Places::Rest, Removes),
        "BLPOP" | "BRPOP" | "BZPOPMAX" | "BZPOPMIN" => (Places::RestButLast, Removes),
        "EVAL" | "EVALSHA" | "FCALL" => (Places::Counted, Removes),
        // A script in the cache is a change that others may see.
        "EVAL_RO" => (Places::Counted, Writes),
        "EVALSHA_RO" | "FCALL_RO" => (Places::Counted, Reads),
        // EXEC does what was said since MULTI.
        _ => (Places::All, Removes),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(lines: &[&str]) -> Touched {
        let commands: Vec<Vec<&[u8]>> = lines
            .iter()
            .map(|line| line.split(' ').map(str::as_bytes).collect())
            .collect();
        touched(0, &commands)
    }

    fn commute(one: &str, other: &str) -> bool {
        let (one, other) = (request(&[one]), request(&[other]));
        assert_eq!(one.commutes_with(&other), other.commutes_with(&one));
        one.commutes_with(&other)
    }

    #[test]
    fn commands_on_different_keys_commute_and_so_do_two_looks() {
        assert!(commute("SET a 1 NX PX 1000", "set b 1"));
        assert!(commute("GET a", "get a") && !commute("GET a", "DEL a"));
        assert!(!commute("DEL a b", "GET b") && commute("MSET a b c d", "GET b"));
        assert!(!commute("WATCH a", "SET a 1") && !commute("EXEC", "GET a"));
        assert!(!commute("EVAL_RO s 1 a", "GET a b") && commute("PING", "FLUSHALL"));
        assert!(!commute("EVALSHA s 1 a", "SET a 1") && commute("EVALSHA s 1 a v", "SET v 1"));
        assert!(!commute("EVALSHA s 0", "GET a") && !commute("EVALSHA s x", "GET a"));
        assert!(!commute("EVALSHA s 1 a", "SCRIPT LOAD s"));
        assert!(!commute("BLPOP a b 0", "RPUSH b 1") && commute("BLPOP a 5", "SET 5 1"));
        assert!(!commute("FUTURE a", "GET b") && !commute("FLUSHALL", "GET b"));
    }

    #[test]
    fn a_pipeline_touches_what_its_commands_touch() {
        let pipeline = request(&["MULTI", "SET a 1"]);
        assert_eq!(pipeline.access, Writes);
        assert!(pipeline.commutes_with(&request(&["GET b"])));
        assert!(!pipeline.commutes_with(&request(&["GET a"])));
        assert!(!request(&["MULTI", "SET a 1", "EXEC"]).commutes_with(&request(&["GET b"])));
        assert_eq!(request(&["HELLO 3", "CLIENT SETNAME x"]).access, Nothing);
    }
}
