//! The checks, each with its name and what it establishes.

mod batch;
mod contract;
mod errors;
mod learning;
mod past;
mod resources;
mod values;
pub(crate) mod variants;

use std::path::Path;

use foretell_runtime::onnx::Places;

use crate::subject::Subject;
use crate::verdict::Found;

/// One thing that every plugin must hold to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Check {
    /// Lower-case words joined by hyphens. It stays as it is from version to version.
    pub name: &'static str,
    /// What it establishes, in one sentence.
    pub sentence: &'static str,
}

/// How a check is made.
#[derive(Clone, Copy)]
pub(crate) struct Entry {
    pub(crate) check: Check,
    pub(crate) run: Run,
    /// Whether it measures, so that nothing else may run beside it.
    pub(crate) alone: bool,
    /// How often it is tried until it passes: a busy machine may disturb a measurement.
    pub(crate) attempts: u32,
    /// In how many processes it is made, which must answer alike.
    pub(crate) processes: u32,
}

/// What a check looks at.
#[derive(Clone, Copy)]
pub(crate) enum Run {
    /// The plugin's files, which it loads itself if it wants to.
    Files(fn(&Path, &Places) -> Found),
    /// The loaded plugin.
    Loaded(fn(&Subject) -> Found),
}

const fn entry(name: &'static str, run: Run, sentence: &'static str) -> Entry {
    Entry { check: Check { name, sentence }, run, alone: false, attempts: 1, processes: 1 }
}

/// How many of the first checks the others need: without them, nothing of the plugin can be called.
pub(crate) const BASIS: usize = 3;

/// All checks, in the order in which they are told.
pub(crate) const ENTRIES: [Entry; 20] = [
    entry(
        "manifest-schema",
        Run::Files(contract::manifest_schema),
        "plugin.toml is understood without a problem, and each file that it names is there with its hash",
    ),
    entry(
        "abi-version",
        Run::Files(contract::abi_version),
        "the library was built for the plugin interface that its manifest states, and this host serves it",
    ),
    entry(
        "manifest-agrees-with-library",
        Run::Files(contract::manifest_agrees_with_library),
        "the library loads, has the name, version and powers of its manifest, and opens with its columns to predict what its task fixes",
    ),
    Entry {
        alone: true,
        attempts: 3,
        ..entry(
            "load-time",
            Run::Files(contract::load_time),
            "the plugin with its networks is ready within 2 s of processor time, and within 30 s, in at least one of three processes",
        )
    },
    entry(
        "ordinary-answers",
        Run::Loaded(batch::ordinary_answers),
        "records well within the manifest's ranges get answers whose numbers are finite and mean something for the task",
    ),
    entry(
        "empty-batch",
        Run::Loaded(batch::empty_batch),
        "a batch without a record is answered with no prediction",
    ),
    entry(
        "single-equals-batch",
        Run::Loaded(batch::single_equals_batch),
        "a record alone gets the answer that it gets among others, to 1e-5 of its size",
    ),
    entry(
        "order-independence",
        Run::Loaded(batch::order_independence),
        "records in another order get the same answers in that order, to 1e-5 of their size",
    ),
    Entry {
        processes: 2,
        ..entry(
            "deterministic",
            Run::Loaded(batch::deterministic),
            "the same batch gets the same bits again, from another instance, and in another process",
        )
    },
    entry(
        "concurrent-calls",
        Run::Loaded(batch::concurrent_calls),
        "calls from four threads at once get the answers that they get one after the other",
    ),
    entry(
        "null-and-nan",
        Run::Loaded(values::null_and_nan),
        "a record without its optional values is answered, and numbers of its past that are missing or not finite give no answer that is not finite",
    ),
    entry(
        "extreme-values",
        Run::Loaded(values::extreme_values),
        "the outermost values that the manifest allows get an answer that is finite and means something, or an error that names a field",
    ),
    entry(
        "wrong-type-refused",
        Run::Loaded(errors::wrong_type_refused),
        "a column of another type than the manifest's is refused, unless the plugin does not read it",
    ),
    entry(
        "missing-column-refused",
        Run::Loaded(errors::missing_column_refused),
        "records without a column are refused, unless the plugin does not read it or takes it for empty where it is optional",
    ),
    entry(
        "error-messages-name-the-field",
        Run::Loaded(errors::error_messages_name_the_field),
        "whoever is refused for a column that is missing or of another type is told its name",
    ),
    entry(
        "panic-contained",
        Run::Loaded(errors::panic_contained),
        "settings of another type, files with other content and work that is cancelled are met with an error or an answer, and the process lives on",
    ),
    entry(
        "history-only-from-the-past",
        Run::Loaded(past::history_only_from_the_past),
        "events of a history that are later than the record change nothing of its answer",
    ),
    entry(
        "learning-repeats",
        Run::Loaded(learning::learning_repeats),
        "a plugin that learns writes the same bytes for the same records, settings and seed",
    ),
    Entry {
        alone: true,
        ..entry(
            "huge-batch-bounded-memory",
            Run::Loaded(resources::huge_batch_bounded_memory),
            "as many records as its manifest allows, 65536 at most, 32 with images of one size or 4 with images of any, are answered in 256 MiB and 64 times their size",
        )
    },
    Entry {
        alone: true,
        ..entry(
            "no-memory-growth",
            Run::Loaded(resources::no_memory_growth),
            "many calls with the same records take no more memory than few: not 4 MiB more in each half of them",
        )
    },
];

/// Every check, in the order in which they are told.
pub fn checks() -> impl Iterator<Item = Check> {
    ENTRIES.iter().map(|entry| entry.check)
}

/// Makes a check in this process.
pub(crate) fn make(entry: &Entry, directory: &Path, seed: u64, places: &Places) -> Found {
    match entry.run {
        Run::Files(check) => check(directory, places),
        Run::Loaded(check) => check(&Subject::load(directory, seed, places)?),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use foretell_runtime::manifest::{IMAGES_AT_ONCE, IMAGES_AT_ONCE_UNSIZED};

    use super::*;

    #[test]
    fn checks_have_names_and_sentences() {
        let names: HashSet<_> = checks().map(|check| check.name).collect();
        assert_eq!(names.len(), ENTRIES.len(), "each name once");
        for Check { name, sentence } in checks() {
            let word = |word: &str| !word.is_empty() && word.bytes().all(|byte| byte.is_ascii_lowercase());
            assert!(name.split('-').all(word), "{name}");
            assert!(sentence.len() > 20 && !sentence.ends_with('.'), "{name}: {sentence}");
        }
    }

    #[test]
    fn sentences_state_the_limits_that_hold() {
        let sentence = |name| checks().find(|check| check.name == name).expect("a check").sentence;
        let states = |name, limit: String| assert!(sentence(name).contains(&limit), "{name}: {limit}");
        states("load-time", format!("{} s of processor time", contract::LOAD_PROCESSOR_SECONDS_MAX));
        states("load-time", format!("within {} s,", contract::LOAD_SECONDS_MAX));
        states("huge-batch-bounded-memory", format!("{} at most", resources::HUGE_ROWS_MAX));
        states("huge-batch-bounded-memory", format!("{IMAGES_AT_ONCE} with images of one"));
        states("huge-batch-bounded-memory", format!("{IMAGES_AT_ONCE_UNSIZED} with images of any"));
        states("huge-batch-bounded-memory", format!("{} MiB", resources::BATCH_MIB_MAX));
        states("huge-batch-bounded-memory", format!("{} times", resources::BATCH_FACTOR_MAX));
        states("no-memory-growth", format!("{} MiB", resources::GROWTH_MIB_MAX));
        states("single-equals-batch", "1e-5".to_owned());
        assert_eq!(crate::answer::RELATIVE_TOLERANCE, 1e-5);
    }
}
