//! The JSON Schema of reports, generated from their types (`docs/schema/profile.v1.schema.json`).

use schemars::Schema;
use schemars::generate::SchemaSettings;
use serde_json::{Value, json};

use super::report::Report;

/// The schema, pretty-printed, with a newline at its end. It is that of what is written: a key that is
/// always there, null or not, is required.
pub(crate) fn schema() -> String {
    let settings = SchemaSettings::default().for_serialize();
    let mut schema = settings.into_generator().into_root_schema_for::<Report>();
    schema.insert("title".to_owned(), "clause9 profile, version 1".into());
    format!("{:#}\n", schema.to_value())
}

/// Asks of a measured value that nothing is silent: it is there with its interval, or with the reason why
/// there is no interval, or there is the reason why there is no value, and then nothing beside it.
pub(super) fn with_reasons(row: &mut Schema) {
    let (number, cases) = (json!({ "type": "number" }), json!({ "type": "integer" }));
    let (null, said) = (
        json!({ "type": "null" }),
        json!({ "type": "string", "minLength": 1 }),
    );
    let keys = |keys: &[(&str, &Value)]| {
        let properties = keys
            .iter()
            .map(|(key, of)| ((*key).to_owned(), (*of).clone()));
        json!({ "properties": properties.collect::<serde_json::Map<_, _>>() })
    };
    let with_interval = keys(&[
        ("value", &number),
        ("n", &cases),
        ("undefined", &null),
        ("interval", &json!({ "type": "array" })),
        ("interval_from", &said),
        ("no_interval", &null),
    ]);
    let without_interval = keys(&[
        ("value", &number),
        ("n", &cases),
        ("undefined", &null),
        ("interval", &null),
        ("interval_from", &null),
        ("no_interval", &said),
    ]);
    let without_value = keys(&[
        ("value", &null),
        ("undefined", &said),
        ("interval", &null),
        ("interval_from", &null),
        ("no_interval", &null),
        ("bound", &null),
    ]);
    row.insert(
        "oneOf".to_owned(),
        json!([with_interval, without_interval, without_value]),
    );
}
