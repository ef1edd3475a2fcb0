//! What a simulation shows: for each rule how often it cries without cause, and how soon with one.

use serde::{Deserialize, Serialize};

/// One comparison of rules over scenarios.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Table {
    /// Short name.
    pub id: String,
    /// What is compared.
    pub title: String,
    /// The setting in a sentence or two.
    pub setting: String,
    /// Scenarios, in order.
    pub scenarios: Vec<Scenario>,
    /// Rules, in order.
    pub rows: Vec<Row>,
}

/// One course of the world.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Scenario {
    /// Its name.
    pub name: String,
    /// Whether an alarm is false there.
    pub kind: Kind,
}

/// Whether there is something to find.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// Nothing is wrong: alarms are false.
    Null,
    /// Something is wrong from the first counted window on.
    Change,
}

/// A rule in all scenarios.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Row {
    /// The rule.
    pub rule: String,
    /// Whether it is one of ours.
    pub ours: bool,
    /// What it did, by scenario.
    pub cells: Vec<Cell>,
}

/// What a rule did in a scenario.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Cell {
    /// Where nothing is wrong.
    False {
        /// Alarms in 1,000 windows.
        per_thousand: f64,
        /// Share of runs with an alarm.
        any: f64,
        /// Runs.
        runs: usize,
    },
    /// Where something is.
    Delay {
        /// Windows until the alarm, the first wrong one counted: the median over runs; nothing if
        /// that is longer than the run.
        median: Option<u32>,
        /// The 90 % point.
        p90: Option<u32>,
        /// Windows in a run.
        of: u32,
        /// Runs.
        runs: usize,
    },
}

/// Alarms of one rule in one scenario, run by run.
#[derive(Clone, Debug, Default)]
pub struct Alarms {
    windows: u64,
    raised: u64,
    firsts: Vec<Option<u32>>,
}

impl Alarms {
    /// Takes a run: for each counted window whether the rule cried.
    pub fn run(&mut self, alarms: impl Iterator<Item = bool>) {
        let mut first = None;
        for (window, alarm) in (1_u32..).zip(alarms) {
            self.windows += 1;
            self.raised += u64::from(alarm);
            if alarm && first.is_none() {
                first = Some(window);
            }
        }
        self.firsts.push(first);
    }

    /// What is shown of it.
    pub fn cell(&self, kind: Kind) -> Cell {
        let runs = self.firsts.len();
        match kind {
            Kind::Null => Cell::False {
                per_thousand: 1000.0 * self.raised as f64 / self.windows.max(1) as f64,
                any: self.firsts.iter().flatten().count() as f64 / runs.max(1) as f64,
                runs,
            },
            Kind::Change => {
                let mut delays: Vec<u32> = self
                    .firsts
                    .iter()
                    .map(|first| first.unwrap_or(u32::MAX))
                    .collect();
                delays.sort_unstable();
                let at = |share: f64| {
                    let rank = ((share * runs as f64).ceil() as usize).clamp(1, runs.max(1));
                    delays
                        .get(rank - 1)
                        .copied()
                        .filter(|delay| *delay != u32::MAX)
                };
                Cell::Delay {
                    median: at(0.5),
                    p90: at(0.9),
                    of: u32::try_from(self.windows / runs.max(1) as u64).unwrap_or(u32::MAX),
                    runs,
                }
            }
        }
    }
}

/// Alarms of several rules over several scenarios.
#[derive(Debug)]
pub struct Collected {
    scenarios: Vec<Scenario>,
    rules: Vec<(String, bool)>,
    alarms: Vec<Vec<Alarms>>,
}

impl Collected {
    /// Nothing yet. Rules of ours are those with `true`.
    pub fn new(scenarios: &[(&str, Kind)], rules: &[(&str, bool)]) -> Self {
        let scenario = |(name, kind): &(&str, Kind)| Scenario {
            name: (*name).to_owned(),
            kind: *kind,
        };
        Self {
            scenarios: scenarios.iter().map(scenario).collect(),
            rules: rules
                .iter()
                .map(|(rule, ours)| ((*rule).to_owned(), *ours))
                .collect(),
            alarms: vec![vec![Alarms::default(); scenarios.len()]; rules.len()],
        }
    }

    /// Takes a run of a rule in a scenario.
    pub fn run(&mut self, rule: usize, scenario: usize, alarms: impl Iterator<Item = bool>) {
        self.alarms[rule][scenario].run(alarms);
    }

    /// The table.
    pub fn table(self, id: &str, title: &str, setting: &str) -> Table {
        let rows = self
            .rules
            .into_iter()
            .zip(self.alarms)
            .map(|((rule, ours), alarms)| Row {
                rule,
                ours,
                cells: alarms
                    .iter()
                    .zip(&self.scenarios)
                    .map(|(alarms, scenario)| alarms.cell(scenario.kind))
                    .collect(),
            });
        Table {
            id: id.to_owned(),
            title: title.to_owned(),
            setting: setting.to_owned(),
            rows: rows.collect(),
            scenarios: self.scenarios,
        }
    }
}

impl std::fmt::Display for Cell {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::False {
                per_thousand, any, ..
            } => {
                let digits = if *per_thousand >= 10.0 || *per_thousand == 0.0 {
                    0
                } else {
                    2
                };
                write!(f, "{per_thousand:.digits$}, {any:.2}")
            }
            Self::Delay {
                median, p90, of, ..
            } => {
                let text = |x: &Option<u32>| x.map_or_else(|| format!(">{of}"), |x| x.to_string());
                write!(f, "{} [{}]", text(median), text(p90))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn alarms_become_rates_and_delays() {
        let mut alarms = Alarms::default();
        alarms.run([false, true, true, false].into_iter());
        alarms.run([false; 4].into_iter());
        assert_eq!(alarms.cell(Kind::Null).to_string(), "250, 0.50");
        assert_eq!(alarms.cell(Kind::Change).to_string(), "2 [>4]");
    }
}
