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

/// A gap's reason, of an agent.
pub(super) fn gap(reason: &str) -> String {
    match reason {
        "agent_not_watching" => "was not watching".to_owned(),
        "agent_crashed" => "ended without warning".to_owned(),
        "agent_lost" => "lost batches of its outbox".to_owned(),
        "batch_lost" => "lost a batch".to_owned(),
        "items_refused" => "had items refused".to_owned(),
        other => other.replace('_', " "),
    }
}

/// A verdict's reason with panes in place of the numbers of ledger blocks: nobody knows when block 23
/// was. A block whose pane is not known any more keeps its number.
pub(super) fn dated(because: &str, pane_of: impl Fn(u32) -> Option<String>) -> String {
    let mut text = String::new();
    let mut rest = because;
    while let Some((before, after)) = rest.split_once(" block ") {
        let digits = after.bytes().take_while(u8::is_ascii_digit).count();
        let (number, tail) = after.split_at(digits);
        let lead = ["in", "at"].into_iter().find_map(|word| {
            let lead = before.strip_suffix(word)?;
            lead.ends_with(' ').then_some(lead)
        });
        let pane = number.parse().ok().and_then(&pane_of);
        match lead.zip(pane) {
            Some((lead, pane)) => text.extend([lead, "with the pane from ", &pane]),
            None => text.extend([before, " block ", number]),
        }
        rest = tail;
    }
    text + rest
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

#[cfg(test)]
mod tests {
    #[test]
    fn blocks_are_named_by_their_panes_as_far_as_these_are_known() {
        let pane = |block| (block < 9).then(|| format!("day {block}"));
        for (told, shown) in [
            (
                "reached 5 nats at block 3, estimated to have begun in block 2; of 9 blocks",
                "reached 5 nats with the pane from day 3, estimated to have begun with the pane from \
                 day 2; of 9 blocks",
            ),
            ("begun in block 12; on", "begun in block 12; on"),
            (
                "in 1 block of a block of flats",
                "in 1 block of a block of flats",
            ),
            ("within block 3", "within block 3"),
            ("", ""),
        ] {
            assert_eq!(super::dated(told, pane), shown);
        }
    }
}
