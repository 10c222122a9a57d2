//! Learning: a plugin's data files, made from stored records.

use std::marker::PhantomData;
use std::panic::{AssertUnwindSafe, catch_unwind};

use foretell_abi as abi;
use foretell_abi::{ArrowArray, Bytes, FitOutput, FitRequest, Fitting, Status};

use crate::boundary::{guarded, keep_panic_place};
use crate::host::check;
use crate::{Error, Host, Open, Records};

/// How learning begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Start {
    /// Where everything random begins: the same seed, records and settings give the same files.
    pub seed: u64,
    /// Whether to go on from the files that the plugin has now ([`Open::data`]), with records that they have not seen.
    pub update: bool,
}

/// Learns the `data` models that the manifest's `[fit]` lists, from stored records.
///
/// Each stored record comes once, in the order of time and then of its id, and looks as it does for a prediction: its
/// inputs, and its past. What `finish` writes becomes a version of the plugin beside the one that learned.
///
/// - **Invariant:** what is written is a function of the records, the settings and the start; never of how the records are
///   cut into batches, and never of the clock.
///
/// ```toml
/// [[model]]
/// name = "counts"
/// file = "model/counts.json"
/// format = "data"
/// blake3 = "..."
///
/// [fit]
/// models = ["counts"]
/// ```
///
/// ```
/// use std::collections::BTreeMap;
///
/// use foretell_sdk::{Column, Data, Error, Fit, Open, Output, Plugin, Rankings, Records, Start};
///
/// /// Says to everybody what was read most.
/// struct Popular {
///     counts: Data,
/// }
///
/// impl Plugin for Popular {
///     type Predictions = Rankings;
///
///     fn open(request: &Open<'_>) -> Result<Self, Error> {
///         Ok(Self { counts: request.data("counts")? })
///     }
///
///     fn predict(&self, records: &Records<'_>, rankings: &mut Rankings) -> Result<(), Error> {
///         let text = std::str::from_utf8(self.counts.bytes()).map_err(|error| Error::failed(error.to_string()))?;
///         for _ in 0..records.len() {
///             for (title, count) in text.lines().filter_map(|line| line.rsplit_once('\t')).take(10) {
///                 rankings.push(title, count.parse().unwrap_or(0.0), None);
///             }
///             rankings.end_record();
///         }
///         Ok(())
///     }
/// }
///
/// /// Counts how often each title was read.
/// struct Counting {
///     title: Column<str>,
///     counts: BTreeMap<String, u64>,
/// }
///
/// impl Fit for Counting {
///     fn begin(request: &Open<'_>, _start: Start) -> Result<Self, Error> {
///         Ok(Self { title: request.column("title")?, counts: BTreeMap::new() })
///     }
///
///     fn learn(&mut self, records: &Records<'_>) -> Result<(), Error> {
///         let titles = records.column(self.title);
///         for title in (0..records.len()).filter_map(|row| titles.get(row)) {
///             *self.counts.entry(title.to_owned()).or_default() += 1;
///         }
///         Ok(())
///     }
///
///     fn finish(self, output: &mut Output<'_>) -> Result<(), Error> {
///         let mut counts: Vec<_> = self.counts.into_iter().collect();
///         counts.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
///         let lines: String = counts.iter().map(|(title, count)| format!("{title}\t{count}\n")).collect();
///         output.write("counts", lines.as_bytes())
///     }
/// }
///
/// foretell_sdk::export!(Popular, "popular", "0.1.0", fit = Counting);
/// # fn main() {}
/// ```
pub trait Fit: Sized + Send + 'static {
    /// Begins: looks up columns, reads the settings, and with `start.update` what was learned before.
    fn begin(request: &Open<'_>, start: Start) -> Result<Self, Error>;

    /// Learns from the next records. Look at [`Host::is_cancelled`] now and then if a call may take long, and return
    /// [`Error::cancelled`]. After an error, nothing more is learned or written.
    fn learn(&mut self, records: &Records<'_>) -> Result<(), Error>;

    /// Writes each of the models that the manifest's `[fit]` lists.
    fn finish(self, output: &mut Output<'_>) -> Result<(), Error>;
}

/// Where [`Fit::finish`] writes what was learned.
pub struct Output<'a> {
    raw: &'a FitOutput,
    /// The host serves one thread.
    _one_thread: PhantomData<*mut ()>,
}

impl Output<'_> {
    /// Writes to the `model` of that name; repeated writes append. An empty content is content too.
    #[expect(unsafe_code, reason = "calls the host")]
    pub fn write(&mut self, model: &str, bytes: &[u8]) -> Result<(), Error> {
        let write = self.raw.write.ok_or_else(|| Error::failed("the host has no `write`"))?;
        let mut error = abi::Error::empty();
        // SAFETY: the arguments are valid for the call, as the interface asks.
        let status = unsafe {
            write(self.raw.context, Bytes::new(model.as_bytes()), Bytes::new(bytes), &raw mut error)
        };
        check(status, &error)
    }
}

/// What the host asks for under `foretell.fit/1`.
pub(crate) fn table<F: Fit>() -> &'static abi::Fit {
    /// A table for each `F`, which a static can't be.
    struct Table<F>(PhantomData<F>);
    impl<F: Fit> Table<F> {
        const TABLE: &'static abi::Fit = &abi::Fit {
            size: size_of::<abi::Fit>(),
            begin: Some(begin::<F>),
            learn: Some(learn::<F>),
            finish: Some(finish::<F>),
            end: Some(end::<F>),
        };
    }
    Table::<F>::TABLE
}

/// What a fitting points at: empty once it was finished.
type State<F> = Option<F>;

fn over() -> Error {
    Error::failed("learning was finished; begin again")
}

#[expect(unsafe_code, reason = "called by the host through the C interface")]
unsafe extern "C" fn begin<F: Fit>(
    host: *const abi::Host,
    request: *const FitRequest,
    fitting: *mut *mut Fitting,
    error: *mut abi::Error,
) -> Status {
    keep_panic_place();
    guarded(error, || {
        // SAFETY: the host lends a valid table until `end`, and a valid request for the call.
        let (host, request) = unsafe { (Host::new(host), &*request) };
        // SAFETY: as above.
        let open = unsafe { Open::read(request.records, request.config, host) }?;
        let state: State<F> =
            Some(F::begin(&open, Start { seed: request.seed, update: request.update != 0 })?);
        // SAFETY: `fitting` is the host's to be written.
        unsafe { *fitting = Box::into_raw(Box::new(state)).cast() };
        Ok(())
    })
}

#[expect(unsafe_code, reason = "called by the host through the C interface")]
unsafe extern "C" fn learn<F: Fit>(
    fitting: *mut Fitting,
    records: *const ArrowArray,
    error: *mut abi::Error,
) -> Status {
    guarded(error, || {
        // SAFETY: `fitting` came from `begin::<F>` and is used by one thread at a time; the host lends valid records of the
        // type given there for the call.
        let (state, records) = unsafe { (&mut *fitting.cast::<State<F>>(), Records::new(&*records)) };
        state.as_mut().ok_or_else(over)?.learn(&records)
    })
}

#[expect(unsafe_code, reason = "called by the host through the C interface")]
unsafe extern "C" fn finish<F: Fit>(
    fitting: *mut Fitting,
    output: *const FitOutput,
    error: *mut abi::Error,
) -> Status {
    guarded(error, || {
        // SAFETY: `fitting` came from `begin::<F>` and is used by one thread at a time; the host lends a valid output for
        // the call.
        let (state, raw) = unsafe { (&mut *fitting.cast::<State<F>>(), &*output) };
        state.take().ok_or_else(over)?.finish(&mut Output { raw, _one_thread: PhantomData })
    })
}

#[expect(unsafe_code, reason = "called by the host through the C interface")]
unsafe extern "C" fn end<F: Fit>(fitting: *mut Fitting) {
    // A panic while dropping has nobody left to be told, and must not cross the boundary.
    let _ = catch_unwind(AssertUnwindSafe(|| {
        // SAFETY: `fitting` came from `begin::<F>`, and the host ends it once.
        drop(unsafe { Box::from_raw(fitting.cast::<State<F>>()) });
    }));
}
