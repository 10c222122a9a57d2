//! Records that a manifest asks for: as values, which are easily changed, and as the Arrow columns that a plugin is given.

mod arrow;
mod dice;
mod extreme;
mod ordinary;
#[cfg(test)]
mod tests;

use foretell_runtime::manifest::{EVENT_TIME, FieldType, Image, Manifest};

pub(crate) use arrow::{batch, schema};
pub(crate) use dice::Dice;
pub(crate) use extreme::{extremes, in_words, with_extreme, with_past};
pub(crate) use ordinary::{Generator, LATEST};

/// A value of a record.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Value {
    Null,
    Bool(bool),
    Whole(i64),
    Number(f64),
    Text(String),
    /// Microseconds since 1970-01-01 UTC.
    Time(i64),
    List(Vec<Value>),
    Picture(Picture),
    /// Past events, oldest first.
    Past(Vec<Event>),
}

/// An event of a history.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Event {
    /// Microseconds since 1970-01-01 UTC.
    pub(crate) time: i64,
    /// The fields that the history asks for, in its order.
    pub(crate) fields: Vec<Value>,
}

/// An image, which is made when the plugin is given it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Picture {
    pub(crate) height: u32,
    pub(crate) width: u32,
    pub(crate) fill: Fill,
}

/// What an image shows.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Fill {
    /// The same everywhere, 0 black to 255 white.
    Flat(u8),
    /// Coarse squares of random brightness.
    Squares(u64),
}

/// The values of a record, one for each column.
pub(crate) type Row = Vec<Value>;

/// A column of a plugin's records.
#[derive(Clone, Debug)]
pub(crate) struct Column {
    pub(crate) name: String,
    pub(crate) kind: Kind,
    pub(crate) nullable: bool,
}

/// What stands in a column.
#[derive(Clone, Debug)]
pub(crate) enum Kind {
    /// Any type but `image`.
    Field(FieldType),
    Image(Image),
    /// Past events with these fields beside their time.
    Past(Vec<(String, FieldType)>),
}

/// The columns of a manifest: its inputs, then its histories.
pub(crate) fn columns(manifest: &Manifest) -> Vec<Column> {
    let inputs = manifest.inputs.iter().map(|input| {
        let kind = input.picture().map_or_else(|| Kind::Field(input.kind.clone()), Kind::Image);
        Column { name: input.name.clone(), kind, nullable: !input.required }
    });
    let histories = manifest.histories.iter().map(|history| {
        let field = |name: &String| Some((name.clone(), manifest.history_field(name)?.clone()));
        let fields = history.fields.iter().filter_map(field).collect();
        Column { name: history.name.clone(), kind: Kind::Past(fields), nullable: false }
    });
    inputs.chain(histories).collect()
}

/// The place of the column with the record's own time, if the plugin is given it.
pub(crate) fn time_place(manifest: &Manifest) -> Option<usize> {
    manifest.inputs.iter().position(|input| input.name == EVENT_TIME)
}
