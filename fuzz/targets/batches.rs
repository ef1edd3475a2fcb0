//! What a collector is sent: envelopes, batches, summaries.
#![no_main]

use clause9_fuzz::{laws, seeds};
use libfuzzer_sys::fuzz_target;

fuzz_target!(init: seeds::plant(seeds::batches), |data: &[u8]| laws::batches(data));
