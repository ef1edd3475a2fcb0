//! `clause9 discover`: a first objectives file for a model that is served already, from what its server
//! says of it, from the signature it was saved with, or from the traffic it gets.

use std::net::SocketAddr;
use std::path::PathBuf;

use anyhow::Context as _;
use clause9_shared::objective;
use clause9_shared::time::Span;
use serde_json::json;

use crate::Ended;
use crate::baseline::write;
use crate::data::{BadData, bad};
use crate::infer::draft;
use crate::terminal::Terminal;

mod ask;
mod freeze;
mod learned;
mod propose;
mod saved;
mod watch;

use learned::Learned;

/// Draft an objectives file from a running model server, its traffic, or a saved model.
///
/// The draft names the model, its inputs and its outputs under the names that agents find them by, and
/// proposes objectives to begin with. It passes `clause9 check`, but what a system is held to is for
/// people to say: read every line of it.
///
/// With --upstream alone, the server is asked: Open Inference Protocol (MLServer, Triton, KServe),
/// TensorFlow Serving's metadata, lists of models (KServe 1, OpenAI's interface). Many servers know
/// little of their models. With --listen, too, learn from traffic: send clients there, and it goes on to
/// the server unchanged until enough was seen; values are looked at in memory, and kept nowhere but as
/// counts in the baseline, if one is asked for. With --mlmodel, a model's MLflow signature is read.
#[derive(Debug, clap::Args)]
#[command(after_help = AFTER_HELP)]
#[command(group = clap::ArgGroup::new("source").required(true))]
pub(crate) struct Args {
    /// The model server: http://HOST:PORT or https://HOST:PORT; with --listen any that an agent takes.
    #[arg(long, value_name = "ADDRESS", group = "source")]
    pub(crate) upstream: Option<String>,
    /// A model saved by MLflow: its folder, or the file `MLmodel` in it.
    #[arg(long, value_name = "PATH", group = "source")]
    pub(crate) mlmodel: Option<PathBuf>,
    /// Which model, if there are several, or how the model is called in the serving protocol.
    #[arg(long, value_name = "NAME")]
    pub(crate) model: Option<String>,
    /// Learn from traffic that clients send here, as 127.0.0.1:8080.
    #[arg(long, value_name = "ADDRESS", requires = "upstream")]
    pub(crate) listen: Option<SocketAddr>,
    /// Also learn from POSTs of JSON to this path (`*` is any one segment), which is of no protocol that is
    /// known: where rows and answers stand is found out. With a baseline, frequent texts are kept in it.
    #[arg(long, value_name = "PATH", requires = "listen")]
    pub(crate) path: Option<String>,
    /// Learn from so many exchanges.
    #[arg(long, value_name = "NUMBER", default_value_t = 500, requires = "listen",
          value_parser = clap::value_parser!(u64).range(1..=1_000_000))]
    pub(crate) exchanges: u64,
    /// Learn for at most so long; Ctrl-C also ends it.
    #[arg(
        long = "for",
        value_name = "SPAN",
        default_value = "10m",
        requires = "listen"
    )]
    pub(crate) at_most: Span,
    /// Where to write the draft. An existing file is not replaced. Default: standard output.
    #[arg(long, value_name = "FILE")]
    pub(crate) out: Option<PathBuf>,
    /// Also freeze what was seen as a baseline. An existing file is not replaced.
    #[arg(long, value_name = "FILE", requires = "listen")]
    pub(crate) baseline: Option<PathBuf>,
    /// Answer in JSON, for programs.
    #[arg(long, requires = "out")]
    pub(crate) json: bool,
}

const AFTER_HELP: &str = "\
Examples:
  clause9 discover --upstream http://127.0.0.1:8080 --out objectives.yaml
  clause9 discover --upstream http://127.0.0.1:9000 --listen 127.0.0.1:8080 --out objectives.yaml --baseline baseline.json
  clause9 discover --upstream http://127.0.0.1:9000 --listen 127.0.0.1:8080 --path /score --out objectives.yaml
  clause9 discover --mlmodel mlruns/1/models/m-1/artifacts --model invocations --out objectives.yaml

Exit codes:
  0  a draft was made
  1  too little was learned for one; what to do is said
  2  wrong usage, or a server or file that cannot be reached, read or written";

pub(crate) fn run(args: &Args, terminal: &mut Terminal) -> anyhow::Result<Ended> {
    for path in [&args.out, &args.baseline].into_iter().flatten() {
        anyhow::ensure!(
            !path.exists(),
            "{} exists; remove it, or name another file",
            path.display()
        );
    }
    let learned = match learn(args, terminal) {
        Ok(learned) => learned,
        Err(error) => {
            let Some(BadData(message)) = error.downcast_ref() else {
                return Err(error);
            };
            if args.json {
                terminal.json(&json!({ "ok": false, "problem": message }))?;
            } else {
                terminal.fault(&anyhow::anyhow!("{message}"));
            }
            return Ok(Ended::WithProblems);
        }
    };
    let proposed = propose::document(&learned)?;
    for note in learned.notes.iter().chain(&proposed.notes) {
        terminal.note(note)?;
    }
    let text = draft(
        &proposed.document,
        &format!("from {} by `clause9 discover`", learned.from),
    );
    // The draft must be what `check` passes; else it is our mistake, and nothing is written.
    let document = objective::load("the draft", &text).map_err(|problems| {
        let first = problems.first().map(ToString::to_string);
        anyhow::anyhow!("the draft would be wrong: {}", first.unwrap_or_default())
    })?;
    let frozen = match &args.baseline {
        Some(path) => {
            let baseline = freeze::baseline(&document, &proposed, &learned)?;
            write(path, &baseline.to_json()?)?;
            Some((path, baseline))
        }
        None => None,
    };
    match &args.out {
        Some(out) => write(out, &text).context("the draft is lost")?,
        None => terminal.raw(&text)?,
    }
    if args.json {
        terminal.json(&json!({
            "ok": true,
            "out": args.out,
            "model": learned.model,
            "features": document.features.len(),
            "baseline": frozen.as_ref().map(|(path, baseline)| json!({
                "out": path, "rows": baseline.rows, "digest": baseline.digest(),
            })),
            "notes": learned.notes.iter().chain(&proposed.notes).collect::<Vec<_>>(),
        }))?;
    } else if let Some(out) = &args.out {
        let summary = format!(
            "model {}, {} features; read and correct it",
            learned.model,
            document.features.len()
        );
        terminal.good(&out.display().to_string(), "drafted", &summary)?;
        if let Some((path, baseline)) = frozen {
            let summary = format!("{} rows, digest {}", baseline.rows, baseline.digest());
            terminal.good(&path.display().to_string(), "frozen", &summary)?;
        }
    }
    Ok(Ended::Well)
}

/// What the model behind a path of one's own is called: as asked for, or as the path's last plain segment.
fn named<'a>(path: &'a str, model: Option<&'a str>) -> &'a str {
    let plain = |segment: &&str| !segment.is_empty() && *segment != "*";
    model
        .or_else(|| path.rsplit('/').find(plain))
        .unwrap_or("model")
}

fn learn(args: &Args, terminal: &mut Terminal) -> anyhow::Result<Learned> {
    let model = args.model.as_deref();
    let learned = match (&args.mlmodel, &args.upstream, args.listen) {
        (Some(path), _, _) => saved::read(path, model)?,
        (None, Some(upstream), None) => ask::server(upstream, model)?,
        (None, Some(upstream), Some(listen)) => {
            let own = args.path.as_deref().map(|path| (path, named(path, model)));
            let wanted = watch::Wanted {
                own,
                listen,
                exchanges: args.exchanges,
                at_most: args.at_most,
                model,
            };
            watch::traffic(upstream, &wanted, terminal)?
        }
        (None, None, _) => return bad("name a model server or a saved model"),
    };
    if learned.found.is_empty() {
        return bad(format!(
            "{} says nothing of what model `{}` is given and answers; learn from traffic: add --listen ADDRESS, and send some clients there",
            learned.from, learned.model
        ));
    }
    Ok(learned)
}
