//! Which cells of scores hold one round number only.
//!
//! Scores that were rounded before they were answered tie, and a cell that does not know it leaves open how
//! such cases rank. So a cell remembers the score of its cases as long as it is one and has at most four
//! decimals: such a number says hardly more than the cell itself, and is no fingerprint of a case.

use crate::wire::codec::Malformed;

/// What is known of the scores of one cell.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Held {
    /// Several, or one that is not round.
    Several,
    /// One of this many ten-thousandths.
    One(u16),
}

/// Ten-thousandths of 1.
const PARTS: u16 = 10_000;
/// How a cell is kept in which nothing was counted yet.
const EMPTY: u16 = 0;
/// How [`Held::Several`] is kept. One of n parts is kept as n + 1.
const SEVERAL: u16 = u16::MAX;

/// Cells of pages that are made when something is counted there.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct RoundScores<const PAGE: usize> {
    pages: Vec<Option<Box<[u16; PAGE]>>>,
}

impl<const PAGE: usize> RoundScores<PAGE> {
    /// So many cells of which nothing is known.
    pub(super) fn new(cells: usize) -> Self {
        Self {
            pages: vec![None; cells.div_ceil(PAGE)],
        }
    }

    /// Takes the score of a case within 0 to 1.
    #[inline]
    pub(super) fn see(&mut self, cell: usize, score: f64) {
        let kept = self.kept(cell);
        match *kept {
            SEVERAL => {}
            EMPTY => *kept = round(score),
            one if is(one, score) => {}
            _ => *kept = SEVERAL,
        }
    }

    /// Takes what another summary knows of a cell.
    pub(super) fn join(&mut self, cell: usize, other: Held) {
        let other = match other {
            Held::Several => SEVERAL,
            Held::One(parts) => parts.saturating_add(1),
        };
        let kept = self.kept(cell);
        *kept = match *kept {
            EMPTY => other,
            same if same == other => same,
            _ => SEVERAL,
        };
    }

    /// What is known of a cell; several, of one in which nothing was counted.
    pub(super) fn get(&self, cell: usize) -> Held {
        let page = self.pages.get(cell / PAGE).and_then(Option::as_ref);
        match page.map_or(EMPTY, |page| page[cell % PAGE]) {
            EMPTY | SEVERAL => Held::Several,
            one => Held::One(one - 1),
        }
    }

    #[inline]
    fn kept(&mut self, cell: usize) -> &mut u16 {
        let page = self.pages[cell / PAGE].get_or_insert_with(|| Box::new([EMPTY; PAGE]));
        &mut page[cell % PAGE]
    }
}

impl Held {
    /// The score, if it is one.
    pub(super) fn score(self) -> Option<f64> {
        match self {
            Self::Several => None,
            Self::One(parts) => Some(f64::from(parts) / f64::from(PARTS)),
        }
    }

    /// As it is written: several as 0, one of n parts as n + 1.
    pub(super) fn written(self) -> u64 {
        match self {
            Self::Several => 0,
            Self::One(parts) => u64::from(parts) + 1,
        }
    }

    /// As it was written.
    pub(super) fn read(written: u64) -> Result<Self, Malformed> {
        let parts = written.checked_sub(1);
        let Some(parts) = parts else {
            return Ok(Self::Several);
        };
        u16::try_from(parts)
            .ok()
            .filter(|parts| *parts <= PARTS)
            .map(Self::One)
            .ok_or(Malformed::Value("score of a cell"))
    }
}

/// Whether a kept number of parts is this score, to the bit. The sign of zero does not matter.
#[inline]
fn is(kept: u16, score: f64) -> bool {
    let round = f64::from(kept - 1) / f64::from(PARTS);
    round.to_bits() == score.abs().to_bits()
}

/// How the first score of a cell is kept.
#[cold]
fn round(score: f64) -> u16 {
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a score within 0 to 1 times ten thousand"
    )]
    let kept = (score.abs() * f64::from(PARTS)).round() as u16 + 1;
    if is(kept, score) { kept } else { SEVERAL }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_round_score_is_remembered_and_nothing_else() {
        let told = |scores: &[f64]| {
            let mut cells = RoundScores::<4>::new(9);
            for score in scores {
                cells.see(6, *score);
            }
            cells.get(6)
        };
        assert_eq!(told(&[]), Held::Several);
        assert_eq!(told(&[0.37, 0.37]), Held::One(3700));
        assert_eq!(told(&[0.37, 0.3701, 0.37]), Held::Several);
        assert_eq!(told(&[0.370_01]), Held::Several);
        assert_eq!(told(&[1.0 / 3.0, 1.0 / 3.0]), Held::Several);
        assert_eq!(told(&[0.37_f64.next_up()]), Held::Several);
        assert_eq!(told(&[f64::from(0.37_f32)]), Held::Several);
        assert_eq!(told(&[0.0, -0.0]), Held::One(0));
        assert_eq!(told(&[1.0]), Held::One(10_000));
    }

    #[test]
    fn every_decimal_of_four_digits_is_found_again() {
        for parts in 0..=PARTS {
            let score: f64 = format!("{parts}e-4").parse().unwrap();
            let mut cells = RoundScores::<4>::new(1);
            cells.see(0, score);
            cells.see(0, score);
            assert_eq!(cells.get(0), Held::One(parts));
            assert_eq!(
                cells.get(0).score().map(f64::to_bits),
                Some(score.to_bits())
            );
            let written = cells.get(0).written();
            assert_eq!(Held::read(written), Ok(Held::One(parts)));
        }
        assert_eq!(Held::read(0), Ok(Held::Several));
        assert!(Held::read(10_002).is_err());
    }

    #[test]
    fn what_is_joined_does_not_depend_on_the_order() {
        let kinds = [Held::Several, Held::One(5), Held::One(6)];
        for a in kinds {
            for b in kinds {
                let joined = |first, second| {
                    let mut cells = RoundScores::<4>::new(1);
                    cells.join(0, first);
                    cells.join(0, second);
                    cells.get(0)
                };
                assert_eq!(joined(a, b), joined(b, a));
                assert_eq!(joined(a, b), if a == b { a } else { Held::Several });
            }
        }
    }
}
