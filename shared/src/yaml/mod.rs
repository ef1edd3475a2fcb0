//! YAML read into types, with the place of every value kept, so that a mistake is shown by file,
//! line and column with what is wrong and what to do.
//!
//! A deliberately small YAML: one document, the core schema's plain scalars, text keys, no anchors,
//! aliases or tags. Whatever two readers might understand differently is refused, because an
//! objectives file is evidence. This is not a general YAML library and writes nothing.

mod hints;
mod rephrase;
mod scalar;
mod strict;
mod tree;

use std::fmt;

use schemars::JsonSchema;
use serde::de::DeserializeOwned;
use serde_path_to_error::{Path, Segment};

use hints::Hints;
use tree::{Place, Position};

/// Longest file in bytes that is read.
pub const MAX_BYTES: usize = 1 << 20;
/// Deepest nesting of mappings and lists that is read.
pub const MAX_DEPTH: usize = 64;

/// A mistake in a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// The file's name as given by the caller.
    pub file: String,
    /// Line, from 1.
    pub line: usize,
    /// Column in characters, from 1.
    pub column: usize,
    /// What is wrong and what to do.
    pub message: String,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{}:{}:{}: {}",
            self.file, self.line, self.column, self.message
        )
    }
}

impl std::error::Error for Problem {}

/// A parsed value that remembers where each part of it was written. Parts are named by JSON
/// pointers (RFC 6901): `/objectives/0/levels/action`.
#[derive(Clone, Debug)]
pub struct Located<T> {
    /// The value.
    pub value: T,
    file: String,
    root: Place,
}

impl<T> Located<T> {
    /// Line and column of a value; of the nearest part around it if it was not written.
    pub fn place(&self, pointer: &str) -> (usize, usize) {
        self.root.find(pointer).value
    }

    /// Line and column of the key that a value stands under; as [`place`](Self::place) if there is
    /// no such key.
    pub fn key_place(&self, pointer: &str) -> (usize, usize) {
        self.root.find(pointer).key_or_value()
    }

    /// A problem at a value.
    pub fn problem(&self, pointer: &str, message: impl Into<String>) -> Problem {
        problem(&self.file, self.place(pointer), message)
    }

    /// The file's name as given by the caller.
    pub fn file(&self) -> &str {
        &self.file
    }

    /// The same places for another value, made from this one.
    pub fn map<U>(self, f: impl FnOnce(T) -> U) -> Located<U> {
        Located {
            value: f(self.value),
            file: self.file,
            root: self.root,
        }
    }
}

fn problem(file: &str, (line, column): Position, message: impl Into<String>) -> Problem {
    Problem {
        file: file.to_owned(),
        line,
        column,
        message: message.into(),
    }
}

/// Reads one YAML document. `file` is used in messages only. At most 1 MiB, 64 levels deep, no
/// anchors, aliases or tags, no duplicate keys.
///
/// The first mistake is the error: what stands behind it cannot be trusted to mean what it seems.
pub fn from_str<T: DeserializeOwned>(file: &str, text: &str) -> Result<Located<T>, Problem> {
    read(file, text, &Hints::none())
}

/// Like [`from_str`], for types with a JSON Schema: messages say what a missing key is for, in the
/// words of its documentation.
pub fn from_str_documented<T: DeserializeOwned + JsonSchema>(
    file: &str,
    text: &str,
) -> Result<Located<T>, Problem> {
    read(file, text, &Hints::of::<T>())
}

fn read<T: DeserializeOwned>(file: &str, text: &str, hints: &Hints) -> Result<Located<T>, Problem> {
    let (tree, root) =
        tree::parse(text).map_err(|mistake| problem(file, mistake.at, mistake.message))?;
    match serde_path_to_error::deserialize::<_, T>(strict::Strict(tree)) {
        Ok(value) => Ok(Located {
            value,
            file: file.to_owned(),
            root,
        }),
        Err(error) => {
            let path = steps(error.path());
            let (at, message) = rephrase::explain(&error.inner().to_string(), &path, &root, hints);
            Err(problem(file, at, message))
        }
    }
}

/// The keys and indices that lead to where deserializing stopped.
fn steps(path: &Path) -> Vec<String> {
    path.iter()
        .map_while(|segment| match segment {
            Segment::Seq { index } => Some(index.to_string()),
            Segment::Map { key } => Some(key.clone()),
            Segment::Enum { variant } => Some(variant.clone()),
            Segment::Unknown => None,
        })
        .collect()
}

#[cfg(test)]
mod tests;
