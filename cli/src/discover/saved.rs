//! The signature that MLflow saved with a model.

use std::path::Path;

use anyhow::Context as _;
use clause9_shared::yaml;
use serde::Deserialize;
use serde_json::Value as Json;

use super::ask::Declared;
use super::learned::{Found, Learned, Said};
use crate::data::bad;

/// Longest file that is read, in bytes.
const MAX_FILE: u64 = 4 << 20;

/// The parts of an `MLmodel` file that are of interest.
#[derive(Debug, Deserialize)]
struct MlModel {
    #[serde(default)]
    signature: Option<Signature>,
}

/// Each a JSON text.
#[derive(Debug, Deserialize)]
struct Signature {
    #[serde(default)]
    inputs: Option<String>,
    #[serde(default)]
    outputs: Option<String>,
}

/// Reads an `MLmodel` file, or the one in a folder.
pub(super) fn read(path: &Path, model: Option<&str>) -> anyhow::Result<Learned> {
    let file = if path.is_dir() {
        path.join("MLmodel")
    } else {
        path.to_owned()
    };
    let shown = file.display().to_string();
    let cannot = || format!("cannot read {shown}");
    let length = std::fs::metadata(&file).with_context(cannot)?.len();
    anyhow::ensure!(
        length <= MAX_FILE,
        "{shown}: more than {MAX_FILE} bytes; is it an MLmodel file?"
    );
    let text = std::fs::read_to_string(&file).with_context(cannot)?;
    let read = match yaml::from_str::<MlModel>(&shown, &text) {
        Ok(read) => read.value,
        Err(problem) => return bad(problem.to_string()),
    };
    let Some(signature) = read.signature else {
        return bad(format!(
            "{shown}: the model was saved without a signature; save it with one, or learn from traffic with --listen"
        ));
    };
    let mut declared = Declared::default();
    let sides = [
        (false, &signature.inputs, "instances"),
        (true, &signature.outputs, "predictions"),
    ];
    for (answered, side, bare) in sides {
        let Some(side) = side else { continue };
        let Ok(Json::Array(columns)) = serde_json::from_str(side) else {
            return bad(format!("{shown}: its signature is no list of columns"));
        };
        let alone = columns.len() == 1;
        for column in &columns {
            take(column, answered, (bare, alone), &mut declared);
        }
    }
    Ok(Learned {
        // MLflow's scoring server has no names for models.
        model: model.unwrap_or("invocations").to_owned(),
        from: format!("the signature in {shown}"),
        writes: false,
        found: declared.found,
        rows: Vec::new(),
        notes: declared.notes,
    })
}

/// A column (`{"name":..,"type":"double"}`) or a tensor
/// (`{"type":"tensor","tensor-spec":{"dtype":"float64","shape":[-1,4]}}`).
fn take(column: &Json, answered: bool, (bare, alone): (&str, bool), into: &mut Declared) {
    let text = |key: &str| column.get(key).and_then(Json::as_str);
    let name = text("name");
    if let Some(tensor) = column.get("tensor-spec") {
        let shape = tensor.get("shape").and_then(Json::as_array);
        let shape = shape.into_iter().flatten().filter_map(Json::as_i64);
        let what = match tensor.get("dtype").and_then(Json::as_str) {
            Some("str" | "object" | "bool") => Said::Name,
            Some(whole) if whole.contains("int") => Said::Whole,
            Some(_) | None => Said::Real,
        };
        let name = name.unwrap_or(bare);
        into.tensor(answered, (name, name), &shape.collect::<Vec<_>>(), what);
        return;
    }
    let what = match text("type") {
        Some("double" | "float") => Said::Real,
        Some("long" | "integer") => Said::Whole,
        Some("string" | "boolean") => Said::Name,
        Some("datetime") => Said::Time,
        Some(_) | None => Said::Other,
    };
    // A single output comes back without its name.
    let place = match (name, answered && alone) {
        (Some(name), false) => name,
        (Some(_), true) | (None, _) => bare,
    };
    into.found.push(Found {
        called: name.map(Into::into),
        ..Found::alone(answered, place, what)
    });
}
