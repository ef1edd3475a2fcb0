//! An agent like the real one, in a process of its own, whose reading of some exchanges goes wrong: the
//! model's clients name in `x-request-id` which. Everything else is the agent's own code.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::Context as _;
use clap::Args;
use clause9_agent::config::{AgentConfig, AgentPlan};
use clause9_agent::decode::{DECODERS, Decoder, Decoders};
use clause9_agent::exchange::Exchange;
use clause9_shared::inference::Inference;
use clause9_shared::window::UndecodableReason;
use http::Method;

use crate::bench::Bench;

/// The request id at which reading panics.
pub const PANIC: &str = "panic";
/// The request id at which reading stands still, for as long as a file [`STALLED`] stands in its folder.
pub const STALL: &str = "stall";
/// Name of that file.
pub const STALLED: &str = "stalled";

/// What is asked for.
#[derive(Args, Debug)]
pub struct Options {
    /// Configuration file of the agent.
    #[arg(long)]
    config: PathBuf,
}

struct Faulty;

fn usual() -> &'static dyn Decoder {
    // The table's first row, which reads what the load sends.
    DECODERS[0]
}

impl Decoder for Faulty {
    fn name(&self) -> &'static str {
        "faulty"
    }

    fn matches(&self, method: &Method, path: &str) -> bool {
        usual().matches(method, path)
    }

    fn addressed<'a>(&self, path: &'a str) -> Option<&'a str> {
        usual().addressed(path)
    }

    fn decode(&self, exchange: &Exchange) -> Result<Inference, UndecodableReason> {
        let id = exchange.request_id.as_ref();
        let id = id.map_or(&b""[..], |id| id.as_bytes());
        assert!(id != PANIC.as_bytes(), "as told");
        while id == STALL.as_bytes() && Path::new(STALLED).exists() {
            std::thread::sleep(Duration::from_millis(5));
        }
        usual().decode(exchange)
    }
}

static FAULTY: Decoders = &[&Faulty];

impl Bench for Options {
    fn run(&self, _: &mut dyn Write) -> anyhow::Result<()> {
        let plan = AgentPlan::new(AgentConfig::from_file(&self.config)?)?;
        let agent = clause9_agent::build_with(plan, FAULTY)?;
        agent
            .run(async {
                use tokio::signal::unix::{SignalKind, signal};
                match signal(SignalKind::terminate()) {
                    Ok(mut told) => {
                        let _ = told.recv().await;
                    }
                    Err(_) => std::future::pending().await,
                }
            })
            .context("the faulty agent")
    }
}
