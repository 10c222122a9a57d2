//! Which layout an answer has: by its shapes, and by its numbers where several layouts have such shapes.

use foretell_runtime::onnx::Element;

use super::certainty::{Certainty, Line};
use super::look::{Facts, Seen};
use super::numbers::{self, Bounds};

/// Sides of cells that exporters use, in pixels.
const STRIDES: [&[usize]; 2] = [&[8, 16, 32], &[8, 16, 32, 64]];
/// Anchors of a cell of YOLOv5 and its kin.
const ANCHORS: usize = 3;
/// Most boxes of a network that throws out overlapping ones itself.
const FINAL_BOXES_MAX: usize = 2000;
/// Numbers of a row that is final: box, score, class.
const FINAL_COLUMNS: usize = 6;

/// What is behind an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Family {
    /// YOLOv5, v3, v4 or v7.
    Yolov5,
    /// YOLOv8, v9 or v11, or one of DETR's kin.
    Yolov8,
    /// YOLOX.
    Yolox,
    /// Boxes beside scores.
    Ssd,
    /// CenterNet.
    Centre,
    /// Boxes that are final.
    EndToEnd,
}

/// A layout, and the lines that state it.
#[derive(Clone, Debug, PartialEq)]
pub struct Recognised {
    /// What is behind it.
    pub family: Family,
    /// How many classes have a score; `None` where only the best one is answered.
    pub classes: Option<usize>,
    /// The lines, `layout` first.
    pub lines: Vec<Line>,
}

/// The layout of an answer; `named` is the number of classes, where names are known. `None` if it is none that the detector reads.
pub fn recognise(facts: &Facts, named: Option<usize>) -> Option<Recognised> {
    let outputs = &facts.outputs[..];
    match outputs {
        [only] if only.shape.len() == 2 => rows(facts, only, named),
        _ => scales(facts, outputs)
            .or_else(|| maps(facts, outputs))
            .or_else(|| parts(facts, outputs))
            .or_else(|| beside(facts, outputs)),
    }
}

/// The strides whose cells are so many, if there are any, and how many anchors each has.
fn cells(facts: &Facts, rows: usize) -> Option<(&'static [usize], usize)> {
    let (width, height) = (facts.input.width, facts.input.height);
    let count = |strides: &[usize]| -> Option<usize> {
        let whole =
            strides.iter().all(|stride| width.is_multiple_of(*stride) && height.is_multiple_of(*stride));
        whole.then(|| strides.iter().map(|stride| (width / stride) * (height / stride)).sum())
    };
    let all = STRIDES.into_iter().flat_map(|strides| [(strides, 1), (strides, ANCHORS)]);
    all.into_iter().find(|(strides, anchors)| count(strides).map(|cells| cells * anchors) == Some(rows))
}

/// How a number of rows came about, in words.
fn of_cells(facts: &Facts, rows: usize, strides: &[usize], anchors: usize) -> String {
    let sides: Vec<_> = strides.iter().map(ToString::to_string).collect();
    let (width, height) = (facts.input.width, facts.input.height);
    let each = if anchors == 1 { "one".to_owned() } else { anchors.to_string() };
    format!("{rows} are the cells of {} pixels in {width} x {height}, {each} each", sides.join(", "))
}

fn strides_line(strides: &[usize], rows: usize) -> Option<Line> {
    let why = format!("these sides of cells give {rows}");
    (strides != STRIDES[0]).then(|| Line::new("strides", format!("{strides:?}"), Certainty::Certain, why))
}

/// The sizes of anchors, where they are not those of YOLOv3, which the detector knows.
fn sizes_line(strides: &[usize], anchors: usize) -> Option<Line> {
    let sizes: Vec<_> = strides.iter().map(|stride| vec![[4 * stride; 2]; anchors]).collect();
    let why = "the anchors are not in the answer: put in those that the network was trained with, in pixels";
    let known = strides == STRIDES[0] && anchors == ANCHORS;
    (!known).then(|| Line::new("sizes", format!("{sizes:?}"), Certainty::Guess, why))
}

/// One tensor of rows or columns.
fn rows(facts: &Facts, output: &Seen, named: Option<usize>) -> Option<Recognised> {
    let [first, second] = output.shape[..] else { return None };
    // Columns: the anchors stand last, and are more than the numbers of one.
    if second > first && first > 4 {
        return Some(columns(facts, output, first, second));
    }
    let (count, numbers) = (first, second);
    let found = cells(facts, count);
    let is_final = numbers == FINAL_COLUMNS && count <= FINAL_BOXES_MAX && found.is_none();
    if is_final {
        return Some(final_rows(facts, output, count));
    }
    if numbers <= 5 {
        return None;
    }
    match found {
        Some((strides, anchors)) if anchors == ANCHORS => Some(yolov5(facts, output, numbers, strides)),
        Some((strides, _)) => {
            let as_rows = named == Some(numbers - 4) || (named.is_none() && numbers == 84);
            Some(match as_rows {
                true => turned(facts, output, numbers, Some(strides)),
                false => yolox(facts, output, numbers, strides, named),
            })
        }
        None => Some(turned(facts, output, numbers, None)),
    }
}

/// YOLOv8: a column for each anchor.
fn columns(facts: &Facts, output: &Seen, numbers: usize, anchors: usize) -> Recognised {
    let classes = numbers - 4;
    let shape = format!("[{numbers}, {anchors}]: 4 of a box and {classes} classes");
    let mut lines = Vec::new();
    match cells(facts, anchors) {
        Some((strides, 1)) => {
            let why = format!("{shape}; {}", of_cells(facts, anchors, strides, 1));
            lines.push(Line::new("layout", quoted("yolov8"), Certainty::Certain, why));
            lines.extend(strides_line(strides, anchors));
        }
        _ => {
            lines.push(Line::new("layout", quoted("yolov8"), Certainty::Likely, shape));
            lines.push(rows_line(anchors));
        }
    }
    let box_numbers = numbers::transposed(&output.numbers[..4 * anchors], 4);
    lines.extend(unit_line(&box_numbers));
    lines.extend(activation_line(&output.numbers[4 * anchors..]));
    Recognised { family: Family::Yolov8, classes: Some(classes), lines }
}

/// The same turned round, or one of DETR's kin, whose boxes are few.
fn turned(facts: &Facts, output: &Seen, numbers: usize, strides: Option<&'static [usize]>) -> Recognised {
    let (count, classes) = (output.shape[0], numbers - 4);
    let shape = format!("[{count}, {numbers}]: rows of 4 numbers of a box and {classes} classes");
    let certainty = if strides.is_some() { Certainty::Likely } else { Certainty::Guess };
    let mut lines = vec![
        Line::new("layout", quoted("yolov8"), certainty, shape),
        Line::new("form", quoted("rows"), certainty, "the boxes stand first in the shape"),
    ];
    match strides {
        Some(strides) => lines.extend(strides_line(strides, count)),
        None => {
            lines.push(rows_line(count));
            let why =
                "so few boxes come from a network which answers no two of an object, such as DETR's kin";
            if count <= FINAL_BOXES_MAX && facts.input.width * facts.input.height > 64 * count {
                lines.push(Line::new("overlap", "1.0", Certainty::Guess, why));
            }
        }
    }
    lines.extend(unit_line(&numbers::columns(&output.numbers, numbers, 0..4)));
    lines.extend(activation_line(&numbers::columns(&output.numbers, numbers, 4..numbers)));
    Recognised { family: Family::Yolov8, classes: Some(classes), lines }
}

fn yolox(
    facts: &Facts,
    output: &Seen,
    numbers: usize,
    strides: &'static [usize],
    named: Option<usize>,
) -> Recognised {
    let (count, classes) = (output.shape[0], numbers - 5);
    let sure = named == Some(classes) || classes == 80;
    let certainty = if sure { Certainty::Certain } else { Certainty::Likely };
    let why = format!(
        "{}; {numbers} = 4 of a box, 1 of objectness and {classes} classes",
        of_cells(facts, count, strides, 1)
    );
    let mut lines = vec![Line::new("layout", quoted("yolox"), certainty, why)];
    lines.extend(strides_line(strides, count));
    lines.push(form_line(facts, output, numbers, strides, 1));
    lines.extend(activation_line(&numbers::columns(&output.numbers, numbers, 4..numbers)));
    Recognised { family: Family::Yolox, classes: Some(classes), lines }
}

fn yolov5(facts: &Facts, output: &Seen, numbers: usize, strides: &'static [usize]) -> Recognised {
    let (count, classes) = (output.shape[0], numbers - 5);
    let why = format!(
        "{}; {numbers} = 4 of a box, 1 of objectness and {classes} classes",
        of_cells(facts, count, strides, ANCHORS)
    );
    let mut lines = vec![Line::new("layout", quoted("yolov5"), Certainty::Certain, why)];
    lines.extend(strides_line(strides, count));
    let form = form_line(facts, output, numbers, strides, ANCHORS);
    let is_decoded = form.value == quoted("decoded");
    lines.push(form);
    if is_decoded {
        lines.extend(unit_line(&numbers::columns(&output.numbers, numbers, 0..4)));
    } else {
        lines.extend(sizes_line(strides, ANCHORS));
    }
    lines.extend(activation_line(&numbers::columns(&output.numbers, numbers, 4..numbers)));
    Recognised { family: Family::Yolov5, classes: Some(classes), lines }
}

/// Whether the boxes of rows are where their cells are, or are still to be moved there.
fn form_line(
    facts: &Facts,
    output: &Seen,
    columns: usize,
    strides: &'static [usize],
    anchors: usize,
) -> Line {
    let size = [facts.input.width, facts.input.height];
    let at_home = numbers::share_at_home(&output.numbers, columns, strides, anchors, size);
    let percent = (100.0 * at_home).round();
    let bounds = Bounds::of(numbers::columns(&output.numbers, columns, 0..2));
    // Centres reach into the neighbouring cells at most, so those of boxes lie near their cell, and what is still to be moved
    // does not, but for the first cells.
    if at_home > 0.9 {
        let why =
            format!("{percent} % of the centres lie near their cell, in pixels or parts of the picture");
        Line::new("form", quoted("decoded"), Certainty::Certain, why)
    } else {
        let certainty =
            if at_home < 0.5 && bounds.most < 20.0 { Certainty::Certain } else { Certainty::Likely };
        let why = format!(
            "only {percent} % of the centres lie near their cell, and they are {bounds}: they count from the cell"
        );
        Line::new("form", quoted("grid"), certainty, why)
    }
}

/// A tensor for each stride, `[anchors, height, width, 5 + classes]`.
fn scales(facts: &Facts, outputs: &[Seen]) -> Option<Recognised> {
    let mut strides = Vec::new();
    for output in outputs {
        let [anchors, height, width, numbers] = output.shape[..] else { return None };
        let stride = facts.input.width.checked_div(width)?;
        let fits = anchors == outputs[0].shape[0]
            && numbers == outputs[0].shape[3]
            && numbers > 5
            && width * stride == facts.input.width
            && height * stride == facts.input.height;
        if !fits {
            return None;
        }
        strides.push(stride);
    }
    let [anchors, numbers] = [outputs.first()?.shape[0], outputs[0].shape[3]];
    let classes = numbers - 5;
    let why = format!(
        "{} tensors of {anchors} anchors in each cell; {numbers} = 4 of a box, 1 of objectness and {classes} classes",
        outputs.len()
    );
    let mut lines = vec![
        Line::new("layout", quoted("yolov5"), Certainty::Certain, why),
        Line::new("form", quoted("scales"), Certainty::Certain, "a tensor for each size of cells"),
    ];
    if strides != STRIDES[0] {
        let why = "the picture's sides by those of the tensors";
        lines.push(Line::new("strides", format!("{strides:?}"), Certainty::Certain, why));
    }
    lines.extend(sizes_line(&strides, anchors));
    let scores: Vec<f32> =
        outputs.iter().flat_map(|output| numbers::columns(&output.numbers, numbers, 4..numbers)).collect();
    lines.extend(activation_line(&scores));
    Some(Recognised { family: Family::Yolov5, classes: Some(classes), lines })
}

/// Maps of centres, sizes and offsets.
fn maps(facts: &Facts, outputs: &[Seen]) -> Option<Recognised> {
    if outputs.len() != 3 || outputs.iter().any(|output| output.shape.len() != 3) {
        return None;
    }
    let side = |output: &Seen| [output.shape[1], output.shape[2]];
    let [height, width] = side(&outputs[0]);
    let stride = facts.input.width.checked_div(width)?;
    let alike = outputs.iter().all(|output| side(output) == [height, width])
        && width * stride == facts.input.width
        && height * stride == facts.input.height;
    let is_pair = |output: &Seen| output.shape[0] == 2;
    let named =
        |output: &Seen, words: &[&str]| words.iter().any(|word| output.name.to_lowercase().contains(word));
    let heat = outputs
        .iter()
        .position(|output| !is_pair(output))
        .or_else(|| outputs.iter().position(|output| named(output, &["hm", "heat"])))?;
    let others: Vec<usize> = (0..3).filter(|place| *place != heat).collect();
    if !alike || others.iter().any(|place| !is_pair(&outputs[*place])) {
        return None;
    }
    // Where in its cell a centre is lies between 0 and 1, and its name often says so.
    let is_offset = |place: &usize| named(&outputs[*place], &["off", "reg"]);
    let inside = |place: &usize| Bounds::of(outputs[*place].numbers.iter().copied()).most <= 1.5;
    let (offset, certainty) = match others.iter().find(|place| is_offset(place)) {
        Some(offset) => (*offset, Certainty::Certain),
        None => (*others.iter().find(|place| inside(place)).unwrap_or(&others[1]), Certainty::Guess),
    };
    let role = |place: usize| match place {
        place if place == heat => "heat",
        place if place == offset => "offset",
        _ => "size",
    };
    let classes = outputs[heat].shape[0];
    let why = format!("maps of {width} x {height} cells: {classes} classes, and two numbers twice");
    let mut lines = vec![Line::new("layout", quoted("centre"), Certainty::Certain, why)];
    if stride != 4 {
        let why = "the picture's sides by those of the maps";
        lines.push(Line::new("strides", format!("[{stride}]"), Certainty::Certain, why));
    }
    let roles: Vec<_> = (0..3).map(|place| quoted(role(place))).collect();
    let why = "by the outputs' names and numbers";
    lines.push(Line::new("outputs", format!("[{}]", roles.join(", ")), certainty, why));
    lines.extend(activation_line(&outputs[heat].numbers));
    Some(Recognised { family: Family::Centre, classes: Some(classes), lines })
}

/// Rows of box, score and class.
fn final_rows(facts: &Facts, output: &Seen, count: usize) -> Recognised {
    let classes = numbers::columns(&output.numbers, FINAL_COLUMNS, 5..6);
    let whole = classes.iter().all(|class| class.fract() == 0.0);
    let certainty = if whole { Certainty::Certain } else { Certainty::Guess };
    let why = format!("[{count}, 6]: box, score and class; the last are whole numbers: {whole}");
    let mut lines = vec![Line::new("layout", quoted("end-to-end"), certainty, why), rows_line(count)];
    lines.extend(box_lines(facts, output, &numbers::columns(&output.numbers, FINAL_COLUMNS, 0..4)));
    Recognised { family: Family::EndToEnd, classes: None, lines }
}

/// Boxes, scores and classes of their own, and often how many there are.
fn parts(facts: &Facts, outputs: &[Seen]) -> Option<Recognised> {
    let named = |output: &Seen, word: &str| output.name.to_lowercase().contains(word);
    let is_vector = |output: &Seen, rows: usize| output.shape == [rows];
    let boxes = outputs.iter().position(|output| {
        matches!(output.shape[..], [rows, 4]
            if rows <= FINAL_BOXES_MAX && outputs.iter().filter(|other| is_vector(other, rows)).count() >= 2)
    })?;
    let rows = outputs[boxes].shape[0];
    let vectors: Vec<usize> = (0..outputs.len()).filter(|place| is_vector(&outputs[*place], rows)).collect();
    let is_class = |place: &&usize| {
        let output = &outputs[**place];
        (named(output, "class") || named(output, "label")) && !named(output, "score")
    };
    let is_score = |place: &&usize| named(&outputs[**place], "score") || named(&outputs[**place], "conf");
    let integers = |place: &&usize| matches!(outputs[**place].element, Element::I32 | Element::I64);
    let by_name = vectors.iter().find(is_class).zip(vectors.iter().find(is_score));
    let classes =
        *vectors.iter().find(is_class).or_else(|| vectors.iter().find(integers)).or(vectors.last())?;
    let scores = *vectors
        .iter()
        .find(is_score)
        .filter(|scores| **scores != classes)
        .or_else(|| vectors.iter().find(|place| **place != classes))?;
    let count = outputs.iter().position(|output| output.shape.is_empty() || output.shape == [1]);
    let certainty = if by_name.is_some() { Certainty::Certain } else { Certainty::Guess };
    let wanted = [
        Some((boxes, "boxes")),
        Some((scores, "scores")),
        Some((classes, "classes")),
        count.map(|count| (count, "count")),
    ];
    let why = format!("{rows} boxes, each with a score and a class of its own");
    let lines = vec![
        Line::new("layout", quoted("end-to-end"), Certainty::Certain, why),
        rows_line(rows),
        outputs_line(outputs, &wanted.into_iter().flatten().collect::<Vec<_>>(), certainty)?,
    ];
    let more = box_lines(facts, &outputs[boxes], &outputs[boxes].numbers);
    Some(Recognised {
        family: Family::EndToEnd,
        classes: None,
        lines: lines.into_iter().chain(more).collect(),
    })
}

/// Boxes beside scores.
fn beside(facts: &Facts, outputs: &[Seen]) -> Option<Recognised> {
    let rows_of_boxes = |output: &Seen| match output.shape[..] {
        [rows, 4] | [rows, 1, 4] => Some(rows),
        _ => None,
    };
    let rows_of_scores = |output: &Seen| match output.shape[..] {
        [rows, classes] => Some((rows, classes)),
        _ => None,
    };
    // Where there are four classes, the names say which are the boxes.
    let named = |output: &Seen| output.name.to_lowercase().contains("box");
    let pairs = (0..outputs.len()).flat_map(|boxes| (0..outputs.len()).map(move |scores| (boxes, scores)));
    let fits = |(boxes, scores): &(usize, usize)| {
        let rows = rows_of_boxes(&outputs[*boxes]);
        boxes != scores && rows.is_some() && rows == rows_of_scores(&outputs[*scores]).map(|(rows, _)| rows)
    };
    let mut fitting: Vec<_> = pairs.filter(fits).collect();
    fitting.sort_by_key(|(boxes, scores)| (!named(&outputs[*boxes]), named(&outputs[*scores])));
    let (boxes, scores) = *fitting.first()?;
    let (rows, classes) = rows_of_scores(&outputs[scores])?;
    let why = format!("{rows} boxes beside {classes} scores of each");
    let mut lines = vec![Line::new("layout", quoted("ssd"), Certainty::Certain, why)];
    match cells(facts, rows) {
        Some((strides, 1)) => lines.extend(strides_line(strides, rows)),
        _ => lines.push(rows_line(rows)),
    }
    let in_order = outputs[boxes].shape.len() == 2 && (boxes, scores) == (0, 1);
    if !in_order {
        lines.push(outputs_line(outputs, &[(boxes, "boxes"), (scores, "scores")], Certainty::Certain)?);
    }
    lines.extend(box_lines(facts, &outputs[boxes], &outputs[boxes].numbers));
    lines.extend(activation_line(&outputs[scores].numbers));
    Some(Recognised { family: Family::Ssd, classes: Some(classes), lines })
}

/// The line that names the outputs up to the last wanted one; `None` if one has a type that the detector does not read.
fn outputs_line(outputs: &[Seen], wanted: &[(usize, &str)], certainty: Certainty) -> Option<Line> {
    let last = wanted.iter().map(|(place, _)| *place).max()?;
    let mut named = Vec::new();
    for (place, output) in outputs.iter().enumerate().take(last + 1) {
        let element = match output.element {
            Element::F32 => "float32",
            Element::I32 => "int32",
            Element::I64 => "int64",
            _ => return None,
        };
        let role = wanted.iter().find(|(wanted, _)| *wanted == place).map_or("ignored", |(_, role)| role);
        let usual = match role {
            "boxes" => output.shape.len() == 2,
            "count" => output.shape.is_empty(),
            "ignored" => false,
            _ => true,
        };
        named.push(match (element, usual) {
            ("float32", true) => quoted(role),
            (_, true) => format!("{{ role = {}, element = {} }}", quoted(role), quoted(element)),
            ("float32", false) => format!("{{ role = {}, shape = {:?} }}", quoted(role), output.shape),
            (_, false) => {
                format!(
                    "{{ role = {}, element = {}, shape = {:?} }}",
                    quoted(role),
                    quoted(element),
                    output.shape
                )
            }
        });
    }
    let names: Vec<_> = outputs.iter().take(last + 1).map(|output| format!("`{}`", output.name)).collect();
    let why = format!("the network's outputs in order: {}", names.join(", "));
    Some(Line::new("outputs", format!("[{}]", named.join(", ")), certainty, why))
}

fn rows_line(rows: usize) -> Line {
    Line::new("rows", rows.to_string(), Certainty::Certain, "as many boxes were answered")
}

/// The unit of boxes by their centre, if it is not pixels.
fn unit_line(boxes: &[f32]) -> Option<Line> {
    let bounds = Bounds::of(boxes.iter().copied());
    let why = format!("the numbers of boxes are {bounds}: parts of the picture");
    bounds.are_fractions().then(|| Line::new("unit", quoted("fraction"), Certainty::Certain, why))
}

/// Order and unit of boxes that are not of a YOLO.
fn box_lines(facts: &Facts, output: &Seen, boxes: &[f32]) -> Vec<Line> {
    let order = numbers::order(boxes);
    let is_tensorflow = output.name.contains("detection_boxes");
    let mut lines = vec![match order {
        Some((order, why)) => Line::new("order", quoted(order), Certainty::Certain, why),
        None if is_tensorflow => {
            let why = format!("TensorFlow's `{}` begins with the top", output.name);
            Line::new("order", quoted("yxyx"), Certainty::Likely, why)
        }
        None => {
            let why =
                "the upper left corner before the lower right one; whether x or y comes first can't be seen";
            Line::new("order", quoted("xyxy"), Certainty::Guess, why)
        }
    }];
    let bounds = Bounds::of(boxes.iter().copied());
    let why =
        format!("the numbers of boxes are {bounds} in {} x {} pixels", facts.input.width, facts.input.height);
    let unit = if bounds.are_fractions() { "fraction" } else { "pixels" };
    lines.push(Line::new("unit", quoted(unit), Certainty::Certain, why));
    lines
}

/// `activation`, where scores are no probabilities.
fn activation_line(scores: &[f32]) -> Option<Line> {
    let bounds = Bounds::of(scores.iter().copied());
    let why = format!("the scores are {bounds}: no probabilities");
    (!bounds.are_probabilities()).then(|| Line::new("activation", quoted("sigmoid"), Certainty::Certain, why))
}

/// A text as TOML has it.
pub(super) fn quoted(text: &str) -> String {
    toml::Value::from(text).to_string()
}
