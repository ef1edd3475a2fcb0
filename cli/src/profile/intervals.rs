//! The intervals that resampling gives, put beside the values they belong to; and for each value whether
//! it has an interval, how that was made, or why there is none.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use clause9_shared::metric::{IntervalFrom, MetricId, Resampling, resampled};
use clause9_shared::objective::document::Subject;
use clause9_shared::plan::CapturePlan;

use super::counting::Window;
use super::measuring::seen;
use super::report::{Made, Row, ends};
use crate::progress::Progress;

/// Most threads; each holds the resamples of one column.
const MOST_THREADS: usize = 16;

/// Intervals of a feature's metrics, by window's name and feature.
type Found = BTreeMap<(String, String), Vec<(MetricId, (f64, f64))>>;

/// Adds the intervals of resamples, and says of each value how it came to its interval.
pub(super) fn add(plan: &CapturePlan, windows: &[Window], resamples: u32, rows: &mut [Row]) {
    let found = if resamples == 0 {
        Found::new()
    } else {
        let by = Resampling {
            resamples,
            baseline: plan.baseline().digest(),
        };
        every(plan, windows, &by)
    };
    for row in rows.iter_mut().filter(|row| row.value.is_some()) {
        let from = row.metric.spec().interval;
        if row.interval.is_none() {
            let feature = row.subject.feature.as_ref().map(ToString::to_string);
            let own = feature.and_then(|name| found.get(&(row.window.clone(), name)));
            let own = own.and_then(|own| own.iter().find(|(metric, _)| *metric == row.metric));
            row.interval = own.map(|(_, found)| ends(*found));
        }
        match (row.interval, from) {
            (Some(_), IntervalFrom::Resampling) => row.interval_from = Some(Made::Resampling),
            (Some(_), IntervalFrom::Formula | IntervalFrom::Nothing(_)) => {
                row.interval_from = Some(Made::Formula);
            }
            (None, from) => row.no_interval = Some(why(row.metric, from, resamples)),
        }
    }
}

/// Why there is a value without an interval.
fn why(metric: MetricId, from: IntervalFrom, resamples: u32) -> String {
    match from {
        IntervalFrom::Nothing(why) => why.to_owned(),
        IntervalFrom::Resampling if resamples == 0 => "--resamples is 0".to_owned(),
        IntervalFrom::Resampling => "the counts do not say how it scatters".to_owned(),
        IntervalFrom::Formula => format!(
            "its formula gives none here; docs/metrics/{}.md says how it is computed",
            metric.spec().name
        ),
    }
}

/// Resamples every feature in every window, on all cores: each has a seed of its own, so that the order
/// does not matter.
fn every(plan: &CapturePlan, windows: &[Window], by: &Resampling) -> Found {
    let features = &plan.document().features;
    let subjects: Vec<Subject> = features
        .iter()
        .map(|feature| Subject {
            feature: Some(feature.name.clone()),
            ..Subject::default()
        })
        .collect();
    let jobs: Vec<(&Window, &Subject)> = windows
        .iter()
        .flat_map(|window| subjects.iter().map(move |of| (window, of)))
        .collect();
    let progress = Progress::steps("resampling", jobs.len() as u64);
    let next = AtomicUsize::new(0);
    let work = || {
        let mut found = Vec::new();
        while let Some((window, of)) = jobs.get(next.fetch_add(1, Ordering::Relaxed)) {
            // What features are counted in is the same for all metrics of a feature.
            let intervals = resampled(seen(plan, MetricId::Psi, of, window), by);
            let name = of
                .feature
                .as_ref()
                .map_or_else(String::new, ToString::to_string);
            found.push(((window.name(), name), intervals));
            progress.step();
        }
        found
    };
    let threads = thread::available_parallelism().map_or(1, usize::from);
    thread::scope(|scope| {
        let others: Vec<_> = (1..threads.min(MOST_THREADS).min(jobs.len()))
            .map(|_| scope.spawn(work))
            .collect();
        let mut found: Found = work().into_iter().collect();
        for other in others {
            match other.join() {
                Ok(more) => found.extend(more),
                Err(panic) => std::panic::resume_unwind(panic),
            }
        }
        found
    })
}
