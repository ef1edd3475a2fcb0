//! A collector's door: opens what agents ship, keeps what it says of its coverage, and gives receipts.

use std::collections::BTreeSet;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use anyhow::Context as _;
use clause9_shared::window::Coverage;
use clause9_shared::wire::batch::{self, Envelope, ItemReceipt, MAX_ENVELOPE, Receipt, Stream};

/// What arrived.
#[derive(Debug, Default)]
pub struct Arrived {
    /// Sum of all coverage.
    pub coverage: Coverage,
    /// Runs of agents that shipped something.
    pub boots: BTreeSet<u64>,
    /// What was no good batch.
    pub wrong: Vec<String>,
    /// Batches that were taken already.
    known: BTreeSet<Vec<u8>>,
}

/// A door that is open for as long as the program runs.
#[derive(Clone, Debug, Default)]
pub struct Door(Arc<Mutex<Arrived>>);

impl Door {
    /// Opens on a port of this machine.
    pub fn open(port: u16) -> anyhow::Result<Self> {
        let door = Self::default();
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port))
            .with_context(|| format!("port {port} is taken"))?;
        let kept = door.clone();
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let door = kept.clone();
                std::thread::spawn(move || {
                    if let Err(error) = door.converse(&stream) {
                        door.arrived().wrong.push(format!("{error:#}"));
                    }
                });
            }
        });
        Ok(door)
    }

    /// What arrived so far.
    pub fn arrived(&self) -> MutexGuard<'_, Arrived> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn converse(&self, stream: &TcpStream) -> anyhow::Result<()> {
        let mut reader = BufReader::new(stream);
        loop {
            let (mut length, mut first) = (0, true);
            loop {
                let mut line = String::new();
                if reader.read_line(&mut line).unwrap_or(0) == 0 {
                    return Ok(());
                }
                let line = line.trim_end().to_ascii_lowercase();
                if line.is_empty() && !first {
                    break;
                }
                first = false;
                if let Some(told) = line.strip_prefix("content-length:") {
                    length = told.trim().parse()?;
                }
            }
            anyhow::ensure!(length <= MAX_ENVELOPE, "a batch of {length} bytes");
            let mut body = vec![0; length];
            reader.read_exact(&mut body)?;
            let receipt = serde_json::to_string(&self.take(&body)?)?;
            let head = format!(
                "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n",
                receipt.len()
            );
            let mut writer = stream;
            writer.write_all((head + &receipt).as_bytes())?;
        }
    }

    fn take(&self, body: &[u8]) -> anyhow::Result<Receipt> {
        let opened = Envelope::parse(body)?.open()?;
        let digest = batch::digest(body);
        let mut arrived = self.arrived();
        let new = arrived.known.insert(body.to_vec());
        arrived.boots.insert(opened.boot.0);
        let mut items = Vec::new();
        for item in opened.items {
            items.push(if new {
                ItemReceipt::Stored
            } else {
                ItemReceipt::Duplicate
            });
            if let (true, Stream::Traffic(coverage)) = (new, item.stream) {
                anyhow::ensure!(coverage.adds_up(), "{coverage:?} does not add up");
                let merged = arrived.coverage.merge(&coverage);
                merged.map_err(|_| anyhow::anyhow!("more exchanges than can be"))?;
            }
        }
        Ok(Receipt {
            batch: digest,
            items,
            marks: Vec::new(),
        })
    }
}
