//! The four-fifths rule with 170 and 30 cases a window, after 200 good windows where it is broken.

use clause9_shared::bet::two_groups::gains;
use clause9_shared::bet::{RateSums, RatioBets};
use clause9_shared::objective::document::Comparator;

use super::ledgers::{Followed, thresholds};
use super::random::{Random, binomial_law};
use super::table::{Collected, Kind, Table};

const SIZES: (u64, u64) = (170, 30);
const LEVEL: f64 = 0.8;
const MAJORITY: f64 = 0.4;

/// Name, kind, the minority's rate of positive decisions.
const SCENARIOS: [(&str, Kind, f64); 5] = [
    ("ratio 1.0", Kind::Null, 0.40),
    ("ratio 0.9", Kind::Null, 0.36),
    ("ratio 0.8, edge", Kind::Null, 0.32),
    ("ratio 0.65", Kind::Change, 0.26),
    ("ratio 0.5", Kind::Change, 0.20),
];

const RULES: [(&str, bool); 5] = [
    ("point ratio < 0.8 (TrustyAI's band)", false),
    ("equal-rates z-test p < 0.05", false),
    ("Katz 95 % upper limit < 0.8 each window", false),
    ("clause9, warning", true),
    ("clause9, nonconformity", true),
];

/// The table over so many runs.
pub fn table(runs: u64) -> Table {
    let bets = RatioBets::new(LEVEL, Comparator::AtLeast).unwrap_or_else(|e| unreachable!("{e}"));
    let scenarios: Vec<_> = SCENARIOS.iter().map(|s| (s.0, s.1)).collect();
    let mut found = Collected::new(&scenarios, &RULES);
    let majority = binomial_law(SIZES.0, MAJORITY);
    for (index, (_, kind, rate)) in SCENARIOS.iter().enumerate() {
        let laws = [binomial_law(SIZES.1, 0.36), binomial_law(SIZES.1, *rate)];
        let (windows, skip) = match kind {
            Kind::Null => (1000, 0),
            Kind::Change => (200, 200),
        };
        for run in 0..runs {
            let mut random = Random::new(&[4, index as u64, run]);
            let counts: Vec<(u64, u64)> = (0..skip + windows)
                .map(|window| {
                    (
                        random.hits(&majority),
                        random.hits(&laws[usize::from(window >= skip)]),
                    )
                })
                .collect();
            let later = || counts[skip..].iter();
            found.run(0, index, later().map(point));
            found.run(1, index, later().map(z_test));
            found.run(2, index, later().map(katz));
            let mut ledger = Followed::new(bets.strengths.len());
            let mut earlier = RateSums::default();
            for (a, b) in &counts {
                let (reference, compared) = ((*a, SIZES.0), (*b, SIZES.1));
                let rows = bets.payoffs(&earlier, SIZES.0, SIZES.1).unwrap_or_default();
                ledger.book(&gains(&rows, reference, compared));
                earlier.add(reference, compared);
            }
            let (warning, nonconformity) = thresholds();
            found.run(3, index, ledger.alarms(skip, warning));
            found.run(4, index, ledger.alarms(skip, nonconformity));
        }
    }
    found.table(
        "four-fifths",
        "Rate of positive decisions at least four fifths of the majority's, 170 and 30 cases a window",
        "The majority's rate is 0.40. Runs of 1,000 windows where the rule is kept; elsewhere 200 \
         windows at a ratio of 0.9, then the break.",
    )
}

fn shares((a, b): &(u64, u64)) -> (f64, f64) {
    (*a as f64 / SIZES.0 as f64, *b as f64 / SIZES.1 as f64)
}

fn point(counts: &(u64, u64)) -> bool {
    let (a, b) = shares(counts);
    b / a.max(1e-9) < LEVEL
}

#[expect(clippy::many_single_char_names, reason = "names of the formula")]
fn z_test(counts: &(u64, u64)) -> bool {
    let (a, b) = shares(counts);
    let (m, n) = (SIZES.0 as f64, SIZES.1 as f64);
    let pool = (counts.0 + counts.1) as f64 / (m + n);
    let z = (b - a) / (pool * (1.0 - pool) * (1.0 / m + 1.0 / n)).sqrt();
    z.abs() > 1.96
}

fn katz(counts: &(u64, u64)) -> bool {
    let (x, y) = ((counts.1 as f64).max(0.5), (counts.0 as f64).max(0.5));
    let (m, n) = (SIZES.0 as f64, SIZES.1 as f64);
    let error = (1.0 / x - 1.0 / n + 1.0 / y - 1.0 / m).max(0.0).sqrt();
    libm::log(x / n) - libm::log(y / m) + 1.645 * error < libm::log(LEVEL)
}
