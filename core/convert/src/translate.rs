//! Operation by operation, from TensorFlow's to ONNX's.
//!
//! TensorFlow keeps the channels of a pixel beside each other, ONNX has a map for each channel. A value is carried over as maps
//! until it is reshaped: only then does the order of its numbers matter to the graph.

use std::collections::{BTreeMap, BTreeSet};

use crate::error::{ConvertError, ConvertErrorKind, unfit};
use crate::graph::{Graph, Node};
use crate::protobuf::{Attribute, Writer};

/// Operations that are known.
const OPERATIONS: [&str; 15] = [
    "Add",
    "AddN",
    "AddV2",
    "BiasAdd",
    "ConcatV2",
    "Conv2D",
    "DepthwiseConv2dNative",
    "FusedBatchNorm",
    "FusedBatchNormV3",
    "Identity",
    "Mul",
    "Relu6",
    "Reshape",
    "Sigmoid",
    "Sub",
];
/// What is added to a variance when the graph does not say: TensorFlow's own.
const EPSILON: f32 = 1e-4;
/// Longest step of a filter, and between its samples, in pixels.
const STEP_PIXELS_MAX: usize = 4096;
/// Most bytes of the network's constants. A graph may use one of its own many times.
const CONSTANT_BYTES_MAX: usize = 512 << 20;

/// How the numbers of a value lie in the converted network.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Form {
    /// `[n, channels, height, width]`.
    Maps,
    /// As in the graph.
    AsStored,
}

/// What a node computes.
#[derive(Clone, Debug)]
pub(crate) struct Value {
    /// Its name in the converted network.
    pub(crate) name: String,
    /// Sides as the graph has them, without the images: of maps height, width and channels.
    pub(crate) sides: Vec<usize>,
    form: Form,
}

/// A graph that is being converted.
pub(crate) struct Translator<'a> {
    graph: &'a Graph,
    pub(crate) writer: Writer,
    values: BTreeMap<String, Value>,
}

/// The name of a node's result; nothing else in the converted network begins like that.
fn result(node: &str) -> String {
    format!("graph/{node}")
}

impl<'a> Translator<'a> {
    /// Begins with the image: `name` is maps of `side` x `side` pixels, and `image` the node that it stands for.
    pub(crate) fn new(graph: &'a Graph, writer: Writer, image: &str, name: &str, side: usize) -> Self {
        let value = Value { name: name.to_owned(), sides: vec![side, side, 3], form: Form::Maps };
        Self { graph, writer, values: BTreeMap::from([(image.to_owned(), value)]) }
    }

    /// What a node computes, in the graph's own order, with all that it needs.
    pub(crate) fn stored(&mut self, name: &str) -> Result<Value, ConvertError> {
        let value = self.value(name)?;
        if value.form == Form::Maps {
            let found = format!("maps of {:?}", value.sides);
            return Err(ConvertError::node(name, unfit("its result", "reshaped rows", found)));
        }
        Ok(value)
    }

    fn value(&mut self, name: &str) -> Result<Value, ConvertError> {
        // Graphs may be deeper than the stack, so the way to what is missing is kept here.
        let mut way = vec![name.to_owned()];
        let mut on_the_way = BTreeSet::from([name.to_owned()]);
        while let Some(name) = way.last().cloned() {
            if !self.values.contains_key(&name) {
                if self.graph.is_constant(&name) {
                    return Err(ConvertError::node(&name, ConvertErrorKind::Constant));
                }
                let node = self.graph.node(&name)?;
                if let Some(missing) = self.missing(node)? {
                    if !on_the_way.insert(missing.clone()) {
                        return Err(ConvertError::node(&missing, ConvertErrorKind::Circle));
                    }
                    way.push(missing);
                    continue;
                }
                let value = self.translate(node)?;
                if self.writer.constant_bytes() > CONSTANT_BYTES_MAX {
                    let max = CONSTANT_BYTES_MAX as u64;
                    let kind = ConvertErrorKind::TooMuch { unit: "bytes of constants", max };
                    return Err(ConvertError::node(&name, kind));
                }
                self.values.insert(name.clone(), value);
            }
            on_the_way.remove(&name);
            way.pop();
        }
        Ok(self.values[name].clone())
    }

    /// What must be computed before a node, and is not yet.
    fn missing(&self, node: &Node) -> Result<Option<String>, ConvertError> {
        for place in 0..self.computed(node)? {
            let source = node.source(place)?;
            if !self.graph.is_constant(source) && !self.values.contains_key(source) {
                return Ok(Some(source.to_owned()));
            }
        }
        Ok(None)
    }

    /// How many of a node's first inputs are values or may be; the others are constants.
    fn computed(&self, node: &Node) -> Result<usize, ConvertError> {
        match &*node.op {
            "Add" | "AddV2" | "BiasAdd" | "Mul" | "Sub" => Ok(2),
            "AddN" => Ok(node.input.len()),
            "ConcatV2" => Ok(node.input.len().saturating_sub(1)),
            known if OPERATIONS.contains(&known) => Ok(1),
            found => {
                let kind = ConvertErrorKind::Operation { known: &OPERATIONS, found: found.to_owned() };
                Err(ConvertError::node(&node.name, kind))
            }
        }
    }

    fn translate(&mut self, node: &Node) -> Result<Value, ConvertError> {
        if let Some(found) = node.word("data_format")?.filter(|found| found != "NHWC") {
            return Err(ConvertError::node(&node.name, unfit("data_format", "NHWC", found)));
        }
        match &*node.op {
            "Conv2D" | "DepthwiseConv2dNative" => self.convolution(node),
            "FusedBatchNorm" | "FusedBatchNormV3" => self.normalisation(node),
            "Mul" => self.combination(node, "Mul"),
            "Sub" => self.combination(node, "Sub"),
            "Reshape" => self.reshape(node),
            "ConcatV2" => self.concatenation(node),
            "Relu6" => {
                let name = result(&node.name);
                let least = self.writer.floats(format!("{name}#least"), &[], &[0.0]);
                let most = self.writer.floats(format!("{name}#most"), &[], &[6.0]);
                self.single(node, "Clip", &[&least, &most])
            }
            "Sigmoid" => self.single(node, "Sigmoid", &[]),
            "Identity" => self.operand(node, 0),
            // The others are sums; what is unknown was refused before.
            _ => self.combination(node, "Add"),
        }
    }

    /// The value that a node reads at a place.
    fn operand(&self, node: &Node, place: usize) -> Result<Value, ConvertError> {
        let source = node.source(place)?;
        let value = self.values.get(source).cloned();
        value.ok_or_else(|| ConvertError::node(source, ConvertErrorKind::Constant))
    }

    fn maps(&self, node: &Node) -> Result<(Value, [usize; 3]), ConvertError> {
        let value = self.operand(node, 0)?;
        match (value.form, &*value.sides) {
            (Form::Maps, &[height, width, channels]) => Ok((value, [height, width, channels])),
            (_, sides) => {
                let found = format!("rows of {sides:?}");
                Err(ConvertError::node(&node.name, unfit("its input", "maps that were not reshaped", found)))
            }
        }
    }

    /// An operation on each number.
    fn single(&mut self, node: &Node, kind: &str, more: &[&str]) -> Result<Value, ConvertError> {
        let value = self.operand(node, 0)?;
        let name = result(&node.name);
        let inputs: Vec<&str> = [&*value.name].into_iter().chain(more.iter().copied()).collect();
        self.writer.node(kind, &inputs, &[&name], &[]);
        Ok(Value { name, ..value })
    }

    fn convolution(&mut self, node: &Node) -> Result<Value, ConvertError> {
        let fail = |kind| ConvertError::node(&node.name, kind);
        let (value, [height, width, channels]) = self.maps(node)?;
        let is_deep = node.op == "DepthwiseConv2dNative";
        let weights = node.source(1)?;
        let (shape, numbers) = self.graph.floats(weights)?;
        let &[down, across, inputs, outputs] = shape else {
            let expected = "height, width, channels before and after";
            return Err(ConvertError::node(weights, unfit("its shape", expected, format!("{shape:?}"))));
        };
        if inputs != channels || shape.contains(&0) {
            let expected = format!("{channels} channels before, and no side of 0");
            return Err(ConvertError::node(weights, unfit("its shape", expected, format!("{shape:?}"))));
        }
        let padding = node.word("padding")?.unwrap_or_default();
        if padding != "SAME" && padding != "VALID" {
            return Err(fail(unfit("padding", "SAME or VALID", padding)));
        }
        let steps = |key: &'static str| {
            let list = node.list(key)?.unwrap_or_else(|| vec![1; 4]);
            match *list {
                [1, down, across, 1]
                    if [down, across].iter().all(|step| (1..=STEP_PIXELS_MAX).contains(step)) =>
                {
                    Ok([down, across])
                }
                _ => {
                    let expected = format!("1, two numbers from 1 to {STEP_PIXELS_MAX}, 1");
                    Err(fail(unfit(key, expected, format!("{list:?}"))))
                }
            }
        };
        let (strides, dilations) = (steps("strides")?, steps("dilations")?);
        let fit = |axis: usize, size: usize, kernel: usize| {
            let reach = (kernel - 1).saturating_mul(dilations[axis]).saturating_add(1);
            padded(size, reach, strides[axis], padding == "SAME").ok_or_else(|| {
                fail(unfit("its input", format!("{reach} pixels at least"), format!("{size} pixels")))
            })
        };
        let (rows, top, bottom) = fit(0, height, down)?;
        let (columns, left, right) = fit(1, width, across)?;
        let (order, groups, filters) = match is_deep {
            // Each channel has `outputs` filters of its own.
            true => ([2, 3, 0, 1], channels, channels * outputs),
            false => ([3, 2, 0, 1], 1, outputs),
        };
        let sides = [filters, if is_deep { 1 } else { inputs }, down, across];
        let numbers = turned([down, across, inputs, outputs], &numbers, order);
        let name = result(&node.name);
        let weights = self.writer.floats(format!("{name}#weights"), &sides, &numbers);
        let list = |numbers: &[usize]| Attribute::List(numbers.iter().map(|&number| number as i64).collect());
        self.writer.node(
            "Conv",
            &[&value.name, &weights],
            &[&name],
            &[
                ("auto_pad", Attribute::Word("NOTSET")),
                ("dilations", list(&dilations)),
                ("group", Attribute::Whole(groups as i64)),
                ("kernel_shape", list(&[down, across])),
                ("pads", list(&[top, left, bottom, right])),
                ("strides", list(&strides)),
            ],
        );
        Ok(Value { name, sides: vec![rows, columns, filters], form: Form::Maps })
    }

    fn normalisation(&mut self, node: &Node) -> Result<Value, ConvertError> {
        let (value, [.., channels]) = self.maps(node)?;
        if node.truth("is_training") {
            return Err(ConvertError::node(&node.name, unfit("is_training", "false", "true")));
        }
        let name = result(&node.name);
        let mut inputs = vec![value.name.clone()];
        for (place, part) in [(1, "scale"), (2, "offset"), (3, "mean"), (4, "variance")] {
            let source = node.source(place)?;
            let (shape, numbers) = self.graph.floats(source)?;
            if shape != [channels] {
                let unfit = unfit("its shape", format!("[{channels}]"), format!("{shape:?}"));
                return Err(ConvertError::node(source, unfit));
            }
            inputs.push(self.writer.floats(format!("{name}#{part}"), shape, &numbers));
        }
        let inputs: Vec<&str> = inputs.iter().map(String::as_str).collect();
        let epsilon = Attribute::Float(node.number("epsilon")?.unwrap_or(EPSILON));
        self.writer.node("BatchNormalization", &inputs, &[&name], &[("epsilon", epsilon)]);
        Ok(Value { name, ..value })
    }

    /// Sums, differences and products of values of one shape, and of constants that are the same for every pixel.
    fn combination(&mut self, node: &Node, kind: &str) -> Result<Value, ConvertError> {
        let fail = |kind| ConvertError::node(&node.name, kind);
        let count = self.computed(node)?;
        if node.input.len() != count || count == 0 {
            return Err(fail(unfit("its inputs", count.max(1).to_string(), node.input.len().to_string())));
        }
        let sources = (0..count).map(|place| node.source(place)).collect::<Result<Vec<_>, _>>()?;
        let first = sources.iter().find_map(|source| self.values.get(*source)).cloned();
        let first = first.ok_or_else(|| fail(ConvertErrorKind::Constant))?;
        let name = result(&node.name);
        let mut operands = Vec::new();
        for (place, source) in sources.into_iter().enumerate() {
            operands.push(match self.values.get(source) {
                Some(value) if value.sides == first.sides && value.form == first.form => value.name.clone(),
                Some(value) => {
                    let (expected, found) = (format!("all {:?}", first.sides), format!("{:?}", value.sides));
                    return Err(fail(unfit("its inputs", expected, found)));
                }
                None => self.broadcast(source, &first, format!("{name}#{place}"))?,
            });
        }
        let mut so_far = operands[0].clone();
        if count == 1 {
            self.writer.node("Identity", &[&so_far], &[&name], &[]);
        }
        for (place, operand) in operands.iter().enumerate().skip(1) {
            let next = if place + 1 == count { name.clone() } else { format!("{name}#sum{place}") };
            self.writer.node(kind, &[&so_far, operand], &[&next], &[]);
            so_far = next;
        }
        Ok(Value { name, ..first })
    }

    /// A constant beside a value: one number, or one for each channel.
    fn broadcast(&mut self, source: &str, value: &Value, name: String) -> Result<String, ConvertError> {
        let (shape, numbers) = self.graph.floats(source)?;
        let leading = shape.iter().take_while(|side| **side == 1).count();
        let last = value.sides.last().copied().unwrap_or(1);
        let sides = match (&shape[leading..], value.form) {
            ([], _) => vec![],
            ([side], Form::AsStored) if *side == last => vec![last],
            ([side], Form::Maps) if *side == last => vec![last, 1, 1],
            _ => {
                let unfit = unfit("its shape", format!("[] or [{last}]"), format!("{shape:?}"));
                return Err(ConvertError::node(source, unfit));
            }
        };
        Ok(self.writer.floats(name, &sides, &numbers))
    }

    fn reshape(&mut self, node: &Node) -> Result<Value, ConvertError> {
        let value = self.operand(node, 0)?;
        let wanted = self.wanted(node.source(1)?)?;
        let bad = |found: String| {
            let expected = format!("sides that hold what {:?} hold, of which one may be -1", value.sides);
            ConvertError::node(&node.name, unfit("its shape", expected, found))
        };
        let shown = || format!("{wanted:?}");
        let product =
            |sides: &[usize]| sides.iter().try_fold(1usize, |product, &side| product.checked_mul(side));
        let total = product(&value.sides).ok_or_else(|| bad("too much to count".to_owned()))?;
        let stated: Vec<usize> = wanted.iter().filter_map(|&side| usize::try_from(side).ok()).collect();
        let stated = product(&stated).filter(|stated| *stated > 0).ok_or_else(|| bad(shown()))?;
        let open = wanted.iter().filter(|side| **side == -1).count();
        let is_whole = if open == 0 { stated == total } else { open == 1 && total.is_multiple_of(stated) };
        if !is_whole || wanted.iter().any(|side| *side < -1) {
            return Err(bad(shown()));
        }
        let sides: Vec<usize> =
            wanted.iter().map(|&side| usize::try_from(side).unwrap_or(total / stated)).collect();
        let name = result(&node.name);
        let mut source = value.name.clone();
        if value.form == Form::Maps {
            let order = Attribute::List(vec![0, 2, 3, 1]);
            source = format!("{name}#stored");
            self.writer.node("Transpose", &[&value.name], &[&source], &[("perm", order)]);
        }
        // 0: as many images as there are.
        let shape: Vec<i64> = [0].into_iter().chain(sides.iter().map(|&side| side as i64)).collect();
        let shape = self.writer.whole(format!("{name}#shape"), &shape);
        self.writer.node("Reshape", &[&source, &shape], &[&name], &[]);
        Ok(Value { name, sides, form: Form::AsStored })
    }

    /// The sides that a shape asks for, without that of the images.
    fn wanted(&self, shape: &str) -> Result<Vec<i64>, ConvertError> {
        let fail = |found: String| {
            let expected = "the number of images, 1 or -1, and constants";
            ConvertError::node(shape, unfit("its numbers", expected, found))
        };
        if self.graph.is_constant(shape) {
            let numbers = self.graph.whole(shape)?;
            return match &*numbers {
                [1 | -1, sides @ ..] => Ok(sides.to_vec()),
                _ => Err(fail(format!("{numbers:?}"))),
            };
        }
        let node = self.graph.node(shape)?;
        if node.op != "Pack" {
            return Err(fail(format!("the operation `{}`", node.op)));
        }
        let images = node.source(0)?;
        if self.graph.is_constant(images) {
            let numbers = self.graph.whole(images)?;
            if !matches!(*numbers, [1 | -1]) {
                return Err(fail(format!("{numbers:?}")));
            }
        } else {
            let slice = self.graph.node(images)?;
            let of = self.graph.node(slice.source(0)?)?;
            if (&*slice.op, &*of.op) != ("StridedSlice", "Shape") {
                return Err(fail(format!("the operations `{}` and `{}`", of.op, slice.op)));
            }
        }
        let mut sides = Vec::new();
        for place in 1..node.input.len() {
            match *self.graph.whole(node.source(place)?)? {
                [side] => sides.push(side),
                ref numbers => return Err(fail(format!("{numbers:?}"))),
            }
        }
        Ok(sides)
    }

    fn concatenation(&mut self, node: &Node) -> Result<Value, ConvertError> {
        let fail = |kind| ConvertError::node(&node.name, kind);
        let count = self.computed(node)?;
        let mut joined = self.operand(node, 0)?;
        let dimensions = joined.sides.len() + 1;
        let axes = self.graph.whole(node.source(count)?)?;
        let axis = match *axes {
            [axis] if axis < 0 => axis.saturating_add(dimensions as i64),
            [axis] => axis,
            _ => 0,
        };
        let axis = usize::try_from(axis).ok().filter(|axis| (1..dimensions).contains(axis));
        let axis = axis.ok_or_else(|| {
            fail(unfit("its axis", format!("1 to {}", dimensions - 1), format!("{axes:?}")))
        })?;
        let mut names = vec![joined.name.clone()];
        for place in 1..count {
            let value = self.operand(node, place)?;
            let agree = value.form == joined.form
                && value.sides.len() == joined.sides.len()
                && (1..dimensions)
                    .all(|side| side == axis || value.sides[side - 1] == joined.sides[side - 1]);
            if !agree {
                let expected = format!("{:?} but for side {axis}", joined.sides);
                return Err(fail(unfit("its inputs", expected, format!("{:?}", value.sides))));
            }
            // Each is a part of what is in memory; a graph that joins them again and again would still add up.
            joined.sides[axis - 1] = joined.sides[axis - 1].saturating_add(value.sides[axis - 1]);
            names.push(value.name);
        }
        let place = match (joined.form, axis) {
            (Form::AsStored, axis) => axis,
            (Form::Maps, 3) => 1,
            (Form::Maps, axis) => axis + 1,
        };
        let name = result(&node.name);
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        self.writer.node("Concat", &names, &[&name], &[("axis", Attribute::Whole(place as i64))]);
        Ok(Value { name, ..joined })
    }
}

/// How long a side is after a filter that reaches so far, and the padding before and after it; `None` where it does not fit.
///
/// With TensorFlow's padding "SAME" a side becomes its length by the stride, rounded up, and what is missing for that is added in
/// equal parts, the odd one after.
fn padded(size: usize, reach: usize, stride: usize, same: bool) -> Option<(usize, usize, usize)> {
    if !same {
        return Some((size.checked_sub(reach)? / stride + 1, 0, 0));
    }
    let length = size.div_ceil(stride);
    let missing = (length.checked_sub(1)? * stride).saturating_add(reach).saturating_sub(size);
    // ONNX has 64 bits for it, with a sign.
    i64::try_from(missing).ok()?;
    Some((length, missing / 2, missing - missing / 2))
}

/// Numbers with their dimensions in another order: the first of the result is dimension `order[0]`.
fn turned(sides: [usize; 4], numbers: &[f32], order: [usize; 4]) -> Vec<f32> {
    let steps = [sides[1] * sides[2] * sides[3], sides[2] * sides[3], sides[3], 1];
    let [a, b, c, d] = order;
    let mut turned = Vec::with_capacity(numbers.len());
    for i in 0..sides[a] {
        for j in 0..sides[b] {
            for k in 0..sides[c] {
                let start = i * steps[a] + j * steps[b] + k * steps[c];
                turned.extend((0..sides[d]).map(|l| numbers[start + l * steps[d]]));
            }
        }
    }
    turned
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sides_are_padded_as_tensorflow_does() {
        for (size, reach, stride, same, expected) in [
            (300, 3, 2, true, Some((150, 0, 1))),
            (75, 3, 2, true, Some((38, 1, 1))),
            (19, 3, 1, true, Some((19, 1, 1))),
            (1, 3, 2, true, Some((1, 1, 1))),
            (10, 1, 2, true, Some((5, 0, 0))),
            (10, 3, 2, false, Some((4, 0, 0))),
            (2, 3, 1, false, None),
            (0, 3, 1, true, None),
            (5, usize::MAX, 1, true, None),
        ] {
            assert_eq!(padded(size, reach, stride, same), expected, "{size} {reach} {stride} {same}");
        }
    }

    #[test]
    fn dimensions_change_places() {
        let numbers: Vec<f32> = (0..24u8).map(f32::from).collect();
        // [1, 2, 3, 4] with the last first.
        let turned = turned([1, 2, 3, 4], &numbers, [3, 2, 0, 1]);
        assert_eq!(turned[..8], [0.0, 12.0, 4.0, 16.0, 8.0, 20.0, 1.0, 13.0]);
    }
}
