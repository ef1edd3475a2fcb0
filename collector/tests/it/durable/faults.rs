//! Calls of the collector on its register fail, as a full or dying disk makes them fail. It says `send
//! again`, or it goes on; it never acknowledges what it has not kept, and needs no hands afterwards.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use super::oracle::agreed;
use super::reopened::Reopened;
use super::script::{Operation, groups, send};
use super::traced::Traced;
use crate::http::{self, get};
use crate::kill::essence;
use crate::ports::free_address;
use crate::world::{Files, wait_sealed};

/// Hours of traffic for each fault.
const HOURS: u32 = 16;
const FILE: &str = "register/clause9.sqlite";

/// Files on one address, and what strace writes beside them.
struct Ground {
    files: Files,
    address: SocketAddr,
}

impl Ground {
    fn new() -> Self {
        let address = free_address().unwrap();
        let files = Files::new(&address.to_string(), &[1, 2]);
        Self { files, address }
    }

    /// The register's files, as strace names them.
    fn register(&self) -> Vec<PathBuf> {
        let root = self.files.path().canonicalize().unwrap();
        let all = ["", "-wal", "-journal"].map(|end| root.join(format!("{FILE}{end}")));
        all.into_iter().chain([root.join("register")]).collect()
    }

    fn start(&self, fault: &str) -> Traced {
        let log = self.files.path().join("calls");
        Traced::fail(&self.files.config(), &log, &self.register(), fault)
    }

    /// Everything sent is in the register, once, and its parts agree.
    fn holds(&self, operations: &[Operation]) {
        let reopened = Reopened::on(&self.files.config()).unwrap();
        for operation in operations.iter().filter(|o| o.taken().is_some()) {
            assert_eq!(reopened.fate(&operation.body), operation.again);
        }
        drop(reopened);
        let names = agreed(&self.files.path().join(FILE)).unwrap();
        for name in operations.iter().filter_map(Operation::taken) {
            assert!(names.contains(&name), "{name} is lost");
        }
    }
}

/// What the same operations make of a register whose disk is well.
fn undisturbed() -> Vec<String> {
    let ground = Ground::new();
    let reopened = Reopened::on(&ground.files.config()).unwrap();
    for group in groups(HOURS).into_values().flatten() {
        send(reopened.address, &group);
    }
    wait_sealed(reopened.address, u64::from(HOURS));
    essence(reopened.address).1
}

/// Calls that fail now and then while the collector works.
const NOW_AND_THEN: [&str; 6] = [
    "pwrite64:error=ENOSPC:when=301+293",
    "pwrite64:error=EIO:when=307+311",
    "pwrite64:error=EDQUOT:when=311+353",
    "fsync,fdatasync:error=EIO:when=20+7",
    "fsync,fdatasync:error=ENOSPC:when=23+11",
    "pread64:error=EIO:when=200+97",
];

#[test]
fn calls_that_fail_now_and_then_are_answered_by_send_again_and_lose_nothing() {
    let expected = undisturbed();
    for fault in NOW_AND_THEN {
        let ground = Ground::new();
        let mut traced = ground.start(fault);
        assert!(traced.alive(ground.address), "{fault}: {}", traced.said());
        let mut sent = Vec::new();
        let mut again = 0;
        for group in groups(HOURS).into_values().flatten() {
            again += send(ground.address, &group).1;
            sent.extend(group);
        }
        traced.relent();
        let bitten = traced.failed();
        wait_sealed(ground.address, u64::from(HOURS));
        assert_eq!(essence(ground.address).1, expected, "{fault}");
        assert!(
            traced.child.try_wait().unwrap().is_none(),
            "{fault}: it ended"
        );
        drop(traced);
        ground.holds(&sent);
        println!("{fault}: {bitten} calls failed, {again} answers were `send again`");
        assert!(bitten > 0, "{fault} never bit");
    }
}

/// From one call on nothing works any more, until the disk is well again.
#[test]
fn a_disk_that_fails_for_long_is_told_by_every_answer_and_forgotten_when_it_is_well() {
    for fault in [
        "pwrite64:error=ENOSPC:when=700+",
        "pwrite64:error=EIO:when=705+",
        "fsync,fdatasync:error=EIO:when=40+",
    ] {
        let ground = Ground::new();
        let mut traced = ground.start(fault);
        assert!(traced.alive(ground.address), "{fault}: {}", traced.said());
        let (mut kept, mut waiting) = (Vec::new(), Vec::new());
        for operation in groups(HOURS).into_values().flatten().flatten() {
            let body = &operation.body;
            let answer = http::request(ground.address, "POST", "/v1/batches", body).unwrap();
            match answer.status {
                503 => waiting.push(operation),
                status => {
                    assert_eq!(status, operation.status, "{}", answer.text());
                    kept.push(operation);
                }
            }
        }
        ready(ground.address, 503);
        assert_eq!(get(ground.address, "/live").status, 200, "{fault}");
        assert!(
            traced.child.try_wait().unwrap().is_none(),
            "{fault}: it ended"
        );
        traced.relent();
        let bitten = traced.failed();
        println!(
            "{fault}: {bitten} calls failed; {} kept, {} to be sent again",
            kept.len(),
            waiting.len()
        );
        assert!(
            !kept.is_empty() && waiting.len() > 3 && bitten > 3,
            "{fault}"
        );
        ready(ground.address, 200);
        for operation in waiting {
            send(ground.address, std::slice::from_ref(&operation));
            kept.push(operation);
        }
        wait_sealed(ground.address, u64::from(HOURS));
        drop(traced);
        ground.holds(&kept);
    }
}

fn ready(address: SocketAddr, status: u16) {
    let begun = Instant::now();
    while get(address, "/ready").status != status {
        assert!(begun.elapsed() < Duration::from_secs(20), "not {status}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// Each call of a start fails once: it starts all the same, or says what is wrong; and the next
/// start finds everything.
#[test]
fn a_start_on_a_failing_disk_goes_on_or_says_why_and_the_next_finds_everything() {
    let ground = Ground::new();
    let mut sent = Vec::new();
    let first: Vec<_> = groups(4).into_values().flatten().collect();
    let (mut starts, mut refused) = (0, 0);
    for (call, error) in [
        ("pwrite64", "ENOSPC"),
        ("fsync,fdatasync", "EIO"),
        ("pread64", "EIO"),
    ] {
        for when in 1.. {
            let mut traced = ground.start(&format!("{call}:error={error}:when={when}"));
            let alive = traced.alive(ground.address);
            traced.kill();
            let bitten = traced.failed();
            starts += 1;
            if !alive {
                refused += 1;
                let said = traced.said();
                assert!(
                    said.contains("the register") && !said.contains("panicked"),
                    "{said}"
                );
            }
            if sent.is_empty() {
                let reopened = Reopened::on(&ground.files.config()).unwrap();
                for group in &first {
                    send(reopened.address, group);
                    sent.extend(group.iter().cloned());
                }
            }
            ground.holds(&sent);
            // Later calls than there are.
            if bitten == 0 {
                break;
            }
        }
    }
    println!("{starts} starts, {refused} refused");
    assert!(refused > 0);
}
