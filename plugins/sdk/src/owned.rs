//! Arrow types and columns that this side owns, and hands over to the host.
//!
//! There is one owner for all types: a [`Type`] or a [`Values`] is a tree, and each of its nodes becomes an Arrow struct that
//! frees exactly what is its own. So the host may move a child out and release it after its parent, as Arrow allows.

use std::borrow::Cow;
use std::ffi::{CStr, CString, c_void};

use foretell_abi::{ArrowArray, ArrowSchema};

/// Most buffers that a column has: validity, offsets, values.
const BUFFERS_MAX: usize = 3;

/// The type of a column.
pub struct Type {
    format: Cow<'static, CStr>,
    name: Cow<'static, CStr>,
    nullable: bool,
    children: Vec<Type>,
}

impl Type {
    /// A column without children, by its Arrow format.
    pub(crate) fn leaf(name: impl Into<Cow<'static, CStr>>, format: &'static CStr) -> Self {
        Self { format: Cow::Borrowed(format), name: name.into(), nullable: false, children: Vec::new() }
    }

    /// Columns that belong together.
    pub(crate) fn structure(name: impl Into<Cow<'static, CStr>>, children: Vec<Type>) -> Self {
        Self { format: Cow::Borrowed(c"+s"), name: name.into(), nullable: false, children }
    }

    /// A list of `item` for each row.
    pub(crate) fn list(name: &'static CStr, item: Type) -> Self {
        Self { format: Cow::Borrowed(c"+l"), name: name.into(), nullable: false, children: vec![item] }
    }

    /// `length` of `item` for each row.
    pub(crate) fn fixed_list(name: &'static CStr, item: Type, length: usize) -> Self {
        let format = CString::new(format!("+w:{length}")).expect("digits have no zero byte");
        Self { format: Cow::Owned(format), name: name.into(), nullable: false, children: vec![item] }
    }

    /// The same, with rows that may be null.
    pub(crate) fn nullable(self) -> Self {
        Self { nullable: true, ..self }
    }

    /// Hands it over.
    pub(crate) fn into_schema(self) -> ArrowSchema {
        let children =
            self.children.into_iter().map(|child| Box::into_raw(Box::new(child.into_schema()))).collect();
        let mut parts = Box::new(TypeParts { format: self.format, name: self.name, children });
        ArrowSchema {
            format: parts.format.as_ptr(),
            name: parts.name.as_ptr(),
            flags: if self.nullable { ArrowSchema::NULLABLE } else { 0 },
            n_children: parts.children.len() as i64,
            children: parts.children.as_mut_ptr(),
            release: Some(release_schema),
            private_data: Box::into_raw(parts).cast(),
            ..ArrowSchema::empty()
        }
    }
}

/// What a schema points at.
struct TypeParts {
    format: Cow<'static, CStr>,
    name: Cow<'static, CStr>,
    children: Vec<*mut ArrowSchema>,
}

#[expect(unsafe_code, reason = "called by the host through the C interface")]
unsafe extern "C" fn release_schema(schema: *mut ArrowSchema) {
    // SAFETY: the host passes a schema made by `into_schema`, once; its children were boxed there. A child that the host
    // moved out has no release any more.
    unsafe {
        let parts = Box::from_raw((*schema).private_data.cast::<TypeParts>());
        for mut child in parts.children.into_iter().map(|child| Box::from_raw(child)) {
            if let Some(release) = child.release {
                release(&raw mut *child);
            }
        }
        (*schema).release = None;
    }
}

/// What stands in one buffer.
pub(crate) enum Buffer {
    /// Nothing: the type of the column has fewer buffers.
    Unused,
    /// A null pointer: a validity bitmap where there are no nulls.
    Absent,
    /// A bitmap, or the bytes of texts.
    Bytes(Vec<u8>),
    /// Where lists and texts begin and end.
    Offsets(Vec<i32>),
    /// 32-bit floats.
    Floats(Vec<f32>),
    /// 32-bit signed integers.
    Integers(Vec<i32>),
    /// 64-bit signed integers, and microseconds since 1970-01-01 UTC.
    Longs(Vec<i64>),
    /// 64-bit floats.
    Doubles(Vec<f64>),
}

impl Buffer {
    fn as_ptr(&self) -> *const c_void {
        match self {
            Self::Unused | Self::Absent => std::ptr::null(),
            Self::Bytes(values) => values.as_ptr().cast(),
            Self::Offsets(values) => values.as_ptr().cast(),
            Self::Floats(values) => values.as_ptr().cast(),
            Self::Integers(values) => values.as_ptr().cast(),
            Self::Longs(values) => values.as_ptr().cast(),
            Self::Doubles(values) => values.as_ptr().cast(),
        }
    }
}

/// The values of a column.
pub struct Values {
    /// Number of rows.
    pub(crate) length: usize,
    /// Number of rows that are null.
    pub(crate) nulls: usize,
    /// Validity first, then what the type has.
    pub(crate) buffers: [Buffer; BUFFERS_MAX],
    /// Columns of a struct, or the items of lists.
    pub(crate) children: Vec<Values>,
}

/// What an array points at.
struct Parts {
    pointers: [*const c_void; BUFFERS_MAX],
    children: Vec<*mut ArrowArray>,
    _buffers: [Buffer; BUFFERS_MAX],
}

impl Values {
    /// Columns of `length` rows that belong together.
    pub(crate) fn structure(length: usize, children: Vec<Values>) -> Self {
        Self { length, nulls: 0, buffers: [Buffer::Absent, Buffer::Unused, Buffer::Unused], children }
    }

    /// Floats that are all there.
    pub(crate) fn floats(values: Vec<f32>) -> Self {
        Self::numbers(values.len(), Buffer::Floats(values))
    }

    /// Numbers of 64 bits, which times are too, that are all there.
    pub(crate) fn longs(values: Vec<i64>) -> Self {
        Self::numbers(values.len(), Buffer::Longs(values))
    }

    /// Integers that are all there.
    pub(crate) fn integers(values: Vec<i32>) -> Self {
        Self::numbers(values.len(), Buffer::Integers(values))
    }

    /// Bytes that are all there.
    pub(crate) fn bytes(values: Vec<u8>) -> Self {
        Self::numbers(values.len(), Buffer::Bytes(values))
    }

    fn numbers(length: usize, values: Buffer) -> Self {
        Self { length, nulls: 0, buffers: [Buffer::Absent, values, Buffer::Unused], children: Vec::new() }
    }

    /// Lists of `length` rows of `items` each.
    pub(crate) fn fixed_lists(length: usize, items: Values) -> Self {
        Self { children: vec![items], ..Self::structure(length, Vec::new()) }
    }

    /// Lists of the rows of `items`; there is one more offset than lists.
    pub(crate) fn lists(offsets: Vec<i32>, items: Values) -> Self {
        let length = offsets.len() - 1;
        Self {
            length,
            nulls: 0,
            buffers: [Buffer::Absent, Buffer::Offsets(offsets), Buffer::Unused],
            children: vec![items],
        }
    }

    /// Hands it over.
    pub(crate) fn into_array(self) -> ArrowArray {
        let used = self.buffers.iter().filter(|buffer| !matches!(buffer, Buffer::Unused)).count();
        let mut children: Vec<_> =
            self.children.into_iter().map(|child| Box::into_raw(Box::new(child.into_array()))).collect();
        let array = ArrowArray {
            length: self.length as i64,
            null_count: self.nulls as i64,
            n_buffers: used as i64,
            n_children: children.len() as i64,
            children: children.as_mut_ptr(),
            release: Some(release_array),
            ..ArrowArray::empty()
        };
        let pointers = self.buffers.each_ref().map(Buffer::as_ptr);
        let parts = Box::into_raw(Box::new(Parts { pointers, children, _buffers: self.buffers }));
        #[expect(unsafe_code, reason = "points into a box that is owned by hand")]
        // SAFETY: `parts` was just boxed and nobody else has it.
        let buffers = unsafe { (&raw mut (*parts).pointers).cast() };
        ArrowArray { buffers, private_data: parts.cast(), ..array }
    }
}

#[expect(unsafe_code, reason = "called by the host through the C interface")]
unsafe extern "C" fn release_array(array: *mut ArrowArray) {
    // SAFETY: as in `release_schema`, for an array made by `into_array`.
    unsafe {
        let parts = Box::from_raw((*array).private_data.cast::<Parts>());
        for mut child in parts.children.into_iter().map(|child| Box::from_raw(child)) {
            if let Some(release) = child.release {
                release(&raw mut *child);
            }
        }
        (*array).release = None;
    }
}
