//! Saying where in an image a prediction comes from.

use std::marker::PhantomData;

use foretell_abi as abi;
use foretell_abi::{ArrowArray, Instance, Status};

use crate::boundary::guarded;
use crate::{Error, Maps, Plugin, Records};

/// A plugin that can say which places of an image speak for its prediction, such as a network that ends in an average over
/// places and a linear layer. Export it with `attention`: `export!(Plugin, "name", "0.1.0", attention)`.
pub trait Attend: Plugin {
    /// Adds the maps of each record, in order. The records are those of [`Plugin::predict`].
    fn attend(&self, records: &Records<'_>, maps: &mut Maps) -> Result<(), Error>;
}

/// What the host asks for under `foretell.attention/1`.
pub(crate) fn table<P: Attend>() -> &'static abi::Attention {
    /// A table for each `P`, which a static can't be.
    struct Table<P>(PhantomData<P>);
    impl<P: Attend> Table<P> {
        const TABLE: &'static abi::Attention =
            &abi::Attention { size: size_of::<abi::Attention>(), attend: Some(attend::<P>) };
    }
    Table::<P>::TABLE
}

#[expect(unsafe_code, reason = "called by the host through the C interface")]
unsafe extern "C" fn attend<P: Attend>(
    instance: *mut Instance,
    records: *const ArrowArray,
    maps: *mut ArrowArray,
    error: *mut abi::Error,
) -> Status {
    guarded(error, || {
        // SAFETY: `instance` came from `open::<P>`, and the host lends valid records of the opened type for the call.
        let (plugin, records) = unsafe { (&*instance.cast::<P>(), Records::new(&*records)) };
        let mut answer = Maps::with_capacity(records.len());
        plugin.attend(&records, &mut answer)?;
        let answer = answer.into_array()?;
        // SAFETY: `maps` is the host's to be written.
        unsafe { *maps = answer };
        Ok(())
    })
}
