//! How numbers, times and names are written for people.

use clause9_shared::digest::Digest;
use clause9_shared::metric::MetricId;
use clause9_shared::objective::document::Subject;
use clause9_shared::objective::{Comparator, Objective};
use clause9_shared::time::{Span, Timestamp};

/// A value, four digits after the point where it is small, fewer where it is large.
pub(super) fn number(x: f64) -> String {
    let size = x.abs();
    let digits = if size >= 1000.0 {
        0
    } else if size >= 100.0 {
        1
    } else if size >= 10.0 {
        2
    } else if size >= 1.0 {
        3
    } else {
        4
    };
    let text = format!("{x:.digits$}");
    if text.contains('.') {
        text.trim_end_matches('0').trim_end_matches('.').to_owned()
    } else {
        text
    }
}

/// A count with thin spaces between thousands.
pub(super) fn count(n: u64) -> String {
    let digits = n.to_string();
    let mut text = String::new();
    for (i, digit) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            text.push('\u{202f}');
        }
        text.push(digit);
    }
    text
}

/// A time as exactly as panes make sense: the day, or day and minute.
pub(super) fn time(at: Timestamp, pane: Span) -> String {
    let text = at.to_string();
    let day = text.get(..10).unwrap_or(&text);
    if pane >= Span::from_days(1) {
        day.to_owned()
    } else {
        format!("{day} {}", text.get(11..16).unwrap_or(""))
    }
}

/// What a metric is taken of: `of car_value`, or nothing.
pub(super) fn of(subject: &Subject) -> String {
    let mut text = String::new();
    if let Some(feature) = &subject.feature {
        text.push_str(" of ");
        text.push_str(feature.as_str());
    }
    if let Some(attribute) = &subject.attribute {
        text.push_str(" by ");
        text.push_str(attribute.as_str());
    }
    if let Some(group) = &subject.group {
        text.push_str(", ");
        text.push_str(group);
    }
    if let Some(class) = &subject.class {
        text.push_str(" of class ");
        text.push_str(class);
    }
    text
}

/// Metric and subject: `Population stability index of car_value`.
pub(super) fn measured(metric: MetricId, subject: &Subject) -> String {
    format!("{}{}", metric.spec().title, of(subject))
}

/// A sentence: begins with a capital, ends with a full stop.
pub(super) fn sentence(text: &str) -> String {
    let mut letters = text.chars();
    let first = letters.next().into_iter().flat_map(char::to_uppercase);
    let end = if text.ends_with('.') { "" } else { "." };
    first.chain(letters).chain(end.chars()).collect()
}

/// Which side of a level is good.
pub(super) const fn side(objective: &Objective) -> &'static str {
    match objective.comparator {
        Comparator::AtLeast => "at least",
        Comparator::AtMost => "at most",
    }
}

/// Where a record is shown.
pub(super) fn evidence(name: Digest) -> String {
    format!("/v1/evidence/{name}")
}
