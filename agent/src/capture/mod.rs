//! The data path: passes traffic through and hands copies of references to the monitor. Nothing here
//! understands a body, and nothing here waits for the monitor.

mod body;
mod budget;
mod connection;
pub mod doors;
mod flight;
mod framing;
mod headers;
pub mod panes;
mod recorder;
pub mod reverse_proxy;
mod socket;
mod streams;
pub mod tls;
mod upstream;
mod versions;

pub use budget::{Budget, Reservation};
pub use recorder::{Captured, Recorder};
