//! What everything of a system is judged by: its objectives file and its reference, with all that follows from the two. Whoever
//! has the two files has the same.

use crate::baseline::Baseline;
use crate::canonical;
use crate::digest::Digest;
use crate::ids::SystemId;
use crate::judge::Compiled;
use crate::metric::StreamKind;
use crate::objective::{Document, Objective};
use crate::plan::CapturePlan;
use crate::time::Span;

/// An objectives file with its reference.
#[derive(Clone, Debug)]
pub struct System {
    /// The objectives file.
    pub document: Document,
    /// Its name.
    pub document_digest: Digest,
    /// The frozen reference.
    pub baseline: Baseline,
    /// Its name.
    pub baseline_digest: Digest,
    /// What agents count.
    pub plan: CapturePlan,
    /// The objectives, compiled into bets.
    pub objectives: Vec<Compiled>,
}

/// A system with the canonical texts of its two files.
#[derive(Clone, Debug)]
pub struct WithTexts {
    /// The system.
    pub system: System,
    /// The objectives file.
    pub document: String,
    /// The reference.
    pub baseline: String,
}

impl System {
    /// Derives everything from a document and a baseline; says what does not fit.
    pub fn derived(document: Document, baseline: Baseline) -> Result<WithTexts, String> {
        let plan = CapturePlan::new(&document, &baseline)
            .and_then(CapturePlan::met)
            .map_err(|e| e.to_string())?;
        let objectives = document
            .objectives
            .iter()
            .map(|o| Compiled::new(&document, o, &baseline).map_err(|e| e.to_string()))
            .collect::<Result<_, _>>()?;
        let document_text = canonical::to_json(&document).map_err(|e| e.to_string())?;
        let baseline_text = canonical::to_json(&baseline).map_err(|e| e.to_string())?;
        let system = Self {
            document_digest: Document::named_by(document_text.as_bytes()),
            baseline_digest: Baseline::named_by(baseline_text.as_bytes()),
            document,
            baseline,
            plan,
            objectives,
        };
        Ok(WithTexts {
            system,
            document: document_text,
            baseline: baseline_text,
        })
    }

    /// Its short name.
    pub fn id(&self) -> &SystemId {
        &self.document.system.id
    }

    /// Length of a pane.
    pub fn pane(&self) -> Span {
        self.document.panes.length
    }

    /// Which stream an objective reads.
    pub fn stream(&self, objective: &Objective) -> StreamKind {
        match objective.metric.spec().stream {
            StreamKind::Traffic => StreamKind::Traffic,
            StreamKind::Outcomes => StreamKind::Outcomes,
            StreamKind::ByAttribute => {
                let late = self.document.attributes.iter().any(|a| {
                    Some(&a.name) == objective.of.attribute.as_ref() && self.document.comes_late(a)
                });
                if late {
                    StreamKind::Outcomes
                } else {
                    StreamKind::Traffic
                }
            }
        }
    }
}
