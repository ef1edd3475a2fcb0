//! The programs that the demonstration starts: model server, agent, collector, each in a process
//! of its own.

use std::process::ExitCode;

use anyhow::Context;
use clause9_agent::config::{AgentConfig, AgentPlan};
use clause9_collector::config::CollectorConfig;

use crate::model::Model;
use crate::options::{ModelOptions, ServiceOptions};
use crate::serve;

/// Serves a fitted model until it is told to stop.
pub(crate) fn model(options: &ModelOptions) -> anyhow::Result<ExitCode> {
    let text = std::fs::read(&options.artefact)
        .with_context(|| format!("cannot read {}", options.artefact.display()))?;
    let model: Model = serde_json::from_slice(&text)
        .with_context(|| format!("{} is no fitted model", options.artefact.display()))?;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    runtime.block_on(async {
        let listener = tokio::net::TcpListener::bind(options.listen)
            .await
            .with_context(|| format!("cannot listen on {}", options.listen))?;
        tokio::select! {
            served = serve::serve(listener, model) => match served? {},
            () = told_to_stop(options.stop_with_stdin) => Ok(ExitCode::SUCCESS),
        }
    })
}

/// Waits for Ctrl-C (SIGINT) or SIGTERM, whichever comes first.
pub(crate) async fn signalled() -> std::io::Result<()> {
    use tokio::signal::unix::{SignalKind, signal};
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    tokio::select! {
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
    }
    Ok(())
}

/// Waits for a signal to stop or, if asked, for the end of standard input.
async fn told_to_stop(with_stdin: bool) {
    let (ended, end) = tokio::sync::oneshot::channel::<()>();
    let watch = move || {
        let _ = std::io::copy(&mut std::io::stdin(), &mut std::io::sink());
        drop(ended);
    };
    let stdin = async {
        if with_stdin {
            // A thread of its own: reading standard input cannot be given up.
            std::thread::spawn(watch);
            // Ends with an error when `ended` is dropped, which is the sign.
            let _ = end.await;
        } else {
            drop(watch);
            std::future::pending::<()>().await;
        }
    };
    tokio::select! {
        watched = signalled() => {
            if let Err(problem) = watched {
                tracing::error!("stopping, for signals cannot be waited for: {problem}");
            }
        }
        () = stdin => {}
    }
}

/// Runs an agent until it is told to stop.
pub(crate) fn agent(options: &ServiceOptions) -> anyhow::Result<ExitCode> {
    log();
    let plan = AgentConfig::from_file(&options.config)
        .map_err(anyhow::Error::from)
        .and_then(|config| Ok(AgentPlan::new(config)?));
    let plan = match plan {
        Ok(plan) => plan,
        Err(error) => return Ok(refused(&error)),
    };
    clause9_agent::build(plan)?.run(told_to_stop(options.stop_with_stdin))?;
    Ok(ExitCode::SUCCESS)
}

/// Runs a collector until it is told to stop.
pub(crate) fn collector(options: &ServiceOptions) -> anyhow::Result<ExitCode> {
    log();
    let config = match CollectorConfig::read(&options.config) {
        Ok(config) => config,
        Err(error) => return Ok(refused(&error.into())),
    };
    clause9_collector::run(&config, told_to_stop(options.stop_with_stdin))?;
    Ok(ExitCode::SUCCESS)
}

fn refused(error: &anyhow::Error) -> ExitCode {
    tracing::error!("{error:#}");
    ExitCode::from(BAD_CONFIGURATION)
}

/// Logs go to standard error, which the demonstration keeps in a file.
fn log() {
    tracing_subscriber::fmt()
        .with_writer(std::io::stderr)
        .with_ansi(false)
        .with_max_level(tracing::Level::INFO)
        .init();
}

/// Exit code of a bad configuration (`EX_CONFIG`).
const BAD_CONFIGURATION: u8 = 78;
