//! The JSON Schemas of the files that people and programs write, generated from the types. Editors
//! read them; our own checks do not.

use schemars::{JsonSchema, schema_for};

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
    format!("{:#}\n", schema.as_value())
}
