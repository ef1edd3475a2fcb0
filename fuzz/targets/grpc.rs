//! Messages of gRPC in both directions of a call.
#![no_main]

use clause9_fuzz::{laws, seeds};
use libfuzzer_sys::fuzz_target;

fuzz_target!(init: seeds::plant(seeds::grpc), |data: &[u8]| laws::grpc(data));
