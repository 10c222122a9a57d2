//! A plugin in this process: an open instance of its library.

use std::sync::{Arc, Mutex};

use arrow_array::RecordBatch;
use arrow_schema::DataType;
use foretell_abi as abi;
use foretell_abi::{ArrowArray, ArrowSchema, Bytes, OpenRequest, STATUS_CANCELLED, STATUS_OK};

use crate::exchange::stated_type;
use crate::load::{CallError, LoadErrorKind, LoadOptions, Loaded};
use crate::manifest::{Concurrency, Task};
use crate::onnx::Runtime;
use crate::plugin::{PredictErrorKind, Predictions};
use crate::trust::Verified;

/// An open instance.
///
/// The library stays mapped for the life of the process: thread-locals and release callbacks that outlive the instance
/// make unloading unsound.
pub(crate) struct Instance {
    pub(crate) loaded: Loaded,
    answer: DataType,
    instance: *mut abi::Instance,
    serial: Option<Mutex<()>>,
}

// SAFETY: the interface says that an instance may be used from any thread, and from several at once unless the manifest
// says `serial`, which `call` obeys with a lock.
#[expect(unsafe_code, reason = "the instance is the plugin's own, shared by contract")]
unsafe impl Send for Instance {}
// SAFETY: as above.
#[expect(unsafe_code, reason = "the instance is the plugin's own, shared by contract")]
unsafe impl Sync for Instance {}

impl Instance {
    /// Loads the library, checks it against its manifest, opens its networks, its data and an instance.
    pub(crate) fn load(
        runtime: &Arc<Runtime>,
        verified: &Verified,
        options: &LoadOptions,
    ) -> Result<Self, LoadErrorKind> {
        let loaded = Loaded::new(runtime, verified, options)?;
        let manifest = verified.manifest();
        let answer = DataType::Struct(manifest.prediction_schema().fields().clone());
        let instance = open(&loaded, manifest.plugin.task, &answer)?;
        let serial = (manifest.plugin.concurrency == Concurrency::Serial).then(|| Mutex::new(()));
        Ok(Self { loaded, answer, instance, serial })
    }

    /// What the library exports.
    pub(crate) fn table(&self) -> &'static abi::Plugin {
        self.loaded.table
    }

    pub(crate) fn predict(&self, records: &RecordBatch) -> Result<Predictions, PredictErrorKind> {
        let predict = self.loaded.table.predict.expect("checked when it was loaded");
        let answer = self.call(records, |instance, records, answer, error| {
            #[expect(unsafe_code, reason = "calls the plugin")]
            // SAFETY: the instance is open, the records are lent for the call with the schema given at open, and the plugin
            // writes to `answer` and `error` alone.
            unsafe {
                predict(instance, records, answer, error)
            }
        })?;
        #[expect(unsafe_code, reason = "reads what the plugin made")]
        // SAFETY: by its contract, what it answers is readable.
        unsafe {
            Predictions::take(answer, &self.answer, records.num_rows())
        }
    }

    /// Lends `records` to a function of the plugin, in its turn if it takes one call after the other, and gives its answer.
    pub(crate) fn call(
        &self,
        records: &RecordBatch,
        function: impl FnOnce(
            *mut abi::Instance,
            *const ArrowArray,
            *mut ArrowArray,
            *mut abi::Error,
        ) -> abi::Status,
    ) -> Result<ArrowArray, PredictErrorKind> {
        let lent = self.loaded.lend(records)?;
        let (mut answer, mut error) = (ArrowArray::empty(), abi::Error::empty());
        let turn = self.serial.as_ref().map(|turn| turn.lock().unwrap_or_else(|poison| poison.into_inner()));
        let status = function(self.instance, lent.as_ptr(), &raw mut answer, &raw mut error);
        drop(turn);
        match status {
            STATUS_OK => Ok(answer),
            // By its contract a plugin that fails leaves `answer` alone. One that filled it may have freed what it points at when it
            // failed, so it is not released: a leak is better than a second release.
            STATUS_CANCELLED => Err(PredictErrorKind::Cancelled),
            status => Err(PredictErrorKind::Call(CallError { status, message: error.text() })),
        }
    }
}

impl Drop for Instance {
    fn drop(&mut self) {
        if let Some(close) = self.loaded.table.close {
            #[expect(unsafe_code, reason = "calls the plugin")]
            // SAFETY: the instance is open, nobody else has it any more, and it is closed once.
            unsafe {
                close(self.instance);
            }
        }
    }
}

fn open(loaded: &Loaded, task: Task, answer: &DataType) -> Result<*mut abi::Instance, LoadErrorKind> {
    let records = loaded.records_type();
    let mut predictions = ArrowSchema::empty();
    let request = OpenRequest {
        size: size_of::<OpenRequest>(),
        records: (&raw const records).cast(),
        config: Bytes::new(loaded.given.config.as_bytes()),
        predictions: &raw mut predictions,
    };
    let (mut instance, mut error) = (std::ptr::null_mut(), abi::Error::empty());
    let call = loaded.table.open.expect("checked when it was loaded");
    #[expect(unsafe_code, reason = "calls the plugin")]
    // SAFETY: everything lent lives for the call, and the host's table as long as the instance.
    let status = unsafe { call(loaded.host(), &raw const request, &raw mut instance, &raw mut error) };
    if status != STATUS_OK {
        return Err(LoadErrorKind::Open(CallError { status, message: error.text() }));
    }
    #[expect(unsafe_code, reason = "reads what the plugin made")]
    // SAFETY: by its contract, what it stated is readable.
    let found = unsafe { stated_type(&mut predictions) };
    if found.as_ref().is_ok_and(|found| found.equals_datatype(answer)) && !instance.is_null() {
        return Ok(instance);
    }
    if !instance.is_null()
        && let Some(close) = loaded.table.close
    {
        #[expect(unsafe_code, reason = "calls the plugin")]
        // SAFETY: the instance was just opened and is not used again.
        unsafe {
            close(instance);
        }
    }
    let found = match found {
        Ok(found) => format!("stated as {found}"),
        Err(words) => words,
    };
    Err(LoadErrorKind::Predictions { task, expected: answer.clone(), found })
}
