//! The C interface between foretell and its plugins, and nothing else.
//!
//! A plugin is a native library that exports one symbol, [`ENTRY_SYMBOL`]: a function that takes nothing and
//! returns a pointer to a [`Plugin`] table which lives as long as the process. The host checks the table, calls
//! `open` once for each instance it wants, `predict` as often as it likes, and `close` at the end.
//!
//! ```text
//! host                                   plugin
//!  | foretell_plugin()  ----------------->  | -> Plugin { size, abi, name, open, predict, close, capability }
//!  | open(host, request, &instance) ----->  | model_open("network")  (asks the host)
//!  | predict(instance, records, &out) --->  | records -> tensors, model_run(...), tensors -> predictions
//!  | close(instance) -------------------->  |
//! ```
//!
//! Records and predictions cross as the [Arrow C Data Interface](https://arrow.apache.org/docs/format/CDataInterface.html)
//! ([`ArrowSchema`] once, at `open`; [`ArrowArray`] at each `predict`), tensors as
//! [DLPack](https://dmlc.github.io/dlpack/latest/c_api.html) ([`DLTensor`]). Everything else is a `repr(C)` struct,
//! a sized integer, or a pointer and a length. The C header `include/foretell.h` is generated from this file.
//!
//! What not every plugin and host has is asked for by name ([`Plugin::capability`], [`Host::capability`]) and costs nobody
//! else a version: files of data that a plugin reads ([`HostData`]), learning them from records ([`Fit`]), and saying where in an
//! image a prediction comes from ([`Attention`]).
//!
//! The rules of the boundary:
//!
//! - **Invariant:** every struct of ours begins with its size in bytes. A later minor version only appends fields;
//!   whoever reads a field beyond the size that the other side stated must not.
//! - **Invariant:** whoever allocates frees. The only memory that changes hands is the prediction array and the
//!   prediction schema, and both carry the plugin's own `release`.
//! - **Invariant:** what the host lends (records, request, names, tensors) is valid until the call returns, and the content
//!   of a data file as long as the instance. A plugin neither keeps, changes nor releases it.
//! - **Invariant:** nothing unwinds across the boundary. A plugin turns a panic or an exception into [`STATUS_PANIC`].
//! - **Invariant:** compatibility is one rule: [`compatible`].
//!
//! Pitfall: `predict` is called from several threads at once unless the manifest says `concurrency = "serial"`.

mod capability;

use std::ffi::{CStr, c_char, c_void};

pub use capability::{
    ATTENTION_CAPABILITY, Attention, DATA_CAPABILITY, FIT_CAPABILITY, Fit, FitOutput, FitOutputContext,
    FitRequest, Fitting, HostData,
};

/// Major number of the interface. A host and a plugin work together only when it is equal.
pub const ABI_MAJOR: u32 = 1;
/// Minor number of the interface. It grows when fields are appended; a host serves plugins of its own or a lower minor.
pub const ABI_MINOR: u32 = 0;

/// Name of the one symbol that a plugin exports, an [`Entry`].
pub const ENTRY_SYMBOL: &CStr = c"foretell_plugin";

/// Bytes of an error message that fit into an [`Error`].
pub const ERROR_BYTES_MAX: usize = 1024;

/// What a call returns: zero, or why it failed, with the words in an [`Error`].
pub type Status = i32;
/// The call did what it says.
pub const STATUS_OK: Status = 0;
/// The arguments can't be served: a column is missing, a value makes no sense, a setting is unknown.
pub const STATUS_INVALID: Status = 1;
/// A network could not be opened or run.
pub const STATUS_MODEL: Status = 2;
/// The host asked for the work to stop, and it stopped.
pub const STATUS_CANCELLED: Status = 3;
/// The plugin panicked. The instance may be used again.
pub const STATUS_PANIC: Status = 4;
/// Anything else.
pub const STATUS_FAILED: Status = 5;

/// Severity of a message given to [`Host::log`].
pub type LogLevel = i32;
/// Something is wrong, and a result is missing because of it.
pub const LOG_ERROR: LogLevel = 1;
/// Something looks wrong, and the work goes on.
pub const LOG_WARN: LogLevel = 2;
/// What an operator likes to know.
pub const LOG_INFO: LogLevel = 3;
/// What the plugin's author likes to know.
pub const LOG_DEBUG: LogLevel = 4;

/// Whether a host of `host_major.host_minor` serves a plugin built for `plugin_major.plugin_minor`: major equal, host
/// minor at or above the plugin's.
///
/// ```
/// use foretell_abi::compatible;
/// assert!(compatible((1, 3), (1, 0)));
/// assert!(!compatible((1, 0), (1, 1)), "the plugin may call what this host does not have");
/// assert!(!compatible((2, 0), (1, 0)), "a major number is a different interface");
/// ```
pub const fn compatible(host: (u32, u32), plugin: (u32, u32)) -> bool {
    host.0 == plugin.0 && host.1 >= plugin.1
}

/// Bytes that somebody else owns. UTF-8 where a text is meant; not terminated by zero.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct Bytes {
    /// First byte; may be null when `length` is zero.
    pub data: *const u8,
    /// Number of bytes.
    pub length: usize,
}

impl Bytes {
    /// Lends `bytes` for as long as they live.
    pub const fn new(bytes: &[u8]) -> Self {
        Self { data: bytes.as_ptr(), length: bytes.len() }
    }

    /// The bytes themselves.
    ///
    /// # Safety
    /// `data` must point to `length` readable bytes that outlive `'a`, or `length` must be zero.
    #[expect(unsafe_code, reason = "a pointer and a length from the other side of the boundary")]
    pub const unsafe fn as_slice<'a>(self) -> &'a [u8] {
        if self.length == 0 || self.data.is_null() {
            return &[];
        }
        // SAFETY: the caller vouches for `length` readable bytes at `data`, which is not null.
        unsafe { std::slice::from_raw_parts(self.data, self.length) }
    }
}

// SAFETY: a shared, read-only view; the owner's promise about its lifetime holds in every thread.
#[expect(unsafe_code, reason = "tables of constants hold views of constants")]
unsafe impl Send for Bytes {}
// SAFETY: as above.
#[expect(unsafe_code, reason = "tables of constants hold views of constants")]
unsafe impl Sync for Bytes {}

/// Why a call failed. The caller provides it; the called side fills it, so that nobody has to free it.
#[repr(C)]
#[derive(Clone)]
pub struct Error {
    /// Size of this struct in bytes.
    pub size: usize,
    /// Number of bytes of `message` that count.
    pub length: usize,
    /// UTF-8, lower case, no full stop: what was expected, what was found, what to do. Cut at a character boundary.
    pub message: [u8; ERROR_BYTES_MAX],
}

impl Error {
    /// An empty error, to be lent to a call.
    pub const fn empty() -> Self {
        Self { size: size_of::<Self>(), length: 0, message: [0; ERROR_BYTES_MAX] }
    }

    /// Stores `text`, cut at a character boundary when it is longer than [`ERROR_BYTES_MAX`].
    ///
    /// ```
    /// let mut error = foretell_abi::Error::empty();
    /// error.set("column `amount` is missing");
    /// assert_eq!(error.text(), "column `amount` is missing");
    /// ```
    pub fn set(&mut self, text: &str) {
        let mut length = text.len().min(ERROR_BYTES_MAX);
        while !text.is_char_boundary(length) {
            length -= 1;
        }
        self.message[..length].copy_from_slice(&text.as_bytes()[..length]);
        self.length = length;
    }

    /// The message. A length beyond the buffer and bytes that are not UTF-8 are survived, since the other side wrote them.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.message[..self.length.min(ERROR_BYTES_MAX)]).into_owned()
    }
}

/// A column's type, after the Arrow C Data Interface.
#[repr(C)]
#[derive(Debug)]
pub struct ArrowSchema {
    /// Type as a format string, such as `g` for float64.
    pub format: *const c_char,
    /// Name, or null.
    pub name: *const c_char,
    /// Encoded key-value pairs, or null.
    pub metadata: *const c_char,
    /// Bit set: 2 means nullable.
    pub flags: i64,
    /// Number of `children`.
    pub n_children: i64,
    /// Types of the children.
    pub children: *mut *mut ArrowSchema,
    /// Type of the values of a dictionary, or null.
    pub dictionary: *mut ArrowSchema,
    /// Frees what the producer allocated, and marks the struct by setting itself to null.
    pub release: Option<unsafe extern "C" fn(*mut ArrowSchema)>,
    /// The producer's own.
    pub private_data: *mut c_void,
}

impl ArrowSchema {
    /// Marks a column that may hold nulls, in `flags`.
    pub const NULLABLE: i64 = 2;

    /// A released schema, to be filled by a producer.
    pub const fn empty() -> Self {
        use std::ptr::null_mut;
        Self {
            format: std::ptr::null(),
            name: std::ptr::null(),
            metadata: std::ptr::null(),
            flags: 0,
            n_children: 0,
            children: null_mut(),
            dictionary: null_mut(),
            release: None,
            private_data: null_mut(),
        }
    }
}

/// A column's values, after the Arrow C Data Interface.
#[repr(C)]
#[derive(Debug)]
pub struct ArrowArray {
    /// Number of rows.
    pub length: i64,
    /// Number of null rows, or -1 when nobody counted.
    pub null_count: i64,
    /// Rows to skip at the start of every buffer.
    pub offset: i64,
    /// Number of `buffers`.
    pub n_buffers: i64,
    /// Number of `children`.
    pub n_children: i64,
    /// Validity bitmap first (null when there are no nulls), then offsets and values as the type has them.
    pub buffers: *mut *const c_void,
    /// Child columns.
    pub children: *mut *mut ArrowArray,
    /// Values of a dictionary, or null.
    pub dictionary: *mut ArrowArray,
    /// Frees what the producer allocated, and marks the struct by setting itself to null.
    pub release: Option<unsafe extern "C" fn(*mut ArrowArray)>,
    /// The producer's own.
    pub private_data: *mut c_void,
}

impl ArrowArray {
    /// A released array, to be filled by a producer.
    pub const fn empty() -> Self {
        use std::ptr::null_mut;
        Self {
            length: 0,
            null_count: 0,
            offset: 0,
            n_buffers: 0,
            n_children: 0,
            buffers: null_mut(),
            children: null_mut(),
            dictionary: null_mut(),
            release: None,
            private_data: null_mut(),
        }
    }
}

/// Where a tensor lives, after DLPack.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DLDevice {
    /// 1 is main memory, the only one that this version serves.
    pub device_type: i32,
    /// Which of several devices.
    pub device_id: i32,
}

impl DLDevice {
    /// Main memory.
    pub const CPU: Self = Self { device_type: 1, device_id: 0 };
}

/// Type of an element of a tensor, after DLPack.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DLDataType {
    /// 0 signed integer, 1 unsigned integer, 2 float, 6 bool.
    pub code: u8,
    /// Bits of an element.
    pub bits: u8,
    /// Elements that stand together; 1.
    pub lanes: u16,
}

impl DLDataType {
    /// 32-bit float.
    pub const F32: Self = Self { code: 2, bits: 32, lanes: 1 };
    /// 64-bit float.
    pub const F64: Self = Self { code: 2, bits: 64, lanes: 1 };
    /// 32-bit signed integer.
    pub const I32: Self = Self { code: 0, bits: 32, lanes: 1 };
    /// 64-bit signed integer.
    pub const I64: Self = Self { code: 0, bits: 64, lanes: 1 };
    /// Byte.
    pub const U8: Self = Self { code: 1, bits: 8, lanes: 1 };
    /// True or false, a byte each.
    pub const BOOL: Self = Self { code: 6, bits: 8, lanes: 1 };
}

/// A dense tensor that the caller lends, after DLPack.
#[repr(C)]
#[derive(Debug)]
pub struct DLTensor {
    /// First element; inputs are read, outputs are written by the host.
    pub data: *mut c_void,
    /// Where `data` is.
    pub device: DLDevice,
    /// Number of dimensions.
    pub ndim: i32,
    /// Type of an element.
    pub dtype: DLDataType,
    /// `ndim` sizes.
    pub shape: *mut i64,
    /// `ndim` strides in elements, or null for row-major. This version serves row-major only.
    pub strides: *mut i64,
    /// Bytes to skip at `data`; zero.
    pub byte_offset: u64,
}

/// The host's side of an instance; the plugin only hands it back.
pub struct HostContext {
    _opaque: [u8; 0],
}

/// A network that the host opened; the plugin only hands it back.
pub struct Model {
    _opaque: [u8; 0],
}

/// The plugin's own state; the host only hands it back.
pub struct Instance {
    _opaque: [u8; 0],
}

/// What the host offers. Valid until `close` returns; every function may be called from any thread.
#[repr(C)]
pub struct Host {
    /// Size of this struct in bytes.
    pub size: usize,
    /// The host's [`ABI_MAJOR`].
    pub abi_major: u32,
    /// The host's [`ABI_MINOR`].
    pub abi_minor: u32,
    /// First argument of every function below.
    pub context: *const HostContext,
    /// Finds the network that the manifest lists as `[[model]]` under `name`. It is in memory once, whoever asks.
    pub model_open: Option<
        unsafe extern "C" fn(
            context: *const HostContext,
            name: Bytes,
            model: *mut *const Model,
            error: *mut Error,
        ) -> Status,
    >,
    /// Runs a network. Inputs and outputs stand in the order of the network's own; the caller allocates the outputs, with
    /// the exact shapes that the network gives.
    /// Of the outputs the first `outputs_count` are computed, at least one.
    pub model_run: Option<
        unsafe extern "C" fn(
            context: *const HostContext,
            model: *const Model,
            inputs: *const DLTensor,
            inputs_count: usize,
            outputs: *mut DLTensor,
            outputs_count: usize,
            error: *mut Error,
        ) -> Status,
    >,
    /// Hands a message to the host's log. Never give it what a record holds.
    pub log: Option<unsafe extern "C" fn(context: *const HostContext, level: LogLevel, message: Bytes)>,
    /// Not zero when the work is no longer wanted: return [`STATUS_CANCELLED`] soon.
    pub is_cancelled: Option<unsafe extern "C" fn(context: *const HostContext) -> i32>,
    /// An optional power of the host by its id, such as [`DATA_CAPABILITY`]; null when the host does not have it.
    pub capability: Option<unsafe extern "C" fn(context: *const HostContext, id: Bytes) -> *const c_void>,
}

/// What an instance is opened with. Lent for the call.
#[repr(C)]
pub struct OpenRequest {
    /// Size of this struct in bytes.
    pub size: usize,
    /// Type of the records: a struct of the manifest's inputs, in its order, then its history columns.
    pub records: *const ArrowSchema,
    /// The manifest's `[config]` with the user's changes, as a JSON object.
    pub config: Bytes,
    /// Filled by the plugin: type of its predictions, which must be what its task fixes.
    pub predictions: *mut ArrowSchema,
}

/// What a plugin is: the table that [`ENTRY_SYMBOL`] returns. It lives as long as the process.
#[repr(C)]
pub struct Plugin {
    /// Size of this struct in bytes.
    pub size: usize,
    /// The [`ABI_MAJOR`] that the plugin was built against. Read before anything below.
    pub abi_major: u32,
    /// The [`ABI_MINOR`] that the plugin was built against.
    pub abi_minor: u32,
    /// Name, equal to the manifest's.
    pub name: Bytes,
    /// Version, equal to the manifest's.
    pub version: Bytes,
    /// Makes an instance.
    pub open: Option<
        unsafe extern "C" fn(
            host: *const Host,
            request: *const OpenRequest,
            instance: *mut *mut Instance,
            error: *mut Error,
        ) -> Status,
    >,
    /// Predicts: one row of `predictions` for each row of `records`, in the same order. On failure `predictions` stays
    /// untouched.
    pub predict: Option<
        unsafe extern "C" fn(
            instance: *mut Instance,
            records: *const ArrowArray,
            predictions: *mut ArrowArray,
            error: *mut Error,
        ) -> Status,
    >,
    /// Ends an instance.
    pub close: Option<unsafe extern "C" fn(instance: *mut Instance)>,
    /// An optional power of the plugin by its id, such as [`FIT_CAPABILITY`]; null when the plugin does not have it.
    pub capability: Option<unsafe extern "C" fn(id: Bytes) -> *const c_void>,
}

// SAFETY: a table of constants and functions, never written after it was made.
#[expect(unsafe_code, reason = "a plugin's table is a static")]
unsafe impl Sync for Plugin {}
// SAFETY: as above.
#[expect(unsafe_code, reason = "a plugin's table is a static")]
unsafe impl Send for Plugin {}

/// Type of the exported symbol.
pub type Entry = unsafe extern "C" fn() -> *const Plugin;

#[cfg(test)]
mod tests {
    use super::*;

    /// The layout is the contract: on a 64-bit machine no later version may move a field.
    #[test]
    #[cfg(target_pointer_width = "64")]
    fn layout_is_frozen() {
        use std::mem::offset_of;
        assert_eq!(size_of::<Bytes>(), 16);
        assert_eq!(size_of::<Error>(), 16 + ERROR_BYTES_MAX);
        assert_eq!(size_of::<ArrowSchema>(), 72);
        assert_eq!(size_of::<ArrowArray>(), 80);
        assert_eq!(size_of::<DLTensor>(), 48);
        assert_eq!(offset_of!(DLTensor, shape), 24);
        assert_eq!(size_of::<Host>(), 64);
        assert_eq!(offset_of!(Host, model_run), 32);
        assert_eq!(size_of::<OpenRequest>(), 40);
        assert_eq!(size_of::<Plugin>(), 80);
        assert_eq!(offset_of!(Plugin, abi_major), 8);
        assert_eq!(offset_of!(Plugin, open), 48);
    }

    #[test]
    fn long_message_is_cut_at_a_character() {
        let mut error = Error::empty();
        error.set(&"é".repeat(ERROR_BYTES_MAX));
        assert_eq!(error.text(), "é".repeat(ERROR_BYTES_MAX / 2));
        error.set(&format!("x{}", "é".repeat(ERROR_BYTES_MAX)));
        assert_eq!(error.text().len(), ERROR_BYTES_MAX - 1);
    }

    #[test]
    fn lying_length_is_survived() {
        let mut error = Error::empty();
        error.length = usize::MAX;
        error.message[0] = 0xff;
        assert!(error.text().starts_with('\u{fffd}'));
    }
}
