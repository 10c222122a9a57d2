//! The plugin that is looked at, loaded as an app loads it.

use std::collections::HashSet;
use std::path::Path;
use std::sync::Arc;

use arrow_array::RecordBatch;
use foretell_abi::STATUS_PANIC;
use foretell_runtime::check::check;
use foretell_runtime::fit::{FitStart, Fitting};
use foretell_runtime::manifest::Manifest;
use foretell_runtime::onnx::{Places, Runtime};
use foretell_runtime::plugin::{
    LoadError, LoadErrorKind, LoadOptions, Plugin, PredictError, PredictErrorKind,
};
use foretell_runtime::trust::Verified;
use tempfile::TempDir;

use crate::answer::{Cell, answers};
use crate::records::{Column, Generator, Kind, Row, Value, batch, columns, schema, time_place};
use crate::verdict::{Finding, fault};

/// Records that a plugin learns from before it is looked at.
const LEARNED_RECORDS: usize = 400;
/// Records that are given at once to a plugin that learns.
const LEARNED_AT_ONCE: usize = 64;
/// Records of a batch of tables.
const BATCH_RECORDS: usize = 24;
/// Records of a batch with images.
const BATCH_IMAGES: usize = 3;
/// How many generated records a plugin may refuse for each that it takes.
const REFUSED_FOR_EACH: usize = 16;
/// Sessions for calls at the same time.
pub(crate) const SESSIONS: usize = 4;

/// A loaded plugin, and the records that it asks for.
pub(crate) struct Subject {
    pub(crate) runtime: Arc<Runtime>,
    /// Its files; where it learns from records, with what it learned of generated ones.
    pub(crate) verified: Verified,
    pub(crate) plugin: Plugin,
    pub(crate) columns: Vec<Column>,
    pub(crate) seed: u64,
    /// Where what it learned lies.
    _learned: Option<TempDir>,
}

/// Why a plugin gave no predictions.
#[derive(Clone, Debug)]
pub(crate) enum Refusal {
    /// It said why.
    Clean(String),
    /// It panicked, and the panic was caught.
    Panicked(String),
    /// It answered with something that is no answer, or with an error without words.
    Broken(String),
}

impl Refusal {
    /// The refusal as a fault, with what was asked of the plugin.
    pub(crate) fn fault(&self, what: &str) -> Finding {
        match self {
            Refusal::Clean(words) => fault(format!("{what}: it was refused: {words}")),
            other => fault(format!("{what}: {}", other.words())),
        }
    }

    /// In the words of the plugin.
    pub(crate) fn words(&self) -> &str {
        match self {
            Refusal::Clean(words) | Refusal::Panicked(words) | Refusal::Broken(words) => words,
        }
    }
}

impl Subject {
    /// Loads a plugin. One that learns from records does so first, from generated ones.
    pub(crate) fn load(directory: &Path, seed: u64, places: &Places) -> Result<Self, Finding> {
        let runtime = start(places)?;
        let mut verified = trusted(directory)?;
        let mut learned = None;
        // One that can't is found by the check for it, and looked at as it came.
        if verified.manifest().fit.is_some()
            && let Ok(models) = learn(&runtime, &verified, seed)
        {
            let place = TempDir::new().map_err(|error| fault(format!("no temporary directory: {error}")))?;
            for (name, content) in &models {
                let path = place.path().join(name);
                std::fs::write(&path, content)
                    .map_err(|error| fault(format!("`{}`: {error}", path.display())))?;
                verified =
                    verified.with_model(name, &path, None).map_err(|error| fault(error.to_string()))?;
            }
            learned = Some(place);
        }
        let options = LoadOptions { sessions: SESSIONS, ..LoadOptions::default() };
        let plugin =
            Plugin::load(&runtime, verified.clone(), &options).map_err(|error| fault(error.to_string()))?;
        let columns = columns(verified.manifest());
        Ok(Self { runtime, verified, plugin, columns, seed, _learned: learned })
    }

    pub(crate) fn manifest(&self) -> &Manifest {
        self.verified.manifest()
    }

    /// The generator of one purpose.
    pub(crate) fn generator(&self, purpose: &str) -> Generator<'_> {
        Generator::new(self.verified.manifest(), self.seed, purpose)
    }

    /// Whether there are images among the inputs.
    pub(crate) fn has_images(&self) -> bool {
        self.manifest().inputs.iter().any(|input| input.picture().is_some())
    }

    /// How many records an ordinary batch has.
    pub(crate) fn batch_records(&self) -> usize {
        let most = if self.has_images() { BATCH_IMAGES } else { BATCH_RECORDS };
        most.min(self.manifest().limits.rows_max)
    }

    /// Another instance, opened with other columns or settings. What it says of them is its own.
    pub(crate) fn open(&self, options: &LoadOptions) -> Result<Plugin, Refusal> {
        open(&self.runtime, self.verified.clone(), options)
    }

    /// Options of an instance that makes one call after the other.
    pub(crate) fn options(&self) -> LoadOptions {
        LoadOptions { sessions: 1, ..LoadOptions::default() }
    }

    /// Options with other columns than the manifest's.
    pub(crate) fn options_with(&self, columns: &[Column]) -> LoadOptions {
        LoadOptions { records: Some(schema(columns)), ..self.options() }
    }

    /// The records as the plugin is given them.
    pub(crate) fn batch(&self, rows: &[Row]) -> Result<RecordBatch, Finding> {
        batch(&self.columns, rows).map_err(|error| fault(format!("no batch could be made: {error}")))
    }

    /// Predicts, whatever the manifest's ranges say.
    pub(crate) fn predict(&self, rows: &[Row]) -> Result<Result<Vec<Cell>, Refusal>, Finding> {
        Ok(predict(&self.plugin, &self.batch(rows)?))
    }

    /// Predicts what must be predicted.
    pub(crate) fn must_predict(&self, rows: &[Row], what: &str) -> Result<Vec<Cell>, Finding> {
        self.predict(rows)?.map_err(|refusal| refusal.fault(what))
    }

    /// Whether the host refuses a record before the plugin sees it, because of the manifest's ranges, and which field it names.
    pub(crate) fn host_refuses(&self, row: &Row) -> Result<Option<String>, Finding> {
        let batch = self.batch(std::slice::from_ref(row))?;
        Ok(check(self.manifest(), &batch).into_iter().next().map(|refusal| refusal.field))
    }

    /// So many ordinary records that the plugin takes, and how many it refused. It may refuse what does not belong together.
    pub(crate) fn ordinary(&self, purpose: &str, count: usize) -> Result<(Vec<Row>, usize), Finding> {
        let mut generator = self.generator(purpose);
        let (mut taken, mut refused, mut last) = (Vec::new(), 0, String::new());
        while taken.len() < count {
            let rows = generator.rows(count - taken.len());
            if self.predict(&rows)?.is_ok() {
                taken.extend(rows);
                continue;
            }
            for mut row in rows {
                match self.settle(&mut row)? {
                    None => taken.push(row),
                    Some(words) => {
                        refused += 1;
                        last = words;
                    }
                }
            }
            if refused > REFUSED_FOR_EACH * count {
                return Err(fault(format!(
                    "of {} generated records it refused {refused}, the last with: {last}",
                    refused + taken.len()
                )));
            }
        }
        if let Some(place) = time_place(self.manifest()) {
            taken.sort_by_key(|row| match row[place] {
                Value::Time(time) => time,
                _ => i64::MIN,
            });
        }
        Ok((taken, refused))
    }

    /// Leaves optional values out of a record, one after the other, as long as the plugin refuses it and names them. Gives the
    /// plugin's words where it is refused all the same.
    fn settle(&self, row: &mut Row) -> Result<Option<String>, Finding> {
        loop {
            let message = match self.predict(std::slice::from_ref(row))? {
                Ok(_) => return Ok(None),
                Err(Refusal::Clean(message)) => message,
                Err(refusal) => return Err(refusal.fault("an ordinary record")),
            };
            let named = words(&message);
            let place = self.columns.iter().enumerate().position(|(place, column)| {
                column.nullable && row[place] != Value::Null && named.contains(column.name.as_str())
            });
            match place {
                Some(place) => row[place] = Value::Null,
                None => return Ok(Some(message)),
            }
        }
    }

    /// Whether a message names a column, or a field of a history.
    pub(crate) fn names_a_field(&self, message: &str) -> bool {
        let words = words(message);
        self.columns.iter().any(|column| names(&words, column))
    }
}

/// Whether words name a column, or a field of its events.
pub(crate) fn names(words: &HashSet<&str>, column: &Column) -> bool {
    let field = |name: &String| words.contains(name.as_str());
    let of_events = match &column.kind {
        Kind::Past(fields) => fields.iter().any(|(name, _)| field(name)),
        _ => false,
    };
    field(&column.name) || of_events
}

/// The words of a message: letters, digits, `_` and `.` between letters.
pub(crate) fn words(message: &str) -> HashSet<&str> {
    let letter = |letter: char| letter.is_alphanumeric() || letter == '_' || letter == '.';
    let words = message.split(move |other| !letter(other));
    words.flat_map(|word| [word, word.trim_matches('.')].into_iter().chain(word.split('.'))).collect()
}

/// ONNX Runtime, started.
pub(crate) fn start(places: &Places) -> Result<Arc<Runtime>, Finding> {
    Runtime::start(places).map_err(|error| fault(error.to_string()))
}

/// The files of a directory whose user asked for it to be looked at.
pub(crate) fn trusted(directory: &Path) -> Result<Verified, Finding> {
    Verified::trusting(directory).map_err(|error| fault(error.kind.to_string()))
}

/// Opens an instance.
pub(crate) fn open(
    runtime: &Arc<Runtime>,
    verified: Verified,
    options: &LoadOptions,
) -> Result<Plugin, Refusal> {
    Plugin::load(runtime, verified, options).map_err(|LoadError { kind, .. }| match kind {
        LoadErrorKind::Open(call) if call.status == STATUS_PANIC => Refusal::Panicked(call.message),
        LoadErrorKind::Open(call) if call.message.trim().is_empty() => {
            Refusal::Broken("it did not open, and did not say why".to_owned())
        }
        LoadErrorKind::Open(call) => Refusal::Clean(call.message),
        other => Refusal::Broken(other.to_string()),
    })
}

/// One answer for each record.
pub(crate) fn predict(plugin: &Plugin, batch: &RecordBatch) -> Result<Vec<Cell>, Refusal> {
    match plugin.predict(batch) {
        Ok(predictions) => Ok(answers(predictions.columns())),
        Err(PredictError { kind, .. }) => Err(match kind {
            PredictErrorKind::Call(call) if call.status == STATUS_PANIC => Refusal::Panicked(call.message),
            PredictErrorKind::Call(call) if call.message.trim().is_empty() => {
                Refusal::Broken(format!("it failed with status {}, and did not say why", call.status))
            }
            PredictErrorKind::Call(call) => Refusal::Clean(call.message),
            PredictErrorKind::Cancelled => Refusal::Clean("cancelled".to_owned()),
            other => Refusal::Broken(other.to_string()),
        }),
    }
}

/// What a plugin learns from generated records of a seed: each file that it writes. Records that it refuses are left out, since a
/// manifest does not say which values belong together: learning ends with the first refusal, so it begins again without.
pub(crate) fn learn(
    runtime: &Arc<Runtime>,
    verified: &Verified,
    seed: u64,
) -> Result<Vec<(String, Vec<u8>)>, String> {
    let manifest = verified.manifest();
    let columns = columns(manifest);
    let rows_at_once = LEARNED_AT_ONCE.min(manifest.limits.rows_max);
    let mut rows = Generator::new(manifest, seed, "learn").rows(LEARNED_RECORDS);
    let learned_of = |rows: &[Row]| -> Result<_, Refused> {
        let start = FitStart { seed, update: false };
        let fitting = Fitting::begin(runtime, verified, &LoadOptions::default(), start);
        let fitting = fitting.map_err(|error| Refused::whole(&error))?;
        for (number, chunk) in rows.chunks(rows_at_once).enumerate() {
            let batch = batch(&columns, chunk).map_err(|error| Refused::whole(&error))?;
            fitting
                .learn(&batch)
                .map_err(|error| Refused { chunk: Some(number), ..Refused::whole(&error) })?;
        }
        fitting.finish().map_err(|error| Refused::whole(&error))
    };
    loop {
        let Refused { chunk, words } = match learned_of(&rows) {
            Ok(models) => return Ok(models),
            Err(refused) => refused,
        };
        let Some(chunk) = chunk else { return Err(words) };
        let first = chunk * rows_at_once;
        let chunk = first..rows.len().min(first + rows_at_once);
        // A record that is refused alone is refused in a batch.
        let alone: HashSet<usize> = chunk.filter(|row| learned_of(&rows[*row..=*row]).is_err()).collect();
        let kept = rows.len() - alone.len();
        if alone.is_empty() || kept * REFUSED_FOR_EACH < LEARNED_RECORDS {
            return Err(format!(
                "of {LEARNED_RECORDS} generated records it learned from {kept} at most: {words}"
            ));
        }
        let mut place = 0..;
        rows.retain(|_| place.next().is_none_or(|place| !alone.contains(&place)));
    }
}

/// Why learning came to no end, and at which batch, where it was one.
struct Refused {
    chunk: Option<usize>,
    words: String,
}

impl Refused {
    fn whole(error: &impl ToString) -> Self {
        Self { chunk: None, words: error.to_string() }
    }
}
