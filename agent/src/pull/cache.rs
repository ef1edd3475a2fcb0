//! The last good documents on disk: one file that is replaced as a whole. Its first line names both documents and says how
//! long they are; the documents follow. What does not have its name is not used.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::PathBuf;

use bytes::Bytes;
use clause9_shared::ids::SystemId;
use clause9_shared::wire::plan::{MAX_DOCUMENT, Named};
use serde::{Deserialize, Serialize};

use super::{Documents, Unfit};

/// The file, in the state folder.
const NAME: &str = "plan.cache";
/// What it is called until it is whole.
const UNFINISHED: &str = "plan.cache.tmp";
/// Longest first line in bytes.
const MAX_HEAD: usize = 4096;

/// Why what is kept cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum Damaged {
    /// The file cannot be read.
    #[error("cannot read {}", path.display())]
    Read {
        /// Which file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// It is not what was written.
    #[error("{} is damaged", path.display())]
    Content {
        /// Which file.
        path: PathBuf,
        /// How, if that is known.
        source: Option<Unfit>,
    },
}

/// Where the last good documents are.
#[derive(Clone, Debug)]
pub struct Cache {
    folder: PathBuf,
}

/// The first line.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Head {
    named: Named,
    lengths: [usize; 2],
}

impl Cache {
    /// In that folder, which need not be there yet.
    pub const fn new(folder: PathBuf) -> Self {
        Self { folder }
    }

    /// What was kept of a system; none if nothing was, or of another system.
    pub fn load(&self, system: &SystemId) -> Result<Option<Documents>, Damaged> {
        let path = self.folder.join(NAME);
        let most = MAX_HEAD + 2 * MAX_DOCUMENT;
        let mut bytes = Vec::new();
        let read =
            File::open(&path).and_then(|file| file.take(most as u64).read_to_end(&mut bytes));
        match read {
            Ok(_) => {}
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(source) => return Err(Damaged::Read { path, source }),
        }
        let documents = read_back(&Bytes::from(bytes));
        match documents {
            Ok(documents) if documents.names().system == *system => Ok(Some(documents)),
            Ok(_) => Ok(None),
            Err(source) => Err(Damaged::Content { path, source }),
        }
    }

    /// Keeps documents in place of those before: after a loss of power there are these or those.
    pub fn keep(&self, documents: &Documents) -> io::Result<()> {
        let mut folder = DirBuilder::new();
        folder.recursive(true).mode(0o700).create(&self.folder)?;
        let unfinished = self.folder.join(UNFINISHED);
        let mut options = OpenOptions::new();
        let options = options.write(true).create(true).truncate(true).mode(0o600);
        let mut file = options.open(&unfinished)?;
        let head = Head {
            named: documents.names().clone(),
            lengths: documents.bytes().map(Bytes::len),
        };
        serde_json::to_writer(&mut file, &head)?;
        file.write_all(b"\n")?;
        for bytes in documents.bytes() {
            file.write_all(bytes)?;
        }
        file.sync_all()?;
        fs::rename(&unfinished, self.folder.join(NAME))?;
        File::open(&self.folder)?.sync_all()
    }
}

fn read_back(bytes: &Bytes) -> Result<Documents, Option<Unfit>> {
    let head = bytes.iter().take(MAX_HEAD).position(|b| *b == b'\n');
    let end = head.ok_or(None)?;
    let head: Head = serde_json::from_slice(&bytes[..end]).map_err(|_| None)?;
    let rest = bytes.slice(end + 1..);
    let [objectives, baseline] = head.lengths;
    if objectives.checked_add(baseline) != Some(rest.len()) {
        return Err(None);
    }
    let (objectives, baseline) = (rest.slice(..objectives), rest.slice(objectives..));
    Documents::verified(head.named, objectives, baseline).map_err(Some)
}

#[cfg(test)]
mod tests {
    use clause9_shared::baseline::Baseline;
    use clause9_shared::objective::Document;

    use super::*;

    fn documents(text: &str) -> Documents {
        let (objectives, baseline) = (Bytes::from(text.to_owned()), Bytes::from("{}"));
        let named = Named {
            system: SystemId::new("toy").unwrap(),
            objectives: Document::named_by(&objectives),
            baseline: Baseline::named_by(&baseline),
        };
        Documents::verified(named, objectives, baseline).unwrap()
    }

    #[test]
    fn what_is_kept_comes_back_and_takes_the_place_of_what_was_before() {
        let folder = tempfile::tempdir().unwrap();
        let cache = Cache::new(folder.path().join("state"));
        let (toy, other) = ("toy".parse().unwrap(), "other".parse().unwrap());
        assert!(cache.load(&toy).unwrap().is_none());
        for text in ["first", "the second one"] {
            cache.keep(&documents(text)).unwrap();
            assert_eq!(cache.load(&toy).unwrap(), Some(documents(text)));
        }
        assert!(cache.load(&other).unwrap().is_none(), "another system's");
        let left: Vec<_> = fs::read_dir(folder.path().join("state")).unwrap().collect();
        assert_eq!(left.len(), 1);
    }

    #[test]
    fn no_changed_byte_and_no_cut_is_taken_for_what_was_kept() {
        let folder = tempfile::tempdir().unwrap();
        let cache = Cache::new(folder.path().to_owned());
        let kept = documents("objectives");
        cache.keep(&kept).unwrap();
        let path = folder.path().join(NAME);
        let whole = fs::read(&path).unwrap();
        let toy = "toy".parse().unwrap();
        for at in 0..whole.len() {
            let mut changed = whole.clone();
            changed[at] ^= 1;
            fs::write(&path, &changed).unwrap();
            // A system of another name is not this one's; nothing else passes.
            assert!(!matches!(cache.load(&toy), Ok(Some(_))), "byte {at}");
            fs::write(&path, &whole[..at]).unwrap();
            assert!(cache.load(&toy).is_err(), "cut at {at}");
        }
        cache.keep(&kept).unwrap();
        assert_eq!(cache.load(&toy).unwrap(), Some(kept));
    }
}
