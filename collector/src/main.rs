//! The collector's command line: reads the configuration and runs, or checks it and says so.

use std::io::IsTerminal;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Parser, Subcommand};
use clause9_collector::config::CollectorConfig;
use clause9_collector::{VERSION, run};
use tracing_subscriber::EnvFilter;

/// Exit code of a bad configuration (`EX_CONFIG`).
const BAD_CONFIGURATION: u8 = 78;

/// Verifies what agents ship, judges it, and keeps the evidence.
#[derive(Debug, Parser)]
#[command(name = "clause9-collector", version = VERSION)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run until told to end (SIGINT or SIGTERM).
    Run {
        /// The configuration file.
        #[arg(long)]
        config: PathBuf,
    },
    /// Check the configuration and every file that it names.
    Check {
        /// The configuration file.
        #[arg(long)]
        config: PathBuf,
    },
}

fn main() -> ExitCode {
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new("info"));
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .with_ansi(std::io::stderr().is_terminal())
        .init();
    let (path, only_check) = match Arguments::parse().command {
        Command::Run { config } => (config, false),
        Command::Check { config } => (config, true),
    };
    let checked = CollectorConfig::read(&path).and_then(|c| c.resolve().map(|_| c));
    let config = match checked {
        Ok(config) => config,
        Err(error) => {
            tracing::error!("{:#}", anyhow::Error::from(error));
            return ExitCode::from(BAD_CONFIGURATION);
        }
    };
    if only_check {
        tracing::info!("the configuration and every file that it names are good");
        return ExitCode::SUCCESS;
    }
    match run(&config, told_to_end()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            tracing::error!("{error:#}");
            ExitCode::FAILURE
        }
    }
}

/// Completes at SIGINT or SIGTERM.
async fn told_to_end() {
    use tokio::signal::unix::{SignalKind, signal};
    let Ok(mut terminate) = signal(SignalKind::terminate()) else {
        // Without the signal there is still SIGINT.
        drop(tokio::signal::ctrl_c().await);
        return;
    };
    tokio::select! {
        _ = terminate.recv() => {}
        _ = tokio::signal::ctrl_c() => {}
    }
}
