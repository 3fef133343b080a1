//! The bytes of Redis: requests are arrays of strings (RESP 2 and 3).

use super::text;

/// Maximum number of words of a command.
const MOST_WORDS: usize = 10_000;

/// The commands of a request, each with its words; `None` if it is not a number of whole commands of
/// Redis.
pub fn commands(bytes: &[u8]) -> Option<Vec<Vec<&[u8]>>> {
    let mut rest = bytes;
    let mut commands = Vec::new();
    while !rest.is_empty() {
        let count = number(&mut rest, b'*')?;
        if count == 0 || count > MOST_WORDS {
            return None;
        }
        let words = (0..count).map(|_| bulk(&mut rest));
        commands.push(words.collect::<Option<Vec<_>>>()?);
    }
    (!commands.is_empty()).then_some(commands)
}

/// The text of an answer, or of the first of several.
pub fn answer(bytes: &[u8]) -> Option<String> {
    let end = line_end(bytes)?;
    let (kind, line) = bytes[..end].split_first()?;
    let shown = |bytes: &[u8]| text::of_bytes(bytes);
    Some(match kind {
        b'+' | b':' | b'-' | b',' | b'#' => shown(line),
        b'$' | b'*' if line == b"-1" => "nil".to_owned(),
        b'_' => "nil".to_owned(),
        b'$' => {
            let mut rest = bytes;
            format!("\"{}\"", shown(bulk(&mut rest)?))
        }
        b'*' | b'%' | b'~' | b'>' => format!("{} values", shown(line)),
        _ => return None,
    })
}

/// Returns `true` if the answer, or the first of several, says that nothing was changed.
pub fn is_refusal(bytes: &[u8]) -> bool {
    let refusals: [&[u8]; 6] = [b"$-1\r\n", b"*-1\r\n", b"_\r\n", b":0\r\n", b"-", b"#f\r\n"];
    refusals.iter().any(|refusal| bytes.starts_with(refusal))
}

fn line_end(bytes: &[u8]) -> Option<usize> {
    bytes.windows(2).position(|pair| pair == b"\r\n")
}

fn number(rest: &mut &[u8], kind: u8) -> Option<usize> {
    let end = line_end(rest)?;
    let digits = rest[..end].strip_prefix(&[kind])?;
    // `parse` would accept a sign.
    let is_number = !digits.is_empty() && digits.iter().all(u8::is_ascii_digit);
    let number = std::str::from_utf8(digits)
        .ok()
        .filter(|_| is_number)?
        .parse()
        .ok()?;
    *rest = &rest[end + 2..];
    Some(number)
}

fn bulk<'a>(rest: &mut &'a [u8]) -> Option<&'a [u8]> {
    let length = number(rest, b'$')?;
    let (word, after) = rest.split_at_checked(length)?;
    *rest = after.strip_prefix(b"\r\n")?;
    Some(word)
}

#[cfg(test)]
mod tests {
    use proptest::collection::vec;
    use proptest::prelude::*;

    use super::*;

    fn written(commands: &[Vec<Vec<u8>>]) -> Vec<u8> {
        let mut bytes = Vec::new();
        for words in commands {
            bytes.extend(format!("*{}\r\n", words.len()).bytes());
            for word in words {
                bytes.extend(format!("${}\r\n", word.len()).bytes());
                bytes.extend(word);
                bytes.extend(b"\r\n");
            }
        }
        bytes
    }

    proptest! {
        #[test]
        fn commands_are_read_as_they_were_written(
            written_commands in vec(vec(vec(any::<u8>(), 0..8), 1..5), 1..4)
        ) {
            let bytes = written(&written_commands);
            let read = commands(&bytes).unwrap();
            prop_assert_eq!(read, written_commands);
            // A part of a request is not one.
            prop_assert!(commands(&bytes[..bytes.len() - 1]).is_none());
        }

        #[test]
        fn any_bytes_are_read_or_refused(bytes in vec(any::<u8>(), 0..80)) {
            let _ = (commands(&bytes), answer(&bytes), is_refusal(&bytes));
        }
    }

    #[test]
    fn other_protocols_are_not_taken_for_it() {
        for bytes in [
            "",
            "GET / HTTP/1.1\r\n\r\n",
            "add a 0 0 1\r\n1\r\n",
            "*0\r\n",
            "*+1\r\n",
        ] {
            assert!(commands(bytes.as_bytes()).is_none(), "{bytes:?}");
        }
        assert!(commands(b"*1\r\n$99999999999999999999\r\n").is_none());
    }
}
