//! The collector as a whole, and its core through its public types. One binary.

#[cfg(test)]
mod http;
#[cfg(test)]
mod kill;
#[cfg(test)]
mod recompute;
#[cfg(test)]
mod sealing;
#[cfg(test)]
mod serving;
#[cfg(test)]
mod starving;
#[cfg(test)]
mod verifying;
#[cfg(test)]
mod world;
