//! What the collector refused, on disks that forget and fail: it is in the outbox or in quarantine at any time, whichever call of
//! whichever disk fails or is the last before the power goes.

use std::collections::{BTreeMap, BTreeSet};

use bytes::Bytes;
use clause9_agent::outbox::{Outbox, Room};
use clause9_agent::quarantine::{Part, Quarantine};
use clause9_agent::telemetry::Telemetry;
use clause9_shared::digest::Digest;
use clause9_shared::ids::{BootId, Sequence};
use clause9_shared::time::Timestamp;
use clause9_shared::wire::batch::{self, RefusalReason};
use clause9_shared::wire::loss::Place;
use clause9_tests::sim::random::Random;
use clause9_tests::world::disk::{Call, Fault, SimDisk};

const ROOM: Room = Room {
    bytes: 1 << 20,
    memory: 1 << 20,
};
/// Rounds of the script.
const ROUNDS: u64 = 10;

/// What is done, and what must not vanish by it.
struct Ground {
    outbox_disk: SimDisk,
    disk: SimDisk,
    outbox: Outbox<SimDisk>,
    quarantine: Quarantine<SimDisk>,
    /// Batches that are kept and refused, and that the collector never took and nobody forgot.
    owed: BTreeSet<Digest>,
    /// Those of which it is not known whether they are gone: the power went while they were let go.
    either: BTreeSet<Digest>,
    sequence: u64,
    rounds: u64,
}

fn telemetry() -> Telemetry {
    Telemetry::new().expect("the names of figures are fixed")
}

fn refusal(reason: RefusalReason) -> Vec<Part> {
    vec![Part {
        item: Some(1),
        reason,
        detail: "why".to_owned(),
    }]
}

impl Ground {
    fn new(outbox_disk: SimDisk, disk: SimDisk) -> Self {
        let (outbox, quarantine) = Self::processes(&outbox_disk, &disk);
        Self {
            outbox_disk,
            disk,
            outbox,
            quarantine,
            owed: BTreeSet::new(),
            either: BTreeSet::new(),
            sequence: 0,
            rounds: 0,
        }
    }

    fn processes(outbox: &SimDisk, disk: &SimDisk) -> (Outbox<SimDisk>, Quarantine<SimDisk>) {
        (
            Outbox::open(outbox.clone(), ROOM, telemetry(), Timestamp::EPOCH),
            Quarantine::open(disk.clone(), 1 << 20, telemetry()),
        )
    }

    fn restart(&mut self) {
        let (outbox, quarantine) = Self::processes(&self.outbox_disk, &self.disk);
        self.outbox = outbox;
        self.quarantine = quarantine;
    }

    fn is_off(&self) -> bool {
        self.disk.is_off() || self.outbox_disk.is_off()
    }

    fn push(&mut self) {
        self.sequence += 1;
        let place = Place {
            boot: BootId(1),
            sequence: Sequence(self.sequence),
        };
        let bytes = self.sequence.to_le_bytes().repeat(120);
        let kept = self.outbox.kept();
        self.outbox.push(
            vec![(place, Bytes::from(bytes.clone()))],
            Vec::new(),
            Timestamp::EPOCH,
        );
        self.outbox.persist(Timestamp::EPOCH);
        if self.outbox.kept() > kept {
            self.owed.insert(batch::digest(&bytes));
        }
    }

    /// The collector refuses all that waits: each goes into quarantine, and only then leaves the outbox.
    fn refuse(&mut self) {
        let mut from = 0;
        while let Some(number) = self.outbox.first(from) {
            from = number + 1;
            let Ok(Some(batch)) = self.outbox.read(number, Timestamp::EPOCH) else {
                continue;
            };
            let parts = refusal(RefusalReason::UnknownPlan);
            if self
                .quarantine
                .keep(&batch, parts, Timestamp::EPOCH)
                .is_ok()
            {
                self.outbox.release(number);
            }
        }
        self.outbox.persist(Timestamp::EPOCH);
    }

    /// All is sent again; of three the collector takes the first, and refuses the others again. The third is forgotten.
    fn resend(&mut self) {
        self.quarantine.resend(None);
        let mut turn = 0;
        let mut from = 0;
        while let Some(number) = self.quarantine.due(from) {
            from = number + 1;
            turn += 1;
            if let Ok(Some(batch)) = self.quarantine.fetch(number) {
                match turn % 3 {
                    1 => self.let_go(batch.digest, Quarantine::taken),
                    2 => {
                        let parts = refusal(RefusalReason::BadSummary);
                        let _ = self.quarantine.keep(&batch, parts, Timestamp::EPOCH);
                    }
                    _ => self.let_go(batch.digest, Quarantine::forget),
                }
            }
            self.quarantine.answered(number);
        }
    }

    fn let_go(&mut self, batch: Digest, how: impl Fn(&Quarantine<SimDisk>, Digest) -> bool) {
        let gone = how(&self.quarantine, batch);
        if gone || self.is_off() {
            self.owed.remove(&batch);
            self.either.insert(batch);
        }
    }

    /// One round of the script, as far as the power lasts.
    fn round(&mut self) {
        self.rounds += 1;
        self.push();
        self.push();
        self.refuse();
        if self.rounds.is_multiple_of(3) {
            self.resend();
        }
        if self.rounds.is_multiple_of(4) && !self.is_off() {
            self.restart();
        }
    }

    fn play(&mut self, rounds: u64) {
        for _ in 0..rounds {
            self.round();
        }
    }

    /// Everything that is owed is in one place or both; nothing else is there.
    fn check(&self) -> Result<(), String> {
        let mut there = BTreeMap::<Digest, &str>::new();
        let mut from = 0;
        while let Some(number) = self.outbox.first(from) {
            from = number + 1;
            let read = self.outbox.read(number, Timestamp::EPOCH);
            if let Some(batch) = read.map_err(|e| e.to_string())? {
                there.insert(batch.digest, "outbox");
            }
        }
        for entry in self.quarantine.list(Timestamp::EPOCH) {
            let read = self.quarantine.get(entry.batch, Timestamp::EPOCH);
            if read.map_err(|e| e.to_string())?.is_none() {
                return Err(format!("{} is listed and cannot be read", entry.batch));
            }
            there.insert(entry.batch, "quarantine");
        }
        let missing: Vec<_> = self
            .owed
            .iter()
            .filter(|b| !there.contains_key(b))
            .collect();
        if missing.is_empty() {
            Ok(())
        } else {
            Err(format!("{missing:?} vanished; there are {there:?}"))
        }
    }
}

/// Calls of the outbox's disk, and of the quarantine's, by the script.
fn calls() -> (u64, u64) {
    let mut ground = Ground::new(SimDisk::default(), SimDisk::default());
    ground.play(ROUNDS);
    // What is looked at afterwards is no part of the script.
    let calls = (ground.outbox_disk.calls(), ground.disk.calls());
    assert_eq!(ground.check(), Ok(()), "without a fault");
    assert!(ground.owed.len() > 3 && ground.either.len() > 3);
    calls
}

/// Plays the script with one call of one of the disks failing so; whether it was the quarantine's.
fn hurt(of_quarantine: bool, call: u64, fault: Fault) -> Ground {
    let (outbox, disk) = (SimDisk::default(), SimDisk::default());
    if of_quarantine { &disk } else { &outbox }.fail_at(call, fault);
    let mut ground = Ground::new(outbox, disk);
    ground.play(ROUNDS);
    ground
}

#[test]
fn a_loss_of_power_at_any_call_takes_nothing_that_was_refused() {
    let (outbox_calls, quarantine_calls) = calls();
    assert!(quarantine_calls > 100, "{quarantine_calls} calls");
    let of_outbox = (1..=outbox_calls).map(|call| (false, call));
    let of_quarantine = (1..=quarantine_calls).map(|call| (true, call));
    for (quarantine, call) in of_outbox.chain(of_quarantine) {
        for way in 0..3 {
            let (outbox, disk) = (SimDisk::default(), SimDisk::default());
            if quarantine { &disk } else { &outbox }.fail_at(call, Fault::Power);
            let mut ground = Ground::new(outbox, disk);
            for _ in 0..ROUNDS {
                // Nothing is done by a machine without power.
                if !ground.is_off() {
                    ground.round();
                }
            }
            assert!(
                ground.is_off(),
                "call {call} of quarantine {quarantine} never came"
            );
            let mut chance = Random::new(&[call, way]);
            ground.outbox_disk.power_loss(&mut chance);
            ground.disk.power_loss(&mut chance);
            ground.restart();
            let told =
                |e: String| format!("call {call} of quarantine {quarantine}, way {way}: {e}");
            ground.check().map_err(told).unwrap();
            // And it goes on.
            ground.play(3);
            ground.check().map_err(told).unwrap();
        }
    }
}

#[test]
fn a_disk_that_refuses_any_call_takes_nothing_that_was_refused() {
    let (outbox_calls, quarantine_calls) = calls();
    let of_outbox = (1..=outbox_calls).map(|call| (false, call));
    let of_quarantine = (1..=quarantine_calls).map(|call| (true, call));
    let mut bitten = BTreeSet::<Call>::new();
    for (quarantine, call) in of_outbox.chain(of_quarantine) {
        for fault in [Fault::NoSpace(0), Fault::NoSpace(700), Fault::Device] {
            let mut ground = hurt(quarantine, call, fault);
            if quarantine {
                bitten.extend(ground.disk.bitten().iter().map(|(call, _)| *call));
            }
            let told =
                |e: String| format!("call {call} of quarantine {quarantine}, {fault:?}: {e}");
            ground.outbox.persist(Timestamp::EPOCH);
            ground.check().map_err(told).unwrap();
            let mut chance = Random::new(&[call]);
            ground.outbox_disk.power_loss(&mut chance);
            ground.disk.power_loss(&mut chance);
            ground.restart();
            ground.check().map_err(told).unwrap();
        }
    }
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
    assert_eq!(bitten, BTreeSet::from(all));
}

#[test]
fn while_the_disk_takes_nothing_what_is_refused_waits_in_the_outbox() {
    for fault in [Fault::NoSpace(0), Fault::NoSpace(100), Fault::Device] {
        let disk = SimDisk::default();
        let mut ground = Ground::new(SimDisk::default(), disk.clone());
        ground.push();
        disk.fail_all(Some(fault));
        ground.refuse();
        assert_eq!((ground.outbox.size().0, ground.quarantine.size().0), (1, 0));
        ground.restart();
        ground.refuse();
        assert_eq!(ground.outbox.size().0, 1, "{fault:?}");
        disk.fail_all(None);
        ground.refuse();
        assert_eq!((ground.outbox.size().0, ground.quarantine.size().0), (0, 1));
        assert_eq!(ground.check(), Ok(()));
    }
}
