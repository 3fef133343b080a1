//! Records in the form of jute: numbers in network order, texts and buffers after their length
//! (`zookeeper-jute/src/main/resources/zookeeper.jute` in ZooKeeper's sources).

use std::io;

/// Operations.
pub(super) const DELETE: i32 = 2;
pub(super) const EXISTS: i32 = 3;
pub(super) const GET: i32 = 4;
pub(super) const SYNC: i32 = 9;
pub(super) const CHILDREN: i32 = 8;
pub(super) const CREATE: i32 = 1;
pub(super) const CREATE_WITH_STAT: i32 = 15;
pub(super) const AUTH: i32 = 100;

/// Kinds of nodes.
pub(super) const PERSISTENT: i32 = 0;
pub(super) const EPHEMERAL_IN_SEQUENCE: i32 = 3;

/// All permissions.
const ALL: i32 = 31;

/// A record that is being written.
#[derive(Debug, Default)]
pub(super) struct Record(Vec<u8>);

impl Record {
    pub(super) fn int(mut self, number: i32) -> Self {
        self.0.extend(number.to_be_bytes());
        self
    }

    pub(super) fn long(mut self, number: i64) -> Self {
        self.0.extend(number.to_be_bytes());
        self
    }

    pub(super) fn flag(mut self, flag: bool) -> Self {
        self.0.push(u8::from(flag));
        self
    }

    pub(super) fn bytes(self, bytes: &[u8]) -> Self {
        let length = i32::try_from(bytes.len()).unwrap_or(i32::MAX);
        let mut record = self.int(length);
        record.0.extend(bytes);
        record
    }

    pub(super) fn text(self, text: &str) -> Self {
        self.bytes(text.as_bytes())
    }

    /// Permissions: all, for everybody or for those who have the password of the URL.
    pub(super) fn permissions(self, protected: bool) -> Self {
        let (scheme, id) = match protected {
            true => ("auth", ""),
            false => ("world", "anyone"),
        };
        self.int(1).int(ALL).text(scheme).text(id)
    }

    /// The record as it is sent.
    pub(super) fn framed(self) -> Vec<u8> {
        Record::default().bytes(&self.0).0
    }

    pub(super) fn append(mut self, record: Record) -> Self {
        self.0.extend(record.0);
        self
    }
}

/// A record that is being read.
#[derive(Clone, Copy, Debug)]
pub(super) struct Answer<'a>(pub(super) &'a [u8]);

impl<'a> Answer<'a> {
    fn take<const LENGTH: usize>(&mut self) -> io::Result<[u8; LENGTH]> {
        let (taken, rest) = self.0.split_first_chunk().ok_or_else(malformed)?;
        self.0 = rest;
        Ok(*taken)
    }

    pub(super) fn int(&mut self) -> io::Result<i32> {
        self.take().map(i32::from_be_bytes)
    }

    pub(super) fn long(&mut self) -> io::Result<i64> {
        self.take().map(i64::from_be_bytes)
    }

    pub(super) fn bytes(&mut self) -> io::Result<&'a [u8]> {
        // A missing buffer has the length -1.
        let length = usize::try_from(self.int()?).unwrap_or(0);
        let (taken, rest) = self.0.split_at_checked(length).ok_or_else(malformed)?;
        self.0 = rest;
        Ok(taken)
    }

    pub(super) fn text(&mut self) -> io::Result<&'a str> {
        std::str::from_utf8(self.bytes()?).map_err(|_| malformed())
    }

    pub(super) fn texts(&mut self) -> io::Result<Vec<String>> {
        let count = self.int()?.max(0);
        (0..count).map(|_| self.text().map(str::to_owned)).collect()
    }
}

pub(super) fn malformed() -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, "not an answer of ZooKeeper")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_written_is_read() {
        let record = Record::default().int(-7).long(1 << 40).text("ü").flag(true);
        let framed = record.framed();
        let mut answer = Answer(&framed);
        let mut body = Answer(answer.bytes().unwrap());
        assert_eq!(body.int().unwrap(), -7);
        assert_eq!(body.long().unwrap(), 1 << 40);
        assert_eq!(body.text().unwrap(), "ü");
        assert_eq!(body.0, [1]);
        assert!(body.int().is_err());
        assert!(Answer(&[0, 0, 0, 9, 1]).bytes().is_err());
        assert_eq!(Answer(&[0xff; 4]).bytes().unwrap(), b"");
    }
}
