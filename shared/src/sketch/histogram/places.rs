//! Where exactly the cells of a histogram begin: the smallest number that is counted in each.
//!
//! The nominal edge of a cell can differ from that by the rounding of one subtraction. Since moving
//! and scaling never change the order of two numbers, each cell holds all numbers from its first one
//! up to the first one of the next cell, and that is found by bisection over the floats.

use super::{FAR, FIRST_EXPONENT, Histogram, NEAR, OCTAVES, joined_key};
use crate::sketch::wide::power_of_two;

impl Histogram {
    /// Ascending places v with how many values of the one and of the other are below v: the first
    /// number of each cell in which either has values, and of the cell after it. None if the two have
    /// another centre or scale.
    pub fn common_places(&self, other: &Self) -> Option<Vec<(f64, u64, u64)>> {
        let same_cells = self.center.to_bits() == other.center.to_bits()
            && self.scale_exponent == other.scale_exponent;
        if !same_cells {
            return None;
        }
        let k = self.k.min(other.k);
        let (mine, theirs) = (self.joined_to(k), other.joined_to(k));
        let mut keys: Vec<i32> = mine.iter().chain(&theirs).map(|(key, _)| *key).collect();
        keys.sort_unstable();
        keys.dedup();
        let (mut mine, mut theirs) = (Below::new(&mine), Below::new(&theirs));
        let mut places: Vec<(f64, u64, u64)> = Vec::with_capacity(2 * keys.len());
        for key in keys {
            for key in [key, key + 1] {
                let first = self.first_number(key, k);
                let counts = (mine.up_to(key), theirs.up_to(key));
                if first.is_finite() && places.last().is_none_or(|last| last.0 < first) {
                    places.push((first, counts.0, counts.1));
                }
            }
        }
        Some(places)
    }

    /// Key and count of every cell that is not empty, after joining neighbours down to `k`.
    fn joined_to(&self, k: u32) -> Vec<(i32, u64)> {
        let mut joined: Vec<(i32, u64)> = Vec::new();
        for (key, count) in self.entries() {
            let key = joined_key(key, self.k - k);
            match joined.last_mut() {
                Some(last) if last.0 == key => last.1 += count,
                Some(_) | None => joined.push((key, count)),
            }
        }
        joined
    }

    /// The key of the cell in which a finite number is counted at a resolution.
    fn key_of(&self, x: f64, k: u32) -> i32 {
        let moved = (x - self.center) * power_of_two(-self.scale_exponent);
        let size = moved.abs();
        let key = if size < NEAR {
            0
        } else if size >= FAR {
            (OCTAVES << k) as i32 + 1
        } else {
            let bits = size.to_bits();
            let octave = ((bits >> 52) - FIRST_EXPONENT) as i32;
            let step = ((bits >> (52 - k)) & ((1 << k) - 1)) as i32;
            (octave << k) + step + 1
        };
        if moved < 0.0 { -key } else { key }
    }

    /// The smallest finite number whose cell has at least this key; infinity if there is none.
    fn first_number(&self, key: i32, k: u32) -> f64 {
        let reaches = |x: f64| self.key_of(x, k) >= key;
        if !reaches(f64::MAX) {
            return f64::INFINITY;
        }
        // Mostly the nominal edge or one of its neighbours.
        let nominal = self.center + self.edge_below(key, k);
        if nominal.is_finite() {
            for x in [nominal, nominal.next_up()] {
                if reaches(x) && !reaches(x.next_down()) {
                    return x;
                }
            }
        }
        let (mut below, mut at) = (order(f64::MIN), order(f64::MAX));
        if reaches(f64::MIN) {
            return f64::MIN;
        }
        while below + 1 < at {
            let middle = below + (at - below) / 2;
            if reaches(number(middle)) {
                at = middle;
            } else {
                below = middle;
            }
        }
        // Turns negative zero into zero, which is the same number.
        number(at) + 0.0
    }

    /// The nominal lower edge of a cell as distance from the centre.
    fn edge_below(&self, key: i32, k: u32) -> f64 {
        let scale = power_of_two(self.scale_exponent);
        let outward = |index: i32| {
            let octave = (index >> k) as u64;
            let step = (index & ((1 << k) - 1)) as u64;
            f64::from_bits(((FIRST_EXPONENT + octave) << 52) | (step << (52 - k))) * scale
        };
        match key {
            1.. => outward(key - 1),
            ..=0 => (-outward(-key)).next_up(),
        }
    }
}

/// Running count of the values in cells before a key.
struct Below<'a> {
    cells: &'a [(i32, u64)],
    count: u64,
}

impl<'a> Below<'a> {
    const fn new(cells: &'a [(i32, u64)]) -> Self {
        Self { cells, count: 0 }
    }

    /// Values in cells with a smaller key. Keys must be asked for in ascending order, each at most
    /// once again.
    fn up_to(&mut self, key: i32) -> u64 {
        while let Some(((first, count), rest)) = self.cells.split_first() {
            if *first >= key {
                break;
            }
            self.count += count;
            self.cells = rest;
        }
        self.count
    }
}

/// The floats in ascending order as integers.
const fn order(x: f64) -> i128 {
    let bits = x.to_bits() as i64;
    (if bits < 0 {
        i64::MIN.wrapping_sub(bits)
    } else {
        bits
    }) as i128
}

/// The float of a place in that order.
const fn number(order: i128) -> f64 {
    let order = order as i64;
    let bits = if order < 0 {
        i64::MIN.wrapping_sub(order)
    } else {
        order
    };
    f64::from_bits(bits as u64)
}

#[cfg(test)]
#[expect(
    clippy::float_cmp,
    reason = "the first number of a cell is exact: equal to the bit or wrong"
)]
mod tests {
    use super::*;

    fn random(state: &mut u64) -> u64 {
        *state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        *state >> 11
    }

    #[test]
    fn every_number_lies_between_the_places_of_its_cell() {
        let mut state = 7;
        for (center, scale) in [
            (0.0, 0),
            (21904.0, 14),
            (-1e9, -20),
            (0.52, 0),
            (1.0, -30),
            (3.3, 1000),
        ] {
            let empty = Histogram::new(center, scale).unwrap();
            for _ in 0..300 {
                let octave = (random(&mut state) % 36) as i32 - 14;
                let unit = random(&mut state) as f64 / (1_u64 << 53) as f64;
                let away = (1.0 + (unit * 32.0).floor() / 32.0) * power_of_two(octave);
                let sign = if random(&mut state).is_multiple_of(2) {
                    1.0
                } else {
                    -1.0
                };
                let edge = center + sign * away * power_of_two(scale.min(900));
                // At a nominal edge and beside it, where rounding decides.
                for x in [edge, edge.next_up(), edge.next_down(), edge + unit * edge] {
                    let mut single = empty.clone();
                    single.add(x);
                    let places = single.common_places(&empty).unwrap();
                    let (first, next) = (places[0], places.get(1));
                    assert!(
                        first.0 <= x && first.1 == 0,
                        "{x} of {center} in {places:?}"
                    );
                    assert!(
                        next.is_none_or(|next| x < next.0 && next.1 == 1),
                        "{x} in {places:?}"
                    );
                }
            }
        }
    }

    #[test]
    fn places_are_the_first_numbers_of_their_cells() {
        let mut state = 11;
        for (center, scale) in [(21904.0, 14), (-1e9, -20), (0.52, 0), (1.0, -30)] {
            let histogram = Histogram::new(center, scale).unwrap();
            for _ in 0..2000 {
                let k = 4 + (random(&mut state) % 2) as u32;
                let end = (OCTAVES << k) as i32 + 1;
                let key = (random(&mut state) % (2 * end as u64 + 1)) as i32 - end;
                let first = histogram.first_number(key, k);
                assert!(histogram.key_of(first, k) >= key);
                assert!(first == f64::MIN || histogram.key_of(first.next_down(), k) < key);
            }
        }
    }
}
