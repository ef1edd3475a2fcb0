//! What a key is for, in the words of its documentation, looked up in the type's JSON Schema.
//! Not a schema validator.

use schemars::JsonSchema;
use serde_json::Value;

/// The documentation of a type, or none.
pub(super) struct Hints {
    root: Value,
}

impl Hints {
    pub(super) const fn none() -> Self {
        Self { root: Value::Null }
    }

    pub(super) fn of<T: JsonSchema>() -> Self {
        Self {
            root: schemars::schema_for!(T).to_value(),
        }
    }

    /// The first sentence of a key's documentation, fit to follow a colon.
    pub(super) fn purpose<S: AsRef<str>>(
        &self,
        steps: impl IntoIterator<Item = S>,
    ) -> Option<String> {
        let mut here = &self.root;
        for step in steps {
            here = self.part(here, step.as_ref())?;
        }
        let text = here.get("description")?.as_str()?;
        let text = text.split_whitespace().collect::<Vec<_>>().join(" ");
        let sentence = text
            .split(". ")
            .next()
            .unwrap_or(&text)
            .trim_end_matches('.');
        Some(lower_first(sentence))
    }

    /// What a text under a key must look like, if its type says so.
    pub(super) fn form<S: AsRef<str>>(&self, steps: impl IntoIterator<Item = S>) -> Option<String> {
        let mut here = &self.root;
        for step in steps {
            here = self.part(here, step.as_ref())?;
        }
        let schema = self.resolve(here);
        if schema["type"] != "string" {
            return None;
        }
        schema.get("pattern").or_else(|| schema.get("format"))?;
        let text = schema.get("description")?.as_str()?;
        Some(lower_first(text.trim_end_matches('.')))
    }

    /// The schema of a part: under a key, or of a list's items; through references and choices.
    fn part<'a>(&'a self, schema: &'a Value, step: &str) -> Option<&'a Value> {
        let schema = self.resolve(schema);
        if let Some(part) = schema.get("properties").and_then(|p| p.get(step)) {
            return Some(part);
        }
        if step.bytes().all(|b| b.is_ascii_digit())
            && let Some(items) = schema.get("items")
        {
            return Some(items);
        }
        ["anyOf", "oneOf", "allOf"]
            .iter()
            .filter_map(|choice| schema.get(choice)?.as_array())
            .flatten()
            .find_map(|choice| self.part(choice, step))
    }

    fn resolve<'a>(&'a self, schema: &'a Value) -> &'a Value {
        // An optional value refers to its type beside `null`.
        let schema = schema
            .get("anyOf")
            .and_then(Value::as_array)
            .filter(|choices| choices.iter().any(|c| c["type"] == "null"))
            .and_then(|choices| choices.iter().find(|c| c["type"] != "null"))
            .unwrap_or(schema);
        schema
            .get("$ref")
            .and_then(Value::as_str)
            .and_then(|r| self.root.pointer(r.strip_prefix('#')?))
            .unwrap_or(schema)
    }
}

/// Lowers a sentence's first letter unless its first word is an abbreviation.
fn lower_first(sentence: &str) -> String {
    let mut chars = sentence.chars();
    match (chars.next(), chars.clone().next()) {
        (Some(first), second) if !second.is_some_and(char::is_uppercase) => {
            first.to_lowercase().chain(chars).collect()
        }
        _ => sentence.to_owned(),
    }
}
