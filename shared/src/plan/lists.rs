//! Ranked lists: which items stood in an answer's list, and which ones a late label says were relevant.
//! Items are remembered as hashes of their names, and only as many as there are places that count.

use crate::inference::{Cell, Tensor};
use crate::objective::document::{Document, Scalar};
use crate::performance::recommendation::{Judged, ListFigure};
use crate::plan::layout::place;
use crate::plan::observe::count;
use crate::plan::slots::Column;
use crate::plan::value::{Digits, as_cell, name_of};
use crate::sketch::distinct::hash::siphash;
use crate::sketch::{CutCounts, Hygiene, Moments, PaneSummary, Points, SummaryKind, SummaryOf};

/// Most items that a label may name as relevant.
pub const MAX_RELEVANT: usize = 256;
/// Largest grade of an item.
const MAX_GRADE: f64 = 1_000_000.0;
/// In place of an item where a list has none.
const NO_ITEM: u32 = 0;
/// The seed of items' hashes.
const SEED: u64 = 0;
/// Into how many equal cells the range from 0 to 1 is cut for the ledger.
const CELLS: u32 = 64;
/// Most values of their own beside 0.
const MOST_ATOMS: u32 = 31;

/// The ranked list and where its counts are.
#[derive(Clone, Debug)]
pub(super) struct ListSlot {
    pub(super) column: Column,
    /// How many places count.
    pub(super) places: usize,
    /// How long lists are, in the traffic pane.
    lengths: usize,
    hygiene: usize,
    /// Moments and cells of each figure, in the outcome pane; none where there are no labels.
    figures: Vec<(ListFigure, usize, usize)>,
}

/// Where the values of a figure are counted: at 0 and 1 and, where there are few, at each value that it
/// can have; and between 64ths. None of no places.
pub(crate) fn cells(figure: ListFigure, places: u32) -> Option<CutCounts> {
    let whole = f64::from(places);
    let mut atoms = vec![0.0, 1.0];
    match figure {
        ListFigure::Precision if places <= MOST_ATOMS => {
            atoms.extend((1..places).map(|found| f64::from(found) / whole));
        }
        ListFigure::ReciprocalRank => {
            atoms.extend((2..=places.min(MOST_ATOMS)).map(|place| 1.0 / f64::from(place)));
        }
        ListFigure::Precision
        | ListFigure::Recall
        | ListFigure::Hit
        | ListFigure::AveragePrecision
        | ListFigure::Ndcg => {}
    }
    atoms.sort_by(f64::total_cmp);
    atoms.dedup();
    let splits = match figure {
        ListFigure::Hit => Vec::new(),
        ListFigure::Precision
        | ListFigure::Recall
        | ListFigure::ReciprocalRank
        | ListFigure::AveragePrecision
        | ListFigure::Ndcg => (1..CELLS)
            .map(|i| f64::from(i) / f64::from(CELLS))
            .collect(),
    };
    CutCounts::with_points(&Points {
        atoms,
        splits,
        ..Points::default()
    })
    .filter(|_| places > 0)
}

impl ListSlot {
    /// None if a pane lacks what the document asks for, which the layout rules out.
    pub(super) fn new(
        document: &Document,
        traffic: &PaneSummary,
        outcomes: &PaneSummary,
    ) -> Option<Self> {
        let ranking = document.outputs.ranking.as_ref()?;
        let figures = ListFigure::ALL.into_iter().map(|figure| {
            let at = |kind| place(outcomes, SummaryOf::List(Some(figure)), kind);
            Some((
                figure,
                at(SummaryKind::Moments)?,
                at(SummaryKind::CutCounts)?,
            ))
        });
        let labelled = document.outputs.label.is_some();
        Some(Self {
            column: Column::of_output(&ranking.from),
            places: usize::try_from(ranking.at).ok()?,
            lengths: place(traffic, SummaryOf::List(None), SummaryKind::Moments)?,
            hygiene: place(traffic, SummaryOf::List(None), SummaryKind::Hygiene)?,
            figures: if labelled {
                figures.collect::<Option<_>>()?
            } else {
                Vec::new()
            },
        })
    }

    /// Counts a row's list; the items of its first places, or none if there is no list.
    pub(super) fn observe(
        &self,
        tensor: Option<&Tensor>,
        row: usize,
        into: &mut PaneSummary,
    ) -> Option<Box<[u32]>> {
        let Some(items) = tensor.and_then(|tensor| self.items(tensor, row)) else {
            count(into, self.hygiene, Hygiene::of_mut, Hygiene::add_missing);
            return None;
        };
        count(into, self.hygiene, Hygiene::of_mut, |h| {
            h.add_usable(false, false);
        });
        count(into, self.lengths, Moments::of_mut, |m| {
            m.add(items.len() as f64);
        });
        Some(items)
    }

    /// A list is one text that holds all items, or one column for each place.
    fn items(&self, tensor: &Tensor, row: usize) -> Option<Box<[u32]>> {
        let first = self.column.index;
        let only = tensor.columns == first + 1;
        if let (true, Cell::Text(text)) = (only, tensor.cell(row, first)) {
            return Some(parts(text).take(self.places).map(mark).collect());
        }
        let end = tensor.columns.min(first.saturating_add(self.places));
        let mut items: Vec<u32> = (first..end)
            .map(|column| {
                let mut digits = Digits::default();
                let name = name_of(tensor.cell(row, column), &mut digits);
                name.map_or(NO_ITEM, |name| mark(name.trim()))
            })
            .collect();
        while items.last() == Some(&NO_ITEM) {
            items.pop();
        }
        (!items.is_empty()).then(|| items.into())
    }

    /// Counts a list whose relevant items have become known.
    pub(super) fn judge(&self, items: &[u32], relevant: &Relevant, into: &mut PaneSummary) {
        let gains = relevant.gains(items);
        let grades = relevant.grades();
        let judged = Judged {
            gains: &gains,
            grades: &grades,
            k: self.places,
        };
        for (figure, moments, cells) in &self.figures {
            let Some(value) = judged.figure(*figure) else {
                continue;
            };
            count(into, *moments, Moments::of_mut, |m| m.add(value));
            count(into, *cells, CutCounts::of_mut, |c| c.add(value));
        }
    }
}

/// What a label says was relevant: items with their grades above 0, each item once.
#[derive(Debug, PartialEq)]
pub(super) struct Relevant(Vec<(u32, f64)>);

impl Relevant {
    /// One item, or several in one text, each alone or with its grade as in `shoe=2`; an empty text says
    /// that nothing was relevant. None of what is not written so, or names too many.
    pub(super) fn read(label: &Scalar) -> Option<Self> {
        let mut named: Vec<(u32, f64)> = match label {
            Scalar::Bool(_) => return None,
            Scalar::Number(_) => {
                let mut digits = Digits::default();
                let name = name_of(as_cell(label), &mut digits)?;
                vec![(mark(&name), 1.0)]
            }
            Scalar::Text(text) => {
                let named = parts(text).take(MAX_RELEVANT + 1).map(graded);
                named.collect::<Option<_>>()?
            }
        };
        if named.len() > MAX_RELEVANT {
            return None;
        }
        // What is said first of an item counts.
        named.sort_by_key(|(item, _)| *item);
        named.dedup_by_key(|(item, _)| *item);
        named.retain(|(_, grade)| *grade > 0.0);
        Some(Self(named))
    }

    /// Whether anything is relevant.
    pub(super) const fn any(&self) -> bool {
        !self.0.is_empty()
    }

    /// The grades at the places of a list; an item gains at its first place only.
    fn gains(&self, items: &[u32]) -> Vec<f64> {
        let mut open = self.0.clone();
        let gain = |item: &u32| {
            let found = open.binary_search_by_key(item, |(known, _)| *known).ok()?;
            Some(std::mem::take(&mut open[found].1))
        };
        items
            .iter()
            .map(gain)
            .map(Option::unwrap_or_default)
            .collect()
    }

    /// All grades, the largest first.
    fn grades(&self) -> Vec<f64> {
        let mut grades: Vec<f64> = self.0.iter().map(|(_, grade)| *grade).collect();
        grades.sort_by(|a, b| b.total_cmp(a));
        grades
    }
}

/// An item, with its grade if one is written after it.
fn graded(part: &str) -> Option<(u32, f64)> {
    let Some((item, grade)) = part.rsplit_once('=') else {
        return Some((mark(part), 1.0));
    };
    let grade: f64 = grade.parse().ok()?;
    let fits = (0.0..=MAX_GRADE).contains(&grade) && !item.is_empty();
    fits.then(|| (mark(item), grade))
}

/// The names in a text of several: parted by spaces, commas, semicolons or bars; brackets and quotes
/// around them are left out.
fn parts(text: &str) -> impl Iterator<Item = &str> {
    let between = |c: char| c.is_whitespace() || ",;|[]()\"'".contains(c);
    text.split(between).filter(|part| !part.is_empty())
}

/// An item's hash, never [`NO_ITEM`].
fn mark(name: &str) -> u32 {
    let hash = siphash(SEED, name.as_bytes());
    let [a, b, c, d, ..] = hash.to_le_bytes();
    u32::from_le_bytes([a, b, c, d]).max(NO_ITEM + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(label: &str) -> Option<Relevant> {
        Relevant::read(&Scalar::Text(label.to_owned()))
    }

    fn marks(names: &[&str]) -> Vec<u32> {
        names.iter().copied().map(mark).collect()
    }

    #[test]
    fn labels_name_items_with_or_without_grades() {
        let two = text("shoe=2, hat").unwrap();
        assert_eq!(two.grades(), [2.0, 1.0]);
        assert_eq!(two.gains(&marks(&["sock", "hat", "shoe"])), [0.0, 1.0, 2.0]);
        assert_eq!(text("[\"shoe\", 'hat']"), text("shoe|hat"));
        assert_eq!(text("hat=0 shoe hat=3"), text("shoe"));
        assert_eq!(text("17"), Relevant::read(&Scalar::Number(17.0)));
        assert_eq!(text("").map(|none| none.any()), Some(false));
        for bad in ["shoe=much", "shoe=-1", "=1", "shoe=1e9", "shoe=inf"] {
            assert_eq!(text(bad), None, "{bad}");
        }
        let many: Vec<String> = (0..=MAX_RELEVANT).map(|i| i.to_string()).collect();
        assert_eq!(text(&many.join(" ")), None);
        assert!(text(&many[1..].join(" ")).is_some());
        assert_eq!(Relevant::read(&Scalar::Bool(true)), None);
    }

    #[test]
    fn an_item_that_stands_twice_gains_once() {
        let gains = text("a b").unwrap().gains(&marks(&["a", "a", "b"]));
        assert_eq!(gains, [1.0, 0.0, 1.0]);
    }

    #[test]
    fn every_value_that_figures_of_few_places_can_have_is_counted_by_itself() {
        for places in 1..=31 {
            let mut found = cells(ListFigure::Precision, places).unwrap();
            for hits in 0..=places {
                found.add(f64::from(hits) / f64::from(places));
            }
            let alone: Vec<_> = found.cells().filter(|c| c.count == 1).collect();
            assert!(alone.iter().all(|cell| cell.low >= cell.high));
            assert_eq!(alone.len(), places as usize + 1);
        }
        for figure in ListFigure::ALL {
            assert!(cells(figure, 100).is_some());
            assert!(cells(figure, 0).is_none());
        }
    }
}
