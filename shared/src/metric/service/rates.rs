//! Shares of answers, and how many requests come.

use super::{SERVICE, cuts, key};
use crate::metric::{
    Estimate, Measurement, Metric, MetricSpec, Sample, SampleKind, Seen, Unmeasurable, other_kind,
    share,
};
use crate::objective::document::{Comparator, Document, Subject};
use crate::service::Facet;
use crate::sketch::{StatusClass, SummaryKey, SummaryKind, Traffic};

fn answers_key() -> SummaryKey {
    key(Facet::Answers, SummaryKind::Traffic)
}

fn answers<'a>(seen: &Seen<'a>) -> Result<&'a Traffic, Unmeasurable> {
    Traffic::of(seen.summary(&answers_key())?).ok_or_else(|| other_kind("answers"))
}

macro_rules! rates {
    ($($type:ident { $name:literal, $title:literal, $meaning:literal, $formula:literal, hits: $hits:expr, $(edge_cases: $edge:literal,)? }: $reference:literal;)*) => {$(
        #[doc = $title]
        #[derive(Debug)]
        pub(in crate::metric) struct $type;

        impl Metric for $type {
            const SPEC: MetricSpec = MetricSpec {
                name: $name,
                title: $title,
                meaning: $meaning,
                formula: concat!($formula, " Interval: Wilson's, at 95 %."),
                $(edge_cases: $edge,)?
                reference: $reference,
                ..SERVICE
            };

            fn reads(_: &Document, _: &Subject) -> Vec<SummaryKey> {
                vec![answers_key()]
            }

            fn measure(seen: Seen<'_>) -> Measurement {
                let answers = answers(&seen)?;
                let hits: fn(&Traffic) -> u64 = $hits;
                share(hits(answers), answers.answers())
            }
        }
    )*};
}

rates! {
    ClientErrorRate {
        "client_error_rate", "Rate of refused requests",
        "The share of answers that refuse the request as wrong (status 400 to 499).",
        "Answers of such a status over answers.",
        hits: |traffic| traffic.of_class(StatusClass::ClientError),
    }: "A count of raw statuses: exact.";
    ServerErrorRate {
        "server_error_rate", "Rate of server errors",
        "The share of answers in which the server fails (status 500 to 599). A server that cannot be \
         reached counts as 502, which is what the caller gets then.",
        "Answers of such a status over answers.",
        hits: |traffic| traffic.of_class(StatusClass::ServerError),
    }: "A count of raw statuses: exact.";
    FailureRate {
        "failure_rate", "Rate of failed requests",
        "The share of answers that are an error of either side (status 400 to 599).",
        "Answers of such a status over answers.",
        hits: |traffic| {
            traffic.of_class(StatusClass::ClientError) + traffic.of_class(StatusClass::ServerError)
        },
    }: "A count of raw statuses: exact.";
    EmptyAnswerRate {
        "empty_answer_rate", "Rate of empty answers",
        "The share of answers that claim success (status 200 to 299) and have no body.",
        "Such answers over all answers, errors included.",
        hits: Traffic::empty,
        edge_cases: "No answer: no data. An answer with a body that says nothing, as an empty list, is \
                     not empty in this sense: watch `bytes` of a feature of type text.",
    }: "A count of raw answers: exact.";
}

/// Share of answers slower than the documented limit.
#[derive(Debug)]
pub(in crate::metric) struct SlowRate;

impl Metric for SlowRate {
    const SPEC: MetricSpec = MetricSpec {
        name: "slow_rate",
        title: "Rate of slow answers",
        meaning: "The share of answers that take longer to their last byte than `slow_after` under \
                  `service` in the objectives file.",
        formula: "Answers that take longer over answers, both counted exactly. Interval: Wilson's, at \
                  95 %.",
        edge_cases: "No answer: no data. Without `slow_after`: undefined. An answer that takes exactly \
                     as long is not slow. Answers of every status count, errors too.",
        reference: "A count of raw times: exact.",
        ..SERVICE
    };

    fn reads(_: &Document, _: &Subject) -> Vec<SummaryKey> {
        vec![key(Facet::Latency, SummaryKind::CutCounts)]
    }

    fn measure(seen: Seen<'_>) -> Measurement {
        let service = seen.document.service.as_ref();
        let limit = service.and_then(|s| s.slow_after).ok_or(NO_LIMIT)?;
        let cuts = cuts(&seen, Facet::Latency)?;
        if !cuts.points().contains(&limit) {
            return Err(NO_LIMIT);
        }
        let slow = cuts
            .cells()
            .filter(|cell| cell.low >= limit && cell.high > limit);
        share(slow.map(|cell| cell.count).sum(), cuts.total())
    }
}

const NO_LIMIT: Unmeasurable =
    Unmeasurable::Undefined("the objectives file does not say when an answer is slow");

/// Requests in a second.
#[derive(Debug)]
pub(in crate::metric) struct Throughput;

impl Metric for Throughput {
    const SPEC: MetricSpec = MetricSpec {
        name: "throughput",
        title: "Throughput",
        unit: "1/s",
        good: Comparator::AtLeast,
        range: (0.0, 1e300),
        meaning: "How many inference requests come in a second, on average over the window.",
        formula: "Requests over the window's length in seconds. Requests are counted as they come in, \
                  before sampling and whatever becomes of them; in files, rows are.",
        edge_cases: "No request: no data. Undefined where the window is no stretch of time \
                     (a number of rows).",
        cannot_tell: "How requests are spread within the window. What the model could bear. Traffic \
                      that no agent saw: a gap in a window lowers it. Requests of one caller count as \
                      independent cases.",
        reference: "A count over a length: exact.",
        sample: SampleKind::Unjudged,
        ..SERVICE
    };

    fn reads(_: &Document, _: &Subject) -> Vec<SummaryKey> {
        vec![answers_key()]
    }

    fn measure(seen: Seen<'_>) -> Measurement {
        let requests = answers(&seen)?.requests();
        if requests == 0 {
            return Err(Unmeasurable::NoData);
        }
        let length = seen.beside.length.filter(|length| length.micros() > 0);
        let length = length.ok_or(Unmeasurable::Undefined("the window is no stretch of time"))?;
        Ok(Estimate {
            value: requests as f64 / (length.micros() as f64 / 1e6),
            interval: None,
            bound: None,
            support: requests,
            sample: Sample::Unjudged { of: requests },
        })
    }
}
