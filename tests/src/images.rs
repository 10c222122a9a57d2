//! Images as a plugin is given them.

use std::sync::Arc;

use arrow_array::builder::{FixedSizeListBuilder, Int32Builder, ListBuilder, UInt8Builder};
use arrow_array::{ArrayRef, StructArray};
use arrow_schema::{DataType, Field};

/// A column of type `data_type`, of a manifest's image, with grey images of `height` rows by `width`.
///
/// # Panics
/// When it is the type of something else.
pub fn image_column(data_type: &DataType, images: &[Vec<u8>], height: i32, width: i32) -> StructArray {
    let DataType::Struct(fields) = data_type else { panic!("an image is a struct, and this is {data_type}") };
    let item = |field: &Field| match field.data_type() {
        DataType::List(item) | DataType::FixedSizeList(item, _) => Arc::clone(item),
        other => panic!("{other} is no list"),
    };
    let mut data = ListBuilder::new(UInt8Builder::new()).with_field(item(&fields[0]));
    let mut shape = FixedSizeListBuilder::new(Int32Builder::new(), 3).with_field(item(&fields[1]));
    for image in images {
        data.values().append_slice(image);
        data.append(true);
        shape.values().append_slice(&[height, width, 1]);
        shape.append(true);
    }
    let columns: Vec<ArrayRef> = vec![Arc::new(data.finish()), Arc::new(shape.finish())];
    StructArray::new(fields.clone(), columns, None)
}
