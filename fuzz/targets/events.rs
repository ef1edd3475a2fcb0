//! Streams of server-sent events.
#![no_main]

use clause9_fuzz::{laws, seeds};
use libfuzzer_sys::fuzz_target;

fuzz_target!(init: seeds::plant(seeds::events), |data: &[u8]| laws::events(data));
