//! An agent like the real one, in a process of its own, whose reading of some exchanges goes wrong: the
//! model's clients name in `x-request-id` which. Everything else is the agent's own code.

use std::io::Write;
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use clap::Args;
use clause9_agent::config::{AgentConfig, AgentPlan};
use clause9_agent::decode::Decoders;

use crate::bench::Bench;
use crate::faulty::Faulty;

/// Reading stands still for as long as a file of this name stands in the agent's folder.
pub const STALLED: &str = "stalled";

/// What is asked for.
#[derive(Args, Debug)]
pub struct Options {
    /// Configuration file of the agent.
    #[arg(long)]
    config: PathBuf,
}

fn stalled() -> bool {
    Path::new(STALLED).exists()
}

static FAULTY: Decoders = &[&Faulty { stalled }];

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
