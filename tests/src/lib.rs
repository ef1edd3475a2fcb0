//! What integration tests, house rules and benchmarks share: the repository as files, tools of other
//! people, and our programs as processes. No test lives here; nothing here knows what is tested.

pub mod bench;
pub mod faulty;
pub mod http;
pub mod kills;
mod ports;
pub mod process;
pub mod repository;
pub mod rotel;
pub mod sidecar;
pub mod sim;
pub mod site;
pub mod tools;
pub mod world;
