//! What the host does with manifests and answers that nobody would write by hand.
//!
//! A *target* is a function of bytes: it makes something of them that a plugin may hand over, gives it to the host, and panics where the
//! host breaks a promise. The same targets are run in three ways:
//!
//! | by | how |
//! |---|---|
//! | `cargo test -p foretell-fuzz` | some thousand inputs from a seed |
//! | `cargo xtask fuzz --executions 1000000` | as many inputs from a seed as one likes, on the stable toolchain |
//! | `cargo fuzz run answer`, in `tests/fuzz` | inputs that libFuzzer finds by coverage, with AddressSanitizer, on a nightly one |
//!
//! What is promised, and held here:
//!
//! - Any bytes are a manifest or an error with an end; what is accepted has a meaning in every place that reads it.
//! - An answer may lie in everything that the host can look at: lengths, offsets, counts of buffers, children and nulls, buffers and
//!   children that are null or not aligned, values, texts, types. It is refused, or read without a step beyond its memory, and it is
//!   released once in any case.
//!
//! What is not promised: that a pointer which is not null points at as much memory as the lengths and offsets beside it say. Nobody
//! can look at that from outside; it is what isolation is for. So the memory of an answer that is made here is always as long as it
//! claims, or as the host allows at most.

#![expect(unsafe_code, reason = "hands over what a plugin would")]

mod answer;
mod array;
mod choice;
mod manifest;
pub mod seeded;

/// Something that the host is given.
#[derive(Clone, Copy, Debug)]
pub struct Target {
    /// What it is called, here and by libFuzzer.
    pub name: &'static str,
    /// Makes it of the bytes, hands it over, and panics where a promise is broken.
    pub run: fn(&[u8]),
}

/// All targets.
pub const TARGETS: [Target; 2] =
    [Target { name: "manifest", run: manifest::run }, Target { name: "answer", run: answer::run }];
