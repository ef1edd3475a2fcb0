//! The disk of the register is full: batches are refused for now, and what was acknowledged stays.

use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use clause9_shared::wire::batch;

use crate::http::{all, get};
use crate::world::{Agents, Files, Running};

/// A small file system of its own, gone with the test.
struct Disk<'a>(&'a Path);

impl<'a> Disk<'a> {
    fn mount(at: &'a Path) -> Option<Self> {
        std::fs::create_dir(at).unwrap();
        let mount = Command::new("mount")
            .args(["-t", "tmpfs", "-o", "size=16m", "tmpfs"])
            .arg(at)
            .output();
        mount.is_ok_and(|o| o.status.success()).then_some(Self(at))
    }

    fn fill(&self) {
        let mut filler = std::fs::File::create(self.0.join("filler")).unwrap();
        while std::io::Write::write_all(&mut filler, &[0; 4096]).is_ok() {}
    }

    fn free(&self) {
        std::fs::remove_file(self.0.join("filler")).unwrap();
    }
}

impl Drop for Disk<'_> {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("-l").arg(self.0).status();
    }
}

#[test]
fn a_full_disk_refuses_batches_loses_nothing_acknowledged_and_goes_on_when_there_is_room() {
    let files = Files::new("127.0.0.1:0", &[1]);
    let folder = files.path().join("register");
    let Some(disk) = Disk::mount(&folder) else {
        eprintln!("skipped: mounting a small file system needs root");
        return;
    };
    let mut running = Running::on(files);
    let agents = Agents::new();
    let (mut acknowledged, mut refused) = (Vec::new(), Vec::new());
    for h in 0..24 {
        if h == 6 {
            disk.fill();
        }
        let envelope = agents.hourly(1, h);
        let answer = running.post(&envelope);
        match answer.status {
            200 => acknowledged.push(envelope),
            503 => {
                assert!(
                    answer.text().contains("cannot be written"),
                    "{}",
                    answer.text()
                );
                refused.push(envelope);
            }
            other => panic!("{other}: {}", answer.text()),
        }
    }
    assert!(acknowledged.len() >= 6, "{}", acknowledged.len());
    assert!(!refused.is_empty(), "the disk was never full");
    let failures = running.metric("clause9_collector_write_failures_total");
    assert_eq!(failures, refused.len() as u64);
    let counted = running.metric("clause9_collector_batches_total{result=\"unavailable\"}");
    assert_eq!(counted, failures);
    assert_eq!(get(running.address, "/live").status, 200);
    ready(&running, 503);
    // Ticks go by without a batch, and it does not take that for health.
    std::thread::sleep(Duration::from_millis(1500));
    ready(&running, 503);

    disk.free();
    ready(&running, 200);
    // An outbox sends again until it is told that the batch is kept.
    for envelope in &refused {
        let begun = Instant::now();
        while running.post(envelope).status != 200 {
            assert!(begun.elapsed() < Duration::from_secs(10), "still refused");
            std::thread::sleep(Duration::from_millis(50));
        }
    }
    running.wait_sealed(24);
    // Once more from the disk, so that nothing that is asked for lies in memory only.
    running.stop();
    let running = running.again();
    for envelope in acknowledged.iter().chain(&refused) {
        let name = batch::digest(envelope);
        let kept = get(running.address, &format!("/v1/blobs/{name}"));
        assert_eq!(&kept.body, envelope, "{name}");
    }
    let batches = all(running.address, "/v1/evidence?type=batch&limit=100");
    assert_eq!(batches.len(), 24, "each once");
    let panes = all(running.address, "/v1/systems/loan/panes?limit=100");
    for pane in &panes {
        assert_eq!(pane["coverage"]["seen"], 4, "{pane}");
    }
    drop(running);
    drop(disk);
}

fn ready(running: &Running, status: u16) {
    let begun = Instant::now();
    while get(running.address, "/ready").status != status {
        assert!(begun.elapsed() < Duration::from_secs(10), "not {status}");
        std::thread::sleep(Duration::from_millis(50));
    }
}
