//! Pages for those who keep the programs running.

pub mod system;
