//! The agent's outbox on a disk that forgets and fails: power loss at every call, errors at every call,
//! every flipped byte and every truncation.

use std::collections::{BTreeMap, BTreeSet};

use clause9_tests::sim::random::Random;
use clause9_tests::world::disk::{Call, Fault, SimDisk};
use clause9_tests::world::script::{Agent, Step, script};

/// Steps of the script.
const STEPS: usize = 260;
/// Ways in which what was not synced is lost, kept or torn, for each call.
const WAYS: u64 = 3;

/// Does the script as far as the power lasts.
fn play(agent: &mut Agent, disk: &SimDisk, steps: &[Step]) -> Result<(), String> {
    for step in steps {
        agent.step(*step);
        if disk.is_off() {
            return Ok(());
        }
        if *step == Step::Restart {
            agent.check()?;
        }
    }
    Ok(())
}

fn calls_of(steps: &[Step]) -> u64 {
    let disk = SimDisk::default();
    let mut agent = Agent::new(disk.clone());
    let played = play(&mut agent, &disk, steps);
    assert_eq!(played, Ok(()), "without a fault");
    disk.calls()
}

#[test]
fn a_loss_of_power_at_any_call_loses_nothing_that_was_kept_and_doubles_nothing() {
    let steps = script(9, STEPS);
    let calls = calls_of(&steps);
    assert!(calls > 200, "{calls} calls");
    let (mut again, mut restored) = (0, 0);
    for call in 1..=calls {
        for way in 0..WAYS {
            let disk = SimDisk::default();
            disk.fail_at(call, Fault::Power);
            let mut agent = Agent::new(disk.clone());
            let told =
                |what: &str, error: String| format!("call {call}, way {way}, {what}: {error}");
            play(&mut agent, &disk, &steps)
                .map_err(|e| told("script", e))
                .unwrap();
            assert!(disk.is_off(), "call {call} never came");
            let mut chance = Random::new(&[call, way]);
            disk.power_loss(&mut chance);
            // The power may go again while it starts.
            disk.fail_at(disk.calls() + 1 + chance.below(12), Fault::Power);
            agent.restart();
            if disk.is_off() {
                disk.power_loss(&mut chance);
                agent.restart();
            }
            disk.fail_no_more();
            let (a, r) = agent.check().map_err(|e| told("start", e)).unwrap();
            again += a;
            restored += usize::from(r);
            let losses = agent.losses();
            assert!(losses.is_empty(), "call {call}, way {way}: {losses:?}");
            // And it goes on.
            let rest = script(call, 30);
            play(&mut agent, &disk, &rest)
                .map_err(|e| told("afterwards", e))
                .unwrap();
        }
    }
    // What is claimed was put to the test.
    assert!(
        again > 100 && restored > 100,
        "{again} sent again, {restored} restored"
    );
}

#[test]
fn a_disk_that_refuses_any_call_loses_nothing_and_is_taken_again() {
    let steps = script(4, STEPS);
    let calls = calls_of(&steps);
    let mut bitten = BTreeMap::<Call, usize>::new();
    for call in 1..=calls {
        for fault in [Fault::NoSpace(0), Fault::NoSpace(700), Fault::Device] {
            let disk = SimDisk::default();
            disk.fail_at(call, fault);
            let mut agent = Agent::new(disk.clone());
            if !disk.bitten().is_empty() {
                agent.step(Step::Persist);
            }
            let told = |error: String| format!("call {call}, {fault:?}: {error}");
            play_on(&mut agent, &disk, &steps).map_err(told).unwrap();
            for (call, _) in disk.bitten() {
                *bitten.entry(call).or_default() += 1;
            }
            agent.step(Step::Persist);
            agent.step(Step::Persist);
            disk.power_loss(&mut Random::new(&[call]));
            agent.restart();
            let files: Vec<_> = disk
                .image()
                .iter()
                .map(|(n, b)| (n.clone(), b.len()))
                .collect();
            let told = |error: String| format!("call {call}, {fault:?}: {error}; {files:?}");
            agent.check().map_err(told).unwrap();
            assert_eq!(agent.losses(), []);
        }
    }
    let kinds: BTreeSet<Call> = bitten.keys().copied().collect();
    let all = [
        Call::List,
        Call::Create,
        Call::Open,
        Call::Read,
        Call::Write,
        Call::Sync,
        Call::SyncFolder,
        Call::Remove,
    ];
    assert_eq!(kinds, BTreeSet::from(all), "{bitten:?}");
}

/// Plays the script. A start that cannot read everything is completed when the disk can be read again.
fn play_on(agent: &mut Agent, disk: &SimDisk, steps: &[Step]) -> Result<(), String> {
    for step in steps {
        let before = disk.bitten().len();
        agent.step(*step);
        if *step == Step::Restart {
            if disk.bitten().len() > before {
                agent.step(Step::Persist);
                agent.forget_put_by();
            }
            agent.check()?;
        }
    }
    Ok(())
}

/// A log of about 64 KiB of which nothing was released.
fn small_log() -> (BTreeMap<String, Vec<u8>>, Vec<u64>, String) {
    let disk = SimDisk::default();
    let mut agent = Agent::new(disk.clone());
    for _ in 0..80 {
        agent.step(Step::Push(1));
        agent.step(Step::Persist);
    }
    let image = disk.image();
    let numbers = agent.waiting().iter().map(|(number, ..)| *number).collect();
    let log = "00000000000000000001.log".to_owned();
    let bytes = image.get(&log).map_or(0, Vec::len);
    assert!((60_000..80_000).contains(&bytes), "{bytes} bytes");
    (image, numbers, log)
}

/// Starts on an image; the batches that are there, and those that the collector would be told are lost.
fn start(image: &BTreeMap<String, Vec<u8>>) -> (Vec<u64>, Vec<u64>) {
    let agent = Agent::new(SimDisk::of(image));
    let found = agent.waiting().iter().map(|(number, ..)| *number).collect();
    let losses = agent.losses();
    let lost: Vec<u64> = losses.iter().flat_map(|l| l.first..=l.last).collect();
    let said: u64 = losses.iter().map(|l| l.batches).sum();
    assert_eq!(said, lost.len() as u64);
    (found, lost)
}

#[test]
fn every_flipped_byte_takes_one_batch_at_most_and_is_counted() {
    let (mut image, numbers, log) = small_log();
    let mut hurt = 0;
    for at in 0..image[&log].len() {
        let bytes = image.get_mut(&log).unwrap();
        bytes[at] ^= 0x55;
        let (found, lost) = start(&image);
        assert!(lost.len() <= 1, "byte {at}: {lost:?} are lost");
        hurt += lost.len();
        let mut all = [found, lost].concat();
        all.sort_unstable();
        assert_eq!(all, numbers, "byte {at}");
        image.get_mut(&log).unwrap()[at] ^= 0x55;
    }
    assert!(hurt > 60_000, "{hurt} flips took a batch");
}

#[test]
fn every_truncation_keeps_what_is_whole_and_counts_the_rest() {
    let (image, numbers, log) = small_log();
    let whole = image[&log].clone();
    let mut lengths = BTreeSet::new();
    for length in 0..whole.len() {
        let mut cut = image.clone();
        cut.insert(log.clone(), whole[..length].to_vec());
        let (found, lost) = start(&cut);
        assert_eq!(
            [&found[..], &lost[..]].concat(),
            numbers,
            "cut to {length} bytes"
        );
        lengths.insert(found.len());
    }
    assert_eq!(
        lengths.len(),
        numbers.len(),
        "every number of batches was left once"
    );
}

#[test]
fn files_that_are_missing_empty_or_strange_are_no_obstacle() {
    let (image, numbers, log) = small_log();
    let mut missing = image.clone();
    missing.remove(&log);
    assert_eq!(start(&missing), (vec![], numbers.clone()));
    let mut strange = image.clone();
    for name in [
        "00000000000000000000.log",
        "99.log",
        "notes",
        "open-1-2",
        "x.log",
    ] {
        strange.insert(name.to_owned(), b"C9O1 is not all".to_vec());
    }
    strange.insert("00000000000000000077.log".to_owned(), Vec::new());
    assert_eq!(start(&strange), (numbers.clone(), vec![]));
    // Without its mark nobody knows what came before and after; what is there is sent.
    let mut unmarked = image.clone();
    unmarked.remove("mark");
    assert_eq!(start(&unmarked), (numbers.clone(), vec![]));
    for at in 0..image["mark"].len() {
        let mut hurt = image.clone();
        hurt.get_mut("mark").unwrap()[at] ^= 0x55;
        assert_eq!(
            start(&hurt),
            (numbers.clone(), vec![]),
            "byte {at} of the mark"
        );
    }
}
