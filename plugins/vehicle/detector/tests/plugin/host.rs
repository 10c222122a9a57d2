//! The plugin's directory and records, as the host has them.

use std::path::PathBuf;
use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::types::Float32Type;
use arrow_array::{
    Array, ArrayRef, FixedSizeListArray, Float32Array, Int32Array, ListArray, RecordBatch, StructArray,
    UInt8Array, new_null_array,
};
use arrow_buffer::OffsetBuffer;
use arrow_schema::{DataType, SchemaRef};
use foretell_runtime::onnx::{Places, Runtime};
use foretell_runtime::plugin::Plugin;

pub(crate) const PACKAGE: &str = env!("CARGO_MANIFEST_DIR");

pub(crate) fn runtime() -> Arc<Runtime> {
    Runtime::start(&Places::of_process(None)).unwrap_or_else(|error| panic!("{error}"))
}

/// The library of this build, which lies beside the running test.
pub(crate) fn library() -> PathBuf {
    use std::env::consts::{DLL_PREFIX, DLL_SUFFIX};
    let test = std::env::current_exe().unwrap();
    test.with_file_name(format!("{DLL_PREFIX}foretell_plugin_detector{DLL_SUFFIX}"))
}

/// Square images; all other columns are null.
pub(crate) fn pictures(schema: &SchemaRef, side: usize, images: &[impl AsRef<[f32]>]) -> RecordBatch {
    let images: Vec<&[f32]> = images.iter().map(AsRef::as_ref).collect();
    let DataType::Struct(fields) = schema.field(0).data_type() else { panic!("an image is a struct") };
    let DataType::List(item) = fields[0].data_type() else { panic!("samples are a list") };
    let samples: ArrayRef = match item.data_type() {
        DataType::UInt8 => {
            Arc::new(images.iter().copied().flatten().map(|sample| *sample as u8).collect::<UInt8Array>())
        }
        _ => Arc::new(images.iter().copied().flatten().copied().collect::<Float32Array>()),
    };
    let offsets = OffsetBuffer::from_lengths(images.iter().map(|image| image.len()));
    let data = ListArray::new(item.clone(), offsets, samples, None);
    let DataType::FixedSizeList(item, _) = fields[1].data_type() else { panic!("a shape is a list") };
    let shape = [side as i32, side as i32, 3];
    let sides = Int32Array::from_iter_values(images.iter().flat_map(|_| shape));
    let shape = FixedSizeListArray::new(item.clone(), 3, Arc::new(sides), None);
    let image = StructArray::new(fields.clone(), vec![Arc::new(data), Arc::new(shape)], None);
    let others = schema.fields()[1..].iter().map(|field| new_null_array(field.data_type(), images.len()));
    let columns = std::iter::once(Arc::new(image) as ArrayRef).chain(others).collect();
    RecordBatch::try_new(schema.clone(), columns).unwrap()
}

/// Label, score and x, y, width, height of each box of each image.
pub(crate) type Answer = Vec<(String, f32, [f32; 4])>;

pub(crate) fn answers(plugin: &Plugin, records: &RecordBatch) -> Result<Vec<Answer>, String> {
    let predictions = plugin.predict(records).map_err(|error| error.to_string())?;
    let lists = predictions.columns().column(0).as_list::<i32>().clone();
    let answers = (0..lists.len()).map(|row| {
        let boxes = lists.value(row);
        let boxes = boxes.as_struct();
        let number = |name: &str, place: usize| {
            boxes.column_by_name(name).unwrap().as_primitive::<Float32Type>().value(place)
        };
        let labels = boxes.column_by_name("label").unwrap().as_string::<i32>();
        let one = |place: usize| {
            let sides = ["x", "y", "width", "height"].map(|name| number(name, place));
            (labels.value(place).to_owned(), number("score", place), sides)
        };
        (0..boxes.len()).map(one).collect()
    });
    Ok(answers.collect())
}
