//! Figures of a reading. Core.

use clause9_otlp::message::{Attributes, Figure, Named, Value};
use clause9_shared::time::Clock;
use clause9_shared::verdict::VerdictState;

use super::attribute::{
    CLOCK, GRADE, LEVEL, METRIC, NONCONFORMITY, OBJECTIVE, STATE, SYSTEM, VERSION,
};
use super::grade;
use crate::reading::{ObjectiveReading, Reading};
use crate::telemetry::nats;

const fn gauge(name: &'static str, unit: &'static str, about: &'static str) -> Named {
    Named { name, unit, about }
}

const VALUE: Named = gauge(
    "clause9.objective.value",
    "",
    "Value of the newest measured window, over all replicas, in the unit of the metric.",
);
const LOW: Named = gauge(
    "clause9.objective.value.low",
    "",
    "Lower end of the 95 % interval of that window alone.",
);
const HIGH: Named = gauge(
    "clause9.objective.value.high",
    "",
    "Upper end of the 95 % interval of that window alone.",
);
const SUPPORT: Named = gauge(
    "clause9.objective.support",
    "{case}",
    "Cases that the value rests on.",
);
const START: Named = gauge(
    "clause9.objective.window.start",
    "s",
    "First point of that window in seconds since 1970, on the system's clock.",
);
const END: Named = gauge(
    "clause9.objective.window.end",
    "s",
    "First point after that window in seconds since 1970, on the system's clock.",
);
const LEVELS: Named = gauge(
    "clause9.objective.level",
    "",
    "Levels of the version that is shown, in the unit of the metric.",
);
const IN_FORCE: Named = gauge(
    "clause9.objective.in_force",
    "",
    "1 if the version that is shown is in force, 0 if no version is.",
);
const EVIDENCE: Named = gauge(
    "clause9.objective.evidence",
    "{nat}",
    "Evidence of a breach of the action level.",
);
const NONCONFORMITY_AT: Named = gauge(
    "clause9.objective.nonconformity_at",
    "{nat}",
    "Evidence at which a breach is confirmed.",
);
const WARNING_AT: Named = gauge(
    "clause9.objective.warning_at",
    "{nat}",
    "Evidence at which a warning is given.",
);
const VERDICT: Named = gauge(
    "clause9.verdict",
    "",
    "1 for the state that the objective is in, else 0.",
);
const NONCONFORMITIES: Named = gauge(
    "clause9.nonconformities",
    "{nonconformity}",
    "Nonconformities by state.",
);
const MISSING: Named = gauge(
    "clause9.missing_measurements",
    "{window}",
    "Windows that should have a value and have none.",
);
const QUIET: Named = gauge(
    "clause9.windows_without_traffic",
    "{window}",
    "Windows that are due and have no value because nothing was asked of the system while it was watched.",
);
const COVERED: Named = gauge(
    "clause9.exchanges.covered",
    "1",
    "Share of the exchanges of the last sealed pane that were sampled, sampled out, or are no inference.",
);
const SEALED_UNTIL: Named = gauge(
    "clause9.sealed_until",
    "s",
    "End of the last sealed pane in seconds since 1970, on the system's clock.",
);

/// Every figure of a system.
pub(super) fn figures(reading: &Reading<'_>) -> Vec<Figure> {
    // Before anything was heard there is nothing to say.
    let Some(clock) = reading.state.clock else {
        return Vec::new();
    };
    let of = vec![
        (SYSTEM, Value::from(reading.system.id().as_str())),
        (CLOCK, Value::from(word(clock))),
    ];
    let mut put = Figures(Vec::new());
    put.one(MISSING, &of, reading.lacking.missing as f64);
    put.one(QUIET, &of, reading.lacking.quiet as f64);
    let candidate = with(&of, NONCONFORMITY, "candidate");
    put.one(NONCONFORMITIES, &candidate, reading.candidates as f64);
    if let Some((seen, covered)) = reading.covered.filter(|(seen, _)| *seen > 0) {
        put.one(COVERED, &of, covered as f64 / seen as f64);
    }
    if let Some(pane) = reading.state.last_sealed {
        let end = pane.end(reading.system.pane());
        put.one(SEALED_UNTIL, &of, end.seconds_f64());
    }
    for read in &reading.objectives {
        put.objective(&of, read);
    }
    put.0
}

/// The word for a clock.
pub(super) const fn word(clock: Clock) -> &'static str {
    match clock {
        Clock::Live => "live",
        Clock::Replay => "replay",
    }
}

fn with(of: &Attributes, name: &'static str, value: &str) -> Attributes {
    let mut more = of.clone();
    more.push((name, Value::from(value)));
    more
}

struct Figures(Vec<Figure>);

impl Figures {
    fn one(&mut self, gauge: Named, of: &Attributes, value: f64) {
        // Evidence before anything was bet is minus infinity: nothing that a graph can show.
        if value.is_finite() {
            self.0.push(Figure {
                gauge,
                attributes: of.clone(),
                value,
            });
        }
    }

    fn objective(&mut self, of: &Attributes, read: &ObjectiveReading<'_>) {
        let objective = read.objective;
        let mut of = of.clone();
        of.push((OBJECTIVE, Value::from(objective.id.as_str())));
        of.push((VERSION, Value::Count(objective.version.into())));
        of.push((METRIC, Value::from(objective.metric.spec().name)));
        self.one(IN_FORCE, &of, f64::from(u8::from(read.in_force)));
        if let Some(estimate) = &read.estimate {
            self.one(VALUE, &of, estimate.value);
            if let Some((low, high)) = estimate.interval {
                self.one(LOW, &of, low);
                self.one(HIGH, &of, high);
            }
        }
        let support = read.estimate.as_ref().map_or(0.0, |e| e.support as f64);
        self.one(SUPPORT, &of, support);
        if let Some(window) = read.window() {
            self.one(START, &of, window.start.seconds_f64());
            self.one(END, &of, window.end.seconds_f64());
        }
        let levels = objective.levels;
        for (level, at) in [
            ("target", levels.target),
            ("alert", levels.alert),
            ("action", Some(levels.action)),
        ] {
            if let Some(at) = at {
                self.one(LEVELS, &with(&of, LEVEL, level), at);
            }
        }
        let Some(verdict) = read.verdict() else {
            return;
        };
        let graded = with(&of, GRADE, grade(verdict.grade));
        self.one(EVIDENCE, &graded, nats(verdict.evidence));
        self.one(NONCONFORMITY_AT, &of, nats(verdict.nonconformity_at));
        self.one(WARNING_AT, &of, nats(verdict.warning_at));
        for state in VerdictState::ALL {
            let is = f64::from(u8::from(state == verdict.state));
            self.one(VERDICT, &with(&of, STATE, state.as_str()), is);
        }
    }
}
