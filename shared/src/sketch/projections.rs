//! S8: means of bounded functions of a case, exact after merging: random Fourier features, by which
//! two distributions of many numbers are compared.

use super::{MAX_VARINT, MergeError, Sketch, add_totals, bump, fixed_point, read_wide, write_wide};
use crate::digest::Digest;
use crate::wire::codec::{Decode, Encode, Malformed, Reader, Writer};

/// Most functions.
pub const MAX_FUNCTIONS: usize = 256;
/// Binary digits after the point.
const DIGITS: i32 = 40;
/// The largest value of a function as an integer.
const MOST: i128 = 1 << 40;

/// Sums of functions of a case, each within -1 and 1.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Projections {
    /// Which functions of what.
    space: Digest,
    n: u64,
    sums: Vec<i128>,
}

impl Projections {
    /// Sums of nothing. None unless there are 1 to [`MAX_FUNCTIONS`] functions. `space` names them and
    /// what they are of.
    pub fn new(space: Digest, functions: usize) -> Option<Self> {
        (1..=MAX_FUNCTIONS).contains(&functions).then(|| Self {
            space,
            n: 0,
            sums: vec![0; functions],
        })
    }

    /// Counts a case by the values of the functions, clipped to -1 and 1. Another number of values is
    /// none of this space and leaves no trace.
    pub fn add(&mut self, values: &[f64]) {
        if values.len() != self.sums.len() {
            return;
        }
        for (sum, value) in self.sums.iter_mut().zip(values) {
            *sum += i128::from(fixed_point(value.clamp(-1.0, 1.0), DIGITS));
        }
        bump(&mut self.n);
    }

    /// Cases.
    pub const fn n(&self) -> u64 {
        self.n
    }

    /// The mean of each function. None without cases.
    pub fn means(&self) -> Option<Vec<f64>> {
        let n = self.n as f64;
        let mean = |sum: &i128| libm::ldexp(*sum as f64 / n, -DIGITS);
        (self.n > 0).then(|| self.sums.iter().map(mean).collect())
    }
}

impl Sketch for Projections {
    const MAX_BYTES: usize = 32 + 2 + MAX_VARINT + 16 * MAX_FUNCTIONS;

    fn max_bytes(&self) -> usize {
        32 + 2 + MAX_VARINT + 16 * self.sums.len()
    }

    fn fits(&self, other: &Self) -> Result<(), MergeError> {
        if self.space != other.space || self.sums.len() != other.sums.len() {
            return Err(MergeError::Different);
        }
        add_totals(self.n, other.n)?;
        Ok(())
    }

    fn take_in(&mut self, other: &Self) {
        self.n += other.n;
        // Within 2^104, by the number of cases and what each can add.
        for (mine, theirs) in self.sums.iter_mut().zip(&other.sums) {
            *mine += theirs;
        }
    }
}

impl Encode for Projections {
    fn encode(&self, w: &mut Writer) {
        w.raw(self.space.as_bytes());
        w.unsigned(self.sums.len() as u64);
        w.unsigned(self.n);
        for sum in &self.sums {
            write_wide(w, *sum);
        }
    }
}

impl Decode for Projections {
    fn decode(r: &mut Reader<'_>) -> Result<Self, Malformed> {
        let space = Digest::from_bytes(r.array()?);
        let functions = r.count(MAX_FUNCTIONS)?;
        let mut read = Self::new(space, functions).ok_or(Malformed::Value("functions"))?;
        read.n = r.unsigned()?;
        let most = i128::from(read.n) * MOST;
        for sum in &mut read.sums {
            *sum = read_wide(r, most)?;
        }
        Ok(read)
    }
}
