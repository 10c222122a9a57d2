//! Columns that grow row by row, without an allocation for each.

use crate::Error;
use crate::owned::{Buffer, Values};

/// Most rows or bytes that Arrow's offsets, of 32 bits with a sign, can count.
const OFFSET_MAX: usize = i32::MAX as usize;

/// Which rows are there. No bitmap is kept before the first one that is not.
#[derive(Debug, Default)]
pub(super) struct Nulls {
    bits: Vec<u8>,
    rows: usize,
    count: usize,
}

impl Nulls {
    pub(super) fn push(&mut self, is_valid: bool) {
        if !is_valid && self.count == 0 {
            self.bits = vec![u8::MAX; self.rows.div_ceil(8)];
        }
        self.count += usize::from(!is_valid);
        if self.count > 0 {
            let bit = 1 << (self.rows % 8);
            if bit == 1 {
                self.bits.push(0);
            }
            let byte = &mut self.bits[self.rows / 8];
            *byte = if is_valid { *byte | bit } else { *byte & !bit };
        }
        self.rows += 1;
    }

    /// The column of these rows, with two more buffers after the bitmap.
    fn into_values(self, [first, second]: [Buffer; 2]) -> Values {
        let bitmap = if self.count == 0 { Buffer::Absent } else { Buffer::Bytes(self.bits) };
        Values {
            length: self.rows,
            nulls: self.count,
            buffers: [bitmap, first, second],
            children: Vec::new(),
        }
    }
}

/// Numbers that may be missing.
#[derive(Debug, Default)]
pub(super) struct Floats {
    values: Vec<f32>,
    nulls: Nulls,
}

impl Floats {
    pub(super) fn push(&mut self, value: Option<f32>) {
        self.values.push(value.unwrap_or_default());
        self.nulls.push(value.is_some());
    }

    pub(super) fn into_values(self) -> Values {
        self.nulls.into_values([Buffer::Floats(self.values), Buffer::Unused])
    }
}

/// Texts that may be missing, one after the other in one buffer.
#[derive(Debug)]
pub(super) struct Texts {
    offsets: Vec<i32>,
    bytes: Vec<u8>,
    nulls: Nulls,
}

impl Default for Texts {
    fn default() -> Self {
        Self { offsets: vec![0], bytes: Vec::new(), nulls: Nulls::default() }
    }
}

impl Texts {
    /// Whether `text` still fits in.
    pub(super) fn has_room(&self, text: &str) -> bool {
        self.bytes.len() + text.len() <= OFFSET_MAX
    }

    /// Adds a row.
    ///
    /// **Invariant:** a text is added only where [`Self::has_room`] said that it fits in.
    pub(super) fn push(&mut self, text: Option<&str>) {
        self.bytes.extend_from_slice(text.unwrap_or_default().as_bytes());
        self.offsets.push(self.bytes.len() as i32);
        self.nulls.push(text.is_some());
    }

    pub(super) fn into_values(self) -> Values {
        self.nulls.into_values([Buffer::Offsets(self.offsets), Buffer::Bytes(self.bytes)])
    }
}

/// Where the list of each record ends, in rows of the items.
#[derive(Debug)]
pub(super) struct Ends {
    offsets: Vec<i32>,
    /// Whether something did not fit in, and was dropped.
    is_full: bool,
}

impl Ends {
    pub(super) fn with_capacity(records: usize) -> Self {
        let mut offsets = Vec::with_capacity(records + 1);
        offsets.push(0);
        Self { offsets, is_full: false }
    }

    /// Number of records that have ended.
    pub(super) fn len(&self) -> usize {
        self.offsets.len() - 1
    }

    /// Whether one more of `items` rows can be counted and `fits` in; remembers where not.
    pub(super) fn accept(&mut self, items: usize, fits: bool) -> bool {
        self.is_full |= items >= OFFSET_MAX || !fits;
        !self.is_full
    }

    /// Ends the record after `items` rows.
    ///
    /// **Invariant:** `items` rows were accepted.
    pub(super) fn push(&mut self, items: usize) {
        self.offsets.push(items as i32);
    }

    /// The lists over `items`.
    pub(super) fn into_values(self, items: Values) -> Result<Values, Error> {
        if self.is_full {
            return Err(Error::failed(format!(
                "the predictions of one call are more than {OFFSET_MAX} items or bytes of text; ask for fewer items, or \
                 state a smaller `rows_max` in the manifest's `[limits]`"
            )));
        }
        let ended = self.offsets[self.len()] as usize;
        if ended != items.length {
            let behind = items.length - ended;
            return Err(Error::failed(format!(
                "{behind} items were pushed after the last `end_record`; expected one `end_record` after the items of each record"
            )));
        }
        Ok(Values::lists(self.offsets, items))
    }
}
