//! The one byte encoding of everything that is hashed, signed or merged: explicit, versioned by its
//! users, canonical (each value has exactly one encoding) and bounded before allocation.
//!
//! Unsigned integers are LEB128 in the fewest bytes; signed ones are zig-zag first; texts and byte
//! strings carry their length. There are no floats: whoever needs one writes its bits.

/// A value with one canonical encoding.
pub trait Encode {
    /// Appends the encoding.
    fn encode(&self, w: &mut Writer);

    /// The encoding as bytes of its own.
    fn to_bytes(&self) -> Vec<u8> {
        let mut w = Writer::default();
        self.encode(&mut w);
        w.into_bytes()
    }
}

/// A value that can be read back from its canonical encoding, and from nothing else.
pub trait Decode: Sized {
    /// Reads one value.
    fn decode(r: &mut Reader<'_>) -> Result<Self, Malformed>;

    /// Reads one value that must be all there is.
    fn from_bytes(bytes: &[u8]) -> Result<Self, Malformed> {
        let mut r = Reader::new(bytes);
        let value = Self::decode(&mut r)?;
        r.finish()?;
        Ok(value)
    }
}

/// Appends encoded values to a growing buffer.
#[derive(Debug, Default)]
pub struct Writer(Vec<u8>);

impl Writer {
    /// One byte.
    pub fn byte(&mut self, byte: u8) {
        self.0.push(byte);
    }

    /// Bytes without a length, where the format fixes it.
    pub fn raw(&mut self, bytes: &[u8]) {
        self.0.extend_from_slice(bytes);
    }

    /// An unsigned integer.
    pub fn unsigned(&mut self, mut value: u64) {
        while value >= 0x80 {
            self.0.push((value & 0x7f) as u8 | 0x80);
            value >>= 7;
        }
        self.0.push((value & 0x7f) as u8);
    }

    /// A signed integer.
    pub fn signed(&mut self, value: i64) {
        self.unsigned((value.cast_unsigned() << 1) ^ (value >> 63).cast_unsigned());
    }

    /// A byte string with its length.
    pub fn bytes(&mut self, bytes: &[u8]) {
        self.unsigned(bytes.len() as u64);
        self.raw(bytes);
    }

    /// A text with its length in bytes.
    pub fn text(&mut self, text: &str) {
        self.bytes(text.as_bytes());
    }

    /// What was written.
    pub fn into_bytes(self) -> Vec<u8> {
        self.0
    }
}

/// Why bytes are not the encoding of a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Malformed {
    /// The bytes end within a value.
    #[error("the bytes end within a value")]
    Short,
    /// Bytes are left after the value.
    #[error("bytes are left after the value")]
    Trailing,
    /// An integer is not in its shortest form or exceeds 64 bits.
    #[error("an integer is not in its shortest form")]
    Integer,
    /// A length is beyond what the format allows.
    #[error("a length is beyond its limit")]
    TooLong,
    /// A text is not UTF-8.
    #[error("a text is not UTF-8")]
    Text,
    /// Entries are not in strictly ascending order.
    #[error("entries are not in ascending order")]
    Order,
    /// A value is outside what the format allows.
    #[error("{0} is outside what the format allows")]
    Value(&'static str),
}

/// Reads encoded values from bytes; never allocates from a length that the bytes cannot hold.
#[derive(Debug, Clone)]
pub struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    /// Reads from the beginning of `bytes`.
    pub const fn new(bytes: &'a [u8]) -> Self {
        Self(bytes)
    }

    /// Bytes not yet read.
    pub const fn remaining(&self) -> usize {
        self.0.len()
    }

    /// One byte.
    pub fn byte(&mut self) -> Result<u8, Malformed> {
        let (first, rest) = self.0.split_first().ok_or(Malformed::Short)?;
        self.0 = rest;
        Ok(*first)
    }

    /// `len` bytes.
    pub fn raw(&mut self, len: usize) -> Result<&'a [u8], Malformed> {
        let (head, rest) = self.0.split_at_checked(len).ok_or(Malformed::Short)?;
        self.0 = rest;
        Ok(head)
    }

    /// As many bytes as the array holds.
    pub fn array<const N: usize>(&mut self) -> Result<[u8; N], Malformed> {
        self.raw(N)?.try_into().map_err(|_| Malformed::Short)
    }

    /// An unsigned integer.
    #[inline]
    pub fn unsigned(&mut self) -> Result<u64, Malformed> {
        match self.0.split_first() {
            // Nearly all of them.
            Some((first, rest)) if *first < 0x80 => {
                self.0 = rest;
                Ok(u64::from(*first))
            }
            Some(_) => self.unsigned_of_several(),
            None => Err(Malformed::Short),
        }
    }

    fn unsigned_of_several(&mut self) -> Result<u64, Malformed> {
        let mut value = 0_u64;
        for shift in (0..64).step_by(7) {
            let byte = self.byte()?;
            let low = u64::from(byte & 0x7f);
            if shift == 63 && low > 1 {
                return Err(Malformed::Integer);
            }
            value |= low << shift;
            if byte & 0x80 == 0 {
                let shortest = byte != 0 || shift == 0;
                return shortest.then_some(value).ok_or(Malformed::Integer);
            }
        }
        Err(Malformed::Integer)
    }

    /// A signed integer.
    pub fn signed(&mut self) -> Result<i64, Malformed> {
        let zigzag = self.unsigned()?;
        Ok((zigzag >> 1).cast_signed() ^ -(zigzag & 1).cast_signed())
    }

    /// A count of entries, each of at least one byte: refused if the bytes cannot hold so many.
    pub fn count(&mut self, limit: usize) -> Result<usize, Malformed> {
        let count = usize::try_from(self.unsigned()?).map_err(|_| Malformed::TooLong)?;
        if count > limit || count > self.0.len() {
            return Err(Malformed::TooLong);
        }
        Ok(count)
    }

    /// A byte string of at most `limit` bytes.
    pub fn bytes(&mut self, limit: usize) -> Result<&'a [u8], Malformed> {
        let len = usize::try_from(self.unsigned()?).map_err(|_| Malformed::TooLong)?;
        if len > limit {
            return Err(Malformed::TooLong);
        }
        self.raw(len)
    }

    /// A text of at most `limit` bytes.
    pub fn text(&mut self, limit: usize) -> Result<&'a str, Malformed> {
        std::str::from_utf8(self.bytes(limit)?).map_err(|_| Malformed::Text)
    }

    /// Nothing may be left.
    pub const fn finish(&self) -> Result<(), Malformed> {
        if self.0.is_empty() {
            Ok(())
        } else {
            Err(Malformed::Trailing)
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn integers_read_back(u: u64, s: i64) {
            let mut w = Writer::default();
            w.unsigned(u);
            w.signed(s);
            let bytes = w.into_bytes();
            let mut r = Reader::new(&bytes);
            prop_assert_eq!(r.unsigned(), Ok(u));
            prop_assert_eq!(r.signed(), Ok(s));
            prop_assert_eq!(r.finish(), Ok(()));
        }

        #[test]
        fn each_integer_has_one_encoding(bytes in proptest::collection::vec(any::<u8>(), 0..12)) {
            let mut r = Reader::new(&bytes);
            if let Ok(value) = r.unsigned() {
                let mut w = Writer::default();
                w.unsigned(value);
                prop_assert_eq!(w.into_bytes(), bytes[..bytes.len() - r.remaining()].to_vec());
            }
        }
    }

    #[test]
    fn a_wire_length_is_never_trusted() {
        let mut w = Writer::default();
        w.unsigned(u64::MAX);
        let bytes = w.into_bytes();
        assert_eq!(Reader::new(&bytes).bytes(usize::MAX), Err(Malformed::Short));
        assert_eq!(Reader::new(&bytes).count(10), Err(Malformed::TooLong));
    }
}
