//! The type of predictions that a plugin states when it is opened.
//!
//! `arrow-rs` reads such a statement as that of a friend: a child that is null, or a name that is no text, ends the process, and a
//! tree that bites its own tail the stack. So the tree is walked here, with limits, and only its leaves are read by `arrow-rs`.

use std::ffi::{CStr, c_char};

use arrow_schema::ffi::FFI_ArrowSchema;
use arrow_schema::{DataType, Field, Fields};
use foretell_abi::ArrowSchema;

/// Types within types; no task has more than four.
const STATED_DEPTH_MAX: usize = 8;
/// Types in all; no task has more than eleven.
const STATED_TYPES_MAX: usize = 64;
/// Longest format of a type, and longest name of a column.
const STATED_TEXT_BYTES_MAX: usize = 128;
/// The flag of a column that may have nulls.
const NULLABLE: i64 = 2;

/// Reads the type that a plugin stated, and releases it. Says in words, to be read behind "its predictions are", what else was
/// stated.
///
/// # Safety
/// What the statement points at must be readable where it is not null, and its texts must end with zero, as the Arrow C Data
/// Interface says.
#[expect(unsafe_code, reason = "reads what a plugin made")]
pub unsafe fn stated_type(schema: &mut ArrowSchema) -> Result<DataType, String> {
    let Some(release) = schema.release else { return Err("not stated".to_owned()) };
    let mut types = 0;
    // SAFETY: the caller's.
    let stated = unsafe { read(schema, 0, &mut types) };
    // SAFETY: it was handed over, is released once, and is not looked at afterwards.
    unsafe { release(schema) };
    schema.release = None;
    stated
}

/// # Safety
/// As of [`stated_type`].
#[expect(unsafe_code, reason = "reads what a plugin made")]
unsafe fn read(schema: &ArrowSchema, depth: usize, types: &mut usize) -> Result<DataType, String> {
    *types += 1;
    if depth > STATED_DEPTH_MAX || *types > STATED_TYPES_MAX {
        return Err(format!(
            "stated as more than {STATED_TYPES_MAX} types, or more than {STATED_DEPTH_MAX} within each other"
        ));
    }
    // SAFETY: the caller's.
    let Some(format) = (unsafe { text(schema.format, "format") })? else {
        return Err("stated without a format".to_owned());
    };
    let list = match format {
        "+s" => None,
        "+l" => Some(DataType::List as fn(_) -> _),
        _ => {
            let Some(items) = format.strip_prefix("+w:") else { return leaf(format) };
            let items =
                items.parse::<i32>().ok().filter(|items| *items >= 0).ok_or_else(|| unknown(format))?;
            // SAFETY: the caller's.
            let child = unsafe { only_child(schema, format, depth, types) }?;
            return Ok(DataType::FixedSizeList(child.into(), items));
        }
    };
    if let Some(list) = list {
        // SAFETY: the caller's.
        return Ok(list(unsafe { only_child(schema, format, depth, types) }?.into()));
    }
    let children = usize::try_from(schema.n_children)
        .ok()
        .filter(|children| *children <= STATED_TYPES_MAX)
        .ok_or_else(|| children(format, schema.n_children))?;
    let fields = (0..children).map(|index| {
        // SAFETY: there are `n_children` pointers.
        unsafe { field(schema, index, depth, types) }
    });
    Ok(DataType::Struct(fields.collect::<Result<Fields, _>>()?))
}

/// # Safety
/// As of [`stated_type`].
#[expect(unsafe_code, reason = "reads what a plugin made")]
unsafe fn only_child(
    schema: &ArrowSchema,
    format: &str,
    depth: usize,
    types: &mut usize,
) -> Result<Field, String> {
    if schema.n_children != 1 {
        return Err(children(format, schema.n_children));
    }
    // SAFETY: there is one pointer.
    unsafe { field(schema, 0, depth, types) }
}

/// # Safety
/// As of [`stated_type`], and `schema` must have so many children.
#[expect(unsafe_code, reason = "reads what a plugin made")]
unsafe fn field(
    schema: &ArrowSchema,
    index: usize,
    depth: usize,
    types: &mut usize,
) -> Result<Field, String> {
    let missing = || format!("stated with {} children, and without number {}", schema.n_children, index + 1);
    if schema.children.is_null() || !schema.children.is_aligned() {
        return Err(missing());
    }
    // SAFETY: there are so many pointers at `children`.
    let child = unsafe { *schema.children.add(index) };
    if !child.is_aligned() {
        return Err(missing());
    }
    // SAFETY: a child that is not null is a valid statement, by the C Data Interface.
    let child = unsafe { child.as_ref() }.ok_or_else(missing)?;
    // SAFETY: the caller's.
    let name = unsafe { text(child.name, "name") }?.unwrap_or_default();
    // SAFETY: the caller's.
    let kind = unsafe { read(child, depth + 1, types) }?;
    Ok(Field::new(name, kind, child.flags & NULLABLE != 0))
}

/// # Safety
/// `text` must be null, or end with zero.
#[expect(unsafe_code, reason = "reads what a plugin made")]
unsafe fn text<'t>(text: *const c_char, what: &str) -> Result<Option<&'t str>, String> {
    if text.is_null() {
        return Ok(None);
    }
    // SAFETY: the caller's. Nobody releases the statement before it is read.
    let bytes = unsafe { CStr::from_ptr(text) }.to_bytes();
    if bytes.len() > STATED_TEXT_BYTES_MAX {
        return Err(format!(
            "stated with a {what} of {} bytes; {STATED_TEXT_BYTES_MAX} are allowed",
            bytes.len()
        ));
    }
    str::from_utf8(bytes).map(Some).map_err(|_| format!("stated with a {what} that is not UTF-8"))
}

/// A type without types in it.
fn leaf(format: &str) -> Result<DataType, String> {
    // Other types that have children are no part of a prediction, and `arrow-rs` would look for their children.
    if format.starts_with('+') {
        return Err(unknown(format));
    }
    let stated = FFI_ArrowSchema::try_new(format, Vec::new(), None).map_err(|_| unknown(format))?;
    DataType::try_from(&stated).map_err(|_| unknown(format))
}

fn unknown(format: &str) -> String {
    format!("stated in the format {format:?}, which no prediction has")
}

fn children(format: &str, found: i64) -> String {
    format!("stated in the format {format:?} with {found} children")
}

#[cfg(test)]
mod tests {
    use std::ffi::CString;
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;

    static RELEASED: AtomicUsize = AtomicUsize::new(0);

    #[expect(unsafe_code, reason = "what a plugin would export")]
    unsafe extern "C" fn release(_: *mut ArrowSchema) {
        RELEASED.fetch_add(1, Ordering::Relaxed);
    }

    /// What is read of a format with these children, which is released once.
    #[expect(unsafe_code, reason = "reads what the test made")]
    fn stated(format: &CStr, children: &mut [*mut ArrowSchema]) -> Result<DataType, String> {
        let mut schema = ArrowSchema::empty();
        schema.format = format.as_ptr();
        schema.n_children = children.len() as i64;
        schema.children = children.as_mut_ptr();
        schema.release = Some(release);
        let before = RELEASED.load(Ordering::Relaxed);
        // SAFETY: everything that it points at lives.
        let stated = unsafe { stated_type(&mut schema) };
        assert_eq!(RELEASED.load(Ordering::Relaxed), before + 1);
        assert!(schema.release.is_none());
        stated
    }

    #[test]
    #[expect(unsafe_code, reason = "a statement that is its own child")]
    fn statements_that_lie_are_told_and_released() {
        let null = std::ptr::null_mut();
        for (format, expected) in [
            (c"+l", "stated with 1 children, and without number 1"),
            (c"+s", "stated with 1 children, and without number 1"),
            (c"+w:2", "stated with 1 children, and without number 1"),
            (c"+w:-1", "stated in the format \"+w:-1\", which no prediction has"),
            (c"+m", "stated in the format \"+m\", which no prediction has"),
            (c"+ud:0", "stated in the format \"+ud:0\", which no prediction has"),
            (c"", "stated in the format \"\", which no prediction has"),
            (c"\xff", "stated with a format that is not UTF-8"),
        ] {
            assert_eq!(stated(format, &mut [null]).unwrap_err(), expected);
        }
        assert_eq!(stated(c"+l", &mut []).unwrap_err(), "stated in the format \"+l\" with 0 children");
        let long = CString::new("f".repeat(STATED_TEXT_BYTES_MAX + 1)).unwrap();
        assert_eq!(stated(&long, &mut []).unwrap_err(), "stated with a format of 129 bytes; 128 are allowed");

        let mut number = ArrowSchema::empty();
        number.format = c"f".as_ptr();
        number.name = c"score".as_ptr();
        let score = Field::new("score", DataType::Float32, false);
        assert_eq!(
            stated(c"+s", &mut [&raw mut number]).unwrap(),
            DataType::Struct(vec![score.clone()].into())
        );
        assert_eq!(
            stated(c"+w:3", &mut [&raw mut number]).unwrap(),
            DataType::FixedSizeList(score.into(), 3)
        );
        number.name = c"\xff".as_ptr();
        assert_eq!(
            stated(c"+s", &mut [&raw mut number]).unwrap_err(),
            "stated with a name that is not UTF-8"
        );

        let mut snake = ArrowSchema::empty();
        let this = &raw mut snake;
        let mut tail = [this, this];
        for (format, children) in [(c"+l", 1), (c"+s", 2), (c"+s", i64::MAX), (c"+s", -1)] {
            // SAFETY: one thread, and nobody reads it meanwhile.
            unsafe {
                (*this).format = format.as_ptr();
                (*this).n_children = children;
                (*this).children = tail.as_mut_ptr();
            }
            let words = stated(c"+l", &mut [this]).unwrap_err();
            let expected = match children {
                1 | 2 => "stated as more than 64 types, or more than 8 within each other".to_owned(),
                _ => format!("stated in the format \"+s\" with {children} children"),
            };
            assert_eq!(words, expected);
        }
    }
}
