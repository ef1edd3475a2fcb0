//! One machine, one command: a real model is fitted and served, two agents watch it, a collector
//! judges, months of traffic are replayed in seconds, and what happened is told in plain words.
//!
//! No result is scripted: everything told is read from the collector's API and held against what
//! the clients counted. `clause9-demo model | agent | collector` are the programs it starts, by
//! executing itself again.

mod account;
mod baseline;
mod case;
mod client;
mod columns;
mod configure;
mod history;
mod model;
mod oip;
mod options;
#[path = "../../tests/src/ports.rs"]
mod ports;
mod production;
mod program;
mod progress;
mod random;
mod replay;
mod run;
mod serve;
mod service;
mod table;
mod tell;
mod traffic;
mod world;
mod wrap;

use std::process::ExitCode;

use clap::Parser;

use options::{Cli, Command};

fn main() -> ExitCode {
    let cli = Cli::parse();
    let result = match cli.command {
        Some(Command::Model(options)) => service::model(&options),
        Some(Command::Agent(options)) => service::agent(&options),
        Some(Command::Collector(options)) => service::collector(&options),
        None => run::run(&cli.options),
    };
    match result {
        Ok(code) => code,
        Err(error) => {
            use std::io::Write;
            // Nobody may be reading; the exit code says it too.
            let _ = writeln!(std::io::stderr(), "error: {error:#}");
            ExitCode::FAILURE
        }
    }
}
