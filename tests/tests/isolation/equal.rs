//! With isolation and without it, a plugin says the same, to the bit.

use std::sync::Arc;

use arrow_array::{
    Array, ArrayRef, BooleanArray, FixedSizeListArray, Float32Array, Float64Array, Int32Array, Int64Array,
    ListArray, RecordBatch, StringArray, StructArray, TimestampMicrosecondArray, UInt8Array, UInt16Array,
};
use arrow_schema::DataType;
use foretell_runtime::manifest::{Channels, Image, Input};
use foretell_runtime::plugin::{LoadOptions, Plugin};
use foretell_runtime::trust::Verified;
use foretell_tests::{build_directory, onnx_runtime};
use rand::RngExt;
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::SeedableRng;

use super::{LIMITS, isolating};

/// Where the random numbers begin.
const SEED: u64 = 20_261_129;
/// Records of each batch.
const BATCHES: [usize; 4] = [0, 1, 3, 1];
/// Items of a list at most.
const ITEMS_MAX: usize = 6;
/// Sides of an image whose size the plugin leaves open.
const IMAGE: (i32, i32) = (64, 96);
/// Shipped plugins that answer records at random, and not only refuse them.
const ANSWERING: [&str; 11] = [
    "fraud-feed-forward",
    "medical-brain-outline",
    "medical-brain-tumor",
    "medical-chest-xray",
    "retail-demand",
    "retail-item-knn",
    "retail-next-item",
    "standard-classifier",
    "standard-tabular",
    "vehicle-detector",
    "vehicle-signs",
];

/// Values at random that a manifest allows.
struct Values(ChaCha8Rng);

impl Values {
    fn column(&mut self, kind: &DataType, input: Option<&Input>, rows: usize) -> ArrayRef {
        if let Some(image) = input.and_then(Input::picture) {
            return self.images(kind, &image, rows);
        }
        let minimum = input.and_then(|input| input.minimum).unwrap_or(0.0);
        let maximum = input.and_then(|input| input.maximum).unwrap_or(minimum + 50.0).min(minimum + 1e6);
        let mut number = || self.0.random_range(minimum..=maximum);
        match kind {
            DataType::Float64 => Arc::new(Float64Array::from_iter_values((0..rows).map(|_| number()))),
            DataType::Float32 => Arc::new(Float32Array::from_iter_values((0..rows).map(|_| number() as f32))),
            DataType::Int64 => {
                Arc::new(Int64Array::from_iter_values((0..rows).map(|_| number().floor() as i64)))
            }
            DataType::Int32 => {
                Arc::new(Int32Array::from_iter_values((0..rows).map(|_| number().floor() as i32)))
            }
            DataType::UInt8 => Arc::new(UInt8Array::from_iter_values((0..rows).map(|_| number() as u8))),
            DataType::UInt16 => Arc::new(UInt16Array::from_iter_values((0..rows).map(|_| number() as u16))),
            DataType::Boolean => {
                Arc::new((0..rows).map(|_| Some(self.0.random_bool(0.5))).collect::<BooleanArray>())
            }
            DataType::Timestamp(..) => {
                let day = 86_400_000_000_i64;
                let times = (0..rows as i64).map(|row| 1_600_000_000_000_000 + row * day);
                Arc::new(TimestampMicrosecondArray::from_iter_values(times))
            }
            DataType::Utf8 => {
                let allowed = input.map(|input| input.allowed.clone()).filter(|allowed| !allowed.is_empty());
                let texts = allowed.unwrap_or_else(|| ["tea", "milk", "7", "ä"].map(str::to_owned).to_vec());
                let text = |_| texts[self.0.random_range(0..texts.len())].clone();
                Arc::new(StringArray::from_iter_values((0..rows).map(text)))
            }
            DataType::List(item) => {
                let lengths: Vec<usize> = (0..rows).map(|_| self.0.random_range(0..=ITEMS_MAX)).collect();
                let values = self.column(item.data_type(), input, lengths.iter().sum());
                let offsets = arrow_array::types::Int32Type::offsets(&lengths);
                Arc::new(ListArray::new(Arc::clone(item), offsets, values, None))
            }
            DataType::FixedSizeList(item, length) => {
                let values = self.column(item.data_type(), input, rows * *length as usize);
                Arc::new(FixedSizeListArray::new(Arc::clone(item), *length, values, None))
            }
            DataType::Struct(fields) => {
                let columns = fields.iter().map(|field| self.column(field.data_type(), None, rows));
                Arc::new(StructArray::new(fields.clone(), columns.collect(), None))
            }
            other => panic!("no plugin has a column of {other}"),
        }
    }

    fn images(&mut self, kind: &DataType, image: &Image, rows: usize) -> ArrayRef {
        let DataType::Struct(fields) = kind else { panic!("an image is a struct, and this is {kind}") };
        let (DataType::List(sample), DataType::FixedSizeList(side, _)) =
            (fields[0].data_type(), fields[1].data_type())
        else {
            panic!("an image is samples and a shape, and this is {kind}")
        };
        let (width, height) =
            image.size().map_or((IMAGE.1, IMAGE.0), |(width, height)| (width as i32, height as i32));
        let channels = if image.channels == Channels::Grey { 1 } else { 3 };
        let samples = (width * height * channels) as usize;
        let values = self.column(sample.data_type(), None, rows * samples);
        let offsets = arrow_array::types::Int32Type::offsets(&vec![samples; rows]);
        let data = ListArray::new(Arc::clone(sample), offsets, values, None);
        let shape = Int32Array::from_iter_values((0..rows).flat_map(|_| [height, width, channels]));
        let shape = FixedSizeListArray::new(Arc::clone(side), 3, Arc::new(shape), None);
        Arc::new(StructArray::new(fields.clone(), vec![Arc::new(data), Arc::new(shape)], None))
    }

    fn batch(&mut self, plugin: &Plugin, rows: usize) -> RecordBatch {
        let inputs = &plugin.manifest().inputs;
        let schema = plugin.schema();
        let columns = schema.fields().iter().map(|field| {
            let input = inputs.iter().find(|input| input.name == *field.name());
            self.column(field.data_type(), input, rows)
        });
        RecordBatch::try_new(Arc::clone(schema), columns.collect()).unwrap()
    }
}

/// Lengths of lists as offsets.
trait Offsets {
    fn offsets(lengths: &[usize]) -> arrow_buffer::OffsetBuffer<i32>;
}

impl Offsets for arrow_array::types::Int32Type {
    fn offsets(lengths: &[usize]) -> arrow_buffer::OffsetBuffer<i32> {
        arrow_buffer::OffsetBuffer::from_lengths(lengths.iter().copied())
    }
}

#[test]
fn every_shipped_plugin_says_the_same() {
    let directory = build_directory().join("plugins");
    let found = std::fs::read_dir(&directory);
    let found =
        found.unwrap_or_else(|_| panic!("{} is not there; run `cargo xtask assemble`", directory.display()));
    let mut answering: Vec<String> = Vec::new();
    for place in found.map(|place| place.unwrap().path()).filter(|place| place.join("plugin.toml").exists()) {
        let verified = Verified::trusting(&place).unwrap();
        let options = LoadOptions { sessions: 1, ..LoadOptions::default() };
        let here = Plugin::load(&onnx_runtime(), verified.clone(), &options);
        let apart = Plugin::load(&isolating(LIMITS), verified, &options);
        let (here, apart) = match (here, apart) {
            (Ok(here), Ok(apart)) => (here, apart),
            (Err(here), Err(apart)) => {
                assert_eq!(here.to_string(), apart.to_string());
                continue;
            }
            (here, apart) => panic!("{here:?}, {apart:?}"),
        };
        let name = here.name();
        assert_eq!(
            (here.abi(), here.config(), here.schema(), here.has_attention()),
            (apart.abi(), apart.config(), apart.schema(), apart.has_attention()),
            "{name}"
        );
        let mut values = Values(ChaCha8Rng::seed_from_u64(SEED));
        let mut answers = 0;
        for rows in BATCHES {
            let batch = values.batch(&here, rows);
            let [said, again] = [&here, &apart].map(|plugin| {
                plugin.predict(&batch).map(|said| said.columns().clone()).map_err(|error| error.to_string())
            });
            assert_eq!(said, again, "{name}: {rows} records");
            answers += said.map_or(0, |said| said.len());
            if here.has_attention() {
                let [said, again] = [&here, &apart].map(|plugin| plugin.attend(&batch));
                assert_eq!(said, again, "{name}: {rows} records");
            }
        }
        if answers > 0 {
            answering.push(here.manifest().plugin.name.clone());
        }
    }
    for name in ANSWERING {
        assert!(answering.iter().any(|answering| answering == name), "{name} is not among {answering:?}");
    }
}
