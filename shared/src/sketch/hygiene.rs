//! Hygiene.
use crate::sketch::{MergeError, Sketch};
use crate::wire::codec::{Decode, Encode, Malformed, Reader, Writer};

/// Hygiene.
#[derive(Clone, Debug, PartialEq)]
pub struct Hygiene;

impl Encode for Hygiene {
    fn encode(&self, _: &mut Writer) {
        unimplemented!()
    }
}
impl Decode for Hygiene {
    fn decode(_: &mut Reader<'_>) -> Result<Self, Malformed> {
        unimplemented!()
    }
}
impl Sketch for Hygiene {
    const MAX_BYTES: usize = 1;
    fn merge(&mut self, _: &Self) -> Result<(), MergeError> {
        unimplemented!()
    }
}
