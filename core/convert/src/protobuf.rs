//! ONNX as bytes: the few messages of its `onnx.proto` that a network needs, written and never read.
//!
//! A field is its number and how it is stored, in one varint, then a varint, four bytes, or a length and so many bytes
//! (protobuf's "Encoding"). Lists are written one element a field, as version 2 of the language does.

/// Version of the format.
const IR_VERSION: u64 = 8;
/// Version of the operations.
const OPSET: u64 = 17;
/// `TensorProto.DataType`.
const FLOAT: u64 = 1;
/// `TensorProto.DataType`.
const UINT8: u64 = 2;
/// `TensorProto.DataType`.
const INT64: u64 = 7;

/// A message that is being written.
#[derive(Default)]
struct Message(Vec<u8>);

impl Message {
    fn raw(&mut self, mut value: u64) {
        while value >= 0x80 {
            self.0.push(value as u8 | 0x80);
            value >>= 7;
        }
        self.0.push(value as u8);
    }

    fn varint(&mut self, field: u64, value: u64) {
        self.raw(field << 3);
        self.raw(value);
    }

    fn float(&mut self, field: u64, value: f32) {
        self.raw(field << 3 | 5);
        self.0.extend(value.to_le_bytes());
    }

    fn bytes(&mut self, field: u64, bytes: &[u8]) {
        self.raw(field << 3 | 2);
        self.raw(bytes.len() as u64);
        self.0.extend(bytes);
    }

    fn text(&mut self, field: u64, text: &str) {
        self.bytes(field, text.as_bytes());
    }

    fn message(&mut self, field: u64, message: &Message) {
        self.bytes(field, &message.0);
    }
}

/// A setting of an operation.
pub(crate) enum Attribute {
    Float(f32),
    Whole(i64),
    Word(&'static str),
    List(Vec<i64>),
}

/// A network that is being written: each node is named after its result.
#[derive(Default)]
pub(crate) struct Writer {
    nodes: Vec<Message>,
    constants: Vec<Message>,
    inputs: Vec<Message>,
    outputs: Vec<Message>,
    constant_bytes: usize,
}

impl Writer {
    /// Adds an operation.
    pub(crate) fn node(
        &mut self,
        kind: &str,
        inputs: &[&str],
        outputs: &[&str],
        attributes: &[(&str, Attribute)],
    ) {
        let mut node = Message::default();
        inputs.iter().for_each(|name| node.text(1, name));
        outputs.iter().for_each(|name| node.text(2, name));
        node.text(3, outputs.first().unwrap_or(&kind));
        node.text(4, kind);
        for (name, value) in attributes {
            let mut attribute = Message::default();
            attribute.text(1, name);
            let kind = match value {
                Attribute::Float(number) => {
                    attribute.float(2, *number);
                    1
                }
                Attribute::Whole(number) => {
                    attribute.varint(3, *number as u64);
                    2
                }
                Attribute::Word(word) => {
                    attribute.text(4, word);
                    3
                }
                Attribute::List(numbers) => {
                    numbers.iter().for_each(|number| attribute.varint(8, *number as u64));
                    7
                }
            };
            attribute.varint(20, kind);
            node.message(5, &attribute);
        }
        self.nodes.push(node);
    }

    /// Adds a constant, and gives its name back.
    pub(crate) fn floats(&mut self, name: String, shape: &[usize], numbers: &[f32]) -> String {
        self.constant(name, shape, FLOAT, numbers.iter().flat_map(|number| number.to_le_bytes()).collect())
    }

    /// Adds a constant of one dimension, and gives its name back.
    pub(crate) fn whole(&mut self, name: String, numbers: &[i64]) -> String {
        let bytes = numbers.iter().flat_map(|number| number.to_le_bytes()).collect();
        self.constant(name, &[numbers.len()], INT64, bytes)
    }

    fn constant(&mut self, name: String, shape: &[usize], kind: u64, bytes: Vec<u8>) -> String {
        let mut tensor = Message::default();
        shape.iter().for_each(|side| tensor.varint(1, *side as u64));
        tensor.varint(2, kind);
        tensor.text(8, &name);
        tensor.bytes(9, &bytes);
        self.constant_bytes = self.constant_bytes.saturating_add(bytes.len());
        self.constants.push(tensor);
        name
    }

    /// Bytes of all constants so far.
    pub(crate) fn constant_bytes(&self) -> usize {
        self.constant_bytes
    }

    /// Adds what the network takes, bytes `[n, ...]`.
    pub(crate) fn input(&mut self, name: &str, shape: &[usize]) {
        self.inputs.push(value(name, UINT8, shape));
    }

    /// Adds what the network takes, floating-point numbers `[n, ...]`.
    pub(crate) fn input_floats(&mut self, name: &str, shape: &[usize]) {
        self.inputs.push(value(name, FLOAT, shape));
    }

    /// Adds what the network answers, floating-point numbers `[n, ...]`.
    pub(crate) fn output(&mut self, name: &str, shape: &[usize]) {
        self.outputs.push(value(name, FLOAT, shape));
    }

    /// The finished network.
    pub(crate) fn model(self, name: &str) -> Vec<u8> {
        let mut graph = Message::default();
        self.nodes.iter().for_each(|node| graph.message(1, node));
        graph.text(2, name);
        self.constants.iter().for_each(|constant| graph.message(5, constant));
        self.inputs.iter().for_each(|input| graph.message(11, input));
        self.outputs.iter().for_each(|output| graph.message(12, output));
        let mut opset = Message::default();
        opset.text(1, "");
        opset.varint(2, OPSET);
        let mut model = Message::default();
        model.varint(1, IR_VERSION);
        model.text(2, "foretell");
        model.message(7, &graph);
        model.message(8, &opset);
        model.0
    }
}

/// A `ValueInfoProto` whose first dimension is any.
fn value(name: &str, kind: u64, sides: &[usize]) -> Message {
    let mut shape = Message::default();
    let mut any = Message::default();
    any.text(2, "n");
    shape.message(1, &any);
    for side in sides {
        let mut dimension = Message::default();
        dimension.varint(1, *side as u64);
        shape.message(1, &dimension);
    }
    let mut tensor = Message::default();
    tensor.varint(1, kind);
    tensor.message(2, &shape);
    let mut of = Message::default();
    of.message(1, &tensor);
    let mut value = Message::default();
    value.text(1, name);
    value.message(2, &of);
    value
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The examples of protobuf's own description of its encoding, and a negative number.
    #[test]
    fn fields_are_written_as_protobuf_says() {
        let mut message = Message::default();
        message.varint(1, 150);
        message.text(2, "testing");
        message.float(3, 1.0);
        message.varint(4, -1i64 as u64);
        let mut expected = vec![0x08, 0x96, 0x01, 0x12, 7];
        expected.extend(b"testing");
        expected.extend([0x1d, 0, 0, 0x80, 0x3f, 0x20]);
        expected.extend([0xff; 9]);
        expected.push(1);
        assert_eq!(message.0, expected);
    }
}
