//! Classes of a decision, and where the score of each stands, as the command line names their columns.

use clause9_shared::objective::check::MAX_SCORED_CLASSES;
use clause9_shared::objective::document::{OutputPath, Scalar};

use super::Said;
use crate::columns::{ClassScore, is_class};
use crate::data::bad;

/// What the output is called if columns do not share a name before the class's.
const OUTPUT: &str = "class_scores";

/// Classes with one that was named and does not occur among them, so that a class that the model never
/// chose in the reference is one all the same; in the order of their names, as scores follow.
fn with_named(classes: &[Scalar], said: &[ClassScore]) -> Vec<Scalar> {
    let mut all = classes.to_vec();
    for ClassScore { class, .. } in said {
        if all.iter().any(|known| is_class(known, class)) {
            continue;
        }
        let text = |known: &Scalar| match known {
            Scalar::Text(_) => true,
            Scalar::Number(_) | Scalar::Bool(_) => false,
        };
        let number = class.parse().ok().filter(|_| !classes.iter().any(text));
        all.push(number.map_or_else(|| Scalar::Text(class.clone()), Scalar::Number));
    }
    all.sort_by_cached_key(ToString::to_string);
    all
}

/// The name that all columns have before a dot and the class's.
fn shared<'a>(classes: &[Scalar], said: &'a [ClassScore]) -> Option<&'a str> {
    let mut names = said.iter().map(|ClassScore { class, column }| {
        let class = classes.iter().find(|known| is_class(known, class))?;
        let before = column.strip_suffix(&class.to_string())?;
        before.strip_suffix('.').filter(|name| !name.is_empty())
    });
    let first = names.next()??;
    names.all(|name| name == Some(first)).then_some(first)
}

/// The classes of the decision in a column, and where their scores stand: nowhere if nothing was said.
///
/// # Errors
/// If a class has no score or two, or if there are more classes than may have one.
pub(super) fn scored(
    classes: Vec<Scalar>,
    column: &str,
    said: &Said<'_>,
) -> anyhow::Result<(Vec<Scalar>, Option<OutputPath>)> {
    let scores = said.class_scores;
    if scores.is_empty() {
        return Ok((classes, None));
    }
    let classes = with_named(&classes, scores);
    if classes.len() > MAX_SCORED_CLASSES {
        return bad(format!(
            "column `{column}` has {} classes, of which {MAX_SCORED_CLASSES} at most may have a score each; leave out --class-score",
            classes.len()
        ));
    }
    for class in &classes {
        let named = scores.iter().filter(|said| is_class(class, &said.class));
        match named.count() {
            1 => {}
            0 => {
                return bad(format!(
                    "class `{class}` of column `{column}` has no score; name the column that holds it with --class-score {class}=COLUMN"
                ));
            }
            _ => {
                return bad(format!(
                    "class `{class}` is given two columns of scores; leave out one --class-score"
                ));
            }
        }
    }
    let output = shared(&classes, scores).unwrap_or(OUTPUT);
    let taken = [Some(column), said.score].contains(&Some(output));
    let from = OutputPath {
        output: output.to_owned(),
        // The first column of an output of that name is something else.
        column: u32::from(taken),
    };
    Ok((classes, Some(from)))
}
