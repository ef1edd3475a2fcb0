//! The JSON Schemas of the files that people and programs write, generated from the types. Editors
//! read them; our own checks do not.

use schemars::{JsonSchema, schema_for};
use serde_json::{Map, Value};

use crate::baseline::Baseline;
use crate::objective::document::Document;

/// The JSON Schema of objectives files, pretty-printed, with a newline at its end.
pub fn objectives() -> String {
    pretty::<Document>("clause9 objectives, version 1")
}

/// The JSON Schema of baselines, pretty-printed, with a newline at its end.
pub fn baseline() -> String {
    pretty::<Baseline>("clause9 baseline, version 1")
}

fn pretty<T: JsonSchema>(title: &str) -> String {
    let mut schema = schema_for!(T);
    schema.insert("title".to_owned(), title.into());
    // What a reader looks for first stands first.
    let mut ordered = Map::new();
    for key in ["$schema", "title", "description"] {
        if let Some(value) = schema.remove(key) {
            ordered.insert(key.to_owned(), value);
        }
    }
    if let Value::Object(rest) = schema.to_value() {
        ordered.extend(rest);
    }
    format!("{:#}\n", Value::Object(ordered))
}
