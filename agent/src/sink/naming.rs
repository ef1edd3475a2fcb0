//! Where the values of a record stand in an inference: records name features as the objectives file
//! does, model servers by tensor and column.

use std::collections::BTreeMap;

use clause9_shared::inference::{Owned, Tensor, Values};
use clause9_shared::objective::Document;
use clause9_shared::objective::document::{AttributeSource, DecisionRule, OutputPath};

/// Most columns of a tensor that is put together.
const MAX_WIDTH: usize = 2048;

/// One value that the plan reads.
#[derive(Clone, Debug)]
struct Place {
    /// What records may call it, the first that is there counts.
    names: Vec<Box<str>>,
    tensor: Box<str>,
    column: usize,
}

/// What records call the values that the plan reads.
#[derive(Clone, Debug)]
pub struct Naming {
    inputs: Vec<Place>,
    outputs: Vec<Place>,
    /// Attributes that stand in requests.
    in_requests: Vec<Box<str>>,
    /// The model of records that name none.
    pub only: Option<Box<str>>,
}

/// Values by name.
pub(super) type Named = BTreeMap<Box<str>, Owned>;

impl Place {
    fn new(role: Option<&str>, tensor: &str, column: u32) -> Self {
        let mut names: Vec<Box<str>> = role.into_iter().map(Into::into).collect();
        if column == 0 || names.is_empty() {
            names.push(tensor.into());
        }
        Self {
            names,
            tensor: tensor.into(),
            column: usize::try_from(column).unwrap_or(usize::MAX),
        }
    }
}

impl Naming {
    /// As a document names them.
    pub fn new(document: &Document) -> Self {
        let (mut inputs, mut outputs) = (Vec::new(), Vec::new());
        for feature in &document.features {
            // A number of a text has no value of its own.
            let name = feature.text.is_none().then(|| feature.name.as_str());
            let (places, tensor) = match &feature.from.output {
                None => (&mut inputs, &feature.from.input),
                Some(output) => (&mut outputs, output),
            };
            places.push(Place::new(name, tensor, feature.from.column));
        }
        let mut in_requests = Vec::new();
        for attribute in &document.attributes {
            match &attribute.from {
                AttributeSource::Request(path) => {
                    let name = attribute.name.as_str();
                    inputs.push(Place::new(Some(name), &path.input, path.column));
                    in_requests.push(name.into());
                }
                AttributeSource::Outcome | AttributeSource::Parts => {}
            }
        }
        let mut output = |role: &str, from: &OutputPath| {
            outputs.push(Place::new(Some(role), &from.output, from.column));
        };
        let said = &document.outputs;
        if let Some(score) = &said.score {
            output("score", &score.from);
        }
        if let Some(decision) = &said.decision {
            match &decision.rule {
                DecisionRule::ScoreAtLeast(_) => {}
                DecisionRule::Output { from, .. } | DecisionRule::Class { from, .. } => {
                    output("decision", from);
                }
            }
        }
        if let Some(value) = &said.value {
            output("prediction", &value.from);
        }
        if let Some(list) = &said.ranking {
            output("prediction", &list.from);
        }
        let only = match document.system.models.as_slice() {
            [one] => Some(one.name.as_str().into()),
            _ => None,
        };
        Self {
            inputs,
            outputs,
            in_requests,
            only,
        }
    }

    /// Whether an attribute of that name stands in requests, and so is none that comes later.
    pub(super) fn is_in_requests(&self, attribute: &str) -> bool {
        self.in_requests.iter().any(|name| **name == *attribute)
    }

    /// Inputs as a model would have been sent them.
    pub(super) fn inputs(&self, named: &Named) -> Vec<Tensor> {
        tensors(&self.inputs, named)
    }

    /// Outputs as a model would have answered with them.
    pub(super) fn outputs(&self, named: &Named) -> Vec<Tensor> {
        tensors(&self.outputs, named)
    }
}

/// One row in tensors; those of which nothing was told are not there.
fn tensors(places: &[Place], named: &Named) -> Vec<Tensor> {
    let mut tensors: Vec<(&str, Vec<Owned>)> = Vec::new();
    for place in places.iter().filter(|place| place.column < MAX_WIDTH) {
        let Some(value) = place.names.iter().find_map(|name| named.get(name)) else {
            continue;
        };
        let known = tensors.iter().position(|(name, _)| **name == *place.tensor);
        let at = known.unwrap_or_else(|| {
            tensors.push((&place.tensor, Vec::new()));
            tensors.len() - 1
        });
        let row = &mut tensors[at].1;
        if row.len() <= place.column {
            row.resize(place.column + 1, Owned::Missing);
        }
        row[place.column] = value.clone();
    }
    // A tensor has all the columns that are read of it, whether or not this case has them.
    for (name, row) in &mut tensors {
        let columns = places.iter().filter(|place| *place.tensor == **name);
        let columns = columns
            .map(|place| place.column + 1)
            .filter(|c| *c <= MAX_WIDTH);
        row.resize(columns.max().unwrap_or(row.len()), Owned::Missing);
    }
    let tensor = |(name, row): (&str, Vec<Owned>)| Tensor {
        name: name.into(),
        columns: row.len(),
        values: Values::Mixed(row),
    };
    tensors.into_iter().map(tensor).collect()
}
