//! What open panes hold, put by now and then, so that an agent that ends without warning loses no more than
//! what came since. It stands in a file of its own as the batches that the panes would be shipped as, under
//! the sequence numbers that come next: a batch that was shipped meanwhile has these numbers, too, and it
//! is known that the one stands for the other.

use std::io;

use bytes::Bytes;
use clause9_shared::wire::loss::Place;

use super::disk::Disk;
use super::frame::{self, InGroup};

const BEGINNING: &str = "open-";
/// Largest file that is read back.
const MAX_FILE: u64 = 256 << 20;

/// What open panes held.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct PutBy {
    /// By which run of the agent.
    pub(super) boot: u64,
    /// The how-manieth time in that run.
    pub(super) number: u64,
    /// What they would be shipped as.
    pub(super) batches: Vec<(Place, Bytes)>,
}

/// The files of open panes: one, but while it takes the place of another.
#[derive(Debug, Default)]
pub(super) struct OpenPanes {
    files: Vec<String>,
}

impl OpenPanes {
    /// What earlier runs put by, the latest first: what is whole of it.
    pub(super) fn open<D: Disk>(disk: &D) -> io::Result<(Self, Vec<PutBy>)> {
        let mut files = disk.list()?;
        files.retain(|(name, _)| named(name).is_some());
        // Names have one length: they sort by run and number.
        files.sort_unstable();
        let this = Self {
            files: files.iter().map(|(name, _)| name.clone()).collect(),
        };
        let mut found = Vec::new();
        for (name, length) in files.iter().rev() {
            let batches = read(disk, name, *length)?;
            if let (Some(batches), Some((boot, number))) = (batches, named(name)) {
                found.push(PutBy {
                    boot,
                    number,
                    batches,
                });
            }
        }
        Ok((this, found))
    }

    /// Removes what was put by before the last time; or everything.
    pub(super) fn remove<D: Disk>(&mut self, disk: &D, everything: bool) -> io::Result<()> {
        let stays = usize::from(!everything).min(self.files.len());
        for name in self.files.drain(..self.files.len() - stays) {
            disk.remove(&name)?;
        }
        Ok(())
    }

    /// Puts this by, beside what was put by before.
    pub(super) fn write<D: Disk>(&mut self, disk: &D, put_by: &PutBy) -> io::Result<()> {
        let mut bytes = Vec::new();
        let last = put_by.batches.len() as u64;
        for (number, (place, batch)) in (1..).zip(&put_by.batches) {
            let group = InGroup {
                first: number == 1,
                more: number < last,
            };
            frame::write((number, *place, group), batch, &mut bytes);
        }
        let name = format!("{BEGINNING}{:020}-{:020}", put_by.boot, put_by.number);
        let file = disk.create(&name)?;
        self.files.push(name);
        disk.write_at(&file, 0, &bytes)?;
        disk.sync(&file)?;
        disk.sync_folder()
    }
}

fn read<D: Disk>(disk: &D, name: &str, length: u64) -> io::Result<Option<Vec<(Place, Bytes)>>> {
    let readable = usize::try_from(length).ok().filter(|_| length <= MAX_FILE);
    let Some(length) = readable else {
        return Ok(None);
    };
    let file = disk.open(name)?;
    let mut bytes = vec![0; length];
    disk.read_at(&file, 0, &mut bytes)?;
    let bytes = Bytes::from(bytes);
    let scanned = frame::scan(&bytes);
    let whole = frame::groups(&scanned.frames).find(|(_, whole)| *whole);
    Ok(whole.map(|(group, _)| {
        let batch = |f: &frame::Found| (f.head.place, bytes.slice(f.at..f.at + f.head.length));
        group.iter().map(batch).collect()
    }))
}

/// Run and number of a file of that name.
fn named(name: &str) -> Option<(u64, u64)> {
    let (boot, number) = name.strip_prefix(BEGINNING)?.split_once('-')?;
    let word = |text: &str| (text.len() == 20).then(|| text.parse().ok()).flatten();
    Some((word(boot)?, word(number)?))
}
