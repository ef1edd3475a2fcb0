//! ScoreCells.
use crate::sketch::{MergeError, Sketch};
use crate::wire::codec::{Decode, Encode, Malformed, Reader, Writer};

/// ScoreCells.
#[derive(Clone, Debug, PartialEq)]
pub struct ScoreCells;

impl Encode for ScoreCells {
    fn encode(&self, _: &mut Writer) {
        unimplemented!()
    }
}
impl Decode for ScoreCells {
    fn decode(_: &mut Reader<'_>) -> Result<Self, Malformed> {
        unimplemented!()
    }
}
impl Sketch for ScoreCells {
    const MAX_BYTES: usize = 1;
    fn merge(&mut self, _: &Self) -> Result<(), MergeError> {
        unimplemented!()
    }
}
