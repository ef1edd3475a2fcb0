//! What is compared with what, and by which document: settled before a row is counted.

use std::path::Path;

use anyhow::Context as _;
use clause9_shared::baseline::{Baseline, MAX_TEXT};
use clause9_shared::objective::Document;
use clause9_shared::time::Span;

use super::Args;
use super::windowing::Windowing;
use crate::data::{Table, bad};
use crate::infer::{self, Said};

/// What a reference is: a baseline file, or data.
pub(super) enum Compared {
    File(Box<Baseline>),
    Data(Table),
}

pub(super) fn compared(path: &Path) -> anyhow::Result<Compared> {
    let name = path.display().to_string();
    if path
        .extension()
        .is_none_or(|e| !e.eq_ignore_ascii_case("json"))
    {
        return Ok(Compared::Data(Table::open(path)?));
    }
    let length = std::fs::metadata(path).map_or(0, |m| m.len());
    if length > MAX_TEXT as u64 {
        return bad(format!(
            "{name}: a baseline of {length} bytes is too long, the limit is {MAX_TEXT}"
        ));
    }
    let text = std::fs::read_to_string(path).with_context(|| format!("cannot read {name}"))?;
    match Baseline::from_json(&text) {
        Ok(baseline) => Ok(Compared::File(Box::new(baseline))),
        Err(error) => bad(format!("{name}: {error}")),
    }
}

/// The document in use, with what was found out on the way.
pub(super) struct Settled {
    pub(super) document: Document,
    pub(super) inferred: bool,
    pub(super) timestamp: Option<String>,
    pub(super) notes: Vec<String>,
}

/// What the command line says of the columns.
fn said(args: &Args) -> Said<'_> {
    let roles = &args.roles;
    Said {
        score: roles.score.as_deref(),
        decision: roles.decision.as_deref(),
        class_scores: &roles.class_score,
        prediction: roles.prediction.as_deref(),
        label: roles.label.as_deref(),
        positive: &roles.positive,
        id: roles.id.as_deref(),
        timestamp: roles.timestamp.as_deref(),
        served: args.served.named(),
        texts: &roles.text,
        attributes: &roles.attribute,
        reference_groups: &roles.reference_group,
    }
}

pub(super) fn settle(
    args: &Args,
    document: Option<Document>,
    compared: &Compared,
    current: &Table,
    labels: Option<&Table>,
) -> anyhow::Result<Settled> {
    let roles = &args.roles;
    let needs_time = args.as_of.is_some() || args.window.iter().any(|w| w.needs_time());
    let given = document.is_some();
    if given
        && (!roles.attribute.is_empty()
            || !roles.positive.is_empty()
            || !roles.text.is_empty()
            || !roles.reference_group.is_empty())
    {
        return bad(
            "--attribute, --reference-group, --positive and --text are for data without --objectives; the objectives file says it",
        );
    }
    if let (Compared::File(_), false) = (compared, roles.text.is_empty()) {
        return bad(
            "--text is for reference data: a baseline file says itself which numbers of texts it has; give the data, or --objectives",
        );
    }
    let (reference, baseline) = match compared {
        Compared::Data(table) => (Some(table), None),
        Compared::File(baseline) => (None, Some(&**baseline)),
    };
    let must_look = !given || (needs_time && roles.timestamp.is_none());
    let found = if must_look {
        let said = if given { Said::default() } else { said(args) };
        let pane = pane(&args.window);
        Some(infer::infer(
            reference, baseline, current, labels, pane, &said,
        )?)
    } else {
        None
    };
    let times = found.as_ref().map_or(&[][..], |f| &f.times);
    let timestamp = match (&roles.timestamp, times) {
        (Some(name), _) => Some(name.clone()),
        (None, [only]) if current.position(only).is_some() => Some(only.clone()),
        (None, _) if needs_time => {
            return bad(format!(
                "which column holds the rows' time is not known; name it with --timestamp; there are: {}",
                current.listed()
            ));
        }
        (None, _) => None,
    };
    let (notes, inferred) = match (&document, &found) {
        (None, Some(found)) => (found.notes.clone(), Some(found.document.clone())),
        (Some(_), _) | (None, None) => (Vec::new(), None),
    };
    let Some(document) = document.or(inferred) else {
        return bad("there is no objectives file, and none could be inferred");
    };
    Ok(Settled {
        document,
        inferred: !given,
        timestamp,
        notes,
    })
}

/// Length of a pane for a document that nobody wrote: the first stretch of time that windows have.
fn pane(windows: &[Windowing]) -> Span {
    let spans = windows.iter().map(|w| match w {
        Windowing::Span(span) => Some(*span),
        Windowing::Month | Windowing::Year => Some(Span::from_days(31)),
        Windowing::All | Windowing::Rows(_) => None,
    });
    let longest = Span::from_days(31);
    spans
        .flatten()
        .next()
        .unwrap_or_else(|| Span::from_days(7))
        .min(longest)
}
