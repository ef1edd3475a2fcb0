//! The power goes at every system call of a recorded run. Of each disk that may be found then the
//! register is opened again by the collector itself: everything that was acknowledged is in it, once.

use std::collections::{HashMap, HashSet};
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::sync::mpsc::{Receiver, sync_channel};
use std::time::{Duration, Instant};

use super::disk::{Disk, Image, Survives};
use super::events::Event;
use super::oracle::state;
use super::recording::{
    FILE, FOLDER, Failing, Recording, States, content, record, recording, workplace,
};
use super::reopened::Reopened;
use super::script::Lot;
use crate::recompute::{Register, measured_again};
use crate::world::{Files, wait_sealed};

/// Images of which something that was not synced survived, of each sort, for so many calls.
const OF_CALLS: usize = 24;
/// Of so many images one gets everything sent again, and all that was still to come.
const IN_FULL: usize = 64;
/// Longest start.
const START: Duration = Duration::from_secs(2);

/// An image that is to be looked at.
struct Job {
    number: u64,
    image: Image,
    /// Events that had happened.
    events: usize,
    in_full: bool,
}

/// What was found of an image.
struct Found {
    /// Numbers of the states that it may be.
    states: Vec<usize>,
    problem: Option<String>,
    took: Duration,
}

/// What came of one way of losing power.
struct Outcome {
    prefixes: usize,
    images: usize,
    distinct: usize,
    slowest: Duration,
    problems: Vec<String>,
}

/// Loses power at every event. `done` says which syncs the disk did do; `of_calls` how rarely something
/// survives that was not synced, never if it is none.
fn lose_power(
    recording: &Recording,
    states: &States,
    done: impl Fn(&Path) -> bool,
    of_calls: Option<usize>,
) -> Outcome {
    let workers = std::thread::available_parallelism().map_or(2, usize::from);
    let (jobs, waiting) = sync_channel::<Job>(workers);
    let waiting = Mutex::new(waiting);
    let found = Mutex::new(HashMap::new());
    let mut claims = Vec::new();
    std::thread::scope(|scope| {
        for _ in 0..workers {
            scope.spawn(|| work(recording, states, &waiting, &found));
        }
        claims = walk(recording, &done, of_calls, |job| jobs.send(job).unwrap());
        drop(jobs);
    });
    let found = found.into_inner().unwrap();
    let mut problems: Vec<String> = found
        .values()
        .filter_map(|f: &Found| f.problem.clone())
        .collect();
    let mut promised = 0;
    let mut at = 0;
    for (events, number) in &claims {
        for event in at..*events {
            if recording.answers.contains_key(&event) {
                promised = states.sure[event];
            }
        }
        at = *events;
        let reached = states.at.get(*events).map_or(usize::MAX, |n| n + 1);
        let possible = &found[number].states;
        if !possible.iter().any(|s| (promised..=reached).contains(s)) {
            problems.push(format!(
                "after {events} events: state {promised} was acknowledged, found {possible:?}"
            ));
        }
    }
    Outcome {
        prefixes: recording.events.len(),
        images: claims.len(),
        distinct: found.len(),
        slowest: found.values().map(|f| f.took).max().unwrap_or_default(),
        problems,
    }
}

/// Makes the images of every prefix, and gives those that are new to `look`. Answers which image was
/// made after how many events.
fn walk(
    recording: &Recording,
    done: &impl Fn(&Path) -> bool,
    of_calls: Option<usize>,
    mut look: impl FnMut(Job),
) -> Vec<(usize, u64)> {
    let (mut disk, mut lot) = (Disk::default(), Lot::new(9));
    let (mut claims, mut known) = (Vec::new(), HashSet::new());
    let mut unchanged = None;
    for (at, event) in recording.events.iter().enumerate() {
        let lied = matches!(event, Event::Sync(path) if !done(path));
        if !lied && disk.take(event) {
            unchanged = None;
        }
        let mut kinds = vec![Survives::Nothing];
        let others = [Survives::All, Survives::Some, Survives::Torn];
        let drawn = others
            .into_iter()
            .filter(|_| of_calls.is_some_and(|n| lot.below(n) == 0));
        kinds.extend(drawn);
        for survives in kinds {
            let kept = unchanged.filter(|_| survives == Survives::Nothing);
            let number = kept.unwrap_or_else(|| {
                let image = disk.image(survives, &mut lot);
                let number = image.number();
                if known.insert(number) {
                    look(Job {
                        number,
                        image,
                        events: at + 1,
                        in_full: known.len() % IN_FULL == 0,
                    });
                }
                number
            });
            if survives == Survives::Nothing {
                unchanged = Some(number);
            }
            claims.push((at + 1, number));
        }
    }
    claims
}

/// Looks at images until there are no more.
fn work(
    recording: &Recording,
    states: &States,
    jobs: &Mutex<Receiver<Job>>,
    found: &Mutex<HashMap<u64, Found>>,
) {
    let files = Files::new("127.0.0.1:0", &[1, 2]);
    let place = workplace();
    for entry in std::fs::read_dir(files.path()).unwrap() {
        let entry = entry.unwrap();
        std::fs::copy(entry.path(), place.path().join(entry.file_name())).unwrap();
    }
    loop {
        let job = jobs.lock().unwrap().recv();
        let Ok(job) = job else { return };
        let looked = look(recording, states, place.path(), &job);
        found.lock().unwrap().insert(job.number, looked);
    }
}

fn look(recording: &Recording, states: &States, place: &Path, job: &Job) -> Found {
    job.image.lay_out(place, &[FOLDER]);
    let (numbers, mut problem) = match state(&place.join(FILE)) {
        Ok(state) => (
            states.numbers.get(&state).cloned().unwrap_or_default(),
            None,
        ),
        Err(problem) => (Vec::new(), Some(problem)),
    };
    job.image.lay_out(place, &[FOLDER]);
    let mut took = Duration::ZERO;
    match Reopened::on(&place.join("collector.yaml")) {
        Err(said) => problem = Some(format!("after {} events: {said}", job.events)),
        Ok(reopened) => {
            took = reopened.took;
            let lost = lost(recording, &reopened, job);
            problem = problem.or(lost);
        }
    }
    Found {
        states: numbers,
        problem,
        took,
    }
}

/// Sends again what was acknowledged, all of it or a part; and what was to come, if all.
fn lost(recording: &Recording, reopened: &Reopened, job: &Job) -> Option<String> {
    let acknowledged: Vec<_> = recording
        .answers
        .range(..job.events)
        .map(|(_, operation)| *operation)
        .filter(|o| recording.operations[*o].taken().is_some())
        .collect();
    let mut lot = Lot::new(job.number);
    let last = acknowledged.len().saturating_sub(3);
    let again = acknowledged
        .iter()
        .enumerate()
        .filter(|(i, _)| job.in_full || *i >= last || lot.below(acknowledged.len()) < 2);
    for (_, operation) in again {
        let sent = &recording.operations[*operation];
        let fate = reopened.fate(&sent.body);
        if fate != sent.again {
            return Some(format!(
                "after {} events: operation {operation} was acknowledged, and is {fate} now",
                job.events
            ));
        }
    }
    if !job.in_full {
        return None;
    }
    for operation in &recording.operations {
        let answer = reopened.post(&operation.body);
        if answer.status != operation.status {
            return Some(format!(
                "{} is answered by {}",
                operation.status,
                answer.text()
            ));
        }
    }
    wait_sealed(reopened.address, u64::from(recording.hours));
    let (measured, ledgers) = measured_again(&Register(reopened.address));
    if measured == 0 || ledgers == 0 {
        return Some("nothing was measured".to_owned());
    }
    let content = content(reopened);
    (content != recording.essence).then(|| format!("in the end: {:?}", content.0))
}

#[test]
fn power_may_go_at_any_system_call_and_nothing_acknowledged_is_lost_or_twice() {
    let begun = Instant::now();
    let recording = recording();
    let recorded = begun.elapsed();
    assert!(
        recording.operations.len() >= 200,
        "{}",
        recording.operations.len()
    );
    let to_register =
        |e: &&Event| matches!(e, Event::Write { path, .. } if path == Path::new(FILE));
    let carried = recording.events.iter().filter(to_register).count();
    assert!(
        carried > 100,
        "the log was carried into the register: {carried} pages"
    );
    let states = States::of(recording);
    let known = begun.elapsed();
    let outcome = lose_power(recording, &states, |_| true, Some(OF_CALLS));
    println!(
        "{} operations, {} events of the disk and of clients, {} states; {} images, {} distinct; \
         slowest start {:?}; recorded in {recorded:?}, states by {known:?}, all by {:?}",
        recording.operations.len(),
        outcome.prefixes,
        states.at.last().unwrap(),
        outcome.images,
        outcome.distinct,
        outcome.slowest,
        begun.elapsed(),
    );
    assert!(
        outcome.problems.is_empty(),
        "{:#?}",
        first(&outcome.problems)
    );
    assert!(outcome.distinct >= 500, "{}", outcome.distinct);
    assert!(outcome.slowest <= START, "{:?}", outcome.slowest);
}

/// Which syncs a disk does do.
type Lie<'a> = dyn Fn(&Path) -> bool + 'a;

/// The oracle sees it if the disk does not do one of the syncs that the promise rests on.
#[test]
fn a_disk_that_only_says_that_it_synced_is_found_out() {
    let recording = recording();
    let states = States::of(recording);
    let log = PathBuf::from(format!("{FILE}-wal"));
    let lies: [(&str, &Lie<'_>); 5] = [
        ("none", &|_| false),
        ("all but the log's", &|p| p != log),
        ("all but the register's", &|p| p != Path::new(FILE)),
        // The folder above the register's: its name in it.
        ("all but the uppermost", &|p| p != Path::new("")),
        ("all but the folders'", &|p| {
            p == log || p == Path::new(FILE)
        }),
    ];
    for (done, lie) in lies {
        let outcome = lose_power(recording, &states, lie, None);
        println!(
            "{done} done: {} of {} images are found out",
            outcome.problems.len(),
            outcome.images
        );
        assert!(
            !outcome.problems.is_empty(),
            "{done} done, and nothing was missed"
        );
    }
}

fn first(problems: &[String]) -> &[String] {
    &problems[..problems.len().min(10)]
}

fn failed(recording: &Recording) -> usize {
    let failed = |e: &&Event| matches!(e, Event::Failed(_));
    recording.events.iter().filter(failed).count()
}

/// After a failed sync the kernel may forget what it was to write, and call the next sync a success.
#[test]
fn a_sync_that_failed_is_never_trusted_afterwards() {
    let recording = record(24, Failing::OneOf(7));
    let failed = failed(&recording);
    assert!(
        failed >= 5 && recording.again >= 2,
        "{failed} failed, {} again",
        recording.again
    );
    nothing_is_lost(&recording, failed);
}

/// What it forgot is still seen by the next run if the collector is killed then, and what that one adds
/// would stand behind a hole.
#[test]
fn a_sync_that_failed_is_not_trusted_by_the_next_run_either() {
    for from in [25, 26, 27, 28] {
        let recording = record(14, Failing::From(from));
        let failed = failed(&recording);
        assert!(failed >= 2, "{failed} failed");
        nothing_is_lost(&recording, failed);
    }
}

fn nothing_is_lost(recording: &Recording, failed: usize) {
    let states = States::of(recording);
    let outcome = lose_power(recording, &states, |_| true, Some(OF_CALLS));
    println!(
        "{failed} syncs failed, {} answers were `send again`; {} images, {} distinct",
        recording.again, outcome.images, outcome.distinct
    );
    assert!(
        outcome.problems.is_empty(),
        "{:#?}",
        first(&outcome.problems)
    );
}
