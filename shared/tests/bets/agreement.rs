//! Bets on kappa and on correlations: what their arcs promise in rational arithmetic (T2), and the
//! expectation of `e^gain` by enumerating every table of a block (T3), at laws as near to the edge as
//! whole numbers allow.

use clause9_shared::bet::agreement::{AgreementBet, Arc, KINDS};
use clause9_shared::bet::{Agreement, AgreementBets};
use clause9_shared::objective::document::Comparator;
use num_bigint::BigInt;
use num_rational::BigRational;
use num_traits::{One, Signed, Zero};

use crate::rational::{self, exact};

const SIDES: [Comparator; 2] = [Comparator::AtLeast, Comparator::AtMost];

/// Of each kind of pair: wrong cases, crosswise disagreements, whether labels and decisions differ.
const PAIRS: [[i64; 4]; KINDS] = [
    [0, 0, 0, 0],
    [0, 2, 1, 1],
    [1, 1, 0, 1],
    [1, 1, 1, 0],
    [1, 2, 1, 1],
    [2, 0, 1, 1],
    [2, 1, 1, 1],
    [2, 2, 0, 0],
    [2, 2, 0, 1],
    [2, 2, 1, 0],
    [2, 2, 1, 1],
];

fn whole(x: i64) -> BigRational {
    BigRational::from_integer(BigInt::from(x))
}

/// Twice the loss of a pair, exactly.
fn twice_the_loss(bets: &AgreementBets, arc: &Arc, pair: [i64; 4]) -> BigRational {
    let (level, ratio) = (exact(arc.level), exact(arc.ratio));
    let [wrong, crossed, labels, decisions] = pair.map(whole);
    let short = match bets.measure {
        Agreement::Kappa => wrong - (BigRational::one() - level) * crossed,
        Agreement::Correlation => level * (&ratio * labels + decisions / ratio) - (crossed - wrong),
    };
    match bets.comparator {
        Comparator::AtLeast => short,
        Comparator::AtMost => -short,
    }
}

/// Whether an arc's level is low enough at a ratio: `2 t x r >= level (x^2 + r^2)`.
fn holds(arc: &Arc, level: &BigRational, at: &BigRational) -> bool {
    let ratio = exact(arc.ratio);
    exact(arc.level).abs() * (at * at + &ratio * &ratio) <= whole(2) * level * at * ratio
}

/// Whether every ratio of a law with the correlation has an arc: the ratios at which one holds are an
/// interval, and the intervals meet.
fn covered(bet: &AgreementBet, level: &BigRational) -> bool {
    let meet = bet.arcs.windows(2).all(|pair| {
        let between = exact((pair[0].ratio * pair[1].ratio).sqrt());
        pair.iter().all(|arc| holds(arc, level, &between))
    });
    let (first, last) = (bet.arcs.first().unwrap(), bet.arcs.last().unwrap());
    meet && holds(first, level, level) && holds(last, level, &(BigRational::one() / level))
}

#[test]
fn t2_pairs_pay_no_more_than_their_certificates_and_arcs_cover_every_ratio() {
    let mut unions = 0;
    for percent in [-90, -50, -8, 0, 1, 10, 30, 60, 75, 99] {
        let level = f64::from(percent) / 100.0;
        for comparator in SIDES {
            for measure in [Agreement::Kappa, Agreement::Correlation] {
                let bets = AgreementBets::new(measure, level, comparator).unwrap();
                assert!(bets.certified());
                for bet in &bets.bets {
                    for arc in &bet.arcs {
                        for (payoff, pair) in arc.payoffs.iter().zip(PAIRS) {
                            let loss = twice_the_loss(&bets, arc, pair) / whole(2);
                            let most = BigRational::one() + exact(arc.multiplier) * loss;
                            assert!(
                                rational::exp_up(i128::from(*payoff)) <= rational::down(&most),
                                "{measure:?} {comparator:?} {level} {pair:?}"
                            );
                        }
                    }
                    let union = match comparator {
                        Comparator::AtLeast => level > 0.0,
                        Comparator::AtMost => level < 0.0,
                    };
                    if union && measure == Agreement::Correlation {
                        assert!(covered(bet, &exact(level).abs()), "{comparator:?} {level}");
                        unions += 1;
                    } else {
                        assert_eq!(bet.arcs.len(), 1);
                    }
                }
            }
        }
    }
    assert_eq!(unions, 10 * 6 - 6);
}

/// Whether a law, given by whole weights, conforms; exactly.
fn conforms(bets: &AgreementBets, weights: &[u64]) -> bool {
    let classes = weights.len().isqrt();
    let at = |i: usize, j: usize| BigInt::from(weights[i * classes + j]);
    let sum = |of: &dyn Fn(usize) -> BigInt| (0..classes).map(of).sum::<BigInt>();
    let all: BigInt = weights.iter().map(|w| BigInt::from(*w)).sum();
    let right = sum(&|i| at(i, i));
    let label = |i: usize| sum(&|j| at(i, j));
    let decision = |j: usize| sum(&|i| at(i, j));
    let by_chance = sum(&|i| label(i) * decision(i));
    let square = &all * &all;
    let level = exact(bets.level);
    let rational = BigRational::from_integer;
    // Less than nothing where agreement is short of the level.
    let beyond = match bets.measure {
        Agreement::Kappa => {
            let chance = rational(&square - &by_chance);
            (BigRational::one() - level) * chance - rational(&all * (&all - right))
        }
        Agreement::Correlation => {
            let covariance = rational(&all * right - by_chance);
            let labels = rational(&square - sum(&|i| label(i) * label(i)));
            let decisions = rational(&square - sum(&|i| decision(i) * decision(i)));
            if labels.is_zero() || decisions.is_zero() {
                return false;
            }
            let signed = |x: BigRational| if x.is_negative() { -(&x * &x) } else { &x * &x };
            signed(covariance) - signed(level) * labels * decisions
        }
    };
    match bets.comparator {
        Comparator::AtLeast => !beyond.is_negative(),
        Comparator::AtMost => !beyond.is_positive(),
    }
}

/// Steele, Lea and Flood's `SplitMix64`.
struct Random(u64);

impl Random {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        (z ^ (z >> 31)) % bound
    }
}

/// A law that conforms, just: right (or wrong) cases are added until it does.
fn on_the_edge(bets: &AgreementBets, random: &mut Random, classes: usize) -> Option<Vec<u64>> {
    let weights: Vec<u64> = (0..classes * classes).map(|_| random.below(1000)).collect();
    let more = |added: u64| -> Vec<u64> {
        let cells = weights.iter().enumerate();
        let grows = |at: usize| match bets.comparator {
            Comparator::AtLeast => at / classes == at % classes,
            Comparator::AtMost => (at / classes + 1) % classes == at % classes,
        };
        cells
            .map(|(at, w)| w + if grows(at) { added * (1 + w / 10) } else { 0 })
            .collect()
    };
    let (mut low, mut high) = (0_u64, 1 << 16);
    if !conforms(bets, &more(high)) {
        return None;
    }
    while high - low > 1 {
        let middle = low.midpoint(high);
        if conforms(bets, &more(middle)) {
            high = middle;
        } else {
            low = middle;
        }
    }
    Some(more(high))
}

/// Every table of so many cases.
fn tables(cells: usize, cases: u64) -> Vec<Vec<u64>> {
    if cells == 1 {
        return vec![vec![cases]];
    }
    let first = |own: u64| {
        let rest = tables(cells - 1, cases - own).into_iter();
        rest.map(move |rest| std::iter::once(own).chain(rest).collect())
    };
    (0..=cases).flat_map(first).collect()
}

/// How often a table comes up among so many cases of a law, times the power of the law's sum.
fn chance(table: &[u64], weights: &[u64]) -> BigInt {
    let mut placed = 0_u64;
    let mut product = BigInt::one();
    for (count, weight) in table.iter().zip(weights) {
        for k in 1..=*count {
            placed += 1;
            // Each product so far is a multinomial coefficient, so the division leaves nothing.
            product = product * placed / k;
        }
        product *= BigInt::from(*weight).pow(u32::try_from(*count).unwrap());
    }
    product
}

fn no_law_gains(bets: &AgreementBets, classes: usize, cases: u64, laws: u32) {
    let tables = tables(classes * classes, cases);
    let raised: Vec<Vec<BigInt>> = tables
        .iter()
        .map(|table| {
            let gains = bets.gains(table).unwrap().into_iter();
            gains
                .map(|gain| rational::exp_up(i128::from(gain)))
                .collect()
        })
        .collect();
    let mut random = Random(cases + 7 * classes as u64);
    let mut seen = 0;
    while seen < laws {
        let Some(weights) = on_the_edge(bets, &mut random, classes) else {
            continue;
        };
        seen += 1;
        let all: BigInt = weights.iter().map(|w| BigInt::from(*w)).sum();
        let total = all.pow(u32::try_from(cases).unwrap()) * rational::one();
        let chances: Vec<BigInt> = tables.iter().map(|table| chance(table, &weights)).collect();
        for bet in 0..bets.bets.len() {
            let paid: BigInt = chances.iter().zip(&raised).map(|(q, e)| q * &e[bet]).sum();
            assert!(
                paid <= total,
                "{:?} {weights:?} {cases} {bet}",
                bets.comparator
            );
        }
    }
}

#[test]
fn t3_no_law_on_the_edge_gains_on_blocks_of_two_to_nine_cases() {
    for (level, comparator) in [
        (0.6, Comparator::AtLeast),
        (0.1, Comparator::AtLeast),
        (0.3, Comparator::AtMost),
        (-0.2, Comparator::AtMost),
    ] {
        for measure in [Agreement::Kappa, Agreement::Correlation] {
            let bets = AgreementBets::new(measure, level, comparator).unwrap();
            no_law_gains(&bets, 2, 2, 200);
            no_law_gains(&bets, 2, 3, 60);
            no_law_gains(&bets, 2, 8, 20);
            no_law_gains(&bets, 2, 9, 20);
        }
    }
    for measure in [Agreement::Kappa, Agreement::Correlation] {
        let bets = AgreementBets::new(measure, 0.5, Comparator::AtLeast).unwrap();
        no_law_gains(&bets, 3, 2, 60);
        no_law_gains(&bets, 3, 4, 6);
    }
}

#[test]
fn t3_the_enumeration_finds_a_bet_that_pays_too_much() {
    let mut bets = AgreementBets::new(Agreement::Kappa, 0.6, Comparator::AtLeast).unwrap();
    // As if the level were 0.7.
    let other = AgreementBets::new(Agreement::Kappa, 0.7, Comparator::AtLeast).unwrap();
    bets.bets = other.bets;
    assert!(!bets.certified());
    let found = std::panic::catch_unwind(|| no_law_gains(&bets, 2, 8, 20));
    assert!(found.is_err());
}
