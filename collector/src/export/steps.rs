//! Spans of the collector's own work: how long a step took and whether it failed, never what was in it.

use clause9_otlp::Export;
use clause9_otlp::message::{Attributes, Span};
use clause9_otlp::trace::Context;
use clause9_shared::time::Timestamp;

/// A step under way, of a trace that is kept.
#[derive(Debug)]
pub(crate) struct Step {
    export: Export,
    context: Context,
    parent: Option<[u8; 8]>,
    name: &'static str,
    answers: bool,
    start: Timestamp,
}

impl Step {
    /// The answer to a request, in the trace that the client began or in one of its own.
    pub(crate) fn answering(
        export: Option<&Export>,
        traceparent: Option<&str>,
        name: &'static str,
        now: Timestamp,
    ) -> Option<Self> {
        let begun = Self::begun(export?, traceparent, name, now)?;
        Some(Self {
            answers: true,
            ..begun
        })
    }

    /// A step that follows from another one, or begins a trace.
    pub(crate) fn of(
        export: Option<&Export>,
        parent: Option<Context>,
        name: &'static str,
        now: Timestamp,
    ) -> Option<Self> {
        let export = export?;
        let Some(parent) = parent else {
            return Self::begun(export, None, name, now);
        };
        Some(Self {
            export: export.clone(),
            context: Export::follow(parent)?,
            parent: Some(parent.span),
            name,
            answers: false,
            start: now,
        })
    }

    fn begun(
        export: &Export,
        traceparent: Option<&str>,
        name: &'static str,
        now: Timestamp,
    ) -> Option<Self> {
        let (context, parent) = export.begin(traceparent)?;
        Some(Self {
            export: export.clone(),
            context,
            parent,
            name,
            answers: false,
            start: now,
        })
    }

    /// For those that follow from it.
    pub(crate) const fn context(&self) -> Context {
        self.context
    }

    /// The step is done.
    pub(crate) fn end(self, now: Timestamp, failed: bool, attributes: Attributes) {
        self.export.step(Span {
            context: self.context,
            parent: self.parent,
            name: self.name,
            answers: self.answers,
            start: self.start,
            // The wall clock may have been set back meanwhile.
            end: now.max(self.start),
            failed,
            attributes,
        });
    }
}
