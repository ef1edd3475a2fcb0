//! Checks of references: whether the clause or control exists. Numbers are facts of ISO/IEC
//! 42001:2023; what they ask for stands in no file of ours in the standard's words.

use super::Findings;
use crate::objective::document::{Objective, Reference, Scheme};

/// The numbered clauses 4 to 10 of ISO/IEC 42001:2023 that ask for something.
const CLAUSES: [&str; 36] = [
    "4.1", "4.2", "4.3", "4.4", "5.1", "5.2", "5.3", "6.1", "6.1.1", "6.1.2", "6.1.3", "6.1.4",
    "6.2", "6.3", "7.1", "7.2", "7.3", "7.4", "7.5", "7.5.1", "7.5.2", "7.5.3", "8.1", "8.2",
    "8.3", "8.4", "9.1", "9.2", "9.2.1", "9.2.2", "9.3", "9.3.1", "9.3.2", "9.3.3", "10.1", "10.2",
];

/// The controls of Annex A. The number `.1` of a family is its aim, not a control.
const CONTROLS: [&str; 38] = [
    "A.2.2", "A.2.3", "A.2.4", "A.3.2", "A.3.3", "A.4.2", "A.4.3", "A.4.4", "A.4.5", "A.4.6",
    "A.5.2", "A.5.3", "A.5.4", "A.5.5", "A.6.1.2", "A.6.1.3", "A.6.2.2", "A.6.2.3", "A.6.2.4",
    "A.6.2.5", "A.6.2.6", "A.6.2.7", "A.6.2.8", "A.7.2", "A.7.3", "A.7.4", "A.7.5", "A.7.6",
    "A.8.2", "A.8.3", "A.8.4", "A.8.5", "A.9.2", "A.9.3", "A.9.4", "A.10.2", "A.10.3", "A.10.4",
];

pub(super) fn check(findings: &mut Findings<'_>, at: &str, objective: &Objective) {
    if objective.references.is_empty() {
        findings.at(
            &format!("{at}/references"),
            "no references; name at least one clause, control or law that this gives evidence for",
        );
    }
    for (i, reference) in objective.references.iter().enumerate() {
        check_one(findings, &format!("{at}/references/{i}"), reference);
    }
}

fn check_one(findings: &mut Findings<'_>, at: &str, reference: &Reference) {
    let pointer = format!("{at}/id");
    let id = reference.id.as_str();
    match reference.scheme {
        Scheme::Iso42001Clause if !CLAUSES.contains(&id) => {
            let message = format!(
                "ISO/IEC 42001 has no clause `{id}`; write one from 4.1 to 10.2{}",
                nearby(id, &CLAUSES)
            );
            findings.at(&pointer, message);
        }
        Scheme::Iso42001Control if !CONTROLS.contains(&id) => {
            let message = format!(
                "Annex A of ISO/IEC 42001 has no control `{id}`; write one of its 38{}",
                nearby(id, &CONTROLS)
            );
            findings.at(&pointer, message);
        }
        Scheme::EuAiAct if !is_article(id) => {
            let message = format!(
                "Regulation (EU) 2024/1689 has no article `{id}`; write one from 1 to 113, as 72 or 26(5)"
            );
            findings.at(&pointer, message);
        }
        Scheme::Iso42001Clause | Scheme::Iso42001Control | Scheme::EuAiAct => {}
        Scheme::NistAiRmf | Scheme::Own => findings.text(&pointer, id),
    }
    findings.optional_text(&format!("{at}/edition"), reference.edition.as_ref());
}

/// The existing numbers under the same heading, for a message.
fn nearby(id: &str, known: &[&str]) -> String {
    let Some((family, _)) = id.rsplit_once('.') else {
        return String::new();
    };
    let prefix = format!("{family}.");
    let near: Vec<_> = known
        .iter()
        .copied()
        .filter(|k| k.starts_with(&prefix))
        .collect();
    if near.is_empty() {
        String::new()
    } else {
        format!("; under {family} there are {}", near.join(", "))
    }
}

/// An article's number, alone or with paragraphs: `72`, `26(5)`, `17(1)(h)`.
fn is_article(id: &str) -> bool {
    let digits = id.bytes().take_while(u8::is_ascii_digit).count();
    let (number, paragraphs) = id.split_at(digits);
    let known = number.parse::<u32>().is_ok_and(|n| (1..=113).contains(&n)) && !id.starts_with('0');
    let closed =
        paragraphs.is_empty() || (paragraphs.starts_with('(') && paragraphs.ends_with(')'));
    known && closed
}
