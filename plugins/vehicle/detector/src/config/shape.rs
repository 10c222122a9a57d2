//! The part of `[config]` that says how the network's answer is laid out.

use serde::Deserialize;

use super::keys::{BadSetting, Keys, alternatives};
use crate::decode::boxes::Boxes;
use crate::decode::cells::{Cells, Geometry};
use crate::decode::centre::{Centre, SizeUnit};
use crate::decode::columns::Columns;
use crate::decode::ended::{Ended, Parts};
use crate::decode::{Form, Layout, Order, Rows, Unit};

/// Keys that some layouts have, and others not.
pub(super) const KEYS: [&str; 6] = ["form", "strides", "sizes", "order", "unit", "rows"];
/// Most boxes that a network answers for an image.
const ROWS_MAX: usize = 1 << 20;
/// Most sizes of cells.
const STRIDES_MAX: usize = 8;
/// Longest side of a cell in pixels.
const STRIDE_MAX: usize = 1024;
/// Most anchors of a cell.
const ANCHORS_MAX: usize = 32;
/// Longest side of an anchor in pixels.
const ANCHOR_PIXELS_MAX: f32 = 1e5;
/// Most outputs of a network that are named.
const OUTPUTS_MAX: usize = 16;
/// Most numbers of an ignored output for an image.
const IGNORED_MAX: usize = 1 << 26;
/// Sides of cells when nothing is said.
const STRIDES: [usize; 3] = [8, 16, 32];
/// Side of a cell of `centre` when nothing is said.
const STRIDE_OF_CENTRE: usize = 4;
/// The anchors that YOLOv3 found by clustering COCO's boxes, which v5 kept (Redmon and Farhadi 2018, arXiv:1804.02767, section
/// 2.3).
const SIZES: [[[f32; 2]; 3]; 3] = [
    [[10.0, 13.0], [16.0, 30.0], [33.0, 23.0]],
    [[30.0, 61.0], [62.0, 45.0], [59.0, 119.0]],
    [[116.0, 90.0], [156.0, 198.0], [373.0, 326.0]],
];

/// What `layout` says.
#[derive(Clone, Copy)]
pub(super) enum Kind {
    Yolov5,
    Yolov8,
    Yolox,
    Ssd,
    Centre,
    EndToEnd,
}

/// An output of the network.
#[derive(Clone, Debug, PartialEq)]
pub struct Output {
    /// What it is; `ignored` is read by nobody.
    pub role: String,
    /// Which of the layout's tensors it is; `None` if it is ignored.
    pub tensor: Option<usize>,
    /// Type of its numbers.
    pub element: OutputElement,
    /// Its shape for one image where that is another than the layout says, with as many numbers.
    pub shape: Option<Vec<usize>>,
}

/// Type of an output's numbers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum OutputElement {
    /// 32-bit floating-point numbers.
    #[default]
    Float32,
    /// 32-bit signed integers.
    Int32,
    /// 64-bit signed integers.
    Int64,
}

impl OutputElement {
    /// As the host names it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Float32 => "f32",
            Self::Int32 => "i32",
            Self::Int64 => "i64",
        }
    }
}

/// An output as it stands in `[config]`.
#[derive(Deserialize)]
#[serde(untagged)]
enum Named {
    Role(String),
    Table(Table),
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Table {
    role: String,
    #[serde(default)]
    element: OutputElement,
    shape: Option<Vec<usize>>,
}

/// Forms of rows with objectness.
#[derive(Clone, Copy, PartialEq)]
enum RowForm {
    Decoded,
    Grid,
    Scales,
}

/// The chosen layout and its name.
pub(super) fn layout(keys: &mut Keys) -> Result<(&'static str, Kind), BadSetting> {
    let words = [
        ("yolov5", Kind::Yolov5),
        ("yolov8", Kind::Yolov8),
        ("yolox", Kind::Yolox),
        ("ssd", Kind::Ssd),
        ("centre", Kind::Centre),
        ("end-to-end", Kind::EndToEnd),
    ];
    let expected = alternatives(&words);
    let name: String = keys.required("layout", &expected)?;
    let found = words.into_iter().find(|(known, _)| *known == name);
    found.ok_or_else(|| BadSetting::value("layout", expected, &format!("\"{name}\"")))
}

impl Kind {
    /// The layout, with the keys that it has.
    pub(super) fn read(self, keys: &mut Keys) -> Result<Layout, BadSetting> {
        Ok(match self {
            Self::Yolov5 | Self::Yolox => Layout::Cells(self.cells(keys)?),
            Self::Yolov8 => {
                let turned = keys.word("form", &[("columns", false), ("rows", true)])?.unwrap_or(false);
                let form = form(keys, Order::Cxcywh)?;
                Layout::Columns(Columns { rows: rows_or_cells(keys)?, form, turned })
            }
            Self::Ssd => {
                let form = form(keys, Order::Xyxy)?;
                Layout::Boxes(Boxes { rows: rows_or_cells(keys)?, form })
            }
            Self::Centre => {
                let units = [
                    ("cells", SizeUnit::Cells),
                    ("pixels", SizeUnit::Box(Unit::Pixels)),
                    ("fraction", SizeUnit::Box(Unit::Fraction)),
                ];
                let unit = keys.word("unit", &units)?.unwrap_or(SizeUnit::Cells);
                let stride = strides_of(keys, 1, &[STRIDE_OF_CENTRE])?[0];
                Layout::Centre(Centre { stride, unit })
            }
            Self::EndToEnd => {
                let form = form(keys, Order::Xyxy)?;
                Layout::Ended(Ended { rows: rows_needed(keys)?, form, parts: Parts::Rows })
            }
        })
    }

    fn cells(self, keys: &mut Keys) -> Result<Cells, BadSetting> {
        let is_v5 = matches!(self, Self::Yolov5);
        let forms = [("decoded", RowForm::Decoded), ("grid", RowForm::Grid), ("scales", RowForm::Scales)];
        let rows_form =
            keys.word("form", &forms)?.unwrap_or(if is_v5 { RowForm::Decoded } else { RowForm::Grid });
        let strides = strides(keys)?;
        let (geometry, rows, anchors) = match (rows_form, is_v5) {
            (RowForm::Decoded, _) => {
                let geometry = Geometry::Decoded(form(keys, Order::Cxcywh)?);
                (geometry, rows(keys)?, if is_v5 { SIZES[0].len() } else { 1 })
            }
            (_, true) => {
                let sizes = sizes(keys, strides.len())?;
                let anchors = sizes[0].len();
                (Geometry::Sized(sizes), None, anchors)
            }
            (_, false) => (Geometry::Free, None, 1),
        };
        Ok(Cells { strides, anchors, geometry, apart: rows_form == RowForm::Scales, rows })
    }
}

fn form(keys: &mut Keys, order: Order) -> Result<Form, BadSetting> {
    let orders =
        [("xyxy", Order::Xyxy), ("yxyx", Order::Yxyx), ("xywh", Order::Xywh), ("cxcywh", Order::Cxcywh)];
    let units = [("pixels", Unit::Pixels), ("fraction", Unit::Fraction)];
    Ok(Form {
        order: keys.word("order", &orders)?.unwrap_or(order),
        unit: keys.word("unit", &units)?.unwrap_or(Unit::Pixels),
    })
}

fn rows(keys: &mut Keys) -> Result<Option<usize>, BadSetting> {
    keys.whole("rows", 1..=ROWS_MAX)
}

/// How many boxes there are: as stated, or one for each cell.
fn rows_or_cells(keys: &mut Keys) -> Result<Rows, BadSetting> {
    let strides = strides(keys)?;
    Ok(rows(keys)?.map_or(Rows::Cells(strides), Rows::Fixed))
}

fn rows_needed(keys: &mut Keys) -> Result<usize, BadSetting> {
    let expected = format!("how many boxes the network answers for an image, 1 to {ROWS_MAX}");
    let rows: usize = keys.required("rows", &expected)?;
    if (1..=ROWS_MAX).contains(&rows) { Ok(rows) } else { Err(BadSetting::value("rows", expected, &rows)) }
}

fn strides(keys: &mut Keys) -> Result<Vec<usize>, BadSetting> {
    strides_of(keys, STRIDES_MAX, &STRIDES)
}

fn strides_of(keys: &mut Keys, count_max: usize, otherwise: &[usize]) -> Result<Vec<usize>, BadSetting> {
    let expected = match count_max {
        1 => format!("a list of one whole number from 1 to {STRIDE_MAX}"),
        _ => format!("a list of 1 to {count_max} whole numbers from 1 to {STRIDE_MAX}"),
    };
    let strides = keys.optional("strides", &expected)?.unwrap_or_else(|| otherwise.to_vec());
    let fit = (1..=count_max).contains(&strides.len())
        && strides.iter().all(|stride| (1..=STRIDE_MAX).contains(stride));
    if fit { Ok(strides) } else { Err(BadSetting::value("strides", expected, &format!("{strides:?}"))) }
}

fn sizes(keys: &mut Keys, scales: usize) -> Result<Vec<Vec<[f32; 2]>>, BadSetting> {
    let expected = format!(
        "for each of the {scales} strides as many pairs of width and height, 1 to {ANCHORS_MAX}, above 0 pixels"
    );
    let sizes: Option<Vec<Vec<[f32; 2]>>> = keys.optional("sizes", &expected)?;
    let sizes = sizes.unwrap_or_else(|| SIZES.map(|sizes| sizes.to_vec()).to_vec());
    let anchors = sizes.first().map_or(0, Vec::len);
    let is_side = |side: &f32| *side > 0.0 && *side <= ANCHOR_PIXELS_MAX;
    let fit = sizes.len() == scales
        && (1..=ANCHORS_MAX).contains(&anchors)
        && sizes.iter().all(|scale| scale.len() == anchors && scale.iter().flatten().all(is_side));
    if fit { Ok(sizes) } else { Err(BadSetting::value("sizes", expected, &format!("{sizes:?}"))) }
}

/// The outputs; those of an end-to-end network say in which parts its boxes are told.
pub(super) fn outputs(keys: &mut Keys, layout: &mut Layout) -> Result<Vec<Output>, BadSetting> {
    let expected = "the roles of the network's outputs, in its own order";
    let Some(named) = keys.optional::<Vec<Named>>("outputs", expected)? else {
        return Ok(layout
            .roles()
            .into_iter()
            .enumerate()
            .map(|(tensor, role)| of_role(tensor, role))
            .collect());
    };
    let tables: Vec<Table> = named
        .into_iter()
        .map(|named| match named {
            Named::Role(role) => Table { role, element: OutputElement::default(), shape: None },
            Named::Table(table) => table,
        })
        .collect();
    let wanted: Vec<&str> = tables.iter().map(|table| &*table.role).filter(|role| *role != IGNORED).collect();
    if let Layout::Ended(ended) = layout {
        ended.parts = match wanted.len() {
            1 => Parts::Rows,
            3 => Parts::Three,
            _ => Parts::Four,
        };
    }
    place(&tables, layout).ok_or_else(|| {
        let roles = layout.roles().join(", ");
        let expected = format!(
            "each of {roles} once, in the network's order, and nothing else but up to {OUTPUTS_MAX} outputs that are \
             `{IGNORED}` and have a `shape`"
        );
        BadSetting::value("outputs", expected, &wanted.join(", "))
    })
}

/// The role of an output that nobody reads.
const IGNORED: &str = "ignored";

fn of_role(tensor: usize, role: &str) -> Output {
    Output { role: role.to_owned(), tensor: Some(tensor), element: OutputElement::default(), shape: None }
}

/// Finds the layout's tensor of each output; `None` where that is not possible.
fn place(tables: &[Table], layout: &Layout) -> Option<Vec<Output>> {
    let roles = layout.roles();
    let mut taken = vec![false; roles.len()];
    let mut outputs = Vec::new();
    for table in tables {
        let tensor = if table.role == IGNORED {
            let numbers =
                table.shape.iter().flatten().try_fold(1usize, |product, side| product.checked_mul(*side));
            table.shape.as_ref().and(numbers).filter(|numbers| *numbers <= IGNORED_MAX)?;
            None
        } else {
            let tensor = (0..roles.len()).find(|&tensor| roles[tensor] == table.role && !taken[tensor])?;
            taken[tensor] = true;
            Some(tensor)
        };
        let (role, shape) = (table.role.clone(), table.shape.clone());
        outputs.push(Output { role, tensor, element: table.element, shape });
    }
    (tables.len() <= OUTPUTS_MAX && taken.iter().all(|taken| *taken)).then_some(outputs)
}
