//! Integration tests and house rules, one program. Names of tests are sentences.
//!
//! `tidy_*`: rules about the repository itself. `house_*`: what is generated and documented.
//! `web_*`: pages in a browser. `agent_*`: the agent over real sockets. `live_clock`, `first_nonconformity`, `outcomes_find`: agent and collector. `attach_discovered`, `prometheus_*`, `mlserver_*`, `agent_kafka`, `kafka_route`, `agent_otlp`, `collector_otlp`, `delivery_traces`, `foreign_log`, `witnessed`, `conformance`: beside other people's real programs (see `tests/tools/`).

mod agent_documents;
mod agent_faults;
mod agent_kafka;
mod agent_otlp;
mod agent_passthrough;
mod agent_promises;
mod agent_quarantine;
mod agent_restart;
mod agent_shipping;
mod agent_sinks;
mod agent_world;
mod attach_discovered;
mod collector_otlp;
mod conformance;
mod delivery_traces;
mod first_nonconformity;
mod foreign_log;
mod house_dashboards;
mod house_documents;
mod house_readme;
mod identity_enrolment;
mod identity_rotation;
mod kafka_route;
mod kills;
mod live_clock;
mod mlserver_grpc;
mod mlserver_passthrough;
mod outbox_disk;
mod outcomes_find;
mod prometheus_dashboard;
mod prometheus_rules;
mod quarantine_disk;
mod replayed_register;
mod tidy_boundaries;
mod tidy_files;
mod web_pages;
mod witnessed;
mod worlds;
