//! Recorded exchanges, or what became of them, through every decoder.
#![no_main]

use clause9_fuzz::{laws, seeds};
use libfuzzer_sys::fuzz_target;

fuzz_target!(init: seeds::plant(seeds::decoders), |data: &[u8]| laws::decoders(data));
