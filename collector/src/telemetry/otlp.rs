//! Figures of what is exported by OpenTelemetry's protocol.

use clause9_otlp::{Counts, Dropped, Failed, Signal};
use prometheus::IntCounterVec;

use super::{Maker, Telemetry};

/// Series of the exporter.
#[derive(Debug)]
pub(super) struct Otlp {
    exported: IntCounterVec,
    dropped: IntCounterVec,
    failed: IntCounterVec,
}

impl Otlp {
    pub(super) fn new(make: &Maker) -> prometheus::Result<Self> {
        let telemetry = Self {
            exported: make.counter("clause9_collector_otlp_exported_total", "Data points, events and spans that the receiver of OpenTelemetry's protocol took, by signal.", &["signal"])?,
            dropped: make.counter("clause9_collector_otlp_dropped_total", "Data points, events and spans that were not exported and never will be, by signal and reason.", &["signal", "reason"])?,
            failed: make.counter("clause9_collector_otlp_failed_total", "Requests of the exporter that failed, by how.", &["reason"])?,
        };
        for signal in Signal::ALL {
            telemetry.exported.with_label_values(&[signal.as_str()]);
            for why in Dropped::ALL {
                let labels = [signal.as_str(), why.as_str()];
                telemetry.dropped.with_label_values(&labels);
            }
        }
        for how in Failed::ALL {
            telemetry.failed.with_label_values(&[how.as_str()]);
        }
        Ok(telemetry)
    }
}

impl Counts for Telemetry {
    fn exported(&self, signal: Signal, items: u64) {
        let exported = &self.otlp.exported;
        exported.with_label_values(&[signal.as_str()]).inc_by(items);
    }

    fn dropped(&self, signal: Signal, why: Dropped, items: u64) {
        let labels = [signal.as_str(), why.as_str()];
        self.otlp.dropped.with_label_values(&labels).inc_by(items);
    }

    fn failed(&self, how: Failed) -> u64 {
        let failed = self.otlp.failed.with_label_values(&[how.as_str()]);
        failed.inc();
        failed.get()
    }
}
