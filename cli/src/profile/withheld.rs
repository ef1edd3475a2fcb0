//! Figures of small groups are not shown, nor are those from which they would follow.
//!
//! Withheld are: groups below the least number of cases; and as few others as it takes so that the first do
//! not follow from sums: of an attribute the next smallest group; of an intersection, whose sums over either
//! part are shown, the smallest groups that close a ring with it; of several cuts of the same rows another
//! window; figures over all groups of an attribute of which one is withheld, and comparisons with one.
//! Ledgers have read every count.

use std::collections::{BTreeMap, BTreeSet};

use clause9_shared::ids::Name;
use clause9_shared::metric::{MetricId, Needs};
use clause9_shared::objective::document::{Attribute, Document, Subject};
use clause9_shared::sketch::{ClassTable, Confusion, Losses, PaneSummary, Residuals, SummaryOf};

use super::counting::Window;
use super::report::{Row, VerdictRow};
use super::rings;
use super::windowing::Bounds;

/// What is counted in a window.
pub(crate) struct Counted<'a> {
    pub(crate) name: String,
    pub(crate) cut: String,
    pub(crate) bounds: Bounds,
    pub(crate) streams: [&'a PaneSummary; 2],
}

impl<'a> From<&'a Window> for Counted<'a> {
    fn from(window: &'a Window) -> Self {
        Self {
            name: window.name(),
            cut: window.windowing.to_string(),
            bounds: window.bounds.clone(),
            streams: [&window.traffic, &window.outcomes],
        }
    }
}

/// Which groups are withheld, by window and attribute.
#[derive(Debug, Default)]
pub(crate) struct Withheld {
    least: u64,
    groups: BTreeMap<(String, String), BTreeSet<String>>,
    /// The name and the cut of each window, in their order.
    windows: Vec<(String, String)>,
}

/// By attribute, window and group.
type Marks = Vec<Vec<Vec<bool>>>;

impl Withheld {
    pub(crate) fn find(document: &Document, windows: &[Counted<'_>], least: u64) -> Self {
        let attributes = &document.attributes;
        let sizes: Vec<Vec<Vec<u64>>> = attributes
            .iter()
            .map(|attribute| windows.iter().map(|w| sizes(w, attribute)).collect())
            .collect();
        let small = |n: &u64| *n > 0 && *n < least;
        let mut hidden: Marks = sizes
            .iter()
            .map(|of| of.iter().map(|w| w.iter().map(small).collect()).collect())
            .collect();
        // What is withheld grows until nothing follows from the rest.
        loop {
            let before = hidden.clone();
            for at in 0..windows.len() {
                within(attributes, at, &sizes, &mut hidden);
            }
            for (hidden, sizes) in hidden.iter_mut().zip(&sizes) {
                across(windows, sizes, hidden);
            }
            if hidden == before {
                break;
            }
        }
        let mut groups = BTreeMap::new();
        for (attribute, of) in attributes.iter().zip(hidden) {
            for (window, hidden) in windows.iter().zip(of) {
                let names = attribute.groups.iter().zip(hidden);
                let names: BTreeSet<_> = names
                    .filter(|(_, hidden)| *hidden)
                    .map(|(group, _)| group.clone())
                    .collect();
                if !names.is_empty() {
                    groups.insert((window.name.clone(), attribute.name.to_string()), names);
                }
            }
        }
        Self {
            least,
            groups,
            windows: windows
                .iter()
                .map(|w| (w.name.clone(), w.cut.clone()))
                .collect(),
        }
    }

    /// The least number of cases that is shown.
    pub(super) const fn least(&self) -> u64 {
        self.least
    }

    /// In how many windows something is withheld.
    pub(super) fn windows(&self) -> usize {
        let windows: BTreeSet<_> = self.groups.keys().map(|(window, _)| window).collect();
        windows.len()
    }

    pub(crate) fn why(&self) -> String {
        format!(
            "withheld: it would tell of a group of fewer than {} cases (`reports.least_group`)",
            self.least
        )
    }

    /// Whether a figure of a subject is withheld in a window.
    pub(crate) fn hides(
        &self,
        document: &Document,
        window: &str,
        metric: MetricId,
        of: &Subject,
    ) -> bool {
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
            (Some(group), Needs::AttributeGroup | Needs::ClassOfAttributeGroup) => {
                hidden.contains(group) || reference()
            }
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
                row.interval_from = None;
                row.no_interval = None;
                row.bound = None;
                row.n = None;
                row.undefined = Some(self.why());
            }
        }
    }

    /// Whether a sum over the windows of a cut up to this one would tell of a withheld figure: whether that
    /// of this window or of one before it is withheld.
    pub(crate) fn hides_sum(
        &self,
        document: &Document,
        (window, cut): (&str, &str),
        metric: MetricId,
        of: &Subject,
    ) -> bool {
        let of_cut = self.windows.iter().filter(|(_, other)| other == cut);
        let mut names: Vec<&str> = of_cut.map(|(name, _)| name.as_str()).collect();
        let last = names.iter().position(|name| *name == window);
        names.truncate(last.map_or(0, |last| last + 1));
        let mut names = names.into_iter();
        names.any(|name| self.hides(document, name, metric, of))
    }

    /// Leaves what is withheld out of verdicts. Their cases add up over the windows of a cut, so that sums
    /// are withheld from the first window on in which a figure is.
    pub(super) fn blank_verdicts(&self, document: &Document, verdicts: &mut [VerdictRow]) {
        for verdict in verdicts {
            let (metric, of) = (verdict.metric, &verdict.subject);
            if self.hides(document, &verdict.window, metric, of) {
                verdict.value = None;
            }
            let at = (verdict.window.as_str(), verdict.cut.as_str());
            if self.hides_sum(document, at, metric, of) {
                verdict.running = None;
                verdict.support = None;
                verdict.needed = None;
                verdict.because = self.because();
            }
        }
    }

    /// What stands in the place of a verdict's reason.
    pub(crate) fn because(&self) -> String {
        format!(
            "{}; the state and the evidence rest on every case",
            self.why()
        )
    }
}

/// The attribute's place among all of the parts of an intersection of two.
fn parts(attributes: &[Attribute], of: &Attribute) -> Option<[usize; 2]> {
    let place = |name: &Name| attributes.iter().position(|a| a.name == *name);
    match of.of.as_slice() {
        [first, second] => Some([place(first)?, place(second)?]),
        _ => None,
    }
}

/// Withholds more in one window where the rest would tell.
fn within(attributes: &[Attribute], at: usize, sizes: &[Vec<Vec<u64>>], hidden: &mut Marks) {
    for (own, attribute) in attributes.iter().enumerate() {
        let known = parts(attributes, attribute);
        let Some([first, second]) = known.filter(|_| !attribute.of.is_empty()) else {
            let all = hidden[own][at].contains(&true) && !attribute.of.is_empty();
            for (hidden, size) in hidden[own][at].iter_mut().zip(&sizes[own][at]) {
                // Of more than two parts nothing better is known.
                *hidden |= all && *size > 0;
            }
            let mut edges = rings::star(&sizes[own][at], &hidden[own][at]);
            rings::close(&mut edges);
            mark(&edges, &mut hidden[own][at]);
            continue;
        };
        let (rows, columns) = (sizes[first][at].len(), sizes[second][at].len());
        let mut edges = rings::table(&sizes[own][at], &hidden[own][at], columns);
        let total = rows + columns;
        let margins = [(first, 0), (second, rows)];
        for (part, offset) in margins {
            edges.extend(rings::margin(
                &sizes[part][at],
                &hidden[part][at],
                offset,
                total,
            ));
        }
        rings::close(&mut edges);
        let (cells, margins) = edges.split_at(rows * columns);
        let (of_first, of_second) = margins.split_at(rows);
        mark(cells, &mut hidden[own][at]);
        mark(of_first, &mut hidden[first][at]);
        mark(of_second, &mut hidden[second][at]);
    }
}

fn mark(edges: &[rings::Edge], hidden: &mut [bool]) {
    for (edge, hidden) in edges.iter().zip(hidden) {
        *hidden |= edge.unknown;
    }
}

/// Withholds a group in one window more where those of another cut of the same rows would tell: all windows
/// of one cut that lie over the same windows of another have as many cases as these.
fn across(windows: &[Counted<'_>], sizes: &[Vec<u64>], hidden: &mut [Vec<bool>]) {
    let groups = sizes.first().map_or(0, Vec::len);
    for group in 0..groups {
        for at in 0..windows.len() {
            if !hidden[at][group] {
                continue;
            }
            let others: BTreeSet<&str> = windows.iter().map(|w| w.cut.as_str()).collect();
            for other in others.into_iter().filter(|cut| *cut != windows[at].cut) {
                let together = over_the_same(windows, at, other);
                let comparable = together
                    .iter()
                    .all(|i| windows[at].bounds.comparable(&windows[*i].bounds));
                let there = |i: &&usize| sizes[**i][group] > 0;
                if !comparable {
                    // Which rows of a number lie in which stretch of time is not known.
                    for i in together.iter().filter(there) {
                        hidden[*i][group] = true;
                    }
                    continue;
                }
                let further = together.iter().any(|i| *i != at && hidden[*i][group]);
                let rest = together.iter().filter(|i| **i != at).filter(there);
                if let Some(next) = rest.min_by_key(|i| sizes[**i][group]).filter(|_| !further) {
                    hidden[*next][group] = true;
                }
            }
        }
    }
}

/// The windows of a window's own cut and of another that are over the same rows as it, directly or by way of
/// others.
fn over_the_same(windows: &[Counted<'_>], at: usize, other: &str) -> Vec<usize> {
    let of_two: Vec<usize> = (0..windows.len())
        .filter(|i| windows[*i].cut == windows[at].cut || windows[*i].cut == other)
        .collect();
    let mut found = vec![at];
    let mut next = 0;
    while let Some(from) = found.get(next).copied() {
        for i in &of_two {
            let apart = windows[*i].cut != windows[from].cut;
            let touches = apart && windows[*i].bounds.overlap(&windows[from].bounds);
            if touches && !found.contains(i) {
                found.push(*i);
            }
        }
        next += 1;
    }
    found
}

/// Cases of each group in a window: the fewest that a stream has of it, since figures of either tell.
fn sizes(window: &Counted<'_>, attribute: &Attribute) -> Vec<u64> {
    let known = |group: u8| {
        window
            .streams
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
