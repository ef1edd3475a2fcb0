//! Sending again what was refused, when somebody asks for it. The request is in memory alone; the batch stays where it is until
//! the collector has it.

use std::io;

use clause9_shared::digest::Digest;

use super::{Quarantine, State};
use crate::outbox::Waiting;
use crate::outbox::disk::Disk;

/// Numbers from here on are of batches that are sent again; those of the outbox count from 1.
const RESENT: u64 = 1 << 62;

/// Whether that is the number of a batch that is sent again from here.
pub const fn is_resent(number: u64) -> bool {
    number >= RESENT
}

impl<D: Disk> Quarantine<D> {
    /// Sends one batch again, or all of them. Gives how many.
    pub fn resend(&self, only: Option<Digest>) -> usize {
        let mut state = self.state();
        let State {
            entries,
            tickets,
            issued,
            ..
        } = &mut *state;
        let mut number = 0;
        let wanted = |batch: &Digest| only.is_none_or(|only| only == *batch);
        let mut chosen: Vec<_> = entries.iter_mut().filter(|(b, _)| wanted(b)).collect();
        chosen.sort_by_key(|(_, entry)| entry.listed.first);
        for (batch, entry) in chosen {
            number += 1;
            if entry.ticket.is_none() {
                let ticket = RESENT + *issued;
                *issued += 1;
                tickets.insert(ticket, *batch);
                entry.ticket = Some(ticket);
            }
        }
        drop(state);
        if number > 0 {
            self.asked.notify_one();
        }
        number
    }

    /// Returns once something may have to be sent again.
    pub async fn asked(&self) {
        self.asked.notified().await;
    }

    /// The first number from this one on of a batch that is to be sent again.
    pub fn due(&self, from: u64) -> Option<u64> {
        let state = self.state();
        let mut later = state.tickets.range(from..);
        later.next().map(|(ticket, _)| *ticket)
    }

    /// The batch of that number; none if it is not to be sent any more. Blocks on the disk.
    pub fn fetch(&self, number: u64) -> io::Result<Option<Waiting>> {
        let Some(batch) = self.state().tickets.get(&number).copied() else {
            return Ok(None);
        };
        let read = self.read(batch).inspect_err(|error| self.failed(error))?;
        Ok(read.map(|kept| Waiting {
            number,
            place: kept.place,
            digest: batch,
            envelope: kept.envelope,
        }))
    }

    /// The collector has answered what was sent again under that number.
    pub fn answered(&self, number: u64) {
        let mut state = self.state();
        let Some(batch) = state.tickets.remove(&number) else {
            return;
        };
        if let Some(entry) = state.entries.get_mut(&batch) {
            entry.ticket = None;
        }
    }
}
