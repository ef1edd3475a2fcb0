//! The request path of the agent, from sockets to sockets: what goes in comes out, whatever the
//! protocol, and what must never happen to a request does not.

// One source for the model server, the door and the running agent of these tests and of `tests/it`.
#[expect(dead_code, reason = "not every part is needed here")]
#[path = "../../../tests/it/agent_world.rs"]
mod agent_world;

mod announced;
mod answers;
mod handover;
mod http2;
mod http2_limits;
#[cfg(target_os = "linux")]
mod open_files;
mod own_goals;
#[path = "../../../tests/src/ports.rs"]
mod ports;
mod promises;
mod smuggling;
mod streaming;
mod streams_world;
mod tls;
mod unix;
