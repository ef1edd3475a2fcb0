//! Values of a column as those of decisions and labels.

use clause9_shared::inference::Owned;
use clause9_shared::objective::document::Scalar;

use super::look::Look;
use crate::data::bad;

/// A column's values as classes, if there are more than two, and few.
pub(crate) fn classes(look: &Look) -> Option<Vec<Scalar>> {
    const FEW: usize = 16;
    let mut values = look.by_frequency();
    if !(3..=FEW).contains(&values.len()) {
        return None;
    }
    values.sort_by_key(|(name, _)| *name);
    Some(values.into_iter().map(|(_, cell)| scalar(cell)).collect())
}

/// Which of a column's two values means positive, and which negative.
pub(crate) fn two_values(
    look: &Look,
    column: &str,
    said: Option<&str>,
) -> anyhow::Result<(Scalar, Scalar)> {
    const POSITIVE: [&str; 6] = ["1", "true", "True", "yes", "Yes", "positive"];
    let values = look.by_frequency();
    let listed = || {
        let shown = values.iter().take(8).map(|(name, _)| format!("`{name}`"));
        shown.collect::<Vec<_>>().join(", ")
    };
    if values.len() > 2 {
        return bad(format!(
            "column `{column}` has {} values ({}), a decision and a label have two; name another column",
            values.len(),
            listed()
        ));
    }
    let is_positive = |name: &str| {
        let number = |text: &str| text.parse::<f64>().ok();
        match said {
            Some(said) => name == said || number(name).is_some_and(|x| number(said) == Some(x)),
            None => POSITIVE.contains(&name),
        }
    };
    let found = values.iter().find(|(name, _)| is_positive(name));
    let other = values.iter().find(|(name, _)| !is_positive(name));
    match (found, other) {
        (Some((_, positive)), Some((_, negative))) => Ok((scalar(positive), scalar(negative))),
        (Some((_, positive)), None) => Ok((scalar(positive), opposite(positive))),
        (None, _) => bad(format!(
            "which value of column `{column}` means positive is not known; name one of {} with --positive",
            listed()
        )),
    }
}

/// What the other value would be, where only the positive one occurs.
fn opposite(positive: &Owned) -> Scalar {
    match positive {
        Owned::Bool(b) => Scalar::Bool(!b),
        Owned::Int(0) => Scalar::Number(1.0),
        Owned::Int(_) | Owned::Uint(_) | Owned::Float(_) => Scalar::Number(0.0),
        Owned::Missing | Owned::Text(_) => Scalar::Text("negative".to_owned()),
    }
}

fn scalar(cell: &Owned) -> Scalar {
    match cell {
        Owned::Missing => Scalar::Text(String::new()),
        Owned::Float(x) => Scalar::Number(*x),
        Owned::Int(x) => Scalar::Number(*x as f64),
        Owned::Uint(x) => Scalar::Number(*x as f64),
        Owned::Bool(x) => Scalar::Bool(*x),
        Owned::Text(x) => Scalar::Text(x.to_string()),
    }
}
