//! `clause9-bench NAME`: whole-process benchmarks; see `clause9_tests::bench` for what they are not.

use clap::{Parser, Subcommand};
use clause9_tests::bench::{
    Bench, detectors, evaluate, faults, footprint, groups, ingest, instructions, labelled, logger,
    memory, observe, outbox, profile, proxy, streams, upstream, windows,
};

/// Whole-process benchmarks on this machine. Build with `--release` for numbers to be quoted.
#[derive(Parser)]
struct Arguments {
    #[command(subcommand)]
    name: Name,
}

/// The table: names with what they are asked for.
macro_rules! benches {
    ($($(#[$about:meta])* $name:ident($options:ty),)*) => {
        #[derive(Subcommand)]
        enum Name { $($(#[$about])* $name($options),)* }

        impl Name {
            fn bench(&self) -> &dyn Bench {
                match self { $(Self::$name(options) => options,)* }
            }
        }
    };
}

benches! {
    /// Time of each online detector for each value of a stream.
    Detectors(detectors::Options),
    /// Memory, processor time and program size of an idle and a busy agent.
    #[command(alias = "idle")]
    Footprint(footprint::Options),
    /// Resident memory of an agent under long bodies, thousands of idle connections, bodies that unpack to too much,
    /// ids and names without end, and a collector that is not there. Fails beyond the bound.
    Memory(memory::Options),
    /// Instructions and allocations of the serving thread for each request, monitored and not, as callgrind counts
    /// them. Fails beyond the figures that are kept.
    Instructions(instructions::Options),
    /// The same load straight to a trivial model server, through nginx, through a logging proxy as users have it
    /// today and through the agent, in turns: answers in a second, added time at a fixed rate, the share captured.
    Proxy(proxy::Options),
    /// Every fault of the monitoring under load, through real agents: no request may fail, each fault must show,
    /// and every request must be accounted for. Fails if one of these does not hold.
    Faults(faults::Options),
    /// An agent whose reading of exchanges fails as told, for the one above.
    #[command(hide = true)]
    FaultyAgent(faults::faulty::Options),
    /// Compiling drift objectives, and evaluating a thousand objectives on one merged window.
    Evaluate(evaluate::Options),
    /// A million rows of 25 columns profiled in memory, beside other tools on the same data.
    Profile(profile::Options),
    /// One run of our own, for the one above.
    #[command(hide = true)]
    ProfileSelf(profile::OwnOptions),
    /// Rows of 25 columns with score, label and two attributes counted as they come, and from the
    /// bytes of events.
    Observe(observe::Options),
    /// Memory of 24 open windows of a model of 100 features.
    Windows(windows::Options),
    /// One run in a process of its own, for the one above.
    #[command(hide = true)]
    WindowsSelf(windows::OwnOptions),
    /// Seven figures of labelled rows, through summaries and by scikit-learn, in turns.
    Labelled(labelled::Options),
    /// Group fairness of labelled rows, through summaries and by fairlearn, in turns.
    Groups(groups::Options),
    /// Windows that the collector verifies, syncs, acknowledges and merges in a second, beside the same bytes into SQLite
    /// and into a file, in turns; and acknowledgements at a moderate rate beside syncs alone.
    Ingest(ingest::Options),
    /// Processor time of the agent's outbox at a steady rate of windows, beside plain writes with a sync each.
    Outbox(outbox::Options),
    /// Many streams of events at once, straight, through nginx unbuffered and through the agent: time to the first
    /// byte, time of each event, memory of each stream. Fails if an event is missing, joined or split.
    Streams(streams::Options),
    /// The logging proxy itself, for the one above.
    #[command(hide = true)]
    LoggerProxy(logger::Options),
    /// The trivial model server itself, for the others.
    #[command(hide = true)]
    Upstream(upstream::Options),
}

fn main() -> anyhow::Result<()> {
    let mut out = std::io::stdout().lock();
    Arguments::parse().name.bench().run(&mut out)
}
