//! The witness's command line.

use std::io::IsTerminal as _;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Parser, Subcommand};
use clause9_shared::evidence::note::{KeyName, VerifierKey};
use clause9_verify::witness::{Contradiction, State, Witness, serve};

/// Watches registers of other people: cosigns their checkpoints as long as each begins with the one before, and keeps proof if
/// one does not. For an internal auditor, a customer or a regulator; all that it remembers is in one file.
#[derive(Debug, Parser)]
#[command(name = "clause9-witness", version)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Begin a state file with a new key, and print the key by which cosignatures are verified.
    Init {
        /// The state file.
        #[arg(long)]
        state: PathBuf,
        /// The witness's name, best an address of its owner as `audit.example.com/witness`.
        #[arg(long)]
        name: KeyName,
    },
    /// Watch a log from now on, by its verifier key: `clause9-collector key list` prints it. After a rotation the new key is watched
    /// as well. End a witness that runs before, and start it again after.
    Watch {
        /// The state file.
        #[arg(long)]
        state: PathBuf,
        /// The log's verifier key. Get it from those who run the log, by another way than from the log.
        key: VerifierKey,
    },
    /// Print the witness's key, and of each log the newest checkpoint and what speaks against it, also while the witness runs. Exit
    /// code 3: a log signed two histories; 4: something to look into, which proves nothing by itself.
    Status {
        /// The state file.
        #[arg(long)]
        state: PathBuf,
    },
    /// Serve until told to end (SIGINT or SIGTERM).
    Run {
        /// The state file.
        #[arg(long)]
        state: PathBuf,
        /// Where to listen. Put a proxy that speaks TLS in front for other machines.
        #[arg(long, default_value = "127.0.0.1:9310")]
        listen: SocketAddr,
    },
}

/// Exit code if a log signed two histories.
const CONTRADICTED: u8 = 3;
/// Exit code if there is something to look into.
const SUSPECTED: u8 = 4;

fn main() -> ExitCode {
    tracing_subscriber::fmt()
        .with_writer(std::io::stderr)
        .with_ansi(std::io::stderr().is_terminal())
        .init();
    let done = match Arguments::parse().command {
        Command::Init { state, name } => init(&state, &name),
        Command::Watch { state, key } => watch(&state, &key),
        Command::Status { state } => status(&state),
        Command::Run { state, listen } => run(&state, listen),
    };
    done.unwrap_or_else(|error| {
        tracing::error!("{error:#}");
        ExitCode::FAILURE
    })
}

#[expect(clippy::print_stdout, reason = "for the person at the terminal")]
fn print(text: &str) {
    println!("{text}");
}

fn init(state: &std::path::Path, name: &KeyName) -> anyhow::Result<ExitCode> {
    let witness = Witness::init(state, name)?;
    print(&witness.verifier().to_string());
    Ok(ExitCode::SUCCESS)
}

fn watch(state: &std::path::Path, key: &VerifierKey) -> anyhow::Result<ExitCode> {
    Witness::open(state)?.watch(key)?;
    Ok(ExitCode::SUCCESS)
}

fn status(state: &std::path::Path) -> anyhow::Result<ExitCode> {
    let state = State::read(state)?;
    if let Some(key) = state.verifier() {
        print(&format!("witness {key}"));
    }
    let (mut contradicted, mut suspected) = (false, false);
    for (origin, log) in state.logs() {
        print(&format!("\nlog {origin}"));
        log.keys.iter().for_each(|key| print(&format!("key {key}")));
        print(
            log.newest
                .as_deref()
                .map_or("no checkpoint was seen yet", str::trim_end),
        );
        for entry in &log.contradictions {
            contradicted = true;
            tell("CONTRADICTED: the log signed two histories", entry);
        }
        for entry in &log.suspicions {
            suspected = true;
            tell(
                "suspicious, and no proof: the log was set back, or somebody sent an old checkpoint again",
                entry,
            );
        }
    }
    Ok(match (contradicted, suspected) {
        (true, _) => ExitCode::from(CONTRADICTED),
        (false, true) => ExitCode::from(SUSPECTED),
        (false, false) => ExitCode::SUCCESS,
    })
}

fn tell(what: &str, entry: &Contradiction) {
    print(&format!(
        "\n{what}; at {} (seconds since 1970) known was",
        entry.at
    ));
    print(entry.known.trim_end());
    print("and then came");
    print(entry.came.trim_end());
}

fn run(state: &std::path::Path, listen: SocketAddr) -> anyhow::Result<ExitCode> {
    let witness = Witness::open(state)?;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    runtime.block_on(async {
        let listener = tokio::net::TcpListener::bind(listen).await?;
        tracing::info!(address = %listener.local_addr()?, key = %witness.verifier(), "watching");
        serve(listener, witness, told_to_end()).await?;
        anyhow::Ok(())
    })?;
    Ok(ExitCode::SUCCESS)
}

/// Completes at SIGINT or SIGTERM.
async fn told_to_end() {
    use tokio::signal::unix::{SignalKind, signal};
    let Ok(mut terminate) = signal(SignalKind::terminate()) else {
        drop(tokio::signal::ctrl_c().await);
        return;
    };
    tokio::select! {
        _ = terminate.recv() => {}
        _ = tokio::signal::ctrl_c() => {}
    }
}
