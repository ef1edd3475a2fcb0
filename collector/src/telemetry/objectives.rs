//! Gauges of objectives. One version of each is shown: the one that judged the last sealed pane, or the
//! last that judged. What an earlier version had and this one has not is taken away.

use clause9_shared::objective::Objective;
use clause9_shared::verdict::{Verdict, VerdictState};
use prometheus::{GaugeVec, IntGaugeVec};

use super::{Maker, nats};
use crate::reading::{ObjectiveReading, Reading};

/// Series with an objective's name.
#[derive(Debug)]
pub(super) struct ObjectiveGauges {
    version: IntGaugeVec,
    in_force: IntGaugeVec,
    first_due: GaugeVec,
    value: GaugeVec,
    support: GaugeVec,
    level: GaugeVec,
    evidence: GaugeVec,
    nonconformity_at: GaugeVec,
    warning_at: GaugeVec,
    verdict: IntGaugeVec,
    named: IntGaugeVec,
}

impl ObjectiveGauges {
    pub(super) fn new(make: &Maker) -> prometheus::Result<Self> {
        let of = &["system", "objective"];
        Ok(Self {
            version: make.int_gauge("clause9_objective_version", "Version of the objective that is shown: the one in force, or the last that was.", of)?,
            in_force: make.int_gauge("clause9_objective_in_force", "1 if the version that is shown is in force, 0 if no version is.", of)?,
            first_due: make.gauge("clause9_objective_first_value_due_timestamp_seconds", "Since when the version that is shown should have a value: its first window is over and its labels are due; on the system's clock.", of)?,
            value: make.gauge("clause9_objective_value", "Value of the newest measured window, over all replicas.", &["system", "objective", "metric", "scope"])?,
            support: make.gauge("clause9_objective_support", "Cases that the value rests on.", of)?,
            level: make.gauge("clause9_objective_level", "Levels of the version that is shown.", &["system", "objective", "level"])?,
            evidence: make.gauge("clause9_objective_evidence_nats", "Evidence of a breach of the action level.", of)?,
            nonconformity_at: make.gauge("clause9_objective_nonconformity_at_nats", "Evidence at which a breach is confirmed.", of)?,
            warning_at: make.gauge("clause9_objective_warning_at_nats", "Evidence at which a warning is given.", of)?,
            verdict: make.int_gauge("clause9_verdict", "1 for the state that the objective is in, else 0.", &["system", "objective", "state"])?,
            named: make.int_gauge("clause9_objective_named_together", "1 if the objective is named as broken among those of its metric on other features, else 0.", of)?,
        })
    }

    pub(super) fn show(&self, reading: &Reading<'_>) {
        for read in &reading.objectives {
            let objective = read.objective;
            let of = [reading.system.id().as_str(), objective.id.as_str()];
            self.version
                .with_label_values(&of)
                .set(i64::from(objective.version));
            self.in_force
                .with_label_values(&of)
                .set(i64::from(read.in_force));
            if let Some(due) = read.first_due {
                self.first_due.with_label_values(&of).set(due.seconds_f64());
            }
            self.show_levels(&of, objective);
            self.show_value(&of, read);
            match read.named_together() {
                Some(named) => self.named.with_label_values(&of).set(i64::from(named)),
                None => drop(self.named.remove_label_values(&of)),
            }
            if let Some(verdict) = read.verdict() {
                self.show_verdict(&of, verdict);
            }
        }
    }

    fn show_value(&self, of: &[&str; 2], read: &ObjectiveReading<'_>) {
        for version in &read.versions {
            let labels = [of[0], of[1], version.metric.spec().name, "system"];
            match &read.estimate {
                Some(estimate) if version.metric == read.objective.metric => {
                    self.value.with_label_values(&labels).set(estimate.value);
                }
                // Absent, not stale: whoever alerts on the value must see that there is none. The
                // series may not exist yet, which is as well.
                Some(_) | None => drop(self.value.remove_label_values(&labels)),
            }
        }
        let support = read.estimate.as_ref().map_or(0.0, |e| e.support as f64);
        self.support.with_label_values(of).set(support);
    }

    fn show_levels(&self, of: &[&str; 2], objective: &Objective) {
        let levels = objective.levels;
        for (level, at) in [
            ("target", levels.target),
            ("alert", levels.alert),
            ("action", Some(levels.action)),
        ] {
            let labels = [of[0], of[1], level];
            match at {
                Some(at) => self.level.with_label_values(&labels).set(at),
                None => drop(self.level.remove_label_values(&labels)),
            }
        }
    }

    fn show_verdict(&self, of: &[&str; 2], verdict: &Verdict) {
        for (gauge, fixed) in [
            (&self.evidence, verdict.evidence),
            (&self.nonconformity_at, verdict.nonconformity_at),
            (&self.warning_at, verdict.warning_at),
        ] {
            gauge.with_label_values(of).set(nats(fixed));
        }
        for state in VerdictState::ALL {
            self.verdict
                .with_label_values(&[of[0], of[1], state.as_str()])
                .set(i64::from(state == verdict.state));
        }
    }
}
