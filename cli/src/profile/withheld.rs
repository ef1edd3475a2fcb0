//! Figures of small groups are not shown, nor are those from which they would follow.
//!
//! Withheld are: groups below the number that the document says; if in a window only one group is, the
//! next smallest; of an intersection all groups, since its parts have sums of them; a group in all
//! windows of the other cuts, since cuts are of the same rows; figures over all groups of an attribute of
//! which one is withheld, and comparisons with one. Ledgers have read every count.

use std::collections::{BTreeMap, BTreeSet};

use clause9_shared::fairness::suppress;
use clause9_shared::metric::{MetricId, Needs};
use clause9_shared::objective::document::{Attribute, Document, Subject};
use clause9_shared::sketch::{ClassTable, Confusion, Losses, PaneSummary, Residuals, SummaryOf};

use super::counting::Window;
use super::report::{Row, VerdictRow};

/// Which groups are withheld, by window and attribute.
#[derive(Debug, Default)]
pub(super) struct Withheld {
    least: u64,
    groups: BTreeMap<(String, String), BTreeSet<String>>,
    /// The cut of each window.
    cuts: BTreeMap<String, String>,
}

impl Withheld {
    pub(super) fn find(document: &Document, windows: &[Window]) -> Self {
        let mut found = Self {
            least: document.reports.least_group,
            cuts: windows
                .iter()
                .map(|w| (w.name(), w.windowing.to_string()))
                .collect(),
            ..Self::default()
        };
        for attribute in &document.attributes {
            found.withhold(attribute, windows);
        }
        found
    }

    fn withhold(&mut self, attribute: &Attribute, windows: &[Window]) {
        let sizes: Vec<Vec<u64>> = windows.iter().map(|w| sizes(w, attribute)).collect();
        let mut hidden: Vec<Vec<bool>> = sizes
            .iter()
            .map(|sizes| suppress(sizes, self.least))
            .collect();
        // What is withheld grows until nothing follows from the rest.
        loop {
            let before = hidden.clone();
            for (at, window) in windows.iter().enumerate() {
                for group in 0..attribute.groups.len() {
                    let elsewhere = windows.iter().zip(&before).any(|(other, hidden)| {
                        other.windowing != window.windowing && hidden[group]
                    });
                    hidden[at][group] |= elsewhere && sizes[at][group] > 0;
                }
                complete(&mut hidden[at], &sizes[at], !attribute.of.is_empty());
            }
            if hidden == before {
                break;
            }
        }
        for (window, hidden) in windows.iter().zip(hidden) {
            let names = attribute.groups.iter().zip(hidden);
            let names: BTreeSet<_> = names
                .filter(|(_, hidden)| *hidden)
                .map(|(group, _)| group.clone())
                .collect();
            if !names.is_empty() {
                let key = (window.name(), attribute.name.to_string());
                self.groups.insert(key, names);
            }
        }
    }

    /// In how many windows something is withheld.
    pub(super) fn windows(&self) -> usize {
        let windows: BTreeSet<_> = self.groups.keys().map(|(window, _)| window).collect();
        windows.len()
    }

    fn why(&self) -> String {
        format!(
            "withheld: it would tell of a group of fewer than {} cases (`reports.least_group`)",
            self.least
        )
    }

    /// Whether a figure of a subject is withheld in a window.
    fn hides(&self, document: &Document, window: &str, metric: MetricId, of: &Subject) -> bool {
        let Some(attribute) = &of.attribute else {
            return false;
        };
        let Some(hidden) = self.groups.get(&(window.to_owned(), attribute.to_string())) else {
            return false;
        };
        let reference = || {
            let mut all = document.attributes.iter();
            let named = all.find(|a| a.name == *attribute);
            named.is_some_and(|a| hidden.contains(&a.reference))
        };
        match (&of.group, metric.spec().needs) {
            (Some(group), Needs::AttributeGroup) => hidden.contains(group) || reference(),
            (Some(group), _) => hidden.contains(group),
            (None, _) => metric != MetricId::UnknownGroupRate,
        }
    }

    /// Leaves what is withheld out of measured values.
    pub(super) fn blank_rows(&self, document: &Document, rows: &mut [Row]) {
        for row in rows {
            if self.hides(document, &row.window, row.metric, &row.subject) {
                row.value = None;
                row.interval = None;
                row.bound = None;
                row.n = 0;
                row.undefined = Some(self.why());
            }
        }
    }

    /// Leaves what is withheld out of verdicts. Their cases add up over the windows of a cut, so that one
    /// window in which a figure is withheld withholds those of all.
    pub(super) fn blank_verdicts(&self, document: &Document, verdicts: &mut [VerdictRow]) {
        for verdict in verdicts {
            let mut windows = self.cuts.iter().filter(|(_, cut)| **cut == verdict.cut);
            let (metric, of) = (verdict.metric, &verdict.subject);
            if windows.any(|(window, _)| self.hides(document, window, metric, of)) {
                verdict.value = None;
                verdict.running = None;
                verdict.support = 0;
                verdict.needed = None;
                verdict.because = format!(
                    "{}; the state and the evidence rest on every case",
                    self.why()
                );
            }
        }
    }
}

/// Withholds more where the rest would tell.
fn complete(hidden: &mut [bool], sizes: &[u64], intersection: bool) {
    if intersection && hidden.contains(&true) {
        for (hidden, size) in hidden.iter_mut().zip(sizes) {
            *hidden |= *size > 0;
        }
    } else if hidden.iter().filter(|hidden| **hidden).count() == 1 {
        let others = sizes.iter().enumerate();
        let others = others.filter(|(at, size)| !hidden[*at] && **size > 0);
        if let Some((next, _)) = others.min_by_key(|(_, size)| **size) {
            hidden[next] = true;
        }
    }
}

/// Cases of each group in a window: the fewest that a stream has of it, since figures of either tell.
fn sizes(window: &Window, attribute: &Attribute) -> Vec<u64> {
    let (traffic, outcomes) = (&window.traffic, &window.outcomes);
    let known = |group: u8| {
        [traffic, outcomes]
            .into_iter()
            .filter_map(|stream| size(stream, attribute, group))
            .filter(|size| *size > 0)
            .min()
    };
    let groups = 0..u8::try_from(attribute.groups.len()).unwrap_or(u8::MAX);
    groups.map(|group| known(group).unwrap_or(0)).collect()
}

/// Cases of a group in a stream, by whatever is counted of them there.
fn size(stream: &PaneSummary, attribute: &Attribute, group: u8) -> Option<u64> {
    let name = Some(&attribute.name);
    let by_it = |of: &SummaryOf| {
        if let SummaryOf::Decision(by)
        | SummaryOf::DecisionByLabel(by)
        | SummaryOf::ScoreByLabel(by)
        | SummaryOf::Error(by) = of
        {
            by.as_ref() == name
        } else {
            false
        }
    };
    let of = stream.iter().filter(|(key, _)| by_it(&key.of));
    of.filter_map(|(_, summary)| {
        let confusion = Confusion::of(summary);
        confusion
            .map(|found| found.sum(|_, _, g| g == Some(group)))
            .or_else(|| ClassTable::of(summary).map(|found| of_classes(found, group)))
            .or_else(|| Losses::of(summary).map(|found| found.group(Some(group)).n()))
            .or_else(|| Residuals::of(summary).map(|found| found.group(Some(group)).n()))
    })
    .max()
}

fn of_classes(found: &ClassTable, group: u8) -> u64 {
    let values = || (0..found.classes()).map(Some).chain([None]);
    let each = values().flat_map(|label| values().map(move |decision| (label, decision)));
    each.map(|(label, decision)| found.count(label, decision, Some(group)))
        .sum()
}
