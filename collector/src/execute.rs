//! Does what the planner decided. Shell: the only place where actions become rows, each idempotent
//! by its digest or key, all of one seal in the caller's transaction.

use std::collections::BTreeMap;

use clause9_shared::evidence::RecordKind;
use clause9_shared::ids::SystemId;

use crate::store::{Appended, StoreError};
use clause9_shared::sealing::Action;

/// How many records of each type were appended.
pub(crate) type Counts = BTreeMap<RecordKind, u64>;

/// Does the actions in order; counts the records that were new.
pub(crate) fn execute(
    to: &Appended<'_>,
    system: &SystemId,
    actions: &[Action],
) -> Result<Counts, StoreError> {
    let mut counts = Counts::new();
    for action in actions {
        match action {
            Action::Keep {
                digest,
                kind,
                bytes,
            } => to.keep(*digest, kind, bytes)?,
            Action::Append { written, of } => {
                if to.append(written, of.as_ref())? {
                    *counts.entry(written.record.header.kind).or_default() += 1;
                }
            }
            Action::Block(block) => to.keep_block(system, block)?,
            Action::Stand { of, standing } => to.keep_standing(system, of, standing)?,
            Action::Window(row) => to.keep_window(system, row)?,
            Action::Seal(row) => to.keep_seal(system, row)?,
        }
    }
    Ok(counts)
}
