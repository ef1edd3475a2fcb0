//! Whose checkpoints are believed (C2SP tlog-policy): logs, witnesses, and which of these must have cosigned.

use std::collections::BTreeMap;
use std::fmt;

use super::checkpoint::Checkpoint;
use super::note::{Algorithm, Note, Signed, VerifierKey};

/// Most bytes of a policy.
pub const MAX_POLICY: usize = 1 << 16;
/// Most logs, witnesses and groups, each.
pub const MAX_EACH: usize = 64;

/// A policy that was read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Policy {
    /// Keys of logs.
    pub logs: Vec<Known>,
    /// Keys of witnesses.
    pub witnesses: Vec<Witness>,
    groups: Vec<Group>,
    quorum: Quorum,
}

/// A key, and where who holds it can be asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Known {
    /// The key.
    pub key: VerifierKey,
    /// The address.
    pub url: Option<String>,
}

/// A witness under the name that it has in the policy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Witness {
    /// Its name there.
    pub name: String,
    /// Its key and address.
    pub known: Known,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Group {
    name: String,
    least: usize,
    members: Vec<Member>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Member {
    Witness(usize),
    Group(usize),
}

/// What a policy says of a checkpoint.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Judged {
    /// Whether a log of the policy signed it.
    pub log: bool,
    /// By the policy's names: who cosigned, and when.
    pub cosigned: BTreeMap<String, Signed>,
    /// By the policy's names: whose signature stands there and does not verify.
    pub forged: Vec<String>,
    /// Whether enough of them did.
    pub quorum: bool,
}

/// Why a text is not a policy.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("line {line} of the policy: {what}")]
pub struct BadPolicy {
    /// From 1; 0 is for the policy as a whole.
    pub line: usize,
    /// What is wrong with it.
    pub what: &'static str,
}

impl Policy {
    /// Reads a policy.
    pub fn parse(text: &str) -> Result<Self, BadPolicy> {
        let whole = |what| BadPolicy { line: 0, what };
        if text.len() > MAX_POLICY {
            return Err(whole("it is longer than 64 KiB"));
        }
        let mut reading = Reading::default();
        for (at, line) in text.split('\n').enumerate() {
            let wrong = |what| BadPolicy { line: at + 1, what };
            if line.contains(|c: char| c.is_ascii_control() && c != '\t') {
                return Err(wrong("it has a control character"));
            }
            let words: Vec<&str> = line
                .split([' ', '\t'])
                .filter(|word| !word.is_empty())
                .collect();
            match words.split_first() {
                None => {}
                Some((first, _)) if first.starts_with('#') => {}
                Some((first, rest)) => reading.take(first, rest).map_err(wrong)?,
            }
        }
        let quorum = reading.quorum.ok_or(whole("it has no `quorum` line"))?;
        Ok(Self {
            logs: reading.logs,
            witnesses: reading.witnesses,
            groups: reading.groups,
            quorum,
        })
    }

    /// Looks at a checkpoint's signatures. Of a note that is no checkpoint nothing is believed, and of one log no other's key.
    pub fn judge(&self, note: &Note) -> Judged {
        let (mut cosigned, mut forged) = (BTreeMap::new(), Vec::new());
        for witness in &self.witnesses {
            match witness.known.key.verify(note) {
                Ok(Some(signed)) => {
                    cosigned.insert(witness.name.clone(), signed);
                }
                Ok(None) => {}
                Err(_) => forged.push(witness.name.clone()),
            }
        }
        let origin = note
            .text()
            .parse()
            .ok()
            .map(|checkpoint: Checkpoint| checkpoint.origin);
        let mut log = false;
        for known in self
            .logs
            .iter()
            .filter(|known| origin.as_ref() == Some(known.key.name()))
        {
            match known.key.verify(note) {
                Ok(signed) => log |= signed.is_some(),
                Err(_) => forged.push(known.key.name().to_string()),
            }
        }
        let quorum = match self.quorum {
            Quorum::None => true,
            Quorum::Of(member) => self.witnessed(member, &cosigned),
        };
        Judged {
            log,
            cosigned,
            forged,
            quorum: quorum && origin.is_some(),
        }
    }

    /// Whether it asks for any cosignature.
    pub const fn asks_for_witnesses(&self) -> bool {
        matches!(self.quorum, Quorum::Of(_))
    }

    fn witnessed(&self, member: Member, cosigned: &BTreeMap<String, Signed>) -> bool {
        match member {
            Member::Witness(at) => cosigned.contains_key(&self.witnesses[at].name),
            Member::Group(at) => {
                let group = &self.groups[at];
                let counted = group
                    .members
                    .iter()
                    .filter(|member| self.witnessed(**member, cosigned));
                counted.count() >= group.least
            }
        }
    }
}

/// A policy while it is read.
#[derive(Default)]
struct Reading {
    logs: Vec<Known>,
    witnesses: Vec<Witness>,
    groups: Vec<Group>,
    /// Members of groups already: each may be one of a single group.
    placed: Vec<String>,
    quorum: Option<Quorum>,
}

/// Whose cosignatures a policy asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Quorum {
    None,
    Of(Member),
}

impl Reading {
    fn take(&mut self, first: &str, rest: &[&str]) -> Result<(), &'static str> {
        match (first, rest) {
            ("log", [key]) => self.log(key, None),
            ("log", [key, url]) => self.log(key, Some(url)),
            ("witness", [name, key]) => self.witness(name, key, None),
            ("witness", [name, key, url]) => self.witness(name, key, Some(url)),
            ("group", [name, least, members @ ..]) if !members.is_empty() => {
                self.group(name, least, members)
            }
            ("quorum", ["none"]) => self.quorum(Quorum::None),
            ("quorum", [name]) => self.quorum(Quorum::Of(
                self.member(name)
                    .ok_or("no such witness or group before it")?,
            )),
            ("log" | "witness" | "group" | "quorum", _) => Err("it has too few or too many words"),
            _ => Err("it begins with none of `log`, `witness`, `group`, `quorum`"),
        }
    }

    fn log(&mut self, key: &str, url: Option<&&str>) -> Result<(), &'static str> {
        let known = known(key, url, Algorithm::Ed25519)?;
        if self.logs.iter().any(|log| log.key.key() == known.key.key()) {
            return Err("the key stands there twice");
        }
        bounded(&self.logs)?;
        self.logs.push(known);
        Ok(())
    }

    fn witness(&mut self, name: &str, key: &str, url: Option<&&str>) -> Result<(), &'static str> {
        let known = known(key, url, Algorithm::Cosignature)?;
        if self
            .witnesses
            .iter()
            .any(|w| w.known.key.key() == known.key.key())
        {
            return Err("the key stands there twice");
        }
        self.new_name(name)?;
        bounded(&self.witnesses)?;
        self.witnesses.push(Witness {
            name: name.to_owned(),
            known,
        });
        Ok(())
    }

    fn group(&mut self, name: &str, least: &str, members: &[&str]) -> Result<(), &'static str> {
        self.new_name(name)?;
        let n = members.len();
        let least = match least {
            "any" => 1,
            "all" => n,
            number => number
                .parse()
                .map_err(|_| "a group has `any`, `all` or a number of members")?,
        };
        if least == 0 || least > n {
            return Err("a group asks for 1 to all of its members");
        }
        bounded(&self.groups)?;
        let mut placed = Vec::new();
        for member in members {
            if self.placed.iter().any(|p| p == member) {
                return Err("a member is in a group already");
            }
            self.placed.push((*member).to_owned());
            placed.push(
                self.member(member)
                    .ok_or("no such witness or group before it")?,
            );
        }
        self.groups.push(Group {
            name: name.to_owned(),
            least,
            members: placed,
        });
        Ok(())
    }

    fn quorum(&mut self, quorum: Quorum) -> Result<(), &'static str> {
        match self.quorum.replace(quorum) {
            None => Ok(()),
            Some(_) => Err("there is a `quorum` line already"),
        }
    }

    fn member(&self, name: &str) -> Option<Member> {
        let witness = self
            .witnesses
            .iter()
            .position(|w| w.name == name)
            .map(Member::Witness);
        witness.or_else(|| {
            self.groups
                .iter()
                .position(|g| g.name == name)
                .map(Member::Group)
        })
    }

    fn new_name(&self, name: &str) -> Result<(), &'static str> {
        if name == "none" || self.member(name).is_some() {
            return Err("the name is taken");
        }
        Ok(())
    }
}

fn known(key: &str, url: Option<&&str>, algorithm: Algorithm) -> Result<Known, &'static str> {
    let key: VerifierKey = key
        .parse()
        .map_err(|_| "it has no verifier key as NAME+ID+KEY")?;
    if key.algorithm() != algorithm {
        return Err("the key is of another kind: logs have 0x01, witnesses 0x04");
    }
    Ok(Known {
        key,
        url: url.map(|url| (*url).to_owned()),
    })
}

fn bounded<T>(so_far: &[T]) -> Result<(), &'static str> {
    if so_far.len() < MAX_EACH {
        Ok(())
    } else {
        Err("there are more than 64 of them")
    }
}

impl fmt::Display for Witness {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.name)
    }
}
