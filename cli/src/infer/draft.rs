//! An inferred document as YAML with comments, to be edited.

use std::fmt::{self, Write as _};

use clause9_shared::objective::document::{
    AttributeSource, Decision, DecisionRule, Document, FeatureType, LabelType, OutputPath, Outputs,
    Scalar,
};

/// The document as text that `clause9 check` passes. Objectives to begin with are added: one for the
/// first feature's drift, where there are decisions and labels one for accuracy, and where the service
/// is watched one for failures. `by` is the command that inferred it, and from what.
pub(crate) fn draft(document: &Document, by: &str) -> String {
    let mut text = String::new();
    // Writing to a string does not fail.
    let _ = write(&mut text, document, by);
    text
}

/// A text as YAML: JSON's quotes are YAML's.
fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

fn scalar(value: &Scalar) -> String {
    match value {
        Scalar::Bool(b) => b.to_string(),
        Scalar::Number(x) => x.to_string(),
        Scalar::Text(text) => quoted(text),
    }
}

fn write(out: &mut String, document: &Document, by: &str) -> fmt::Result {
    let system = &document.system;
    writeln!(
        out,
        "# Inferred {by}. Read every line, correct it, then `clause9 check` it.\n\
         # What each key means: docs/objectives.md\n\
         clause9: objectives/v1\n\n\
         system:\n  id: {}\n  name: {}\n  # What it is meant for, and by whom it is used.\n  \
         intended_purpose: {}\n  # The role that answers for it; not a person.\n  owner: {}\n  \
         # developer, provider or user\n  role: user\n  models:\n    \
         # By the name that the serving protocol uses. `source: vendor` if a supplier made it.",
        system.id,
        quoted(&system.name),
        quoted(&system.intended_purpose),
        quoted(&system.owner),
    )?;
    for model in &system.models {
        let name = quoted(&model.name);
        writeln!(out, "    - name: {name}\n      source: own")?;
    }
    writeln!(
        out,
        "\npanes:\n  length: {}\n  lateness: {}\n  outcome_horizon: {}\n",
        document.panes.length, document.panes.lateness, document.panes.outcome_horizon,
    )?;
    features(out, document)?;
    outputs(out, document)?;
    attributes(out, document)?;
    if document.service.is_some() {
        writeln!(
            out,
            "# How the model is served is counted. Say when an answer is slow, in seconds, and at which points\n\
             # objectives on quantiles may have levels: `slow_after: 0.5`, `limits: {{ latency: [0.25, 0.5] }}`.\n\
             service: {{}}\n"
        )?;
    }
    objectives(out, document)
}

fn features(out: &mut String, document: &Document) -> fmt::Result {
    writeln!(
        out,
        "# Inputs that are watched. Give numbers their unit in UCUM (\"1\" is a pure number) and, where there\n\
         # is one, their plausible range; list under `missing: {{ values: [..] }}` what stands for not known."
    )?;
    writeln!(out, "features:")?;
    if document.features.is_empty() {
        return writeln!(out, "  []");
    }
    for feature in &document.features {
        let name = feature.name.as_str();
        match (feature.text, feature.kind) {
            (Some(number), _) => {
                let text = name.strip_suffix(number.as_str()).unwrap_or(name);
                let text = text.trim_end_matches('.');
                let of = document.features.iter().filter(|f| f.from == feature.from);
                let numbers: Vec<&str> = of.filter_map(|f| Some(f.text?.as_str())).collect();
                if numbers.first() != Some(&number.as_str()) {
                    continue; // It stands with the first number of its text.
                }
                let numbers = numbers.join(", ");
                writeln!(out, "  - name: {}", quoted(text))?;
                writeln!(out, "    type: text\n    numbers: [{numbers}]")?;
            }
            (None, FeatureType::Numeric) => {
                writeln!(out, "  - name: {}", quoted(name))?;
                let unit = feature.unit.as_deref().unwrap_or("1");
                writeln!(out, "    type: numeric\n    unit: {}", quoted(unit))?;
            }
            (None, FeatureType::Categorical) => {
                writeln!(out, "  - name: {}", quoted(name))?;
                writeln!(out, "    type: categorical")?;
            }
        }
        let (side, tensor) = match &feature.from.output {
            Some(output) => ("output", output),
            None => ("input", &feature.from.input),
        };
        let place = place(side, tensor, feature.from.column);
        writeln!(out, "    from: {place}")?;
    }
    Ok(())
}

/// Where a value stands, on one line.
fn place(side: &str, tensor: &str, column: u32) -> String {
    let tensor = quoted(tensor);
    match column {
        0 => format!("{{ {side}: {tensor} }}"),
        column => format!("{{ {side}: {tensor}, column: {column} }}"),
    }
}

fn answered(from: &OutputPath) -> String {
    place("output", &from.output, from.column)
}

fn outputs(out: &mut String, document: &Document) -> fmt::Result {
    let outputs = &document.outputs;
    let some = outputs.score.is_some()
        || outputs.decision.is_some()
        || outputs.value.is_some()
        || outputs.ranking.is_some();
    if !some && outputs.label.is_none() {
        return writeln!(
            out,
            "\n# No score, decision or label was named.\noutputs: {{}}"
        );
    }
    writeln!(out, "\noutputs:")?;
    if let Some(score) = &outputs.score {
        writeln!(
            out,
            "  # A probability of the positive class, from 0 to 1.\n  score:\n    from: {}",
            answered(&score.from)
        )?;
    }
    if let Some(decision) = &outputs.decision {
        let rule = match &decision.rule {
            DecisionRule::ScoreAtLeast(threshold) => format!("{{ score_at_least: {threshold} }}"),
            DecisionRule::Class {
                from,
                classes,
                scores,
            } => format!(
                "{{ class: {{ from: {}, classes: [{}]{} }} }}",
                answered(from),
                classes.iter().map(scalar).collect::<Vec<_>>().join(", "),
                scores
                    .as_ref()
                    .map_or_else(String::new, |from| format!(", scores: {}", answered(from)))
            ),
            DecisionRule::Output { from, positive } => format!(
                "{{ output: {{ from: {}, positive: {} }} }}",
                answered(from),
                scalar(positive)
            ),
        };
        writeln!(out, "  decision:\n    rule: {rule}")?;
        if let Some(means) = &decision.positive_means {
            writeln!(
                out,
                "    # What a positive decision means, for people.\n    positive_means: {}",
                quoted(means)
            )?;
        }
    }
    if let Some(value) = &outputs.value {
        writeln!(
            out,
            "  # A predicted number, in the unit that labels are in.\n  value:\n    from: {}\n    unit: {}",
            answered(&value.from),
            quoted(&value.unit)
        )?;
    }
    if let Some(ranking) = &outputs.ranking {
        writeln!(
            out,
            "  # A ranked list of items, and how many of its places count.\n  ranking:\n    from: {}\n    at: {}",
            answered(&ranking.from),
            ranking.at
        )?;
    }
    label(out, outputs)
}

fn label(out: &mut String, outputs: &Outputs) -> fmt::Result {
    let Some(label) = &outputs.label else {
        return Ok(());
    };
    writeln!(out, "  label:")?;
    match label.kind {
        LabelType::Binary => {}
        LabelType::Class => writeln!(out, "    type: class")?,
        LabelType::Numeric => writeln!(out, "    type: numeric")?,
        LabelType::Relevance => writeln!(out, "    type: relevance")?,
    }
    for (word, value) in [("positive", &label.positive), ("negative", &label.negative)] {
        if let Some(value) = value {
            writeln!(out, "    {word}: {}", scalar(value))?;
        }
    }
    Ok(())
}

fn attributes(out: &mut String, document: &Document) -> fmt::Result {
    if document.attributes.is_empty() {
        return Ok(());
    }
    writeln!(
        out,
        "\n# Whom the system must not treat worse. `reference` is the group that the others are compared with."
    )?;
    writeln!(out, "attributes:")?;
    for attribute in &document.attributes {
        if !attribute.of.is_empty() {
            let of: Vec<String> = attribute.of.iter().map(|n| quoted(n.as_str())).collect();
            let name = quoted(attribute.name.as_str());
            writeln!(out, "  - name: {name}\n    of: [{}]", of.join(", "))?;
            continue;
        }
        let from = match &attribute.from {
            AttributeSource::Request(path) => {
                format!("{{ request: {{ input: {} }} }}", quoted(&path.input))
            }
            AttributeSource::Outcome | AttributeSource::Parts => "outcome".to_owned(),
        };
        let groups: Vec<String> = attribute.groups.iter().map(|g| quoted(g)).collect();
        writeln!(
            out,
            "  - name: {}\n    from: {from}\n    groups: [{}]\n    reference: {}",
            quoted(attribute.name.as_str()),
            groups.join(", "),
            quoted(&attribute.reference)
        )?;
    }
    Ok(())
}

fn objectives(out: &mut String, document: &Document) -> fmt::Result {
    let common = format!(
        "    policy: name the place in the AI policy that asks for it\n    window: {}\n    min_support: 200\n    \
         evaluate_every: {}\n    owner: the role that answers for it\n    approver: the role that approved it\n    \
         effective_from: 2000-01-01T00:00:00Z\n    references:\n      \
         - {{ scheme: iso42001_clause, id: \"9.1\", edition: \"2023\", claim: evidences }}\n",
        document.panes.length,
        document
            .panes
            .length
            .max(clause9_shared::time::Span::from_days(28)),
    );
    writeln!(
        out,
        "\n# What the system is held to. These are examples to begin with: replace levels, owners and words."
    )?;
    writeln!(out, "objectives:")?;
    if let Some(feature) = document.features.first() {
        writeln!(
            out,
            "  - id: drift-1\n    version: 1\n    statement: Inputs are distributed as they were when the model was approved.\n    \
             metric: psi\n    of: {{ feature: {} }}\n    comparator: at_most\n    levels: {{ action: 0.2 }}\n{common}",
            quoted(feature.name.as_str())
        )?;
    }
    let binary = |d: &Decision| d.classes().is_none();
    let judged = document.outputs.decision.as_ref().is_some_and(binary);
    if judged && document.outputs.label.is_some() {
        writeln!(
            out,
            "  - id: accuracy\n    version: 1\n    statement: Decisions agree with what later turns out to be true.\n    \
             metric: accuracy\n    comparator: at_least\n    levels: {{ action: 0.8 }}\n    label_delay: 30d\n{common}"
        )?;
    }
    if document.service.is_some() {
        writeln!(
            out,
            "  - id: failures\n    version: 1\n    statement: Those who ask get an answer.\n    \
             metric: failure_rate\n    comparator: at_most\n    levels: {{ action: 0.05 }}\n{common}"
        )?;
    }
    Ok(())
}
