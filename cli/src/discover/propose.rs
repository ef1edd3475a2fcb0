//! From what was learned to a document: which values are watched, and what the answers seem to mean.
//! Everything here is a guess for people to correct; nothing is guessed that would be wrong in silence.

use std::collections::BTreeSet;

use clause9_shared::ids::{BadName, Name};
use clause9_shared::inference::Owned;
use clause9_shared::objective::Reports;
use clause9_shared::objective::check::MAX_FEATURES;
use clause9_shared::objective::document::{
    Decision, DecisionRule, Document, Feature, FeatureType, Format, InputPath, Label, LabelType,
    Model, ModelSource, OutputPath, Outputs, Panes, Role, Scalar, Score, System, Value,
};
use clause9_shared::objective::service::Service;
use clause9_shared::text::TextNumber;
use clause9_shared::time::Span;

use super::learned::{Found, Learned};
use crate::infer::{Look, Seems, classes, feature, name_of, two_values, why};

/// What is watched of texts to begin with: one number for how long they are, one for how they are written.
const OF_TEXTS: [&str; 2] = ["words", "repetition"];

/// A document, and where in a row its values are.
#[derive(Debug)]
pub(super) struct Proposed {
    pub(super) document: Document,
    /// Which of the found values are the outputs.
    pub(super) outputs: Roles,
    pub(super) notes: Vec<String>,
}

/// Which of the found values play which part, by their places among them.
#[derive(Debug, Default)]
pub(super) struct Roles {
    pub(super) score: Option<usize>,
    pub(super) decision: Option<usize>,
    pub(super) value: Option<usize>,
}

/// A first document.
pub(super) fn document(learned: &Learned) -> anyhow::Result<Proposed> {
    let mut notes = Vec::new();
    let mut roles = Roles::default();
    if !learned.writes {
        roles = roles_of(&learned.found, &mut notes);
    }
    let outputs = outputs(&learned.found, &roles, &mut notes);
    let mut taken = BTreeSet::new();
    let id = name_of(&learned.model, &mut BTreeSet::new())?;
    let document = Document {
        clause9: Format::V1,
        system: System {
            id,
            name: format!("System of model {}", learned.model),
            intended_purpose: "Say what it is meant to be used for, and by whom.".to_owned(),
            owner: "the role that answers for it".to_owned(),
            role: Role::User,
            risk_class: None,
            impact_assessment: None,
            models: vec![Model {
                name: learned.model.clone(),
                source: ModelSource::Own,
                digest: None,
            }],
        },
        panes: Panes {
            length: Span::from_secs(3600),
            lateness: Span::from_secs(30),
            outcome_horizon: Span::from_days(90),
        },
        features: features(learned, &mut taken, &mut notes),
        outputs,
        attributes: Vec::new(),
        service: Some(Service::default()),
        reports: Reports::default(),
        objectives: Vec::new(),
    };
    Ok(Proposed {
        document,
        outputs: roles,
        notes,
    })
}

fn features(
    learned: &Learned,
    taken: &mut BTreeSet<Name>,
    notes: &mut Vec<String>,
) -> Vec<Feature> {
    let mut features = Vec::new();
    for found in &learned.found {
        let place = &found.place;
        if place.answered && !learned.writes {
            continue;
        }
        let shown = match place.of {
            1 => place.name.to_string(),
            _ => format!("{}.{}", place.name, place.column),
        };
        let kinds = match found.seems {
            Seems::Number => vec![(FeatureType::Numeric, None)],
            Seems::Category => vec![(FeatureType::Categorical, None)],
            Seems::FreeText => {
                let numbers = TextNumber::all().filter(|n| OF_TEXTS.contains(&n.as_str()));
                numbers.map(|n| (FeatureType::Numeric, Some(n))).collect()
            }
            left_out @ (Seems::Time | Seems::Id | Seems::Empty | Seems::Unreadable) => {
                notes.push(format!("`{shown}` {}; it is left out", why(left_out)));
                continue;
            }
        };
        if features.len() + kinds.len() > MAX_FEATURES {
            notes.push(format!(
                "more than {MAX_FEATURES} features; `{shown}` and what follows is left out"
            ));
            break;
        }
        let Ok(base) = name_of(&shown, taken) else {
            continue;
        };
        for (kind, number) in kinds {
            let Ok(name) = named(&base, number) else {
                continue;
            };
            let mut one = feature(name, &place.name, kind);
            one.text = number;
            if let Some(number) = number {
                one.unit = Some(number.unit().to_owned());
            }
            one.from.column = place.column;
            if place.answered {
                one.from = InputPath {
                    input: String::new(),
                    output: Some(place.name.to_string()),
                    column: place.column,
                };
            }
            features.push(one);
        }
    }
    // As `type: text` is read: the first number of a text stands where the text stands, the others
    // after all features.
    let mut texts = BTreeSet::new();
    let (first, rest): (Vec<_>, Vec<_>) = features.into_iter().partition(|f| {
        let place = (f.from.input.clone(), f.from.output.clone(), f.from.column);
        f.text.is_none() || texts.insert(place)
    });
    first.into_iter().chain(rest).collect()
}

fn named(base: &Name, number: Option<TextNumber>) -> Result<Name, BadName> {
    match number {
        None => Ok(base.clone()),
        Some(number) => Name::new(&format!("{base}.{}", number.as_str())),
    }
}

/// Which answers are a probability, a decision, a number.
fn roles_of(found: &[Found], notes: &mut Vec<String>) -> Roles {
    let answers = || found.iter().enumerate().filter(|(_, f)| f.place.answered);
    let score = answers()
        .filter(|(_, f)| is_probability(f) && f.place.of <= 2)
        // Of two that add up to one, the second is the positive class's.
        .max_by_key(|(index, f)| (hinted(f), f.place.column, std::cmp::Reverse(*index)))
        .map(|(index, _)| index);
    let more = answers().find(|(_, f)| is_probability(f) && f.place.of > 2);
    if let (None, Some((_, many))) = (score, more) {
        notes.push(format!(
            "`{}` has {} probabilities in a row; name the one that decides as `score`, or the answered class as `decision`",
            many.place.name, many.place.of
        ));
    }
    let of_score = |f: &Found| score.is_some_and(|s| found[s].place.name == f.place.name);
    let decision = answers()
        .find(|(_, f)| f.place.of == 1 && !of_score(f) && decides(f))
        .map(|(index, _)| index);
    let value = answers()
        .find(|(_, f)| f.place.of == 1 && f.seems == Seems::Number && more.is_none())
        .map(|(index, _)| index)
        .filter(|_| score.is_none() && decision.is_none());
    Roles {
        score,
        decision,
        value,
    }
}

/// Whether an answer is called as probabilities are.
fn hinted(found: &Found) -> bool {
    let name = found.name();
    ["prob", "score", "confidence", "risk"]
        .iter()
        .any(|hint| name.contains(hint))
}

/// Whether an answer is a probability: from 0 to 1 and not only one of the two. Unseen, its name tells.
fn is_probability(found: &Found) -> bool {
    let Some(look) = &found.look else {
        return found.seems == Seems::Number && hinted(found);
    };
    let numbers = || {
        look.by_frequency()
            .into_iter()
            .map(|(_, cell)| number(cell))
    };
    let within = |x: Option<f64>| x.is_some_and(|x| (0.0..=1.0).contains(&x));
    found.seems == Seems::Number
        && numbers().all(within)
        && numbers().any(|x| x.is_some_and(|x| x > 0.0 && x < 1.0))
}

/// Whether an answer has few values. Unseen, its type and its name tell.
fn decides(found: &Found) -> bool {
    if let Some(look) = &found.look {
        return two(look) || classes(look).is_some();
    }
    let name = found.name();
    let called = ["label", "class", "decision", "predict"];
    found.whole && !hinted(found) && called.iter().any(|hint| name.contains(hint))
}

fn two(look: &Look) -> bool {
    look.by_frequency().len() <= 2 && two_values(look, "", &[]).is_ok()
}

fn number(cell: &Owned) -> Option<f64> {
    match cell {
        Owned::Float(x) => Some(*x),
        Owned::Int(x) => Some(*x as f64),
        Owned::Uint(x) => Some(*x as f64),
        Owned::Missing | Owned::Bool(_) | Owned::Text(_) => None,
    }
}

fn outputs(found: &[Found], roles: &Roles, notes: &mut Vec<String>) -> Outputs {
    let from = |index: usize| OutputPath {
        output: found[index].place.name.to_string(),
        column: found[index].place.column,
    };
    let mut binary = (Scalar::Number(1.0), Scalar::Number(0.0));
    let rule = match (roles.decision, roles.score) {
        (Some(index), _) => {
            let look = found[index].look.as_ref();
            let from = from(index);
            Some(if let Some(classes) = look.and_then(classes) {
                DecisionRule::Class {
                    from,
                    classes,
                    scores: None,
                }
            } else {
                match look.map(|look| two_values(look, &found[index].place.name, &[])) {
                    Some(Ok(values)) => binary = values,
                    Some(Err(_)) | None => notes.push(format!(
                        "that `{}` is 1 for a positive decision is a guess",
                        found[index].place.name
                    )),
                }
                let positive = binary.0.clone();
                DecisionRule::Output { from, positive }
            })
        }
        (None, Some(_)) => Some(DecisionRule::ScoreAtLeast(0.5)),
        (None, None) => None,
    };
    let kind = match (&rule, roles.value) {
        (Some(DecisionRule::Class { .. }), _) => Some(LabelType::Class),
        (Some(_), _) => Some(LabelType::Binary),
        (None, Some(_)) => Some(LabelType::Numeric),
        (None, None) => None,
    };
    let label = kind.map(|kind| {
        let two = kind == LabelType::Binary;
        Label {
            kind,
            positive: two.then(|| binary.0.clone()),
            negative: two.then(|| binary.1.clone()),
        }
    });
    // Probabilities of two classes go with a decision of two; of several classes, no one score does.
    let classes = matches!(rule, Some(DecisionRule::Class { .. }));
    let decision = rule.map(|rule| Decision {
        positive_means: (!classes).then(|| "positive".to_owned()),
        rule,
        costs: None,
    });
    Outputs {
        score: roles
            .score
            .filter(|_| !classes)
            .map(|index| Score { from: from(index) }),
        decision,
        value: roles.value.map(|index| Value {
            from: from(index),
            unit: "1".to_owned(),
        }),
        ranking: None,
        label,
    }
}
