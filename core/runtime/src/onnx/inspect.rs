//! Looking at a network of which nothing is known: what it takes and gives, what its file says of itself, and what it answers.
//!
//! [`Model`](super::Model) writes outputs into the caller's memory, so their shapes must be known. Here ONNX Runtime makes them.

use std::{collections::BTreeMap, sync::Arc};

use ort::value::{DynValue, TensorRef, ValueType};

use super::{
    environment::Runtime,
    model::{ModelError, ModelErrorKind, open, refused, specs},
    session::RunError,
    tensor::{Element, TensorSpec},
};
use crate::hash::Hash;

/// Most numbers of an answer that are looked at: 256 MB.
const NUMBERS_MAX: usize = 1 << 26;

/// A network that is looked at.
#[derive(Debug)]
pub struct Inspection {
    session: ort::session::Session,
    inputs: Vec<TensorSpec>,
    outputs: Vec<TensorSpec>,
    metadata: BTreeMap<String, String>,
}

/// Numbers to show to a network.
#[derive(Debug, Clone, Copy)]
pub enum Samples<'a> {
    /// 32-bit floating-point numbers.
    Floats(&'a [f32]),
    /// Bytes.
    Bytes(&'a [u8]),
}

/// An output, as a run made it.
#[derive(Debug, Clone, PartialEq)]
pub struct Answered {
    /// Its name in the network.
    pub name: String,
    /// Type of its elements.
    pub element: Element,
    /// Its shape.
    pub shape: Vec<usize>,
    /// Its numbers, row by row: whole ones as the nearest `f32`. Empty for 16-bit floating-point numbers, which nothing here reads.
    pub numbers: Vec<f32>,
}

/// Opens a network from the bytes of its file, to look at it.
pub fn inspect(runtime: &Arc<Runtime>, bytes: impl AsRef<[u8]>) -> Result<Inspection, ModelError> {
    let bytes = bytes.as_ref();
    look(runtime, bytes).map_err(|kind| ModelError { model: Hash::of(bytes).to_string(), kind })
}

fn look(runtime: &Runtime, bytes: &[u8]) -> Result<Inspection, ModelErrorKind> {
    let session = open(runtime, bytes, 1).map_err(|error| refused(runtime, &error))?;
    let inputs = specs("input", session.inputs())?;
    let outputs = specs("output", session.outputs())?;
    let mut metadata = BTreeMap::new();
    // A file that says nothing of itself is no reason not to look at its network.
    if let Ok(said) = session.metadata() {
        for key in said.custom_keys().unwrap_or_default() {
            let value = said.custom(&key).unwrap_or_default();
            metadata.insert(key, value);
        }
    }
    Ok(Inspection { session, inputs, outputs, metadata })
}

impl Inspection {
    /// What it takes.
    pub fn inputs(&self) -> &[TensorSpec] {
        &self.inputs
    }

    /// What it gives.
    pub fn outputs(&self) -> &[TensorSpec] {
        &self.outputs
    }

    /// What its file says of itself, by key: an exporter's own words.
    pub fn metadata(&self) -> &BTreeMap<String, String> {
        &self.metadata
    }

    /// Shows it one tensor of a shape, row by row, and gives all of its outputs, in its own order.
    pub fn run(&mut self, shape: &[usize], samples: Samples<'_>) -> Result<Vec<Answered>, RunError> {
        let [input] = &self.inputs[..] else {
            return Err(RunError::Count { side: "inputs", expected: self.inputs.len(), found: 1 });
        };
        let failed = |error: ort::Error| RunError::Failed(error.message().trim_end().to_owned());
        let name = input.name.as_str();
        let inputs = match samples {
            Samples::Floats(samples) => {
                ort::inputs![name => TensorRef::from_array_view((shape, samples)).map_err(failed)?]
            }
            Samples::Bytes(samples) => {
                ort::inputs![name => TensorRef::from_array_view((shape, samples)).map_err(failed)?]
            }
        };
        let answered = self.session.run(inputs).map_err(failed)?;
        let outputs = self.outputs.iter().map(|spec| {
            let value = answered.get(&spec.name);
            value.and_then(|value| read(&spec.name, value)).ok_or_else(|| {
                RunError::Failed(format!(
                    "output `{}` holds no tensor of at most {NUMBERS_MAX} numbers",
                    spec.name
                ))
            })
        });
        outputs.collect()
    }
}

/// An output's numbers; `None` if it is no tensor, or too large.
fn read(name: &str, value: &DynValue) -> Option<Answered> {
    let ValueType::Tensor { ty, shape, .. } = value.dtype() else { return None };
    let element = Element::declared(*ty)?;
    let shape: Vec<usize> = shape.iter().map(|&side| usize::try_from(side)).collect::<Result<_, _>>().ok()?;
    let count = shape.iter().try_fold(1usize, |count, &side| count.checked_mul(side))?;
    if count > NUMBERS_MAX {
        return None;
    }
    macro_rules! numbers {
        ($type:ty) => {
            value.try_extract_tensor::<$type>().ok()?.1.iter().map(|&number| number as f32).collect()
        };
    }
    let numbers: Vec<f32> = match element {
        // Nothing stands at the address of an empty tensor.
        _ if count == 0 => Vec::new(),
        Element::F32 => numbers!(f32),
        Element::F64 => numbers!(f64),
        Element::I8 => numbers!(i8),
        Element::I16 => numbers!(i16),
        Element::I32 => numbers!(i32),
        Element::I64 => numbers!(i64),
        Element::U8 => numbers!(u8),
        Element::U16 => numbers!(u16),
        Element::U32 => numbers!(u32),
        Element::U64 => numbers!(u64),
        Element::Bool => {
            value.try_extract_tensor::<bool>().ok()?.1.iter().map(|&said| f32::from(u8::from(said))).collect()
        }
        Element::F16 => Vec::new(),
    };
    Some(Answered { name: name.to_owned(), element, shape, numbers })
}
