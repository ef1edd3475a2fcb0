//! Quantiles of times and sizes, with guaranteed brackets. An objective on one is judged as what it
//! says: a share of answers beyond the level.

use super::{SERVICE, cuts, histogram, key};
use crate::bet::{Bets, CellBets, NoBet};
use crate::metric::{
    Against, Estimate, Measurement, Metric, MetricSpec, Sample, SampleKind, Seen, Unmeasurable,
};
use crate::objective::document::{Comparator, Document, Subject};
use crate::service::Facet;
use crate::sketch::{Histogram, PointCell, SummaryKey, SummaryKind};

/// 97.5 % point of the normal law.
const Z: f64 = 1.959_963_984_540_054;
/// How far each bet's share lies beyond the tolerated one, as a factor of the odds.
const ODDS: [f64; 4] = [1.25, 1.6, 2.5, 5.0];
/// In place of an end beyond the histogram's last cell.
const NO_END: f64 = f64::MAX;

macro_rules! quantiles {
    ($($type:ident = $facet:ident, $u:literal, $name:literal, $title:literal, $what:literal, $unit:literal;)*) => {$(
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
                    "The smallest number that at least the share ", $u, " of ", $what,
                    " do not exceed."
                ),
                formula: concat!(
                    "The value of rank ceil(", $u, " n) of the window's n answers: the middle of \
                     the histogram's cell that holds it (of bytes the whole number at or below it); \
                     the bound is that cell, at most 1/32 of its lower end wide. Interval: the cells of the ranks ",
                    $u, " n +- 1.96 sqrt(n ", $u, " (1 - ", $u, ")). An objective `at_most` a level \
                     is that at most the share 1 - ", $u, " of answers exceeds it, `at_least` that \
                     at most the share ", $u, " falls short; its ledger reads the exact counts on \
                     both sides of the level."
                ),
                edge_cases: "No answer: no data. A level must be among the `limits` under `service`, \
                             where answers are counted exactly. Beyond the histogram's last cell \
                             (17 minutes, 1 GiB) the value is the lower end of that cell and the \
                             bound has no end. Answers of every status count, errors too.",
                cannot_tell: "Anything about exchanges that the monitor let go or that had not ended \
                              when their pane closed (coverage counts them): the slowest answers are \
                              among them. Errors that come fast make it look better: see \
                              `server_error_rate` beside it. Requests of one caller count as \
                              independent cases unless the objective's `cluster` says how many go \
                              together.",
                reference: "The sorted raw values (`numpy.quantile`, method `inverted_cdf`): within \
                            the bound, always.",
                sample: SampleKind::Cells,
                ..SERVICE
            };

            fn reads(_: &Document, _: &Subject) -> Vec<SummaryKey> {
                vec![
                    key(Facet::$facet, SummaryKind::Histogram),
                    key(Facet::$facet, SummaryKind::CutCounts),
                ]
            }

            fn measure(seen: Seen<'_>) -> Measurement {
                measure(&seen, Facet::$facet, $u)
            }

            fn bets(against: Against<'_>) -> Result<Bets, NoBet> {
                bets(against, Facet::$facet, $u)
            }
        }
    )*};
}

quantiles! {
    LatencyP50 = Latency, 0.5, "latency.p50", "Median latency", "times to the last byte", "s";
    LatencyP90 = Latency, 0.9, "latency.p90", "Latency, 90 %", "times to the last byte", "s";
    LatencyP95 = Latency, 0.95, "latency.p95", "Latency, 95 %", "times to the last byte", "s";
    LatencyP99 = Latency, 0.99, "latency.p99", "Latency, 99 %", "times to the last byte", "s";
    FirstByteP50 = FirstByte, 0.5, "first_byte.p50", "Median time to the first byte",
        "times to the first byte", "s";
    FirstByteP90 = FirstByte, 0.9, "first_byte.p90", "Time to the first byte, 90 %",
        "times to the first byte", "s";
    FirstByteP95 = FirstByte, 0.95, "first_byte.p95", "Time to the first byte, 95 %",
        "times to the first byte", "s";
    FirstByteP99 = FirstByte, 0.99, "first_byte.p99", "Time to the first byte, 99 %",
        "times to the first byte", "s";
    RequestBytesP50 = RequestBytes, 0.5, "request_bytes.p50", "Median size of requests",
        "requests' bodies", "By";
    RequestBytesP90 = RequestBytes, 0.9, "request_bytes.p90", "Size of requests, 90 %",
        "requests' bodies", "By";
    RequestBytesP95 = RequestBytes, 0.95, "request_bytes.p95", "Size of requests, 95 %",
        "requests' bodies", "By";
    RequestBytesP99 = RequestBytes, 0.99, "request_bytes.p99", "Size of requests, 99 %",
        "requests' bodies", "By";
    ResponseBytesP50 = ResponseBytes, 0.5, "response_bytes.p50", "Median size of answers",
        "answers' bodies", "By";
    ResponseBytesP90 = ResponseBytes, 0.9, "response_bytes.p90", "Size of answers, 90 %",
        "answers' bodies", "By";
    ResponseBytesP95 = ResponseBytes, 0.95, "response_bytes.p95", "Size of answers, 95 %",
        "answers' bodies", "By";
    ResponseBytesP99 = ResponseBytes, 0.99, "response_bytes.p99", "Size of answers, 99 %",
        "answers' bodies", "By";
}

/// Between which values the quantile of level `u` lies, as far as numbers are what they are: never
/// below 0, and whole where they are counts of bytes.
fn bracket(histogram: &Histogram, facet: Facet, u: f64) -> Option<(f64, f64)> {
    let (low, high) = histogram.quantile_bounds(u)?;
    let low = low.max(0.0);
    if !facet.is_whole() {
        return Some((low, high));
    }
    let near = |x: f64| {
        let whole = x.round();
        let same = (x - whole).abs() <= 1e-9 * whole.abs().max(1.0);
        if same { whole } else { x }
    };
    // The last whole number before the upper end, which the cell does not hold.
    let (low, last) = (near(low).ceil(), (near(high) - 1.0).ceil());
    Some((low, last.max(low)))
}

/// What stands for a cell: its middle, of whole numbers the lower one of the two in the middle; the lower
/// end where there is no upper one.
fn middle(low: f64, high: f64, facet: Facet) -> f64 {
    if !high.is_finite() {
        low
    } else if facet.is_whole() {
        f64::midpoint(low, high).floor()
    } else {
        f64::midpoint(low, high)
    }
}

fn measure(seen: &Seen<'_>, facet: Facet, u: f64) -> Measurement {
    let values = histogram(seen, facet)?;
    let (low, high) = bracket(values, facet, u).ok_or(Unmeasurable::NoData)?;
    let n = values.total() as f64;
    let spread = Z * libm::sqrt(u * (1.0 - u) / n);
    let rank = |share: f64| bracket(values, facet, share.clamp(0.0, 1.0));
    let interval = rank(u - spread)
        .zip(rank(u + spread + 1.0 / n))
        .map(|(from, to)| (from.0, to.1));
    let value = middle(low, high, facet);
    let ended = |end: f64| if end.is_finite() { end } else { NO_END };
    let width = interval.map_or(0.0, |(from, to)| {
        if to.is_finite() {
            to - from
        } else {
            2.0 * (value - from)
        }
    });
    let counts: Vec<u64> = cuts(seen, facet)?.cells().map(|cell| cell.count).collect();
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a share of a count"
    )]
    let least = (n * u.min(1.0 - u)) as u64;
    Ok(Estimate {
        value,
        interval: interval.map(|(from, to)| (from, ended(to))),
        bound: (low < high).then(|| (low, ended(high))),
        support: values.total(),
        sample: Sample::Cells {
            counts,
            estimate: value,
            std_error: width / (2.0 * Z),
            least,
        },
    })
}

/// The bets against "the share of answers beyond the level is at most what the quantile leaves".
fn bets(against: Against<'_>, facet: Facet, u: f64) -> Result<Bets, NoBet> {
    let (level, comparator) = (against.level, against.comparator);
    let service = against.document.service.as_ref();
    let points = service.map(|s| s.points(facet)).unwrap_or_default();
    if !points.contains(&level) {
        return Err(NoBet(format!(
            "level {level}: answers are not counted on both sides of it; add it to `limits.{}` under \
             `service`",
            facet.as_str()
        )));
    }
    let cells = crate::sketch::CutCounts::new(&points)
        .ok_or_else(|| NoBet("the limits under `service` are not ascending numbers".to_owned()))?;
    let (tolerated, beyond): (f64, fn(&PointCell, f64) -> bool) = match comparator {
        Comparator::AtMost => (1.0 - u, |cell, level| {
            cell.low >= level && cell.high > level
        }),
        Comparator::AtLeast => (u, |cell, level| cell.high <= level && cell.low < level),
    };
    let plane: Vec<f64> = cells
        .cells()
        .map(|cell| f64::from(u8::from(beyond(&cell, level))) - tolerated)
        .collect();
    let odds = tolerated / (1.0 - tolerated);
    // The strength at which a bet is the likelihood ratio of a share with so many times the odds.
    let strengths = ODDS.map(|factor| {
        let share = odds * factor / (1.0 + odds * factor);
        (share - tolerated) / (1.0 - tolerated)
    });
    CellBets::half_spaces(vec![plane], &strengths, level, comparator).map(Bets::Cells)
}
