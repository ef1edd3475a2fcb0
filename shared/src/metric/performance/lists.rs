//! Ranked lists against the items that turned out to be relevant: means over labelled lists, exact.

use super::{DECIDED, by_cells, normal, of_labelled};
use crate::bet::{Bets, NoBet, half_space};
use crate::metric::{
    Against, Answers, Grade, Measurement, Metric, MetricSpec, SampleKind, Seen, Unmeasurable,
    other_kind, share,
};
use crate::objective::document::{Document, Subject};
use crate::performance::Figure;
use crate::performance::recommendation::ListFigure;
use crate::plan::list_cells;
use crate::sketch::{CutCounts, Moments, SummaryKey, SummaryKind, SummaryOf};

/// What metrics of ranked lists have in common.
const LISTS: MetricSpec = MetricSpec {
    grade: Grade::A,
    sample: SampleKind::Cells,
    answers: Answers::List,
    needs_decision: false,
    ..DECIDED
};

const fn key(figure: ListFigure, kind: SummaryKind) -> SummaryKey {
    SummaryKey::new(SummaryOf::List(Some(figure)), kind)
}

/// Where labelled lists are counted, each once.
pub(super) const fn labelled_key() -> SummaryKey {
    key(ListFigure::Precision, SummaryKind::Moments)
}

/// Lists of which it is known what was relevant. No data if there are none.
pub(super) fn labelled(seen: &Seen<'_>) -> Result<u64, Unmeasurable> {
    moments(seen, ListFigure::Precision).map(Moments::n)
}

fn moments<'a>(seen: &Seen<'a>, figure: ListFigure) -> Result<&'a Moments, Unmeasurable> {
    let found = Moments::of(seen.summary(&key(figure, SummaryKind::Moments))?);
    let found = found.ok_or_else(|| other_kind("moments"))?;
    if found.n() == 0 {
        return Err(Unmeasurable::NoData);
    }
    Ok(found)
}

fn cells<'a>(seen: &Seen<'a>, figure: ListFigure) -> Result<&'a CutCounts, Unmeasurable> {
    let found = CutCounts::of(seen.summary(&key(figure, SummaryKind::CutCounts))?);
    found.ok_or_else(|| other_kind("cut counts"))
}

fn reads(figure: ListFigure) -> Vec<SummaryKey> {
    vec![
        key(figure, SummaryKind::Moments),
        key(figure, SummaryKind::CutCounts),
    ]
}

/// The mean over lists, with the standard error of a mean with one list of 0 and one of 1 added, so that
/// few lists that are all alike do not look certain.
fn mean(seen: &Seen<'_>, figure: ListFigure) -> Measurement {
    let found = moments(seen, figure)?;
    let n = found.n() as f64;
    let value = found.mean().ok_or(Unmeasurable::NoData)?.clamp(0.0, 1.0);
    let square = found.mean_square().ok_or(Unmeasurable::NoData)?;
    let (more, sum) = (n + 2.0, n * value + 1.0);
    let scatter = (n * square + 1.0 - sum * sum / more).max(0.0);
    let figure_of = Figure {
        value,
        std_error: (scatter / (more - 1.0) / more).sqrt(),
    };
    let estimate = normal(figure_of, (0.0, 1.0), found.n(), found.n());
    let counts = cells(seen, figure)?.cells().map(|cell| cell.count);
    Ok(by_cells(estimate, counts.collect()))
}

/// Lists with a relevant item among the first places, of all of them.
fn hits(seen: &Seen<'_>) -> Result<(u64, u64), Unmeasurable> {
    let of = moments(seen, ListFigure::Hit)?.n();
    let found = cells(seen, ListFigure::Hit)?.cells();
    let hits = found.filter(|cell| cell.low >= 1.0).map(|cell| cell.count);
    Ok((hits.sum(), of))
}

/// Bets on the mean, from what a list can be at the end of its cell that speaks for the objective.
fn bets(figure: ListFigure, against: Against<'_>) -> Result<Bets, NoBet> {
    let ranking = against.document.outputs.ranking.as_ref();
    let cells = ranking.and_then(|ranking| list_cells(figure, ranking.at));
    let cells = cells.ok_or_else(|| NoBet("the document names no ranked list".to_owned()))?;
    let within = |x: f64| x.clamp(0.0, 1.0);
    let ends: Vec<(f64, f64)> = cells
        .cells()
        .map(|cell| (within(cell.low), within(cell.high)))
        .collect();
    half_space::mean_between(&ends, against.level, against.comparator).map(Bets::Cells)
}

macro_rules! means {
    ($($type:ident = $figure:ident {
        $name:literal, $title:literal, $meaning:literal, $formula:literal, empty: $empty:literal,
        cannot: $cannot:literal, $reference:literal
    })*) => {$(
        #[doc = $title]
        #[derive(Debug)]
        pub(in crate::metric) struct $type;

        impl Metric for $type {
            const SPEC: MetricSpec = MetricSpec {
                name: $name,
                title: $title,
                meaning: $meaning,
                formula: concat!(
                    $formula,
                    ", k being `outputs.ranking.at`; the mean over labelled lists, each rounded to \
                     2^-40 and added up as integers. Interval: 95 % on the logit scale, from the \
                     variance of the lists with one of 0 and one of 1 added. The ledger reads lists by \
                     cell: the values of few places each by itself, others by the 64th of the range \
                     they lie in, taken at the end that speaks for the objective: exact at any number \
                     of lists, and blind to differences within a 64th."
                ),
                edge_cases: concat!(
                    "No labelled list: no data. ", $empty, " Answers without a list are left out; \
                     lists shorter than k have their last places empty. An item that stands in the list \
                     twice gains at its first place only. Items are compared by a hash of 32 bits, so \
                     one in 4 thousand million pairs of different items is taken for the same. The \
                     first label of a list counts; what is clicked later is not added."
                ),
                cannot_tell: of_labelled!($cannot),
                reference: $reference,
                ..LISTS
            };

            fn reads(_: &Document, _: &Subject) -> Vec<SummaryKey> {
                reads(ListFigure::$figure)
            }

            fn measure(seen: Seen<'_>) -> Measurement {
                mean(&seen, ListFigure::$figure)
            }

            fn bets(against: Against<'_>) -> Result<Bets, NoBet> {
                bets(ListFigure::$figure, against)
            }
        }
    )*};
}

means! {
    PrecisionAtK = Precision {
        "precision_at_k", "Precision at k",
        "Of the first k places of a ranked list, the share that holds a relevant item, in the mean over \
         lists.",
        "Relevant items among the first k / k",
        empty: "A list for which nothing was relevant counts 0.",
        cannot: "The order within the first k places. What the best value is: with fewer than k relevant \
                 items it is below 1.",
        "By the formula in Python on forty generated lists: to 1e-11."
    }
    RecallAtK = Recall {
        "recall_at_k", "Recall at k",
        "Of the items that turned out to be relevant for a list, the share that is among its first k \
         places, in the mean over lists.",
        "Relevant items among the first k / all relevant items that the label names",
        empty: "A list for which nothing was relevant is left out.",
        cannot: "The order within the first k places. Whether the label names everything that is \
                 relevant: people can only choose what they were shown.",
        "By the formula in Python on forty generated lists: to 1e-11."
    }
    MrrAtK = ReciprocalRank {
        "mrr_at_k", "Mean reciprocal rank at k",
        "How far down one has to look for the first relevant item: one over its place, 0 if it is not among \
         the first k, in the mean over lists.",
        "1 / place of the first relevant item, or 0",
        empty: "A list for which nothing was relevant counts 0.",
        cannot: "Anything about relevant items after the first one.",
        "By the formula in Python on forty generated lists: to 1e-11."
    }
    MapAtK = AveragePrecision {
        "map_at_k", "Mean average precision at k",
        "The precision at the place of each relevant item among the first k, added up and divided by how \
         many relevant items there could be among them; in the mean over lists.",
        "Sum of precisions at relevant items / min(k, all relevant items that the label names)",
        empty: "A list for which nothing was relevant is left out.",
        cannot: "By how much one item is more relevant than another. trec_eval divides by all relevant \
                 items, k or not: its value is lower where there are more of them than places.",
        "scikit-learn 1.9, `label_ranking_average_precision_score`, where all items stand in the list and \
         k is its length: to 1e-9."
    }
    NdcgAtK = Ndcg {
        "ndcg_at_k", "NDCG at k",
        "How near the order of the first k places comes to the best order: the relevance of their items, \
         counted less the further down they stand, over the same of the best list; in the mean over lists.",
        "Sum over the first k of grade / log2(place + 1), over the same sum of the largest grades that the \
         label names (Jarvelin and Kekalainen 2002, gains linear)",
        empty: "A list for which nothing was relevant is left out.",
        cannot: "Whether grades are right. Libraries that take 2^grade - 1 for the gain have other values.",
        "scikit-learn 1.9, `ndcg_score` with what the list lacks put at its end, the mean over generated lists: to 1e-11."
    }
}

/// The share of lists with a relevant item among the first places.
#[derive(Debug)]
pub(in crate::metric) struct HitRateAtK;

impl Metric for HitRateAtK {
    const SPEC: MetricSpec = MetricSpec {
        name: "hit_rate_at_k",
        title: "Hit rate at k",
        meaning: "The share of ranked lists that have at least one relevant item among their first k \
                  places.",
        formula: "Lists with a relevant item among the first k / labelled lists, k being \
                  `outputs.ranking.at`. Interval: Wilson, 95 %. The ledger reads the two counts: exact at \
                  any number of lists.",
        edge_cases: "No labelled list: no data. A list for which nothing was relevant counts as none \
                     found. Answers without a list are left out.",
        cannot_tell: of_labelled!(
            "How far down the item stood, and how many others were relevant."
        ),
        reference: "By the formula in Python on forty generated lists: to 1e-11.",
        sample: SampleKind::Rate,
        ..LISTS
    };

    fn reads(_: &Document, _: &Subject) -> Vec<SummaryKey> {
        reads(ListFigure::Hit)
    }

    fn measure(seen: Seen<'_>) -> Measurement {
        let (hits, of) = hits(&seen)?;
        share(hits, of)
    }
}
