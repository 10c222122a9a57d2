//! The other side: the process in which the plugin runs.

use std::io::{BufReader, Read, Write};
use std::time::Duration;

use arrow_array::types::Float32Type;
use arrow_array::{ArrayRef, Int32Array, ListArray, RecordBatch};
use arrow_schema::{ArrowError, SchemaRef};
use serde::Serialize;
use thiserror::Error;

use super::batch::{Decoder, Encoder, read_schema, sent};
use super::confine::confine;
use super::frame::{Broken, Frame, Kind, frame, read};
use super::opening::{Failure, Opened, Opening};
use crate::attention::{AttentionError, AttentionErrorKind, Maps, maps_schema};
use crate::fit::{FitError, FitErrorKind, Fitting};
use crate::load::LoadOptions;
use crate::onnx::{Places, Runtime};
use crate::plugin::{Plugin, PredictErrorKind};

/// How long a plugin may take to close when whoever asked is gone.
const CLOSE_TIME_MAX: Duration = Duration::from_secs(2);

/// Why a plugin could not be served any longer. The process that asked has gone, or does not speak to this one.
#[derive(Debug, Error)]
pub enum ServeError {
    /// The pipes could not be moved away from standard input and output.
    #[error("the pipes can't be moved: {0}")]
    Pipes(std::io::Error),
    /// What came is no request.
    #[error(
        "expected a request of the program that started this one, found {0}; this is nothing to start by hand"
    )]
    Request(String),
    /// An answer could not be given.
    #[error("an answer could not be given: {0}")]
    Answer(std::io::Error),
}

/// Serves a plugin to the process that started this one, until that closes its pipe or ends.
///
/// To be called before there is a second thread: what is taken away from this process is taken from its threads to come.
pub fn serve() -> Result<(), ServeError> {
    #[cfg(target_os = "linux")]
    close_inherited().map_err(ServeError::Pipes)?;
    let (requests, answers) = pipes().map_err(ServeError::Pipes)?;
    let mut requests = BufReader::new(requests);
    let Some(opening) = next(&mut requests)? else { return Ok(()) };
    let opening: Opening = match opening.kind {
        Kind::Open => serde_json::from_slice(opening.content())
            .map_err(|error| ServeError::Request(error.to_string()))?,
        kind => return Err(ServeError::Request(format!("{kind:?}"))),
    };
    let library = opening.onnxruntime.parent().filter(|directory| directory.is_absolute());
    let missing = confine(opening.files.paths().chain(library), opening.memory_bytes_max);
    watch(requests.get_ref()).map_err(ServeError::Pipes)?;
    let mut answers = Answers(answers);
    match open(&opening) {
        Ok((served, runtime)) => {
            let opened = Opened {
                abi: served.abi(),
                has_attention: served.has_attention(),
                onnxruntime: runtime.version().to_owned(),
                missing,
            };
            answers.json(Kind::Opened, &opened)?;
            serve_requests(&served, &mut requests, &mut answers)
        }
        Err(failure) => answers.json(Kind::Failed, &failure),
    }
}

/// A plugin that is open.
enum Served {
    Predicts(Box<Plugin>),
    Learns(Box<Fitting>),
}

impl Served {
    fn schema(&self) -> &SchemaRef {
        match self {
            Served::Predicts(plugin) => plugin.schema(),
            Served::Learns(fitting) => fitting.schema(),
        }
    }

    fn abi(&self) -> Option<(u32, u32)> {
        match self {
            Served::Predicts(plugin) => Some((plugin.abi().major, plugin.abi().minor)),
            Served::Learns(_) => None,
        }
    }

    fn has_attention(&self) -> bool {
        matches!(self, Served::Predicts(plugin) if plugin.has_attention())
    }
}

fn open(opening: &Opening) -> Result<(Served, std::sync::Arc<Runtime>), Failure> {
    let words = |error: &dyn std::fmt::Display| Failure::Words(error.to_string());
    let verified = opening.files.verify().map_err(Failure::Words)?;
    // A name alone is what the system's loader found.
    let library = Some(opening.onnxruntime.clone()).filter(|library| library.is_absolute());
    let runtime = Runtime::start(&Places::of_process(library)).map_err(|error| words(&error))?;
    let records = opening.records.clone().map(read_schema).transpose().map_err(|error| words(&error))?;
    let options = LoadOptions { config: opening.config.clone(), sessions: opening.sessions, records };
    let served = match opening.fit {
        None => {
            let plugin = Plugin::load(&runtime, verified, &options).map_err(|error| words(&error.kind))?;
            Served::Predicts(Box::new(plugin))
        }
        Some(start) => {
            let fitting = Fitting::begin(&runtime, &verified, &options, start).map_err(
                |FitError { kind, .. }| match kind {
                    FitErrorKind::Cancelled => Failure::Cancelled,
                    kind => words(&kind),
                },
            )?;
            Served::Learns(Box::new(fitting))
        }
    };
    Ok((served, runtime))
}

fn serve_requests(
    served: &Served,
    requests: &mut impl Read,
    answers: &mut Answers<impl Write>,
) -> Result<(), ServeError> {
    let no_batch = |error: ArrowError| ServeError::Request(error.to_string());
    let mut records = Decoder::new(&sent(served.schema())).map_err(no_batch)?;
    let answered = match served {
        Served::Predicts(plugin) => plugin.manifest().prediction_schema(),
        Served::Learns(_) => maps_schema(),
    };
    let (answered, maps) = (SchemaRef::new(answered), SchemaRef::new(maps_schema()));
    let mut predictions = Encoder::new(&answered).map_err(no_batch)?;
    let mut attended = Encoder::new(&maps).map_err(no_batch)?;
    while let Some(Frame { kind, body }) = next(requests)? {
        let mut batch = |body| records.read(body).map_err(ServeError::Request);
        match (kind, served) {
            (Kind::Predict, Served::Predicts(plugin)) => match plugin.predict(&batch(body)?) {
                Ok(said) => {
                    let columns = said.columns().columns().to_vec();
                    answers.batch(&mut predictions, RecordBatch::try_new(answered.clone(), columns))?;
                }
                Err(error) => answers.json(Kind::Failed, &Failure::from(error.kind))?,
            },
            (Kind::Attend, Served::Predicts(plugin)) => match plugin.attend(&batch(body)?) {
                Ok(said) => answers.batch(&mut attended, columns(&maps, &said))?,
                Err(AttentionError { kind, .. }) => answers.json(Kind::Failed, &Failure::from(kind))?,
            },
            (Kind::Learn, Served::Learns(fitting)) => match fitting.learn(&batch(body)?) {
                Ok(()) => answers.frame(Kind::Done, &[])?,
                Err(error) => answers.json(Kind::Failed, &Failure::from(error.kind))?,
            },
            (Kind::Finish, Served::Learns(fitting)) => match fitting.finish() {
                Ok(models) => {
                    for (_, content) in &models {
                        answers.frame(Kind::Model, content)?;
                    }
                    answers.frame(Kind::Done, &[])?;
                }
                Err(error) => answers.json(Kind::Failed, &Failure::from(error.kind))?,
            },
            (kind, _) => return Err(ServeError::Request(format!("{kind:?}"))),
        }
    }
    Ok(())
}

/// The next request; none once the pipe is closed.
fn next(requests: &mut impl Read) -> Result<Option<Frame>, ServeError> {
    match read(requests) {
        Ok(frame) => Ok(Some(frame)),
        Err(Broken::Gone) => Ok(None),
        Err(Broken::Breach(words)) => Err(ServeError::Request(words)),
    }
}

/// Maps as columns.
fn columns(schema: &SchemaRef, maps: &[Maps]) -> Result<RecordBatch, ArrowError> {
    let side =
        |side: fn(&Maps) -> usize| Int32Array::from_iter_values(maps.iter().map(|maps| side(maps) as i32));
    let values = maps.iter().map(|maps| Some(maps.classes.iter().flatten().map(|value| Some(*value))));
    let lists = ListArray::from_iter_primitive::<Float32Type, _, _>(values);
    let (_, offsets, values, _) = lists.into_parts();
    let lists = match schema.field(2).data_type() {
        arrow_schema::DataType::List(item) => ListArray::try_new(item.clone(), offsets, values, None)?,
        other => unreachable!("maps are lists, and not {other}"),
    };
    let columns: [ArrayRef; 3] = [
        std::sync::Arc::new(side(|maps| maps.height)),
        std::sync::Arc::new(side(|maps| maps.width)),
        std::sync::Arc::new(lists),
    ];
    RecordBatch::try_new(schema.clone(), columns.to_vec())
}

impl From<PredictErrorKind> for Failure {
    fn from(kind: PredictErrorKind) -> Self {
        match kind {
            PredictErrorKind::Cancelled => Failure::Cancelled,
            PredictErrorKind::Call(error) => Failure::Call(error),
            kind => Failure::Words(kind.to_string()),
        }
    }
}

impl From<AttentionErrorKind> for Failure {
    fn from(kind: AttentionErrorKind) -> Self {
        match kind {
            AttentionErrorKind::Call(kind) => kind.into(),
            kind => Failure::Words(kind.to_string()),
        }
    }
}

impl From<FitErrorKind> for Failure {
    fn from(kind: FitErrorKind) -> Self {
        match kind {
            FitErrorKind::Cancelled => Failure::Cancelled,
            FitErrorKind::Learn(error) | FitErrorKind::Finish(error) => Failure::Call(error),
            kind => Failure::Words(kind.to_string()),
        }
    }
}

/// Where answers go.
struct Answers<W>(W);

impl<W: Write> Answers<W> {
    fn frame(&mut self, kind: Kind, body: &[u8]) -> Result<(), ServeError> {
        self.write(&frame(kind, body))
    }

    fn json(&mut self, kind: Kind, body: &impl Serialize) -> Result<(), ServeError> {
        self.frame(kind, &serde_json::to_vec(body).expect("answers are numbers and texts"))
    }

    fn batch(
        &mut self,
        encoder: &mut Encoder,
        batch: Result<RecordBatch, ArrowError>,
    ) -> Result<(), ServeError> {
        let encoded = batch.and_then(|batch| encoder.frame(Kind::Batch, &batch).map(<[u8]>::to_vec));
        match encoded {
            Ok(encoded) => self.write(&encoded),
            Err(error) => self.json(Kind::Failed, &Failure::Words(error.to_string())),
        }
    }

    fn write(&mut self, bytes: &[u8]) -> Result<(), ServeError> {
        self.0.write_all(bytes).and_then(|()| self.0.flush()).map_err(ServeError::Answer)
    }
}

/// Closes whatever the program that started this one had open without meaning to hand it on: whoever started that one may have
/// left it a file or a connection.
#[cfg(target_os = "linux")]
fn close_inherited() -> std::io::Result<()> {
    /// Standard input, output and error.
    const OWN: i32 = 3;
    let names = std::fs::read_dir("/proc/self/fd")?.map(|entry| Ok(entry?.file_name()));
    let names = names.collect::<std::io::Result<Vec<_>>>()?;
    for inherited in names.iter().filter_map(|name| name.to_str()?.parse().ok()).filter(|fd| *fd >= OWN) {
        #[expect(unsafe_code, reason = "nobody owns what was inherited")]
        // SAFETY: this process has opened nothing yet but the directory, which is closed again.
        unsafe {
            libc::close(inherited);
        }
    }
    Ok(())
}

/// The pipes for requests and answers, moved to where no library expects them: what reads standard input finds nothing, and what
/// is printed goes to standard error.
#[cfg(unix)]
fn pipes() -> std::io::Result<(std::fs::File, std::fs::File)> {
    use std::os::fd::AsFd;
    /// Above standard input, output and error.
    const ABOVE: i32 = 3;
    let moved = |fd: std::os::fd::BorrowedFd<'_>| rustix::io::fcntl_dupfd_cloexec(fd, ABOVE);
    let requests = moved(std::io::stdin().as_fd())?;
    let answers = moved(std::io::stdout().as_fd())?;
    rustix::stdio::dup2_stdin(std::fs::File::open("/dev/null")?)?;
    rustix::stdio::dup2_stdout(std::io::stderr())?;
    Ok((requests.into(), answers.into()))
}

/// The pipes for requests and answers.
#[cfg(not(unix))]
fn pipes() -> std::io::Result<(std::io::Stdin, std::io::Stdout)> {
    Ok((std::io::stdin(), std::io::stdout()))
}

/// Ends this process soon after whoever asks is gone, even if the plugin is busy.
#[cfg(unix)]
fn watch(requests: &std::fs::File) -> std::io::Result<()> {
    use rustix::event::{PollFd, PollFlags, poll};
    let requests = requests.try_clone()?;
    std::thread::Builder::new().name("watch".to_owned()).spawn(move || {
        // Told whatever is asked for: the other end is closed.
        while !poll(&mut [PollFd::new(&requests, PollFlags::empty())], None).is_ok_and(|found| found > 0) {}
        std::thread::sleep(CLOSE_TIME_MAX);
        std::process::abort();
    })?;
    Ok(())
}

/// Nothing to do: the next request tells.
#[cfg(not(unix))]
fn watch(_requests: &std::io::Stdin) -> std::io::Result<()> {
    Ok(())
}
