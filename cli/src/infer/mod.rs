//! A document from data: what its columns seem to be, and what the command line says they are.

use std::collections::BTreeSet;

use clause9_shared::baseline::{Baseline, Law};
use clause9_shared::ids::{MAX_NAME, Name};
use clause9_shared::objective::Reports;
use clause9_shared::objective::check::MAX_FEATURES;
use clause9_shared::objective::document::{
    Decision, DecisionRule, Document, Feature, FeatureType, Format, InputPath, Label, LabelType,
    MissingPolicy, Model, ModelSource, OutputPath, Outputs, Panes, Role, Score, System, Value,
};
use clause9_shared::objective::service::Service;
use clause9_shared::time::Span;

use crate::columns::ClassScore;
use crate::data::{Table, bad};

mod attributes;
mod class_scores;
mod draft;
mod look;
mod texts;
mod values;

use attributes::attributes;
pub(crate) use draft::draft;
use look::look;
pub(crate) use look::{Look, Seems};
pub(crate) use values::{classes, two_values};

/// What a person said of the columns.
#[derive(Debug, Default)]
pub(crate) struct Said<'a> {
    pub(crate) score: Option<&'a str>,
    pub(crate) decision: Option<&'a str>,
    /// The column of each class's score.
    pub(crate) class_scores: &'a [ClassScore],
    pub(crate) prediction: Option<&'a str>,
    pub(crate) label: Option<&'a str>,
    pub(crate) positive: &'a [String],
    pub(crate) id: Option<&'a str>,
    pub(crate) timestamp: Option<&'a str>,
    /// Columns that say how the model was served.
    pub(crate) served: Vec<&'a str>,
    /// Columns of texts.
    pub(crate) texts: &'a [String],
    pub(crate) attributes: &'a [String],
    pub(crate) reference_groups: &'a [String],
}

/// A document, and what is worth knowing about how it came about.
#[derive(Debug)]
pub(crate) struct Inferred {
    pub(crate) document: Document,
    pub(crate) notes: Vec<String>,
    /// Columns that seem to be times.
    pub(crate) times: Vec<String>,
}

/// A table and a look at its columns.
struct Looked<'a> {
    table: &'a Table,
    looks: Vec<Look>,
}

impl<'a> Looked<'a> {
    fn at(table: &'a Table) -> anyhow::Result<Self> {
        Ok(Self {
            table,
            looks: look(table)?,
        })
    }

    fn column(&self, name: &str) -> Option<&Look> {
        self.table.position(name).map(|index| &self.looks[index])
    }
}

/// Infers a document from the reference (or, where that is a baseline file, from the current data).
pub(crate) fn infer(
    reference: Option<&Table>,
    baseline: Option<&Baseline>,
    current: &Table,
    labels: Option<&Table>,
    pane: Span,
    said: &Said<'_>,
) -> anyhow::Result<Inferred> {
    let main = Looked::at(reference.unwrap_or(current))?;
    let labels = labels.map(Looked::at).transpose()?;
    let mut notes = Vec::new();
    let features = match baseline {
        Some(baseline) => of_laws(baseline),
        None => features(&main, current, said, &mut notes)?,
    };
    if features.is_empty() {
        if baseline.is_none() && main.looks.iter().all(|look| look.rows == 0) {
            return bad(format!(
                "{}: there is no row in it, so there is nothing to compare with",
                main.table.name
            ));
        }
        return bad(format!(
            "{}: no column is there to be compared with {}; there are: {}",
            current.name,
            main.table.name,
            current.listed()
        ));
    }
    let sources: Vec<&Looked<'_>> = std::iter::once(&main).chain(&labels).collect();
    let times = main
        .table
        .columns
        .iter()
        .zip(&main.looks)
        .filter(|(column, look)| look.seems(&column.name) == Seems::Time)
        .map(|(column, _)| column.name.clone());
    let document = Document {
        clause9: Format::V1,
        system: system(baseline, main.table)?,
        panes: Panes {
            length: pane,
            lateness: Span::ZERO,
            outcome_horizon: Span::from_days(90),
        },
        features,
        outputs: outputs(&sources, said)?,
        attributes: attributes(&sources, current, said, &mut notes)?,
        service: (!said.served.is_empty()).then(Service::default),
        reports: Reports::default(),
        objectives: Vec::new(),
    };
    Ok(Inferred {
        times: times.collect(),
        document,
        notes,
    })
}

fn system(baseline: Option<&Baseline>, table: &Table) -> anyhow::Result<System> {
    let stem = table.path.file_name().unwrap_or_default().to_string_lossy();
    let id = match baseline {
        Some(baseline) => baseline.system.clone(),
        None => name_of("profile", &mut BTreeSet::new())?,
    };
    Ok(System {
        id,
        name: format!("Profile of {stem}"),
        intended_purpose: "Not documented: inferred from data.".to_owned(),
        owner: "not assigned".to_owned(),
        role: Role::User,
        risk_class: None,
        impact_assessment: None,
        models: vec![Model {
            name: "model".to_owned(),
            source: ModelSource::Own,
            digest: None,
        }],
    })
}

/// A baseline's features, each read from the column of its name.
fn of_laws(baseline: &Baseline) -> Vec<Feature> {
    let laws = baseline.features.iter();
    let features = laws.map(|(name, law)| {
        let kind = match law {
            Law::Numeric { .. } => FeatureType::Numeric,
            Law::Categorical { .. } => FeatureType::Categorical,
        };
        feature(name.clone(), name.as_str(), kind)
    });
    features.collect()
}

pub(crate) fn feature(name: Name, column: &str, kind: FeatureType) -> Feature {
    Feature {
        find: None,
        name,
        kind,
        unit: match kind {
            FeatureType::Numeric => Some("1".to_owned()),
            FeatureType::Categorical => None,
        },
        from: InputPath {
            input: column.to_owned(),
            output: None,
            column: 0,
        },
        missing: MissingPolicy::default(),
        range: None,
        distinct: false,
        text: None,
    }
}

/// Every column that both tables have and that is no id, no time, no label and no free text.
fn features(
    main: &Looked<'_>,
    current: &Table,
    said: &Said<'_>,
    notes: &mut Vec<String>,
) -> anyhow::Result<Vec<Feature>> {
    let mut names = BTreeSet::new();
    let mut features = texts::features(main.table, current, said.texts, &mut names)?;
    for (column, look) in main.table.columns.iter().zip(&main.looks) {
        let name = column.name.as_str();
        let is = |role: Option<&str>| role == Some(name);
        let text = said.texts.iter().any(|text| text == name);
        if is(said.id) || is(said.timestamp) || is(said.label) || text {
            continue;
        }
        if said.served.contains(&name) {
            continue;
        }
        if current.position(name).is_none() {
            notes.push(format!(
                "column `{name}` is in the reference only; it is left out"
            ));
            continue;
        }
        let kind = match look.seems(name) {
            Seems::Number => FeatureType::Numeric,
            Seems::Category => FeatureType::Categorical,
            left_out @ (Seems::Time
            | Seems::Id
            | Seems::FreeText
            | Seems::Empty
            | Seems::Unreadable) => {
                notes.push(format!("column `{name}` {}; it is left out", why(left_out)));
                continue;
            }
        };
        let Ok(short) = name_of(name, &mut names) else {
            continue;
        };
        if features.len() == MAX_FEATURES {
            notes.push(format!(
                "more than {MAX_FEATURES} columns; `{name}` and what follows is left out"
            ));
            break;
        }
        features.push(feature(short, name, kind));
    }
    Ok(features)
}

pub(crate) const fn why(seems: Seems) -> &'static str {
    match seems {
        Seems::Time => "holds points in time",
        Seems::Id => "names rows",
        Seems::FreeText => "holds texts that hardly repeat (--text watches numbers of them)",
        Seems::Empty => "is empty",
        Seems::Unreadable => {
            "holds values of a type that is not read (nulls only, durations, times of day, lists, structs, binary)"
        }
        Seems::Number | Seems::Category => "is a feature",
    }
}

/// A short name from a column's: lower case, other characters replaced, each name once.
pub(crate) fn name_of(column: &str, taken: &mut BTreeSet<Name>) -> anyhow::Result<Name> {
    let mut text: String = column
        .chars()
        .flat_map(char::to_lowercase)
        .map(|c| match c {
            'a'..='z' | '0'..='9' | '-' | '_' | '.' => c,
            _ => '_',
        })
        .take(MAX_NAME - 8)
        .collect();
    if !text.starts_with(|c: char| c.is_ascii_alphanumeric()) {
        text.insert(0, 'c');
    }
    for number in 1_u32.. {
        let name = match number {
            1 => Name::new(&text),
            n => Name::new(&format!("{text}.{n}")),
        };
        let Ok(name) = name else { break };
        if taken.insert(name.clone()) {
            return Ok(name);
        }
    }
    bad(format!(
        "column `{column}` has no name that can be used; rename it"
    ))
}

/// A column in the first of the tables that has it.
fn look_at<'a>(sources: &[&'a Looked<'_>], column: &str, flag: &str) -> anyhow::Result<&'a Look> {
    let found = sources.iter().find_map(|s| s.column(column));
    found.map_or_else(
        || {
            let listed: Vec<_> = sources
                .iter()
                .map(|s| format!("{}: {}", s.table.name, s.table.listed()))
                .collect();
            bad(format!(
                "there is no column `{column}`, which was given as {flag}; there are in {}",
                listed.join("; in ")
            ))
        },
        Ok,
    )
}

/// Where a column of answers stands.
fn from(column: &str) -> OutputPath {
    OutputPath {
        output: column.to_owned(),
        column: 0,
    }
}

/// How the columns that were named become a decision.
fn rule(sources: &[&Looked<'_>], said: &Said<'_>) -> anyhow::Result<Option<DecisionRule>> {
    Ok(match (said.decision, said.score) {
        (Some(column), _) => {
            let look = look_at(sources, column, "--decision")?;
            Some(match classes(look) {
                Some(classes) => {
                    let (classes, scores) = class_scores::scored(classes, column, said)?;
                    DecisionRule::Class {
                        from: from(column),
                        classes,
                        scores,
                    }
                }
                None if !said.class_scores.is_empty() => {
                    return bad(format!(
                        "column `{column}` is no decision among three to sixteen classes, so that --class-score names nothing; of two classes give the column of the positive one's scores as --score"
                    ));
                }
                None => DecisionRule::Output {
                    from: from(column),
                    positive: two_values(look, column, said.positive)?.0,
                },
            })
        }
        (None, _) if !said.class_scores.is_empty() => {
            return bad(
                "--class-score is for decisions among several classes; name their column with --decision",
            );
        }
        (None, Some(_)) => Some(DecisionRule::ScoreAtLeast(0.5)),
        (None, None) => None,
    })
}

fn outputs(sources: &[&Looked<'_>], said: &Said<'_>) -> anyhow::Result<Outputs> {
    if let Some(column) = said.score {
        look_at(sources, column, "--score")?;
    }
    if let Some(column) = said.prediction {
        look_at(sources, column, "--prediction")?;
    }
    let decision = rule(sources, said)?;
    let decision = decision.map(|rule| Decision {
        positive_means: match rule {
            DecisionRule::ScoreAtLeast(_) | DecisionRule::Output { .. } => {
                Some("positive".to_owned())
            }
            DecisionRule::Class { .. } => None,
        },
        rule,
        costs: None,
    });
    let label = said.label.map(|column| {
        let look = look_at(sources, column, "--label")?;
        let kind = if said.prediction.is_some() {
            LabelType::Numeric
        } else if decision.as_ref().is_some_and(|d| d.classes().is_some()) {
            LabelType::Class
        } else {
            LabelType::Binary
        };
        let (positive, negative) = match kind {
            LabelType::Binary => {
                let (positive, negative) = two_values(look, column, said.positive)?;
                (Some(positive), Some(negative))
            }
            LabelType::Class | LabelType::Numeric | LabelType::Relevance => (None, None),
        };
        anyhow::Ok(Label {
            kind,
            positive,
            negative,
        })
    });
    Ok(Outputs {
        score: said.score.map(|column| Score { from: from(column) }),
        label: label.transpose()?,
        decision,
        value: said.prediction.map(|column| Value {
            from: from(column),
            unit: "1".to_owned(),
        }),
        ranking: None,
    })
}
