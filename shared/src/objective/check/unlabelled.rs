//! Checks of what is assumed of cases without a label.

use super::{Findings, listed};
use crate::metric::MetricId;
use crate::objective::document::Objective;
use crate::objective::unlabelled::Unlabelled;

pub(super) fn check(findings: &mut Findings<'_>, at: &str, objective: &Objective) {
    let metric = objective.metric;
    let name = metric.spec().name;
    let fitting = |fits: fn(MetricId) -> bool| {
        let fitting = MetricId::ALL.iter().copied().filter(|m| fits(*m));
        listed(fitting.map(|m| m.spec().name))
    };
    match objective.labels {
        Unlabelled::AsObserved => {}
        Unlabelled::WorstCase => {
            if !metric.completes() {
                let message = format!(
                    "of metric `{name}` nobody can say what cases without a label could make of it; remove `labels`, or name one of {}",
                    fitting(MetricId::completes)
                );
                findings.at_key(&format!("{at}/labels"), message);
            }
        }
        Unlabelled::Sensitivity(factor) => {
            let pointer = format!("{at}/labels/sensitivity");
            if !metric.is_of_all_decisions() {
                let message = format!(
                    "of metric `{name}` the odds of cases without a label are not defined, since its label says which cases count; write `worst_case`, or name one of {}",
                    fitting(MetricId::is_of_all_decisions)
                );
                findings.at(&pointer, message);
            } else if !(factor >= 1.0 && factor.is_finite()) {
                findings.at(
                    &pointer,
                    format!("a factor of {factor} between odds is none that holds either way; write 1 or more, as 2"),
                );
            }
        }
    }
}
