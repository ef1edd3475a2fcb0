//! CutCounts.
use crate::sketch::{MergeError, Sketch};
use crate::wire::codec::{Decode, Encode, Malformed, Reader, Writer};

/// CutCounts.
#[derive(Clone, Debug, PartialEq)]
pub struct CutCounts;

impl Encode for CutCounts {
    fn encode(&self, _: &mut Writer) {
        unimplemented!()
    }
}
impl Decode for CutCounts {
    fn decode(_: &mut Reader<'_>) -> Result<Self, Malformed> {
        unimplemented!()
    }
}
impl Sketch for CutCounts {
    const MAX_BYTES: usize = 1;
    fn merge(&mut self, _: &Self) -> Result<(), MergeError> {
        unimplemented!()
    }
}
