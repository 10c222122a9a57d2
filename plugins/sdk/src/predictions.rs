//! What a plugin answers: one row for each record, in a form that its task fixes.

use std::ffi::{CStr, c_void};

use foretell_abi::{ArrowArray, ArrowSchema};

/// Predictions of one task, filled by [`crate::Plugin::predict`] and handed to the host.
pub trait Predictions: Sized {
    /// Room for `rows` predictions.
    fn with_capacity(rows: usize) -> Self;
    /// Number of predictions so far.
    fn len(&self) -> usize;
    /// Whether there is none so far.
    fn is_empty(&self) -> bool {
        self.len() == 0
    }
    /// Their Arrow type.
    fn schema() -> ArrowSchema;
    /// Hands them over.
    fn into_array(self) -> ArrowArray;
}

macro_rules! one_float {
    ($(#[$docs:meta])* $name:ident, $column:literal) => {
        $(#[$docs])*
        #[derive(Debug, Default)]
        pub struct $name(Vec<f32>);

        impl $name {
            /// Adds the next record's.
            pub fn push(&mut self, value: f32) {
                self.0.push(value);
            }

            /// Makes room for `rows` of them at once, zero at first, to be written in place.
            pub fn fill(&mut self, rows: usize) -> &mut [f32] {
                self.0.resize(rows, 0.0);
                &mut self.0
            }
        }

        impl Predictions for $name {
            fn with_capacity(rows: usize) -> Self {
                Self(Vec::with_capacity(rows))
            }

            fn len(&self) -> usize {
                self.0.len()
            }

            fn schema() -> ArrowSchema {
                schema_of($column)
            }

            fn into_array(self) -> ArrowArray {
                array_of(self.0)
            }
        }
    };
}
one_float!(
    /// Binary classification: the probability, 0 to 1, that the record has the manifest's `positive` label.
    Scores,
    c"score"
);
one_float!(
    /// Regression: the value, in the manifest's unit.
    Values,
    c"value"
);

/// Owns what a schema of one float column points at.
struct SchemaParts {
    column: ArrowSchema,
    children: [*mut ArrowSchema; 1],
}

fn schema_of(name: &'static CStr) -> ArrowSchema {
    let column = ArrowSchema {
        format: c"f".as_ptr(),
        name: name.as_ptr(),
        release: Some(release_schema_child),
        ..ArrowSchema::empty()
    };
    let parts = Box::into_raw(Box::new(SchemaParts { column, children: [std::ptr::null_mut()] }));
    let mut schema = ArrowSchema {
        format: c"+s".as_ptr(),
        name: c"".as_ptr(),
        n_children: 1,
        release: Some(release_schema),
        private_data: parts.cast(),
        ..ArrowSchema::empty()
    };
    #[expect(unsafe_code, reason = "a struct that points into itself")]
    // SAFETY: `parts` was just boxed and nobody else has it.
    unsafe {
        (*parts).children[0] = &raw mut (*parts).column;
        schema.children = (&raw mut (*parts).children).cast();
    }
    schema
}

#[expect(unsafe_code, reason = "called by the host through the C interface")]
unsafe extern "C" fn release_schema(schema: *mut ArrowSchema) {
    // SAFETY: the host passes a schema made by `schema_of`, once.
    unsafe {
        drop(Box::from_raw((*schema).private_data.cast::<SchemaParts>()));
        (*schema).release = None;
    }
}

#[expect(unsafe_code, reason = "called by the host through the C interface")]
unsafe extern "C" fn release_schema_child(schema: *mut ArrowSchema) {
    // SAFETY: the host passes a valid schema; its memory belongs to the parent.
    unsafe { (*schema).release = None };
}

/// Owns what an array of one float column points at: one allocation beside the values themselves.
struct ArrayParts {
    values: Vec<f32>,
    column: ArrowArray,
    column_buffers: [*const c_void; 2],
    buffers: [*const c_void; 1],
    children: [*mut ArrowArray; 1],
}

fn array_of(values: Vec<f32>) -> ArrowArray {
    let length = values.len() as i64;
    let parts = Box::into_raw(Box::new(ArrayParts {
        column_buffers: [std::ptr::null(), values.as_ptr().cast()],
        buffers: [std::ptr::null()],
        children: [std::ptr::null_mut()],
        column: ArrowArray {
            length,
            n_buffers: 2,
            release: Some(release_array_child),
            ..ArrowArray::empty()
        },
        values,
    }));
    #[expect(unsafe_code, reason = "a struct that points into itself")]
    // SAFETY: `parts` was just boxed and nobody else has it.
    unsafe {
        (*parts).column.buffers = (&raw mut (*parts).column_buffers).cast();
        (*parts).children[0] = &raw mut (*parts).column;
        ArrowArray {
            length,
            n_buffers: 1,
            n_children: 1,
            buffers: (&raw mut (*parts).buffers).cast(),
            children: (&raw mut (*parts).children).cast(),
            release: Some(release_array),
            private_data: parts.cast(),
            ..ArrowArray::empty()
        }
    }
}

#[expect(unsafe_code, reason = "called by the host through the C interface")]
unsafe extern "C" fn release_array(array: *mut ArrowArray) {
    // SAFETY: the host passes an array made by `array_of`, once.
    unsafe {
        let parts = Box::from_raw((*array).private_data.cast::<ArrayParts>());
        drop(parts.values);
        (*array).release = None;
    }
}

#[expect(unsafe_code, reason = "called by the host through the C interface")]
unsafe extern "C" fn release_array_child(array: *mut ArrowArray) {
    // SAFETY: the host passes a valid array; its memory belongs to the parent.
    unsafe { (*array).release = None };
}
