//! From an objective as written to bets and thresholds; what cannot be judged is refused here.

use super::{CompileError, Compiled};
use crate::baseline::Baseline;
use crate::bet::fixed;
use crate::metric::{Against, MetricId};
use crate::objective::Unlabelled;
use crate::objective::document::{Document, Objective};
use crate::time::Span;

impl Compiled {
    /// Compiles an objective of a document against a baseline.
    pub fn new(
        document: &Document,
        objective: &Objective,
        baseline: &Baseline,
    ) -> Result<Self, CompileError> {
        let refuse = |why: String| {
            CompileError(format!(
                "objective `{}` version {}: {why}",
                objective.id, objective.version
            ))
        };
        if !(objective.alpha > 0.0 && objective.alpha < 1.0) {
            return Err(refuse(format!(
                "alpha {} is no error chance; set it between 0 and 1, as 0.05",
                objective.alpha
            )));
        }
        if objective.cluster == 0 {
            return Err(refuse(
                "cluster 0: a case depends at least on itself; leave it out, or set it to the most \
                 rows that one request can have"
                    .to_owned(),
            ));
        }
        if let Some(why) = refuse_reference_error(objective) {
            return Err(refuse(why));
        }
        if let Some(why) = refuse_labels(objective) {
            return Err(refuse(why));
        }
        let spec = objective.metric.spec();
        let at = |level: f64| Against {
            document,
            baseline,
            of: &objective.of,
            level,
            comparator: objective.comparator,
            reference_error: objective.reference_error,
        };
        let bets = |level: f64| {
            let against = at(level);
            match objective.metric.refuses(against) {
                Some(why) => Err(refuse(why)),
                None => objective
                    .metric
                    .bets(against)
                    .map_err(|e| refuse(e.to_string())),
            }
        };
        let action = bets(objective.levels.action)?;
        if objective.cluster > 1 && action.are_on_pairs() {
            return Err(refuse(format!(
                "cluster {}: `{}` bets on pairs of cases, which must stand alone; name the metric without \
                 `.pairs`, or leave cluster out",
                objective.cluster, spec.name
            )));
        }
        let steps = whole(objective.cycle, document.panes.length).max(1);
        Ok(Self {
            grade: spec.grade,
            steps_per_cycle: steps,
            warning_at: fixed::threshold(f64::from(steps)),
            nonconformity_at: fixed::threshold(f64::from(steps) / objective.alpha),
            stale_after: stale_after(document, objective),
            approximates_from: objective
                .metric
                .approximates_from(at(objective.levels.action)),
            action,
            alert: objective.levels.alert.map(bets).transpose()?,
            objective: objective.clone(),
        })
    }
}

/// Why nothing can be assumed of cases without a label.
fn refuse_labels(objective: &Objective) -> Option<String> {
    let metric = objective.metric;
    let fits = match objective.labels {
        Unlabelled::AsObserved => return None,
        Unlabelled::WorstCase => metric.completes(),
        Unlabelled::Sensitivity(factor) => {
            metric.is_of_all_decisions() && factor >= 1.0 && factor.is_finite()
        }
    };
    if !fits {
        return Some(format!(
            "`labels` says of cases without a label what metric `{}` cannot take; leave it out",
            metric.spec().name
        ));
    }
    (objective.comparator != metric.spec().good).then(|| {
        "with `labels` only the metric's good side can be asked for; write it as the comparator"
            .to_owned()
    })
}

/// Why the baseline's scatter cannot be allowed for.
fn refuse_reference_error(objective: &Objective) -> Option<String> {
    const DISTANCES: [MetricId; 4] = [
        MetricId::Hellinger,
        MetricId::JsDistance,
        MetricId::TotalVariation,
        MetricId::Ks,
    ];
    let error = objective.reference_error?;
    if !DISTANCES.contains(&objective.metric) {
        let names = DISTANCES.map(|metric| metric.spec().name).join(", ");
        return Some(format!(
            "reference_error is for distances that obey the triangle inequality; leave it out, or name one \
             of {names}"
        ));
    }
    (!(error > 0.0 && error < 1.0)).then(|| {
        format!("reference_error {error} is no error chance; set it between 0 and 1, as 0.01")
    })
}

/// How many whole or begun panes a span has.
fn whole(span: Span, pane: Span) -> u32 {
    let (span, pane) = (span.micros().max(0), pane.micros().max(1));
    let panes = span / pane + i64::from(span % pane != 0);
    u32::try_from(panes).unwrap_or(u32::MAX)
}

impl Compiled {
    /// How many panes pass before a pane's outcomes have had their time. None where none are waited for.
    pub fn blocks_of_delay(&self, document: &Document) -> Option<u64> {
        let delay = self.objective.label_delay?;
        Some(u64::from(whole(delay, document.panes.length)))
    }
}

/// A window without data is a gap; for outcomes, only once labels have had their time.
fn stale_after(document: &Document, objective: &Objective) -> u32 {
    let pane = document.panes.length;
    let wait = objective.label_delay.map_or(0, |delay| whole(delay, pane));
    whole(objective.window, pane).saturating_add(wait).max(1)
}
