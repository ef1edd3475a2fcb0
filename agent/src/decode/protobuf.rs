//! Reading Protocol Buffers' wire format field by field, borrowing everything: three kinds of field and
//! one message to read do not ask for generated code.

use std::borrow::Cow;

use clause9_shared::window::UndecodableReason;

/// What a field holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Wire<'a> {
    /// A number of variable length.
    Varint(u64),
    /// Eight bytes.
    Eight([u8; 8]),
    /// Four bytes.
    Four([u8; 4]),
    /// Bytes behind their length: a text, a message or packed numbers.
    Bytes(&'a [u8]),
}

/// Not what the format asks for.
pub(crate) const MALFORMED: UndecodableReason = UndecodableReason::Malformed;

impl<'a> Wire<'a> {
    /// As bytes or a message.
    pub(crate) fn bytes(self) -> Result<&'a [u8], UndecodableReason> {
        match self {
            Self::Bytes(bytes) => Ok(bytes),
            Self::Varint(_) | Self::Eight(_) | Self::Four(_) => Err(MALFORMED),
        }
    }

    /// As a text.
    pub(crate) fn text(self) -> Result<&'a str, UndecodableReason> {
        std::str::from_utf8(self.bytes()?).map_err(|_| MALFORMED)
    }

    /// Numbers of variable length, one of them or packed.
    pub(crate) fn varints(self, mut each: impl FnMut(u64)) -> Result<(), UndecodableReason> {
        match self {
            Self::Varint(number) => each(number),
            Self::Bytes(mut packed) => {
                while !packed.is_empty() {
                    each(varint(&mut packed)?);
                }
            }
            Self::Eight(_) | Self::Four(_) => return Err(MALFORMED),
        }
        Ok(())
    }

    /// Numbers of four bytes, one of them or packed.
    pub(crate) fn fours(self) -> Result<Cow<'a, [[u8; 4]]>, UndecodableReason> {
        match self {
            Self::Four(number) => Ok(vec![number].into()),
            Self::Bytes(packed) => match packed.as_chunks() {
                (numbers, []) => Ok(numbers.into()),
                (_, [_, ..]) => Err(MALFORMED),
            },
            Self::Varint(_) | Self::Eight(_) => Err(MALFORMED),
        }
    }

    /// Numbers of eight bytes, one of them or packed.
    pub(crate) fn eights(self) -> Result<Cow<'a, [[u8; 8]]>, UndecodableReason> {
        match self {
            Self::Eight(number) => Ok(vec![number].into()),
            Self::Bytes(packed) => match packed.as_chunks() {
                (numbers, []) => Ok(numbers.into()),
                (_, [_, ..]) => Err(MALFORMED),
            },
            Self::Varint(_) | Self::Four(_) => Err(MALFORMED),
        }
    }
}

/// The fields of a message, by number, in the order in which they were written.
pub(crate) struct Fields<'a>(&'a [u8]);

impl<'a> Fields<'a> {
    /// Of a message.
    pub(crate) fn of(message: &'a [u8]) -> Self {
        Self(message)
    }

    fn field(&mut self) -> Result<(u64, Wire<'a>), UndecodableReason> {
        let key = varint(&mut self.0)?;
        let wire = match key & 7 {
            0 => Wire::Varint(varint(&mut self.0)?),
            1 => Wire::Eight(fixed(&mut self.0)?),
            2 => {
                let length = usize::try_from(varint(&mut self.0)?).map_err(|_| MALFORMED)?;
                let (bytes, rest) = self.0.split_at_checked(length).ok_or(MALFORMED)?;
                self.0 = rest;
                Wire::Bytes(bytes)
            }
            5 => Wire::Four(fixed(&mut self.0)?),
            // Groups are gone from the format since version 3.
            _ => return Err(MALFORMED),
        };
        match key >> 3 {
            0 => Err(MALFORMED),
            number => Ok((number, wire)),
        }
    }
}

impl<'a> Iterator for Fields<'a> {
    type Item = Result<(u64, Wire<'a>), UndecodableReason>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.0.is_empty() {
            return None;
        }
        let field = self.field();
        if field.is_err() {
            self.0 = &[];
        }
        Some(field)
    }
}

fn fixed<const N: usize>(bytes: &mut &[u8]) -> Result<[u8; N], UndecodableReason> {
    let (number, rest) = bytes.split_first_chunk().ok_or(MALFORMED)?;
    *bytes = rest;
    Ok(*number)
}

/// Seven bits of each byte, the lowest first; ten bytes at most.
fn varint(bytes: &mut &[u8]) -> Result<u64, UndecodableReason> {
    let mut number = 0_u64;
    for shift in (0..70).step_by(7) {
        let (byte, rest) = bytes.split_first().ok_or(MALFORMED)?;
        *bytes = rest;
        let bits = u64::from(byte & 0x7f);
        if shift == 63 && bits > 1 {
            return Err(MALFORMED);
        }
        number |= bits << shift;
        if *byte < 0x80 {
            return Ok(number);
        }
    }
    Err(MALFORMED)
}

#[cfg(test)]
mod tests;
