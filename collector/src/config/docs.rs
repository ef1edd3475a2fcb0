//! The reference and the schema under `docs/config`, generated from the types and kept up to date.

use std::fmt::Write as _;
use std::path::PathBuf;

use schemars::{JsonSchema, schema_for};
use serde_json::Value;

use super::{AgentsFile, CollectorConfig};

const SMALLEST: &str = "\
systems:
  - { objectives: car-loan.yaml, baseline: car-loan.baseline.json }
agents: agents.yaml
";

const AGENTS: &str = "\
agents:
  - { id: \"sha256:...\", systems: [car-loan] }
";

fn schema<T: JsonSchema>() -> Value {
    schema_for!(T).to_value()
}

fn page() -> String {
    let mut text = format!(
        "# Collector configuration\n\nGenerated from the types in `collector/src/config`; change it there.\n\n\
         The smallest file:\n\n```yaml\n{SMALLEST}```\n\n"
    );
    rows(&mut text, &schema::<CollectorConfig>());
    write!(
        text,
        "\n# Trusted agents\n\nThe file that `agents` names. An agent's id is what `clause9-agent identity` prints.\n\n\
         ```yaml\n{AGENTS}```\n\n"
    )
    .unwrap();
    rows(&mut text, &schema::<AgentsFile>());
    text.push_str(
        "\nA bad configuration ends the program with exit code 78, after saying file, line and column.\n",
    );
    text
}

fn rows(text: &mut String, root: &Value) {
    text.push_str("| key | meaning |\n| --- | --- |\n");
    row_group(text, "", root, root);
}

fn row_group(text: &mut String, prefix: &str, at: &Value, root: &Value) {
    for (key, value) in at["properties"].as_object().into_iter().flatten() {
        let target = [value, &value["items"]]
            .into_iter()
            .filter_map(|v| v["$ref"].as_str())
            .find_map(|r| root.pointer(&r[1..]));
        let said = value["description"].as_str();
        let said = said
            .or_else(|| target?["description"].as_str())
            .unwrap_or("");
        writeln!(text, "| `{prefix}{key}` | {} |", said.replace('\n', " ")).unwrap();
        if let Some(inner) = target.filter(|t| t["properties"].is_object()) {
            row_group(text, &format!("{key}[]."), inner, root);
        }
    }
}

#[test]
fn the_reference_and_the_schema_are_up_to_date() {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../docs/config");
    for (name, text) in [
        ("collector.md", page()),
        (
            "collector.schema.json",
            format!("{:#}\n", schema::<CollectorConfig>()),
        ),
        (
            "collector-agents.schema.json",
            format!("{:#}\n", schema::<AgentsFile>()),
        ),
    ] {
        expect_test::expect_file![folder.join(name)].assert_eq(&text);
    }
}
