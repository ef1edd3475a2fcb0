//! What traffic shows: clients are served as through an agent, and what passes is looked at.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::Duration;

use anyhow::Context as _;
use clause9_agent::config::{UpstreamTlsConfig, upstream};
use clause9_agent::decode::Mapping;
use clause9_agent::observe::{Observation, Observed};
use clause9_shared::time::Span;
use indicatif::{ProgressBar, ProgressStyle};

use super::learned::{Learned, Seen};
use crate::data::bad;
use crate::terminal::Terminal;

/// Most models that are told apart; exchanges with others are counted.
const MAX_MODELS: usize = 32;

/// Most paths of no protocol that are told.
const MAX_PATHS: usize = 16;

/// What traffic to learn from.
pub(super) struct Wanted<'a> {
    pub(super) listen: SocketAddr,
    pub(super) exchanges: u64,
    pub(super) at_most: Span,
    pub(super) model: Option<&'a str>,
    /// A path of one's own, and the model that requests to it are to.
    pub(super) own: Option<(&'a str, &'a str)>,
}

/// Passes traffic on until enough was seen of it.
pub(super) fn traffic(
    to: &str,
    wanted: &Wanted<'_>,
    terminal: &mut Terminal,
) -> anyhow::Result<Learned> {
    let upstream = upstream(to, &UpstreamTlsConfig::default())?;
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()?;
    let mut all = Traffic::default();
    runtime.block_on(async {
        let observation = Observation::bind(wanted.listen, upstream)?;
        let address = observation.address()?;
        terminal.note(&format!(
            "serving on {address}, in front of {to}; send clients there (Ctrl-C when it is enough)"
        ))?;
        let bar = bar(wanted.exchanges);
        let enough = async {
            let at_most = Duration::from_micros(wanted.at_most.micros().unsigned_abs());
            tokio::select! {
                () = tokio::time::sleep(at_most) => {}
                _ = tokio::signal::ctrl_c() => {}
            }
        };
        let seen = observation.run(wanted.own, enough, |observed| {
            all.take(observed, wanted);
            bar.set_position(all.learned);
            all.learned < wanted.exchanges
        });
        seen.await
            .with_context(|| format!("cannot serve on {address}"))
    })?;
    all.learned(to, wanted)
}

fn bar(length: u64) -> ProgressBar {
    use std::io::IsTerminal as _;
    if !std::io::stderr().is_terminal() {
        return ProgressBar::hidden();
    }
    let style = ProgressStyle::with_template("{bar:40} {pos} of {len} exchanges")
        .unwrap_or_else(|_| ProgressStyle::default_bar());
    ProgressBar::new(length).with_style(style)
}

#[derive(Default)]
struct Traffic {
    models: BTreeMap<String, Seen>,
    /// Exchanges that were learned from.
    learned: u64,
    /// Exchanges with models that nobody asked for, or that there were too many of.
    others: u64,
    /// Exchanges that could not be understood, by reason.
    undecodable: BTreeMap<&'static str, u64>,
    /// Requests to paths that are of no protocol.
    paths: BTreeMap<String, u64>,
    /// Where the JSON of one's own has its rows and answers: the first finding, and how often there was
    /// another.
    mapping: Option<(Mapping, u64)>,
}

impl Traffic {
    fn take(&mut self, observed: Observed, wanted: &Wanted<'_>) {
        if observed.protocol.is_none() {
            if observed.addressed.is_none() {
                self.count_path(observed.path);
                return;
            }
            if let Some(found) = &observed.mapping
                && !self.agrees(found)
            {
                return;
            }
        }
        let wanted = wanted.model;
        let inference = match observed.decoded {
            Ok(inference) => inference,
            Err(reason) => {
                *self.undecodable.entry(reason.as_str()).or_default() += 1;
                return;
            }
        };
        let model = &*inference.model;
        let full = self.models.len() == MAX_MODELS && !self.models.contains_key(model);
        if full || wanted.is_some_and(|wanted| wanted != model) {
            self.others += 1;
            return;
        }
        let seen = self.models.entry(model.to_owned()).or_default();
        seen.protocol = observed.protocol.unwrap_or("json_rows");
        seen.take(&inference);
        self.learned += 1;
    }

    fn count_path(&mut self, path: String) {
        if self.paths.len() < MAX_PATHS || self.paths.contains_key(&path) {
            *self.paths.entry(path).or_default() += 1;
        }
    }

    /// Whether rows and answers stand where they stood before.
    fn agrees(&mut self, found: &Mapping) -> bool {
        let (first, others) = self.mapping.get_or_insert_with(|| (found.clone(), 0));
        let same = first == found;
        *others += u64::from(!same);
        same
    }

    /// What to do about requests that are of no protocol, if there were such.
    fn unknown_paths(&self) -> String {
        if self.paths.is_empty() {
            return String::new();
        }
        let paths = self.paths.iter().map(|(path, n)| format!("{path} ({n})"));
        format!(
            "; requests of no protocol that is known went to {}: if their bodies are JSON, name one with --path",
            paths.collect::<Vec<_>>().join(", ")
        )
    }

    /// The agent's own lines for JSON of one's own.
    fn configuration(&self, own: (&str, &str)) -> Vec<String> {
        let Some((found, others)) = &self.mapping else {
            return Vec::new();
        };
        let (path, model) = own;
        let mut notes = vec![format!(
            "the agent's configuration needs to know where rows stand: protocols: [{{ path: \"{path}\", model: \"{model}\", rows: \"{}\", answers: \"{}\" }}]",
            found.rows, found.answers
        )];
        if *others > 0 {
            notes.push(format!(
                "{others} exchanges have rows or answers elsewhere, and were not learned from"
            ));
        }
        notes
    }

    /// What was learned of the model that was called most.
    fn learned(mut self, to: &str, wanted: &Wanted<'_>) -> anyhow::Result<Learned> {
        let counts = self.undecodable.iter().map(|(why, n)| format!("{n} {why}"));
        let undecodable = counts.collect::<Vec<_>>().join(", ");
        let most = self.models.iter().max_by_key(|(_, seen)| seen.exchanges);
        let Some(model) = most.map(|(name, _)| name.clone()) else {
            return bad(match (&*undecodable, self.others) {
                ("", 0) => format!(
                    "no inference was seen within {}; send clients to {}, or see docs/protocols.md for what is understood{}",
                    wanted.at_most,
                    wanted.listen,
                    self.unknown_paths()
                ),
                ("", others) => format!(
                    "{others} inferences were of models other than `{}`",
                    wanted.model.unwrap_or_default()
                ),
                (undecodable, _) => {
                    format!("nothing that was seen could be understood: {undecodable}")
                }
            });
        };
        let seen = self.models.remove(&model).unwrap_or_default();
        let from = format!("{} exchanges with {to}", seen.exchanges);
        let mut learned = seen.learned(model, from);
        if let Some(own) = wanted.own {
            learned.notes.extend(self.configuration(own));
        }
        if !undecodable.is_empty() {
            let note = format!("not understood, and not learned from: {undecodable}");
            learned.notes.push(note);
        }
        if !self.models.is_empty() || self.others > 0 {
            let names: Vec<String> = self.models.keys().map(|n| format!("`{n}`")).collect();
            learned.notes.push(format!(
                "other models were called, too: {}; draft one at a time with --model",
                names.join(", ")
            ));
        }
        Ok(learned)
    }
}
