//! Categories.
use crate::sketch::{MergeError, Sketch};
use crate::wire::codec::{Decode, Encode, Malformed, Reader, Writer};

/// Categories.
#[derive(Clone, Debug, PartialEq)]
pub struct Categories;

impl Encode for Categories {
    fn encode(&self, _: &mut Writer) {
        unimplemented!()
    }
}
impl Decode for Categories {
    fn decode(_: &mut Reader<'_>) -> Result<Self, Malformed> {
        unimplemented!()
    }
}
impl Sketch for Categories {
    const MAX_BYTES: usize = 1;
    fn merge(&mut self, _: &Self) -> Result<(), MergeError> {
        unimplemented!()
    }
}
