//! `foretell-vehicle evaluate`

mod detections;
mod tracks;

use foretell_terminal::{Failure, Output, Place};

use super::Session;
use crate::arguments::Evaluate;

pub(super) async fn run(place: &Place, output: Output, command: &Evaluate) -> Result<u8, Failure> {
    match command {
        Evaluate::Detections(command) => detections::run(&Session::open(place, output).await?, command).await,
        Evaluate::Tracks(command) => tracks::run(place, output, command).await,
    }
}
