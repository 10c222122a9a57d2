//! What an instance is opened with: the types of the records, the settings and the host.

use std::ffi::CStr;

use foretell_abi::{ArrowSchema, Bytes};

use crate::{Column, Data, Error, History, Host, Image, List, Model, Past, Sample, Time, Value};

/// What the time of a record, and of each past event, is called.
const EVENT_TIME: &str = "event_time";
/// Levels of nesting that a record type may have; deeper is refused.
const DEPTH_MAX: usize = 8;

/// Type of a column.
#[derive(Clone, Debug, PartialEq)]
pub enum Kind {
    /// 8-bit unsigned integer.
    UInt8,
    /// 16-bit unsigned integer.
    UInt16,
    /// 32-bit signed integer.
    Int32,
    /// 64-bit signed integer.
    Int64,
    /// 64-bit float.
    Float64,
    /// 32-bit float.
    Float32,
    /// True or false, a bit each.
    Bool,
    /// Text.
    Utf8,
    /// Microseconds since 1970-01-01 UTC.
    Timestamp,
    /// A list for each row.
    List(Box<Field>),
    /// A list of so many for each row.
    FixedList(Box<Field>, usize),
    /// Named columns that belong together.
    Struct(Vec<Field>),
    /// A type that this version does not read; the Arrow format string.
    Other(String),
}

/// A column's name and type.
#[derive(Clone, Debug, PartialEq)]
pub struct Field {
    /// Name; empty for the items of a list.
    pub name: String,
    /// Type.
    pub kind: Kind,
    /// Whether rows may be null.
    pub nullable: bool,
}

impl Field {
    /// Reads a field that the host lends.
    ///
    /// # Safety
    /// `schema` must be a valid Arrow C schema that is not released.
    #[expect(unsafe_code, reason = "reads the structs that the host lends")]
    unsafe fn read(schema: &ArrowSchema, depth: usize) -> Result<Self, Error> {
        if depth > DEPTH_MAX {
            return Err(Error::invalid(format!("the record type is nested deeper than {DEPTH_MAX} levels")));
        }
        let text = |pointer: *const std::ffi::c_char| {
            if pointer.is_null() {
                return String::new();
            }
            // SAFETY: Arrow's C strings end with zero and live as long as the schema.
            unsafe { CStr::from_ptr(pointer) }.to_string_lossy().into_owned()
        };
        let mut children = Vec::new();
        for index in 0..usize::try_from(schema.n_children).unwrap_or(0) {
            // SAFETY: Arrow promises `n_children` valid pointers at `children`.
            children.push(unsafe { Self::read(&**schema.children.add(index), depth + 1) }?);
        }
        let format = text(schema.format);
        let kind = match format.as_str() {
            "C" => Kind::UInt8,
            "S" => Kind::UInt16,
            "i" => Kind::Int32,
            "l" => Kind::Int64,
            "g" => Kind::Float64,
            "f" => Kind::Float32,
            "b" => Kind::Bool,
            "u" => Kind::Utf8,
            "+s" => Kind::Struct(children),
            "+l" if children.len() == 1 => Kind::List(Box::new(children.remove(0))),
            _ if format.starts_with("tsu:") => Kind::Timestamp,
            _ => match format.strip_prefix("+w:").and_then(|length| length.parse().ok()) {
                Some(length) if children.len() == 1 => Kind::FixedList(Box::new(children.remove(0)), length),
                _ => Kind::Other(format),
            },
        };
        Ok(Self { name: text(schema.name), kind, nullable: schema.flags & ArrowSchema::NULLABLE != 0 })
    }
}

/// What an instance is opened with. Ask it for columns and models by name, and keep the handles.
pub struct Open<'a> {
    fields: Vec<Field>,
    config: &'a str,
    host: Host,
}

impl<'a> Open<'a> {
    /// Reads what the host lends for the call: the type of the records and the settings.
    ///
    /// # Safety
    /// `records` must point at a valid Arrow schema, and `config` at bytes that live for `'a`.
    #[expect(unsafe_code, reason = "reads the structs that the host lends")]
    pub(crate) unsafe fn read(records: *const ArrowSchema, config: Bytes, host: Host) -> Result<Self, Error> {
        // SAFETY: the caller vouches for the schema.
        let root = unsafe { Field::read(&*records, 0) }?;
        let Kind::Struct(fields) = root.kind else {
            return Err(Error::invalid(
                "records are not a struct; expected a struct of the manifest's inputs",
            ));
        };
        // SAFETY: the caller vouches for the settings.
        let config = std::str::from_utf8(unsafe { config.as_slice() })
            .map_err(|_| Error::invalid("the settings are not UTF-8"))?;
        Ok(Self { fields, config, host })
    }

    /// Columns of the records, in order.
    pub fn fields(&self) -> &[Field] {
        &self.fields
    }

    /// The manifest's `[config]` with the user's changes, as a JSON object.
    pub fn config(&self) -> &str {
        self.config
    }

    /// The host's services, valid as long as the instance.
    pub fn host(&self) -> Host {
        self.host
    }

    /// The network that the manifest lists as `[[model]]` under `name`.
    pub fn model(&self, name: &str) -> Result<Model, Error> {
        self.host.model(name)
    }

    /// The file that the manifest lists as `[[model]]` with `format = "data"` under `name`.
    pub fn data(&self, name: &str) -> Result<Data, Error> {
        self.host.data(name)
    }

    /// The column `name`, which must have the type `T`: `f64`, `i64`, `f32`, `bool`, `str` or [`Time`].
    pub fn column<T: Value + ?Sized>(&self, name: &str) -> Result<Column<T>, Error> {
        let index = position::<T>(&self.fields, name, "the records")?;
        Ok(Column::new(index))
    }

    /// The column `name`, which must be lists of `T`.
    pub fn list<T: Value + ?Sized>(&self, name: &str) -> Result<List<T>, Error> {
        let index = index_of(&self.fields, name, "the records")?;
        match &self.fields[index].kind {
            Kind::List(item) if item.kind == T::KIND => Ok(List::new(index)),
            kind => Err(Error::invalid(format!(
                "column `{name}` of the records is {kind:?}; expected a list of {:?}",
                T::KIND
            ))),
        }
    }

    /// The column `name`, which must be images with samples of type `T`: `u8`, `u16` or `f32`, as the manifest's input says.
    pub fn image<T: Sample>(&self, name: &str) -> Result<Image<T>, Error> {
        let index = index_of(&self.fields, name, "the records")?;
        let is_list_of =
            |field: &Field, item: &Kind| matches!(&field.kind, Kind::List(found) if found.kind == *item);
        let is_shape =
            |field: &Field| matches!(&field.kind, Kind::FixedList(item, 3) if item.kind == Kind::Int32);
        match &self.fields[index].kind {
            Kind::Struct(fields) if matches!(&fields[..], [data, shape] if is_list_of(data, &T::KIND) && is_shape(shape)) => {
                Ok(Image::new(index))
            }
            kind => Err(Error::invalid(format!(
                "column `{name}` of the records is {kind:?}; expected images with samples of {:?}",
                T::KIND
            ))),
        }
    }

    /// The history column `name`, as the manifest's `[[history]]` declares it.
    pub fn history(&self, name: &str) -> Result<History, Error> {
        let index = index_of(&self.fields, name, "the records")?;
        match &self.fields[index].kind {
            Kind::List(item) if matches!(item.kind, Kind::Struct(_)) => {
                let is_time = |field: &Field| field.name == EVENT_TIME && field.kind == Time::KIND;
                let events = match &item.kind {
                    Kind::Struct(events) => events.iter().position(is_time),
                    _ => None,
                };
                Ok(History::new(index, self.fields.iter().position(is_time).zip(events)))
            }
            kind => Err(Error::invalid(format!(
                "column `{name}` is {kind:?}; expected a history, a list of structs"
            ))),
        }
    }

    /// The field `name` of the past events of `history`, which must have the type `T`.
    pub fn past<T: Value + ?Sized>(&self, history: History, name: &str) -> Result<Past<T>, Error> {
        let field = &self.fields[history.index()];
        let Kind::List(item) = &field.kind else { unreachable!("a history handle is made for a list") };
        let Kind::Struct(fields) = &item.kind else { unreachable!("a history handle is made for structs") };
        let index = position::<T>(fields, name, &format!("history `{}`", field.name))?;
        Ok(Past::new(history.index(), index))
    }

    /// When the past events of `history` happened.
    pub fn past_times(&self, history: History) -> Result<Past<Time>, Error> {
        self.past(history, EVENT_TIME)
    }
}

fn position<T: Value + ?Sized>(fields: &[Field], name: &str, place: &str) -> Result<usize, Error> {
    let index = index_of(fields, name, place)?;
    if fields[index].kind != T::KIND {
        return Err(Error::invalid(format!(
            "column `{name}` of {place} is {:?}; expected {:?}",
            fields[index].kind,
            T::KIND
        )));
    }
    Ok(index)
}

fn index_of(fields: &[Field], name: &str, place: &str) -> Result<usize, Error> {
    fields.iter().position(|field| field.name == name).ok_or_else(|| {
        let known: Vec<_> = fields.iter().map(|field| field.name.as_str()).collect();
        Error::invalid(format!("column `{name}` is not among {place}: {}", known.join(", ")))
    })
}
