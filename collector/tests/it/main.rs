//! The collector as a whole, and its core through its public types. One binary.

mod http;
mod kill;
mod recompute;
mod sealing;
mod serving;
mod verifying;
mod world;
