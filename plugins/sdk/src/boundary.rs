//! The C side of a plugin: a table of functions that turn panics and errors into statuses.

use std::any::Any;
use std::cell::RefCell;
use std::ffi::c_void;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Once;

use foretell_abi as abi;
use foretell_abi::{
    ABI_MAJOR, ABI_MINOR, ATTENTION_CAPABILITY, ArrowArray, Bytes, FIT_CAPABILITY, Instance, OpenRequest,
    STATUS_FAILED, STATUS_OK, STATUS_PANIC, Status,
};

use crate::{Attend, Error, Fit, Form, Host, Open, Predictions, Records, attention, fit};

/// What an author writes.
pub trait Plugin: Sized + Send + Sync + 'static {
    /// Form of the answer, fixed by the task: [`crate::Scores`] for binary classification, [`crate::Classes`] for multiclass
    /// classification, [`crate::Values`] for regression, [`crate::Rankings`] for ranking, [`crate::Forecasts`] for forecast,
    /// [`crate::Masks`] for segmentation. [`crate::WithNovelty`] of one of the first two where the manifest has
    /// `[output.novelty]`.
    type Predictions: Predictions;

    /// Makes an instance: looks up columns and models, reads the settings. Called once; may be slow.
    fn open(request: &Open<'_>) -> Result<Self, Error>;

    /// Adds one prediction for each record, in order. Must be a pure function of the records.
    fn predict(&self, records: &Records<'_>, predictions: &mut Self::Predictions) -> Result<(), Error>;

    /// The form of the answer, where the settings choose it: of a library that serves several tasks, with
    /// [`crate::Answers`] for its predictions. Any other plugin leaves it as it is.
    fn form(&self) -> Option<Form> {
        None
    }
}

/// Exports a [`Plugin`] under a name and a version, which must be those of the manifest; the example of the
/// [crate](crate) ends with it. `env!("CARGO_PKG_VERSION")` is a good version.
///
/// A plugin that learns names its [`Fit`] too: `export!(Plugin, "name", "0.1.0", fit = Learning)`. One that can say where in an
/// image its predictions come from ([`Attend`]) says so: `export!(Plugin, "name", "0.1.0", attention)`.
#[macro_export]
macro_rules! export {
    ($plugin:ty, $name:expr, $version:expr $(,)?) => {
        $crate::export!(@table $crate::table::<$plugin>($name, $version));
    };
    ($plugin:ty, $name:expr, $version:expr, attention $(,)?) => {
        $crate::export!(@table $crate::table_with_attention::<$plugin>($name, $version));
    };
    ($plugin:ty, $name:expr, $version:expr, fit = $fit:ty $(,)?) => {
        $crate::export!(@table $crate::table_with_fit::<$plugin, $fit>($name, $version));
    };
    (@table $table:expr) => {
        /// The one symbol that a foretell plugin exports.
        #[expect(unsafe_code, reason = "the host finds the symbol by its name")]
        // SAFETY: the name is foretell's own, and a library holds one plugin.
        #[unsafe(no_mangle)]
        pub extern "C" fn foretell_plugin() -> *const $crate::abi::Plugin {
            static TABLE: $crate::abi::Plugin = $table;
            &raw const TABLE
        }
    };
}

/// The table of a plugin, as [`export!`](crate::export) publishes it.
pub const fn table<P: Plugin>(name: &'static str, version: &'static str) -> abi::Plugin {
    abi::Plugin {
        size: size_of::<abi::Plugin>(),
        abi_major: ABI_MAJOR,
        abi_minor: ABI_MINOR,
        name: Bytes::new(name.as_bytes()),
        version: Bytes::new(version.as_bytes()),
        open: Some(open::<P>),
        predict: Some(predict::<P>),
        close: Some(close::<P>),
        capability: Some(capability),
    }
}

/// The table of a plugin that learns, as [`export!`](crate::export) publishes it.
pub const fn table_with_fit<P: Plugin, F: Fit>(name: &'static str, version: &'static str) -> abi::Plugin {
    abi::Plugin { capability: Some(fit_capability::<F>), ..table::<P>(name, version) }
}

/// The table of a plugin that says where its predictions come from, as [`export!`](crate::export) publishes it.
pub const fn table_with_attention<P: Attend>(name: &'static str, version: &'static str) -> abi::Plugin {
    abi::Plugin { capability: Some(attention_capability::<P>), ..table::<P>(name, version) }
}

#[expect(unsafe_code, reason = "called by the host through the C interface")]
unsafe extern "C" fn open<P: Plugin>(
    host: *const abi::Host,
    request: *const OpenRequest,
    instance: *mut *mut Instance,
    error: *mut abi::Error,
) -> Status {
    keep_panic_place();
    guarded(error, || {
        // SAFETY: the host lends a valid table until `close`, and a valid request for the call.
        let (host, request) = unsafe { (Host::new(host), &*request) };
        // SAFETY: as above.
        let plugin = P::open(&unsafe { Open::read(request.records, request.config, host) }?)?;
        // SAFETY: `predictions` and `instance` are the host's to be written.
        unsafe {
            *request.predictions = match plugin.form() {
                Some(form) => form.schema(),
                None => P::Predictions::schema(),
            };
            *instance = Box::into_raw(Box::new(plugin)).cast();
        }
        Ok(())
    })
}

#[expect(unsafe_code, reason = "called by the host through the C interface")]
unsafe extern "C" fn predict<P: Plugin>(
    instance: *mut Instance,
    records: *const ArrowArray,
    predictions: *mut ArrowArray,
    error: *mut abi::Error,
) -> Status {
    guarded(error, || {
        // SAFETY: `instance` came from `open::<P>`, and the host lends valid records of the opened type for the call.
        let (plugin, records) = unsafe { (&*instance.cast::<P>(), Records::new(&*records)) };
        let mut answer = P::Predictions::with_capacity(records.len());
        plugin.predict(&records, &mut answer)?;
        let answer = answer.into_array()?;
        // SAFETY: `predictions` is the host's to be written.
        unsafe { *predictions = answer };
        Ok(())
    })
}

#[expect(unsafe_code, reason = "called by the host through the C interface")]
unsafe extern "C" fn close<P: Plugin>(instance: *mut Instance) {
    // A panic while dropping has nobody left to be told, and must not cross the boundary.
    let _ = catch_unwind(AssertUnwindSafe(|| {
        // SAFETY: `instance` came from `open::<P>`, and the host closes it once.
        drop(unsafe { Box::from_raw(instance.cast::<P>()) });
    }));
}

#[expect(unsafe_code, reason = "called by the host through the C interface")]
unsafe extern "C" fn capability(_id: Bytes) -> *const c_void {
    std::ptr::null()
}

#[expect(unsafe_code, reason = "called by the host through the C interface")]
unsafe extern "C" fn fit_capability<F: Fit>(id: Bytes) -> *const c_void {
    // SAFETY: the host lends the id for the call.
    if unsafe { id.as_slice() } == FIT_CAPABILITY.as_bytes() {
        return std::ptr::from_ref(fit::table::<F>()).cast();
    }
    std::ptr::null()
}

#[expect(unsafe_code, reason = "called by the host through the C interface")]
unsafe extern "C" fn attention_capability<P: Attend>(id: Bytes) -> *const c_void {
    // SAFETY: the host lends the id for the call.
    if unsafe { id.as_slice() } == ATTENTION_CAPABILITY.as_bytes() {
        return std::ptr::from_ref(attention::table::<P>()).cast();
    }
    std::ptr::null()
}

/// Runs `work`, and puts its error or its panic into `error`.
#[expect(unsafe_code, reason = "writes the struct that the host lends")]
pub(crate) fn guarded(error: *mut abi::Error, work: impl FnOnce() -> Result<(), Error>) -> Status {
    let (status, message) = match catch_unwind(AssertUnwindSafe(work)) {
        Ok(Ok(())) => return STATUS_OK,
        Ok(Err(failure)) => (failure.status(), failure.to_string()),
        Err(payload) => (STATUS_PANIC, panic_message(payload.as_ref())),
    };
    // SAFETY: the host lends a valid error struct for the call.
    match unsafe { error.as_mut() } {
        Some(error) => error.set(&message),
        None => return STATUS_FAILED,
    }
    status
}

thread_local! {
    static PANIC_PLACE: RefCell<Option<String>> = const { RefCell::new(None) };
}

/// Keeps where a panic happened for its error message, and keeps the default hook from printing it to the host's terminal.
pub(crate) fn keep_panic_place() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        std::panic::set_hook(Box::new(|info| {
            let place = info.location().map(|place| format!("{}:{}", place.file(), place.line()));
            PANIC_PLACE.with(|slot| *slot.borrow_mut() = place);
        }));
    });
}

fn panic_message(payload: &(dyn Any + Send)) -> String {
    let words = payload
        .downcast_ref::<&str>()
        .map(|words| (*words).to_owned())
        .or_else(|| payload.downcast_ref::<String>().cloned())
        .unwrap_or_else(|| "no message".to_owned());
    match PANIC_PLACE.with(|slot| slot.borrow_mut().take()) {
        Some(place) => format!("panicked at {place}: {words}"),
        None => format!("panicked: {words}"),
    }
}
