//! Online change detectors over streams of the file, in its order. They may warn and never raise:
//! what they say depends on the order of rows, so it is no evidence.

use clause9_shared::detector::{DetectorKind, Watch};
use clause9_shared::inference::{Cell, Inference};
use clause9_shared::objective::document::{Document, Scalar};
use clause9_shared::objective::{Feature, FeatureType};
use clause9_shared::plan::Prediction;

use super::report::Detected;
use crate::data::bad;

/// Most positions of each kind that a report lists.
const MOST: usize = 1000;

/// The declared streams with their detectors.
#[derive(Debug, Default)]
pub(crate) struct Watching {
    streams: Vec<Stream>,
}

#[derive(Debug)]
struct Stream {
    name: String,
    of: Of,
    detectors: Vec<(DetectorKind, Watch)>,
}

/// Where a stream's values come from.
#[derive(Debug)]
enum Of {
    Feature(Box<Feature>),
    Score,
    /// 1 where the decision turned out wrong, 0 where it turned out right.
    Error,
}

impl Watching {
    /// Streams by their names: a numeric feature, `score`, or `error`.
    pub(crate) fn new(document: &Document, names: &[String]) -> anyhow::Result<Self> {
        let mut streams = Vec::new();
        for name in names {
            let feature = document
                .features
                .iter()
                .filter(|f| f.kind == FeatureType::Numeric)
                .find(|f| f.name.as_str() == name || *f.from.input == **name);
            let of = match (feature, name.as_str()) {
                (Some(feature), _) => Of::Feature(Box::new(feature.clone())),
                (None, "score") if document.outputs.score.is_some() => Of::Score,
                (None, "error") if document.outputs.decision.is_some() => Of::Error,
                (None, _) => {
                    let numeric = document.features.iter();
                    let numeric = numeric.filter(|f| f.kind == FeatureType::Numeric);
                    let there: Vec<_> = numeric.map(|f| format!("`{}`", f.from.input)).collect();
                    return bad(format!(
                        "--detectors {name}: there is no such stream; name a numeric feature ({}), `score`, or `error` (wrong decisions)",
                        there.join(", ")
                    ));
                }
            };
            let is_error = match of {
                Of::Error => true,
                Of::Feature(_) | Of::Score => false,
            };
            let kinds = DetectorKind::ALL.iter().copied();
            let detectors = kinds
                .filter(|kind| is_error || !kind.reads_errors_only())
                .map(|kind| (kind, Watch::new(kind.with_defaults())));
            streams.push(Stream {
                name: name.clone(),
                of,
                detectors: detectors.collect(),
            });
        }
        Ok(Self { streams })
    }

    /// Takes a row. A row without the value is passed over.
    pub(crate) fn take(&mut self, inference: &Inference, row: usize, prediction: &Prediction) {
        for stream in &mut self.streams {
            let value = match &stream.of {
                Of::Feature(feature) => of_feature(feature, inference, row),
                Of::Score => prediction.score,
                Of::Error => prediction
                    .decision
                    .zip(prediction.label)
                    .map(|(decision, label)| f64::from(u8::from(decision != label))),
            };
            if let Some(value) = value {
                for (_, watch) in &mut stream.detectors {
                    watch.take(value);
                }
            }
        }
    }

    /// What they said.
    pub(crate) fn found(&self) -> Vec<Detected> {
        let each = self.streams.iter().flat_map(|stream| {
            stream.detectors.iter().map(|(kind, watch)| {
                let found = watch.found();
                let first = |list: &[u64]| list.iter().copied().take(MOST).collect();
                Detected {
                    stream: stream.name.clone(),
                    detector: kind.name().to_owned(),
                    values: found.taken,
                    drifts: found.drift.len() as u64,
                    drift_at: first(&found.drift),
                    warnings: found.warning_starts.len() as u64,
                    warning_at: first(&found.warning_starts),
                }
            })
        });
        each.collect()
    }
}

/// A feature's number in a row, if it is one and does not stand for a missing value.
fn of_feature(feature: &Feature, inference: &Inference, row: usize) -> Option<f64> {
    let from = &feature.from;
    let tensor = inference.inputs.iter().find(|t| *t.name == *from.input)?;
    let column = usize::try_from(from.column).unwrap_or(usize::MAX);
    let number = match tensor.cell(row, column) {
        Cell::Missing | Cell::Text(_) => None,
        cell @ (Cell::Float(_) | Cell::Int(_) | Cell::Uint(_) | Cell::Bool(_)) => cell.number(),
    };
    let stands_for_missing = |x: f64| {
        feature.missing.values.iter().any(|value| match value {
            Scalar::Number(missing) => x.total_cmp(missing).is_eq(),
            Scalar::Bool(_) | Scalar::Text(_) => false,
        })
    };
    number.filter(|x| x.is_finite() && !stands_for_missing(*x))
}
