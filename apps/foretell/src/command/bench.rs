//! `foretell plugin bench`: what a plugin's calls cost beside the networks in it.

use foretell_conformance::{Measure, Measured, Size, measure};
use foretell_runtime::onnx::locate;
use foretell_runtime::registry::Registry;
use foretell_terminal::{Bar, Failure, Output, Place, exit, format_count};

use super::validate::{admit, child, directory};
use crate::arguments::Bench;

pub(super) fn run(
    place: &Place,
    registry: &Registry,
    output: Output,
    command: &Bench,
) -> Result<u8, Failure> {
    let directory = directory(registry, &command.plugin)?;
    admit(registry, &directory)?;
    // Else the other process would tell it.
    locate(&place.places()).library().map_err(|error| Failure::new(&error))?;
    let what = Measure { rows: command.rows.clone(), time: command.seconds, call_time_max: command.timeout };
    let bar = Bar::new("measuring", "sizes", None, output.is_json());
    let measured = measure(
        &directory,
        &what,
        |task| child(place, task),
        |done, all| {
            bar.set_total(all);
            bar.set(done);
        },
    );
    bar.finish();
    let measured = measured.map_err(|error| Failure::new(&error))?;
    output.show(&measured, |output| draw(output, &measured));
    Ok(exit::DONE)
}

fn draw(output: Output, measured: &Measured) {
    let head = [
        "records#",
        "calls#",
        "p50 us#",
        "p99 us#",
        "records/s#",
        "networks p50 us#",
        "networks p99 us#",
        "ratio#",
    ];
    output.table(&head, measured.sizes.iter().map(row));
    output.line("");
    let runs: Vec<_> = measured.sizes.iter().map(|size| size.runs).collect();
    let words = match runs.as_slice() {
        [] => String::new(),
        [first, rest @ ..] if rest.iter().all(|runs| runs == first) => match first {
            0 => "no network was run alone".to_owned(),
            1 => "a call runs one network, which was run alone with the same tensors".to_owned(),
            _ => {
                format!("a call makes {first} runs of networks, which were made alone with the same tensors")
            }
        },
        runs => format!("calls make {runs:?} runs of networks, which were made alone with the same tensors"),
    };
    output.line(&format!("{}: {words}", measured.plugin));
}

fn row(size: &Size) -> Vec<String> {
    let us = |time: f64| format!("{time:.1}");
    let networks = size.networks.as_ref();
    vec![
        format_count(size.rows as u64),
        format_count(size.plugin.calls as u64),
        us(size.plugin.p50_us),
        us(size.plugin.p99_us),
        format_count(size.plugin.records_per_second as u64),
        networks.map_or_else(String::new, |times| us(times.p50_us)),
        networks.map_or_else(String::new, |times| us(times.p99_us)),
        size.ratio.map_or_else(String::new, |ratio| format!("{ratio:.2}")),
    ]
}
