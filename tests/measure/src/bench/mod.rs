//! `bench`: speed beside what the same work costs without foretell.

mod jobs;
mod media;
mod retail;
mod rounds;
mod runtime;
mod vehicle;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use foretell_fraud::PLUGIN;
use foretell_runtime::onnx::{Places, Runtime};
use foretell_runtime::plugin::{LoadOptions, Plugin};
use foretell_runtime::trust::Verified;
use foretell_terminal::{Failure, Output};

use crate::figures::Figures;
use crate::program::say;
use crate::{Benchmark, machine};

/// Measures one benchmark or all, prints tables or one flat JSON object. `large`: also what takes many gigabytes.
/// `data`: the directory with the public sets of purchases or images, without which the benchmarks on them can't be had.
pub(crate) async fn run(
    output: Output,
    name: Option<Benchmark>,
    large: bool,
    data: Option<&Path>,
) -> Result<(), Failure> {
    let wanted = |benchmark| name.is_none_or(|name| name == benchmark);
    let machine = machine::describe();
    let fraud = Fraud::open()?;
    let runtime = wanted(Benchmark::Runtime).then(|| runtime::measure(&fraud)).transpose()?;
    let jobs = if wanted(Benchmark::Jobs) { Some(jobs::measure(&fraud, large).await?) } else { None };
    let retail = match public(data, name, Benchmark::Retail, "retail")? {
        Some(data) => Some(retail::measure(fraud.runtime(), data).await?),
        None => None,
    };
    let media = public(data, name, Benchmark::Media, "media")?.map(media::measure).transpose()?;
    let vehicle = public(data, name, Benchmark::Vehicle, "vehicle")?.map(vehicle::measure).transpose()?;

    let mut figures = Figures::default();
    if let Some(runtime) = &runtime {
        runtime.note(&mut figures);
    }
    if let Some(jobs) = &jobs {
        jobs.note(&mut figures);
    }
    if let Some(retail) = &retail {
        retail.note(&mut figures);
    }
    if let Some(media) = &media {
        media.note(&mut figures);
    }
    if let Some(vehicle) = &vehicle {
        vehicle.note(&mut figures);
    }
    output.show(&figures, |output| {
        output.line(&machine);
        if let Some(runtime) = &runtime {
            runtime.draw(output);
        }
        if let Some(jobs) = &jobs {
            jobs.draw(output);
        }
        if let Some(retail) = &retail {
            retail.draw(output);
        }
        if let Some(media) = &media {
            media.draw(output);
        }
        if let Some(vehicle) = &vehicle {
            vehicle.draw(output);
        }
    });
    Ok(())
}

/// The public data for a benchmark that needs them, if it is wanted and they are named. It is left out where only all were asked for.
fn public<'d>(
    data: Option<&'d Path>,
    name: Option<Benchmark>,
    benchmark: Benchmark,
    word: &str,
) -> Result<Option<&'d Path>, Failure> {
    match (data, name) {
        (_, Some(name)) if name != benchmark => Ok(None),
        (Some(data), _) => Ok(Some(data)),
        (None, Some(_)) => Err(Failure::words(format!("`bench {word}` needs public data"))
            .hint(Some("name the directory that has them with `--data`"))),
        (None, None) => {
            say(&format!("without `--data`, `bench {word}` is left out"));
            Ok(None)
        }
    }
}

/// The fraud plugin, checked, and this process's ONNX Runtime.
struct Fraud {
    runtime: Arc<Runtime>,
    verified: Verified,
}

impl Fraud {
    fn open() -> Result<Self, Failure> {
        let runtime = Runtime::start(&Places::of_process(None)).map_err(|error| Failure::new(&error))?;
        let verified = Verified::trusting(&machine::plugin_directory(PLUGIN)?);
        Ok(Self { runtime, verified: verified.map_err(|error| Failure::new(&error))? })
    }

    fn runtime(&self) -> &Arc<Runtime> {
        &self.runtime
    }

    /// Its files.
    fn verified(&self) -> &Verified {
        &self.verified
    }

    /// The file of its network.
    fn network(&self) -> Result<PathBuf, Failure> {
        let model = self.verified.models().first();
        model.map(|model| model.path.clone()).ok_or_else(|| Failure::words("the plugin has no model"))
    }

    /// Opens the plugin anew.
    fn load(&self) -> Result<Plugin, Failure> {
        Plugin::load(&self.runtime, self.verified.clone(), &LoadOptions::default())
            .map_err(|error| Failure::new(&error))
    }
}

/// Whether a target was reached.
fn verdict(met: bool) -> &'static str {
    if met { "met" } else { "missed" }
}
