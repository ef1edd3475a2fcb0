//! Confusion.
use crate::sketch::{MergeError, Sketch};
use crate::wire::codec::{Decode, Encode, Malformed, Reader, Writer};

/// Confusion.
#[derive(Clone, Debug, PartialEq)]
pub struct Confusion;

impl Encode for Confusion {
    fn encode(&self, _: &mut Writer) {
        unimplemented!()
    }
}
impl Decode for Confusion {
    fn decode(_: &mut Reader<'_>) -> Result<Self, Malformed> {
        unimplemented!()
    }
}
impl Sketch for Confusion {
    const MAX_BYTES: usize = 1;
    fn merge(&mut self, _: &Self) -> Result<(), MergeError> {
        unimplemented!()
    }
}
