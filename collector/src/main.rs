//! The collector's command line: reads the configuration and runs, or checks it and says so; makes tokens and lets agents in.

use std::io::IsTerminal;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, Parser, Subcommand};
use clause9_collector::access::Scope;
use clause9_collector::config::CollectorConfig;
use clause9_collector::enrolment::{self, NewOffer};
use clause9_collector::spiffe::SpiffeId;
use clause9_collector::{Collector, NewToken, Reloading, VERSION, new_token};
use clause9_shared::ids::{AgentId, Name, SystemId};
use clause9_shared::time::{Span, Timestamp};
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
    /// Run until told to end (SIGINT or SIGTERM). SIGHUP has certificates, tokens and agents read again.
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
    /// Print the id under which answers by topics are signed, for the agents' `collector_kafka.collector_id`.
    Identity {
        /// The configuration file.
        #[arg(long)]
        config: PathBuf,
    },
    /// Make tokens for people and programs.
    #[command(subcommand)]
    Token(TokenCommand),
    /// Make a token by which one agent can let itself in, and print it. It is kept nowhere.
    Enrol(EnrolArguments),
    /// See and change the key by which the register's checkpoints are signed.
    #[command(subcommand)]
    Key(KeyCommand),
    /// See agents, and let those in who were enrolled.
    #[command(subcommand)]
    Agents(AgentsCommand),
}

#[derive(Debug, Subcommand)]
enum TokenCommand {
    /// Print a new secret, and the line for the tokens file.
    New {
        /// What it is called, for logs and people.
        #[arg(long)]
        name: Name,
        /// What it may be shown for; give it several times for several.
        #[arg(long, required = true)]
        scope: Vec<Scope>,
        /// A system that it is good for; give it several times for several. Default: all.
        #[arg(long)]
        system: Vec<SystemId>,
        /// How long it is good, as 90d. Default: until it is taken out.
        #[arg(long)]
        valid: Option<Span>,
    },
}

#[derive(Debug, Args)]
struct EnrolArguments {
    /// The configuration file.
    #[arg(long)]
    config: PathBuf,
    /// The system that the agent may write for.
    #[arg(long)]
    system: SystemId,
    /// How long the token is good.
    #[arg(long, default_value = "1h")]
    valid: Span,
    /// Let the agent in at once; else it waits for `agents approve`.
    #[arg(long)]
    approved: bool,
    /// The SPIFFE id that its connections must have.
    #[arg(long)]
    spiffe: Option<SpiffeId>,
}

#[derive(Debug, Subcommand)]
enum KeyCommand {
    /// Print every key that the register knows, oldest first: when, what happened, at which leaf, and the key.
    List {
        /// The configuration file.
        #[arg(long)]
        config: PathBuf,
    },
    /// Make a new key. The old one hands over to it with the next checkpoint, and is deleted then.
    Rotate {
        /// The configuration file.
        #[arg(long)]
        config: PathBuf,
        /// The old key is lost: say how. Those who keep its fingerprint have to be told of the new one.
        #[arg(long, value_name = "REASON")]
        lost: Option<String>,
    },
}

#[derive(Debug, Subcommand)]
enum AgentsCommand {
    /// Print everybody who is known: id, standing, systems, and where that is said.
    List {
        /// The configuration file.
        #[arg(long)]
        config: PathBuf,
    },
    /// Let an enrolled agent write.
    Approve {
        /// The configuration file.
        #[arg(long)]
        config: PathBuf,
        /// Its id, as it printed it.
        id: AgentId,
    },
    /// Take nothing more of an enrolled agent. For good: it needs a new key to come back.
    Revoke {
        /// The configuration file.
        #[arg(long)]
        config: PathBuf,
        /// Its id.
        id: AgentId,
        /// Since when its key is not believed: whom it handed over to since then is revoked, too. Default: now.
        #[arg(long)]
        since: Option<Timestamp>,
    },
}

fn main() -> ExitCode {
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new("info"));
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .with_ansi(std::io::stderr().is_terminal())
        .init();
    let done = match Arguments::parse().command {
        Command::Run { config } => return with(&config, run),
        Command::Check { config } => {
            return with(&config, |config| {
                config.resolve()?;
                tracing::info!("the configuration and every file that it names are good");
                Ok(())
            });
        }
        Command::Identity { config } => {
            return with(&config, |config| {
                print(&clause9_collector::identity(config)?.to_string());
                Ok(())
            });
        }
        Command::Token(TokenCommand::New {
            name,
            scope,
            system,
            valid,
        }) => print_token(&NewToken {
            name,
            scopes: scope,
            systems: system,
            valid,
        }),
        Command::Enrol(wanted) => {
            return with(&wanted.config, |config| {
                let offer = NewOffer {
                    system: wanted.system.clone(),
                    valid: wanted.valid,
                    approved: wanted.approved,
                    spiffe: wanted.spiffe.clone(),
                };
                print(&enrolment::offer(config, offer)?);
                Ok(())
            });
        }
        Command::Key(KeyCommand::List { config }) => {
            return with(&config, |config| {
                print(clause9_collector::log::keys(config)?.trim_end());
                Ok(())
            });
        }
        Command::Key(KeyCommand::Rotate { config, lost }) => {
            return with(&config, |config| {
                print(&clause9_collector::log::rotate(config, lost.as_deref())?);
                Ok(())
            });
        }
        Command::Agents(AgentsCommand::List { config }) => {
            return with(&config, |config| {
                print(enrolment::list(config)?.trim_end());
                Ok(())
            });
        }
        Command::Agents(AgentsCommand::Approve { config, id }) => {
            return with(&config, |config| enrolment::approve(config, id));
        }
        Command::Agents(AgentsCommand::Revoke { config, id, since }) => {
            return with(&config, |config| enrolment::revoke(config, id, since));
        }
    };
    ended(done)
}

#[expect(clippy::print_stdout, reason = "for the person at the terminal")]
fn print(text: &str) {
    println!("{text}");
}

fn print_token(wanted: &NewToken) -> anyhow::Result<()> {
    let (secret, line) = new_token(wanted)?;
    print(&format!("{secret}\n{line}"));
    Ok(())
}

fn ended(done: anyhow::Result<()>) -> ExitCode {
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            tracing::error!("{error:#}");
            ExitCode::FAILURE
        }
    }
}

/// Does something with a configuration that is good as far as it goes.
fn with(
    path: &std::path::Path,
    act: impl FnOnce(&CollectorConfig) -> anyhow::Result<()>,
) -> ExitCode {
    let checked = CollectorConfig::read(path).and_then(|c| c.resolve().map(|_| c));
    match checked {
        Ok(config) => ended(act(&config)),
        Err(error) => {
            tracing::error!("{:#}", anyhow::Error::from(error));
            ExitCode::from(BAD_CONFIGURATION)
        }
    }
}

/// From here on SIGHUP does not end the program, though nobody listens to it yet: what it would have read again is being read.
fn survive_hangups() -> std::io::Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    let _entered = runtime.enter();
    tokio::signal::unix::signal(tokio::signal::unix::SignalKind::hangup()).map(drop)
}

fn run(config: &CollectorConfig) -> anyhow::Result<()> {
    survive_hangups()?;
    let collector = Collector::build(config)?;
    let reloading = collector.reloading();
    collector.run(told_to_end(reloading))
}

/// Completes at SIGINT or SIGTERM. Until then, SIGHUP has files read again.
async fn told_to_end(reloading: Reloading) {
    use tokio::signal::unix::{SignalKind, signal};
    let (Ok(mut terminate), Ok(mut hangup)) = (
        signal(SignalKind::terminate()),
        signal(SignalKind::hangup()),
    ) else {
        // Without these signals there is still SIGINT.
        drop(tokio::signal::ctrl_c().await);
        return;
    };
    loop {
        tokio::select! {
            _ = terminate.recv() => return,
            _ = tokio::signal::ctrl_c() => return,
            _ = hangup.recv() => reloading.asked().await,
        }
    }
}
