//! The names of secrets.

use std::ops::Range;

/// Names in lower case; `_` also matches `-`. A name matches at the end of a longer one: `password`
/// also covers `db_password`. So names of oslo.utils that end in another one are left out.
const KEYS: &[&str] = &[
    "access_key",
    "admin_pass",
    "adminpass",
    "api_key",
    "apikey",
    "barbicansimplecryptokek",
    "cephadminkey",
    "cephclientkey",
    "cephclusterfsid",
    "cephmanilaclientkey",
    "cephmdskey",
    "cephmonkey",
    "cephrgwkey",
    "configdrive",
    "designaterndckey",
    "encrypted_key",
    "fernetkey",
    "heatauthencryptionkey",
    "keystonecredential",
    "migrationsshkey",
    "new_pass",
    "octaviaheartbeatkey",
    "pacemakerremoteauthkey",
    "passphrase",
    "passwd",
    "password",
    "private_key",
    "rabbitcookie",
    "secret",
    "secret_key",
    "secret_uuid",
    "sslkey",
    "swifthashsuffix",
    "sys_pswd",
    "token",
];

/// For each first letter, the range of its keys in the sorted `KEYS`.
const BY_FIRST_LETTER: [(usize, usize); 26] = {
    let mut ranges = [(0, 0); 26];
    let mut key = 0;
    while key < KEYS.len() {
        let range = &mut ranges[(KEYS[key].as_bytes()[0] - b'a') as usize];
        if range.1 == 0 {
            range.0 = key;
        }
        key += 1;
        range.1 = key;
    }
    ranges
};

fn same(letter: u8, of_key: u8) -> bool {
    letter.to_ascii_lowercase() == of_key || (letter == b'-' && of_key == b'_')
}

/// The ends of the keys that begin at `start`, with an optional number.
pub(super) fn ends_of_keys(text: &[u8], start: usize) -> impl Iterator<Item = usize> + '_ {
    let letter = text[start].to_ascii_lowercase();
    let (first, end) = match letter {
        b'a'..=b'z' => BY_FIRST_LETTER[usize::from(letter - b'a')],
        _ => (0, 0),
    };
    let keys = &KEYS[first..end];
    keys.iter().filter_map(move |key| {
        let found = text.get(start..start + key.len())?;
        let equal = found.iter().zip(key.bytes()).all(|(a, b)| same(*a, b));
        equal.then(|| skip(text, start + key.len(), |byte| byte.is_ascii_digit()))
    })
}

/// Returns `true` if a name, such as `--db-password` or `node.session.auth.password`, ends in a
/// key.
pub(super) fn is_secret(name: &[u8]) -> bool {
    (0..name.len()).any(|start| ends_of_keys(name, start).any(|end| end == name.len()))
}

/// The first position from `at` on whose byte is not `wanted`.
pub(super) fn skip(text: &[u8], at: usize, wanted: impl Fn(u8) -> bool) -> usize {
    at + text[at..].iter().take_while(|byte| wanted(**byte)).count()
}

/// The word of letters, digits and `-_.:` that ends at `end`.
pub(super) fn name_before(text: &[u8], end: usize) -> Range<usize> {
    let is_part = |byte: &&u8| byte.is_ascii_alphanumeric() || b"-_.:".contains(byte);
    end - text[..end].iter().rev().take_while(is_part).count()..end
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_longer_name_that_ends_in_a_key_is_secret() {
        for name in [
            "password",
            "--PassWord",
            "db_password2",
            "--admin-pass",
            "auth_token",
            "OctaviaCaKeyPassphrase",
            "chapsecret",
        ] {
            assert!(is_secret(name.as_bytes()), "{name}");
        }
        for name in ["", "-", "passwords", "tokens_left", "keyboard", "user"] {
            assert!(!is_secret(name.as_bytes()), "{name}");
        }
    }

    #[test]
    fn no_key_hides_behind_its_spelling() {
        assert!(
            KEYS.iter()
                .all(|key| *key == key.to_lowercase() && !key.contains('-'))
        );
        assert!(KEYS.is_sorted());
    }
}
