//! S2: how many values lie between documented cuts: baseline deciles, thresholds.
//!
//! Evidence on a feature's drift rests on these counts. They are kept beside the histogram, since a
//! histogram that had to join cells no longer knows where a decile was (statistics, 1.2).

use crate::sketch::{
    MAX_VARINT, MergeError, Sketch, add_totals, bump, read_number, sum_of, write_number,
};
use crate::wire::codec::{Decode, Encode, Malformed, Reader, Writer};

/// Most cuts.
pub const MAX_CUTS: usize = 32;

/// Counts between fixed cuts. Cell i holds the values above cut i-1, up to and including cut i.
#[derive(Clone, Debug, PartialEq)]
pub struct CutCounts {
    cuts: Vec<f64>,
    counts: Vec<u64>,
}

impl CutCounts {
    /// Cells with nothing in them. None unless the cuts are finite, strictly ascending and at most
    /// [`MAX_CUTS`].
    pub fn new(cuts: &[f64]) -> Option<Self> {
        let ascending = cuts.windows(2).all(|pair| pair[0] < pair[1]);
        let fits = cuts.len() <= MAX_CUTS && ascending && cuts.iter().all(|cut| cut.is_finite());
        fits.then(|| Self {
            // Turns negative zero into zero.
            cuts: cuts.iter().map(|cut| cut + 0.0).collect(),
            counts: vec![0; cuts.len() + 1],
        })
    }

    /// Counts a finite value. Anything else is not a value and leaves no trace here; the caller
    /// counts it as a [`Defect`](crate::sketch::Defect).
    pub fn add(&mut self, x: f64) {
        if x.is_finite() {
            let cell = self.cuts.partition_point(|cut| *cut < x);
            bump(&mut self.counts[cell]);
        }
    }

    /// The cuts, strictly ascending.
    pub fn cuts(&self) -> &[f64] {
        &self.cuts
    }

    /// The counts of the cells: one more than cuts.
    pub fn counts(&self) -> &[u64] {
        &self.counts
    }

    /// Values counted.
    pub fn total(&self) -> u64 {
        self.counts.iter().sum()
    }
}

impl Sketch for CutCounts {
    const MAX_BYTES: usize = MAX_VARINT + MAX_CUTS * 8 + (MAX_CUTS + 1) * MAX_VARINT;

    fn merge(&mut self, other: &Self) -> Result<(), MergeError> {
        if self.cuts != other.cuts {
            return Err(MergeError::Different);
        }
        add_totals(self.total(), other.total())?;
        for (mine, theirs) in self.counts.iter_mut().zip(&other.counts) {
            *mine += theirs;
        }
        Ok(())
    }
}

impl Encode for CutCounts {
    fn encode(&self, w: &mut Writer) {
        w.unsigned(self.cuts.len() as u64);
        for cut in &self.cuts {
            write_number(w, *cut);
        }
        for count in &self.counts {
            w.unsigned(*count);
        }
    }
}

impl Decode for CutCounts {
    fn decode(r: &mut Reader<'_>) -> Result<Self, Malformed> {
        let len = r.count(MAX_CUTS)?;
        let cuts = (0..len)
            .map(|_| read_number(r, "cut"))
            .collect::<Result<Vec<_>, _>>()?;
        let mut cells = Self::new(&cuts).ok_or(Malformed::Order)?;
        for count in &mut cells.counts {
            *count = r.unsigned()?;
        }
        sum_of(&cells.counts)?;
        Ok(cells)
    }
}
