//! COCO's JSON (Lin et al., "Microsoft COCO: Common objects in context", ECCV 2014; the fields stand on its pages on formats of data
//! and results): [truths](Truth) that are read, and [results](Results) that are written.

mod results;
mod truth;

pub use results::Results;
pub use truth::{JSON_BYTES_MAX, Truth, TruthBox, TruthImage};
