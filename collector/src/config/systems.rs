//! Which AI systems are judged, each by its objectives file and its baseline.

use std::path::{Path, PathBuf};

use clause9_shared::baseline::Baseline;
use clause9_shared::objective;
use clause9_shared::time::Clock;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{ConfigProblem, read_text, shown};
use crate::known::KnownSystem;

/// One AI system.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SystemEntry {
    /// Its objectives file.
    pub objectives: PathBuf,
    /// Its baseline, built by `clause9 baseline`.
    pub baseline: PathBuf,
    /// Which clock its agents are on: `live`, or `replay` for recorded traffic played again. Batches
    /// on the other clock are refused, and it cannot be changed later. Default: `live`.
    #[serde(default)]
    pub clock: Clock,
}

impl SystemEntry {
    /// Reads both files and derives from them what judging needs.
    pub(super) fn load(&self, base: &Path) -> Result<KnownSystem, ConfigProblem> {
        let objectives = base.join(&self.objectives);
        let document = objective::load(&shown(&objectives), &read_text(&objectives)?)
            .map_err(ConfigProblem::Mistakes)?;
        let path = base.join(&self.baseline);
        let unfit = |message: String| ConfigProblem::Unfit {
            file: shown(&path),
            message,
        };
        let baseline = Baseline::from_json(&read_text(&path)?).map_err(|e| unfit(e.to_string()))?;
        let mut system = KnownSystem::new(document, baseline).map_err(unfit)?;
        system.clock = self.clock;
        Ok(system)
    }
}
