//! Which key signs now, by what the register says and which keys there are. Core: a table of cases, so that a rotation that was
//! broken off anywhere goes on where it was.

use clause9_shared::evidence::note::VerifierKey;

/// What the register says of its keys, the last word of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Recorded {
    /// The key that signs from this record on.
    pub(crate) key: VerifierKey,
    /// The one before it, where it was handed over.
    pub(crate) former: Option<VerifierKey>,
    /// Where the record stands.
    pub(crate) leaf: u64,
    /// Whether a checkpoint by both keys covers it.
    pub(crate) handed_over: bool,
}

/// What is to be done before the next checkpoint, and who signs it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Custody {
    /// The register knows of no key: the current one is written down as its first.
    Begin,
    /// The current key signs.
    Current,
    /// The next key is written down as the one that signs from now on.
    HandOver,
    /// Both sign: the record of the next key is under no checkpoint of both yet.
    Both,
    /// The next key takes the current one's place; then it signs.
    TakeOver,
}

/// The key that the register names is not among those that there are.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "the register's checkpoints are signed by {recorded}, and the key that is configured is {current}: put the right key in its \
     place; if it is lost, see docs/evidence.md"
)]
pub(crate) struct Lost {
    recorded: Box<VerifierKey>,
    current: Box<VerifierKey>,
}

impl Custody {
    /// Looks at what the register says, and at the keys that there are.
    pub(crate) fn of(
        recorded: Option<&Recorded>,
        current: &VerifierKey,
        next: Option<&VerifierKey>,
    ) -> Result<Self, Lost> {
        let Some(recorded) = recorded else {
            return Ok(Self::Begin);
        };
        if recorded.key == *current {
            return Ok(match next {
                Some(next) if next != current => Self::HandOver,
                Some(_) | None => Self::Current,
            });
        }
        let handing = next == Some(&recorded.key) && recorded.former.as_ref() == Some(current);
        match (handing, recorded.handed_over) {
            (true, false) => Ok(Self::Both),
            (true, true) => Ok(Self::TakeOver),
            (false, _) => Err(Lost {
                recorded: Box::new(recorded.key.clone()),
                current: Box::new(current.clone()),
            }),
        }
    }
}

#[cfg(test)]
mod tests {
    use clause9_shared::evidence::note::Algorithm;
    use ed25519_dalek::SigningKey;

    use super::*;

    fn key(n: u8) -> VerifierKey {
        let key = SigningKey::from_bytes(&[n; 32]).verifying_key();
        VerifierKey::new("example.com/log".parse().unwrap(), Algorithm::Ed25519, key)
    }

    fn recorded(n: u8, former: Option<u8>, handed_over: bool) -> Recorded {
        Recorded {
            key: key(n),
            former: former.map(key),
            leaf: 7,
            handed_over,
        }
    }

    #[test]
    fn a_rotation_goes_on_wherever_it_was_broken_off() {
        let custody = |recorded: Option<Recorded>, current, next: Option<u8>| {
            Custody::of(recorded.as_ref(), &key(current), next.map(key).as_ref()).ok()
        };
        assert_eq!(custody(None, 1, None), Some(Custody::Begin));
        assert_eq!(custody(None, 1, Some(2)), Some(Custody::Begin));
        assert_eq!(
            custody(Some(recorded(1, None, false)), 1, None),
            Some(Custody::Current)
        );
        assert_eq!(
            custody(Some(recorded(1, None, false)), 1, Some(2)),
            Some(Custody::HandOver)
        );
        assert_eq!(
            custody(Some(recorded(2, Some(1), false)), 1, Some(2)),
            Some(Custody::Both)
        );
        assert_eq!(
            custody(Some(recorded(2, Some(1), true)), 1, Some(2)),
            Some(Custody::TakeOver)
        );
        assert_eq!(
            custody(Some(recorded(2, Some(1), true)), 2, None),
            Some(Custody::Current)
        );
        // The same key twice is no rotation.
        assert_eq!(
            custody(Some(recorded(1, None, false)), 1, Some(1)),
            Some(Custody::Current)
        );
    }

    #[test]
    fn a_key_that_the_register_does_not_know_signs_nothing() {
        for (says, current, next) in [
            (recorded(1, None, true), 2, None),
            (recorded(1, None, true), 2, Some(3)),
            // Handed over by another than the one that is here.
            (recorded(2, Some(4), false), 1, Some(2)),
            (recorded(2, None, true), 1, Some(2)),
        ] {
            let lost = Custody::of(Some(&says), &key(current), next.map(key).as_ref()).unwrap_err();
            assert!(lost.to_string().contains("put the right key"), "{lost}");
        }
    }
}
