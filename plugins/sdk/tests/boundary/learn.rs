//! Learning through the C table: what is written, and what happens where it goes wrong.

use std::ptr::{null, null_mut};

use foretell_sdk::abi::{
    self, Bytes, FIT_CAPABILITY, FitOutput, FitOutputContext, FitRequest, STATUS_FAILED, STATUS_INVALID,
    STATUS_OK, STATUS_PANIC, Status,
};
use proptest::prelude::*;

use crate::host::{Failure, Host, Records, call};
use crate::read::{Record, columns, record};
use crate::table;

fn capability(id: &str) -> *const abi::Fit {
    // SAFETY: the id is lent for the call.
    unsafe { table().capability.unwrap()(Bytes::new(id.as_bytes())) }.cast()
}

/// A plugin that learns.
struct Learning<'h> {
    table: &'static abi::Fit,
    raw: *mut abi::Fitting,
    _host: &'h Host,
}

impl<'h> Learning<'h> {
    fn begin(host: &'h Host, config: &str, seed: u64, update: bool) -> Result<Self, Failure> {
        // SAFETY: what the plugin gives under this id is such a table.
        let table = unsafe { &*capability(FIT_CAPABILITY) };
        let records = Records::new(&columns(&[]));
        let request = FitRequest {
            size: size_of::<FitRequest>(),
            records: records.schema(),
            config: Bytes::new(config.as_bytes()),
            seed,
            update: i32::from(update),
        };
        let mut raw = null_mut();
        // SAFETY: everything lent lives for the call, and the host as long as the learning.
        call(|error| unsafe { table.begin.unwrap()(host.table(), &raw const request, &raw mut raw, error) })?;
        Ok(Self { table, raw, _host: host })
    }

    fn learn(&self, records: &[Record]) -> Result<(), Failure> {
        let records = Records::new(&columns(records));
        // SAFETY: learning has begun, and the records are lent for the call.
        call(|error| unsafe { self.table.learn.unwrap()(self.raw, records.array(), error) })
    }

    fn finish(&self) -> Result<Vec<u8>, Failure> {
        self.finish_with(write)
    }

    fn finish_with(&self, write: Write) -> Result<Vec<u8>, Failure> {
        let mut written = Vec::new();
        let context = (&raw mut written).cast::<FitOutputContext>().cast_const();
        let output = FitOutput { size: size_of::<FitOutput>(), context, write: Some(write) };
        // SAFETY: learning has begun, and the output is lent for the call.
        call(|error| unsafe { self.table.finish.unwrap()(self.raw, &raw const output, error) })?;
        Ok(written)
    }
}

impl Drop for Learning<'_> {
    fn drop(&mut self) {
        // SAFETY: learning has begun, and is ended once.
        unsafe { self.table.end.unwrap()(self.raw) };
    }
}

type Write = unsafe extern "C" fn(*const FitOutputContext, Bytes, Bytes, *mut abi::Error) -> Status;

unsafe extern "C" fn write(
    context: *const FitOutputContext,
    model: Bytes,
    bytes: Bytes,
    _error: *mut abi::Error,
) -> Status {
    // SAFETY: the plugin hands back the context of `finish_with`, and lends the rest for the call.
    unsafe {
        assert_eq!(model.as_slice(), b"words");
        (*context.cast_mut().cast::<Vec<u8>>()).extend_from_slice(bytes.as_slice());
    }
    STATUS_OK
}

unsafe extern "C" fn refuse(
    _: *const FitOutputContext,
    _: Bytes,
    _: Bytes,
    error: *mut abi::Error,
) -> Status {
    // SAFETY: the plugin lends an error for the call.
    unsafe { (*error).set("the disk is full") };
    STATUS_INVALID
}

fn note(text: &str) -> Record {
    Record {
        note: Some(text.to_owned()),
        items: None,
        sizes: None,
        weights: None,
        flags: None,
        past: Vec::new(),
    }
}

#[test]
fn only_what_is_offered_is_found() {
    assert_ne!(capability(FIT_CAPABILITY), null());
    for id in ["", "foretell.fit", "foretell.fit/2", "foretell.fit/10"] {
        assert_eq!(capability(id), null(), "{id}");
    }
    // A plugin that does not learn has none.
    let plain = foretell_sdk::table::<crate::Echo>("echo", "0.1.0");
    // SAFETY: the id is lent for the call.
    assert!(unsafe { plain.capability.unwrap()(Bytes::new(FIT_CAPABILITY.as_bytes())) }.is_null());
}

proptest! {
    /// However the records are cut into batches, the same is learned, and learning on is learning all of it.
    #[test]
    fn everything_is_learned_once_and_in_order(
        records in proptest::collection::vec(record(), 0..12),
        seed in any::<u64>(),
        rows in 1..5usize,
        known in 0.0..=1.0f64,
    ) {
        let mut expected = format!("{seed}\n");
        for text in records.iter().flat_map(Record::texts).flatten() {
            expected += &format!("{text}\n");
        }
        let (before, after) = records.split_at((known * records.len() as f64) as usize);
        let mut words = Vec::new();
        for (part, update) in [(before, false), (after, true)] {
            let host = Host::new(&words);
            let learning = Learning::begin(&host, "{}", seed, update).unwrap();
            for batch in part.chunks(rows) {
                learning.learn(batch).unwrap();
            }
            words = learning.finish().unwrap();
        }
        prop_assert_eq!(String::from_utf8(words).unwrap(), expected);
    }
}

#[test]
fn what_goes_wrong_is_said() {
    let host = Host::new(b"");
    let refused = Learning::begin(&host, r#"{"refuse":true}"#, 0, false).err();
    assert_eq!(refused, Some((STATUS_INVALID, "`refuse` is set; expected no such setting".to_owned())));

    let learning = Learning::begin(&host, "{}", 0, false).unwrap();
    let (status, words) = learning.learn(&[note("calm"), note("furious")]).unwrap_err();
    assert_eq!(status, STATUS_PANIC);
    assert!(words.starts_with("panicked at ") && words.contains("in row 1"), "{words}");

    let learning = Learning::begin(&host, "{}", 0, false).unwrap();
    assert_eq!(learning.finish_with(refuse), Err((STATUS_INVALID, "the disk is full".to_owned())));

    let over = Err((STATUS_FAILED, "learning was finished; begin again".to_owned()));
    assert_eq!(learning.learn(&[note("late")]), over);
    assert_eq!(learning.finish().map(drop), over);
}
