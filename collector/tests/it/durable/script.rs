//! What is done to a collector while it is recorded: batches of two agents over many panes, the same
//! again, and such as are refused; and it is ended and killed in between.

use std::collections::BTreeMap;
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use clause9_shared::digest::Digest;
use clause9_shared::ids::BootId;
use clause9_shared::wire::batch;

use crate::http;
use crate::world::{Agents, key};

/// Hours of traffic.
pub(crate) const HOURS: u32 = 96;
/// After these hours the collector is told to end, or killed.
pub(crate) const RESTARTS: [(u32, &str); 3] = [(7, "TERM"), (40, "KILL"), (70, "TERM")];

/// Lots that are the same in every run.
#[derive(Clone, Debug)]
pub(crate) struct Lot(u64);

impl Lot {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed)
    }

    pub(crate) fn below(&mut self, bound: usize) -> usize {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        usize::try_from((self.0 >> 33) % bound as u64).unwrap()
    }
}

/// What is sent, and how it is answered.
#[derive(Clone, Debug)]
pub(crate) struct Operation {
    pub(crate) body: Vec<u8>,
    pub(crate) status: u16,
    /// What becomes of its items when it comes again.
    pub(crate) again: &'static str,
}

impl Operation {
    fn new(status: u16, body: Vec<u8>) -> Self {
        Self {
            body,
            status,
            again: "duplicate",
        }
    }

    /// The name under which it is kept, if it is taken.
    pub(crate) fn taken(&self) -> Option<Digest> {
        (self.status == 200).then(|| batch::digest(&self.body))
    }
}

/// Operations by hour, each a group that is sent at once.
pub(crate) fn groups(hours: u32) -> BTreeMap<u32, Vec<Vec<Operation>>> {
    let agents = Agents::new();
    let mut lot = Lot::new(25);
    (0..hours)
        .map(|h| {
            let both: Vec<_> = [1, 2]
                .map(|n| Operation::new(200, agents.hourly(n, h)))
                .into();
            let mut groups = if lot.below(3) == 0 {
                vec![both.clone()]
            } else {
                both.iter().map(|o| vec![o.clone()]).collect()
            };
            groups.extend(besides(&agents, &both, h).map(|o| vec![o]));
            (h, groups)
        })
        .collect()
}

/// In most hours something comes that is not new, or not good.
fn besides(agents: &Agents, both: &[Operation], h: u32) -> Option<Operation> {
    let mut spoilt = both[0].body.clone();
    let last = spoilt.len() - 1;
    match h % 6 {
        0 => Some(both[1].clone()),
        1 => {
            spoilt[last] ^= 1;
            Some(Operation::new(400, spoilt))
        }
        2 => {
            // Another batch under a number that was used.
            let other = agents.batch(u64::from(h) + 1, h, vec![agents.heartbeat(h)]);
            Some(Operation::new(409, batch::seal(&other, &key(2))))
        }
        3 => Some(Operation::new(400, format!("junk {h}").into_bytes())),
        4 => {
            let mut item = agents.heartbeat(h);
            item.summary.truncate(3);
            // Of another run of the agent, so that no hour misses its number.
            let mut half = agents.batch(u64::from(h / 6) + 1, h, vec![item]);
            half.boot = BootId(7);
            let half = Operation::new(200, batch::seal(&half, &key(1)));
            // What was refused is judged again.
            Some(Operation {
                again: "refused",
                ..half
            })
        }
        _ => None,
    }
}

/// Most times that something is sent.
pub(crate) const TRIES: usize = 1000;

/// Sends a group at once until each is answered for good, and checks the answers. From which port each
/// was sent that time. How often it was told to send again.
pub(crate) fn send(to: SocketAddr, group: &[Operation]) -> (Vec<u16>, usize) {
    send_at_most(to, group, TRIES).expect("it is unavailable for good")
}

/// As [`send`]; nothing if one of them was not answered for good after so many tries.
pub(crate) fn send_at_most(
    to: SocketAddr,
    group: &[Operation],
    tries: usize,
) -> Option<(Vec<u16>, usize)> {
    let sent: Vec<_> = group
        .iter()
        .map(|operation| {
            let operation = operation.clone();
            std::thread::spawn(move || send_one(to, &operation, tries))
        })
        .collect();
    let answers: Vec<_> = sent.into_iter().map(|a| a.join().unwrap()).collect();
    let answers: Option<Vec<_>> = answers.into_iter().collect();
    let (ports, again): (Vec<_>, Vec<_>) = answers?.into_iter().unzip();
    Some((ports, again.iter().sum()))
}

fn send_one(to: SocketAddr, operation: &Operation, tries: usize) -> Option<(u16, usize)> {
    for again in 0..tries {
        let stream = TcpStream::connect(to).unwrap();
        let port = stream.local_addr().unwrap().port();
        let answer = http::request_on(stream, "POST", "/v1/batches", "", &operation.body).unwrap();
        if answer.status != 503 {
            assert_eq!(answer.status, operation.status, "{}", answer.text());
            return Some((port, again));
        }
        std::thread::sleep(Duration::from_millis(5));
    }
    None
}
