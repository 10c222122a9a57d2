//! From the graph of a single-shot detector to one network that answers boxes.

use crate::error::{ConvertError, unfit};
use crate::graph::Graph;
use crate::protobuf::{Attribute, Writer};
use crate::translate::Translator;

/// Longest side of the image in pixels.
const SIDE_MAX: usize = 4096;
/// Offsets of centres are stored multiplied by it (Huang et al. 2017, arXiv 1611.10012).
const CENTRE_SCALE: f32 = 10.0;
/// Logarithms of sizes are stored multiplied by it (likewise).
const SIZE_SCALE: f32 = 5.0;
/// Greatest logarithm of a box's size against its anchor's: 55 times as large. It keeps every box finite.
const SIZE_LOGARITHM_MAX: f32 = 4.0;

/// Which nodes of a detector's graph are what.
#[derive(Clone, Debug)]
pub struct Roles {
    /// The node that is replaced by the image: samples from 0 to 255, channels beside each other.
    pub image: String,
    /// Sides of the image in pixels.
    pub side: usize,
    /// Codes of the boxes against the anchors, `[n, anchors, 4]` or `[n, anchors, 1, 4]`: offsets down and across, logarithms of
    /// height and width.
    pub codes: String,
    /// Scores, `[n, anchors, classes]`.
    pub scores: String,
    /// The anchors, a constant `[1, anchors, 4]` or `[anchors, 4]`: top, left, bottom, right in fractions of the sides.
    pub anchors: String,
}

impl Graph {
    /// The network as ONNX, in the form that the [contract](crate) says.
    ///
    /// Fails where the graph has an operation that is not known, or a constant is missing or has another shape than its node
    /// needs.
    pub fn detector(&self, roles: &Roles) -> Result<Vec<u8>, ConvertError> {
        let side = roles.side;
        if !(1..=SIDE_MAX).contains(&side) {
            let expected = format!("1 to {SIDE_MAX} pixels");
            return Err(ConvertError::node(&roles.image, unfit("its side", expected, side.to_string())));
        }
        let (shape, anchors) = self.floats(&roles.anchors)?;
        let count = match *shape {
            [1, count, 4] | [count, 4] if count > 0 => count,
            _ => {
                let unfit = unfit("its shape", "[1, anchors, 4]", format!("{shape:?}"));
                return Err(ConvertError::node(&roles.anchors, unfit));
            }
        };

        let mut writer = Writer::default();
        writer.input("image", &[side, side, 3]);
        writer.node("Cast", &["image"], &["samples"], &[("to", Attribute::Whole(1))]);
        writer.node("Transpose", &["samples"], &["maps"], &[("perm", Attribute::List(vec![0, 3, 1, 2]))]);
        let mut translator = Translator::new(self, writer, &roles.image, "maps", side);

        let codes = translator.stored(&roles.codes)?;
        if !matches!(*codes.sides, [rows, 4] | [rows, 1, 4] if rows == count) {
            let unfit = unfit("its sides", format!("[{count}, 4]"), format!("{:?}", codes.sides));
            return Err(ConvertError::node(&roles.codes, unfit));
        }
        let scores = translator.stored(&roles.scores)?;
        let &[rows, classes] = &*scores.sides else {
            let unfit = unfit("its sides", "[anchors, classes]", format!("{:?}", scores.sides));
            return Err(ConvertError::node(&roles.scores, unfit));
        };
        if rows != count {
            let unfit = unfit("its sides", format!("[{count}, classes]"), format!("{:?}", scores.sides));
            return Err(ConvertError::node(&roles.scores, unfit));
        }
        let mut writer = translator.writer;
        writer.node("Identity", &[&scores.name], &["scores"], &[]);
        boxes(&mut writer, &codes.name, &anchors, side as f32);
        writer.output("boxes", &[count, 4]);
        writer.output("scores", &[count, classes]);
        Ok(writer.model("detector"))
    }
}

/// Boxes in pixels: an anchor's centre moved by its size, and its size changed by a factor.
fn boxes(writer: &mut Writer, codes: &str, anchors: &[f32], side: f32) {
    let (anchors, _) = anchors.as_chunks::<4>();
    let shape = [1, anchors.len(), 2];
    let each = |number: fn([f32; 4], usize) -> f32| -> Vec<f32> {
        anchors.iter().flat_map(|&anchor| [0, 1].map(|axis| number(anchor, axis) * side)).collect()
    };
    let centres = writer.floats("centres".to_owned(), &shape, &each(|a, axis| (a[axis] + a[axis + 2]) / 2.0));
    let steps =
        writer.floats("steps".to_owned(), &shape, &each(|a, axis| (a[axis + 2] - a[axis]) / CENTRE_SCALE));
    let halves = writer.floats("halves".to_owned(), &shape, &each(|a, axis| (a[axis + 2] - a[axis]) / 2.0));
    let scale = writer.floats("size scale".to_owned(), &[], &[SIZE_SCALE]);
    let most = writer.floats("size most".to_owned(), &[], &[SIZE_LOGARITHM_MAX]);
    let rows = writer.whole("rows".to_owned(), &[0, anchors.len() as i64, 4]);
    // The graph says what is down before what is across.
    let order = writer.whole("order".to_owned(), &[1, 0, 3, 2]);
    let axis = |axis| ("axis", Attribute::Whole(axis));
    writer.node("Reshape", &[codes, &rows], &["codes"], &[]);
    writer.node("Split", &["codes"], &["offsets", "sizes"], &[axis(2)]);
    writer.node("Mul", &["offsets", &steps], &["moves"], &[]);
    writer.node("Add", &["moves", &centres], &["middles"], &[]);
    writer.node("Div", &["sizes", &scale], &["logarithms"], &[]);
    writer.node("Clip", &["logarithms", "", &most], &["bounded"], &[]);
    writer.node("Exp", &["bounded"], &["factors"], &[]);
    writer.node("Mul", &["factors", &halves], &["reaches"], &[]);
    writer.node("Sub", &["middles", "reaches"], &["first"], &[]);
    writer.node("Add", &["middles", "reaches"], &["last"], &[]);
    writer.node("Concat", &["first", "last"], &["corners"], &[axis(2)]);
    writer.node("Gather", &["corners", &order], &["boxes"], &[axis(2)]);
}
