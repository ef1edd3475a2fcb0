//! What the monitor tells of itself: how things stand, and its figures.

use clause9_shared::window::{DropReason, UndecodableReason};

use super::{Monitor, MonitorStatus, OpenPane};
use crate::engine::shelf::Reason;
use crate::engine::{Engine, Tally};

impl Monitor {
    pub(super) fn status(&self) -> MonitorStatus {
        let next = self.next_seen().into_iter().flat_map(Engine::open);
        let known: std::collections::BTreeMap<_, _> = self.engine.open().chain(next).collect();
        let open = self
            .recorder
            .panes
            .open()
            .into_iter()
            .map(|(start, socket)| {
                let mut coverage = known.get(&start).cloned().unwrap_or_default();
                coverage.not_inference += socket.not_inference;
                for (mine, theirs) in coverage.dropped.iter_mut().zip(socket.dropped) {
                    *mine += theirs;
                }
                coverage.seen = socket.seen;
                let under_way = coverage.seen.saturating_sub(coverage.accounted());
                OpenPane {
                    start: start.0,
                    coverage,
                    under_way,
                }
            });
        MonitorStatus {
            now: self.recorder.clock.now(),
            watermark: self.engine.watermark(),
            open: open.collect(),
            remembered_predictions: self.engine.remembered(),
            waiting_outcomes: self.engine.waiting(),
            sampling_rate: self.engine.rate_in_force(),
            sink: self.intake.status(),
        }
    }

    /// Gives what has waited long enough for its request to be looked for elsewhere.
    fn hand_over(&mut self) {
        if let (Some(on_the_way), Some(now)) = (&self.on_the_way, self.recorder.clock.now()) {
            let handed = self.engine.hand_over(now, on_the_way.room());
            on_the_way.add(handed);
        }
    }

    /// Shows in telemetry what was counted.
    pub(super) fn publish(&mut self) {
        self.engine.tidy();
        self.hand_over();
        let telemetry = &self.recorder.telemetry;
        let gauge = |n: usize| i64::try_from(n).unwrap_or(i64::MAX);
        telemetry.queue_exchanges.set(gauge(self.exchanges.len()));
        telemetry
            .queue_bytes
            .set(gauge(self.recorder.budget.used()));
        telemetry.remembered.set(gauge(self.engine.remembered()));
        telemetry.sampling_rate.set(self.engine.rate_in_force());
        let (rows, bytes) = self.engine.shelved();
        telemetry
            .shelved
            .set(i64::try_from(rows).unwrap_or(i64::MAX));
        telemetry
            .shelved_bytes
            .set(i64::try_from(bytes).unwrap_or(i64::MAX));
        let sink = self.intake.status();
        let waiting = sink.waiting_requests + sink.waiting_answers;
        telemetry.sink_waiting.set(gauge(waiting));
        telemetry.sink_waiting_bytes.set(gauge(sink.waiting_bytes));
        if let Some(watermark) = self.engine.watermark() {
            telemetry.watermark.set(watermark.seconds_f64());
        }
        let tally = self.engine.take_tally();
        self.show(&tally);
        if let Some((_, next)) = self.next_engine() {
            next.tidy();
            let tally = next.take_tally();
            self.show(&tally);
        }
    }

    fn show(&self, tally: &Tally) {
        let telemetry = &self.recorder.telemetry;
        if *tally == Tally::default() {
            return;
        }
        for (fate, count) in [
            ("sampled", tally.sampled),
            ("sampled_out", tally.sampled_out),
            ("undecodable", tally.undecodable.iter().sum()),
        ] {
            telemetry.exchanges.with_label_values(&[fate]).inc_by(count);
        }
        for reason in DropReason::ALL {
            telemetry.count_dropped(*reason, tally.dropped[*reason as usize]);
        }
        for reason in UndecodableReason::ALL {
            let count = tally.undecodable[*reason as usize];
            telemetry
                .undecodable
                .with_label_values(&[reason.as_str()])
                .inc_by(count);
        }
        for (fate, count) in [
            ("joined", tally.joined),
            ("repeated", tally.repeated),
            ("unknown_id", tally.unknown_id),
            ("forgotten", tally.outcomes_forgotten),
            ("unknown_row", tally.unknown_row),
            ("unlisted_value", tally.unlisted_value),
            ("dropped", tally.outcomes_dropped),
            ("sampled_out", tally.outcomes_sampled_out),
        ] {
            telemetry.outcomes.with_label_values(&[fate]).inc_by(count);
        }
        telemetry.late.inc_by(tally.late);
        telemetry.for_groups.inc_by(tally.for_groups);
        telemetry.rows.inc_by(tally.rows);
        telemetry.panes_closed.inc_by(tally.panes);
        for reason in Reason::ALL {
            let count = tally.forgotten[reason as usize];
            let series = telemetry.forgotten.with_label_values(&[reason.as_str()]);
            series.inc_by(count);
        }
        telemetry.damaged.inc_by(tally.joins_damaged);
        let failures = telemetry.state_write_failures.with_label_values(&["joins"]);
        failures.inc_by(tally.joins_write_failures);
    }
}
