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
//! For one record, `bare_us` is the plain network on ready features, and `extra_us` is what the runtime needs more than
//! that, the features included. For larger batches `bare_us` includes the features.

mod bare;
mod clock;
mod records;

use std::hint::black_box;
use std::sync::Arc;

use arrow_array::RecordBatch;
use foretell_fraud::PLUGIN;
use foretell_plugin_fraud::features::FEATURES;
use foretell_runtime::onnx::{Model, Places, Runtime, TensorView, TensorViewMut};
use foretell_runtime::plugin::{LoadOptions, Plugin};
use foretell_runtime::trust::Verified;
use foretell_terminal::{Failure, Output};

use self::bare::{Bare, Bound};
use self::clock::{Reading, Times, Way, take_turns};
use self::records::Transactions;
use crate::figures::Figures;
use crate::machine;

/// Records of a call, and how many rounds are measured.
const BATCHES: [(usize, usize); 3] = [(1, 1_500), (32, 1_000), (1_024, 800)];

/// What the extra microseconds of one record may be.
const EXTRA_US_MAX: f64 = 5.0;
/// What the ratio of 1,024 records to bare may be.
const RATIO_MAX: f64 = 1.1;

/// What the ways run on, made once.
struct Bench {
    runtime: Arc<Runtime>,
    plugin: Plugin,
    network: Vec<u8>,
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

/// Measures, prints a table or JSON.
pub(crate) fn runtime(output: Output) -> Result<(), Failure> {
    let bench = Bench::open()?;
    let measured: Vec<Measured> =
        BATCHES.into_iter().map(|(rows, rounds)| bench.measure(rows, rounds)).collect::<Result<_, _>>()?;
    let mut figures = Figures::default();
    for measured in &measured {
        measured.note(&mut figures);
    }
    output.show(&figures, |output| draw(output, &bench, &measured));
    Ok(())
}

impl Bench {
    fn open() -> Result<Self, Failure> {
        let fail = |error: &dyn std::error::Error| Failure::new(error);
        let runtime = Runtime::start(&Places::of_process(None)).map_err(|error| fail(&error))?;
        let verified =
            Verified::trusting(&machine::plugin_directory(PLUGIN)?).map_err(|error| fail(&error))?;
        let file = verified.models().first().map(|model| model.path.clone()).unwrap_or_default();
        let network = std::fs::read(&file).map_err(|error| fail(&error))?;
        let plugin =
            Plugin::load(&runtime, verified, &LoadOptions::default()).map_err(|error| fail(&error))?;
        Ok(Self { runtime, plugin, network })
    }

    fn measure(&self, rows: usize, rounds: usize) -> Result<Measured, Failure> {
        let fail = |error: &dyn std::error::Error| Failure::new(error);
        let transactions = Transactions::new(rows);
        let batch = transactions.to_batch(self.plugin.schema()).map_err(|error| fail(&error))?;
        let mut ready = vec![0.0; rows * FEATURES];
        transactions.write_features(&mut ready);
        let mut bare = Bare::new(&self.runtime, &self.network, rows).map_err(|error| fail(&error))?;
        let mut plain = Bare::new(&self.runtime, &self.network, rows).map_err(|error| fail(&error))?;
        plain.features_mut().copy_from_slice(&ready);
        let mut bound = Bound::new(&self.runtime, &self.network, &ready).map_err(|error| fail(&error))?;
        let model = Model::from_bytes(&self.runtime, &self.network, 1, 1).map_err(|error| fail(&error))?;
        self.compare(&batch, &mut plain)?;

        const RAN: &str = "a call that was just made on the same input succeeds again";
        let (empty, shape) = (batch.slice(0, 0), [rows as i64, FEATURES as i64]);
        let (mut scores, mut features) = (vec![0.0f32; rows], ready.clone());
        let ways: [Way<'_>; 7] = [
            Box::new(|| {
                black_box(self.plugin.predict(black_box(&batch)).expect(RAN).numbers().map(<[f32]>::len));
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
                black_box(self.plugin.predict(black_box(&empty)).expect(RAN).len());
            }),
        ];
        let [runtime, bare, plain, bound, network, features, empty] = take_turns(ways, rounds);
        Ok(Measured { rows, runtime, bare, plain, bound, network, features, empty })
    }

    /// Makes sure that both sides compute the same before their speed is compared.
    fn compare(&self, batch: &RecordBatch, plain: &mut Bare) -> Result<(), Failure> {
        let predictions = self.plugin.predict(batch).map_err(|error| Failure::new(&error))?;
        let expected = plain.run(<[f32]>::to_vec).map_err(|error| Failure::new(&error))?;
        match predictions.numbers() {
            Some(found) if found == expected => Ok(()),
            found => Err(Failure::words(format!(
                "the runtime and the bare network disagree on {} records: {found:?} and {expected:?}",
                batch.num_rows()
            ))),
        }
    }
}

impl Measured {
    /// What the runtime is compared with: one record with the network alone, more with features and network.
    fn compared(&self) -> &Times {
        if self.rows == 1 { &self.plain } else { &self.bare }
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
        set("extra", "_us", self.runtime.more_than(self.compared()));
        set("ratio_to_bare", "", self.runtime.ratio_to(self.compared()));
    }
}

fn draw(output: Output, bench: &Bench, measured: &[Measured]) {
    output.line(&machine::describe());
    output.line(&format!(
        "ONNX Runtime {}, one thread; medians over rounds, by the clock on the wall (by processor time)",
        bench.runtime.version()
    ));
    for measured in measured {
        draw_one(output, measured);
    }
}

fn draw_one(output: Output, measured: &Measured) {
    let rows = measured.rows;
    output.line(&format!("\n{rows} record{} in a call", if rows == 1 { "" } else { "s" }));
    let what = if rows == 1 {
        "the network alone, on ready features"
    } else {
        "features in plain Rust, then the network"
    };
    let lines = [
        ("through the runtime", &measured.runtime),
        (what, measured.compared()),
        ("  network, input and output bound once", &measured.bound),
        ("  network, as the runtime runs it", &measured.network),
        ("  features in plain Rust", &measured.features),
        ("  a call without records: lending, boundary, taking over", &measured.empty),
    ];
    output.table(
        &["", "us#", "(cpu)#"],
        lines.into_iter().map(|(what, times)| {
            let reading = times.call();
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

fn verdict(met: bool) -> &'static str {
    if met { "met" } else { "missed" }
}
