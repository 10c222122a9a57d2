//! What isolation costs: the same plugin on the same records, in this process and in one of its own.
//!
//! Only the clock on the wall is looked at, since half of the work is another process's. Both processes may run at once where there
//! are several processors, and a call still waits for the other side twice.

use std::hint::black_box;
use std::sync::Arc;
use std::time::Instant;

use foretell_runtime::isolation::{Isolation, Limits};
use foretell_runtime::onnx::Runtime;
use foretell_runtime::plugin::{LoadOptions, Plugin};
use foretell_terminal::{Failure, Output, this_program};

use super::clock::{Times, Way, take_turns};
use super::records::Transactions;
use crate::bench::Fraud;
use crate::figures::{Figures, median};

/// Records of a call.
const BATCHES_ROWS: [usize; 3] = [1, 32, 1_024];
/// How often both are opened anew.
const SITTINGS: usize = 5;
/// Rounds that are measured of each sitting.
const ROUNDS: usize = 40;

/// What was found.
pub(super) struct Findings {
    /// Records of a call, in this process, in one of its own, and the latter for no records.
    calls: Vec<(usize, [Times; 3])>,
    /// Milliseconds of loading the plugin in this process, and in one of its own.
    starts_ms: [Vec<f64>; 2],
}

/// Measures all sizes of batches, and how long it takes to start.
pub(super) fn measure(fraud: &Fraud) -> Result<Findings, Failure> {
    let isolation = Isolation::new(this_program("foretell-measure"), Limits::default());
    let isolating = fraud.runtime().isolating(isolation);
    let mut starts_ms = [Vec::new(), Vec::new()];
    let mut calls = Vec::new();
    for rows in BATCHES_ROWS {
        let mut all: [Times; 3] = Default::default();
        for _ in 0..SITTINGS {
            let here = load(fraud, fraud.runtime(), &mut starts_ms[0])?;
            let apart = load(fraud, &isolating, &mut starts_ms[1])?;
            for (all, times) in all.iter_mut().zip(sit(&here, &apart, rows)?) {
                all.extend(times);
            }
        }
        calls.push((rows, all));
    }
    Ok(Findings { calls, starts_ms })
}

fn load(fraud: &Fraud, runtime: &Arc<Runtime>, starts_ms: &mut Vec<f64>) -> Result<Plugin, Failure> {
    let begun = Instant::now();
    let plugin = Plugin::load(runtime, fraud.verified().clone(), &LoadOptions::default());
    let plugin = plugin.map_err(|error| Failure::new(&error))?;
    starts_ms.push(begun.elapsed().as_secs_f64() * 1e3);
    Ok(plugin)
}

fn sit(here: &Plugin, apart: &Plugin, rows: usize) -> Result<[Times; 3], Failure> {
    let batch = Transactions::new(rows).to_batch(here.schema()).map_err(|error| Failure::new(&error))?;
    let [said, again] = [here, apart].map(|plugin| {
        plugin.predict(&batch).map(|said| said.columns().clone()).map_err(|error| Failure::new(&error))
    });
    if said? != again? {
        return Err(Failure::words(format!("the isolated plugin says something else of {rows} records")));
    }
    let (empty, ran) = (batch.slice(0, 0), "a call that was just made on the same input succeeds again");
    let (batch, empty) = (&batch, &empty);
    let call = |plugin: &'_ Plugin, batch| {
        black_box(plugin.predict(black_box(batch)).expect(ran).len());
    };
    let ways: [Way<'_>; 3] = [
        Box::new(move || call(here, batch)),
        Box::new(move || call(apart, batch)),
        Box::new(move || call(apart, empty)),
    ];
    Ok(take_turns(ways, ROUNDS))
}

impl Findings {
    pub(super) fn note(&self, figures: &mut Figures) {
        for (rows, [here, apart, empty]) in &self.calls {
            let mut set =
                |name: &str, figure| figures.set(format!("runtime.isolated.batch_{rows}.{name}"), figure);
            set("in_process_us", here.call().wall);
            set("isolated_us", apart.call().wall);
            set("isolated_empty_us", empty.call().wall);
            set("extra_us", apart.more_than(here).wall);
            set("ratio_to_in_process", apart.ratio_to(here).wall);
        }
        let [here, apart] = &self.starts_ms;
        figures.set("runtime.isolated.in_process_start_ms", median(here));
        figures.set("runtime.isolated.start_ms", median(apart));
    }

    pub(super) fn draw(&self, output: Output) {
        output.line("\nThe same calls of the plugin in a process of its own (by the clock on the wall)");
        output.table(
            &["records", "in process us#", "isolated us#", "no records us#", "extra us#", "ratio#"],
            self.calls.iter().map(|(rows, [here, apart, empty])| {
                let number = |value: f64| format!("{value:.1}");
                vec![
                    rows.to_string(),
                    number(here.call().wall),
                    number(apart.call().wall),
                    number(empty.call().wall),
                    number(apart.more_than(here).wall),
                    format!("{:.3}", apart.ratio_to(here).wall),
                ]
            }),
        );
        let [here, apart] = self.starts_ms.each_ref().map(|starts| median(starts).unwrap_or_default());
        output.line(&format!("loading it: {here:.1} ms in process, {apart:.1} ms isolated"));
    }
}
