//! The faults, one after the other: what each does to an agent under load, and how it shows that it did.

use std::time::Duration;

use anyhow::Context as _;
use clause9_agent::outbox::disk::Folder;
use clause9_agent::outbox::{Outbox, Room};
use clause9_agent::telemetry::Telemetry;
use clause9_shared::ids::{BootId, Sequence, SystemId};
use clause9_shared::time::{Clock, Timestamp};
use clause9_shared::wire::batch::{self, Batch};
use clause9_shared::wire::loss::Place;
use ed25519_dalek::SigningKey;

use super::door::Door;
use super::faulty::STALLED;
use super::ground::{Ground, PATIENCE, Under, metric, reach, set_clock};
use super::load::{AskedToClose, Load};
use crate::faulty::{PANIC, STALL};
use crate::http;
use crate::process::wait_until;
use crate::sidecar::Sidecar;

/// A run of an agent under load with something going wrong.
pub struct Case {
    /// What goes wrong.
    pub name: &'static str,
    /// Under what the agent runs.
    pub under: Under,
    /// `live` or `replay`.
    pub clock: &'static str,
    /// More lines of the agent's configuration.
    pub more: &'static str,
    /// Rows in each request.
    pub rows: usize,
    /// Request ids, by number.
    pub mark: fn(u64) -> Option<&'static str>,
    /// What clients do when asked to close.
    pub asked_to_close: AskedToClose,
    /// Whether the collector's door is open from the start.
    pub open: bool,
    /// Whether all that was seen arrives at the collector.
    pub arrives: bool,
    /// Before the agent starts.
    pub before: fn(&Ground) -> anyhow::Result<()>,
    /// After a quarter of the requests: makes the fault and answers how it showed.
    pub fault: fn(&mut Scene) -> anyhow::Result<String>,
    /// After three quarters of the requests: takes it back.
    pub lift: fn(&mut Scene) -> anyhow::Result<()>,
}

/// Where a fault is made.
#[derive(Debug)]
pub struct Scene {
    /// What surrounds the agent.
    pub ground: Ground,
    /// The agent; none once it was told to end.
    pub agent: Option<Sidecar>,
    /// The clients.
    pub load: Load,
    /// Right answers that clients are to get.
    pub requests: u64,
    /// The collector's door, once it is open.
    pub door: Option<Door>,
    /// Whether this is the agent with which the load began.
    pub first: bool,
}

impl Scene {
    fn agent(&self) -> anyhow::Result<&Sidecar> {
        self.agent.as_ref().context("the agent has ended")
    }

    /// Lets hour after hour of replayed time pass, until a series has come to so much.
    fn hours_until(&self, series: &str, at_least: u64) -> anyhow::Result<u64> {
        let agent = self.agent()?;
        let mut value = 0;
        for hour in 1..=480 {
            let (day, hour) = (hour / 24 + 1, hour % 24);
            set_clock(agent, &format!("2026-01-{day:02}T{hour:02}:10:00Z"))?;
            value = metric(agent, series)?;
            if value >= at_least {
                return Ok(value);
            }
            self.load.wait_for(self.load.answers() + 5)?;
            std::thread::sleep(Duration::from_millis(20));
        }
        anyhow::bail!("after 480 hours {series} is {value}, not {at_least}")
    }

    fn open_door(&mut self) -> anyhow::Result<()> {
        self.door = Some(Door::open(self.ground.collector)?);
        reach_zero(self.agent()?, "clause9_outbox_batches")
    }
}

fn reach_zero(agent: &Sidecar, series: &str) -> anyhow::Result<()> {
    wait_until(&format!("{series} of 0"), PATIENCE, || {
        metric(agent, series).is_ok_and(|value| value == 0)
    })
}

const OUTBOX_FULL: &str = "clause9_outbox_dropped_total{reason=\"outbox_full\"}";
const DAMAGED: &str = "clause9_outbox_dropped_total{reason=\"damaged\"}";
const UNSENT: &str = "clause9_batches_total{result=\"failed\"}";
const UNWRITTEN: &str = "clause9_state_write_failures_total{what=\"outbox\"}";
const QUEUE_FULL: &str = "clause9_exchanges_dropped_total{reason=\"queue_full\"}";
const OVER_BUDGET: &str = "clause9_exchanges_dropped_total{reason=\"capture_budget\"}";
const MONITOR_DOWN: &str = "clause9_exchanges_dropped_total{reason=\"monitor_down\"}";
const RESTARTS: &str = "clause9_monitor_restarts_total";

/// Nothing goes wrong.
pub const HEALTHY: Case = Case {
    name: "healthy",
    under: Under::Nothing,
    clock: "live",
    more: "",
    rows: 8,
    mark: |_| None,
    asked_to_close: AskedToClose::ComeBack,
    open: true,
    arrives: true,
    before: |_| Ok(()),
    fault: |_| Ok("nothing goes wrong".to_owned()),
    lift: |_| Ok(()),
};

/// Every fault.
pub const CASES: &[Case] = &[
    Case {
        name: "monitor stalled",
        under: Under::Faulty,
        mark: |number| (number == 50).then_some(STALL),
        before: |ground| Ok(std::fs::write(ground.folder().join(STALLED), "")?),
        fault: stalled,
        lift: |scene| Ok(std::fs::remove_file(scene.ground.folder().join(STALLED))?),
        ..HEALTHY
    },
    Case {
        name: "monitor panicking",
        under: Under::Faulty,
        mark: |number| (number % 100 == 7).then_some(PANIC),
        fault: panicking,
        ..HEALTHY
    },
    Case {
        name: "queue and budget full",
        more: "limits: { queue_exchanges: 2, queue_bytes: 40000, body_bytes: 40000 }\n",
        rows: 300,
        fault: |scene| {
            let full = reach(scene.agent()?, QUEUE_FULL, 1)?;
            let budget = reach(scene.agent()?, OVER_BUDGET, 1)?;
            Ok(format!("{full} queue_full, {budget} capture_budget"))
        },
        ..HEALTHY
    },
    Case {
        name: "collector down",
        clock: "replay",
        open: false,
        fault: |scene| {
            let failed = scene.hours_until(UNSENT, 2)?;
            let waiting = metric(scene.agent()?, "clause9_outbox_batches")?;
            Ok(format!(
                "{failed} deliveries failed, {waiting} batches waited"
            ))
        },
        lift: Scene::open_door,
        ..HEALTHY
    },
    Case {
        name: "collector down, outbox over its bound",
        clock: "replay",
        more: "limits: { outbox_bytes: 20000 }\n",
        open: false,
        arrives: false,
        fault: |scene| {
            let dropped = scene.hours_until(OUTBOX_FULL, 1)?;
            Ok(format!("{dropped} batches let go (full)"))
        },
        ..HEALTHY
    },
    Case {
        name: "disk full",
        under: Under::FullDisk,
        clock: "replay",
        open: false,
        fault: unwritten,
        lift: Scene::open_door,
        ..HEALTHY
    },
    Case {
        name: "files cut short",
        under: Under::ShortFiles,
        clock: "replay",
        open: false,
        fault: unwritten,
        lift: Scene::open_door,
        ..HEALTHY
    },
    Case {
        name: "state damaged at the start",
        before: damage,
        fault: |scene| {
            let damaged = reach(scene.agent()?, DAMAGED, 1)?;
            Ok(format!("{damaged} batches of the outbox damaged, and told"))
        },
        ..HEALTHY
    },
    Case {
        name: "wall clock leaping",
        under: Under::WrongClock,
        fault: leaping,
        lift: |scene| scene.ground.set_wrong_by(0),
        ..HEALTHY
    },
    Case {
        name: "replayed clock jumping",
        clock: "replay",
        fault: |scene| {
            let agent = scene.agent()?;
            // The clock answers once they are closed, by a thread that yields to all others.
            set_clock(agent, "2026-02-01T00:10:00Z")?;
            set_clock(agent, "2025-01-01T00:00:00Z")?;
            let closed = reach(agent, "clause9_panes_closed_total", 31 * 24)?;
            Ok(format!("{closed} panes closed at once, none opened again"))
        },
        ..HEALTHY
    },
    Case {
        name: "SIGHUP again and again",
        fault: |scene| {
            let agent = scene.agent()?;
            let heard = || {
                let said = agent.running.lines().into_iter();
                said.filter(|line| line.contains("nothing to read again"))
                    .count()
            };
            wait_until("SIGHUP to be heard ten times", PATIENCE, || {
                agent.running.signal("HUP").is_ok() && heard() >= 10
            })?;
            Ok(format!("heard {} times", heard()))
        },
        ..HEALTHY
    },
    Case {
        name: "SIGTERM under load",
        more: "drain: { quiet: 2s, at_most: 60s }\n",
        asked_to_close: AskedToClose::Leave,
        fault: |scene| {
            scene.load.wait_for(scene.requests)?;
            let mut agent = scene.agent.take().context("the agent has ended")?;
            agent.running.signal("TERM")?;
            scene.load.wait_for_all()?;
            ended(&mut agent)?;
            Ok("every client was asked to close and left; exit code 0".to_owned())
        },
        ..HEALTHY
    },
    Case {
        name: "restarts behind a handed socket",
        under: Under::HandedSocket,
        more: RESTARTED,
        fault: restarts,
        ..HEALTHY
    },
];

/// Long enough for each client to ask once more, however busy the machine is.
const RESTARTED: &str = "drain: { quiet: 1s, at_most: 60s }\n";

fn stalled(scene: &mut Scene) -> anyhow::Result<String> {
    let agent = scene.agent()?;
    let full = reach(agent, QUEUE_FULL, 1)?;
    let status = http::get(agent.admin, "/status")?;
    anyhow::ensure!(
        status.status() == 200 && status.json()?["monitor"].is_null(),
        "the monitor answers: {}",
        status.text()
    );
    for path in ["/live", "/ready"] {
        let answer = http::get(agent.admin, path)?;
        anyhow::ensure!(answer.status() == 200, "{path}: {}", answer.status_line);
    }
    Ok(format!(
        "{full} queue_full by then; /status said that the monitor does not answer"
    ))
}

fn panicking(scene: &mut Scene) -> anyhow::Result<String> {
    let agent = scene.agent()?;
    reach(agent, RESTARTS, 2)?;
    scene.load.wait_for(scene.requests)?;
    let restarts = metric(agent, RESTARTS)?;
    let down = reach(agent, MONITOR_DOWN, restarts)?;
    Ok(format!("{restarts} restarts, {down} monitor_down"))
}

fn unwritten(scene: &mut Scene) -> anyhow::Result<String> {
    let failures = scene.hours_until(UNWRITTEN, 1)?;
    let said = scene.agent()?.running.lines();
    let why = said.iter().find_map(|line| {
        let (_, why) = line.split_once("error=")?;
        Some(why.split(" what=").next().unwrap_or(why).to_owned())
    });
    let why = why.unwrap_or_default();
    Ok(format!("{failures} writes failed ({why})"))
}

/// Three batches of an earlier run, of which the second has a changed byte; and files that are none.
fn damage(ground: &Ground) -> anyhow::Result<()> {
    let folder = ground.folder().join("state/outbox");
    let room = Room {
        bytes: 1 << 20,
        memory: 1 << 20,
    };
    let telemetry = Telemetry::new()?;
    let disk = Folder::new(folder.clone());
    let outbox = Outbox::open(disk, room, telemetry, Timestamp::EPOCH);
    for sequence in 1..=3 {
        let place = Place {
            boot: BootId(1),
            sequence: Sequence(sequence),
        };
        let batch = Batch {
            boot: place.boot,
            sequence: place.sequence,
            created_at: Timestamp::EPOCH,
            clock: Clock::Live,
            system: SystemId::new("toy").context("a name")?,
            watermark: Timestamp::EPOCH,
            watching_since: Timestamp::EPOCH,
            items: Vec::new(),
            losses: Vec::new(),
            restored: None,
        };
        let batch = batch::seal(&batch, &SigningKey::from_bytes(&[3; 32])).into();
        outbox.push(vec![(place, batch)], Vec::new(), Timestamp::EPOCH);
    }
    anyhow::ensure!(
        outbox.persist(Timestamp::EPOCH),
        "the outbox cannot be written"
    );
    let log = folder.join("00000000000000000001.log");
    let mut bytes = std::fs::read(&log)?;
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    std::fs::write(&log, bytes)?;
    std::fs::write(folder.join("00000000000000000009.log"), "nonsense")?;
    Ok(std::fs::write(folder.join("notes.txt"), "unfinished")?)
}

fn leaping(scene: &mut Scene) -> anyhow::Result<String> {
    const DAY: i64 = 24 * 3600;
    let agent = scene.agent.as_mut().context("the agent has ended")?;
    let now = |agent: &Sidecar| -> anyhow::Result<String> {
        let status = http::get(agent.admin, "/status")?.json()?;
        let now = status["monitor"]["now"].as_str();
        Ok(now.context("/status has no time")?.to_owned())
    };
    let before = now(agent)?;
    scene.ground.set_wrong_by(DAY)?;
    agent
        .running
        .wait_for_line("the wall clock leapt ahead", PATIENCE)?;
    let ahead = now(agent)?;
    scene.ground.set_wrong_by(-DAY)?;
    scene.load.wait_for(scene.load.answers() + 20)?;
    let stands = now(agent)?;
    scene.load.wait_for(scene.load.answers() + 20)?;
    std::thread::sleep(Duration::from_millis(50));
    let still = now(agent)?;
    anyhow::ensure!(
        before[..10] == ahead[..10],
        "it followed: {before}, then {ahead}"
    );
    anyhow::ensure!(
        stands == still,
        "it went back or on: {stands}, then {still}"
    );
    Ok("a day ahead was not followed; a day back, time stood still".to_owned())
}

fn restarts(scene: &mut Scene) -> anyhow::Result<String> {
    for _ in 0..3 {
        let mut agent = scene.agent.take().context("the agent has ended")?;
        agent.running.signal("TERM")?;
        ended(&mut agent)?;
        let mut started = scene.ground.start(Under::HandedSocket, "live", RESTARTED)?;
        let handed = "listening on the socket that was handed over";
        started.running.wait_for_line(handed, PATIENCE)?;
        scene.agent = Some(started);
        scene.first = false;
        scene
            .load
            .wait_for(scene.load.answers() + scene.requests / 10)?;
    }
    let door = scene.door.as_ref().context("no door")?;
    let runs = door.arrived().boots.len() + 1;
    anyhow::ensure!(runs == 4, "batches of {runs} runs instead of 4");
    Ok("3 restarts, each on the handed socket; batches of every run".to_owned())
}

/// Waits for an agent's end, which must be a good one.
pub fn ended(agent: &mut Sidecar) -> anyhow::Result<()> {
    wait_until("the agent's end", PATIENCE, || !agent.running.is_running())?;
    anyhow::ensure!(
        agent.running.ended_well(),
        "the agent ended badly:\n{}",
        agent.running.end()
    );
    Ok(())
}
