//! What a client sends on a connection of HTTP/1: heads, lengths, chunks.
#![no_main]

use clause9_fuzz::{laws, seeds};
use libfuzzer_sys::fuzz_target;

fuzz_target!(init: seeds::plant(seeds::connection), |data: &[u8]| laws::connection(data));
