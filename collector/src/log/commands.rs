//! What people do about the log's keys at a terminal. Shell.

use std::fmt::Write as _;
use std::path::Path;

use anyhow::Context as _;
use clause9_shared::evidence::note::{Algorithm, VerifierKey};
use clause9_shared::evidence::{Evidence, RecordKind};

use super::keys::{Keys, next_file};
use super::notary::recorded;
use crate::clock::WallClock;
use crate::config::CollectorConfig;
use crate::keyfile;
use crate::program::author;
use crate::store::{self, Page, Readers, RecordFilter};
use clause9_shared::evidence::body::KeyBody;
use clause9_shared::evidence::pen::{About, Pen};

/// What happened to the log's key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeyEvent {
    /// The log began with it.
    Begun,
    /// The one before it handed over: a checkpoint by both covers this record.
    HandedOver,
    /// The one before it is lost: nobody but people and witnesses vouches that the log is the same.
    Replaced,
}

impl KeyEvent {
    /// The word used in records.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Begun => "begun",
            Self::HandedOver => "handed_over",
            Self::Replaced => "replaced",
        }
    }
}

/// Every key that the register knows of, oldest first, a line each.
pub fn keys(config: &CollectorConfig) -> anyhow::Result<String> {
    let plan = config.resolve()?;
    let readers = Readers::new(&plan.store);
    let filter = RecordFilter {
        kind: Some(RecordKind::Key.as_str()),
        ..RecordFilter::default()
    };
    let page = Page {
        after: None,
        limit: 1000,
        newest_first: false,
    };
    let (rows, last) = readers.read(|read| Ok((read.records(&filter, &page)?, recorded(read)?)))?;
    let mut text = String::new();
    for row in &rows {
        let record: Evidence = serde_json::from_slice(&row.bytes)?;
        let body: KeyBody = serde_json::from_value(record.body)?;
        writeln!(
            text,
            "{} {} leaf {} {}",
            record.header.received_at, body.event, row.leaf, body.key
        )?;
    }
    match last {
        None => text.push_str("the register has no key yet: it gets one when the collector runs\n"),
        Some(last) if !last.handed_over => {
            text.push_str(
                "the last key is under no checkpoint yet: let the collector run for one more\n",
            );
        }
        Some(_) => {}
    }
    Ok(text)
}

/// Makes a new key that takes over. A running collector hands over with its next checkpoint, one that is started then does it
/// then. With `lost`, the old key is gone: the new one is written down as its replacement, with that reason.
pub fn rotate(config: &CollectorConfig, lost: Option<&str>) -> anyhow::Result<String> {
    let plan = config.resolve()?;
    match (&plan.keys, lost) {
        (_, Some(reason)) => replace(&plan.store, &plan.keys, reason),
        (Keys::Programs { .. }, None) => {
            anyhow::bail!(
                "a program holds the key: make a new one there and configure it as `log.next_signer`"
            )
        }
        (Keys::File { path, .. }, None) => {
            let next = next_file(path);
            anyhow::ensure!(
                keyfile::read(path)?.is_some(),
                "{} is not there: if it is lost, say so with --lost",
                path.display()
            );
            anyhow::ensure!(
                keyfile::read(&next)?.is_none(),
                "{} waits to take over already",
                next.display()
            );
            keyfile::create(&next)?;
            keyfile::give_as(&next, path)?;
            Ok("the new key takes over with the collector's next checkpoint; tell the witnesses of it".to_owned())
        }
    }
}

/// What is configured takes the place of a key that is lost.
fn replace(folder: &Path, keys: &Keys, reason: &str) -> anyhow::Result<String> {
    anyhow::ensure!(
        !reason.trim().is_empty(),
        "say how the key was lost: auditors will ask"
    );
    let before = Readers::new(folder).read(recorded)?;
    let before = before.context("the register has no key yet: nothing is lost")?;
    let key = match keys {
        Keys::File { path, .. } => keyfile::read_or_create(path)?.verifying_key(),
        Keys::Programs { current, .. } => current.key(),
    };
    let key = VerifierKey::new(before.key.name().clone(), Algorithm::Ed25519, key);
    anyhow::ensure!(
        key != before.key,
        "what is configured holds the key that the register knows: it is not lost"
    );
    let body = KeyBody {
        event: KeyEvent::Replaced.as_str().to_owned(),
        key: key.to_string(),
        former: None,
        reason: Some(reason.to_owned()),
    };
    let pen = Pen {
        author: author(),
        now: WallClock.now(),
    };
    let record = pen.write(RecordKind::Key, pen.now, About::default(), &body)?;
    store::open(folder)?.commit(|to| to.append(&record, None))?;
    Ok(format!(
        "checkpoints are signed by {key} from now on; tell those who keep the old one"
    ))
}
