//! One session: a network in memory that runs for one caller at a time.

use std::{
    ffi::{CString, c_char},
    ptr,
};

use ort::{AsPointer as _, sys};

use super::tensor::{Element, TensorSpec, TensorView, TensorViewMut};

/// A network was not run, or failed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RunError {
    /// Another number of inputs or outputs than the network has.
    #[error("number of {side}: expected {expected}, found {found}")]
    Count {
        /// `inputs` or `outputs`.
        side: &'static str,
        /// As many as the network has.
        expected: usize,
        /// As many as were given.
        found: usize,
    },
    /// An input or output of another type or shape, or in memory of another size than that takes.
    #[error("{side} `{name}`: expected {expected}, found {found}")]
    Tensor {
        /// `input` or `output`.
        side: &'static str,
        /// Name of the input or output in the network.
        name: String,
        /// What the network declares, such as `f32[batch, 3]`.
        expected: String,
        /// What was given, such as `f64[1, 3]`.
        found: String,
    },
    /// ONNX Runtime refused or failed.
    #[error("ONNX Runtime failed: {0}")]
    Failed(String),
}

/// The names of a network's inputs and outputs, as a C call takes them.
pub(super) struct Names {
    pointers: Vec<*const c_char>,
    inputs: usize,
    /// What the pointers point at.
    _texts: Vec<CString>,
}

// SAFETY: the pointers point into `_texts`, which nobody changes.
#[expect(unsafe_code, reason = "pointers to constant text of its own")]
unsafe impl Send for Names {}
// SAFETY: as above.
#[expect(unsafe_code, reason = "pointers to constant text of its own")]
unsafe impl Sync for Names {}

impl Names {
    /// `None` if a name holds a zero byte, which no C call can take.
    pub(super) fn new(inputs: &[TensorSpec], outputs: &[TensorSpec]) -> Option<Names> {
        let text = |spec: &TensorSpec| CString::new(spec.name.as_str()).ok();
        let texts: Vec<CString> = inputs.iter().chain(outputs).map(text).collect::<Option<_>>()?;
        let pointers = texts.iter().map(|text| text.as_ptr()).collect();
        Some(Names { pointers, inputs: inputs.len(), _texts: texts })
    }
}

/// A session with what a run needs, made once.
pub(super) struct Session {
    session: ort::session::Session,
    options: RunOptions,
    memory: MemoryInfo,
    /// The tensors of the current run: inputs, then outputs. Empty between runs.
    values: Vec<Value>,
}

impl Session {
    pub(super) fn new(session: ort::session::Session) -> ort::Result<Session> {
        Ok(Session { session, options: RunOptions::new()?, memory: MemoryInfo::new()?, values: Vec::new() })
    }

    pub(super) fn declared(&self) -> (&[ort::value::Outlet], &[ort::value::Outlet]) {
        (self.session.inputs(), self.session.outputs())
    }

    /// Runs the network.
    ///
    /// **Invariant:** the caller has checked that count, types, shapes and memory of the tensors are what the network
    /// declares.
    pub(super) fn run(
        &mut self,
        names: &Names,
        inputs: &[TensorView<'_>],
        outputs: &mut [TensorViewMut<'_>],
    ) -> ort::Result<()> {
        let done = self.lend(inputs, outputs).and_then(|()| self.run_values(names));
        // The tensors end here: the lent memory is the caller's again.
        self.values.clear();
        done
    }

    fn lend(&mut self, inputs: &[TensorView<'_>], outputs: &mut [TensorViewMut<'_>]) -> ort::Result<()> {
        for input in inputs {
            // ONNX Runtime takes a pointer to mutable data and does not write through it for an input.
            let value =
                Value::new(&self.memory, input.element, input.shape, input.data.cast_mut(), input.bytes)?;
            self.values.push(value);
        }
        for output in outputs {
            let value = Value::new(&self.memory, output.element, output.shape, output.data, output.bytes)?;
            self.values.push(value);
        }
        Ok(())
    }

    fn run_values(&mut self, names: &Names) -> ort::Result<()> {
        let (input_names, output_names) = names.pointers.split_at(names.inputs);
        let (inputs, outputs) = self.values.split_at_mut(names.inputs);
        #[expect(unsafe_code, reason = "the wrapper of ort allocates outputs on every run")]
        // SAFETY: the session lives and runs for nobody else, since it is borrowed mutably. There are as many values as stated,
        // and at least as many names, and they live; `Value` is a transparent pointer, and no output is null, so none is replaced. The values
        // point at memory of the size that their type and shape take, lent for this call, and the outputs' memory is
        // nobody else's. ONNX Runtime fails instead of writing an output of another shape.
        unsafe {
            ort::Error::result_from_status((ort::api().Run)(
                self.session.ptr().cast_mut(),
                self.options.0,
                input_names.as_ptr(),
                inputs.as_ptr().cast(),
                inputs.len(),
                output_names.as_ptr(),
                outputs.len(),
                outputs.as_mut_ptr().cast(),
            ))
        }
    }
}

/// A tensor of ONNX Runtime over memory that somebody else owns.
#[repr(transparent)]
struct Value(*mut sys::OrtValue);

// SAFETY: an `OrtValue` is plain data, without ties to the thread that made it.
#[expect(unsafe_code, reason = "an owned object of ONNX Runtime")]
unsafe impl Send for Value {}

impl Value {
    /// **Invariant:** the value is used only while `data` is lent, and `bytes` is what element type and shape take.
    fn new(
        memory: &MemoryInfo,
        element: Element,
        shape: &[i64],
        data: *mut u8,
        bytes: usize,
    ) -> ort::Result<Value> {
        let mut value = ptr::null_mut();
        #[expect(unsafe_code, reason = "the wrapper of ort takes ownership of the data, or copies it")]
        // SAFETY: the pointers are valid for the call, which reads the shape and keeps the address of the data without
        // reading it. On success it gives a value that is ours.
        unsafe {
            ort::Error::result_from_status((ort::api().CreateTensorWithDataAsOrtValue)(
                memory.0,
                data.cast(),
                bytes,
                shape.as_ptr(),
                shape.len(),
                element.code(),
                &mut value,
            ))?;
        }
        Ok(Value(value))
    }
}

impl Drop for Value {
    fn drop(&mut self) {
        #[expect(unsafe_code, reason = "releases an object of ONNX Runtime")]
        // SAFETY: the value is ours and is not used again. The data is not touched.
        unsafe {
            (ort::api().ReleaseValue)(self.0);
        }
    }
}

/// Options of a run, kept because making them on every run costs more than passing them.
struct RunOptions(*mut sys::OrtRunOptions);

// SAFETY: an `OrtRunOptions` is plain data, without ties to the thread that made it.
#[expect(unsafe_code, reason = "an owned object of ONNX Runtime")]
unsafe impl Send for RunOptions {}

impl RunOptions {
    fn new() -> ort::Result<RunOptions> {
        let mut options = ptr::null_mut();
        #[expect(unsafe_code, reason = "makes an object of ONNX Runtime")]
        // SAFETY: on success the call gives options that are ours.
        unsafe {
            ort::Error::result_from_status((ort::api().CreateRunOptions)(&mut options))?;
        }
        Ok(RunOptions(options))
    }
}

impl Drop for RunOptions {
    fn drop(&mut self) {
        #[expect(unsafe_code, reason = "releases an object of ONNX Runtime")]
        // SAFETY: the options are ours and are not used again.
        unsafe {
            (ort::api().ReleaseRunOptions)(self.0);
        }
    }
}

/// The statement that tensors are in main memory.
struct MemoryInfo(*mut sys::OrtMemoryInfo);

// SAFETY: an `OrtMemoryInfo` is plain data, without ties to the thread that made it.
#[expect(unsafe_code, reason = "an owned object of ONNX Runtime")]
unsafe impl Send for MemoryInfo {}

impl MemoryInfo {
    fn new() -> ort::Result<MemoryInfo> {
        let mut memory = ptr::null_mut();
        #[expect(unsafe_code, reason = "makes an object of ONNX Runtime")]
        // SAFETY: on success the call gives an object that is ours.
        unsafe {
            ort::Error::result_from_status((ort::api().CreateCpuMemoryInfo)(
                sys::OrtAllocatorType::OrtDeviceAllocator,
                sys::OrtMemType::OrtMemTypeDefault,
                &mut memory,
            ))?;
        }
        Ok(MemoryInfo(memory))
    }
}

impl Drop for MemoryInfo {
    fn drop(&mut self) {
        #[expect(unsafe_code, reason = "releases an object of ONNX Runtime")]
        // SAFETY: the object is ours, and no value outlives the session that it belongs to.
        unsafe {
            (ort::api().ReleaseMemoryInfo)(self.0);
        }
    }
}
