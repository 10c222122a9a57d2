//! This side: a plugin whose code runs in another process.

use std::io::{BufReader, Write};
use std::process::{ChildStdin, ChildStdout, Command};
use std::sync::{Mutex, MutexGuard, Once, PoisonError};
use std::time::Duration;

use arrow_array::{Array, RecordBatch, StructArray};
use arrow_schema::{Schema, SchemaRef};

use super::batch::{Decoder, Encoder, schema_bytes, sent};
use super::frame::{Broken, Frame, Kind, frame, read};
use super::keeper::{End, Keeper};
use super::opening::{Failure, Files, Opened, Opening};
use super::{ARGUMENT, Ended, Isolation};
use crate::attention::maps_schema;
use crate::exchange::BadAnswer;
use crate::fit::{FitErrorKind, FitStart};
use crate::load::{Given, LoadErrorKind, LoadOptions};
use crate::onnx::Runtime;
use crate::plugin::PredictErrorKind;
use crate::trust::Verified;

/// Longest time that a plugin may take to open, which includes reading and preparing its networks.
const OPEN_TIME_MAX: Duration = Duration::from_secs(120);
/// Longest time that a plugin may take to write what it has learned.
const FINISH_TIME_MAX: Duration = Duration::from_secs(3_600);
/// Room of a pipe, so that a batch goes through it in few pieces. The system may give less.
#[cfg(target_os = "linux")]
const PIPE_BYTES: usize = 1 << 20;
/// What the process may know of this one's environment: where libraries are, what is logged, and how texts and times are told.
const PASSED_ON: [&str; 8] = [
    "LD_LIBRARY_PATH",
    "DYLD_LIBRARY_PATH",
    "SystemRoot",
    "FORETELL_LOG",
    "RUST_BACKTRACE",
    "TZ",
    "LANG",
    "NO_COLOR",
];

/// A plugin in another process.
pub(crate) struct Apart {
    given: Given,
    process: Process,
    opened: Opened,
    answered: SchemaRef,
    maps: SchemaRef,
    lane: Mutex<Option<Lane>>,
}

/// Why a call was not answered with what was asked for.
enum Unanswered {
    Failed(Failure),
    Ended(Ended),
    Restart(String),
    Cancelled,
}

impl Apart {
    /// Starts the process, and opens the plugin in it.
    pub(crate) fn load(
        isolation: &Isolation,
        runtime: &Runtime,
        verified: &Verified,
        options: &LoadOptions,
    ) -> Result<Self, LoadErrorKind> {
        let given = Given::new(verified.manifest(), options)?;
        let process = Process::new(isolation, runtime, verified, options, None)?;
        let answered = SchemaRef::new(verified.manifest().prediction_schema());
        let maps = SchemaRef::new(maps_schema());
        let (lane, opened) =
            process.start(&given.schema, &answered, &maps).map_err(|unopened| match unopened {
                Unanswered::Failed(Failure::Words(words)) | Unanswered::Restart(words) => {
                    LoadErrorKind::Apart(words)
                }
                Unanswered::Failed(Failure::Call(error)) => LoadErrorKind::Open(error),
                Unanswered::Ended(ended) => LoadErrorKind::Apart(ended.to_string()),
                Unanswered::Failed(Failure::Cancelled) | Unanswered::Cancelled => {
                    LoadErrorKind::Apart("cancelled".to_owned())
                }
            })?;
        Ok(Self { given, process, opened, answered, maps, lane: Mutex::new(Some(lane)) })
    }

    pub(crate) fn given(&self) -> &Given {
        &self.given
    }

    pub(crate) fn abi(&self) -> (u32, u32) {
        self.opened.abi.unwrap_or_default()
    }

    pub(crate) fn has_attention(&self) -> bool {
        self.opened.has_attention
    }

    pub(crate) fn set_cancelled(&self, cancelled: bool) {
        self.process.keeper.set_cancelled(cancelled);
    }

    pub(crate) fn predict(&self, records: &RecordBatch) -> Result<StructArray, PredictErrorKind> {
        self.ask(Kind::Predict, records)
    }

    pub(crate) fn attend(&self, records: &RecordBatch) -> Result<StructArray, PredictErrorKind> {
        self.ask(Kind::Attend, records)
    }

    /// Asks about records, and checks the answer as one that was made here.
    fn ask(&self, kind: Kind, records: &RecordBatch) -> Result<StructArray, PredictErrorKind> {
        self.given.fits(records)?;
        let answer = self.exchange(kind, records).map_err(|unanswered| match unanswered {
            Unanswered::Cancelled | Unanswered::Failed(Failure::Cancelled) => PredictErrorKind::Cancelled,
            Unanswered::Failed(Failure::Call(error)) => PredictErrorKind::Call(error),
            Unanswered::Failed(Failure::Words(words)) => PredictErrorKind::Answer(words),
            Unanswered::Ended(ended) => PredictErrorKind::Ended(ended),
            Unanswered::Restart(words) => PredictErrorKind::Restart(words),
        })?;
        let (expected, found) = (records.num_rows(), answer.num_rows());
        if found != expected {
            return Err(BadAnswer::Rows { expected, found: found as i64 }.into());
        }
        let columns = StructArray::from(answer);
        let contents = |error: arrow_schema::ArrowError| BadAnswer::Contents(error.to_string());
        columns.to_data().validate_full().map_err(contents)?;
        Ok(columns)
    }

    fn exchange(&self, kind: Kind, records: &RecordBatch) -> Result<RecordBatch, Unanswered> {
        // Calls take turns, so that a crash is the doing of one.
        let mut lane = lock(&self.lane);
        if self.process.keeper.is_cancelled() {
            return Err(Unanswered::Cancelled);
        }
        let open = match lane.take() {
            Some(open) => open,
            None => self
                .process
                .start(&self.given.schema, &self.answered, &self.maps)
                .map(|(open, _)| open)
                .map_err(|unopened| match unopened {
                    Unanswered::Failed(Failure::Words(words)) => Unanswered::Restart(words),
                    Unanswered::Failed(Failure::Call(error)) => Unanswered::Restart(error.message),
                    Unanswered::Ended(ended) => Unanswered::Restart(ended.to_string()),
                    other => other,
                })?,
        };
        self.process.call(open, &mut lane, self.process.call_time_max, |lane| {
            let answer = lane.ask(kind, records)?;
            match answer.kind {
                Kind::Batch => {
                    let decoder = if kind == Kind::Attend { &mut lane.maps } else { &mut lane.predictions };
                    Ok(Ok(decoder.read(answer.body).map_err(Broken::Breach)?))
                }
                _ => Ok(Err(failure(&answer)?)),
            }
        })
    }
}

/// A plugin that learns in another process.
pub(crate) struct ApartFitting {
    given: Given,
    process: Process,
    models: Vec<String>,
    /// Nothing once it has ended.
    lane: Mutex<Option<Lane>>,
}

impl ApartFitting {
    /// Starts the process, and has the plugin begin to learn in it.
    pub(crate) fn begin(
        isolation: &Isolation,
        runtime: &Runtime,
        verified: &Verified,
        options: &LoadOptions,
        start: FitStart,
    ) -> Result<Self, FitErrorKind> {
        let models = verified.manifest().fit.as_ref().ok_or(FitErrorKind::NotFittable)?.models.clone();
        let given = Given::new(verified.manifest(), options).map_err(LoadErrorKind::from)?;
        let process = Process::new(isolation, runtime, verified, options, Some(start))?;
        let nothing = SchemaRef::new(maps_schema());
        let (lane, _) = process.start(&given.schema, &nothing, &nothing).map_err(unlearned)?;
        Ok(Self { given, process, models, lane: Mutex::new(Some(lane)) })
    }

    pub(crate) fn schema(&self) -> &SchemaRef {
        &self.given.schema
    }

    pub(crate) fn set_cancelled(&self, cancelled: bool) {
        self.process.keeper.set_cancelled(cancelled);
    }

    pub(crate) fn learn(&self, records: &RecordBatch) -> Result<(), FitErrorKind> {
        self.given.fits(records)?;
        let learned = self.ask(self.process.call_time_max, FitErrorKind::Learn, |lane| {
            let answer = lane.ask(Kind::Learn, records)?;
            match answer.kind {
                Kind::Done => Ok(Ok(())),
                _ => Ok(Err(failure(&answer)?)),
            }
        });
        learned.inspect_err(|_| *lock(&self.lane) = None)
    }

    pub(crate) fn finish(&self) -> Result<Vec<(String, Vec<u8>)>, FitErrorKind> {
        let written = self.ask(FINISH_TIME_MAX, FitErrorKind::Finish, |lane| {
            lane.send(&frame(Kind::Finish, &[]))?;
            let mut written = Vec::new();
            loop {
                let answer = read(&mut lane.answers)?;
                match answer.kind {
                    Kind::Model if written.len() < self.models.len() => {
                        written.push(answer.content().to_vec());
                    }
                    Kind::Done if written.len() == self.models.len() => return Ok(Ok(written)),
                    _ => return Ok(Err(failure(&answer)?)),
                }
            }
        });
        *lock(&self.lane) = None;
        Ok(self.models.iter().cloned().zip(written?).collect())
    }

    fn ask<T>(
        &self,
        allowed: Duration,
        refused: fn(crate::load::CallError) -> FitErrorKind,
        speak: impl FnOnce(&mut Lane) -> Result<Result<T, Failure>, Broken>,
    ) -> Result<T, FitErrorKind> {
        let mut lane = lock(&self.lane);
        let open = lane.take().ok_or(FitErrorKind::Ended)?;
        if self.process.keeper.is_cancelled() {
            return Err(FitErrorKind::Cancelled);
        }
        self.process.call(open, &mut lane, allowed, speak).map_err(|unanswered| match unanswered {
            Unanswered::Failed(Failure::Call(error)) => refused(error),
            other => unlearned(other),
        })
    }
}

fn unlearned(unanswered: Unanswered) -> FitErrorKind {
    match unanswered {
        Unanswered::Cancelled | Unanswered::Failed(Failure::Cancelled) => FitErrorKind::Cancelled,
        Unanswered::Failed(Failure::Call(error)) => FitErrorKind::Begin(error),
        Unanswered::Failed(Failure::Words(words)) | Unanswered::Restart(words) => FitErrorKind::Apart(words),
        Unanswered::Ended(ended) => FitErrorKind::Process(ended),
    }
}

/// The process, whether there is one just now or not.
struct Process {
    keeper: Keeper,
    /// The frame that opens the plugin.
    opening: Vec<u8>,
    onnxruntime: String,
    call_time_max: Duration,
}

impl Process {
    fn new(
        isolation: &Isolation,
        runtime: &Runtime,
        verified: &Verified,
        options: &LoadOptions,
        fit: Option<FitStart>,
    ) -> Result<Self, LoadErrorKind> {
        let apart = |error: &dyn std::fmt::Display| LoadErrorKind::Apart(error.to_string());
        let records =
            options.records.as_deref().map(schema_bytes).transpose().map_err(|error| apart(&error))?;
        let opening = Opening {
            files: Files::of(verified),
            onnxruntime: runtime.path().to_owned(),
            config: options.config.clone(),
            sessions: options.sessions,
            records,
            fit,
            memory_bytes_max: isolation.limits.memory_bytes_max,
        };
        // A path that is no text can't be said.
        let opening = serde_json::to_vec(&opening).map_err(|error| apart(&error))?;
        let program = isolation.program.clone();
        let keeper =
            Keeper::new(move || command(&program), isolation.limits).map_err(|error| apart(&error))?;
        Ok(Self {
            keeper,
            opening: frame(Kind::Open, &opening),
            onnxruntime: runtime.version().to_owned(),
            call_time_max: isolation.limits.call_time_max,
        })
    }

    /// Starts a process that has opened the plugin, which answers predictions and maps of these types.
    fn start(
        &self,
        records: &Schema,
        predictions: &Schema,
        maps: &Schema,
    ) -> Result<(Lane, Opened), Unanswered> {
        let failed = |words: String| Unanswered::Failed(Failure::Words(words));
        let arrow = |error: arrow_schema::ArrowError| failed(error.to_string());
        let pipes = self.keeper.start();
        let pipes = pipes.map_err(|error| failed(format!("its process can't be started: {error}")))?;
        #[cfg(target_os = "linux")]
        {
            // What there is will do.
            let _ = rustix::pipe::fcntl_setpipe_size(&pipes.requests, PIPE_BYTES);
            let _ = rustix::pipe::fcntl_setpipe_size(&pipes.answers, PIPE_BYTES);
        }
        let lane = Lane {
            requests: pipes.requests,
            answers: BufReader::new(pipes.answers),
            records: Encoder::new(&sent(records)).map_err(arrow)?,
            predictions: Decoder::new(predictions).map_err(arrow)?,
            maps: Decoder::new(maps).map_err(arrow)?,
        };
        let mut kept = None;
        let opened = self.call(lane, &mut kept, OPEN_TIME_MAX, |lane| {
            lane.send(&self.opening)?;
            let answer = read(&mut lane.answers)?;
            match answer.kind {
                Kind::Opened => match serde_json::from_slice::<Opened>(answer.content()) {
                    Ok(opened) => Ok(Ok(opened)),
                    Err(error) => Err(Broken::Breach(error.to_string())),
                },
                _ => Ok(Err(failure(&answer)?)),
            }
        })?;
        if opened.onnxruntime != self.onnxruntime {
            let (expected, found) = (&self.onnxruntime, &opened.onnxruntime);
            return Err(failed(format!(
                "its process runs ONNX Runtime {found}; expected {expected}, as here"
            )));
        }
        warn_of_missing(&opened);
        let lane = kept.ok_or_else(|| failed("its process ended as soon as it was open".to_owned()))?;
        Ok((lane, opened))
    }

    /// Speaks with the process, for so long at most. It stays at `kept` if it can be spoken with again.
    fn call<T>(
        &self,
        mut lane: Lane,
        kept: &mut Option<Lane>,
        allowed: Duration,
        speak: impl FnOnce(&mut Lane) -> Result<Result<T, Failure>, Broken>,
    ) -> Result<T, Unanswered> {
        self.keeper.begin(allowed);
        let answered = speak(&mut lane);
        let in_time = self.keeper.finish();
        let wrong = match answered {
            Ok(answer) => {
                // Otherwise it is being ended.
                if in_time {
                    *kept = Some(lane);
                }
                return answer.map_err(Unanswered::Failed);
            }
            Err(Broken::Gone) => None,
            Err(Broken::Breach(words)) => Some(Ended::Breach(words)),
        };
        drop(lane);
        Err(match self.keeper.bury(wrong) {
            End::Cancelled => Unanswered::Cancelled,
            End::Ended(ended) => Unanswered::Ended(ended),
        })
    }
}

/// Where to speak with a process that has opened the plugin.
struct Lane {
    requests: ChildStdin,
    answers: BufReader<ChildStdout>,
    records: Encoder,
    predictions: Decoder,
    maps: Decoder,
}

impl Lane {
    fn send(&mut self, frame: &[u8]) -> Result<(), Broken> {
        Ok(self.requests.write_all(frame)?)
    }

    fn ask(&mut self, kind: Kind, records: &RecordBatch) -> Result<Frame, Broken> {
        let Lane { requests, answers, records: encoder, .. } = self;
        let frame = encoder.frame(kind, records).map_err(|error| Broken::Breach(error.to_string()))?;
        requests.write_all(frame)?;
        read(answers)
    }
}

/// What a frame says that is not what was asked for.
fn failure(answer: &Frame) -> Result<Failure, Broken> {
    let said = match answer.kind {
        Kind::Failed => serde_json::from_slice(answer.content()).map_err(|error| error.to_string()),
        kind => Err(format!("{kind:?} out of turn")),
    };
    said.map_err(Broken::Breach)
}

/// The command that starts a process for a plugin.
fn command(program: &std::path::Path) -> Command {
    let mut command = Command::new(program);
    command.arg(ARGUMENT).env_clear();
    command.envs(PASSED_ON.iter().filter_map(|name| Some((name, std::env::var_os(name)?))));
    // Memory is counted when a process gets it. The allocator of a program that has mimalloc would get a gigabyte at its start.
    command.env("MIMALLOC_ARENA_EAGER_COMMIT", "0");
    if cfg!(unix) {
        command.current_dir("/");
    }
    // What a terminal sends to the programs in its foreground is for those who know what to do.
    #[cfg(unix)]
    std::os::unix::process::CommandExt::process_group(&mut command, 0);
    command
}

/// Says once what this system can't take away from a plugin.
fn warn_of_missing(opened: &Opened) {
    static WARNED: Once = Once::new();
    if !opened.missing.is_empty() {
        let missing: Vec<String> = opened.missing.iter().map(ToString::to_string).collect();
        WARNED.call_once(|| {
            tracing::warn!("this system does not isolate plugins as far as it could: {}", missing.join("; "));
        });
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // A panic leaves nothing behind that is half-changed: a lane that is spoken with is taken out.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
