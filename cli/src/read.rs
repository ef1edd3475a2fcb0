//! Reading objectives files from disk, within their limit.

use std::fs::File;
use std::io::Read as _;
use std::path::Path;

use anyhow::Context as _;
use clause9_shared::objective::{self, Document};
use clause9_shared::yaml::{MAX_BYTES, Problem};

/// An objectives file as read: its text, if it is one, and what it says.
pub(crate) struct Objectives {
    pub(crate) name: String,
    pub(crate) text: Option<String>,
    pub(crate) checked: Result<Document, Vec<Problem>>,
}

/// Reads and checks an objectives file. An error only if it cannot be read from disk.
pub(crate) fn objectives(path: &Path) -> anyhow::Result<Objectives> {
    let name = path.display().to_string();
    let mut bytes = Vec::new();
    File::open(path)
        // One byte more than allowed is enough for the limit to be told.
        .and_then(|file| file.take(MAX_BYTES as u64 + 1).read_to_end(&mut bytes))
        .with_context(|| format!("cannot read {name}"))?;
    Ok(match String::from_utf8(bytes) {
        Ok(text) => Objectives {
            checked: objective::load(&name, &text),
            text: Some(text),
            name,
        },
        Err(error) => {
            let good = error.utf8_error().valid_up_to();
            let before = String::from_utf8_lossy(&error.as_bytes()[..good]).into_owned();
            let problem = Problem {
                file: name.clone(),
                line: before.matches('\n').count() + 1,
                column: before.rsplit('\n').next().map_or(0, |l| l.chars().count()) + 1,
                message: "not UTF-8 here; save the file in UTF-8".to_owned(),
            };
            Objectives {
                checked: Err(vec![problem]),
                text: None,
                name,
            }
        }
    })
}
