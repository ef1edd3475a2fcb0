//! Any table of columns as an AI system of features alone.

use clause9_shared::baseline::{Baseline, BaselineBuilder};
use clause9_shared::digest::Digest;
use clause9_shared::inference::{Cell, Inference, Tensor, Values};
use clause9_shared::metric::{Measurement, MetricId, Needs, Resampling, Seen, resampled};
use clause9_shared::objective::document::{Document, Subject};
use clause9_shared::plan::CapturePlan;
use clause9_shared::sketch::PaneSummary;
use clause9_shared::time::Timestamp;
use serde_json::json;

/// A column of raw values.
#[derive(Clone, Debug)]
pub(crate) enum Column {
    /// Numbers; not a number is missing.
    Numbers(Vec<f64>),
    /// Categories; the empty text is missing.
    Names(Vec<Box<str>>),
}

impl Column {
    pub(crate) fn len(&self) -> usize {
        match self {
            Self::Numbers(values) => values.len(),
            Self::Names(values) => values.len(),
        }
    }

    pub(crate) fn rows(&self, from: usize, to: usize) -> Self {
        match self {
            Self::Numbers(values) => Self::Numbers(values[from..to].to_vec()),
            Self::Names(values) => Self::Names(values[from..to].to_vec()),
        }
    }

    fn kind(&self) -> &'static str {
        match self {
            Self::Numbers(_) => "numeric",
            Self::Names(_) => "categorical",
        }
    }
}

/// A system that watches these columns, with the baseline of a reference.
pub(crate) struct System {
    document: Document,
    baseline: Baseline,
    plan: CapturePlan,
}

impl System {
    pub(crate) fn new(reference: &[(String, Column)]) -> Self {
        let features: Vec<_> = reference
            .iter()
            .enumerate()
            .map(|(i, (_, column))| {
                let missing = match column {
                    Column::Numbers(_) => json!({}),
                    Column::Names(_) => json!({ "values": [""] }),
                };
                json!({ "name": format!("f{i}"), "type": column.kind(), "distinct": true, "missing": missing,
                    "from": { "input": format!("f{i}") } })
            })
            .collect();
        let document: Document = serde_json::from_value(json!({
            "clause9": "objectives/v1",
            "system": { "id": "case", "name": "Case", "intended_purpose": "Tests.", "owner": "nobody",
                "role": "user", "models": [{ "name": "case", "source": "own" }] },
            "panes": { "length": "1d" }, "features": features, "outputs": {}, "objectives": []
        }))
        .unwrap();
        let mut builder = BaselineBuilder::new(&document, "reference.csv").jointly();
        for row in 0..reference.first().map_or(0, |(_, column)| column.len()) {
            for (feature, (_, column)) in reference.iter().enumerate() {
                let cell = match column {
                    Column::Numbers(values) => Cell::Float(values[row]),
                    Column::Names(values) => Cell::Text(&values[row]),
                };
                builder.observe(feature, cell);
            }
            builder.end_row();
        }
        let baseline = builder.finish(Digest::of(b"reference")).unwrap();
        let plan = CapturePlan::new(&document, &baseline).unwrap();
        Self {
            document,
            baseline,
            plan,
        }
    }

    /// What agents keep of these rows.
    pub(crate) fn count(&self, columns: &[Column]) -> PaneSummary {
        let mut pane = self.plan.empty_traffic();
        let tensor = |(i, column): (usize, &Column)| Tensor {
            name: format!("f{i}").into(),
            columns: 1,
            values: match column {
                Column::Numbers(values) => Values::Float(values.clone()),
                Column::Names(values) => Values::Text(values.clone()),
            },
        };
        let inference = Inference {
            model: "case".into(),
            model_version: "1".into(),
            request_id: Some("r".into()),
            arrived_at: Timestamp::EPOCH,
            rows: columns.first().map_or(0, Column::len),
            inputs: columns.iter().enumerate().map(tensor).collect(),
            outputs: Vec::new(),
        };
        for observation in self.plan.observations(&inference).unwrap() {
            self.plan.observe(observation, &mut pane);
        }
        pane
    }

    /// A metric of whole rows.
    pub(crate) fn measure_rows(&self, metric: MetricId, summary: &PaneSummary) -> Measurement {
        metric.measure(Seen {
            document: &self.document,
            baseline: &self.baseline,
            of: &Subject::default(),
            summary,
            beside: clause9_shared::metric::Beside::default(),
        })
    }

    /// The intervals that resampling gives a column's metrics.
    pub(crate) fn resampled(
        &self,
        column: usize,
        summary: &PaneSummary,
        resamples: u32,
    ) -> Vec<(MetricId, (f64, f64))> {
        let of = Subject {
            feature: Some(format!("f{column}").parse().unwrap()),
            ..Subject::default()
        };
        let seen = Seen {
            document: &self.document,
            baseline: &self.baseline,
            of: &of,
            summary,
            beside: clause9_shared::metric::Beside::default(),
        };
        let by = Resampling {
            resamples,
            baseline: self.baseline.digest(),
        };
        resampled(seen, &by)
    }

    /// A metric of a column.
    pub(crate) fn measure(
        &self,
        metric: MetricId,
        column: usize,
        summary: &PaneSummary,
    ) -> Measurement {
        let of = Subject {
            feature: Some(format!("f{column}").parse().unwrap()),
            ..Subject::default()
        };
        metric.measure(Seen {
            document: &self.document,
            baseline: &self.baseline,
            of: &of,
            summary,
            beside: clause9_shared::metric::Beside::default(),
        })
    }
}

/// Every metric that a column of a kind can have.
pub(crate) fn metrics_of(column: &Column) -> impl Iterator<Item = MetricId> {
    let numbers = matches!(column, Column::Numbers(_));
    MetricId::ALL
        .iter()
        .copied()
        .filter(move |metric| match metric.spec().needs {
            Needs::Feature => true,
            Needs::NumericFeature => numbers,
            Needs::CategoricalFeature => !numbers,
            Needs::Nothing
            | Needs::AttributeGroup
            | Needs::Group
            | Needs::Attribute
            | Needs::Class
            | Needs::ClassOfGroup
            | Needs::ClassOfAttributeGroup => false,
        })
}

/// The metric of a name.
pub(crate) fn named(name: &str) -> MetricId {
    MetricId::by_name(name).unwrap()
}
