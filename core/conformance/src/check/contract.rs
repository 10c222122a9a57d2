//! Whether manifest, files and library belong together, and how long it takes until they are ready.

use std::path::Path;
use std::time::Instant;

use cpu_time::ProcessTime;
use foretell_abi::{ABI_MAJOR, ABI_MINOR};
use foretell_runtime::fit::{FitErrorKind, FitStart, Fitting};
use foretell_runtime::onnx::Places;
use foretell_runtime::plugin::{LoadError, LoadErrorKind, LoadOptions, Plugin};

use crate::subject::{start, trusted};
use crate::verdict::{Finding, Found, fault, passed};

/// Processor time of all threads that it may take until a plugin is ready. What else the machine does has no part in it.
pub(crate) const LOAD_PROCESSOR_SECONDS_MAX: u64 = 2;
/// How long that may take, however busy the machine is: a plugin may wait instead of working, too.
pub(crate) const LOAD_SECONDS_MAX: u64 = 30;

pub(super) fn manifest_schema(directory: &Path, _: &Places) -> Found {
    let verified = trusted(directory)?;
    passed(match verified.models().len() {
        0 => verified.title(),
        1 => format!("{}, 1 model", verified.title()),
        models => format!("{}, {models} models", verified.title()),
    })
}

fn load(directory: &Path, places: &Places) -> Result<Result<Plugin, LoadErrorKind>, Finding> {
    let (runtime, verified) = (start(places)?, trusted(directory)?);
    Ok(Plugin::load(&runtime, verified, &LoadOptions::default()).map_err(|LoadError { kind, .. }| kind))
}

pub(super) fn abi_version(directory: &Path, places: &Places) -> Found {
    match load(directory, places)? {
        Ok(plugin) => {
            let (stated, found) = (plugin.manifest().plugin.abi, plugin.abi());
            if stated != found {
                return Err(fault(format!(
                    "its manifest says plugin interface {stated}, its library {found}; state in `plugin.abi` what the library was built for"
                )));
            }
            passed(format!("{found}; this host serves {ABI_MAJOR}.0 to {ABI_MAJOR}.{ABI_MINOR}"))
        }
        Err(error @ LoadErrorKind::Abi { .. }) => Err(fault(error.to_string())),
        Err(LoadErrorKind::Library { .. } | LoadErrorKind::Symbol { .. } | LoadErrorKind::Table { .. }) => {
            Err(Finding::NotRun("the library has no table that says a version".to_owned()))
        }
        // It was loaded far enough to be asked for its version.
        Err(_) => passed(format!("one that this host serves, {ABI_MAJOR}.0 to {ABI_MAJOR}.{ABI_MINOR}")),
    }
}

pub(super) fn manifest_agrees_with_library(directory: &Path, places: &Places) -> Found {
    let plugin = match load(directory, places)? {
        Ok(plugin) => plugin,
        Err(error @ LoadErrorKind::Abi { .. }) => return Err(Finding::NotRun(error.to_string())),
        Err(error) => return Err(fault(error.to_string())),
    };
    if plugin.manifest().fit.is_some() {
        let runtime = start(places)?;
        let begun = Fitting::begin(&runtime, plugin.verified(), &LoadOptions::default(), FitStart::default());
        // How it learns is looked at elsewhere.
        if let Err(
            error @ (FitErrorKind::NoCapability | FitErrorKind::Table { .. } | FitErrorKind::Missing(_)),
        ) = begun.map_err(|error| error.kind)
        {
            return Err(fault(error.to_string()));
        }
    }
    passed(plugin.name())
}

pub(super) fn load_time(directory: &Path, places: &Places) -> Found {
    let unmeasured = |error| Finding::NotRun(format!("processor time can't be measured here: {error}"));
    let runtime = start(places)?;
    let (begun, processor) = (Instant::now(), ProcessTime::try_now().map_err(unmeasured)?);
    let verified = trusted(directory)?;
    let plugin = Plugin::load(&runtime, verified, &LoadOptions::default());
    let processor_seconds = processor.try_elapsed().map_err(unmeasured)?.as_secs_f64();
    let seconds = begun.elapsed().as_secs_f64();
    plugin.map_err(|error| fault(error.kind.to_string()))?;
    let words = format!("{processor_seconds:.2} s of processor time");
    if processor_seconds > LOAD_PROCESSOR_SECONDS_MAX as f64 {
        return Err(fault(format!(
            "it took {words}; expected at most {LOAD_PROCESSOR_SECONDS_MAX} s of processor time"
        )));
    }
    if seconds > LOAD_SECONDS_MAX as f64 {
        return Err(fault(format!("it took {seconds:.2} s; expected at most {LOAD_SECONDS_MAX} s")));
    }
    passed(words)
}
