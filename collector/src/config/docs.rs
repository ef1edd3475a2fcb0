//! The reference and the schema under `docs/config`, generated from the types and kept up to date.

use std::fmt::Write as _;
use std::path::PathBuf;

use schemars::{JsonSchema, schema_for};
use serde_json::Value;

use super::{AgentsFile, CollectorConfig, TokensFile};
use crate::access::{About, Needs, Route, Scope};

const SMALLEST: &str = "\
systems:
  - { objectives: car-loan.yaml, baseline: car-loan.baseline.json }
agents: agents.yaml
";

const AGENTS: &str = "\
agents:
  - { id: \"sha256:...\", systems: [car-loan] }
  - { id: \"sha256:...\", systems: [car-loan], spiffe: \"spiffe://example.org/ns/loans/sa/scoring\" }
  - { id: \"sha256:...\", systems: [car-loan], revoked_at: \"2026-11-01T12:00:00Z\" }
";

const TOKENS: &str = "\
tokens:
  - { name: dashboards, digest: \"sha256:...\", scopes: [read], expires: \"2027-01-01T00:00:00Z\" }
  - { name: labels-job, digest: \"sha256:...\", scopes: [outcomes], systems: [car-loan] }
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
    write!(
        text,
        "\n# Tokens\n\nThe file that `tokens` names. `clause9-collector token new` makes a secret and its line; how to hand them out is in \
         [identity.md](../identity.md).\n\n```yaml\n{TOKENS}```\n\n"
    )
    .unwrap();
    rows(&mut text, &schema::<TokensFile>());
    text.push_str("\n# What routes ask for\n\n| route | asks for | for a token of single systems |\n| --- | --- | --- |\n");
    for route in crate::serve::declared() {
        routed(&mut text, &route);
    }
    text.push_str(
        "\nA bad configuration ends the program with exit code 78, after saying file, line and column.\n",
    );
    text
}

fn routed(text: &mut String, route: &Route) {
    let asks = match route.needs {
        Needs::Nothing => "nothing".to_owned(),
        Needs::Signature => "an agent's signature".to_owned(),
        Needs::Scope(Scope::Read) => "scope `read` or `audit`".to_owned(),
        Needs::Scope(scope) => format!("scope `{}`", scope.as_str()),
        Needs::AgentOr(scope) => {
            format!("an agent's signature, or scope `{}`", scope.as_str())
        }
    };
    let single = match (route.needs, route.about) {
        (Needs::Nothing | Needs::Signature, _) => "",
        (Needs::Scope(_) | Needs::AgentOr(_), About::Everything) => "no",
        (Needs::Scope(_) | Needs::AgentOr(_), About::Path) => "its systems",
        (Needs::Scope(_) | Needs::AgentOr(_), About::Query) => "its systems, with `?system=ID`",
    };
    writeln!(
        text,
        "| `{} {}` | {asks} | {single} |",
        route.method, route.path
    )
    .unwrap();
}

fn rows(text: &mut String, root: &Value) {
    text.push_str("| key | meaning |\n| --- | --- |\n");
    row_group(text, "", root, root);
}

fn row_group(text: &mut String, prefix: &str, at: &Value, root: &Value) {
    for (key, value) in at["properties"].as_object().into_iter().flatten() {
        let (items, maybe) = (&value["items"], &value["anyOf"][0]);
        let target = [value, items, maybe]
            .into_iter()
            .filter_map(|v| v["$ref"].as_str())
            .find_map(|r| root.pointer(&r[1..]));
        let said = value["description"].as_str();
        let said = said
            .or_else(|| target?["description"].as_str())
            .unwrap_or("");
        writeln!(text, "| `{prefix}{key}` | {} |", said.replace('\n', " ")).unwrap();
        if let Some(inner) = target.filter(|t| t["properties"].is_object()) {
            let each = if items.is_object() { "[]" } else { "" };
            row_group(text, &format!("{prefix}{key}{each}."), inner, root);
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
        (
            "collector-tokens.schema.json",
            format!("{:#}\n", schema::<TokensFile>()),
        ),
    ] {
        expect_test::expect_file![folder.join(name)].assert_eq(&text);
    }
}
