//! The collector as a whole, and its core through its public types. One binary.

#[cfg(test)]
mod agents;
#[cfg(test)]
mod api;
#[cfg(test)]
mod clocks;
#[cfg(test)]
mod documents;
#[cfg(test)]
mod durable;
#[cfg(test)]
mod enrolling;
#[cfg(test)]
mod forwarding;
#[cfg(test)]
mod full_disk;
#[cfg(test)]
mod growing;
#[cfg(test)]
mod hostile;
#[cfg(test)]
mod http;
#[cfg(test)]
mod judging_again;
#[cfg(test)]
mod kill;
#[cfg(test)]
mod knowing;
#[cfg(test)]
mod listening;
#[cfg(test)]
mod log;
#[cfg(test)]
#[path = "../../../tests/src/ports.rs"]
mod ports;
#[cfg(test)]
mod recompute;
#[cfg(test)]
mod sealing;
#[cfg(test)]
mod secure;
#[cfg(test)]
mod serving;
#[cfg(test)]
mod starving;
#[cfg(test)]
mod tokens;
#[cfg(test)]
mod upgrading;
#[cfg(test)]
mod verifying;
#[cfg(test)]
mod world;
