//! Plugins in processes of their own: what they can't do there, what becomes of those that try, and that nothing else changes.
#![cfg(target_os = "linux")]

#[path = "../hostile/contract.rs"]
mod contract;
mod deeds;
mod end;
mod equal;
mod learning;
mod online;

use std::sync::Arc;
use std::time::Duration;

use arrow_array::{ArrayRef, RecordBatch, StringArray};
use foretell_runtime::hash::Hash;
use foretell_runtime::isolation::{Isolation, Limits};
use foretell_runtime::onnx::Runtime;
use foretell_runtime::plugin::{LoadOptions, Plugin, PredictErrorKind};
use foretell_runtime::trust::Verified;
use foretell_tests::{caged_library, caged_manifest, onnx_runtime, plugin_directory, program};

/// Limits that no call of these tests meets by chance.
const LIMITS: Limits = Limits { memory_bytes_max: 1 << 30, call_time_max: Duration::from_secs(60) };

/// The runtime that plugins are loaded with which break the contract.
fn runtime() -> Arc<Runtime> {
    isolating(LIMITS)
}

/// A runtime that isolates, with the operator's app as the program.
fn isolating(limits: Limits) -> Arc<Runtime> {
    onnx_runtime().isolating(Isolation::new(program("foretell"), limits))
}

/// A place of its own with a plugin that does what it is told, and a file that it is told to spoil.
struct Cage {
    place: tempfile::TempDir,
}

impl Cage {
    fn new() -> Self {
        let place = tempfile::tempdir().unwrap();
        let built = caged_library(&place.path().join("build"));
        std::fs::write(place.path().join("file"), "as it was").unwrap();
        plugin_directory(&place.path().join("plugin"), &caged_manifest(&place.path().join("file")), &built);
        Self { place }
    }

    /// As [`Cage::new`], with a plugin that also learns how many records it was told.
    fn learning() -> Self {
        let cage = Self::new();
        let plugin = cage.place.path().join("plugin");
        std::fs::write(plugin.join("learned.bin"), "").unwrap();
        let empty = Hash::of(b"");
        let fit = format!(
            "[[model]]\nname = \"learned\"\nfile = \"learned.bin\"\nformat = \"data\"\nblake3 = \"{empty}\"\n\
             [fit]\nmodels = [\"learned\"]\n"
        );
        let manifest = caged_manifest(&cage.place.path().join("file")) + &fit;
        std::fs::write(plugin.join("plugin.toml"), manifest).unwrap();
        cage
    }

    fn verified(&self) -> Verified {
        Verified::trusting(&self.place.path().join("plugin")).unwrap()
    }

    fn load(&self, runtime: &Arc<Runtime>) -> Plugin {
        Plugin::load(runtime, self.verified(), &LoadOptions::default()).unwrap()
    }

    /// What is in the file, and how many files are beside it.
    fn content(&self) -> (String, usize) {
        let beside = std::fs::read_dir(self.place.path()).unwrap().count();
        (std::fs::read_to_string(self.place.path().join("file")).unwrap(), beside)
    }
}

fn deeds(deeds: &[&str]) -> RecordBatch {
    let column: ArrayRef = Arc::new(StringArray::from_iter_values(deeds));
    RecordBatch::try_from_iter([("deed", column)]).unwrap()
}

/// What a plugin says to one deed.
fn ask(plugin: &Plugin, deed: &str) -> Result<Vec<f32>, PredictErrorKind> {
    let predictions = plugin.predict(&deeds(&[deed])).map_err(|error| error.kind)?;
    Ok(predictions.numbers().unwrap().to_vec())
}
