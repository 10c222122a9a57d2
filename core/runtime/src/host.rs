//! The host's side of an instance: the table of services that a plugin calls back.

use std::ffi::c_void;
use std::sync::atomic::{AtomicBool, Ordering};

use foretell_abi as abi;
use foretell_abi::{
    ABI_MAJOR, ABI_MINOR, Bytes, DATA_CAPABILITY, DLDataType, DLDevice, DLTensor, HostContext, HostData,
    LogLevel, STATUS_INVALID, STATUS_MODEL, STATUS_OK, Status,
};

use crate::onnx::{Element, Model, TensorView, TensorViewMut};

/// Tensors that one call of `model_run` may have on each side.
const TENSORS_MAX: usize = 16;
/// Dimensions of a tensor.
const DIMENSIONS_MAX: i32 = 8;

/// What the services of one instance work on. It stands in a box of its own, because the plugin holds its address.
pub(crate) struct Context {
    plugin: String,
    models: Vec<(String, Model)>,
    /// **Invariant:** never changed, since a plugin holds the addresses of the bytes.
    data: Vec<(String, Vec<u8>)>,
    cancelled: AtomicBool,
}

impl Context {
    pub(crate) fn new(
        plugin: String,
        models: Vec<(String, Model)>,
        data: Vec<(String, Vec<u8>)>,
    ) -> Box<Self> {
        Box::new(Self { plugin, models, data, cancelled: AtomicBool::new(false) })
    }

    /// The table for a plugin. Valid as long as `self` stays where it is.
    pub(crate) fn table(&self) -> Box<abi::Host> {
        Box::new(abi::Host {
            size: size_of::<abi::Host>(),
            abi_major: ABI_MAJOR,
            abi_minor: ABI_MINOR,
            context: std::ptr::from_ref(self).cast(),
            model_open: Some(model_open),
            model_run: Some(model_run),
            log: Some(log),
            is_cancelled: Some(is_cancelled),
            capability: Some(capability),
        })
    }

    /// Asks the plugin to stop, or lets it go on.
    pub(crate) fn set_cancelled(&self, cancelled: bool) {
        self.cancelled.store(cancelled, Ordering::Relaxed);
    }

    /// A model handle is its place in the list plus one, so that a handle that was never given is noticed.
    fn model(&self, handle: *const abi::Model) -> Option<&(String, Model)> {
        self.models.get((handle as usize).checked_sub(1)?)
    }
}

/// # Safety
/// `context` must be the one of a table that [`Context::table`] made, still alive.
#[expect(unsafe_code, reason = "a plugin hands back the pointer that it was given")]
unsafe fn context_of<'a>(context: *const HostContext) -> &'a Context {
    // SAFETY: the caller vouches for it.
    unsafe { &*context.cast::<Context>() }
}

#[expect(unsafe_code, reason = "called by the plugin through the C interface")]
unsafe fn fail(error: *mut abi::Error, status: Status, message: &str) -> Status {
    // SAFETY: the plugin lends an error struct or null.
    if let Some(error) = unsafe { error.as_mut() } {
        error.set(message);
    }
    status
}

#[expect(unsafe_code, reason = "called by the plugin through the C interface")]
unsafe extern "C" fn model_open(
    context: *const HostContext,
    name: Bytes,
    model: *mut *const abi::Model,
    error: *mut abi::Error,
) -> Status {
    // SAFETY: the plugin hands back its context and lends the name for the call.
    let (context, name) = unsafe { (context_of(context), String::from_utf8_lossy(name.as_slice())) };
    match context.models.iter().position(|(known, _)| *known == name) {
        Some(place) if !model.is_null() => {
            // SAFETY: the plugin lends a place to write to.
            unsafe { *model = std::ptr::without_provenance(place + 1) };
            STATUS_OK
        }
        // SAFETY: the plugin lends an error struct or null.
        Some(_) => unsafe { fail(error, STATUS_INVALID, "`model_open` was given no place to write to") },
        // SAFETY: as above.
        None => unsafe { fail(error, STATUS_INVALID, &unlisted(&name, "onnx", &context.models)) },
    }
}

/// What to say of a name that the manifest does not list, or lists as something else.
fn unlisted<T>(name: &str, format: &str, listed: &[(String, T)]) -> String {
    let known: Vec<_> = listed.iter().map(|(name, _)| name.as_str()).collect();
    let known = if known.is_empty() { "none".to_owned() } else { known.join(", ") };
    format!("the manifest lists no model `{name}` of format `{format}`; of this format it lists: {known}")
}

#[expect(unsafe_code, reason = "called by the plugin through the C interface")]
unsafe extern "C" fn model_run(
    context: *const HostContext,
    model: *const abi::Model,
    inputs: *const DLTensor,
    inputs_count: usize,
    outputs: *mut DLTensor,
    outputs_count: usize,
    error: *mut abi::Error,
) -> Status {
    // SAFETY: the plugin hands back its context.
    let context = unsafe { context_of(context) };
    let Some((name, model)) = context.model(model) else {
        // SAFETY: the plugin lends an error struct or null.
        return unsafe {
            fail(error, STATUS_INVALID, "`model_run` was given a model that `model_open` never gave")
        };
    };
    // SAFETY: the plugin lends tensors that live for the call, outputs nowhere overlapping.
    let run = unsafe {
        views(inputs, inputs_count, |tensor| {
            read(tensor).map(|(element, shape, bytes)| {
                // SAFETY: `read` found a dense tensor of `bytes` bytes at `data`.
                TensorView::new(element, shape, bytes_at(tensor.data, bytes))
            })
        })
        .and_then(|inputs| {
            let mut outputs = views(outputs, outputs_count, |tensor| {
                read(tensor).map(|(element, shape, bytes)| {
                    // SAFETY: as above, and the plugin lends it to be written.
                    TensorViewMut::new(element, shape, bytes_at_mut(tensor.data, bytes))
                })
            })?;
            model.run(&inputs, &mut outputs).map_err(|error| error.to_string())
        })
    };
    match run {
        Ok(()) => STATUS_OK,
        // SAFETY: the plugin lends an error struct or null.
        Err(words) => unsafe { fail(error, STATUS_MODEL, &format!("model `{name}`: {words}")) },
    }
}

/// # Safety
/// `tensors` must point at `count` tensors.
#[expect(unsafe_code, reason = "reads what a plugin lends")]
unsafe fn views<'a, V>(
    tensors: *const DLTensor,
    count: usize,
    view: impl Fn(&'a DLTensor) -> Result<V, String>,
) -> Result<Vec<V>, String> {
    if count > TENSORS_MAX || (count > 0 && tensors.is_null()) {
        return Err(format!("{count} tensors were lent; expected at most {TENSORS_MAX}"));
    }
    // SAFETY: the caller vouches for `count` tensors.
    (0..count).map(|index| view(unsafe { &*tensors.add(index) })).collect()
}

/// Element type, shape and bytes of a tensor, or what is wrong with it.
///
/// # Safety
/// `shape` must point at `ndim` sizes.
#[expect(unsafe_code, reason = "reads what a plugin lends")]
unsafe fn read(tensor: &DLTensor) -> Result<(Element, &[i64], usize), String> {
    if tensor.device.device_type != DLDevice::CPU.device_type
        || !tensor.strides.is_null()
        || tensor.byte_offset != 0
    {
        return Err("a tensor is not dense, row-major and in main memory".to_owned());
    }
    let (element, size) = match tensor.dtype {
        DLDataType::F32 => (Element::F32, 4),
        DLDataType::F64 => (Element::F64, 8),
        DLDataType::I32 => (Element::I32, 4),
        DLDataType::I64 => (Element::I64, 8),
        DLDataType::U8 => (Element::U8, 1),
        DLDataType::BOOL => (Element::Bool, 1),
        other => {
            return Err(format!("a tensor has elements of type {other:?}, which this host does not run"));
        }
    };
    if !(0..=DIMENSIONS_MAX).contains(&tensor.ndim) || (tensor.ndim > 0 && tensor.shape.is_null()) {
        return Err(format!("a tensor has {} dimensions; expected at most {DIMENSIONS_MAX}", tensor.ndim));
    }
    let shape = if tensor.ndim == 0 {
        &[]
    } else {
        // SAFETY: the caller vouches for `ndim` sizes.
        unsafe { std::slice::from_raw_parts(tensor.shape, tensor.ndim as usize) }
    };
    let bytes =
        shape.iter().try_fold(size, |bytes: usize, &size| bytes.checked_mul(usize::try_from(size).ok()?));
    match bytes {
        Some(bytes) if bytes <= isize::MAX as usize && (bytes == 0 || !tensor.data.is_null()) => {
            Ok((element, shape, bytes))
        }
        _ => Err(format!("a tensor has the shape {shape:?}, which nothing can hold, or no data")),
    }
}

/// # Safety
/// `data` must point at `bytes` readable bytes, or `bytes` be zero.
#[expect(unsafe_code, reason = "reads what a plugin lends")]
unsafe fn bytes_at<'a>(data: *const c_void, bytes: usize) -> &'a [u8] {
    if bytes == 0 {
        return &[];
    }
    // SAFETY: the caller vouches for it.
    unsafe { std::slice::from_raw_parts(data.cast(), bytes) }
}

/// # Safety
/// `data` must point at `bytes` bytes that nobody else reads or writes, or `bytes` be zero.
#[expect(unsafe_code, reason = "writes what a plugin lends")]
unsafe fn bytes_at_mut<'a>(data: *mut c_void, bytes: usize) -> &'a mut [u8] {
    if bytes == 0 {
        return &mut [];
    }
    // SAFETY: the caller vouches for it.
    unsafe { std::slice::from_raw_parts_mut(data.cast(), bytes) }
}

#[expect(unsafe_code, reason = "called by the plugin through the C interface")]
unsafe extern "C" fn log(context: *const HostContext, level: LogLevel, message: Bytes) {
    // SAFETY: the plugin hands back its context and lends the message for the call.
    let (context, message) = unsafe { (context_of(context), String::from_utf8_lossy(message.as_slice())) };
    let plugin = context.plugin.as_str();
    match level {
        abi::LOG_ERROR => tracing::error!(plugin, "{message}"),
        abi::LOG_WARN => tracing::warn!(plugin, "{message}"),
        abi::LOG_INFO => tracing::info!(plugin, "{message}"),
        _ => tracing::debug!(plugin, "{message}"),
    }
}

#[expect(unsafe_code, reason = "called by the plugin through the C interface")]
unsafe extern "C" fn is_cancelled(context: *const HostContext) -> i32 {
    // SAFETY: the plugin hands back its context.
    i32::from(unsafe { context_of(context) }.cancelled.load(Ordering::Relaxed))
}

#[expect(unsafe_code, reason = "called by the plugin through the C interface")]
unsafe extern "C" fn capability(_context: *const HostContext, id: Bytes) -> *const c_void {
    static DATA: HostData = HostData { size: size_of::<HostData>(), read: Some(data_read) };
    // SAFETY: the plugin lends the id for the call.
    if unsafe { id.as_slice() } == DATA_CAPABILITY.as_bytes() {
        return (&raw const DATA).cast();
    }
    std::ptr::null()
}

#[expect(unsafe_code, reason = "called by the plugin through the C interface")]
unsafe extern "C" fn data_read(
    context: *const HostContext,
    name: Bytes,
    data: *mut Bytes,
    error: *mut abi::Error,
) -> Status {
    // SAFETY: the plugin hands back its context and lends the name for the call.
    let (context, name) = unsafe { (context_of(context), String::from_utf8_lossy(name.as_slice())) };
    match context.data.iter().find(|(known, _)| *known == name) {
        Some((_, bytes)) if !data.is_null() => {
            // SAFETY: the plugin lends a place to write to.
            unsafe { *data = Bytes::new(bytes) };
            STATUS_OK
        }
        // SAFETY: the plugin lends an error struct or null.
        Some(_) => unsafe { fail(error, STATUS_INVALID, "`read` was given no place to write to") },
        // SAFETY: the plugin lends an error struct or null.
        None => unsafe { fail(error, STATUS_INVALID, &unlisted(&name, "data", &context.data)) },
    }
}
