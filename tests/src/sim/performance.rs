//! Accuracy at least 0.85 with 200 labels a window, after 500 good windows where something breaks.

use clause9_shared::bet::{RateBets, fixed};
use clause9_shared::objective::document::Comparator;

use super::ledgers::{ALPHA, Followed, STEPS, thresholds};
use super::random::{Random, binomial_law};
use super::table::{Collected, Kind, Table};

const LABELS: u64 = 200;
const LEVEL: f64 = 0.85;
/// Windows of a run without and with a change, and good windows before the change.
const WINDOWS: (usize, usize, usize) = (1000, 200, 500);

/// Name, kind, accuracy before and after.
const SCENARIOS: [(&str, Kind, f64, f64); 6] = [
    ("0.88, good", Kind::Null, 0.88, 0.88),
    ("0.86, good", Kind::Null, 0.86, 0.86),
    ("0.85, the edge", Kind::Null, 0.85, 0.85),
    ("drop to 0.82", Kind::Change, 0.88, 0.82),
    ("drop to 0.80", Kind::Change, 0.88, 0.80),
    ("drop to 0.75", Kind::Change, 0.88, 0.75),
];

const RULES: [(&str, bool); 8] = [
    ("point estimate < 0.85", false),
    ("binomial test p < 0.05 each window", false),
    ("binomial test p < 0.05/1000", false),
    ("mean - 3 sd of 20 reference chunks (NannyML)", false),
    ("e-process from the start, no restart", false),
    ("clause9, warning", true),
    ("clause9, nonconformity", true),
    ("clause9's bets summed instead of restarted", false),
];

/// The table over so many runs.
pub fn table(runs: u64) -> Table {
    let bets = RateBets::new(LEVEL, Comparator::AtLeast).unwrap_or_else(|e| unreachable!("{e}"));
    let at_level = binomial_law(LABELS, LEVEL);
    let good = binomial_law(LABELS, 0.88);
    let scenarios: Vec<_> = SCENARIOS.iter().map(|s| (s.0, s.1)).collect();
    let mut found = Collected::new(&scenarios, &RULES);
    for (index, (_, kind, before, after)) in SCENARIOS.iter().enumerate() {
        let laws = [binomial_law(LABELS, *before), binomial_law(LABELS, *after)];
        let (windows, skip) = match kind {
            Kind::Null => (WINDOWS.0, 0),
            Kind::Change => (WINDOWS.1, WINDOWS.2),
        };
        for run in 0..runs {
            let mut random = Random::new(&[3, index as u64, run]);
            let hits: Vec<u64> = (0..skip + windows)
                .map(|window| random.hits(&laws[usize::from(window >= skip)]))
                .collect();
            let chunks: Vec<f64> = (0..20)
                .map(|_| random.hits(&good) as f64 / LABELS as f64)
                .collect();
            let lowest = mean_less_three_sd(&chunks);
            let later = || hits[skip..].iter();
            let share = |hits: &u64| *hits as f64 / LABELS as f64;
            let chance = |hits: &u64| at_level[usize::try_from(*hits).unwrap_or(0)];
            found.run(0, index, later().map(|k| share(k) < LEVEL));
            found.run(1, index, later().map(|k| chance(k) < 0.05));
            found.run(2, index, later().map(|k| chance(k) < 0.05 / STEPS));
            found.run(3, index, later().map(|k| share(k) < lowest));
            if run < 200 {
                found.run(4, index, from_the_start(&hits).into_iter().skip(skip));
            }
            let (warning, nonconformity) = thresholds();
            let mut ledger = Followed::new(bets.payoffs.len());
            let mut sums = vec![f64::NEG_INFINITY; bets.payoffs.len()];
            let mut summed = Vec::with_capacity(hits.len());
            for k in &hits {
                let gains = bets.gains(*k, LABELS);
                ledger.book(&gains);
                summed.push(sum_form(&mut sums, &gains) >= libm::log(STEPS / ALPHA));
            }
            found.run(5, index, ledger.alarms(skip, warning));
            found.run(6, index, ledger.alarms(skip, nonconformity));
            found.run(7, index, summed.into_iter().skip(skip));
        }
    }
    found.table(
        "accuracy",
        "Accuracy at least 0.85, 200 labels a window",
        "Runs of 1,000 windows where the objective is kept; elsewhere 500 windows at 0.88, then the \
         drop. The e-process without restart has 200 runs and alarms at 1/alpha.",
    )
}

/// The mean of some numbers less three times their standard deviation (of the population).
pub(super) fn mean_less_three_sd(numbers: &[f64]) -> f64 {
    let (mean, sd) = mean_and_sd(numbers);
    mean - 3.0 * sd
}

/// Mean and standard deviation (of the population).
pub(super) fn mean_and_sd(numbers: &[f64]) -> (f64, f64) {
    let n = numbers.len() as f64;
    let mean = numbers.iter().sum::<f64>() / n;
    let variance = numbers.iter().map(|x| (x - mean) * (x - mean)).sum::<f64>() / n;
    (mean, variance.sqrt())
}

/// Alarms of a mixture of likelihood ratios over all windows so far, which never forgets.
fn from_the_start(hits: &[u64]) -> Vec<bool> {
    let shares: Vec<f64> = (0..60)
        .map(|i| 0.02 + (LEVEL - 0.005 - 0.02) * f64::from(i) / 59.0)
        .collect();
    let logs: Vec<(f64, f64)> = shares
        .iter()
        .map(|p| (libm::log(p / LEVEL), libm::log((1.0 - p) / (1.0 - LEVEL))))
        .collect();
    let (mut right, mut all) = (0.0, 0.0);
    let price = libm::log(60.0) + libm::log(1.0 / ALPHA);
    let alarm = |hits: &u64| {
        right += *hits as f64;
        all += LABELS as f64;
        let terms = logs
            .iter()
            .map(|(hit, miss)| right * hit + (all - right) * miss);
        log_sum(terms) >= price
    };
    hits.iter().map(alarm).collect()
}

/// ln of a sum of exponentials.
fn log_sum(terms: impl Iterator<Item = f64> + Clone) -> f64 {
    let top = terms.clone().fold(f64::NEG_INFINITY, f64::max);
    top + libm::log(terms.map(|x| libm::exp(x - top)).sum())
}

/// The Shiryaev-Roberts form: `R <- (R + 1) e` for each bet; ln of the bets' mean.
fn sum_form(sums: &mut [f64], gains: &[i64]) -> f64 {
    for (sum, gain) in sums.iter_mut().zip(gains) {
        let top = sum.max(0.0);
        let added = top + libm::log(libm::exp(*sum - top) + libm::exp(-top));
        *sum = added + fixed::to_nats(*gain);
    }
    log_sum(sums.iter().copied()) - libm::log(sums.len() as f64)
}
