//! A host in a few lines: it lends one file of data, exports records as `arrow-rs` does, and imports what it gets.

use std::ffi::c_void;

use arrow_array::ffi::{FFI_ArrowArray, from_ffi};
use arrow_array::{Array, StructArray};
use arrow_schema::ffi::FFI_ArrowSchema;
use foretell_sdk::abi::{self, Bytes, STATUS_OK, Status};

/// What the host lends and is asked.
pub(crate) struct Host {
    data: Vec<u8>,
    table: abi::Host,
}

/// Words of a call that failed, with its status.
pub(crate) type Failure = (Status, String);

impl Host {
    /// A host whose file `words` has this content.
    pub(crate) fn new(data: &[u8]) -> Box<Self> {
        let mut host = Box::new(Self {
            data: data.to_vec(),
            table: abi::Host {
                size: size_of::<abi::Host>(),
                abi_major: abi::ABI_MAJOR,
                abi_minor: abi::ABI_MINOR,
                context: std::ptr::null(),
                model_open: None,
                model_run: None,
                log: None,
                is_cancelled: None,
                capability: Some(capability),
            },
        });
        host.table.context = (&raw const *host).cast();
        host
    }

    /// A host that knows no capability.
    pub(crate) fn without_capabilities() -> Box<Self> {
        let mut host = Self::new(b"");
        host.table.capability = None;
        host
    }

    pub(crate) fn table(&self) -> *const abi::Host {
        &raw const self.table
    }
}

unsafe extern "C" fn capability(_: *const abi::HostContext, id: Bytes) -> *const c_void {
    static DATA: abi::HostData = abi::HostData { size: size_of::<abi::HostData>(), read: Some(read) };
    // SAFETY: the plugin lends the id for the call.
    match unsafe { id.as_slice() } {
        id if id == abi::DATA_CAPABILITY.as_bytes() => (&raw const DATA).cast(),
        _ => std::ptr::null(),
    }
}

unsafe extern "C" fn read(
    context: *const abi::HostContext,
    name: Bytes,
    data: *mut Bytes,
    error: *mut abi::Error,
) -> Status {
    // SAFETY: the plugin hands back the host's context, and lends the rest for the call.
    unsafe {
        if name.as_slice() != b"words" {
            (*error).set("there is no such file");
            return abi::STATUS_INVALID;
        }
        *data = Bytes::new(&(*context.cast::<Host>()).data);
    }
    STATUS_OK
}

/// Records as C structs, kept alive.
pub(crate) struct Records {
    pub(crate) array: FFI_ArrowArray,
    pub(crate) schema: FFI_ArrowSchema,
}

impl Records {
    pub(crate) fn new(records: &StructArray) -> Self {
        Self {
            array: FFI_ArrowArray::new(&records.to_data()),
            schema: FFI_ArrowSchema::try_from(records.data_type()).unwrap(),
        }
    }

    pub(crate) fn array(&self) -> *const abi::ArrowArray {
        (&raw const self.array).cast()
    }

    pub(crate) fn schema(&self) -> *const abi::ArrowSchema {
        (&raw const self.schema).cast()
    }
}

/// Takes over what a plugin hands over, and checks everything that `arrow-rs` can check.
pub(crate) fn import(array: abi::ArrowArray, schema: abi::ArrowSchema) -> StructArray {
    // SAFETY: the structs are the C Data Interface's, layout for layout, and are used nowhere else from here on.
    let data = unsafe {
        let array = std::mem::transmute::<abi::ArrowArray, FFI_ArrowArray>(array);
        let schema = std::mem::transmute::<abi::ArrowSchema, FFI_ArrowSchema>(schema);
        from_ffi(array, &schema).unwrap()
    };
    data.validate_full().unwrap();
    StructArray::from(data)
}

/// Makes a call that fills an error, and gives its words.
pub(crate) fn call(call: impl FnOnce(*mut abi::Error) -> Status) -> Result<(), Failure> {
    let mut error = abi::Error::empty();
    match call(&raw mut error) {
        STATUS_OK => Ok(()),
        status => Err((status, error.text())),
    }
}
