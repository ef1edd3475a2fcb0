//! S10: how many different values there were, in 2048 registers (`HyperLogLog`, Flajolet et al. 2007).
//!
//! Each value is hashed with a seed; the first 11 bits of the hash choose a register, which keeps the
//! longest run of zeros that any of its values began with. Registers of two summaries are added by
//! taking the larger, so neither order nor repetition of values leaves a trace. No value and no hash
//! is kept; still, who knows the seed can tell of a guessed value that it never came.
//!
//! The estimate is Ertl's (2017, "New cardinality estimation algorithms for `HyperLogLog` sketches",
//! algorithm 6): without tables, and unbiased from the first value on.

use crate::sketch::{MAX_VARINT, MergeError, Sketch, add_totals, bump, read_sparse, write_sparse};
use crate::wire::codec::{Decode, Encode, Malformed, Reader, Writer};

pub(crate) mod hash;

/// Bits of the hash that choose a register.
const INDEX_BITS: u32 = 11;
/// Registers.
const REGISTERS: usize = 1 << INDEX_BITS;
/// Bits of the hash that are looked at for zeros.
const TAIL_BITS: u32 = 64 - INDEX_BITS;
/// Most that a register holds: one more than those bits.
const MOST: u8 = 54;
/// Most registers in use that are written one by one; of more, all are written.
const SPARSE: usize = 512;
/// Bytes of all registers at 6 bits each.
const DENSE: usize = REGISTERS * 6 / 8;

/// Relative standard error of the estimate: `1.04 / sqrt(2048)`, or 2.3 %.
pub const STD_ERROR: f64 = 0.022_980_970_388_562_8;

/// Counts of different values.
#[derive(Clone, Debug, PartialEq)]
pub struct Distinct {
    seed: u64,
    total: u64,
    registers: Box<[u8; REGISTERS]>,
}

impl Distinct {
    /// A count of nothing, with a seed of its hash.
    pub fn new(seed: u64) -> Self {
        Self {
            seed,
            total: 0,
            registers: Box::new([0; REGISTERS]),
        }
    }

    /// Counts a value.
    pub fn add(&mut self, value: &[u8]) {
        self.add_hash(hash::siphash(self.seed, value));
    }

    fn add_hash(&mut self, hash: u64) {
        bump(&mut self.total);
        #[expect(clippy::cast_possible_truncation, reason = "11 and at most 53 bits")]
        let (register, zeros) = (
            (hash >> TAIL_BITS) as usize,
            ((hash << INDEX_BITS) | (1 << (INDEX_BITS - 1))).leading_zeros() as u8,
        );
        let kept = &mut self.registers[register];
        *kept = (*kept).max(zeros + 1);
    }

    /// Values counted, equal ones too.
    pub const fn total(&self) -> u64 {
        self.total
    }

    /// Registers in use: so many different values there were at least.
    pub fn used(&self) -> u64 {
        self.registers.iter().filter(|r| **r > 0).count() as u64
    }

    /// How many different values there were, about.
    pub fn estimate(&self) -> f64 {
        let mut of = [0_u32; MOST as usize + 1];
        for register in self.registers.iter() {
            of[usize::from(*register)] += 1;
        }
        let m = REGISTERS as f64;
        let last = usize::from(MOST);
        let mut z = m * tau(1.0 - f64::from(of[last]) / m);
        for count in of[1..last].iter().rev() {
            z = 0.5 * (z + f64::from(*count));
        }
        z += m * sigma(f64::from(of[0]) / m);
        m * m / (2.0 * std::f64::consts::LN_2 * z)
    }
}

/// `x + sum over k of x^(2^k) 2^(k-1)`; infinite at 1, where nothing was counted.
fn sigma(mut x: f64) -> f64 {
    if x >= 1.0 {
        return f64::INFINITY;
    }
    let (mut y, mut z) = (1.0, x);
    loop {
        x *= x;
        let next = z + x * y;
        y += y;
        if next <= z {
            return z;
        }
        z = next;
    }
}

/// `(1 - x - sum over k of (1 - x^(2^-k))^2 2^-k) / 3`.
fn tau(mut x: f64) -> f64 {
    if x <= 0.0 || x >= 1.0 {
        return 0.0;
    }
    let (mut y, mut z) = (1.0, 1.0 - x);
    loop {
        x = x.sqrt();
        y *= 0.5;
        let next = z - (1.0 - x) * (1.0 - x) * y;
        if next >= z {
            return z / 3.0;
        }
        z = next;
    }
}

impl Sketch for Distinct {
    const MAX_BYTES: usize = 8 + MAX_VARINT + 1 + DENSE;

    fn fits(&self, other: &Self) -> Result<(), MergeError> {
        if self.seed != other.seed {
            return Err(MergeError::Different);
        }
        add_totals(self.total, other.total)?;
        Ok(())
    }

    fn take_in(&mut self, other: &Self) {
        self.total += other.total;
        for (mine, theirs) in self.registers.iter_mut().zip(other.registers.iter()) {
            *mine = (*mine).max(*theirs);
        }
    }
}

const _: () = assert!(MOST as u32 == TAIL_BITS + 1);
// Registers that are written one by one take two bytes for the step and one for the value at most.
const _: () = assert!(MAX_VARINT + SPARSE * 3 <= DENSE + MAX_VARINT);

impl Encode for Distinct {
    fn encode(&self, w: &mut Writer) {
        w.raw(&self.seed.to_le_bytes());
        w.unsigned(self.total);
        let registers = self.registers.iter().zip(0_u64..);
        let used: Vec<(u64, u64)> = registers
            .filter(|(register, _)| **register > 0)
            .map(|(register, place)| (place, u64::from(*register)))
            .collect();
        if used.len() <= SPARSE {
            w.byte(0);
            write_sparse(w, &used);
        } else {
            w.byte(1);
            for four in self.registers.as_chunks::<4>().0 {
                let parts = (0_u32..).zip(four);
                let bits = parts.fold(0, |bits, (i, part)| bits | u32::from(*part) << (6 * i));
                w.raw(&bits.to_le_bytes()[..3]);
            }
        }
    }
}

impl Decode for Distinct {
    fn decode(r: &mut Reader<'_>) -> Result<Self, Malformed> {
        let mut read = Self::new(u64::from_le_bytes(r.array()?));
        read.total = r.unsigned()?;
        match r.byte()? {
            0 => {
                for (place, value) in read_sparse(r, REGISTERS, SPARSE)? {
                    let place = usize::try_from(place).unwrap_or(0);
                    read.registers[place] = u8::try_from(value).unwrap_or(u8::MAX);
                }
            }
            1 => {
                for four in read.registers.as_chunks_mut::<4>().0 {
                    let [a, b, c] = r.array()?;
                    let bits = u32::from_le_bytes([a, b, c, 0]);
                    for (i, register) in (0_u32..).zip(four) {
                        *register = ((bits >> (6 * i)) & 0x3f) as u8;
                    }
                }
                if read.used() <= SPARSE as u64 {
                    return Err(Malformed::Value("form of registers"));
                }
            }
            _ => return Err(Malformed::Value("form of registers")),
        }
        let fits = read.registers.iter().all(|register| *register <= MOST);
        if fits && read.used() <= read.total && (read.total == 0) == (read.used() == 0) {
            Ok(read)
        } else {
            Err(Malformed::Value("registers"))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(seed: u64, values: std::ops::Range<u64>) -> Distinct {
        let mut distinct = Distinct::new(seed);
        for value in values {
            distinct.add(&value.to_le_bytes());
        }
        distinct
    }

    #[test]
    fn exact_counts_lie_within_the_error_that_is_promised() {
        assert!(of(1, 0..0).estimate().abs() < 1e-12);
        for size in [1_u64, 2, 10, 100, 1000, 3000, 10_000, 100_000, 1_000_000] {
            let found = of(7, 0..size).estimate();
            let error = (found - size as f64) / size as f64;
            assert!(error.abs() < 3.0 * STD_ERROR, "{size}: {found}");
        }
    }

    #[test]
    fn the_error_over_many_seeds_is_the_theoretical_one_and_has_no_bias() {
        for size in [100_u64, 2000, 5000, 20_000] {
            let runs = 200;
            let errors: Vec<f64> = (0..runs)
                .map(|seed| of(seed, 0..size).estimate() / size as f64 - 1.0)
                .collect();
            let bias = errors.iter().sum::<f64>() / runs as f64;
            let rms = (errors.iter().map(|e| e * e).sum::<f64>() / runs as f64).sqrt();
            // Three and a half standard errors of each, over so many runs.
            assert!(
                bias.abs() < 3.5 * STD_ERROR / (runs as f64).sqrt(),
                "{size}: {bias}"
            );
            assert!(
                rms < STD_ERROR * (1.0 + 3.5 / (2.0 * runs as f64).sqrt()),
                "{size}: {rms}"
            );
        }
    }

    #[test]
    fn a_value_that_comes_again_changes_the_total_only() {
        let once = of(3, 0..500);
        let mut twice = once.clone();
        twice.merge(&once).unwrap();
        assert_eq!(twice.registers, once.registers);
        assert_eq!((twice.total(), once.total()), (1000, 500));
        assert!(once.used() <= 500);
    }

    #[test]
    fn the_longest_run_of_zeros_has_a_place() {
        let mut distinct = Distinct::new(0);
        for hash in [0, u64::MAX, 1, 1 << TAIL_BITS] {
            distinct.add_hash(hash);
        }
        assert_eq!(distinct.registers[0], MOST);
        assert_eq!(distinct.registers[1], MOST);
        assert_eq!(distinct.registers[REGISTERS - 1], 1);
        assert_eq!(Distinct::from_bytes(&distinct.to_bytes()), Ok(distinct));
    }
}
