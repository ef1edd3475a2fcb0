//! Who may write changed while the collector ran: written down, and from then on heeded by what seals.

use std::collections::BTreeSet;
use std::sync::Arc;

use clause9_shared::canonical;
use clause9_shared::digest::Digest;
use clause9_shared::evidence::RecordKind;
use clause9_shared::ids::AgentId;

use super::{Writer, chain};
use crate::execute::Counts;
use crate::known::Known;
use crate::store::StoreError;
use crate::trust::{AGENTS_DOMAIN, Standing, Trusted};
use clause9_shared::evidence::body::AgentsBody;
use clause9_shared::evidence::pen::{About, Unwritable, reference};

impl Writer {
    /// Takes over who is known by now. If that cannot be written down, it is tried again; batches are held against it
    /// already, before they come here.
    pub(super) fn catch_up(&mut self) {
        let current = self.current.now();
        if Arc::ptr_eq(&current, &self.known) {
            return;
        }
        match self.note(&current) {
            Ok(counts) => {
                self.telemetry.count_records(&counts);
                self.telemetry.forget_agents();
                self.known = current;
            }
            Err(error) => {
                tracing::error!(error = %chain(&error), "the change of agents was not written down");
            }
        }
    }

    fn note(&mut self, current: &Known) -> Result<Counts, StoreError> {
        let pen = self.pen(self.clock.now());
        let list = canonical::to_json(current.trusted())
            .map_err(|e| Unwritable::new("agents", e.to_string()))?;
        let name = Digest::tagged(AGENTS_DOMAIN, list.as_bytes());
        let (before, after) = (approved(self.known.trusted()), approved(current.trusted()));
        let body = AgentsBody {
            agents: name,
            added: after.difference(&before).copied().collect(),
            removed: before.difference(&after).copied().collect(),
        };
        let about = About {
            refs: vec![reference("agents", name)],
            ..About::default()
        };
        let written = pen.write(RecordKind::Agents, pen.now, about, &body)?;
        self.store.commit(|to| {
            to.keep(name, "agents", list.as_bytes())?;
            let mut counts = Counts::new();
            if to.append(&written, None)? {
                counts.insert(RecordKind::Agents, 1);
            }
            Ok(counts)
        })
    }
}

fn approved(trusted: &Trusted) -> BTreeSet<AgentId> {
    let may = trusted
        .entries()
        .filter(|e| e.standing == Standing::Approved);
    may.map(|e| e.id).collect()
}
