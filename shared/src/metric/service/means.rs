//! Means of times and sizes. A mean without an upper end is judged exactly, from the lower edges of
//! coarse cells.

use super::{SERVICE, histogram, key};
use crate::bet::half_space::mean_at_most;
use crate::bet::{Bets, NoBet};
use crate::metric::{
    Against, Estimate, Measurement, Metric, MetricSpec, Sample, SampleKind, Seen, Unmeasurable,
    other_kind,
};
use crate::objective::document::{Comparator, Document, Subject};
use crate::service::Facet;
use crate::sketch::{Histogram, Moments, SummaryKey, SummaryKind};

/// 97.5 % point of the normal law.
const Z: f64 = 1.959_963_984_540_054;
/// Cells of the ledger in each power of two.
const STEPS: usize = 8;
/// Powers of two that have cells: from 2^-10 to 2^20 times the scale.
const OCTAVES: usize = 30;
/// The lowest of them.
const FIRST: i32 = -10;

macro_rules! means {
    ($($type:ident = $facet:ident, $name:literal, $title:literal, $what:literal, $unit:literal;)*) => {$(
        #[doc = $title]
        #[derive(Debug)]
        pub(in crate::metric) struct $type;

        impl Metric for $type {
            const SPEC: MetricSpec = MetricSpec {
                name: $name,
                title: $title,
                unit: $unit,
                range: (0.0, 1e300),
                meaning: concat!(
                    "The arithmetic mean of ", $what, ", over the window's sampled answers."
                ),
                formula: "Sum over n, each value rounded to 2^-40 of the scale (2^-10 s, 2^10 bytes). \
                          Interval: mean +- 1.96 s / sqrt(n). The ledger of an objective `at_most` a \
                          level takes each value at the lower edge of its cell, at most 1/8 below it: \
                          exact at any number of answers, without a largest value, and slower to tell \
                          a breach of less than that.",
                edge_cases: "No answer: no data. Objectives `at_least` a level are refused: name a \
                             quantile. Answers of every status count, errors too.",
                cannot_tell: "What most answers are like: a few extreme ones can decide it, so see a \
                              quantile beside it. Anything about exchanges that the monitor let go or \
                              that had not ended when their pane closed (coverage counts them). \
                              Requests of one caller count as independent cases unless the \
                              objective's `cluster` says how many go together.",
                reference: "The raw values' mean (`numpy.mean`): to 1e-9 relative.",
                sample: SampleKind::Cells,
                ..SERVICE
            };

            fn reads(_: &Document, _: &Subject) -> Vec<SummaryKey> {
                vec![
                    key(Facet::$facet, SummaryKind::Histogram),
                    key(Facet::$facet, SummaryKind::Moments),
                ]
            }

            fn measure(seen: Seen<'_>) -> Measurement {
                measure(&seen, Facet::$facet)
            }

            fn bets(against: Against<'_>) -> Result<Bets, NoBet> {
                bets(against, Facet::$facet)
            }
        }
    )*};
}

means! {
    LatencyMean = Latency, "latency.mean", "Mean latency", "times to the last byte", "s";
    FirstByteMean = FirstByte, "first_byte.mean", "Mean time to the first byte",
        "times to the first byte", "s";
    RequestBytesMean = RequestBytes, "request_bytes.mean", "Mean size of requests",
        "requests' bodies", "By";
    ResponseBytesMean = ResponseBytes, "response_bytes.mean", "Mean size of answers",
        "answers' bodies", "By";
}

/// The lower edges of the ledger's cells: 0, then eighths of powers of two, then the last one, which
/// holds everything beyond.
fn edges(facet: Facet) -> Vec<f64> {
    let first = FIRST + facet.scale_exponent();
    let edge = |i: usize| {
        let (octave, step) = (i / STEPS, i % STEPS);
        let exponent = first + i32::try_from(octave).unwrap_or(0);
        libm::ldexp(1.0 + step as f64 / STEPS as f64, exponent)
    };
    let inner = (0..=OCTAVES * STEPS).map(edge);
    std::iter::once(0.0).chain(inner).collect()
}

/// The histogram's counts in the ledger's cells, which are whole numbers of its own.
fn counts(histogram: &Histogram, edges: &[f64]) -> Vec<u64> {
    let mut counts = vec![0_u64; edges.len()];
    for cell in histogram.cells() {
        let place = edges.partition_point(|edge| *edge <= cell.low);
        counts[place.saturating_sub(1)] += cell.count;
    }
    counts
}

fn measure(seen: &Seen<'_>, facet: Facet) -> Measurement {
    let summary = seen.summary(&key(facet, SummaryKind::Moments))?;
    let moments = Moments::of(summary).ok_or_else(|| other_kind("moments"))?;
    if moments.beyond() > 0 {
        return Err(Unmeasurable::Undefined(
            "values are too large to be added up",
        ));
    }
    let mean = moments.mean().ok_or(Unmeasurable::NoData)?;
    let n = moments.n();
    let std_error = moments.std().map(|std| std / libm::sqrt(n as f64));
    Ok(Estimate {
        value: mean,
        interval: std_error.map(|e| ((mean - Z * e).max(0.0), mean + Z * e)),
        bound: None,
        support: n,
        sample: Sample::Cells {
            counts: counts(histogram(seen, facet)?, &edges(facet)),
            estimate: mean,
            std_error: std_error.unwrap_or(mean),
            least: n,
        },
    })
}

fn bets(against: Against<'_>, facet: Facet) -> Result<Bets, NoBet> {
    match against.comparator {
        Comparator::AtMost => mean_at_most(&edges(facet), against.level).map(Bets::Cells),
        Comparator::AtLeast => Err(NoBet(format!(
            "level {}: a mean without an upper end cannot be held above a level; name a quantile of it",
            against.level
        ))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_ledgers_cells_are_whole_cells_of_the_histogram() {
        for facet in Facet::NUMBERS {
            let edges = edges(facet);
            assert_eq!(edges.len(), OCTAVES * STEPS + 2);
            assert!(edges.windows(2).all(|pair| pair[0] < pair[1]));
            let mut histogram = Histogram::new(0.0, facet.scale_exponent()).unwrap();
            for (i, edge) in edges.iter().enumerate() {
                // At the edge and just below the next one.
                let next = edges
                    .get(i + 1)
                    .map_or(edge * 1e3, |next| next * (1.0 - 1e-12));
                histogram.add(*edge);
                histogram.add(next);
            }
            assert!(counts(&histogram, &edges).iter().all(|count| *count == 2));
        }
    }
}
