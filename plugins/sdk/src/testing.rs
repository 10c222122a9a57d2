//! Trying a plugin in its own tests: records by hand, and functions in the place of networks.
//!
//! ```
//! use foretell_sdk::testing::{Array, Rehearsal};
//! use foretell_sdk::{Column, Error, Model, Open, Plugin, Records, Scores, Tensor, TensorMut};
//!
//! struct Rain {
//!     humidity: Column<f64>,
//!     network: Model,
//! }
//!
//! impl Plugin for Rain {
//!     type Predictions = Scores;
//!
//!     fn open(request: &Open<'_>) -> Result<Self, Error> {
//!         Ok(Self { humidity: request.column("humidity")?, network: request.model("network")? })
//!     }
//!
//!     fn predict(&self, records: &Records<'_>, scores: &mut Scores) -> Result<(), Error> {
//!         let rows = records.len() as i64;
//!         let input: Vec<f32> = records.column(self.humidity).values().iter().map(|&value| value as f32).collect();
//!         let output = TensorMut::new(scores.fill(records.len()), std::slice::from_ref(&rows))?;
//!         self.network.run(&[Tensor::new(&input, &[rows, 1])?], &mut [output])
//!     }
//! }
//!
//! let rehearsal = Rehearsal::default().numbers("humidity", [Some(40.0), Some(90.0)]).network("network", |inputs| {
//!     assert_eq!(inputs[0].shape, [2, 1]);
//!     vec![Array::new(&[2], inputs[0].numbers.iter().map(|humidity| humidity / 100.0))]
//! });
//! let scores = rehearsal.predict::<Rain>()?;
//! assert_eq!(scores.as_slice(), [0.4, 0.9]);
//! # Ok::<(), Error>(())
//! ```
//!
//! What a rehearsal does not show is how the plugin gets on with its real network and its manifest: `foretell plugin install`
//! and a job over a few records do. It lends no files of data, and knows no history.

use std::ffi::CString;

use foretell_abi as abi;
use foretell_abi::{ArrowArray, ArrowSchema, Bytes, DLDataType, DLTensor, STATUS_INVALID, STATUS_OK, Status};

use crate::boundary::guarded;
use crate::image::Shape;
use crate::owned::{Buffer, Type, Values};
use crate::{Error, Host, Open, Plugin, Predictions, Records};

/// A tensor, as a network in a test sees and gives it.
#[derive(Clone, Debug, PartialEq)]
pub struct Array {
    /// Its sides.
    pub shape: Vec<usize>,
    /// Its numbers, row by row, whatever their type: true is 1.
    pub numbers: Vec<f64>,
}

impl Array {
    /// A tensor of a shape with these numbers, row by row.
    pub fn new(shape: &[usize], numbers: impl IntoIterator<Item = f64>) -> Self {
        Self { shape: shape.to_vec(), numbers: numbers.into_iter().collect() }
    }
}

/// What stands in the place of a network: all of its outputs, from its inputs.
type Network = Box<dyn Fn(&[Array]) -> Vec<Array> + Send + Sync>;

/// A column, as a test states it.
enum Column {
    Numbers(Vec<Option<f64>>),
    Whole(Vec<Option<i64>>),
    Times(Vec<Option<i64>>),
    Flags(Vec<Option<bool>>),
    Texts(Vec<Option<String>>),
    Images(Shape, Vec<Vec<u8>>),
}

/// Records, settings and networks for a plugin that is tried: see the [module](self).
#[derive(Default)]
pub struct Rehearsal {
    columns: Vec<(String, Column)>,
    config: Option<String>,
    networks: Vec<(String, Network)>,
}

impl Rehearsal {
    fn column(mut self, name: &str, column: Column) -> Self {
        self.columns.push((name.to_owned(), column));
        self
    }

    /// Adds a column of type `float64`; `None` is missing.
    #[must_use]
    pub fn numbers(self, name: &str, rows: impl IntoIterator<Item = Option<f64>>) -> Self {
        self.column(name, Column::Numbers(rows.into_iter().collect()))
    }

    /// Adds a column of type `int64`.
    #[must_use]
    pub fn whole_numbers(self, name: &str, rows: impl IntoIterator<Item = Option<i64>>) -> Self {
        self.column(name, Column::Whole(rows.into_iter().collect()))
    }

    /// Adds a column of type `timestamp`: microseconds since 1970-01-01 UTC.
    #[must_use]
    pub fn times(self, name: &str, rows: impl IntoIterator<Item = Option<i64>>) -> Self {
        self.column(name, Column::Times(rows.into_iter().collect()))
    }

    /// Adds a column of type `bool`.
    #[must_use]
    pub fn flags(self, name: &str, rows: impl IntoIterator<Item = Option<bool>>) -> Self {
        self.column(name, Column::Flags(rows.into_iter().collect()))
    }

    /// Adds a column of type `utf8` or `category`.
    #[must_use]
    pub fn texts<'t>(self, name: &str, rows: impl IntoIterator<Item = Option<&'t str>>) -> Self {
        let rows = rows.into_iter().map(|text| text.map(str::to_owned)).collect();
        self.column(name, Column::Texts(rows))
    }

    /// Adds a column of images of 8-bit samples, all of the same height, width and channels.
    #[must_use]
    pub fn images(self, name: &str, shape: Shape, rows: impl IntoIterator<Item = Vec<u8>>) -> Self {
        self.column(name, Column::Images(shape, rows.into_iter().collect()))
    }

    /// States the settings, a JSON object; there are none unless they are stated.
    #[must_use]
    pub fn config(mut self, json: &str) -> Self {
        self.config = Some(json.to_owned());
        self
    }

    /// Puts a function in the place of the network that the manifest lists under `name`.
    #[must_use]
    pub fn network(
        mut self,
        name: &str,
        network: impl Fn(&[Array]) -> Vec<Array> + Send + Sync + 'static,
    ) -> Self {
        self.networks.push((name.to_owned(), Box::new(network)));
        self
    }

    /// Opens the plugin, and has it predict the records. Fails where the plugin does, in its words.
    ///
    /// # Panics
    /// Where the test is wrong: columns of different lengths, names or images that can't be; or where the plugin answers for
    /// another number of records.
    #[expect(unsafe_code, reason = "lends records and a table as a host does")]
    pub fn predict<P: Plugin>(&self) -> Result<P::Predictions, Error> {
        let rows = self.columns.first().map_or(0, |(_, column)| column.len());
        for (name, column) in &self.columns {
            assert_eq!(column.len(), rows, "rows of column `{name}`");
        }
        let (types, values) =
            self.columns.iter().map(|(name, column)| (column.kind(name), column.values())).unzip();
        let schema = Owned(Type::structure(c"", types).into_schema());
        let array = Owned(Values::structure(rows, values).into_array());
        let table = abi::Host {
            size: size_of::<abi::Host>(),
            abi_major: abi::ABI_MAJOR,
            abi_minor: abi::ABI_MINOR,
            context: std::ptr::from_ref(self).cast(),
            model_open: Some(model_open),
            model_run: Some(model_run),
            log: None,
            is_cancelled: None,
            capability: None,
        };
        let config = self.config.as_deref().unwrap_or("{}");
        // SAFETY: table, schema and settings outlive the plugin, which is dropped at the end of this function.
        let open = unsafe {
            Open::read(&raw const schema.0, Bytes::new(config.as_bytes()), Host::new(&raw const table))
        }?;
        let plugin = P::open(&open)?;
        // SAFETY: the array was made for the types of the schema.
        let records = unsafe { Records::new(&array.0) };
        let mut predictions = P::Predictions::with_capacity(rows);
        plugin.predict(&records, &mut predictions)?;
        assert_eq!(predictions.len(), rows, "one prediction for each record");
        Ok(predictions)
    }
}

/// An Arrow struct that is released when it is dropped.
struct Owned<T: Release>(T);

impl<T: Release> Drop for Owned<T> {
    fn drop(&mut self) {
        self.0.release();
    }
}

trait Release {
    fn release(&mut self);
}

impl Release for ArrowSchema {
    #[expect(unsafe_code, reason = "releases what was made here")]
    fn release(&mut self) {
        if let Some(release) = self.release {
            // SAFETY: made by `into_schema`, and not released yet.
            unsafe { release(self) };
        }
    }
}

impl Release for ArrowArray {
    #[expect(unsafe_code, reason = "releases what was made here")]
    fn release(&mut self) {
        if let Some(release) = self.release {
            // SAFETY: made by `into_array`, and not released yet.
            unsafe { release(self) };
        }
    }
}

impl Column {
    fn len(&self) -> usize {
        match self {
            Self::Numbers(rows) => rows.len(),
            Self::Whole(rows) | Self::Times(rows) => rows.len(),
            Self::Flags(rows) => rows.len(),
            Self::Texts(rows) => rows.len(),
            Self::Images(_, rows) => rows.len(),
        }
    }

    /// Whether a row is missing: only then may any be, as with an input that is required.
    fn is_nullable(&self) -> bool {
        match self {
            Self::Numbers(rows) => rows.contains(&None),
            Self::Whole(rows) | Self::Times(rows) => rows.contains(&None),
            Self::Flags(rows) => rows.contains(&None),
            Self::Texts(rows) => rows.contains(&None),
            Self::Images(..) => false,
        }
    }

    fn kind(&self, name: &str) -> Type {
        let name = CString::new(name).expect("a column's name has no zero byte");
        let kind = match self {
            Self::Numbers(_) => Type::leaf(name, c"g"),
            Self::Whole(_) => Type::leaf(name, c"l"),
            Self::Times(_) => Type::leaf(name, c"tsu:UTC"),
            Self::Flags(_) => Type::leaf(name, c"b"),
            Self::Texts(_) => Type::leaf(name, c"u"),
            Self::Images(..) => {
                let samples = Type::list(c"data", Type::leaf(c"item", c"C"));
                let sides = Type::fixed_list(c"shape", Type::leaf(c"item", c"i"), 3);
                Type::structure(name, vec![samples, sides])
            }
        };
        if self.is_nullable() { kind.nullable() } else { kind }
    }

    fn values(&self) -> Values {
        match self {
            Self::Numbers(rows) => {
                let values = rows.iter().map(|row| row.unwrap_or_default()).collect();
                leaf(rows, [Buffer::Doubles(values), Buffer::Unused])
            }
            Self::Whole(rows) | Self::Times(rows) => {
                let values = rows.iter().map(|row| row.unwrap_or_default()).collect();
                leaf(rows, [Buffer::Longs(values), Buffer::Unused])
            }
            Self::Flags(rows) => {
                let values = bitmap(rows.iter().map(|row| row.unwrap_or_default()));
                leaf(rows, [Buffer::Bytes(values), Buffer::Unused])
            }
            Self::Texts(rows) => {
                let mut offsets = vec![0];
                let mut bytes = Vec::new();
                for row in rows {
                    bytes.extend(row.as_deref().unwrap_or_default().bytes());
                    offsets.push(bytes.len() as i32);
                }
                leaf(rows, [Buffer::Offsets(offsets), Buffer::Bytes(bytes)])
            }
            Self::Images(shape, rows) => {
                let samples: usize = shape.iter().product();
                assert!(rows.iter().all(|row| row.len() == samples), "{samples} samples in each image");
                let offsets = (0..=rows.len()).map(|row| (row * samples) as i32).collect();
                let sides = rows.iter().flat_map(|_| shape.map(|side| side as i32)).collect();
                let data = Values::lists(offsets, Values::bytes(rows.concat()));
                let shapes = Values::fixed_lists(rows.len(), Values::integers(sides));
                Values::structure(rows.len(), vec![data, shapes])
            }
        }
    }
}

fn leaf<T>(rows: &[Option<T>], [first, second]: [Buffer; 2]) -> Values {
    let nulls = rows.iter().filter(|row| row.is_none()).count();
    let validity = match nulls {
        0 => Buffer::Absent,
        _ => Buffer::Bytes(bitmap(rows.iter().map(Option::is_some))),
    };
    Values { length: rows.len(), nulls, buffers: [validity, first, second], children: Vec::new() }
}

fn bitmap(bits: impl ExactSizeIterator<Item = bool>) -> Vec<u8> {
    let mut bytes = vec![0; bits.len().div_ceil(8)];
    for (row, bit) in bits.enumerate() {
        bytes[row / 8] |= u8::from(bit) << (row % 8);
    }
    bytes
}

#[expect(unsafe_code, reason = "called by the plugin through the C interface")]
unsafe extern "C" fn model_open(
    context: *const abi::HostContext,
    name: Bytes,
    model: *mut *const abi::Model,
    error: *mut abi::Error,
) -> Status {
    // SAFETY: the context is the rehearsal that made the table, and the rest is lent for the call.
    unsafe {
        let rehearsal = &*context.cast::<Rehearsal>();
        let name = name.as_slice();
        match rehearsal.networks.iter().find(|(known, _)| known.as_bytes() == name) {
            Some((_, network)) => *model = std::ptr::from_ref(network).cast(),
            None => {
                (*error).set(&format!("the rehearsal has no network `{}`", String::from_utf8_lossy(name)));
                return STATUS_INVALID;
            }
        }
    }
    STATUS_OK
}

#[expect(unsafe_code, reason = "called by the plugin through the C interface")]
unsafe extern "C" fn model_run(
    _context: *const abi::HostContext,
    model: *const abi::Model,
    inputs: *const DLTensor,
    inputs_count: usize,
    outputs: *mut DLTensor,
    outputs_count: usize,
    error: *mut abi::Error,
) -> Status {
    // What the test's own function panics with must not unwind through C; it becomes the plugin's error.
    guarded(error, || {
        // SAFETY: the model was given by `model_open`, and tensors are the SDK's own: dense, in main memory, lent for the call.
        unsafe {
            let network = &*model.cast::<Network>();
            let inputs = std::slice::from_raw_parts(inputs, inputs_count);
            let inputs: Vec<_> = inputs.iter().map(|tensor| read(tensor)).collect();
            let answered = network(&inputs);
            for (place, output) in std::slice::from_raw_parts(outputs, outputs_count).iter().enumerate() {
                let missing = || Error::invalid(format!("the network in the test gives no output {place}"));
                write(output, answered.get(place).ok_or_else(missing)?)?;
            }
        }
        Ok(())
    })
}

/// An element of a tensor, as a test writes numbers.
trait Cell: Copy {
    fn number(self) -> f64;
    fn of(number: f64) -> Self;
}

impl Cell for f64 {
    fn number(self) -> f64 {
        self
    }

    fn of(number: f64) -> Self {
        number
    }
}

macro_rules! cells {
    ($($type:ty),+) => {
        $(impl Cell for $type {
            fn number(self) -> f64 {
                self as f64
            }

            fn of(number: f64) -> Self {
                number as $type
            }
        })+
    };
}
cells!(f32, i32, i64, u8);

/// A boolean of a tensor: a byte, and no other than 0 or 1, since a plugin reads it as a `bool`.
#[derive(Clone, Copy)]
#[repr(transparent)]
struct Flag(u8);

impl Cell for Flag {
    fn number(self) -> f64 {
        f64::from(self.0)
    }

    fn of(number: f64) -> Self {
        Self(u8::from(number != 0.0))
    }
}

/// Types of elements, each with its own lines for reading and writing.
macro_rules! elements {
    ($tensor:expr, $pointer:ident, $element:ident => $work:expr) => {
        match $tensor.dtype {
            DLDataType::F32 => elements!(@ $tensor, $pointer, $element, f32, $work),
            DLDataType::F64 => elements!(@ $tensor, $pointer, $element, f64, $work),
            DLDataType::I32 => elements!(@ $tensor, $pointer, $element, i32, $work),
            DLDataType::I64 => elements!(@ $tensor, $pointer, $element, i64, $work),
            DLDataType::BOOL => elements!(@ $tensor, $pointer, $element, Flag, $work),
            _ => elements!(@ $tensor, $pointer, $element, u8, $work),
        }
    };
    (@ $tensor:expr, $pointer:ident, $element:ident, $type:ty, $work:expr) => {{
        type $element = $type;
        let $pointer = $tensor.data.cast::<$type>();
        $work
    }};
}

#[expect(unsafe_code, reason = "reads the tensors that a plugin lends")]
unsafe fn sides(tensor: &DLTensor) -> Vec<usize> {
    // SAFETY: the caller vouches for a tensor with `ndim` sides.
    let sides = unsafe { std::slice::from_raw_parts(tensor.shape, tensor.ndim as usize) };
    sides.iter().map(|&side| side as usize).collect()
}

#[expect(unsafe_code, reason = "reads the tensors that a plugin lends")]
unsafe fn read(tensor: &DLTensor) -> Array {
    // SAFETY: the caller vouches for a dense tensor with as many elements as its shape says.
    unsafe {
        let shape = sides(tensor);
        let count: usize = shape.iter().product();
        let numbers = elements!(tensor, pointer, Element => {
            let elements: &[Element] = std::slice::from_raw_parts(pointer, count);
            elements.iter().map(|element| element.number()).collect()
        });
        Array { shape, numbers }
    }
}

#[expect(unsafe_code, reason = "writes the tensors that a plugin lends")]
unsafe fn write(tensor: &DLTensor, answer: &Array) -> Result<(), Error> {
    // SAFETY: as for `read`.
    unsafe {
        let shape = sides(tensor);
        let count: usize = shape.iter().product();
        if answer.shape != shape || answer.numbers.len() != count {
            return Err(Error::invalid(format!(
                "the network in the test gives {} numbers of shape {:?}; the plugin made room for {shape:?}",
                answer.numbers.len(),
                answer.shape
            )));
        }
        elements!(tensor, pointer, Element => {
            for (place, number) in answer.numbers.iter().enumerate() {
                pointer.add(place).write(Element::of(*number));
            }
        });
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Model, Scores, Tensor, TensorMut};

    /// Gives 1 where its network says true.
    struct Judge(Model);

    impl Plugin for Judge {
        type Predictions = Scores;

        fn open(request: &Open<'_>) -> Result<Self, Error> {
            Ok(Self(request.model("network")?))
        }

        fn predict(&self, records: &Records<'_>, scores: &mut Scores) -> Result<(), Error> {
            let rows = records.len() as i64;
            let given = vec![true; records.len()];
            let mut said = vec![false; records.len()];
            let output = TensorMut::new(&mut said, std::slice::from_ref(&rows))?;
            self.0.run(&[Tensor::new(&given, &[rows])?], &mut [output])?;
            for (score, said) in scores.fill(records.len()).iter_mut().zip(said) {
                *score = f32::from(u8::from(said));
            }
            Ok(())
        }
    }

    /// A `bool` of another byte than 0 and 1 is undefined.
    #[test]
    fn whatever_is_not_zero_is_true() {
        let numbers = [0.0, 1.0, 2.0, 0.5, -1.0, 256.0, f64::NAN, -0.0];
        let rows = [0; 8].map(Some);
        let rehearsal = Rehearsal::default().whole_numbers("row", rows).network("network", move |inputs| {
            assert_eq!(inputs, [Array::new(&[8], [1.0; 8])]);
            vec![Array::new(&[8], numbers)]
        });
        let scores = rehearsal.predict::<Judge>().unwrap();
        assert_eq!(scores.as_slice(), [0.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 0.0]);
    }
}
