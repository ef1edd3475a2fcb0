//! What the runs of the proxy benchmark say together.

use std::io::Write;

use anyhow::Context as _;
use serde::Serialize;

use super::median;
use super::proxy::{Contender, LEAST_CAPTURED, Options, Run};

/// Goals beside nginx: answers in a second at least, added p50 at most, p99 at most.
const GOALS: [f64; 3] = [0.8, 1.0, 1.25];
/// A p99 is compared only if it varies less than this between rounds, straight to the model.
const REPEATS: f64 = 1.25;

/// One size of bodies.
#[derive(Clone, Debug, Serialize)]
pub struct Size {
    /// About how many bytes a request's body has.
    pub body: usize,
    /// Answers in a second as fast as they came, beside nginx: median over rounds.
    pub throughput: f64,
    /// The same with nothing sampled.
    pub throughput_off: f64,
    /// The same of the logging proxy.
    pub throughput_logger: f64,
    /// Share captured meanwhile.
    pub captured_at_most: f64,
    /// The fixed rate, in requests a second.
    pub per_second: f64,
    /// p50 at that rate less p50 straight to the model, in microseconds: nginx, the logging proxy,
    /// agent with nothing sampled, agent.
    pub added_p50_us: [f64; 4],
    /// p99 at that rate beside nginx's, if p99 repeats.
    pub p99: Option<f64>,
    /// How much p99 straight to the model varied between rounds: largest to smallest.
    pub p99_varies: f64,
    /// Processor time for each answer at that rate, in microseconds: nginx, the logging proxy, agent with nothing
    /// sampled, agent.
    pub cpu_us: [f64; 4],
    /// Least share captured at that rate.
    pub captured: f64,
}

/// Everything that was measured.
#[derive(Clone, Debug, Serialize)]
pub struct Report {
    /// With what.
    pub options: Options,
    /// Built with which profile.
    pub profile: String,
    /// What the runs say together.
    pub sizes: Vec<Size>,
    /// Every run in order.
    pub runs: Vec<Run>,
}

/// A run in a line.
pub fn line(run: &Run) -> String {
    let rate = run.per_second.map_or_else(
        || "as fast as it goes".to_owned(),
        |r| format!("at {r:.0}/s"),
    );
    let captured = run.captured.map_or_else(String::new, |share| {
        format!(", {:.2} % captured", share * 100.0)
    });
    format!(
        "{} bytes {rate}, round {} {:?}: {:.0} answers/s, p50 {:.1} us, p99 {:.1} us, {:.1} us of processor time each, {} KiB{captured}",
        run.body,
        run.round,
        run.contender,
        run.seen.per_second(),
        run.seen.p50_us,
        run.seen.p99_us,
        run.cpu_us_per_answer,
        run.resident_kib
    )
}

/// What runs say together.
pub fn report(options: Options, runs: Vec<Run>) -> anyhow::Result<Report> {
    let mut bodies: Vec<usize> = runs.iter().map(|run| run.body).collect();
    bodies.dedup();
    let sizes = bodies.into_iter().map(|body| size(body, &runs));
    Ok(Report {
        options,
        profile: super::profile()?,
        sizes: sizes.collect::<anyhow::Result<_>>()?,
        runs,
    })
}

fn size(body: usize, runs: &[Run]) -> anyhow::Result<Size> {
    let runs: Vec<&Run> = runs.iter().filter(|run| run.body == body).collect();
    let of = |contender: Contender, paced: bool| {
        let mut of: Vec<&Run> = runs
            .iter()
            .copied()
            .filter(|run| run.contender == contender && run.per_second.is_some() == paced)
            .collect();
        of.sort_by_key(|run| run.round);
        of
    };
    // Each round by itself: what the machine did in it concerns all of its runs.
    let beside = |a: Contender, b: Contender, paced: bool, of_two: &dyn Fn(&Run, &Run) -> f64| {
        let pairs = of(a, paced).into_iter().zip(of(b, paced));
        median(pairs.map(|(a, b)| of_two(a, b)).collect()).context("no rounds")
    };
    let faster = |a: &Run, b: &Run| a.seen.per_second() / b.seen.per_second();
    let proxies = [
        Contender::Nginx,
        Contender::Logger,
        Contender::AgentOff,
        Contender::Agent,
    ];
    let added = |contender| {
        beside(contender, Contender::Direct, true, &|a, b| {
            a.seen.p50_us - b.seen.p50_us
        })
    };
    let cpu = |contender| beside(contender, contender, true, &|a, _| a.cpu_us_per_answer);
    let tails: Vec<f64> = of(Contender::Direct, true)
        .iter()
        .map(|run| run.seen.p99_us)
        .collect();
    let largest = tails.iter().copied().fold(0.0, f64::max);
    let p99_varies = largest / tails.iter().copied().fold(f64::INFINITY, f64::min);
    let p99 = beside(Contender::Agent, Contender::Nginx, true, &|a, b| {
        a.seen.p99_us / b.seen.p99_us
    })?;
    let captured = |paced| {
        let shares = of(Contender::Agent, paced).into_iter();
        shares
            .filter_map(|run| run.captured)
            .reduce(f64::min)
            .context("nothing was captured")
    };
    let mut sums = [[0.0; 4]; 2];
    for (i, contender) in proxies.into_iter().enumerate() {
        sums[0][i] = added(contender)?;
        sums[1][i] = cpu(contender)?;
    }
    let [added_p50_us, cpu_us] = sums;
    Ok(Size {
        body,
        throughput: beside(Contender::Agent, Contender::Nginx, false, &faster)?,
        throughput_off: beside(Contender::AgentOff, Contender::Nginx, false, &faster)?,
        throughput_logger: beside(Contender::Logger, Contender::Nginx, false, &faster)?,
        captured_at_most: captured(false)?,
        per_second: of(Contender::Agent, true)
            .first()
            .and_then(|run| run.per_second)
            .context("no rounds")?,
        added_p50_us,
        p99: (p99_varies <= REPEATS).then_some(p99),
        p99_varies,
        cpu_us,
        captured: captured(true)?,
    })
}

impl Report {
    /// In lines.
    pub fn print(&self, out: &mut dyn Write) -> anyhow::Result<()> {
        writeln!(
            out,
            "built with the profile `{}`; medians over rounds:",
            self.profile
        )?;
        let [throughput, p50, p99] = GOALS;
        for size in &self.sizes {
            let [nginx, logger, off, agent] = size.added_p50_us;
            writeln!(
                out,
                "{} bytes: answers/s x {:.2} of nginx's (goal {throughput}), with nothing sampled x {:.2}, the logging proxy x {:.2}; {:.2} % captured meanwhile",
                size.body,
                size.throughput,
                size.throughput_off,
                size.throughput_logger,
                size.captured_at_most * 100.0
            )?;
            writeln!(
                out,
                "  at {:.0}/s: p50 {agent:+.1} us (nginx {nginx:+.1}, the logging proxy {logger:+.1}, nothing sampled {off:+.1}): x {:.2} of nginx's (goal {p50}); {:.2} % captured",
                size.per_second,
                agent / nginx,
                size.captured * 100.0
            )?;
            match size.p99 {
                Some(ratio) => writeln!(out, "  p99 x {ratio:.2} of nginx's (goal {p99})")?,
                None => writeln!(
                    out,
                    "  p99 is not compared: straight to the model it varied by x {:.2} between rounds",
                    size.p99_varies
                )?,
            }
            let [nginx, logger, off, agent] = size.cpu_us;
            writeln!(
                out,
                "  processor time for each answer: {agent:.1} us (nginx {nginx:.1}, the logging proxy {logger:.1}, nothing sampled {off:.1})"
            )?;
        }
        Ok(())
    }

    /// Fails if too little was captured at a rate that all could keep up with: the cost would be that of passing
    /// through only.
    pub fn check(&self) -> anyhow::Result<()> {
        for size in &self.sizes {
            anyhow::ensure!(
                size.captured >= LEAST_CAPTURED,
                "{} bytes at {:.0}/s: {:.2} % captured, at least {:.0} % must be",
                size.body,
                size.per_second,
                size.captured * 100.0,
                LEAST_CAPTURED * 100.0
            );
        }
        Ok(())
    }
}
