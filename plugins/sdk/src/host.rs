//! What the host offers to a plugin.

use foretell_abi as abi;
use foretell_abi::{Bytes, DATA_CAPABILITY, DLTensor, HostData, STATUS_CANCELLED, STATUS_OK, Status};

use crate::{Error, Tensor, TensorMut};

/// The host's services. Valid as long as the instance that it was opened with.
#[derive(Clone, Copy)]
pub struct Host {
    raw: *const abi::Host,
}

// SAFETY: the interface says that every function of the host may be called from any thread.
#[expect(unsafe_code, reason = "the host's table is shared between threads by contract")]
unsafe impl Send for Host {}
// SAFETY: as above.
#[expect(unsafe_code, reason = "the host's table is shared between threads by contract")]
unsafe impl Sync for Host {}

/// Severity of a log message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Level {
    /// A result is missing because of it.
    Error,
    /// Looks wrong, and the work goes on.
    Warn,
    /// What an operator likes to know.
    Info,
    /// What the plugin's author likes to know.
    Debug,
}

impl Host {
    /// # Safety
    /// `raw` must be a valid host table that outlives the instance.
    #[expect(unsafe_code, reason = "the other methods rely on the table that the host lends")]
    pub(crate) unsafe fn new(raw: *const abi::Host) -> Self {
        Self { raw }
    }

    #[expect(unsafe_code, reason = "reads the table that the host lends")]
    fn table(&self) -> &abi::Host {
        // SAFETY: the table is valid as long as the instance, by `new`.
        unsafe { &*self.raw }
    }

    /// The network that the manifest lists as `[[model]]` under `name`.
    #[expect(unsafe_code, reason = "calls the host")]
    pub fn model(&self, name: &str) -> Result<Model, Error> {
        let table = self.table();
        let open = table.model_open.ok_or_else(|| Error::failed("the host has no `model_open`"))?;
        let (mut raw, mut error) = (std::ptr::null(), abi::Error::empty());
        // SAFETY: the arguments are valid for the call, as the interface asks.
        let status =
            unsafe { open(table.context, Bytes::new(name.as_bytes()), &raw mut raw, &raw mut error) };
        check(status, &error)?;
        Ok(Model { host: *self, raw })
    }

    /// The file that the manifest lists as `[[model]]` with `format = "data"` under `name`.
    #[expect(unsafe_code, reason = "calls the host")]
    pub fn data(&self, name: &str) -> Result<Data, Error> {
        let table = self.table();
        let lacking = || Error::failed(format!("the host has no `{DATA_CAPABILITY}`; update foretell"));
        let capability = table.capability.ok_or_else(lacking)?;
        // SAFETY: the id is valid for the call.
        let found = unsafe { capability(table.context, Bytes::new(DATA_CAPABILITY.as_bytes())) };
        let data = found.cast::<HostData>();
        // SAFETY: what the host gives under this id is null or a `HostData` of at least the size that it states, which lives as
        // long as the process.
        let read = unsafe {
            if data.is_null() || (*data).size < size_of::<HostData>() { None } else { (*data).read }
        };
        let read = read.ok_or_else(lacking)?;
        let (mut bytes, mut error) = (Bytes::new(&[]), abi::Error::empty());
        // SAFETY: the arguments are valid for the call, as the interface asks.
        let status =
            unsafe { read(table.context, Bytes::new(name.as_bytes()), &raw mut bytes, &raw mut error) };
        check(status, &error)?;
        Ok(Data { bytes })
    }

    /// Hands a message to the host's log. Never give it what a record holds.
    #[expect(unsafe_code, reason = "calls the host")]
    pub fn log(&self, level: Level, message: &str) {
        let level = match level {
            Level::Error => abi::LOG_ERROR,
            Level::Warn => abi::LOG_WARN,
            Level::Info => abi::LOG_INFO,
            Level::Debug => abi::LOG_DEBUG,
        };
        if let Some(log) = self.table().log {
            // SAFETY: the message is valid for the call.
            unsafe { log(self.table().context, level, Bytes::new(message.as_bytes())) };
        }
    }

    /// Whether the work is no longer wanted: return [`Error::cancelled`] soon.
    #[expect(unsafe_code, reason = "calls the host")]
    pub fn is_cancelled(&self) -> bool {
        // SAFETY: the context is the host's own.
        self.table()
            .is_cancelled
            .is_some_and(|is_cancelled| unsafe { is_cancelled(self.table().context) } != 0)
    }
}

/// A network that the host keeps and runs.
#[derive(Clone, Copy)]
pub struct Model {
    host: Host,
    raw: *const abi::Model,
}

// SAFETY: the interface says that a model may be run from any thread.
#[expect(unsafe_code, reason = "a model handle is shared between threads by contract")]
unsafe impl Send for Model {}
// SAFETY: as above.
#[expect(unsafe_code, reason = "a model handle is shared between threads by contract")]
unsafe impl Sync for Model {}

impl Model {
    /// Runs the network. Inputs and outputs stand in the network's own order; outputs have the exact shapes it gives. Only
    /// as many of its outputs as are lent here are computed, from the first one on.
    #[expect(unsafe_code, reason = "calls the host")]
    pub fn run(&self, inputs: &[Tensor<'_>], outputs: &mut [TensorMut<'_>]) -> Result<(), Error> {
        let table = self.host.table();
        let run = table.model_run.ok_or_else(|| Error::failed("the host has no `model_run`"))?;
        let mut error = abi::Error::empty();
        // SAFETY: both tensor types are transparent around `DLTensor`, and what they lend outlives the call.
        let status = unsafe {
            run(
                table.context,
                self.raw,
                inputs.as_ptr().cast::<DLTensor>(),
                inputs.len(),
                outputs.as_mut_ptr().cast::<DLTensor>(),
                outputs.len(),
                &raw mut error,
            )
        };
        check(status, &error)
    }
}

/// A file of data that the host keeps in memory.
///
/// It may be empty: so a plugin ships that has nothing learned yet.
#[derive(Clone, Copy, Debug)]
pub struct Data {
    bytes: Bytes,
}

impl Data {
    /// Its content, valid as long as the instance.
    #[expect(unsafe_code, reason = "reads the bytes that the host lends")]
    pub fn bytes(&self) -> &[u8] {
        // SAFETY: the host keeps the bytes as long as the instance, by contract, and nobody changes them.
        unsafe { self.bytes.as_slice() }
    }
}

pub(crate) fn check(status: Status, error: &abi::Error) -> Result<(), Error> {
    match status {
        STATUS_OK => Ok(()),
        STATUS_CANCELLED => Err(Error::cancelled()),
        _ => Err(Error::of_host(status, error.text())),
    }
}
