//! From values to Arrow columns.

use std::sync::Arc;

use arrow_array::builder::{FixedSizeListBuilder, Int32Builder};
use arrow_array::types::{Float32Type, TimestampMicrosecondType, UInt8Type, UInt16Type};
use arrow_array::{
    ArrayRef, ArrowPrimitiveType, BooleanArray, Float64Array, Int64Array, ListArray, PrimitiveArray,
    RecordBatch, StringArray, StructArray,
};
use arrow_buffer::{NullBuffer, OffsetBuffer};
use arrow_schema::{ArrowError, DataType, Field, Fields, Schema, SchemaRef};
use foretell_runtime::manifest::{
    FieldType, IMAGE_DIMENSIONS, IMPLICIT_EVENT_FIELD, Image, Sample, TIMESTAMP,
};

use super::{Column, Event, Fill, Kind, Picture, Row, Value};

/// Name of the items of every list.
const ITEM: &str = "item";
/// Squares along a side of a picture of squares.
const SQUARES: u32 = 8;

impl Kind {
    fn data_type(&self) -> DataType {
        match self {
            Kind::Field(kind) => kind.data_type(),
            Kind::Image(image) => image.data_type(),
            Kind::Past(fields) => list(DataType::Struct(event_fields(fields))),
        }
    }
}

fn list(item: DataType) -> DataType {
    DataType::List(Arc::new(Field::new(ITEM, item, false)))
}

fn event_fields(fields: &[(String, FieldType)]) -> Fields {
    let time = Field::new(IMPLICIT_EVENT_FIELD, TIMESTAMP, false);
    let wanted = fields.iter().map(|(name, kind)| Field::new(name, kind.data_type(), true));
    std::iter::once(time).chain(wanted).collect()
}

/// The schema of some columns.
pub(crate) fn schema(columns: &[Column]) -> SchemaRef {
    let field = |column: &Column| Field::new(&column.name, column.kind.data_type(), column.nullable);
    Arc::new(Schema::new(columns.iter().map(field).collect::<Vec<_>>()))
}

/// Records as a batch. A value of another kind than its column is null.
///
/// # Errors
/// A null in a column that has none, or more bytes than a column can hold.
pub(crate) fn batch(columns: &[Column], rows: &[Row]) -> Result<RecordBatch, ArrowError> {
    let made = columns.iter().enumerate().map(|(place, column)| {
        let values: Vec<&Value> = rows.iter().map(|row| &row[place]).collect();
        match &column.kind {
            Kind::Field(kind) => fields(kind, &values),
            Kind::Image(image) => images(image, &values),
            Kind::Past(fields) => pasts(fields, &values),
        }
    });
    RecordBatch::try_new(schema(columns), made.collect())
}

fn fields(kind: &FieldType, values: &[&Value]) -> ArrayRef {
    match kind {
        FieldType::Int64 => Arc::new(Int64Array::from_iter(values.iter().map(|value| match value {
            Value::Whole(number) => Some(*number),
            _ => None,
        }))),
        FieldType::Float64 => Arc::new(Float64Array::from_iter(values.iter().map(|value| match value {
            Value::Number(number) => Some(*number),
            _ => None,
        }))),
        FieldType::Bool => Arc::new(BooleanArray::from_iter(values.iter().map(|value| match value {
            Value::Bool(flag) => Some(*flag),
            _ => None,
        }))),
        FieldType::Utf8 | FieldType::Category | FieldType::Image => {
            Arc::new(StringArray::from_iter(values.iter().map(|value| match value {
                Value::Text(text) => Some(text.as_str()),
                _ => None,
            })))
        }
        FieldType::Timestamp => {
            Arc::new(PrimitiveArray::<TimestampMicrosecondType>::from_iter(values.iter().map(|value| {
                match value {
                    Value::Time(time) => Some(*time),
                    _ => None,
                }
            })))
        }
        FieldType::List(item) => {
            let is_there: Vec<bool> = values.iter().map(|value| matches!(value, Value::List(_))).collect();
            let offsets = OffsetBuffer::from_lengths(values.iter().map(|value| items_of(value).len()));
            let all: Vec<&Value> = values.iter().flat_map(|value| items_of(value)).collect();
            let field = Arc::new(Field::new(ITEM, item.data_type(), false));
            Arc::new(ListArray::new(field, offsets, fields(item, &all), nulls(&is_there)))
        }
    }
}

fn items_of(value: &Value) -> &[Value] {
    match value {
        Value::List(items) => items,
        _ => &[],
    }
}

fn events_of(value: &Value) -> &[Event] {
    match value {
        Value::Past(events) => events,
        _ => &[],
    }
}

/// Which rows are null; nothing where none is.
fn nulls(is_there: &[bool]) -> Option<NullBuffer> {
    is_there.contains(&false).then(|| NullBuffer::from_iter(is_there.iter().copied()))
}

fn pasts(fields_wanted: &[(String, FieldType)], values: &[&Value]) -> ArrayRef {
    let offsets = OffsetBuffer::from_lengths(values.iter().map(|value| events_of(value).len()));
    let all: Vec<&Event> = values.iter().flat_map(|value| events_of(value)).collect();
    let times: Vec<i64> = all.iter().map(|event| event.time).collect();
    let times: ArrayRef = Arc::new(PrimitiveArray::<TimestampMicrosecondType>::from(times));
    let wanted = fields_wanted.iter().enumerate().map(|(place, (_, kind))| {
        let values: Vec<&Value> =
            all.iter().map(|event| event.fields.get(place).unwrap_or(&Value::Null)).collect();
        fields(kind, &values)
    });
    let columns = std::iter::once(times).chain(wanted).collect();
    let fields = event_fields(fields_wanted);
    let items = StructArray::new(fields.clone(), columns, None);
    let item = Arc::new(Field::new(ITEM, DataType::Struct(fields), false));
    Arc::new(ListArray::new(item, offsets, Arc::new(items), None))
}

fn images(image: &Image, values: &[&Value]) -> ArrayRef {
    let pictures: Vec<Option<Picture>> = values
        .iter()
        .map(|value| match value {
            Value::Picture(picture) => Some(*picture),
            _ => None,
        })
        .collect();
    match image.sample {
        Sample::U8 => pixels::<UInt8Type>(image, &pictures, |level| level),
        Sample::U16 => pixels::<UInt16Type>(image, &pictures, |level| 257 * u16::from(level)),
        Sample::F32 => pixels::<Float32Type>(image, &pictures, f32::from),
    }
}

fn pixels<T: ArrowPrimitiveType>(
    image: &Image,
    pictures: &[Option<Picture>],
    sample: impl Fn(u8) -> T::Native,
) -> ArrayRef {
    let DataType::Struct(fields) = image.data_type() else { unreachable!("an image is a struct") };
    let channels = image.channels.count();
    let mut samples: Vec<T::Native> = Vec::new();
    let mut lengths = Vec::new();
    let mut shapes =
        FixedSizeListBuilder::new(Int32Builder::new(), IMAGE_DIMENSIONS).with_field(item_of(&fields[1]));
    for picture in pictures {
        let before = samples.len();
        let sides = picture.map_or([0; 3], |picture| [picture.height, picture.width, channels]);
        if let Some(picture) = picture {
            draw(picture, channels, |level| samples.push(sample(level)));
        }
        lengths.push(samples.len() - before);
        shapes.values().append_slice(&sides.map(u32::cast_signed));
        shapes.append(true);
    }
    let samples = PrimitiveArray::<T>::new(samples.into(), None);
    let data =
        ListArray::new(item_of(&fields[0]), OffsetBuffer::from_lengths(lengths), Arc::new(samples), None);
    let is_there: Vec<bool> = pictures.iter().map(Option::is_some).collect();
    let columns: Vec<ArrayRef> = vec![Arc::new(data), Arc::new(shapes.finish())];
    Arc::new(StructArray::new(fields, columns, nulls(&is_there)))
}

/// Gives each sample of a picture, row by row, between 0 and 255.
fn draw(picture: &Picture, channels: u32, mut sample: impl FnMut(u8)) {
    let Picture { height, width, fill } = *picture;
    for y in 0..height {
        for x in 0..width {
            for channel in 0..channels {
                sample(match fill {
                    Fill::Flat(level) => level,
                    Fill::Squares(seed) => {
                        let square = u64::from(y * SQUARES / height * SQUARES + x * SQUARES / width);
                        mixed(seed ^ (square * u64::from(channels) + u64::from(channel)))
                    }
                });
            }
        }
    }
}

/// A byte in which each bit of `bits` has a say (the finaliser of SplitMix64: Steele, Lea, Flood, "Fast Splittable
/// Pseudorandom Number Generators", 2014, figure 17).
fn mixed(bits: u64) -> u8 {
    let bits = (bits ^ (bits >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let bits = (bits ^ (bits >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    (bits >> 56) as u8
}

/// The field of a list's items.
fn item_of(list: &Field) -> Arc<Field> {
    match list.data_type() {
        DataType::List(item) | DataType::FixedSizeList(item, _) => Arc::clone(item),
        other => unreachable!("expected a list, found {other}"),
    }
}
