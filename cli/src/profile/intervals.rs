//! The intervals that resampling gives, put beside the values they belong to; and for each value whether
//! it has an interval, how that was made, or why there is none.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use clause9_shared::metric::{
    IntervalFrom, MetricId, Resampling, beside, recounted, recounts, resampled,
};
use clause9_shared::objective::document::Subject;
use clause9_shared::plan::CapturePlan;
use clause9_shared::sketch::{SummaryKey, SummaryKind};

use super::counting::Window;
use super::measuring::seen;
use super::report::{Made, Row, ends};
use crate::progress::Progress;

/// Most threads; each holds the resamples of one column.
const MOST_THREADS: usize = 16;

/// A window's name and a subject in words.
type Place = (String, String);
/// A metric and its interval.
type Ends = (MetricId, (f64, f64));
/// Intervals of metrics, by window and subject.
type Found = BTreeMap<Place, Vec<Ends>>;
/// Figures that are counted again together: their summary, the group if it is of scores, and which.
type Together = BTreeMap<(SummaryKey, Option<String>), Vec<(MetricId, Subject)>>;

/// What is resampled at once.
enum Job<'a> {
    /// All metrics of a feature.
    Feature(&'a Window, Subject),
    /// Metrics whose figures are taken of one summary, of the labels of all cases or of a group.
    Counts(&'a Window, SummaryKey, Vec<(MetricId, Subject)>),
}

/// A subject in words.
fn name(of: &Subject) -> String {
    format!("{of:?}")
}

/// Adds the intervals of resamples, and says of each value how it came to its interval.
pub(super) fn add(plan: &CapturePlan, windows: &[Window], resamples: u32, rows: &mut [Row]) {
    let found = if resamples == 0 {
        Found::new()
    } else {
        let by = Resampling {
            resamples,
            baseline: plan.baseline().digest(),
        };
        every(plan, &jobs(plan, windows, rows), &by)
    };
    for row in rows.iter_mut().filter(|row| row.value.is_some()) {
        let from = row.metric.spec().interval;
        let mut beyond = false;
        if row.interval.is_none() {
            let own = found.get(&(row.window.clone(), name(&row.subject)));
            let own = own.and_then(|own| own.iter().find(|(metric, _)| *metric == row.metric));
            // Without width, nothing was found of how it scatters.
            let own = own.filter(|(_, (low, high))| low < high);
            if let Some(((_, made), value)) = own.zip(row.value) {
                row.interval = beside(row.metric, value, *made).map(ends);
                beyond = row.interval.is_none();
            }
        }
        match (row.interval, from) {
            (Some(_), IntervalFrom::Resampling | IntervalFrom::Recounting) => {
                row.interval_from = Some(Made::Resampling);
            }
            (Some(_), IntervalFrom::Formula | IntervalFrom::Nothing(_)) => {
                row.interval_from = Some(Made::Formula);
            }
            (None, _) if beyond => row.no_interval = Some(BEYOND.to_owned()),
            (None, from) => row.no_interval = Some(why(row.metric, from, resamples)),
        }
    }
}

/// Of a value that is larger than its metric is meant to be.
const BEYOND: &str = "the value lies beyond the numbers for which intervals are made";

/// Why there is a value without an interval.
fn why(metric: MetricId, from: IntervalFrom, resamples: u32) -> String {
    match from {
        IntervalFrom::Nothing(why) => why.to_owned(),
        IntervalFrom::Resampling | IntervalFrom::Recounting if resamples == 0 => {
            "--resamples is 0".to_owned()
        }
        IntervalFrom::Resampling | IntervalFrom::Recounting => {
            "the counts do not say how it scatters".to_owned()
        }
        IntervalFrom::Formula => format!(
            "its formula gives none here, as of a single case or of cases that are all alike; docs/metrics/{}.md says how it is computed",
            metric.spec().name
        ),
    }
}

/// What is resampled: every feature in every window, and every summary of which a figure has a value and no
/// interval yet.
fn jobs<'a>(plan: &CapturePlan, windows: &'a [Window], rows: &[Row]) -> Vec<Job<'a>> {
    let mut jobs = Vec::new();
    for window in windows {
        jobs.extend(plan.document().features.iter().map(|feature| {
            let of = Subject {
                feature: Some(feature.name.clone()),
                ..Subject::default()
            };
            Job::Feature(window, of)
        }));
        let name = window.name();
        let mut together = Together::new();
        let open = |row: &&Row| row.window == name && row.value.is_some() && row.interval.is_none();
        for row in rows.iter().filter(open) {
            let of = &row.subject;
            if let Some(key) = recounts(row.metric, &seen(plan, row.metric, of, window)) {
                // Scores are of one group, tables of all.
                let group = of.group.clone();
                let group = group.filter(|_| key.kind == SummaryKind::ScoreCells);
                let figures = together.entry((key, group)).or_default();
                figures.push((row.metric, of.clone()));
            }
        }
        let each = together.into_iter();
        jobs.extend(each.map(|((key, _), figures)| Job::Counts(window, key, figures)));
    }
    jobs
}

/// Does a job: what was found of which subject.
fn done(plan: &CapturePlan, job: &Job<'_>, by: &Resampling) -> Vec<(Place, Ends)> {
    match job {
        Job::Feature(window, of) => {
            // What features are counted in is the same for all metrics of a feature.
            let found = resampled(seen(plan, MetricId::Psi, of, window), by);
            let place = (window.name(), name(of));
            found.into_iter().map(|one| (place.clone(), one)).collect()
        }
        Job::Counts(window, key, figures) => {
            let Some((metric, of)) = figures.first() else {
                return Vec::new();
            };
            let found = recounted(seen(plan, *metric, of, window), key, figures, by);
            let each = figures.iter().zip(found);
            each.filter_map(|((metric, of), ends)| {
                Some(((window.name(), name(of)), (*metric, ends?)))
            })
            .collect()
        }
    }
}

/// Does all jobs, on all cores: each has a seed of its own, so that the order does not matter.
fn every(plan: &CapturePlan, jobs: &[Job<'_>], by: &Resampling) -> Found {
    let progress = Progress::steps("resampling", jobs.len() as u64);
    let next = AtomicUsize::new(0);
    let work = || {
        let mut found = Vec::new();
        while let Some(job) = jobs.get(next.fetch_add(1, Ordering::Relaxed)) {
            found.extend(done(plan, job, by));
            progress.step();
        }
        found
    };
    let threads = thread::available_parallelism().map_or(1, usize::from);
    let all = thread::scope(|scope| {
        let others: Vec<_> = (1..threads.min(MOST_THREADS).min(jobs.len()))
            .map(|_| scope.spawn(work))
            .collect();
        let mut found = work();
        for other in others {
            match other.join() {
                Ok(more) => found.extend(more),
                Err(panic) => std::panic::resume_unwind(panic),
            }
        }
        found
    });
    let mut found = Found::new();
    for (place, one) in all {
        found.entry(place).or_default().push(one);
    }
    found
}
