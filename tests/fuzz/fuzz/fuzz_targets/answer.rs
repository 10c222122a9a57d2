//! The target `answer`, with inputs by coverage and AddressSanitizer, which sees a step beyond what a plugin handed over.
//!
//! ```text
//! cargo install cargo-fuzz
//! cd tests/fuzz
//! cargo +nightly fuzz run answer -- -runs=500000 -timeout=10 -rss_limit_mb=4096 -max_len=4096
//! ```

#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| (foretell_fuzz::TARGETS[1].run)(bytes));
