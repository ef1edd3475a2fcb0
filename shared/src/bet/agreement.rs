//! Bets on Cohen's kappa and on the correlation of label and decision (Matthews; Gorodkin among
//! several classes), from pairs of cases. Exact at any number of cases, where those of a block are
//! drawn alike.
//!
//! Neither measure is a ratio of sums over single cases, but what chance alone would give is a share
//! of *pairs*: how often the label of one case is not the decision of another. So "conforms" is "the
//! mean of a function h of a pair is at most 0":
//!
//! - kappa at least t: the share of wrong decisions is at most 1 - t times the share of pairs that
//!   disagree crosswise.
//! - correlation at least t: the covariance C is at least t sqrt(A B), with A and B the shares of pairs
//!   whose labels, and whose decisions, differ. The root is the least of `(r A + B / r) / 2` over all
//!   r > 0, reached where r is `sqrt(B / A)`: for one known r it is a mean over pairs again.
//!
//! Match the cases of a block in pairs at random: the pairs are independent, each pays
//! `ln(1 + lambda h)`. The mean over all matchings of what they pay is a sum over all pairs of counts,
//! and by Jensen's inequality it pays no more than bets on one matching do.
//!
//! r is not known. Where the level is to be reached (at least t > 0), the conforming laws are the union
//! over r of half-spaces of pairs, and an [`AgreementBet`] is the *least* of its arcs: whatever r is, one
//! of them is fair. A finite number of arcs is enough: C is at most the smaller of A and B, so that r lies
//! between t and 1/t, and an arc at r with a level a little below t holds for its neighbours too,
//! `2 t x r >= level (x^2 + r^2)`. Where the level is not to be exceeded, the conforming laws lie in
//! every one of the half-spaces and each arc is a bet of its own.

use serde::{Deserialize, Serialize};

use super::{NoBet, fixed};
use crate::objective::document::Comparator;

/// Strengths, as shares of the largest that leaves every pair something.
const STRENGTHS: [f64; 6] = [0.02, 0.05, 0.12, 0.3, 0.6, 0.9];
/// Strengths where each has several ratios to be bet on at.
const FEW_STRENGTHS: [f64; 4] = [0.05, 0.12, 0.3, 0.6];
/// Ratios that are bet on where every one is fair.
const RATIOS: [f64; 3] = [0.5, 1.0, 2.0];
/// Half of an arc, in the logarithm of the ratio: it costs a thousandth of the level.
const HALF_ARC: f64 = 0.05;
/// Most arcs of a bet.
const MAX_ARCS: f64 = 64.0;
/// What an arc's level is shortened by for the rounding of its computation.
const SHORTENED: f64 = 1.0 - 1e-9;
/// Most cases of a block: beyond, pairs times payoffs would not fit an integer.
pub const MAX_CASES: u64 = 1 << 44;

/// A ratio r and the level at it.
type Ratio = (f64, f64);

/// What agrees with what.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Agreement {
    /// Cohen's kappa.
    Kappa,
    /// The correlation of label and decision.
    Correlation,
}

/// What a pair of cases can be, as far as either measure asks.
#[derive(Clone, Copy, Debug)]
struct Pair {
    /// Cases decided wrong.
    wrong: u8,
    /// Cases whose label is not the other's decision.
    crossed: u8,
    /// Whether the labels differ.
    labels: bool,
    /// Whether the decisions differ.
    decisions: bool,
}

/// How many kinds of pairs there are.
pub const KINDS: usize = 11;

const fn pair(wrong: u8, crossed: u8, labels: bool, decisions: bool) -> Pair {
    Pair {
        wrong,
        crossed,
        labels,
        decisions,
    }
}

/// The kinds of pairs, in the order of payoffs.
const PAIRS: [Pair; KINDS] = [
    // Both right: of one class, of two.
    pair(0, 0, false, false),
    pair(0, 2, true, true),
    // One right, the other wrong: of the same label, of the same decision, of neither.
    pair(1, 1, false, true),
    pair(1, 1, true, false),
    pair(1, 2, true, true),
    // Both wrong: each is labelled as the other was decided; one is; none is, and then of the same
    // label and decision, of the same label, of the same decision, of neither.
    pair(2, 0, true, true),
    pair(2, 1, true, true),
    pair(2, 2, false, false),
    pair(2, 2, false, true),
    pair(2, 2, true, false),
    pair(2, 2, true, true),
];

/// What pairs pay, and why that is fair.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Arc {
    /// The ratio r; kappa has none, and 1 stands there.
    pub ratio: f64,
    /// The level at this ratio.
    pub level: f64,
    /// The factor lambda.
    pub multiplier: f64,
    /// What a pair of each kind pays, in 2^-32 nats: at most `ln(1 + lambda h)`.
    #[serde(with = "fixed::exact_list")]
    pub payoffs: Vec<i64>,
}

/// One bet: it pays what the least of its arcs pays.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct AgreementBet {
    /// The arcs, by ascending ratio. Together they cover every ratio that a conforming law can have; a
    /// single one is fair at every ratio.
    pub arcs: Vec<Arc>,
}

/// Bets against a level of kappa or of a correlation.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct AgreementBets {
    /// The measure.
    pub measure: Agreement,
    /// The level.
    pub level: f64,
    /// Which side of it is good.
    pub comparator: Comparator,
    /// The bets.
    pub bets: Vec<AgreementBet>,
}

impl Pair {
    /// The function h, whose mean over pairs is at most 0 if the objective is kept.
    fn loss(self, measure: Agreement, comparator: Comparator, level: f64, ratio: f64) -> f64 {
        let (wrong, crossed) = (f64::from(self.wrong), f64::from(self.crossed));
        let short = match measure {
            Agreement::Kappa => wrong - (1.0 - level) * crossed,
            Agreement::Correlation => {
                let labels = f64::from(u8::from(self.labels));
                let decisions = f64::from(u8::from(self.decisions));
                level * (ratio * labels + decisions / ratio) - (crossed - wrong)
            }
        };
        match comparator {
            Comparator::AtLeast => 0.5 * short,
            Comparator::AtMost => -0.5 * short,
        }
    }
}

impl AgreementBets {
    /// Bets against a level strictly between -1 and 1.
    pub fn new(measure: Agreement, level: f64, comparator: Comparator) -> Result<Self, NoBet> {
        if !(level > -1.0 && level < 1.0) {
            return Err(NoBet(format!(
                "level {level}: an agreement lies between -1 and 1; set the level to the one that is \
                 tolerated, as 0.6"
            )));
        }
        let mut found = Self {
            measure,
            level,
            comparator,
            bets: Vec::new(),
        };
        let (strengths, choices): (&[f64], Vec<Vec<Ratio>>) = match measure {
            Agreement::Kappa => (&STRENGTHS, vec![vec![(1.0, level)]]),
            Agreement::Correlation if found.is_union() => (&STRENGTHS, vec![cover(level)]),
            Agreement::Correlation => (
                &FEW_STRENGTHS,
                RATIOS.map(|ratio| vec![(ratio, level)]).to_vec(),
            ),
        };
        for arcs in &choices {
            for strength in strengths {
                let arcs: Option<Vec<Arc>> = arcs
                    .iter()
                    .map(|(ratio, level)| found.arc(*ratio, *level, *strength))
                    .collect();
                found.bets.extend(arcs.map(|arcs| AgreementBet { arcs }));
            }
        }
        if found.bets.is_empty() {
            return Err(NoBet(format!(
                "level {level}: it can never be broken; set a level between what the metric can be"
            )));
        }
        Ok(found)
    }

    /// Whether the conforming laws are a union over the ratios, not an intersection.
    fn is_union(&self) -> bool {
        match (self.measure, self.comparator) {
            (Agreement::Kappa, _) => false,
            (Agreement::Correlation, Comparator::AtLeast) => self.level > 0.0,
            (Agreement::Correlation, Comparator::AtMost) => self.level < 0.0,
        }
    }

    fn losses(&self, level: f64, ratio: f64) -> [f64; KINDS] {
        PAIRS.map(|pair| pair.loss(self.measure, self.comparator, level, ratio))
    }

    /// An arc of a strength. Nothing if no pair would win, or none lose.
    fn arc(&self, ratio: f64, level: f64, strength: f64) -> Option<Arc> {
        let losses = self.losses(level, ratio);
        let least = losses.iter().copied().fold(0.0, f64::min);
        let most = losses.iter().copied().fold(0.0, f64::max);
        let multiplier = (least < 0.0 && most > 0.0).then_some(-strength / least)?;
        let pays = |loss: &f64| fixed::payoff(libm::log1p(multiplier * loss));
        Some(Arc {
            ratio,
            level,
            multiplier,
            payoffs: losses.iter().map(pays).collect(),
        })
    }

    /// What each bet gains on the counts of a square table, label by label, in 2^-32 nats. Nothing if
    /// there are no cases, more than [`MAX_CASES`], or the table is not square.
    pub fn gains(&self, counts: &[u64]) -> Option<Vec<i64>> {
        let (pairs, cases) = pairs_of(counts)?;
        // Of an odd number, one case drawn at random stays alone.
        let share = i128::from(if cases % 2 == 0 { cases - 1 } else { cases });
        let paid = |arc: &Arc| -> i64 {
            let sum: i128 = arc
                .payoffs
                .iter()
                .zip(&pairs)
                .map(|(payoff, pairs)| i128::from(*payoff) * pairs)
                .sum();
            fixed::saturate(sum.div_euclid(share))
        };
        let least = |bet: &AgreementBet| bet.arcs.iter().map(paid).min().unwrap_or(0);
        Some(self.bets.iter().map(least).collect())
    }

    /// Whether every bet is fair by its arcs, to within the rounding of this check.
    pub fn certified(&self) -> bool {
        self.bets.iter().all(|bet| {
            let fair = |arc: &Arc| {
                let losses = self.losses(arc.level, arc.ratio);
                let pays = losses.map(|loss| fixed::payoff(libm::log1p(arc.multiplier * loss)));
                arc.payoffs.len() == KINDS
                    && arc.multiplier >= 0.0
                    && arc
                        .payoffs
                        .iter()
                        .zip(pays)
                        .all(|(payoff, most)| *payoff <= most)
            };
            let covered = if self.is_union() {
                covers(&bet.arcs, self.level)
            } else {
                bet.arcs.len() == 1
                    && bet
                        .arcs
                        .iter()
                        .all(|arc| arc.level.to_bits() == self.level.to_bits())
            };
            covered && bet.arcs.iter().all(fair)
        })
    }
}

/// Ratios with their levels, such that every ratio of a law of this correlation is near one.
fn cover(level: f64) -> Vec<Ratio> {
    let reach = -libm::log(level.abs());
    let arcs = (reach / HALF_ARC).ceil().clamp(1.0, MAX_ARCS);
    let half = reach / arcs;
    let level = SHORTENED * level / libm::cosh(half);
    let mut found = Vec::new();
    let mut at = half - reach;
    while at < reach {
        found.push((libm::exp(at), level));
        at += 2.0 * half;
    }
    found
}

/// Whether arcs hold for every ratio from |level| to 1/|level|.
fn covers(arcs: &[Arc], level: f64) -> bool {
    let level = level.abs();
    let holds = |arc: &Arc, ratio: f64| {
        arc.level.abs() * (ratio * ratio + arc.ratio * arc.ratio) <= 2.0 * level * ratio * arc.ratio
    };
    let ends = [(arcs.first(), level), (arcs.last(), 1.0 / level)];
    let meet = |pair: &[Arc]| {
        let between = (pair[0].ratio * pair[1].ratio).sqrt();
        pair.iter().all(|arc| holds(arc, between))
    };
    let at_end = |(arc, end): (Option<&Arc>, f64)| arc.is_some_and(|arc| holds(arc, end));
    ends.into_iter().all(at_end) && arcs.windows(2).all(meet)
}

/// How many pairs of each kind there are among the cases of a square table, and how many cases.
fn pairs_of(counts: &[u64]) -> Option<([i128; KINDS], u64)> {
    let classes = counts.len().isqrt();
    let cases = counts
        .iter()
        .try_fold(0_u64, |sum, c| sum.checked_add(*c))?;
    if classes < 2 || classes * classes != counts.len() || !(1..=MAX_CASES).contains(&cases) {
        return None;
    }
    let at = |label: usize, decision: usize| i128::from(counts[label * classes + decision]);
    let among = |n: i128| n * (n - 1) / 2;
    let mut found = [0_i128; KINDS];
    let (mut right, mut wrong, mut chains) = (0, 0, 0);
    for i in 0..classes {
        let others = (0..classes).filter(|j| *j != i);
        let hit = at(i, i);
        let (mut by_label, mut by_decision) = (0, 0);
        for j in others {
            by_label += at(i, j);
            by_decision += at(j, i);
            found[7] += among(at(i, j));
            // Each two cells that mirror each other come up twice.
            found[5] += at(i, j) * at(j, i);
        }
        right += hit;
        wrong += by_label;
        found[0] += among(hit);
        found[2] += hit * by_label;
        found[3] += hit * by_decision;
        found[8] += among(by_label);
        found[9] += among(by_decision);
        chains += by_label * by_decision;
    }
    found[5] /= 2;
    found[1] = among(right) - found[0];
    found[4] = right * wrong - found[2] - found[3];
    // Cells that mirror each other are a chain from either end.
    found[6] = chains - 2 * found[5];
    found[8] -= found[7];
    found[9] -= found[7];
    found[10] = among(wrong) - found[5..10].iter().sum::<i128>();
    Some((found, cases))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Kinds of pairs by looking at every pair of cases.
    fn by_hand(counts: &[u64]) -> [i128; KINDS] {
        let classes = counts.len().isqrt();
        let cases: Vec<(usize, usize)> = (0..counts.len())
            .flat_map(|cell| {
                let case = (cell / classes, cell % classes);
                std::iter::repeat_n(case, usize::try_from(counts[cell]).unwrap())
            })
            .collect();
        let mut found = [0; KINDS];
        for (i, a) in cases.iter().enumerate() {
            for b in &cases[..i] {
                let count = |one: bool, two: bool| u8::from(one) + u8::from(two);
                let is = (
                    count(a.0 != a.1, b.0 != b.1),
                    count(a.0 != b.1, b.0 != a.1),
                    a.0 != b.0,
                    a.1 != b.1,
                );
                let kind = PAIRS
                    .iter()
                    .position(|p| (p.wrong, p.crossed, p.labels, p.decisions) == is);
                found[kind.unwrap()] += 1;
            }
        }
        found
    }

    proptest! {
        #[test]
        fn pairs_are_counted_from_the_table_as_from_the_cases(
            counts in prop_oneof![
                prop::collection::vec(0_u64..6, 4),
                prop::collection::vec(0_u64..4, 9),
                prop::collection::vec(0_u64..3, 16),
            ]
        ) {
            prop_assume!(counts.iter().sum::<u64>() > 0);
            let (pairs, _) = pairs_of(&counts).unwrap();
            prop_assert_eq!(pairs, by_hand(&counts));
        }
    }

    #[test]
    fn every_level_has_certified_bets_and_a_small_cover() {
        for hundredths in -99_i32..=99 {
            let level = f64::from(hundredths) / 100.0;
            for comparator in [Comparator::AtLeast, Comparator::AtMost] {
                for measure in [Agreement::Kappa, Agreement::Correlation] {
                    let bets = AgreementBets::new(measure, level, comparator).unwrap();
                    assert!(bets.certified(), "{measure:?} {comparator:?} {level}");
                    assert!(bets.bets.iter().all(|bet| bet.arcs.len() <= 64));
                }
            }
        }
        let tiny = AgreementBets::new(Agreement::Correlation, 1e-9, Comparator::AtLeast).unwrap();
        assert!(tiny.certified());
    }

    #[test]
    fn what_was_tampered_with_is_not_certified() {
        let of =
            |level| AgreementBets::new(Agreement::Correlation, level, Comparator::AtLeast).unwrap();
        let mut dearer = of(0.6);
        dearer.bets[2].arcs[3].payoffs[5] += 1;
        assert!(!dearer.certified());
        let mut fewer = of(0.6);
        fewer.bets[0].arcs.remove(4);
        assert!(!fewer.certified());
        let mut higher = of(0.6);
        higher.level = 0.55;
        assert!(!higher.certified());
    }

    #[test]
    fn a_breach_gains_and_agreement_does_not() {
        for measure in [Agreement::Kappa, Agreement::Correlation] {
            let bets = AgreementBets::new(measure, 0.6, Comparator::AtLeast).unwrap();
            let gains = |counts: [u64; 4]| bets.gains(&counts).unwrap();
            // Both measures are 0.4, and 0.8.
            assert!(
                gains([350, 150, 150, 350])
                    .iter()
                    .any(|g| *g > 8 * fixed::ONE)
            );
            assert!(gains([450, 50, 50, 450]).iter().all(|g| *g < 0));
            let most = AgreementBets::new(measure, 0.6, Comparator::AtMost).unwrap();
            let gains = |counts: [u64; 4]| most.gains(&counts).unwrap();
            assert!(
                gains([450, 50, 50, 450])
                    .iter()
                    .any(|g| *g > 8 * fixed::ONE)
            );
            assert!(gains([350, 150, 150, 350]).iter().all(|g| *g < 0));
        }
    }

    #[test]
    fn one_case_says_nothing_and_no_table_is_no_sample() {
        let bets = AgreementBets::new(Agreement::Kappa, 0.6, Comparator::AtLeast).unwrap();
        assert!(bets.gains(&[0, 1, 0, 0]).unwrap().iter().all(|g| *g == 0));
        for counts in [&[0, 0, 0, 0][..], &[1, 2, 3], &[5], &[u64::MAX, 1, 0, 0]] {
            assert_eq!(bets.gains(counts), None);
        }
        assert_eq!(bets.gains(&[MAX_CASES, 1, 0, 0]), None);
        assert!(bets.gains(&[MAX_CASES / 2, 0, MAX_CASES / 2, 0]).is_some());
    }

    #[test]
    fn levels_beyond_the_measures_range_are_refused_with_advice() {
        for level in [1.0, -1.0, f64::NAN, 3.0] {
            let none = AgreementBets::new(Agreement::Kappa, level, Comparator::AtLeast);
            assert!(none.unwrap_err().0.contains("as 0.6"));
        }
    }
}
