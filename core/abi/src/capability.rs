//! Optional powers, each with an id of its own: whoever wants one asks for it by [`Host::capability`](crate::Host::capability)
//! or [`Plugin::capability`](crate::Plugin::capability), and gets a table or null.
//!
//! A capability is added without a new version of the interface, since who does not know an id never asks for it. What is
//! behind an id never changes its meaning; its table may grow at the end, as every struct of ours.

#[cfg(doc)]
use crate::STATUS_CANCELLED;
use crate::{ArrowArray, ArrowSchema, Bytes, Error, Host, HostContext, Instance, Status};

/// Id of the host's capability to lend the files that the manifest lists as `[[model]]` with `format = "data"`: a
/// [`HostData`].
pub const DATA_CAPABILITY: &str = "foretell.data/1";

/// Id of a plugin's capability to learn such files from stored records: a [`Fit`].
pub const FIT_CAPABILITY: &str = "foretell.fit/1";

/// Id of a plugin's capability to say which places of an image speak for its prediction: an [`Attention`].
pub const ATTENTION_CAPABILITY: &str = "foretell.attention/1";

/// What the host offers under [`DATA_CAPABILITY`]. It lives as long as the process.
#[repr(C)]
pub struct HostData {
    /// Size of this struct in bytes.
    pub size: usize,
    /// Lends the content of the file that the manifest lists under `name`, as the host verified it. `context` is the one of
    /// the [`Host`]. The bytes stay where they are until `close` or, while learning, until `end` returns.
    pub read: Option<
        unsafe extern "C" fn(
            context: *const HostContext,
            name: Bytes,
            data: *mut Bytes,
            error: *mut Error,
        ) -> Status,
    >,
}

/// What has been learned so far, the plugin's own; the host only hands it back.
pub struct Fitting {
    _opaque: [u8; 0],
}

/// The host's side of a [`FitOutput`]; the plugin only hands it back.
pub struct FitOutputContext {
    _opaque: [u8; 0],
}

/// What learning begins with. Lent for the call.
#[repr(C)]
pub struct FitRequest {
    /// Size of this struct in bytes.
    pub size: usize,
    /// Type of the records: a struct of the manifest's inputs, in its order, then its history columns.
    pub records: *const ArrowSchema,
    /// The manifest's `[config]` with the user's changes, as a JSON object.
    pub config: Bytes,
    /// Where everything random begins: the same seed, records and settings give the same files.
    pub seed: u64,
    /// Not zero when learning goes on from the files that [`DATA_CAPABILITY`] lends; zero when it begins anew.
    pub update: i32,
}

/// Where the plugin writes what it learned. Lent for the call.
#[repr(C)]
pub struct FitOutput {
    /// Size of this struct in bytes.
    pub size: usize,
    /// First argument of the function below.
    pub context: *const FitOutputContext,
    /// Writes to one of the models that the manifest's `[fit]` lists. Repeated writes append; one without bytes counts, and
    /// leaves an empty file.
    pub write: Option<
        unsafe extern "C" fn(
            context: *const FitOutputContext,
            model: Bytes,
            bytes: Bytes,
            error: *mut Error,
        ) -> Status,
    >,
}

/// What a plugin offers under [`FIT_CAPABILITY`]. It lives as long as the process.
///
/// The host calls `begin`, `learn` for batch after batch, `finish`, and in any case `end`, one call at a time, though not
/// always from the same thread. Records come once each, in the order of their times and then of their ids, with their past.
/// After a call that failed, nothing but `end` follows.
#[repr(C)]
pub struct Fit {
    /// Size of this struct in bytes.
    pub size: usize,
    /// Begins. The host's table is valid until `end` returns.
    pub begin: Option<
        unsafe extern "C" fn(
            host: *const Host,
            request: *const FitRequest,
            fitting: *mut *mut Fitting,
            error: *mut Error,
        ) -> Status,
    >,
    /// Learns from a batch. Returns [`STATUS_CANCELLED`] soon when the host asks for it.
    pub learn: Option<
        unsafe extern "C" fn(fitting: *mut Fitting, records: *const ArrowArray, error: *mut Error) -> Status,
    >,
    /// Ends the learning: writes each of the models that the manifest's `[fit]` lists.
    pub finish: Option<
        unsafe extern "C" fn(fitting: *mut Fitting, output: *const FitOutput, error: *mut Error) -> Status,
    >,
    /// Frees what `begin` made.
    pub end: Option<unsafe extern "C" fn(fitting: *mut Fitting)>,
}

/// What a plugin offers under [`ATTENTION_CAPABILITY`]. It lives as long as the process.
#[repr(C)]
pub struct Attention {
    /// Size of this struct in bytes.
    pub size: usize,
    /// Says for each record where in its image the prediction comes from. `instance` and `records` are those of `predict`, and
    /// it may be called from several threads as `predict` may.
    ///
    /// `maps` becomes a struct array with a row for each record and the columns `height` and `width` (int32), and `values`
    /// (list of float32): maps of `height` rows by `width`, one after the other, which cover the whole image. A binary
    /// classification has one map, of its positive class; a multiclass classification one for each label, in their order.
    /// A place with a larger value speaks more for the class.
    pub attend: Option<
        unsafe extern "C" fn(
            instance: *mut Instance,
            records: *const ArrowArray,
            maps: *mut ArrowArray,
            error: *mut Error,
        ) -> Status,
    >,
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The layout is the contract: on a 64-bit machine no later version may move a field.
    #[test]
    #[cfg(target_pointer_width = "64")]
    fn layout_is_frozen() {
        use std::mem::offset_of;
        assert_eq!(size_of::<HostData>(), 16);
        assert_eq!(size_of::<FitRequest>(), 48);
        assert_eq!(offset_of!(FitRequest, seed), 32);
        assert_eq!(offset_of!(FitRequest, update), 40);
        assert_eq!(size_of::<FitOutput>(), 24);
        assert_eq!(size_of::<Fit>(), 40);
        assert_eq!(offset_of!(Fit, finish), 24);
        assert_eq!(size_of::<Attention>(), 16);
    }

    #[test]
    fn the_header_has_the_same_ids() {
        let header = include_str!("../include/foretell.h");
        for (name, id) in
            [("DATA", DATA_CAPABILITY), ("FIT", FIT_CAPABILITY), ("ATTENTION", ATTENTION_CAPABILITY)]
        {
            assert!(header.contains(&format!("#define FORETELL_{name}_CAPABILITY \"{id}\"\n")), "{name}");
        }
    }
}
