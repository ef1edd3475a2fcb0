//! A mean loss without an upper end, and the area under the ROC curve.

use clause9_shared::bet::pairs::PairBets;
use clause9_shared::bet::{NormalBets, half_space};
use clause9_shared::objective::document::Comparator;

use super::ledgers::{Followed, thresholds};
use super::random::Random;
use super::table::{Collected, Kind, Table};

const ROWS: usize = 200;

/// The table of "mean loss at most 1" over so many runs: lognormal losses with two spreads, on cells
/// of two widths.
pub fn losses(runs: u64) -> Table {
    let mut scenarios = Vec::new();
    let mut settings = Vec::new();
    for (sigma, means) in [(0.5, [1.0, 1.1, 1.3]), (1.5, [1.0, 1.3, 2.0])] {
        for mean in means {
            let kind = if mean > 1.0 { Kind::Change } else { Kind::Null };
            scenarios.push((format!("sigma {sigma}, mean {mean}"), kind));
            settings.push((sigma, mean, kind));
        }
    }
    let named: Vec<_> = scenarios
        .iter()
        .map(|(name, kind)| (name.as_str(), *kind))
        .collect();
    let rules = [
        ("one-sided t-test p < 0.05 each window", false),
        ("clause9, cells of 1/32, nonconformity", true),
        ("clause9, cells of 1/128, nonconformity", true),
    ];
    let mut found = Collected::new(&named, &rules);
    let grids = [Grid::new(5), Grid::new(7)];
    let (_, nonconformity) = thresholds();
    for (index, (sigma, mean, kind)) in settings.into_iter().enumerate() {
        let windows = if kind == Kind::Null { 1000 } else { 150 };
        let middle = libm::log(mean) - 0.5 * sigma * sigma;
        for run in 0..runs {
            let mut random = Random::new(&[6, index as u64, run]);
            let mut ledgers = grids
                .each_ref()
                .map(|grid| Followed::new(grid.bets.bets.len()));
            let mut t_test = Vec::with_capacity(windows);
            for _ in 0..windows {
                let values: Vec<f64> = (0..ROWS)
                    .map(|_| libm::exp(middle + sigma * random.normal()))
                    .collect();
                for (ledger, grid) in ledgers.iter_mut().zip(&grids) {
                    ledger.book(&grid.gains(&values));
                }
                let (average, sd) = super::performance::mean_and_sd(&values);
                let error = sd / (ROWS as f64 - 1.0).sqrt();
                t_test.push((average - 1.0) / error > 1.6525);
            }
            found.run(0, index, t_test.into_iter());
            for (rule, ledger) in ledgers.iter().enumerate() {
                found.run(rule + 1, index, ledger.alarms(0, nonconformity));
            }
        }
    }
    found.table(
        "mean-loss",
        "Mean loss at most 1, no upper end, 200 cases a window",
        "Lognormal losses. Runs of 1,000 windows at the level itself; elsewhere 150 windows. The bets \
         see which cell of a histogram a loss fell into, no more.",
    )
}

/// Cells of the numbers from 2^-10 to 2^7, each octave in 2^k.
struct Grid {
    k: u32,
    bets: clause9_shared::bet::CellBets,
}

const FIRST: u64 = 1023 - 10;
const OCTAVES: usize = 17;

impl Grid {
    fn new(k: u32) -> Self {
        let cell = |i: usize| f64::from_bits(((FIRST << k) + i as u64) << (52 - k));
        let lows: Vec<f64> = std::iter::once(0.0)
            .chain((0..OCTAVES << k).map(cell))
            .collect();
        let bets = half_space::mean_at_most(&lows, 1.0).unwrap_or_else(|e| unreachable!("{e}"));
        Self { k, bets }
    }

    fn gains(&self, values: &[f64]) -> Vec<i64> {
        let mut counts = vec![0; self.bets.cells()];
        for x in values {
            let key = (x.to_bits() >> (52 - self.k)) as usize;
            let cell = (key + 1).saturating_sub((FIRST << self.k) as usize);
            counts[cell.min(self.bets.cells() - 1)] += 1;
        }
        self.bets.gains(&counts).unwrap_or_default()
    }
}

/// The table of "area at least 0.80", 60 positive and 140 negative cases a window.
pub fn areas(runs: u64) -> Table {
    let scenarios = [
        ("0.80, the edge", Kind::Null),
        ("0.75", Kind::Change),
        ("0.70", Kind::Change),
        ("0.60", Kind::Change),
    ];
    // sqrt(2) times the normal quantile of the area: how far the classes' scores are apart.
    let apart = [0.80, 0.75, 0.70, 0.60]
        .map(|area| std::f64::consts::SQRT_2 * clause9_shared::interval::normal_quantile(area));
    let rules = [
        ("DeLong z < -1.645 each window", false),
        ("clause9, pair bets (exact), nonconformity", true),
        ("clause9, DeLong bets (grade B), nonconformity", true),
    ];
    let mut found = Collected::new(&scenarios, &rules);
    let pairs = PairBets::new(0.8).unwrap_or_else(|e| unreachable!("{e}"));
    let normal = NormalBets::new(0.8, Comparator::AtLeast).unwrap_or_else(|e| unreachable!("{e}"));
    let (_, nonconformity) = thresholds();
    for (index, ((_, kind), apart)) in scenarios.iter().zip(apart).enumerate() {
        let windows = if *kind == Kind::Null { 1000 } else { 150 };
        for run in 0..runs {
            let mut random = Random::new(&[5, index as u64, run]);
            let mut ledgers = [
                Followed::new(pairs.payoffs.len()),
                Followed::new(normal.strengths.len()),
            ];
            let mut each = Vec::with_capacity(windows);
            for _ in 0..windows {
                let seen = Ranked::draw(&mut random, apart);
                ledgers[0].book(&pairs.gains(seen.right, 60, 140).unwrap_or_default());
                let z = normal.distance(seen.area, seen.std_error).unwrap_or(0);
                ledgers[1].book(&normal.gains(z));
                each.push((0.8 - seen.area) / seen.std_error > 1.645);
            }
            found.run(0, index, each.into_iter());
            for (rule, ledger) in ledgers.iter().enumerate() {
                found.run(rule + 1, index, ledger.alarms(0, nonconformity));
            }
        }
    }
    found.table(
        "roc-auc",
        "ROC AUC at least 0.80, 60 positive and 140 negative cases a window",
        "Normal scores. Runs of 1,000 windows at the level itself; elsewhere 150 windows.",
    )
}

struct Ranked {
    right: u128,
    area: f64,
    std_error: f64,
}

impl Ranked {
    /// A window's ranking with DeLong's standard error.
    fn draw(random: &mut Random, apart: f64) -> Self {
        let mut positive: Vec<f64> = (0..60).map(|_| apart + random.normal()).collect();
        let mut negative: Vec<f64> = (0..140).map(|_| random.normal()).collect();
        positive.sort_unstable_by(f64::total_cmp);
        negative.sort_unstable_by(f64::total_cmp);
        let beats: Vec<f64> = positive
            .iter()
            .map(|x| negative.partition_point(|y| y < x) as f64)
            .collect();
        let loses: Vec<f64> = negative
            .iter()
            .map(|y| (60 - positive.partition_point(|x| x <= y)) as f64)
            .collect();
        let right: f64 = beats.iter().sum();
        let variance = |of: &[f64], scale: f64| {
            let (_, sd) = super::performance::mean_and_sd(of);
            let n = of.len() as f64;
            (sd / scale) * (sd / scale) * n / (n - 1.0) / n
        };
        Self {
            right: right as u128,
            area: right / (60.0 * 140.0),
            std_error: (variance(&beats, 140.0) + variance(&loses, 60.0))
                .max(1e-12)
                .sqrt(),
        }
    }
}
