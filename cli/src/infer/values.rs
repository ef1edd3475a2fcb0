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

/// Which of a column's two values means positive, and which negative. Where one alone occurs, the other is
/// what was said, or what stands for the opposite.
pub(crate) fn two_values(
    look: &Look,
    column: &str,
    said: &[String],
) -> anyhow::Result<(Scalar, Scalar)> {
    const POSITIVE: [&str; 6] = ["1", "true", "True", "yes", "Yes", "positive"];
    const NEGATIVE: [&str; 6] = ["0", "false", "False", "no", "No", "negative"];
    let values = look.by_frequency();
    let listed = || {
        let shown = values.iter().take(8).map(|(name, _)| format!("`{name}`"));
        shown.collect::<Vec<_>>().join(" or ")
    };
    if values.len() > 2 {
        return bad(format!(
            "column `{column}` has {} values ({}), a decision and a label have two; name another column",
            values.len(),
            listed()
        ));
    }
    let is = |name: &str, said: &str| {
        let number = |text: &str| text.parse::<f64>().ok();
        name == said || number(name).is_some_and(|x| number(said) == Some(x))
    };
    let is_positive = |name: &str| match said {
        [] => POSITIVE.contains(&name),
        said => said.iter().any(|said| is(name, said)),
    };
    let found: Vec<_> = values
        .iter()
        .filter(|(name, _)| is_positive(name))
        .collect();
    let other = values.iter().find(|(name, _)| !is_positive(name));
    match (&found[..], other, said) {
        ([(_, positive)], Some((_, negative)), _) => Ok((scalar(positive), scalar(negative))),
        ([(_, positive)], None, _) => Ok((scalar(positive), opposite(positive))),
        // It alone occurs, and it is none of those that mean positive.
        ([], Some((_, only)), [said]) if values.len() == 1 => Ok((like(only, said), scalar(only))),
        ([], Some((name, only)), []) if values.len() == 1 && NEGATIVE.contains(name) => {
            Ok((opposite(only), scalar(only)))
        }
        ([_, ..], _, [_, ..]) => bad(format!(
            "both values of column `{column}` ({}) are said to mean positive; give --positive for one of them",
            listed()
        )),
        (_, _, [_, ..]) => bad(format!(
            "column `{column}` has the values {}, none of which --positive names; give --positive once more, with the one that means positive there",
            listed()
        )),
        (_, _, []) => bad(format!(
            "which value of column `{column}` means positive is not known; say `--positive` with {}",
            listed()
        )),
    }
}

/// A value as it was said, of the kind of another of its column.
fn like(other: &Owned, said: &str) -> Scalar {
    match other {
        Owned::Bool(b) => Scalar::Bool(!b),
        Owned::Int(_) | Owned::Uint(_) | Owned::Float(_) => match said.parse() {
            Ok(number) => Scalar::Number(number),
            Err(_) => Scalar::Text(said.to_owned()),
        },
        Owned::Missing | Owned::Text(_) => Scalar::Text(said.to_owned()),
    }
}

/// What the other value would be, where only one occurs.
fn opposite(positive: &Owned) -> Scalar {
    match positive {
        Owned::Bool(b) => Scalar::Bool(!b),
        Owned::Int(0) => Scalar::Number(1.0),
        Owned::Int(_) | Owned::Uint(_) | Owned::Float(_) => Scalar::Number(0.0),
        Owned::Text(text) => Scalar::Text(
            match &**text {
                "yes" => "no",
                "Yes" => "No",
                "no" => "yes",
                "No" => "Yes",
                "negative" => "positive",
                _ => "negative",
            }
            .to_owned(),
        ),
        Owned::Missing => Scalar::Text("negative".to_owned()),
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
