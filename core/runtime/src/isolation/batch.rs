//! Record batches as bytes, in Arrow's IPC format, and back.
//!
//! Both sides know the columns, so no schema is sent: each sees to its own, and a schema that comes is refused.

use std::io::Write;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use arrow_array::RecordBatch;
use arrow_buffer::Buffer;
use arrow_ipc::reader::StreamDecoder;
use arrow_ipc::writer::StreamWriter;
use arrow_schema::{ArrowError, Field, Schema};

use super::frame::{HEADER_BYTES, Kind, TAIL_BYTES, header};

/// The columns of records as they are sent: any may lack values, since what may not is looked at elsewhere.
pub(super) fn sent(schema: &Schema) -> Schema {
    let fields = schema.fields().iter().map(|field| field.as_ref().clone().with_nullable(true));
    Schema::new(fields.collect::<Vec<Field>>())
}

/// A schema as bytes.
pub(super) fn schema_bytes(schema: &Schema) -> Result<Vec<u8>, ArrowError> {
    Ok(std::mem::take(StreamWriter::try_new(Vec::new(), schema)?.get_mut()))
}

/// Reads what [`schema_bytes`] made.
pub(super) fn read_schema(mut bytes: Vec<u8>) -> Result<Arc<Schema>, ArrowError> {
    // The end of a stream, without which it waits for more before it looks at the schema.
    bytes.extend_from_slice(&0_u32.to_le_bytes());
    let mut decoder = StreamDecoder::new();
    decoder.decode(&mut Buffer::from_vec(bytes))?;
    decoder.schema().ok_or_else(|| ArrowError::IpcError("expected a schema, found none".to_owned()))
}

/// Makes frames of batches with one schema.
pub(super) struct Encoder(StreamWriter<Vec<u8>>);

impl Encoder {
    pub(super) fn new(schema: &Schema) -> Result<Self, ArrowError> {
        Ok(Self(StreamWriter::try_new(Vec::new(), schema)?))
    }

    /// The frame of a batch, valid until the next one is made.
    pub(super) fn frame(&mut self, kind: Kind, batch: &RecordBatch) -> Result<&[u8], ArrowError> {
        let frame = self.0.get_mut();
        frame.clear();
        frame.extend_from_slice(&[0; HEADER_BYTES]);
        self.0.write(batch)?;
        let frame = self.0.get_mut();
        let header = header(kind, frame.len() - HEADER_BYTES);
        (&mut frame[..HEADER_BYTES]).write_all(&header)?;
        Ok(frame)
    }
}

/// Reads batches with one schema.
pub(super) struct Decoder(StreamDecoder);

impl Decoder {
    pub(super) fn new(schema: &Schema) -> Result<Self, ArrowError> {
        let mut decoder = StreamDecoder::new();
        // It waits for more before it looks at the schema, and takes it in with the first batch.
        decoder.decode(&mut Buffer::from_vec(schema_bytes(schema)?))?;
        Ok(Self(decoder))
    }

    /// Reads the body of a frame, which may be any bytes. After an error, the decoder is of no use.
    pub(super) fn read(&mut self, body: Vec<u8>) -> Result<RecordBatch, String> {
        let mut rest = Buffer::from_vec(body);
        let decoded = catch_unwind(AssertUnwindSafe(|| self.0.decode(&mut rest)));
        match decoded {
            Ok(Ok(Some(batch))) if rest.len() == TAIL_BYTES => Ok(batch),
            Ok(Ok(_)) => Err("more or less than one batch".to_owned()),
            Ok(Err(error)) => Err(format!("no valid batch: {error}")),
            Err(_) => Err("a batch that its decoder could make nothing of".to_owned()),
        }
    }
}

#[cfg(test)]
mod tests {
    use arrow_array::builder::{Float32Builder, ListBuilder, StringBuilder};
    use arrow_array::{Array, ArrayRef, BooleanArray, Int64Array, StringArray};
    use proptest::prelude::*;

    use super::*;

    /// A row: a number, a flag, a text, numbers and texts, each of which may be missing.
    type Row = (Option<i64>, Option<bool>, Option<String>, Option<Vec<Option<f32>>>, Option<Vec<String>>);

    fn row() -> impl Strategy<Value = Row> {
        (
            any::<Option<i64>>(),
            any::<Option<bool>>(),
            proptest::option::of(".{0,8}"),
            proptest::option::of(proptest::collection::vec(any::<Option<f32>>(), 0..5)),
            proptest::option::of(proptest::collection::vec(".{0,4}", 0..4)),
        )
    }

    fn batch(rows: &[Row]) -> RecordBatch {
        let numbers: Int64Array = rows.iter().map(|row| row.0).collect();
        let flags: BooleanArray = rows.iter().map(|row| row.1).collect();
        let texts: StringArray = rows.iter().map(|row| row.2.as_deref()).collect();
        let mut lists = ListBuilder::new(Float32Builder::new());
        let mut words = ListBuilder::new(StringBuilder::new());
        for (_, _, _, list, word) in rows {
            lists.append_option(list.clone());
            words.append_option(word.as_ref().map(|words| words.iter().map(Some)));
        }
        let columns: [(&str, ArrayRef); 5] = [
            ("numbers", Arc::new(numbers)),
            ("flags", Arc::new(flags)),
            ("texts", Arc::new(texts)),
            ("lists", Arc::new(lists.finish())),
            ("words", Arc::new(words.finish())),
        ];
        RecordBatch::try_from_iter_with_nullable(columns.map(|(name, column)| (name, column, true))).unwrap()
    }

    fn body(encoder: &mut Encoder, batch: &RecordBatch) -> Vec<u8> {
        let frame = encoder.frame(Kind::Batch, batch).unwrap();
        [&frame[HEADER_BYTES..], &[0; TAIL_BYTES]].concat()
    }

    proptest! {
        /// Any part of any batch, one after the other, with one encoder and one decoder.
        #[test]
        fn batches_arrive_as_they_were(rows in proptest::collection::vec(row(), 0..12), first in 0..12_usize) {
            let whole = batch(&rows);
            let first = first.min(rows.len());
            let schema = sent(&whole.schema());
            let (mut encoder, mut decoder) = (Encoder::new(&schema).unwrap(), Decoder::new(&schema).unwrap());
            for part in [whole.slice(first, rows.len() - first), whole.slice(0, 0), whole.slice(0, first), whole] {
                let read = decoder.read(body(&mut encoder, &part)).unwrap();
                prop_assert_eq!(read.num_rows(), part.num_rows());
                for (read, sent) in read.columns().iter().zip(part.columns()) {
                    prop_assert_eq!(read.to_data(), sent.to_data());
                }
            }
        }

        /// Whatever is changed in a batch, it is refused, or as good as any other of its type.
        #[test]
        fn any_other_bytes_are_refused_or_valid(
            rows in proptest::collection::vec(row(), 0..6),
            changes in proptest::collection::vec((any::<proptest::sample::Index>(), any::<u8>()), 1..8),
            cut in proptest::option::of(any::<proptest::sample::Index>()),
        ) {
            let batch = batch(&rows);
            let schema = sent(&batch.schema());
            let (mut encoder, mut decoder) = (Encoder::new(&schema).unwrap(), Decoder::new(&schema).unwrap());
            let mut bytes = body(&mut encoder, &batch);
            for (place, byte) in changes {
                let place = place.index(bytes.len());
                bytes[place] = byte;
            }
            if let Some(cut) = cut {
                bytes.truncate(cut.index(bytes.len()));
            }
            if let Ok(read) = decoder.read(bytes) {
                prop_assert_eq!(read.num_columns(), batch.num_columns());
                for (read, sent) in read.columns().iter().zip(batch.columns()) {
                    prop_assert_eq!(read.data_type(), sent.data_type());
                    prop_assert!(read.to_data().validate_full().is_ok());
                }
            }
        }
    }

    #[test]
    fn a_schema_is_read_as_it_was_written_and_refused_where_none_belongs() {
        let schema = batch(&[]).schema();
        let bytes = schema_bytes(&schema).unwrap();
        assert_eq!(read_schema(bytes.clone()).unwrap(), schema);
        let mut decoder = Decoder::new(&schema).unwrap();
        let refused = decoder.read([&bytes[..], &[0; TAIL_BYTES]].concat()).unwrap_err();
        assert!(refused.contains("Not expecting a schema"), "{refused}");
        assert!(read_schema(b"no schema".to_vec()).is_err());
    }

    #[test]
    fn a_batch_and_a_half_is_none() {
        let batch = batch(&[(Some(1), None, None, None, None)]);
        let schema = sent(&batch.schema());
        let (mut encoder, mut decoder) = (Encoder::new(&schema).unwrap(), Decoder::new(&schema).unwrap());
        let body = body(&mut encoder, &batch);
        let twice = [&body[..body.len() - TAIL_BYTES], &body].concat();
        assert_eq!(decoder.read(twice).unwrap_err(), "more or less than one batch");
    }
}
