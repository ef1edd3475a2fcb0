//! Histogram.
use crate::sketch::{MergeError, Sketch};
use crate::wire::codec::{Decode, Encode, Malformed, Reader, Writer};

/// Histogram.
#[derive(Clone, Debug, PartialEq)]
pub struct Histogram;

impl Encode for Histogram {
    fn encode(&self, _: &mut Writer) {
        unimplemented!()
    }
}
impl Decode for Histogram {
    fn decode(_: &mut Reader<'_>) -> Result<Self, Malformed> {
        unimplemented!()
    }
}
impl Sketch for Histogram {
    const MAX_BYTES: usize = 1;
    fn merge(&mut self, _: &Self) -> Result<(), MergeError> {
        unimplemented!()
    }
}
