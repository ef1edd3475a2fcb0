//! The configuration files of a run, written for people to read: what the newcomer finds in the
//! work folder is what a real installation has.

use std::fmt::Write;
use std::net::SocketAddr;

use crate::world::{Replica, Site};

/// The header that carries a replayed request's time.
pub(crate) const EVENT_TIME: &str = "x-clause9-event-time";

/// An agent's configuration.
pub(crate) fn agent(
    case: &str,
    replica: &Replica,
    model: SocketAddr,
    collector: SocketAddr,
) -> String {
    let Replica {
        name,
        listen,
        admin,
        outcomes,
        ..
    } = replica;
    format!(
        "# One of the agents before the model server of {case}.\n\
         # Run it alone: clause9-demo agent --config {name}.yaml\n\
         listen: {listen}\n\
         upstream: http://{model}\n\
         objectives: {case}.yaml\n\
         baseline: {case}.baseline.json\n\
         collector: http://{collector}\n\
         admin: {admin}\n\
         outcomes: {{ listen: \"{outcomes}\" }}\n\
         state_dir: {name}\n\
         # Replicas of one system must share this key, or their counts cannot be added.\n\
         system_key_file: system.key\n\
         # A replay tells the time; a real installation runs on `live` and trusts no header.\n\
         clock: replay\n\
         event_time_header: {EVENT_TIME}\n\
         threads: 1\n"
    )
}

/// The collector's configuration.
pub(crate) fn collector(listen: SocketAddr, sites: &[Site]) -> String {
    let mut text = format!(
        "# The collector of the demonstration.\n\
         # Run it alone: clause9-demo collector --config collector.yaml\n\
         listen: {listen}\n\
         store: collector\n\
         agents: agents.yaml\n\
         # A replay races through months while batches take their time: wait for every agent.\n\
         seal_grace: 365d\n\
         # Replayed time is years off the wall clock, but agents' wall clocks are this machine's.\n\
         clock_skew: 5m\n\
         systems:\n"
    );
    for site in sites {
        let case = site.case.name;
        let _ = writeln!(
            text,
            "  - {{ objectives: {case}/{case}.yaml, baseline: {case}/{case}.baseline.json, clock: replay }}"
        );
    }
    text
}

/// The agents that the collector trusts.
pub(crate) fn trusted_agents(sites: &[Site]) -> String {
    let mut text = String::from("# An agent's id is the fingerprint of its key.\nagents:\n");
    for site in sites {
        for replica in &site.replicas {
            let (id, case) = (&replica.id, site.case.name);
            let _ = writeln!(text, "  - {{ id: \"{id}\", systems: [{case}] }}");
        }
    }
    text
}
