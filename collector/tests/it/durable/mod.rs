//! What was acknowledged is never lost: power loss at every system call, disks that fail, files that
//! were damaged. The collector is the real program; what it asks of the disk is recorded, or made to
//! fail, by strace.

mod damage;
mod disk;
mod events;
mod faults;
mod oracle;
mod power;
mod recording;
mod reopened;
mod script;
mod traced;

pub(crate) use oracle::agreed;
