//! Offers and claims on disk, a small file each, in the register's folder: whoever may write there may let agents in. A claim is
//! made by a link that only one can make, so a token is good once, whatever else runs or ends meanwhile. Shell.

use std::fs;
use std::io::{self, ErrorKind, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use clause9_shared::digest::{Digest, to_hex};
use clause9_shared::ids::AgentId;
use clause9_shared::time::Timestamp;
use serde::Serialize;

use super::{Claim, ClaimState, Offer};
use crate::config::{ConfigProblem, MAX_AGENTS, read_bytes};

/// Most offers that may be open.
const MAX_OFFERS: usize = 1000;

/// Why offers or claims cannot be used.
#[derive(Debug, thiserror::Error)]
pub(crate) enum RollError {
    /// A file or folder cannot be read or written.
    #[error("cannot use {}: {source}", path.display())]
    File {
        /// Which one.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// A file says something else than this program writes.
    #[error("{} cannot be read: {source}; it was changed from outside", path.display())]
    Content {
        /// Which one.
        path: PathBuf,
        /// Why.
        source: serde_json::Error,
    },
    /// There is no room.
    #[error("{0}")]
    Full(String),
}

/// What became of a claim.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Claimed {
    /// It was made.
    New,
    /// Somebody was there before.
    Before(Claim),
}

/// The folders of offers and claims.
#[derive(Clone, Debug)]
pub(crate) struct Roll {
    offers: PathBuf,
    claims: PathBuf,
}

impl Roll {
    /// That of the register in a folder.
    pub(crate) fn of(store: &Path) -> Self {
        let folder = store.join("enrolment");
        Self {
            offers: folder.join("offers"),
            claims: folder.join("claims"),
        }
    }

    /// Every claim as it was kept, in a fixed order.
    pub(crate) fn claims(&self) -> Result<Vec<Vec<u8>>, ConfigProblem> {
        let unreadable = |source| ConfigProblem::Unreadable {
            path: self.claims.clone(),
            source,
        };
        let files = files(&self.claims, MAX_AGENTS).map_err(unreadable)?;
        files.iter().map(|path| read_bytes(path)).collect()
    }

    /// Every offer.
    pub(crate) fn offers(&self) -> Result<Vec<Offer>, RollError> {
        let found = files(&self.offers, MAX_OFFERS).map_err(at(&self.offers))?;
        found.iter().map(|path| read(path)).collect()
    }

    /// Makes an offer. Those that nobody took in time make room for it.
    pub(crate) fn offer(&self, offer: &Offer, now: Timestamp) -> Result<(), RollError> {
        let open = self.offers()?;
        let (over, open): (Vec<_>, Vec<_>) = open.iter().partition(|o| o.expires_at <= now);
        for old in over {
            let path = place(&self.offers, old.digest);
            fs::remove_file(&path).map_err(at(&path))?;
        }
        if open.len() >= MAX_OFFERS {
            return Err(RollError::Full(format!(
                "{MAX_OFFERS} enrolment tokens are open; wait until some expire"
            )));
        }
        let path = place(&self.offers, offer.digest);
        written(&path, offer, |unfinished| fs::rename(unfinished, &path)).map_err(at(&path))
    }

    /// Takes what stands under this digest, if nobody did before.
    pub(crate) fn claim(&self, digest: Digest, claim: &Claim) -> Result<Claimed, RollError> {
        if files(&self.claims, MAX_AGENTS)
            .map_err(at(&self.claims))?
            .len()
            >= MAX_AGENTS
        {
            return Err(RollError::Full(format!("{MAX_AGENTS} agents are enrolled")));
        }
        let path = place(&self.claims, digest);
        match written(&path, claim, |unfinished| fs::hard_link(unfinished, &path)) {
            Ok(()) => Ok(Claimed::New),
            Err(e) if e.kind() == ErrorKind::AlreadyExists => Ok(Claimed::Before(read(&path)?)),
            Err(e) => Err(at(&path)(e)),
        }
    }

    /// Who took what stands under this digest.
    pub(crate) fn taken(&self, digest: Digest) -> Result<Option<Claim>, RollError> {
        let path = place(&self.claims, digest);
        match read(&path) {
            Err(RollError::File { source, .. }) if source.kind() == ErrorKind::NotFound => Ok(None),
            found => found.map(Some),
        }
    }

    /// Has every claim of an agent stand otherwise; says how many there are. What is revoked stays so.
    pub(crate) fn set(
        &self,
        agent: AgentId,
        state: ClaimState,
        since: Timestamp,
    ) -> Result<Vec<ClaimState>, RollError> {
        let mut before = Vec::new();
        for path in files(&self.claims, MAX_AGENTS).map_err(at(&self.claims))? {
            let mut claim: Claim = read(&path)?;
            if claim.agent != agent {
                continue;
            }
            before.push(claim.state);
            if claim.state != ClaimState::Revoked && claim.state != state {
                claim.state = state;
                claim.since = since;
                written(&path, &claim, |unfinished| fs::rename(unfinished, &path))
                    .map_err(at(&path))?;
            }
        }
        Ok(before)
    }
}

fn at(path: &Path) -> impl Fn(io::Error) -> RollError + use<> {
    let path = path.to_owned();
    move |source| RollError::File {
        path: path.clone(),
        source,
    }
}

fn place(folder: &Path, digest: Digest) -> PathBuf {
    folder.join(format!("{}.json", to_hex(digest.as_bytes())))
}

/// The finished files of a folder, by name; one more than `most` at the most.
fn files(folder: &Path, most: usize) -> io::Result<Vec<PathBuf>> {
    let entries = match fs::read_dir(folder) {
        Err(e) if e.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
        found => found?,
    };
    let mut found = Vec::new();
    for entry in entries {
        let path = entry?.path();
        if path.extension().is_some_and(|e| e == "json") && found.len() <= most {
            found.push(path);
        }
    }
    found.sort_unstable();
    Ok(found)
}

fn read<T: serde::de::DeserializeOwned>(path: &Path) -> Result<T, RollError> {
    let bytes = fs::read(path).map_err(at(path))?;
    serde_json::from_slice(&bytes).map_err(|source| RollError::Content {
        path: path.to_owned(),
        source,
    })
}

/// Writes all of a file, then puts it in its place: a crash leaves all of it or nothing.
fn written<T: Serialize>(
    path: &Path,
    what: &T,
    put: impl FnOnce(&Path) -> io::Result<()>,
) -> io::Result<()> {
    static NEXT: AtomicU64 = AtomicU64::new(0);
    let folder = path.parent().unwrap_or(Path::new("."));
    fs::create_dir_all(folder)?;
    let number = NEXT.fetch_add(1, Ordering::Relaxed);
    let unfinished = path.with_extension(format!("{}-{number}.tmp", std::process::id()));
    let done = (|| {
        let mut file = fs::OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(true)
            .mode(0o600)
            .open(&unfinished)?;
        file.write_all(&serde_json::to_vec(what)?)?;
        file.sync_all()?;
        put(&unfinished)?;
        fs::File::open(folder)?.sync_all()
    })();
    // After a rename it is gone already.
    drop(fs::remove_file(&unfinished));
    done
}

#[cfg(test)]
mod tests {
    use super::*;

    fn claim(n: u8) -> Claim {
        Claim {
            agent: AgentId::of_key(&[n; 32]),
            systems: vec!["loan".parse().unwrap()],
            state: ClaimState::Pending,
            made_at: Timestamp::EPOCH,
            since: Timestamp::EPOCH,
            previous: None,
            spiffe: None,
        }
    }

    #[test]
    fn of_many_who_claim_at_once_one_gets_it_and_the_others_hear_who() {
        let folder = tempfile::tempdir().unwrap();
        let roll = Roll::of(folder.path());
        let digest = Digest::of(b"token");
        let results: Vec<_> = std::thread::scope(|scope| {
            let all: Vec<_> = (0..8)
                .map(|n| {
                    let roll = &roll;
                    scope.spawn(move || roll.claim(digest, &claim(n)).unwrap())
                })
                .collect();
            all.into_iter().map(|t| t.join().unwrap()).collect()
        });
        let new = results.iter().filter(|r| **r == Claimed::New).count();
        assert_eq!(new, 1);
        let winner = roll.taken(digest).unwrap().unwrap();
        let told = results.into_iter().filter(|r| *r != Claimed::New);
        assert!(
            told.into_iter()
                .all(|r| r == Claimed::Before(winner.clone()))
        );
        assert_eq!(
            fs::read_dir(&roll.claims).unwrap().count(),
            1,
            "nothing is left over"
        );
    }

    #[test]
    fn what_is_revoked_is_not_approved_again() {
        let folder = tempfile::tempdir().unwrap();
        let roll = Roll::of(folder.path());
        roll.claim(Digest::of(b"token"), &claim(1)).unwrap();
        let agent = claim(1).agent;
        for state in [
            ClaimState::Approved,
            ClaimState::Revoked,
            ClaimState::Approved,
        ] {
            roll.set(agent, state, Timestamp::EPOCH).unwrap();
        }
        let kept = Claim::parse(&roll.claims().unwrap()[0]).unwrap();
        assert_eq!(kept.state, ClaimState::Revoked);
    }

    #[test]
    fn offers_that_nobody_took_make_room() {
        let folder = tempfile::tempdir().unwrap();
        let roll = Roll::of(folder.path());
        let until = |micros| Timestamp::from_micros(micros).unwrap();
        let offer = |n: usize, expires_at| Offer {
            digest: Digest::of(n.to_string().as_bytes()),
            system: "loan".parse().unwrap(),
            expires_at,
            approved: false,
            spiffe: None,
        };
        fs::create_dir_all(&roll.offers).unwrap();
        for n in 0..MAX_OFFERS {
            let one = offer(n, until(10));
            let bytes = serde_json::to_vec(&one).unwrap();
            fs::write(place(&roll.offers, one.digest), bytes).unwrap();
        }
        assert!(matches!(
            roll.offer(&offer(MAX_OFFERS, until(10)), until(0)),
            Err(RollError::Full(_))
        ));
        roll.offer(&offer(MAX_OFFERS, until(20)), until(10))
            .unwrap();
        assert_eq!(roll.offers().unwrap().len(), 1);
    }
}
