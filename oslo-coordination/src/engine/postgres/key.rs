//! The number of a lock.

use md5::{Digest, Md5};

use crate::lock_name::LockName;

/// How names become numbers. Two names with the same number are one lock to the server: the second
/// one is found held without need, but no lock is given away twice.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Keys {
    /// 64 bits of MD5: in SQL, `('x' || left(md5('name'), 16))::bit(64)::bigint`.
    Wide,
    /// As tooz's driver numbers them: two numbers, each of one byte of MD5.
    Tooz,
}

impl Keys {
    pub(super) fn of(self, name: &LockName) -> i64 {
        let digest: [u8; 16] = Md5::digest(name.bytes()).into();
        match self {
            Keys::Wide => i64::from_be_bytes(*digest.first_chunk().expect("it has 16 bytes")),
            Keys::Tooz => (i64::from(digest[0]) << 32) | i64::from(digest[1]),
        }
    }

    /// The arguments of the server's functions, made of the first parameter of the statement.
    pub(super) const fn arguments(self) -> &'static str {
        match self {
            Keys::Wide => "$1",
            Keys::Tooz => "($1 >> 32)::int, ($1 & 255)::int",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_numbers_of_a_name() {
        let key = |keys: Keys, name: &str| keys.of(&LockName::new(None, name.as_bytes()));
        let wide = key(Keys::Wide, "volume-7");
        let tooz = key(Keys::Tooz, "volume-7");
        // SELECT ('x' || left(md5('volume-7'), 16))::bit(64)::bigint
        assert_eq!(wide, -5027715701950643486);
        assert_eq!(
            (tooz >> 32, tooz & 255),
            ((wide >> 56) & 255, (wide >> 48) & 255)
        );
        // Two names that are one lock to tooz.
        let (one, other) = ("cinder-volume-32", "cinder-volume-262");
        assert_eq!(key(Keys::Tooz, one), key(Keys::Tooz, other));
        assert_ne!(key(Keys::Wide, one), key(Keys::Wide, other));
    }
}
