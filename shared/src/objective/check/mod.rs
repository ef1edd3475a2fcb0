//! What an objectives file must be beyond its types: levels that can be met and missed, names that
//! refer to something, versions that follow each other, references that exist.
//!
//! All mistakes are found in one pass, each with its place and what to do. A mistake of structure
//! (unknown key, wrong type) is found first and alone: what stands behind it cannot be judged.

mod attributes;
mod costs;
mod inputs;
mod levels;
mod objectives;
mod outputs;
mod references;
mod service;
mod strata;
mod system;
mod timing;
mod unlabelled;
mod versions;

use std::collections::BTreeMap;
use std::fmt::Display;

use crate::objective::document::Document;
use crate::yaml::{self, Located, Problem};

/// Most features of a document.
pub const MAX_FEATURES: usize = 256;
/// Most versions of objectives in a document.
pub const MAX_OBJECTIVES: usize = 1000;
/// Most protected attributes of a document.
pub const MAX_ATTRIBUTES: usize = 16;
/// Most places of a ranked list that count.
pub const MAX_PLACES: u32 = 100;
/// Most models of a document.
pub const MAX_MODELS: usize = 64;
/// Most values of a feature that stand for "missing".
pub const MAX_MISSING_VALUES: usize = 8;
/// Fewest and most classes of a decision.
pub const CLASSES: std::ops::RangeInclusive<usize> = 2..=crate::sketch::MAX_CLASSES as usize;
/// Most classes of a decision that have a score each: their cells must fit a batch.
pub const MAX_SCORED_CLASSES: usize = 10;
/// Fewest and most groups of an attribute.
pub const GROUPS: std::ops::RangeInclusive<usize> = 2..=64;

/// Reads and checks an objectives file. `file` is used in messages only.
///
/// On failure all problems of meaning, in the order of the file; or the one problem of structure.
pub fn load(file: &str, text: &str) -> Result<Document, Vec<Problem>> {
    let located = yaml::from_str_documented::<Document>(file, text).map_err(|p| vec![p])?;
    let problems = problems(&located);
    if problems.is_empty() {
        Ok(located.value)
    } else {
        Err(problems)
    }
}

/// All problems of meaning of a document, in the order of the file.
pub fn problems(located: &Located<Document>) -> Vec<Problem> {
    let mut findings = Findings {
        located,
        problems: Vec::new(),
    };
    system::check(&mut findings);
    timing::check_panes(&mut findings);
    inputs::check(&mut findings);
    attributes::check(&mut findings);
    outputs::check(&mut findings);
    service::check(&mut findings);
    objectives::check(&mut findings);
    versions::check(&mut findings);
    let mut problems = findings.problems;
    problems.sort_by_key(|p| (p.line, p.column));
    problems
}

/// The document under check and what was found in it.
struct Findings<'a> {
    located: &'a Located<Document>,
    problems: Vec<Problem>,
}

impl<'a> Findings<'a> {
    fn document(&self) -> &'a Document {
        &self.located.value
    }

    /// Notes a problem at a value, or at the nearest part around one that was not written.
    fn at(&mut self, pointer: &str, message: impl Into<String>) {
        self.problems.push(self.located.problem(pointer, message));
    }

    /// Notes a problem at a key: what stands there should not be there at all.
    fn at_key(&mut self, pointer: &str, message: impl Into<String>) {
        let (line, column) = self.located.key_place(pointer);
        self.problems.push(Problem {
            file: self.located.file().to_owned(),
            line,
            column,
            message: message.into(),
        });
    }

    /// A text that people read must say something.
    fn text(&mut self, pointer: &str, text: &str) {
        if text.trim().is_empty() {
            let key = pointer.rsplit('/').next().unwrap_or(pointer);
            self.at(pointer, format!("`{key}` is empty; say it in words"));
        }
    }

    fn optional_text(&mut self, pointer: &str, text: Option<&String>) {
        if let Some(text) = text
            && text.trim().is_empty()
        {
            let key = pointer.rsplit('/').next().unwrap_or(pointer);
            self.at(
                pointer,
                format!("`{key}` is empty; say it in words, or remove the key"),
            );
        }
    }

    /// A list must have between one and `most` items.
    fn count(&mut self, pointer: &str, what: &str, count: usize, most: usize) {
        if count == 0 {
            self.at(pointer, format!("no {what}; name at least one"));
        } else if count > most {
            self.at(
                pointer,
                format!("{count} {what}, the limit is {most}; watch fewer, or split the system"),
            );
        }
    }

    /// Every item must have a name of its own. `place` makes an index into the name's pointer.
    fn unique<T: Ord + Display>(
        &mut self,
        what: &str,
        names: impl IntoIterator<Item = T>,
        place: impl Fn(usize) -> String,
    ) {
        let mut first = BTreeMap::new();
        for (index, name) in names.into_iter().enumerate() {
            if let Some(earlier) = first.get(&name) {
                let (line, _) = self.located.place(&place(*earlier));
                let message = format!(
                    "{what} `{name}` is there already, on line {line}; rename or remove one of them"
                );
                self.at(&place(index), message);
            } else {
                first.insert(name, index);
            }
        }
    }
}

/// Names for a message: `a`, `b`, `c`.
fn listed<T: Display>(names: impl IntoIterator<Item = T>) -> String {
    const SHOWN: usize = 12;
    let names: Vec<_> = names.into_iter().map(|n| format!("`{n}`")).collect();
    match names.len() {
        0 => "none".to_owned(),
        n if n > SHOWN => format!("{} and {} more", names[..SHOWN].join(", "), n - SHOWN),
        _ => names.join(", "),
    }
}
