//! clause9 at a terminal: drafts and checks objectives files, builds baselines, profiles files, plans and
//! replays objectives, sends rows to an agent. Only `discover`, `replay`, `send` and `baseline --live`
//! touch the network, and only where they are told to;
//! agents and the collector are programs of their own.

mod args;
mod baseline;
mod check;
mod columns;
mod data;
mod discover;
mod infer;
mod labels;
mod plan;
mod profile;
mod progress;
mod read;
mod reference;
mod refreeze;
mod replay;
mod send;
mod terminal;

use std::process::ExitCode;

use clap::Parser as _;

use args::{Args, Command, SchemaOf};
use terminal::Terminal;

/// How a command ended, apart from faults.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Ended {
    /// Nothing is wrong.
    Well,
    /// Problems were found in what was read, and shown.
    WithProblems,
    /// What was read cannot be used at all; why was shown.
    Unusable,
}

fn main() -> ExitCode {
    let args = Args::parse();
    let mut terminal = Terminal::standard();
    let ended = match &args.command {
        Command::Check(check) => check::run(check, &mut terminal),
        Command::Baseline(baseline) => baseline::run(baseline, &mut terminal),
        Command::Discover(args) => discover::run(args, &mut terminal),
        Command::Plan(args) => plan::run(args, &mut terminal),
        Command::Replay(args) => replay::run(args, &mut terminal),
        Command::Send(send) => send::run(send, &mut terminal),
        Command::Profile(profile) => profile::run(profile, &mut terminal),
        Command::Schema(schema) => schema_of(schema.of, &mut terminal),
    };
    match ended {
        Ok(Ended::Well) => ExitCode::SUCCESS,
        Ok(Ended::WithProblems) => ExitCode::from(1),
        Ok(Ended::Unusable) => ExitCode::from(2),
        Err(error) if is_broken_pipe(&error) => ExitCode::SUCCESS,
        Err(error) => {
            terminal.fault(&error);
            ExitCode::from(2)
        }
    }
}

fn schema_of(of: SchemaOf, terminal: &mut Terminal) -> anyhow::Result<Ended> {
    let text = match of {
        SchemaOf::Objectives => clause9_shared::objective::schema::objectives(),
        SchemaOf::Baseline => clause9_shared::objective::schema::baseline(),
        SchemaOf::Profile => profile::schema(),
    };
    terminal.raw(&text)?;
    Ok(Ended::Well)
}

/// Whether the reader of our output went away, as `head` does.
fn is_broken_pipe(error: &anyhow::Error) -> bool {
    error
        .downcast_ref::<std::io::Error>()
        .is_some_and(|e| e.kind() == std::io::ErrorKind::BrokenPipe)
}
