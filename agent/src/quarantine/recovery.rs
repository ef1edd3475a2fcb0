//! What earlier runs left in the folder. Whatever is found, the agent starts.

use std::collections::BTreeMap;
use std::io;

use clause9_shared::digest::Digest;
use clause9_shared::wire::batch::MAX_ENVELOPE;

use super::kept::{self, Kept};
use super::listed::Listed;
use super::{Entry, Files, Quarantine, State};
use crate::outbox::disk::Disk;

/// Longest file that is read: the longest batch, and what may be said of its items.
pub(super) const MAX_FILE: u64 = 2 * MAX_ENVELOPE as u64;
/// How often it is tried to read all that is there, before what cannot be read is taken for damaged.
const TRIES: u32 = 5;
/// Most files that are set aside without being removed.
const MAX_DAMAGED: usize = 64;

impl<D: Disk> Quarantine<D> {
    /// Looks what is there, unless that is known.
    pub(super) fn read_folder(&self, files: &mut Files) -> io::Result<()> {
        if files.read {
            return Ok(());
        }
        let forgiving = files.tries >= TRIES;
        files.tries = files.tries.saturating_add(1);
        let mut found: Vec<_> = self
            .disk
            .list()?
            .into_iter()
            .filter_map(|(name, length)| Some((kept::named(&name)?, name, length)))
            .collect();
        // By batch, and the newest of each last.
        found.sort_unstable();
        let mut entries = BTreeMap::<Digest, Entry>::new();
        let mut damaged = Vec::new();
        for ((batch, number), name, length) in found {
            files.next = files.next.max(number.saturating_add(1));
            let bytes = match self.read_file(&name, length) {
                Err(error) if !forgiving => return Err(error),
                read => read.ok().flatten(),
            };
            let Some(kept) = bytes.and_then(|bytes| Kept::read(batch, &bytes)) else {
                damaged.push((name, length));
                continue;
            };
            let listed = Listed::new(batch, kept.place, &kept.report, length);
            // An older file stays until the batch is written anew or gone: the newer one may not survive a loss of power.
            let older = entries.remove(&batch).map_or_else(Vec::new, |e| e.names);
            let names = older.into_iter().chain([(name, length)]).collect();
            let entry = Entry {
                listed,
                names,
                ticket: None,
            };
            entries.insert(batch, entry);
        }
        files.read = true;
        let mut state = self.state();
        state.entries = entries;
        self.set_aside(&mut state, damaged);
        self.show(&state);
        Ok(())
    }

    /// Leaves files alone that hold nothing that can be used: for people to look at, until room is needed.
    pub(super) fn set_aside(&self, state: &mut State, damaged: Vec<(String, u64)>) {
        for (name, length) in damaged {
            let dropped = &self.telemetry.quarantine.dropped;
            dropped.with_label_values(&["damaged"]).inc();
            tracing::error!(
                file = name,
                "a file in quarantine is damaged and set aside; unless the power went while it was written, a refused batch is lost"
            );
            if state.damaged.len() < MAX_DAMAGED {
                state.damaged.push((name, length));
            } else if let Err(error) = self.disk.remove(&name) {
                self.failed(&error);
            }
        }
    }
}
