//! From an objective as written to bets and thresholds; what cannot be judged is refused here.

use super::{CompileError, Compiled};
use crate::baseline::{Baseline, Law};
use crate::bet::{Bets, fixed};
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
        let spec = objective.metric.spec();
        check_against_baseline(objective, baseline).map_err(refuse)?;
        let bets = |level: f64| {
            Bets::new(spec.sample, level, objective.comparator).map_err(|e| refuse(e.to_string()))
        };
        let steps = whole(objective.cycle, document.panes.length).max(1);
        Ok(Self {
            grade: spec.grade,
            steps_per_cycle: steps,
            warning_at: fixed::threshold(f64::from(steps)),
            nonconformity_at: fixed::threshold(f64::from(steps) / objective.alpha),
            stale_after: stale_after(document, objective),
            action: bets(objective.levels.action)?,
            alert: objective.levels.alert.map(bets).transpose()?,
            objective: objective.clone(),
        })
    }
}

/// How many whole or begun panes a span has.
fn whole(span: Span, pane: Span) -> u32 {
    let (span, pane) = (span.micros().max(0), pane.micros().max(1));
    let panes = span / pane + i64::from(span % pane != 0);
    u32::try_from(panes).unwrap_or(u32::MAX)
}

/// A window without data is a gap; for outcomes, only once labels have had their time.
fn stale_after(document: &Document, objective: &Objective) -> u32 {
    let pane = document.panes.length;
    let wait = objective.label_delay.map_or(0, |delay| whole(delay, pane));
    whole(objective.window, pane).saturating_add(wait).max(1)
}

/// A drift level must be larger than what the baseline's own size leaves open.
fn check_against_baseline(objective: &Objective, baseline: &Baseline) -> Result<(), String> {
    if objective.metric != crate::metric::MetricId::Psi {
        return Ok(());
    }
    let law = objective
        .of
        .feature
        .as_ref()
        .and_then(|feature| baseline.features.get(feature))
        .ok_or("its feature is not in the baseline; build the baseline again")?;
    let (cells, rows) = match law {
        Law::Numeric {
            counts,
            missing,
            invalid,
            ..
        } => (
            counts.len() + 1,
            counts.iter().sum::<u64>() + missing + invalid,
        ),
        Law::Categorical {
            counts,
            other,
            missing,
            ..
        } => (
            counts.len() + 2,
            counts.iter().sum::<u64>() + other + missing,
        ),
    };
    if rows == 0 {
        return Err("the baseline has no rows of its feature; build it from data".into());
    }
    let least = 4.0 * (cells as f64 - 1.0) / rows as f64;
    let levels = objective.levels;
    match [Some(levels.action), levels.alert]
        .into_iter()
        .flatten()
        .find(|level| *level < least)
    {
        Some(level) => Err(format!(
            "level {level} is finer than a baseline of {rows} rows in {cells} cells can tell; set \
             it to at least {least:.4}, or build the baseline from more rows"
        )),
        None => Ok(()),
    }
}
