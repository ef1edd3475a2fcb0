//! Steps of a program's own work: how long each took and whether it failed, never what was in it.

use clause9_shared::time::Timestamp;

use crate::Export;
use crate::message::{Attributes, Kind, Span};
use crate::trace::Context;

/// A step under way. Of a trace that is not kept, nothing is told when it ends.
#[derive(Debug)]
pub struct Step {
    export: Export,
    context: Context,
    parent: Option<[u8; 8]>,
    name: &'static str,
    kind: Kind,
    start: Timestamp,
}

impl Step {
    /// What a program does with what another one sent, in the trace that the other one began or in one of its own. None if the
    /// trace is not kept.
    pub fn taking(
        export: Option<&Export>,
        traceparent: Option<&str>,
        (name, kind): (&'static str, Kind),
        now: Timestamp,
    ) -> Option<Self> {
        let export = export?;
        let (context, parent) = export.begin(traceparent)?;
        Some(Self::at(export, (context, parent), (name, kind), now))
    }

    /// A step that follows from another one, or begins a trace. None if the trace is not kept.
    pub fn of(
        export: Option<&Export>,
        parent: Option<Context>,
        name: &'static str,
        now: Timestamp,
    ) -> Option<Self> {
        match parent {
            None => Self::taking(export, None, (name, Kind::Internal), now),
            Some(parent) => {
                let place = (Export::follow(parent)?, Some(parent.span));
                Some(Self::at(export?, place, (name, Kind::Internal), now))
            }
        }
    }

    /// A step whose place is known: which one it is of which trace, and which one it follows from.
    pub fn at(
        export: &Export,
        (context, parent): (Context, Option<[u8; 8]>),
        (name, kind): (&'static str, Kind),
        now: Timestamp,
    ) -> Self {
        Self {
            export: export.clone(),
            context,
            parent,
            name,
            kind,
            start: now,
        }
    }

    /// For those that follow from it.
    pub const fn context(&self) -> Context {
        self.context
    }

    /// The step is done.
    pub fn end(self, now: Timestamp, failed: bool, attributes: Attributes) {
        self.export.step(Span {
            context: self.context,
            parent: self.parent,
            name: self.name,
            kind: self.kind,
            start: self.start,
            // The wall clock may have been set back meanwhile.
            end: now.max(self.start),
            failed,
            attributes,
        });
    }
}
