//! The network of a package as it is stored: nodes and constants.

use std::collections::BTreeMap;
use std::ops::Range;

use serde::Deserialize;
use serde_json::Value;

use crate::archive::Archive;
use crate::error::{ConvertError, ConvertErrorKind, unfit};

/// Most nodes of a graph.
pub const NODES_MAX: usize = 100_000;
/// Most inputs of a node.
pub const INPUTS_MAX: usize = 1000;
/// Most dimensions of a constant.
pub const CONSTANT_DIMENSIONS_MAX: usize = 8;
/// File with the graph's description, in the package's folder.
const DESCRIPTION: &str = "model.json";
/// Bytes of a number, of floating point or whole.
const NUMBER_BYTES: usize = 4;

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Document {
    model_topology: Topology,
    weights_manifest: Vec<Group>,
}

#[derive(Deserialize)]
struct Topology {
    node: Vec<Node>,
}

/// Weights that lie behind each other in the joined files.
#[derive(Deserialize)]
struct Group {
    paths: Vec<String>,
    weights: Vec<Entry>,
}

#[derive(Deserialize)]
struct Entry {
    name: String,
    shape: Vec<usize>,
    dtype: String,
    quantization: Option<Value>,
}

/// A node as it is stored.
#[derive(Debug, Deserialize)]
pub(crate) struct Node {
    pub(crate) name: String,
    pub(crate) op: String,
    #[serde(default)]
    pub(crate) input: Vec<String>,
    #[serde(default)]
    attr: BTreeMap<String, Value>,
}

/// Type of a constant's numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Float32,
    Int32,
}

#[derive(Debug)]
struct Constant {
    kind: Kind,
    shape: Vec<usize>,
    bytes: Range<usize>,
}

/// The network of a package.
#[derive(Debug)]
pub struct Graph {
    nodes: BTreeMap<String, Node>,
    constants: BTreeMap<String, Constant>,
    weights: Vec<u8>,
}

impl Graph {
    /// Reads the graph model in a folder of an archive: `model.json`, and the files of weights that it names.
    ///
    /// Fails where a file is missing, the description is none, or the weights are more or less than it says.
    pub fn read(archive: &Archive, folder: &str) -> Result<Self, ConvertError> {
        let path = |name: &str| format!("{folder}/{name}");
        let place = format!("`{}`", path(DESCRIPTION));
        let fail = |kind| ConvertError::at(&*place, kind);
        let document: Document = serde_json::from_slice(archive.file(&path(DESCRIPTION))?)
            .map_err(|error| fail(ConvertErrorKind::Json(error.to_string())))?;
        if document.model_topology.node.len() > NODES_MAX {
            return Err(fail(ConvertErrorKind::TooMuch { unit: "nodes", max: NODES_MAX as u64 }));
        }
        if let Some(node) = document.model_topology.node.iter().find(|node| node.input.len() > INPUTS_MAX) {
            let kind = ConvertErrorKind::TooMuch { unit: "inputs", max: INPUTS_MAX as u64 };
            return Err(node.fail(kind));
        }
        let mut graph = Self { nodes: BTreeMap::new(), constants: BTreeMap::new(), weights: Vec::new() };
        for group in document.weights_manifest {
            let start = graph.weights.len();
            for name in &group.paths {
                let content = archive.file(&path(name))?;
                // A file that is named a thousand times is in the archive once.
                if (graph.weights.len() + content.len()) as u64 > crate::UNPACKED_BYTES_MAX {
                    let max = crate::UNPACKED_BYTES_MAX;
                    return Err(fail(ConvertErrorKind::TooMuch { unit: "bytes of weights", max }));
                }
                graph.weights.extend_from_slice(content);
            }
            let mut end = start;
            for entry in group.weights {
                let (name, constant) = constant(entry, end)?;
                end = constant.bytes.end;
                graph.constants.insert(name, constant);
            }
            if end != graph.weights.len() {
                let (expected, found) = ((end - start) as u64, (graph.weights.len() - start) as u64);
                return Err(fail(ConvertErrorKind::Weights { expected, found }));
            }
        }
        graph.nodes =
            document.model_topology.node.into_iter().map(|node| (node.name.clone(), node)).collect();
        Ok(graph)
    }

    pub(crate) fn node(&self, name: &str) -> Result<&Node, ConvertError> {
        self.nodes.get(name).ok_or_else(|| ConvertError::node(name, ConvertErrorKind::NoNode))
    }

    pub(crate) fn is_constant(&self, name: &str) -> bool {
        self.constants.contains_key(name)
    }

    fn constant(&self, name: &str, kind: Kind) -> Result<(&[usize], &[u8]), ConvertError> {
        let constant = self.constants.get(name);
        let constant = constant.ok_or_else(|| ConvertError::node(name, ConvertErrorKind::NoConstant))?;
        if constant.kind != kind {
            let unfit = unfit("its numbers", format!("{kind:?}"), format!("{:?}", constant.kind));
            return Err(ConvertError::node(name, unfit));
        }
        Ok((&constant.shape, &self.weights[constant.bytes.clone()]))
    }

    /// Shape and numbers of a constant, the last dimension varying fastest.
    pub(crate) fn floats(&self, name: &str) -> Result<(&[usize], Vec<f32>), ConvertError> {
        let (shape, bytes) = self.constant(name, Kind::Float32)?;
        let (numbers, _) = bytes.as_chunks::<NUMBER_BYTES>();
        Ok((shape, numbers.iter().map(|bytes| f32::from_le_bytes(*bytes)).collect()))
    }

    /// The whole numbers of a constant of one dimension or none.
    pub(crate) fn whole(&self, name: &str) -> Result<Vec<i64>, ConvertError> {
        let (shape, bytes) = self.constant(name, Kind::Int32)?;
        if shape.len() > 1 {
            let unfit = unfit("its shape", "one dimension at most", format!("{shape:?}"));
            return Err(ConvertError::node(name, unfit));
        }
        let (numbers, _) = bytes.as_chunks::<NUMBER_BYTES>();
        Ok(numbers.iter().map(|bytes| i64::from(i32::from_le_bytes(*bytes))).collect())
    }
}

/// A constant whose numbers begin at a place of the weights.
fn constant(entry: Entry, start: usize) -> Result<(String, Constant), ConvertError> {
    let Entry { name, shape, dtype, quantization } = entry;
    let kind = match (&*dtype, quantization) {
        ("float32", None) => Kind::Float32,
        ("int32", None) => Kind::Int32,
        (_, quantization) => {
            let found = if quantization.is_some() { format!("quantised {dtype}") } else { dtype };
            return Err(ConvertError::node(&name, unfit("its numbers", "float32 or int32", found)));
        }
    };
    let bytes = shape.iter().try_fold(NUMBER_BYTES, |bytes, &side| bytes.checked_mul(side));
    let end = bytes.and_then(|bytes| start.checked_add(bytes));
    match end {
        Some(end) if shape.len() <= CONSTANT_DIMENSIONS_MAX && end as u64 <= crate::UNPACKED_BYTES_MAX => {
            Ok((name, Constant { kind, shape, bytes: start..end }))
        }
        _ => {
            let expected = format!(
                "{CONSTANT_DIMENSIONS_MAX} dimensions at most, of as many numbers as there are weights"
            );
            Err(ConvertError::node(
                &name,
                unfit("its shape", expected, format!("{} dimensions", shape.len())),
            ))
        }
    }
}

impl Node {
    fn fail(&self, kind: ConvertErrorKind) -> ConvertError {
        ConvertError::node(&self.name, kind)
    }

    /// The name of the node that is read at a place; constants too.
    pub(crate) fn source(&self, place: usize) -> Result<&str, ConvertError> {
        let source = self.input.get(place).map(|name| base(name));
        source.ok_or_else(|| {
            let found = format!("{} inputs", self.input.len());
            self.fail(unfit("its inputs", format!("{} at least", place + 1), found))
        })
    }

    /// An attribute that is a word, stored as the numbers of its bytes.
    pub(crate) fn word(&self, key: &'static str) -> Result<Option<String>, ConvertError> {
        let Some(value) = self.attr.get(key) else { return Ok(None) };
        let bytes: Option<Vec<u8>> =
            value.get("s").and_then(|bytes| serde_json::from_value(bytes.clone()).ok());
        let word = bytes.and_then(|bytes| String::from_utf8(bytes).ok());
        let unfit = || self.fail(unfit(key, "the bytes of a word", shown(value)));
        word.map(Some).ok_or_else(unfit)
    }

    /// An attribute that is a list of whole numbers, which are stored as text.
    pub(crate) fn list(&self, key: &'static str) -> Result<Option<Vec<usize>>, ConvertError> {
        let Some(value) = self.attr.get(key) else { return Ok(None) };
        let number = |value: &Value| match value {
            Value::String(text) => text.parse().ok(),
            other => other.as_u64().and_then(|number| usize::try_from(number).ok()),
        };
        let list = value.pointer("/list/i").and_then(Value::as_array);
        let list = list.and_then(|list| list.iter().map(number).collect::<Option<Vec<usize>>>());
        list.map(Some).ok_or_else(|| self.fail(unfit(key, "a list of whole numbers", shown(value))))
    }

    /// An attribute that is a number.
    pub(crate) fn number(&self, key: &'static str) -> Result<Option<f32>, ConvertError> {
        let Some(value) = self.attr.get(key) else { return Ok(None) };
        let number = value.get("f").and_then(Value::as_f64);
        number
            .map(|number| Some(number as f32))
            .ok_or_else(|| self.fail(unfit(key, "a number", shown(value))))
    }

    /// An attribute that is true or false; false where it is not stated.
    pub(crate) fn truth(&self, key: &'static str) -> bool {
        self.attr.get(key).and_then(|value| value.get("b")).and_then(Value::as_bool).unwrap_or(false)
    }
}

/// The node of a reference, which may name one of its results, as in `split:1`.
fn base(reference: &str) -> &str {
    reference.split(':').next().unwrap_or(reference)
}

/// A value as a message shows it.
fn shown(value: &Value) -> String {
    /// Most characters of it.
    const CHARACTERS_MAX: usize = 80;
    value.to_string().chars().take(CHARACTERS_MAX).collect()
}
