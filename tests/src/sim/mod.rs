//! Simulations of alarm rules: how often each cries where nothing is wrong, and how soon where
//! something is. Ours are the compiled bets and the ledger that judge in the field; peers' default
//! rules are written anew from their definitions. Seeds are fixed: a run gives the same figures on
//! every machine.

#![expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "counts and indices of a simulation, within a few thousand"
)]

use std::sync::mpsc;

use serde::{Deserialize, Serialize};

pub mod agreement;
mod announced;
pub mod drift;
pub mod fairness;
pub mod ledgers;
pub mod means;
pub mod page;
pub mod performance;
pub mod random;
pub mod rules;
pub mod table;

use table::{Cell, Kind, Table};

/// How much is simulated.
#[derive(Clone, Copy, Debug)]
pub struct Effort {
    /// Runs of the drift tables.
    pub drift: u64,
    /// Runs of the accuracy table.
    pub accuracy: u64,
    /// Runs of the four-fifths table.
    pub fairness: u64,
    /// Runs of the loss and area tables.
    pub means: u64,
    /// Runs of the tables of kappa and correlation.
    pub agreement: u64,
}

impl Effort {
    /// As many runs as the published figures have.
    pub const FULL: Self = Self {
        drift: 100,
        accuracy: 2000,
        fairness: 300,
        means: 100,
        agreement: 100,
    };
    /// Enough to see that something broke.
    pub const REDUCED: Self = Self {
        drift: 4,
        accuracy: 100,
        fairness: 30,
        means: 4,
        agreement: 8,
    };
}

/// All tables with what is claimed of them.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Report {
    /// What made it.
    pub command: String,
    /// The tables.
    pub tables: Vec<Table>,
    /// What is claimed, and whether the figures show it.
    pub claims: Vec<Claim>,
}

/// A claim with the figures that bear on it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Claim {
    /// The claim.
    pub says: String,
    /// What the figures show.
    pub found: String,
    /// Whether that agrees.
    pub holds: bool,
}

type Part = Box<dyn FnOnce() -> Table + Send>;

/// Every table by its id.
fn parts(effort: Effort) -> [(&'static str, Part); 9] {
    [
        (
            "drift-100",
            Box::new(move || drift::table(100, effort.drift)),
        ),
        (
            "drift-500",
            Box::new(move || drift::table(500, effort.drift)),
        ),
        ("drift-edge", Box::new(move || drift::edge(effort.drift))),
        (
            "accuracy",
            Box::new(move || performance::table(effort.accuracy)),
        ),
        (
            "four-fifths",
            Box::new(move || fairness::table(effort.fairness)),
        ),
        ("roc-auc", Box::new(move || means::areas(effort.means))),
        ("mean-loss", Box::new(move || means::losses(effort.means))),
        (
            "kappa",
            Box::new(move || agreement::kappa(effort.agreement)),
        ),
        (
            "mcc",
            Box::new(move || agreement::correlation(effort.agreement)),
        ),
    ]
}

/// Simulates everything, two tables at a time; `done` is told of each. Tables that are `kept` from an
/// earlier run are not simulated again: the same seeds would give the same figures.
pub fn alarms(
    effort: Effort,
    command: &str,
    kept: &[Table],
    done: &mut dyn FnMut(&Table),
) -> Report {
    let parts: Vec<Part> = parts(effort)
        .into_iter()
        .map(
            |(id, part)| match kept.iter().find(|table| table.id == id) {
                Some(table) => {
                    let table = table.clone();
                    Box::new(move || table)
                }
                None => part,
            },
        )
        .collect();
    let mut tables: Vec<(usize, Table)> = Vec::new();
    let queue = std::sync::Mutex::new(parts.into_iter().enumerate());
    let (send, receive) = mpsc::channel();
    std::thread::scope(|scope| {
        for _ in 0..2 {
            let (send, queue) = (send.clone(), &queue);
            scope.spawn(move || {
                loop {
                    let next = queue.lock().ok().and_then(|mut queue| queue.next());
                    let Some((index, part)) = next else { break };
                    if send.send((index, part())).is_err() {
                        break;
                    }
                }
            });
        }
        drop(send);
        for (index, table) in receive {
            done(&table);
            tables.push((index, table));
        }
    });
    tables.sort_by_key(|(index, _)| *index);
    let tables: Vec<Table> = tables.into_iter().map(|(_, table)| table).collect();
    Report {
        command: command.to_owned(),
        claims: claims(&tables, effort),
        tables,
    }
}

/// What the figures have to show.
fn claims(tables: &[Table], effort: Effort) -> Vec<Claim> {
    let mut found = vec![false_alarms(tables)];
    // The median of a handful of runs says little.
    if effort.drift >= Effort::FULL.drift {
        found.push(announced::claim(tables));
    }
    found.extend(tables.iter().find(|t| t.id == "drift-500").map(delays));
    found
}

/// Chances of any alarm where nothing is wrong, by whether the rule is one of ours.
fn anys(table: &Table, which: impl Fn(&str, bool) -> bool) -> impl Iterator<Item = f64> {
    let rows = table
        .rows
        .iter()
        .filter(move |row| which(&row.rule, row.ours));
    rows.flat_map(|row| &row.cells)
        .filter_map(|cell| match cell {
            Cell::False { any, .. } => Some(*any),
            Cell::Delay { .. } => None,
        })
}

fn false_alarms(tables: &[Table]) -> Claim {
    let ours = |rule: &str, ours: bool| ours && rule.contains("nonconformity");
    let most = tables
        .iter()
        .flat_map(|t| anys(t, ours))
        .fold(0.0, f64::max);
    Claim {
        says: "The chance of any false nonconformity in 1,000 windows is at most 5 %, the edge of \
               conforming included."
            .to_owned(),
        found: format!("at most {:.1} % in any scenario of any table", 100.0 * most),
        holds: most <= 0.05,
    }
}

/// Delays of changes of ten times the tolerance, in windows of 500 rows.
fn delays(table: &Table) -> Claim {
    let median = |rule: &str, scenario: &str| -> Option<u32> {
        let at = table.scenarios.iter().position(|s| s.name == scenario)?;
        let row = table.rows.iter().find(|row| row.rule == rule)?;
        match row.cells.get(at)? {
            Cell::Delay { median, .. } => *median,
            Cell::False { .. } => None,
        }
    };
    let changes = table.scenarios.iter().filter(|s| s.kind == Kind::Change);
    let mut worst = 0_i64;
    let mut said = Vec::new();
    for scenario in changes {
        let ours = median("clause9 PSI <= 0.02, nonconformity", &scenario.name);
        let peers = table.rows.iter().filter(|row| !row.ours);
        let best = peers
            .filter_map(|row| median(&row.rule, &scenario.name))
            .min();
        if let Some(best) = best {
            let ours = ours.map_or(i64::MAX, i64::from);
            worst = worst.max(ours.saturating_sub(i64::from(best)));
            said.push(format!("{} {ours} (peers' quickest {best})", scenario.name));
        }
    }
    Claim {
        says: "In windows of 500 rows the median delay to a nonconformity (PSI at most 0.02) is \
               within six windows of the quickest of the peers' rules."
            .to_owned(),
        found: said.join("; "),
        holds: worst <= 6 && !said.is_empty(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn t4_reduced_runs_show_what_is_claimed() {
        let report = alarms(Effort::REDUCED, "test", &[], &mut |_| {});
        assert_eq!(report.tables.len(), 9);
        for claim in &report.claims {
            assert!(claim.holds, "{}: {}", claim.says, claim.found);
        }
        // Peers' rules do cry: else the comparison shows nothing.
        let drift = &report.tables[0];
        let loud = anys(drift, |rule, _| rule.starts_with("KS p < 0.05 each"));
        assert!(loud.fold(1.0, f64::min) > 0.9);
        // Windows of the full runs, as they are checked in.
        let kept = crate::repository::text("docs/alarms/alarms.json").unwrap();
        let kept: Report = serde_json::from_str(&kept).unwrap();
        assert_eq!(kept.tables.len(), report.tables.len());
        assert!(kept.claims.iter().all(|claim| claim.holds));
        assert!(
            announced::claim(&kept.tables).holds,
            "{}",
            announced::claim(&kept.tables).found
        );
        let text = serde_json::to_string(&report).unwrap();
        let again: Report = serde_json::from_str(&text).unwrap();
        assert_eq!(page::html(&again), page::html(&report));
    }
}
