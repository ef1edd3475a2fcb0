//! Deliveries of outcomes.
#![no_main]

use clause9_fuzz::{laws, seeds};
use libfuzzer_sys::fuzz_target;

fuzz_target!(init: seeds::plant(seeds::outcomes), |data: &[u8]| laws::outcomes(data));
