//! Objectives and baseline as they were given: bytes that have the names they are to have, read and checked as files are.

use bytes::Bytes;
use clause9_shared::baseline::{Baseline, BaselineError};
use clause9_shared::digest::Digest;
use clause9_shared::objective::{self, Document};
use clause9_shared::plan::{CapturePlan, PlanError};
use clause9_shared::wire::plan::Named;
use clause9_shared::yaml::Problem;

use crate::config::CAPPED_STRATA;

/// Both documents, under their names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Documents {
    names: Named,
    objectives: Bytes,
    baseline: Bytes,
}

/// Why documents cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum Unfit {
    /// Bytes under another name than their own.
    #[error("the {what} have not the name {name}: they were changed on their way")]
    Name {
        /// Which document.
        what: &'static str,
        /// The name it was to have.
        name: Digest,
    },
    /// They are no text.
    #[error("the {0} are no text")]
    Text(&'static str),
    /// The objectives have mistakes.
    #[error("the objectives have mistakes: {}", lines(.0))]
    Objectives(Vec<Problem>),
    /// The objectives say something else to this program than to whoever named them.
    #[error(
        "the objectives are {read} as read here, and not {name}; run agent and collector of one version"
    )]
    Read {
        /// Their name.
        name: Digest,
        /// That of what was read.
        read: Digest,
    },
    /// They are of another system.
    #[error("the objectives are those of system `{0}`")]
    System(String),
    /// The baseline is none.
    #[error("the baseline is none: {0}")]
    Baseline(#[from] BaselineError),
    /// They do not fit each other.
    #[error(transparent)]
    Plan(#[from] PlanError),
    /// They exclude what is configured.
    #[error("sampling.cap {CAPPED_STRATA}")]
    Capped,
}

fn lines(problems: &[Problem]) -> String {
    let lines: Vec<String> = problems.iter().take(8).map(ToString::to_string).collect();
    lines.join("; ")
}

impl Documents {
    /// Bytes that have these names.
    pub fn verified(names: Named, objectives: Bytes, baseline: Bytes) -> Result<Self, Unfit> {
        let this = Self {
            names,
            objectives,
            baseline,
        };
        for (what, name, found) in [
            (
                "objectives",
                this.names.objectives,
                Document::named_by(&this.objectives),
            ),
            (
                "baseline's bytes",
                this.names.baseline,
                Baseline::named_by(&this.baseline),
            ),
        ] {
            if name != found {
                return Err(Unfit::Name { what, name });
            }
        }
        Ok(this)
    }

    /// Their names.
    pub const fn names(&self) -> &Named {
        &self.names
    }

    /// Their bytes.
    pub const fn bytes(&self) -> [&Bytes; 2] {
        [&self.objectives, &self.baseline]
    }

    /// The one of that name.
    pub fn named(&self, name: Digest) -> Option<Bytes> {
        match name {
            _ if name == self.names.objectives => Some(self.objectives.clone()),
            _ if name == self.names.baseline => Some(self.baseline.clone()),
            _ => None,
        }
    }

    /// What is to be counted by them, if they pass every check that files have to pass. `capped`: whether a bound on
    /// sampling is configured.
    pub fn plan(&self, capped: bool) -> Result<CapturePlan, Unfit> {
        let text = |what, bytes| std::str::from_utf8(bytes).map_err(|_| Unfit::Text(what));
        let objectives = text("objectives", &self.objectives)?;
        let document = objective::load("objectives", objectives).map_err(Unfit::Objectives)?;
        let (name, read) = (self.names.objectives, document.digest().ok());
        if let Some(read) = read.filter(|read| *read != name) {
            return Err(Unfit::Read { name, read });
        }
        if document.system.id != self.names.system {
            return Err(Unfit::System(document.system.id.to_string()));
        }
        let baseline = Baseline::from_json(text("baseline's bytes", &self.baseline)?)?;
        let plan = CapturePlan::new(&document, &baseline)?.met()?;
        if capped && plan.strata().is_some() {
            return Err(Unfit::Capped);
        }
        Ok(plan)
    }
}
