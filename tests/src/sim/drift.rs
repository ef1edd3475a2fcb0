//! Drift of one numeric feature: peers' default rules and ours, against a reference of 10,000 rows.

use clause9_shared::bet::cells::Certificate;
use clause9_shared::bet::{CellBets, Divergence, Tolerance};

use super::ledgers::{Followed, thresholds};
use super::random::Random;
use super::rules::{self, Reference};
use super::table::{Collected, Kind, Table};

const REFERENCE_ROWS: usize = 10_000;
/// Conforming windows before a change, so that ledgers start from a realistic state.
const RUN_IN: usize = 30;
/// Runs in which Wasserstein distances are computed, as they take longest.
const WASSERSTEIN_RUNS: u64 = 20;

/// How windows differ from the reference.
struct Scenario {
    name: &'static str,
    kind: Kind,
    shift: f64,
    scale: f64,
    /// Standard deviation of window means, in the reference, too.
    wobble: f64,
    /// Share of rows from a new narrow mode at 2.5.
    mode: f64,
}

#[expect(clippy::float_cmp, reason = "given in the table, not computed")]
const fn scenario(name: &'static str, shift: f64, scale: f64, wobble: f64, mode: f64) -> Scenario {
    let null = shift == 0.0 && scale == 1.0 && mode == 0.0;
    Scenario {
        name,
        kind: if null { Kind::Null } else { Kind::Change },
        shift,
        scale,
        wobble,
        mode,
    }
}

const SCENARIOS: [Scenario; 7] = [
    scenario("no change", 0.0, 1.0, 0.0, 0.0),
    scenario("harmless wobble", 0.0, 1.0, 0.05, 0.0),
    scenario("shift 0.25 sd", 0.25, 1.0, 0.0, 0.0),
    scenario("shift 0.5 sd", 0.5, 1.0, 0.0, 0.0),
    scenario("shift 1 sd", 1.0, 1.0, 0.0, 0.0),
    scenario("spread x 1.3", 0.0, 1.3, 0.0, 0.0),
    scenario("10 % new mode", 0.0, 1.0, 0.0, 0.1),
];

const RULES: [(&str, bool); 12] = [
    ("KS p < 0.05 each window", false),
    ("KS p < 0.05/1000", false),
    ("PSI > 0.2, deciles", false),
    ("PSI > 0.1, deciles", false),
    ("PSI (KT), chi-square p < 0.05/1000", false),
    ("W1/sd >= 0.1 (Evidently's default)", false),
    ("JS, mean + 3 sd of reference chunks (NannyML)", false),
    ("point-null Bayes factor ledger", false),
    ("clause9 PSI <= 0.02, warning", true),
    ("clause9 PSI <= 0.02, nonconformity", true),
    ("clause9 PSI <= 0.1, warning", true),
    ("clause9 PSI <= 0.1, nonconformity", true),
];

/// The table of windows of so many rows, over so many runs.
pub fn table(rows: usize, runs: u64) -> Table {
    let scenarios: Vec<_> = SCENARIOS.iter().map(|s| (s.name, s.kind)).collect();
    let mut found = Collected::new(&scenarios, &RULES);
    for run in 0..runs {
        for wobble in [0.0, 0.05] {
            let mut random = Random::new(&[1, rows as u64, run, u64::from(wobble > 0.0)]);
            let reference = Reference::new(&drawn(&mut random, rows, wobble), rows);
            let ours = [0.02, 0.1].map(|level| bets(&reference, level));
            for (index, scenario) in SCENARIOS.iter().enumerate() {
                if scenario.wobble.to_bits() == f64::to_bits(wobble) {
                    one(&mut found, index, scenario, &reference, &ours, run);
                }
            }
        }
    }
    found.table(
        &format!("drift-{rows}"),
        &format!("Drift of a numeric feature, {rows} rows a window"),
        "A normal reference of 10,000 rows; tolerances PSI 0.02 and 0.1. Runs of 1,000 windows where \
         nothing is wrong; elsewhere 200 windows of the change after 30 good ones. The wobble (window \
         means with a standard deviation of 0.05, in the reference, too) is a PSI of about 0.0025, the \
         changes are 0.06, 0.24, 0.93, 0.09 and 0.07: what is below a tolerance conforms to it.",
    )
}

/// The reference: chunks of a window's size, in their order.
fn drawn(random: &mut Random, rows: usize, wobble: f64) -> Vec<f64> {
    let chunks = REFERENCE_ROWS / rows;
    let mut all = Vec::with_capacity(REFERENCE_ROWS);
    for _ in 0..chunks {
        let mean = if wobble > 0.0 {
            wobble * random.normal()
        } else {
            0.0
        };
        all.extend((0..rows).map(|_| random.normal() + mean));
    }
    all
}

fn bets(reference: &Reference, level: f64) -> CellBets {
    let positions: Vec<f64> = (0..reference.deciles.len()).map(|i| i as f64).collect();
    CellBets::drift(Tolerance {
        divergence: Divergence::Psi,
        baseline: &reference.deciles,
        positions: &positions,
        radius: level,
        level,
    })
    .unwrap_or_else(|e| unreachable!("{e}"))
}

fn one(
    found: &mut Collected,
    index: usize,
    scenario: &Scenario,
    reference: &Reference,
    ours: &[CellBets; 2],
    run: u64,
) {
    let mut random = Random::new(&[2, reference.rows as u64, run, index as u64]);
    let (windows, skip) = match scenario.kind {
        Kind::Null => (1000, 0),
        Kind::Change => (200, RUN_IN),
    };
    let mut cries: [Vec<bool>; 8] = Default::default();
    let mut ledgers = ours.each_ref().map(|bets| Followed::new(bets.bets.len()));
    let mut bayes = rules::BayesFactor::default();
    for window in 0..skip + windows {
        let changed = window >= skip;
        let rows = sampled(&mut random, scenario, changed, reference.rows);
        let counts = reference.cells(&rows);
        for (ledger, bets) in ledgers.iter_mut().zip(ours) {
            ledger.book(&bets.gains(&counts).unwrap_or_default());
        }
        let evidence = bayes.take(reference, &counts);
        if !changed {
            continue;
        }
        let (ks, floored, smoothed) = (
            reference.ks(&rows),
            reference.psi_floored(&counts),
            reference.psi_smoothed(&counts),
        );
        cries[0].push(ks > reference.ks_at[0]);
        cries[1].push(ks > reference.ks_at[1]);
        cries[2].push(floored > 0.2);
        cries[3].push(floored > 0.1);
        cries[4].push(smoothed > reference.psi_at);
        if run < WASSERSTEIN_RUNS {
            cries[5].push(reference.wasserstein(&rows) >= 0.1);
        }
        cries[6].push(reference.js(&rows) > reference.js_at);
        cries[7].push(evidence >= libm::log(20_000.0));
    }
    for (rule, cries) in cries.into_iter().enumerate() {
        if !cries.is_empty() {
            found.run(rule, index, cries.into_iter());
        }
    }
    let (warning, nonconformity) = thresholds();
    for (which, ledger) in ledgers.iter().enumerate() {
        found.run(8 + 2 * which, index, ledger.alarms(skip, warning));
        found.run(9 + 2 * which, index, ledger.alarms(skip, nonconformity));
    }
}

/// A window's rows, sorted.
fn sampled(random: &mut Random, scenario: &Scenario, changed: bool, rows: usize) -> Vec<f64> {
    let wobble = if scenario.wobble > 0.0 {
        scenario.wobble * random.normal()
    } else {
        0.0
    };
    let mut values: Vec<f64> = (0..rows)
        .map(|_| {
            if changed && scenario.mode > 0.0 && random.uniform() < scenario.mode {
                2.5 + 0.2 * random.normal()
            } else if changed {
                random.normal() * scenario.scale + scenario.shift + wobble
            } else {
                random.normal() + wobble
            }
        })
        .collect();
    values.sort_unstable_by(f64::total_cmp);
    values
}

/// The table at the edge of conforming: laws at PSI 0.02 that are worst for a bet on the mean, on the
/// spread and on one cell, over so many runs of windows of 500 rows.
pub fn edge(runs: u64) -> Table {
    const ROWS: usize = 500;
    let baseline = [1000; 10];
    let bets = CellBets::drift(Tolerance {
        divergence: Divergence::Psi,
        baseline: &baseline,
        positions: &[0.0, 1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0, 9.0],
        radius: 0.02,
        level: 0.02,
    })
    .unwrap_or_else(|e| unreachable!("{e}"));
    let scenarios = [
        ("mean", Kind::Null, 0),
        ("spread", Kind::Null, 6),
        ("one cell", Kind::Null, 14),
    ];
    let rules = [
        ("clause9 PSI <= 0.02, warning", true),
        ("clause9 PSI <= 0.02, nonconformity", true),
    ];
    let named: Vec<_> = scenarios.iter().map(|s| (s.0, s.1)).collect();
    let mut found = Collected::new(&named, &rules);
    let (warning, nonconformity) = thresholds();
    for (index, (_, _, bet)) in scenarios.iter().enumerate() {
        let Some(Certificate::Tangent { at, .. }) = bets.bets.get(*bet).map(|b| &b.certificate)
        else {
            continue;
        };
        let law = cumulated(at);
        for run in 0..runs {
            let mut random = Random::new(&[7, index as u64, run]);
            let mut ledger = Followed::new(bets.bets.len());
            for _ in 0..1000 {
                let mut counts = [0_u64; 10];
                for _ in 0..ROWS {
                    counts[random.hits(&law) as usize] += 1;
                }
                ledger.book(&bets.gains(&counts).unwrap_or_default());
            }
            found.run(0, index, ledger.alarms(0, warning));
            found.run(1, index, ledger.alarms(0, nonconformity));
        }
    }
    found.table(
        "drift-edge",
        "Drift at the edge of what is tolerated, 500 rows a window",
        "Laws at a PSI of 0.02 from the baseline that are worst for one of the bets each, 1,000 windows: \
         here the bound of 5 % is put to the test.",
    )
}

/// Cumulated shares.
fn cumulated(law: &[f64]) -> Vec<f64> {
    let total: f64 = law.iter().sum();
    let mut sum = 0.0;
    law.iter()
        .map(|q| {
            sum += q / total;
            sum
        })
        .collect()
}
