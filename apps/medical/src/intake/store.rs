//! Writing batches of images, each in one transaction.

use std::collections::{HashMap, HashSet};

use foretell_store::label::NewLabel;
use foretell_store::open::Store;
use foretell_store::record::{Appender, NewRecord, Outcome, Record, Reject, SourceInfo, SourceKind};
use foretell_store::time::Micros;

use super::prepare::Images;
use super::report::{Refused, Report};
use super::walk::Candidate;
use super::{BATCH_BYTES_MAX, BATCH_RECORDS_MAX, IntakeError, KEYS};
use crate::DOMAIN;
use crate::payload::Payload;

/// Who says what a file shows, when an import does.
const LABEL_SOURCE: &str = "import";

/// Writes what is to be stored.
pub(super) struct Writer {
    store: Store,
    appender: Appender,
    time: Micros,
    batch: Vec<Waiting>,
    rejects: Vec<Reject>,
    bytes: usize,
}

/// A record that waits to be written, and the file that it is from.
struct Waiting {
    record: NewRecord,
    file: String,
    number: u64,
    is_named: bool,
}

impl Writer {
    pub(super) async fn begin(store: &Store, name: String, time: Micros) -> Result<Self, IntakeError> {
        let source = SourceInfo { kind: SourceKind::File, name, hash: None, mapping: None };
        let keys = KEYS.map(str::to_owned).to_vec();
        let appender = Appender::begin(store, DOMAIN, keys, source).await?;
        let (batch, rejects) = (Vec::new(), Vec::new());
        Ok(Self { store: store.clone(), appender, time, batch, rejects, bytes: 0 })
    }

    /// Keeps a file that was refused.
    pub(super) async fn refuse(&mut self, refused: Refused, report: &mut Report) -> Result<(), IntakeError> {
        self.rejects.push(refused.stored());
        report.refuse(refused);
        self.write_if_full(report).await
    }

    pub(super) async fn add(
        &mut self,
        candidate: Candidate,
        images: Images,
        report: &mut Report,
    ) -> Result<(), IntakeError> {
        let Images { records, dicom, bytes, is_named } = images;
        if let Some(dicom) = dicom {
            report.add_dicom(dicom);
        }
        let Candidate { name, number, .. } = candidate;
        self.bytes += bytes;
        let waiting =
            records.into_iter().map(|record| Waiting { record, file: name.clone(), number, is_named });
        self.batch.extend(waiting);
        self.write_if_full(report).await
    }

    async fn write_if_full(&mut self, report: &mut Report) -> Result<(), IntakeError> {
        let records = self.batch.len() + self.rejects.len();
        match self.bytes >= BATCH_BYTES_MAX || records >= BATCH_RECORDS_MAX {
            true => self.write(report).await,
            false => Ok(()),
        }
    }

    /// Writes what waits, and says that the source is complete.
    pub(super) async fn finish(mut self, report: &mut Report) -> Result<(), IntakeError> {
        self.write(report).await?;
        report.source = self.appender.source_id();
        self.appender.finish().await?;
        Ok(())
    }

    async fn write(&mut self, report: &mut Report) -> Result<(), IntakeError> {
        let (batch, mut rejects) = (std::mem::take(&mut self.batch), std::mem::take(&mut self.rejects));
        self.bytes = 0;
        // An image keeps the time of its first import, so what is there must be left out, or it would be a conflict.
        let names = batch.iter().filter_map(|waiting| waiting.record.external_id.as_deref());
        let known = self.store.records_by_external_ids(DOMAIN, names).await?;
        let known: HashMap<String, Record> =
            known.into_iter().filter_map(|record| Some((record.external_id.clone()?, record))).collect();
        let (mut new, mut old, mut conflicting) = (Vec::new(), Vec::new(), HashSet::new());
        for waiting in batch {
            match waiting.record.external_id.as_ref().and_then(|name| known.get(name)) {
                Some(record) if is_same(record, &waiting.record) => old.push((record.id, waiting)),
                // Of a file with many frames it is said once.
                Some(record) => {
                    if conflicting.insert(waiting.number) {
                        let refused = conflict(waiting, record.id);
                        rejects.push(refused.stored());
                        report.refuse(refused);
                    }
                }
                None => new.push(waiting),
            }
        }
        let records: Vec<NewRecord> = new.iter().map(|waiting| waiting.record.clone()).collect();
        // Contents are shared and not copied.
        let outcomes = match records.is_empty() && rejects.is_empty() {
            true => Vec::new(),
            false => self.appender.append_with_rejects(records, rejects).await?,
        };
        let mut conflicts = Vec::new();
        for (waiting, outcome) in new.into_iter().zip(outcomes) {
            match outcome {
                Outcome::Stored(id) => {
                    report.stored += 1;
                    report.labels += waiting.record.labels.len() as u64;
                    report.records.push(id);
                }
                Outcome::AlreadyStored(id) => old.push((id, waiting)),
                // The same name twice in this batch, or somebody else stored it just now.
                Outcome::Conflict(id) => match self.store.record(id).await? {
                    Some(record) if is_same(&record, &waiting.record) => old.push((id, waiting)),
                    _ if conflicting.insert(waiting.number) => conflicts.push(conflict(waiting, id)),
                    _ => (),
                },
            }
        }
        if !conflicts.is_empty() {
            self.appender.reject(conflicts.iter().map(Refused::stored).collect()).await?;
            conflicts.into_iter().for_each(|refused| report.refuse(refused));
        }
        self.label(&old, report).await?;
        report.already_stored += old.len() as u64;
        report.records.extend(old.into_iter().map(|(id, _)| id));
        Ok(())
    }

    /// Adds what is known now of images that were there before, where that is something else than what was known.
    async fn label(&self, old: &[(i64, Waiting)], report: &mut Report) -> Result<(), IntakeError> {
        let mut labels = Vec::new();
        let mut seen = HashSet::new();
        for (record_id, waiting) in old {
            if waiting.record.labels.is_empty() || !seen.insert(*record_id) {
                continue;
            }
            let known = self.store.labels(*record_id).await?;
            for label in &waiting.record.labels {
                let holds = known.iter().rev().find(|known| known.name == label.name);
                if holds.is_none_or(|holds| holds.value != label.value) {
                    labels.push(NewLabel {
                        record_id: *record_id,
                        name: label.name.clone(),
                        value: label.value.clone(),
                        known_at: self.time,
                        source: LABEL_SOURCE.to_owned(),
                    });
                }
            }
        }
        if !labels.is_empty() {
            report.labels += self.store.add_labels(&labels).await?;
        }
        Ok(())
    }
}

/// Whether a record shows the same image.
fn is_same(stored: &Record, new: &NewRecord) -> bool {
    let image = |payload: &str| serde_json::from_str::<Payload>(payload).ok().map(|payload| payload.image);
    image(&stored.payload).is_some_and(|stored| image(&new.payload) == Some(stored))
}

fn conflict(waiting: Waiting, record: i64) -> Refused {
    let reason = format!(
        "record {record} has another image under this name (of DICOM: this SOP instance UID), and records never change"
    );
    let Waiting { file, number, is_named, .. } = waiting;
    Refused { file, reason, number, is_named }
}
