//! The target `manifest`, with inputs by coverage.
//!
//! ```text
//! cargo install cargo-fuzz
//! cd tests/fuzz
//! cargo +nightly fuzz run manifest -- -runs=500000 -timeout=10 -rss_limit_mb=4096 -max_len=4096
//! ```

#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| (foretell_fuzz::TARGETS[0].run)(bytes));
