//! A run of the real collector as its disk and its clients saw it, and the states that its register
//! went through.

use std::collections::{BTreeMap, HashMap, HashSet, VecDeque};
use std::net::SocketAddr;
use std::path::Path;
use std::sync::OnceLock;
use std::time::Duration;

use clause9_shared::digest::Digest;

use super::disk::{Disk, Survives};
use super::events::Event;
use super::oracle::{agreed, state};
use super::reopened::Reopened;
use super::script::{HOURS, Lot, Operation, RESTARTS, TRIES, groups, send_at_most};
use super::traced::Traced;
use crate::kill::essence;
use crate::ports::free_address;
use crate::world::{Files, sealed_within};

/// The register's folder, as configured.
pub(crate) const FOLDER: &str = "register";
pub(crate) const FILE: &str = "register/clause9.sqlite";
/// Of so many states of the undisturbed run one is looked at in all its parts.
const LOOKED_AT: usize = 12;

/// A run of the collector, as its disk and its clients saw it.
pub(crate) struct Recording {
    pub(crate) events: Vec<Event>,
    pub(crate) operations: Vec<Operation>,
    /// Which operation is answered by an event.
    pub(crate) answers: BTreeMap<usize, usize>,
    pub(crate) hours: u32,
    /// How often a client was told to send again.
    pub(crate) again: usize,
    /// What the undisturbed register holds in the end.
    pub(crate) essence: Essence,
}

pub(crate) type Essence = (BTreeMap<String, usize>, Vec<String>);

/// How syncs fail while it is recorded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Failing {
    Never,
    /// One of so many.
    OneOf(usize),
    /// All from the one of this number on, until that run is killed. The next one has a good disk.
    From(usize),
}

impl Failing {
    /// What strace is told for a run, by its number.
    fn fault(self, run: usize) -> Option<String> {
        match self {
            Self::Never => None,
            Self::OneOf(n) => Some(format!("fsync,fdatasync:error=EIO:when=25+{n}")),
            Self::From(n) => (run == 0).then(|| format!("fsync,fdatasync:error=EIO:when={n}+")),
        }
    }

    /// When each run ends, after an hour of the script, and how.
    fn ends(self, hours: u32) -> Vec<(u32, &'static str)> {
        let given_up = match self {
            Self::Never | Self::OneOf(_) => None,
            Self::From(_) => Some((hours - 1, "KILL")),
        };
        let restarts = RESTARTS.into_iter().filter(|(hour, _)| *hour < hours - 1);
        let ends = given_up.into_iter().chain(restarts);
        ends.chain([(hours - 1, "TERM")]).collect()
    }

    /// Whether a run is given up when it does not go on.
    fn given_up(self, run: usize) -> bool {
        matches!(self, Self::From(_)) && run == 0
    }
}

/// The recording, made once for all tests here.
pub(crate) fn recording() -> &'static Recording {
    static RECORDING: OnceLock<Recording> = OnceLock::new();
    RECORDING.get_or_init(|| record(HOURS, Failing::Never))
}

/// Something that is done, and waited for.
enum Step {
    Send(Vec<Operation>),
    /// This hour is to be sealed.
    Sealed(u32),
}

impl Step {
    /// Does it. From which ports something was sent, and how often it was to be sent again; nothing if it is
    /// not done after a short time, and that is to be `given_up`.
    fn done(&self, at: SocketAddr, given_up: bool) -> Option<(Vec<u16>, usize)> {
        let tries = if given_up { 20 } else { TRIES };
        let patience = Duration::from_secs(if given_up { 2 } else { 30 });
        match self {
            Self::Send(group) => send_at_most(at, group, tries),
            Self::Sealed(hour) => {
                sealed_within(at, u64::from(*hour) + 1, patience).then(|| (Vec::new(), 0))
            }
        }
    }
}

pub(crate) fn record(length: u32, failing: Failing) -> Recording {
    let address = free_address().unwrap();
    let files = Files::new(&address.to_string(), &[1, 2]);
    let root = files.path().canonicalize().unwrap();
    let logs = workplace();
    let (mut events, mut disk) = (Vec::new(), Disk::default());
    let (mut operations, mut ports, mut again) = (Vec::new(), Vec::new(), 0);
    let mut steps: VecDeque<_> = groups(length)
        .into_iter()
        .flat_map(|(hour, groups)| {
            let sent = groups.into_iter().map(Step::Send);
            sent.chain([Step::Sealed(hour)])
        })
        .collect();
    for (run, (last, by)) in failing.ends(length).into_iter().enumerate() {
        let fault = failing.fault(run);
        let calls = logs.path().join("calls");
        let mut traced = Traced::record(&files.config(), &calls, fault.as_deref());
        assert!(traced.alive(address), "{}", traced.said());
        while let Some(step) = steps.pop_front() {
            let Some((sent, times)) = step.done(address, failing.given_up(run)) else {
                assert!(failing.given_up(run), "it is unavailable for good");
                steps.push_front(step);
                break;
            };
            ports.extend(sent);
            again += times;
            match step {
                Step::Send(group) => operations.extend(group),
                Step::Sealed(hour) if hour == last => break,
                Step::Sealed(_) => {}
            }
        }
        traced.end(by);
        let session = traced.events(&root);
        for event in &session {
            disk.take(event);
        }
        let found = disk.image(Survives::All, &mut Lot::new(0));
        found.assert_is(&root, FOLDER);
        events.extend(session);
        events.push(Event::Restart);
    }
    assert!(steps.is_empty(), "{} steps were left", steps.len());
    let answers = answers(&events, &ports);
    assert_eq!(answers.len(), operations.len(), "each answer was recorded");
    let reopened = Reopened::on(&files.config()).unwrap();
    Recording {
        events,
        operations,
        answers,
        hours: length,
        again,
        essence: content(&reopened),
    }
}

/// Operations by the event that answers each; ports are those that they were sent from, in order. What was only asked for, and what
/// was to be sent again, may have come from the same port at another time: then the last answers are taken, which promise least.
fn answers(events: &[Event], ports: &[u16]) -> BTreeMap<usize, usize> {
    let mut answered: HashMap<u16, Vec<usize>> = HashMap::new();
    for (at, event) in events.iter().enumerate() {
        if let Event::Answer(port) = event {
            answered.entry(*port).or_default().push(at);
        }
    }
    let last_first = ports.iter().enumerate().rev();
    let answers = last_first.filter_map(|(operation, port)| {
        let at = answered.get_mut(port)?.pop()?;
        Some((at, operation))
    });
    answers.collect()
}

/// What a register holds, apart from when it was written, who started when, and what was refused.
pub(crate) fn content(reopened: &Reopened) -> Essence {
    let (mut counts, summaries) = essence(reopened.address);
    counts.remove("refusal");
    (counts, summaries)
}

/// A folder in memory, where that is at hand: nothing here is about a real disk.
pub(crate) fn workplace() -> tempfile::TempDir {
    let memory = Path::new("/dev/shm");
    if memory.is_dir() {
        return tempfile::tempdir_in(memory).unwrap();
    }
    tempfile::tempdir().unwrap()
}

/// The states that the undisturbed register went through, in order.
pub(crate) struct States {
    /// Numbers of the states with a content, rising.
    pub(crate) numbers: HashMap<Option<Digest>, Vec<usize>>,
    /// By event: the last state that was reached before it.
    pub(crate) at: Vec<usize>,
    /// By event: the last state before it that was reached by a sync which did not fail.
    pub(crate) sure: Vec<usize>,
}

impl States {
    pub(crate) fn of(recording: &Recording) -> Self {
        let place = workplace();
        let (mut disk, mut lot) = (Disk::default(), Lot::new(0));
        let mut numbers: HashMap<_, Vec<_>> = HashMap::from([(None, vec![0])]);
        let (mut at, mut last, mut count) = (Vec::new(), None, 0);
        let (mut sure, mut surest) = (Vec::new(), 0);
        for event in &recording.events {
            let synced = disk.take(event);
            if synced || matches!(event, Event::Failed(_)) {
                disk.image(Survives::All, &mut lot)
                    .lay_out(place.path(), &[FOLDER]);
                let now = state(&place.path().join(FILE)).unwrap();
                if now != last {
                    count += 1;
                    numbers.entry(now).or_default().push(count);
                    last = now;
                    if count % LOOKED_AT == 1 {
                        agreed(&place.path().join(FILE)).unwrap();
                    }
                }
            }
            if synced {
                surest = count;
            }
            at.push(count);
            sure.push(surest);
        }
        let all = agreed(&place.path().join(FILE)).unwrap();
        let taken: HashSet<_> = recording
            .operations
            .iter()
            .filter_map(Operation::taken)
            .collect();
        assert_eq!(all.len(), taken.len(), "each batch is in the register once");
        Self { numbers, at, sure }
    }
}

#[test]
fn a_port_that_was_used_before_promises_nothing_too_early() {
    let answer = Event::Answer;
    let events = [answer(7), answer(8), answer(7), answer(9), answer(7)];
    let expected = BTreeMap::from([(1, 0), (2, 1), (3, 2), (4, 3)]);
    assert_eq!(answers(&events, &[8, 7, 9, 7]), expected);
}
