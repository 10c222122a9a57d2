//! `bench runtime`: what a prediction call costs beside the bare network.
//!
//! One process, one thread, one loaded ONNX Runtime, the same network and the same records for all ways:
//!
//! | way | what one call does |
//! |---|---|
//! | runtime | `Plugin::predict` on a record batch that is there: lend it, features in the plugin, network, take the scores over |
//! | bare | the features in plain Rust from plain slices, then `ort`'s `Session::run` on a tensor that is made once |
//! | plain | `ort`'s `Session::run` alone, on ready features |
//! | bound | the same with input and output bound once: the quickest that `ort` offers |
//! | network | `foretell_runtime::onnx::Model::run` alone, on ready features: what the host runs for the plugin |
//! | features | the features alone, in plain Rust from plain slices |
//! | empty | `Plugin::predict` on a batch without rows: everything of a call that is neither features nor network |
//!
//! What a network costs depends on where its memory happens to lie, by a quarter for the largest batch. So everything is
//! opened anew several times, and figures are medians over the rounds of all sittings.
//!
//! [`isolated`] measures the first way beside the same plugin in a process of its own.
//!
//! For one record, `bare_us` is the plain network on ready features, and `extra_us` is what the runtime needs more than
//! that, the features included. For larger batches `bare_us` includes the features.

mod bare;
mod clock;
mod isolated;
mod records;

use std::hint::black_box;

use arrow_array::RecordBatch;
use foretell_plugin_fraud::features::FEATURES;
use foretell_runtime::onnx::{Model, TensorView, TensorViewMut};
use foretell_runtime::plugin::Plugin;
use foretell_terminal::{Failure, Output};

use self::bare::{Bare, Bound};
use self::clock::{Reading, Times, Way, take_turns};
use self::records::Transactions;
use super::{Fraud, verdict};
use crate::figures::Figures;

/// Records of a call.
const BATCHES_ROWS: [usize; 3] = [1, 32, 1_024];
/// How often everything is opened anew.
const SITTINGS: usize = 15;
/// Rounds that are measured of each sitting.
const ROUNDS: usize = 40;

/// What the extra microseconds of one record may be.
const EXTRA_US_MAX: f64 = 5.0;
/// What the ratio of 1,024 records to bare may be.
const RATIO_MAX: f64 = 1.1;

/// What is measured.
struct Bench<'a> {
    fraud: &'a Fraud,
    network: Vec<u8>,
}

/// What was found.
pub(super) struct Findings {
    onnxruntime: String,
    measured: Vec<Measured>,
    isolated: isolated::Findings,
}

/// Times of all ways for one size of batch.
struct Measured {
    rows: usize,
    runtime: Times,
    bare: Times,
    plain: Times,
    bound: Times,
    network: Times,
    features: Times,
    empty: Times,
}

/// Measures all sizes of batches.
pub(super) fn measure(fraud: &Fraud) -> Result<Findings, Failure> {
    let network = std::fs::read(fraud.network()?).map_err(|error| Failure::new(&error))?;
    let bench = Bench { fraud, network };
    let measured = BATCHES_ROWS.into_iter().map(|rows| bench.measure(rows)).collect::<Result<_, _>>()?;
    let isolated = isolated::measure(fraud)?;
    Ok(Findings { onnxruntime: fraud.runtime().version().to_string(), measured, isolated })
}

impl Bench<'_> {
    fn measure(&self, rows: usize) -> Result<Measured, Failure> {
        let mut all = self.sit(rows)?;
        for _ in 1..SITTINGS {
            for (all, times) in all.iter_mut().zip(self.sit(rows)?) {
                all.extend(times);
            }
        }
        let [runtime, bare, plain, bound, network, features, empty] = all;
        Ok(Measured { rows, runtime, bare, plain, bound, network, features, empty })
    }

    /// Opens everything, and measures for [`ROUNDS`]. Times are in the order of [`Measured`].
    fn sit(&self, rows: usize) -> Result<[Times; 7], Failure> {
        let fail = |error: &dyn std::error::Error| Failure::new(error);
        let (plugin, runtime) = (self.fraud.load()?, self.fraud.runtime());
        let transactions = Transactions::new(rows);
        let batch = transactions.to_batch(plugin.schema()).map_err(|error| fail(&error))?;
        let mut ready = vec![0.0; rows * FEATURES];
        transactions.write_features(&mut ready);
        let mut bare = Bare::new(runtime, &self.network, rows).map_err(|error| fail(&error))?;
        let mut plain = Bare::new(runtime, &self.network, rows).map_err(|error| fail(&error))?;
        plain.features_mut().copy_from_slice(&ready);
        let mut bound = Bound::new(runtime, &self.network, &ready).map_err(|error| fail(&error))?;
        let model = Model::from_bytes(runtime, &self.network, 1, 1).map_err(|error| fail(&error))?;
        compare(&plugin, &batch, &mut plain)?;

        const RAN: &str = "a call that was just made on the same input succeeds again";
        let (empty, shape) = (batch.slice(0, 0), [rows as i64, FEATURES as i64]);
        let (mut scores, mut features) = (vec![0.0f32; rows], ready.clone());
        let ways: [Way<'_>; 7] = [
            Box::new(|| {
                black_box(plugin.predict(black_box(&batch)).expect(RAN).numbers().map(<[f32]>::len));
            }),
            Box::new(|| {
                black_box(&transactions).write_features(bare.features_mut());
                black_box(bare.run(<[f32]>::len).expect(RAN));
            }),
            Box::new(|| {
                black_box(plain.run(<[f32]>::len).expect(RAN));
            }),
            Box::new(|| {
                black_box(bound.run(<[f32]>::len).expect(RAN));
            }),
            Box::new(|| {
                let input = TensorView::of(&shape, black_box(&ready));
                let output = TensorViewMut::of(&shape[..1], &mut scores);
                model.run(&[input], &mut [output]).expect(RAN);
            }),
            Box::new(|| {
                black_box(&transactions).write_features(black_box(&mut features));
            }),
            Box::new(|| {
                black_box(plugin.predict(black_box(&empty)).expect(RAN).len());
            }),
        ];
        Ok(take_turns(ways, ROUNDS))
    }
}

/// Makes sure that both sides compute the same before their speed is compared.
fn compare(plugin: &Plugin, batch: &RecordBatch, plain: &mut Bare) -> Result<(), Failure> {
    let predictions = plugin.predict(batch).map_err(|error| Failure::new(&error))?;
    let expected = plain.run(<[f32]>::to_vec).map_err(|error| Failure::new(&error))?;
    match predictions.numbers() {
        Some(found) if found == expected => Ok(()),
        found => {
            let rows = batch.num_rows();
            Err(Failure::words(format!(
                "the runtime and the bare network disagree on {rows} records: {found:?} and {expected:?}"
            )))
        }
    }
}

impl Measured {
    /// What the runtime is compared with: one record with the network alone, more with features and network.
    fn compared(&self) -> &Times {
        if self.rows == 1 { &self.plain } else { &self.bare }
    }

    /// Microseconds of a call through the runtime that are in none of its parts: tensors in and out of the plugin, and
    /// caches that the parts share.
    fn rest(&self) -> Reading {
        let [runtime, network, features, empty] =
            [&self.runtime, &self.network, &self.features, &self.empty].map(Times::call);
        Reading {
            wall: runtime.wall - network.wall - features.wall - empty.wall,
            processor: runtime.processor - network.processor - features.processor - empty.processor,
        }
    }

    fn note(&self, figures: &mut Figures) {
        let mut set = |name: &str, unit: &str, reading: Reading| {
            let name = format!("runtime.fraud.batch_{}.{name}", self.rows);
            figures.set(format!("{name}{unit}"), reading.wall);
            figures.set(format!("{name}_cpu{unit}"), reading.processor);
        };
        for (name, times) in [
            ("runtime", &self.runtime),
            ("bare", self.compared()),
            ("plain", &self.plain),
            ("bound", &self.bound),
            ("network", &self.network),
            ("features", &self.features),
            ("empty", &self.empty),
        ] {
            set(name, "_us", times.call());
        }
        set("rest", "_us", self.rest());
        set("extra", "_us", self.runtime.more_than(self.compared()));
        set("ratio_to_bare", "", self.runtime.ratio_to(self.compared()));
    }
}

impl Findings {
    pub(super) fn note(&self, figures: &mut Figures) {
        for measured in &self.measured {
            measured.note(figures);
        }
        self.isolated.note(figures);
    }

    pub(super) fn draw(&self, output: Output) {
        output.line(&format!(
            "\nA prediction call (ONNX Runtime {}, one thread; medians over rounds, by the clock on the wall and by processor time)",
            self.onnxruntime
        ));
        for measured in &self.measured {
            draw_one(output, measured);
        }
        self.isolated.draw(output);
    }
}

fn draw_one(output: Output, measured: &Measured) {
    let rows = measured.rows;
    output.line(&format!("\n{rows} record{} in a call", if rows == 1 { "" } else { "s" }));
    let what = if rows == 1 { "bare: the network" } else { "bare: features in plain Rust, then the network" };
    let lines = [
        (what, measured.compared().call()),
        ("through the runtime", measured.runtime.call()),
        ("  of it: network, as the runtime runs it", measured.network.call()),
        ("  of it: features, as in plain Rust", measured.features.call()),
        ("  of it: a call without records (lending, boundary, taking over)", measured.empty.call()),
        ("  of it: the rest (tensors, shared caches)", measured.rest()),
        ("network alone, plain", measured.plain.call()),
        ("network alone, input and output bound once", measured.bound.call()),
    ];
    output.table(
        &["", "us#", "(cpu)#"],
        lines.into_iter().map(|(what, reading)| {
            vec![what.to_owned(), format!("{:.2}", reading.wall), both(reading.processor)]
        }),
    );
    let (extra, ratio) =
        (measured.runtime.more_than(measured.compared()), measured.runtime.ratio_to(measured.compared()));
    output.line(&format!("extra: {:.2} us {}", extra.wall, both(extra.processor)));
    output.line(&format!("ratio: {:.3} {}", ratio.wall, both(ratio.processor)));
    match rows {
        1 => output.line(&format!(
            "target: at most {EXTRA_US_MAX} us extra: {}",
            verdict(extra.wall <= EXTRA_US_MAX)
        )),
        1_024 => output
            .line(&format!("target: a ratio of at most {RATIO_MAX}: {}", verdict(ratio.wall <= RATIO_MAX))),
        _ => {}
    }
}

fn both(processor: f64) -> String {
    format!("({processor:.3})")
}
