//! The data path: passes traffic through and hands copies of references to the monitor. Nothing here
//! understands a body, and nothing here waits for the monitor.

mod announced;
mod blame;
mod body;
mod budget;
mod connection;
pub mod doors;
mod flight;
mod framing;
mod grid;
mod headers;
pub mod panes;
mod recorder;
pub mod reverse_proxy;
mod room;
pub(crate) mod small;
mod socket;
mod streams;
pub mod tls;
mod upstream;
mod versions;

pub use budget::{Budget, Reservation};
pub use grid::NoCommonBeginning;
pub use recorder::{Captured, Recorder};

#[cfg(feature = "fuzzing")]
pub(crate) use connection::http1 as http1_of_clients;
pub use room::raise_open_files;
pub(crate) use socket::{Begun, Held, Socket};

/// Whether a request can be passed on; see [`framing`].
#[cfg(feature = "fuzzing")]
pub(crate) fn settle<B>(request: &mut http::Request<B>) -> bool {
    framing::settle(request).is_ok()
}
