//! Integration tests and house rules, one program. Names of tests are sentences.
//!
//! `tidy_*`: rules about the repository itself. `house_*`: what is generated and documented.
//! `prometheus_*`, `mlserver_*`: beside other people's real programs (see `tests/tools/`).

mod first_nonconformity;
mod house_dashboards;
mod house_documents;
mod mlserver_passthrough;
mod prometheus_dashboard;
mod prometheus_rules;
mod tidy_boundaries;
mod tidy_files;
