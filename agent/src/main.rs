//! `clause9-agent`: parses the command line, loads the configuration, runs.

use std::io::IsTerminal as _;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use clap::{Parser, Subcommand};
use clause9_agent::config::{AgentConfig, AgentPlan, Objectives};
use clause9_agent::pull::Cache;
use clause9_agent::quarantine::command::{CommandProblem, Desk, table};
use clause9_agent::{Reloading, build, enrol, identity};
use clause9_shared::plan::CapturePlan;

/// Sidecar beside a model server: passes traffic through, keeps summaries, ships signed windows.
#[derive(Parser)]
#[command(version)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Run beside the model server until SIGTERM or SIGINT.
    Run {
        /// Configuration file.
        #[arg(long)]
        config: PathBuf,
        /// Write log lines as JSON.
        #[arg(long)]
        log_json: bool,
    },
    /// Check the configuration, objectives and baseline, and say what would be run.
    Check {
        /// Configuration file.
        #[arg(long)]
        config: PathBuf,
    },
    /// Print the agent's id, creating its key if there is none.
    #[command(args_conflicts_with_subcommands = true)]
    Identity {
        /// Configuration file.
        #[arg(long, required = true)]
        config: Option<PathBuf>,
        #[command(subcommand)]
        then: Option<IdentityCommand>,
    },
    /// Let the agent in at the collector, by a token from `clause9-collector enrol`.
    Enrol {
        /// Configuration file.
        #[arg(long)]
        config: PathBuf,
        /// File with the token.
        #[arg(long)]
        token_file: PathBuf,
        /// Base address of the collector. Default: the configuration's.
        #[arg(long)]
        collector: Option<String>,
    },
    /// See what the collector refused, send it again, or forget it.
    ///
    /// A batch of which the collector refused something for good is kept in the state folder (`quarantine`), as it was signed.
    /// Mostly an objectives file came to the collector later than to the agent (`unknown_plan`): give it to the collector, then
    /// send again. What the collector has by then is taken once, and leaves the quarantine; what it refuses again stays, with
    /// the newer reason. These commands speak with the running agent, at `admin` of its configuration.
    #[command(subcommand)]
    Quarantine(QuarantineCommand),
}

#[derive(Subcommand)]
enum QuarantineCommand {
    /// List what is in quarantine: batches, since when, why.
    List {
        /// Configuration file.
        #[arg(long)]
        config: PathBuf,
        /// Print JSON in place of a table.
        #[arg(long)]
        json: bool,
    },
    /// Show what one batch says, item by item, and what was refused of it. As JSON.
    Show {
        /// Configuration file.
        #[arg(long)]
        config: PathBuf,
        /// The batch: the first digits of its name, as `list` shows them.
        batch: String,
    },
    /// Send batches again, and say what came of it. Exits with 3 if any is still in quarantine.
    Resend {
        /// Configuration file.
        #[arg(long)]
        config: PathBuf,
        /// The batches: the first digits of their names.
        #[arg(required_unless_present = "all")]
        batches: Vec<String>,
        /// Send everything that is in quarantine.
        #[arg(long, conflicts_with = "batches")]
        all: bool,
        /// How many seconds to wait for the collector's word. It is sent on after that, too.
        #[arg(long, default_value_t = 30)]
        wait: u64,
        /// Print JSON.
        #[arg(long)]
        json: bool,
    },
    /// Forget a batch for good. What it says is then lost, and counted as `forgotten`.
    Forget {
        /// Configuration file.
        #[arg(long)]
        config: PathBuf,
        /// The batch: the first digits of its name.
        batch: String,
        /// Print JSON.
        #[arg(long)]
        json: bool,
    },
}

#[derive(Subcommand)]
enum IdentityCommand {
    /// Make a new key, and have the collector take it in place of the old one. Start the agent again afterwards.
    Rotate {
        /// Configuration file.
        #[arg(long)]
        config: PathBuf,
        /// Base address of the collector. Default: the configuration's.
        #[arg(long)]
        collector: Option<String>,
    },
}

/// The exit code for a bad configuration (`EX_CONFIG`).
const BAD_CONFIGURATION: u8 = 78;
/// The exit code if something that was sent again is still in quarantine.
const STILL_REFUSED: u8 = 3;

fn main() -> ExitCode {
    match Arguments::parse().command {
        Command::Run { config, log_json } => {
            log(log_json);
            run(&config)
        }
        Command::Check { config } => check(&config),
        Command::Identity {
            then: Some(IdentityCommand::Rotate { config, collector }),
            ..
        } => rotate(&config, collector.as_deref()),
        Command::Identity { config, then: None } => print_identity(&config.unwrap_or_default()),
        Command::Enrol {
            config,
            token_file,
            collector,
        } => let_in(&config, collector.as_deref(), &token_file),
        Command::Quarantine(command) => quarantine(&command),
    }
}

fn log(json: bool) {
    use tracing_subscriber::EnvFilter;
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new("info"));
    let builder = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .with_ansi(std::io::stderr().is_terminal());
    if json {
        builder.json().init();
    } else {
        builder.init();
    }
}

#[expect(clippy::print_stderr, reason = "for the person at the terminal")]
fn fail(error: impl Into<anyhow::Error>, code: u8) -> ExitCode {
    eprintln!("clause9-agent: {:#}", error.into());
    ExitCode::from(code)
}

fn run(config: &std::path::Path) -> ExitCode {
    let plan = match AgentConfig::from_file(config)
        .map_err(anyhow::Error::from)
        .and_then(|c| Ok(AgentPlan::new(c)?))
    {
        Ok(plan) => plan,
        Err(error) => return fail(error, BAD_CONFIGURATION),
    };
    if let Err(error) = survive_hangups() {
        return fail(error, 1);
    }
    if let Err(error) = clause9_agent::capture::raise_open_files() {
        tracing::warn!(%error, "the limit of open files stays where it is");
    }
    let agent = match build(plan) {
        Ok(agent) => agent,
        Err(error) => return fail(error, 1),
    };
    let reloading = agent.reloading();
    match agent.run(told_to_stop(reloading)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => fail(error, 1),
    }
}

/// From here on SIGHUP does not end the program, though nobody listens to it yet: what it would have
/// read again is being read.
fn survive_hangups() -> std::io::Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    let _entered = runtime.enter();
    tokio::signal::unix::signal(tokio::signal::unix::SignalKind::hangup()).map(drop)
}

/// Ready once SIGTERM or SIGINT came. Until then, SIGHUP has the certificate read again.
async fn told_to_stop(reloading: Reloading) {
    use tokio::signal::unix::{SignalKind, signal};
    let (Ok(mut term), Ok(mut int), Ok(mut hangup)) = (
        signal(SignalKind::terminate()),
        signal(SignalKind::interrupt()),
        signal(SignalKind::hangup()),
    ) else {
        tracing::error!("signals cannot be heard; stop the agent with SIGKILL");
        return std::future::pending().await;
    };
    loop {
        tokio::select! {
            _ = term.recv() => return,
            _ = int.recv() => return,
            _ = hangup.recv() => reloading.asked().await,
        }
    }
}

#[expect(clippy::print_stdout, reason = "for the person at the terminal")]
fn check(path: &std::path::Path) -> ExitCode {
    let plan = match AgentConfig::from_file(path)
        .map_err(anyhow::Error::from)
        .and_then(|c| Ok(AgentPlan::new(c)?))
    {
        Ok(plan) => plan,
        Err(error) => return fail(error, BAD_CONFIGURATION),
    };
    match &plan.objectives {
        Objectives::Files(capture) => print_plan(capture),
        Objectives::Pulled(system) => {
            println!("system     {system}");
            match Cache::new(plan.config.state_dir.clone()).load(system) {
                Ok(Some(kept)) => println!(
                    "objectives pulled; kept of {}, baseline {}",
                    kept.names().objectives,
                    kept.names().baseline
                ),
                Ok(None) => println!("objectives pulled; none are kept yet"),
                Err(error) => println!("objectives pulled; {:#}", anyhow::Error::from(error)),
            }
        }
    }
    match identity::load("identity", &plan.config.state_dir.join("identity.key")) {
        Ok(secret) => {
            let key = ed25519_dalek::SigningKey::from_bytes(&secret);
            let id = clause9_shared::ids::AgentId::of_key(key.verifying_key().as_bytes());
            println!("agent      {id}");
        }
        Err(_) => println!("agent      none yet; `run` or `identity` creates its key"),
    }
    ExitCode::SUCCESS
}

#[expect(clippy::print_stdout, reason = "for the person at the terminal")]
fn print_plan(capture: &CapturePlan) {
    let document = capture.document();
    println!("system     {}", document.system.id);
    println!("objectives {}", document.objectives.len());
    println!("baseline   {}", capture.baseline().digest());
    println!("plan       {}", capture.digest());
}

#[expect(clippy::print_stdout, reason = "for the person at the terminal")]
fn print_identity(path: &std::path::Path) -> ExitCode {
    let config = match AgentConfig::from_file(path) {
        Ok(config) => config,
        Err(error) => return fail(error, BAD_CONFIGURATION),
    };
    match identity::signing_key(&config.state_dir) {
        Ok((_, id)) => {
            println!("{id}");
            ExitCode::SUCCESS
        }
        Err(error) => fail(error, 1),
    }
}

#[expect(clippy::print_stdout, reason = "for the person at the terminal")]
fn let_in(path: &std::path::Path, collector: Option<&str>, token: &std::path::Path) -> ExitCode {
    let config = match AgentConfig::from_file(path) {
        Ok(config) => config,
        Err(error) => return fail(error, BAD_CONFIGURATION),
    };
    match enrol::enrol(&config, collector, token) {
        Ok(answer) => {
            println!("{}  {}", answer.agent, enrol::explained(answer.state));
            ExitCode::SUCCESS
        }
        Err(error) => fail(error, 1),
    }
}

#[expect(clippy::print_stdout, reason = "for the person at the terminal")]
fn rotate(path: &std::path::Path, collector: Option<&str>) -> ExitCode {
    let config = match AgentConfig::from_file(path) {
        Ok(config) => config,
        Err(error) => return fail(error, BAD_CONFIGURATION),
    };
    match enrol::rotate(&config, collector) {
        Ok(id) => {
            println!("{id}  takes the old id's place; start the agent again");
            ExitCode::SUCCESS
        }
        Err(error) => fail(error, 1),
    }
}

fn quarantine(command: &QuarantineCommand) -> ExitCode {
    let path = match command {
        QuarantineCommand::List { config, .. }
        | QuarantineCommand::Show { config, .. }
        | QuarantineCommand::Resend { config, .. }
        | QuarantineCommand::Forget { config, .. } => config,
    };
    let config = match AgentConfig::from_file(path) {
        Ok(config) => config,
        Err(error) => return fail(error, BAD_CONFIGURATION),
    };
    let done = Desk::of(&config).and_then(|desk| at_the_desk(&desk, command));
    done.unwrap_or_else(|error| fail(error, 1))
}

#[expect(clippy::print_stdout, reason = "for the person at the terminal")]
fn at_the_desk(desk: &Desk, command: &QuarantineCommand) -> Result<ExitCode, CommandProblem> {
    match command {
        QuarantineCommand::List { json, .. } => {
            let list = desk.list()?;
            if *json {
                println!("{list:#}");
            } else {
                print!("{}", table(&list));
            }
        }
        QuarantineCommand::Show { batch, .. } => println!("{:#}", desk.show(batch)?),
        QuarantineCommand::Forget { batch, json, .. } => {
            let done = desk.forget(batch)?;
            if *json {
                println!("{done:#}");
            } else {
                println!("forgotten");
            }
        }
        QuarantineCommand::Resend {
            batches,
            wait,
            json,
            ..
        } => {
            let (sent, left) = desk.resend(batches, Duration::from_secs(*wait))?;
            let list = serde_json::json!({ "sent": sent, "entries": left });
            if *json {
                println!("{list:#}");
            } else if left.is_empty() {
                println!("{sent} sent again; the collector has them");
            } else {
                let still = left.len();
                print!(
                    "{sent} sent again; {still} are still in quarantine\n{}",
                    table(&list)
                );
            }
            if !left.is_empty() {
                return Ok(ExitCode::from(STILL_REFUSED));
            }
        }
    }
    Ok(ExitCode::SUCCESS)
}
