//! Compressed bodies; the first byte says how.
#![no_main]

use clause9_fuzz::{laws, seeds};
use libfuzzer_sys::fuzz_target;

fuzz_target!(init: seeds::plant(seeds::unpacking), |data: &[u8]| laws::unpacking(data));
