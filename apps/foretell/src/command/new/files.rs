//! The templates, and the directory that becomes of them.
//!
//! A template is a file as it will be, with names in double braces where something is put in. It is built in, so that a plugin can
//! be begun anywhere.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::Path;

use crate::arguments::NewTask;

/// A template, by its path from `apps/foretell/templates`.
macro_rules! template {
    ($path:literal) => {
        include_str!(concat!("../../../templates/", $path))
    };
}

/// The interface as C sees it.
pub(super) const HEADER: &str = include_str!("../../../../../core/abi/include/foretell.h");

/// What is put into templates, by name.
#[derive(Default)]
pub(super) struct Values(BTreeMap<&'static str, String>);

impl Values {
    pub(super) fn set(&mut self, name: &'static str, value: &str) -> &mut Self {
        self.0.insert(name, value.to_owned());
        self
    }

    /// A template with all names replaced. What is put in is not looked at again.
    ///
    /// # Panics
    /// Where a template has a name that nobody set: the tests write every template.
    pub(super) fn fill(&self, template: &str) -> String {
        let is_name = |name: &&str| {
            !name.is_empty()
                && name.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_')
        };
        let mut text = String::with_capacity(template.len());
        let mut rest = template;
        while let Some((before, after)) = rest.split_once("{{") {
            text.push_str(before);
            // Two braces stand in code too.
            let named = after.split_once("}}").filter(|(name, _)| is_name(name));
            let Some((name, after)) = named else {
                text.push_str("{{");
                rest = after;
                continue;
            };
            match self.0.get(name) {
                Some(value) => text.push_str(value),
                None => panic!("a template has the name `{name}`, which nobody set"),
            }
            rest = after;
        }
        text.push_str(rest);
        text
    }
}

/// The files of a plugin's directory, by their path in it.
#[derive(Default)]
pub(super) struct Contents(BTreeMap<String, Vec<u8>>);

impl Contents {
    pub(super) fn add(&mut self, path: impl Into<String>, content: impl Into<Vec<u8>>) {
        self.0.insert(path.into(), content.into());
    }

    pub(super) fn names(&self) -> Vec<String> {
        self.0.keys().cloned().collect()
    }

    /// Writes them beside `directory`, and moves them there: nothing ever sees a part of them.
    pub(super) fn write(&self, directory: &Path) -> io::Result<()> {
        let parent = directory.parent().filter(|parent| !parent.as_os_str().is_empty());
        let parent = parent.unwrap_or(Path::new("."));
        fs::create_dir_all(parent)?;
        let temporary = tempfile::Builder::new().prefix(".new-").tempdir_in(parent)?;
        // The temporary directory is its owner's alone, what is in it is not.
        let whole = temporary.path().join("plugin");
        for (path, content) in &self.0 {
            let path = whole.join(path);
            fs::create_dir_all(path.parent().unwrap_or(&whole))?;
            fs::write(path, content)?;
        }
        fs::rename(&whole, directory)
    }
}

/// What a plugin has in either language.
pub(super) fn both(contents: &mut Contents, values: &Values) {
    for (path, template) in [
        ("plugin.toml", template!("plugin/plugin.toml")),
        ("model/MODEL_CARD.md", template!("plugin/MODEL_CARD.md")),
        ("records/example.csv", template!("plugin/example.csv")),
        ("records/mapping.toml", template!("plugin/mapping.toml")),
    ] {
        contents.add(path, values.fill(template));
    }
}

/// What a plugin in Rust has.
pub(super) fn rust(task: NewTask, contents: &mut Contents, values: &Values) {
    let source = match task {
        NewTask::BinaryClassification => template!("rust/binary.rs"),
        NewTask::MulticlassClassification => template!("rust/multiclass.rs"),
        NewTask::Regression => template!("rust/regression.rs"),
    };
    for (path, template) in [
        ("Cargo.toml", template!("rust/package.toml")),
        ("README.md", template!("rust/README.md")),
        (".gitignore", template!("rust/gitignore")),
        ("src/lib.rs", source),
    ] {
        contents.add(path, values.fill(template));
    }
}

/// What a plugin in C has.
pub(super) fn c(task: NewTask, contents: &mut Contents, values: &Values) {
    let (source, test) = match task {
        NewTask::MulticlassClassification => (template!("c/classes.c"), template!("c/test_classes.c")),
        _ => (template!("c/number.c"), template!("c/test_number.c")),
    };
    for (path, template) in [
        ("Makefile", template!("c/Makefile")),
        ("README.md", template!("c/README.md")),
        (".gitignore", template!("c/gitignore")),
        ("plugin.c", source),
        ("test.c", test),
    ] {
        contents.add(path, values.fill(template));
    }
    contents.add("foretell.h", HEADER);
}

/// What a plugin without code has; gives its manifest.
pub(super) fn standard(contents: &mut Contents, values: &Values) -> String {
    contents.add("README.md", values.fill(template!("standard/README.md")));
    contents.add("model/MODEL_CARD.md", values.fill(template!("standard/MODEL_CARD.md")));
    let manifest = values.fill(template!("standard/plugin.toml"));
    contents.add("plugin.toml", manifest.clone());
    manifest
}

/// A record of zeros, and how its columns become fields. Its name and its time stand in columns of their own, whatever the
/// others are called.
pub(super) fn records(contents: &mut Contents, values: &mut Values, columns: &[String]) {
    let [id, time] = ["id", "time"].map(|name| {
        let mut name = name.to_owned();
        while columns.contains(&name) {
            name.insert_str(0, "record_");
        }
        name
    });
    values.set("id", &id).set("time", &time);
    contents.add("records/mapping.toml", values.fill(template!("standard/mapping.toml")));
    let zeros = ",0".repeat(columns.len());
    let record = format!("{id},{time},{}\nfirst,2026-06-01T12:00:00Z{zeros}\n", columns.join(","));
    contents.add("records/example.csv", record);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_replaced_once() {
        let mut values = Values::default();
        values.set("a", "{{b}}").set("b", "2");
        for (template, expected) in
            [("", ""), ("{{a}}-{{b}}", "{{b}}-2"), ("{ {a} } {{", "{ {a} } {{"), ("{{b}}{{b}}}", "22}")]
        {
            assert_eq!(values.fill(template), expected);
        }
    }

    #[test]
    fn no_column_of_an_example_is_there_twice() {
        let cases: [(&[&str], [&str; 2]); 4] = [
            (&["x1", "x2"], ["id", "time"]),
            (&["id", "x"], ["record_id", "time"]),
            (&["time", "record_time"], ["id", "record_record_time"]),
            (&["time", "id"], ["record_id", "record_time"]),
        ];
        for (columns, [id, time]) in cases {
            let columns: Vec<_> = columns.iter().copied().map(str::to_owned).collect();
            let (mut contents, mut values) = (Contents::default(), Values::default());
            values.set("fields", "");
            records(&mut contents, &mut values, &columns);
            let text = |path: &str| std::str::from_utf8(&contents.0[path]).unwrap();
            let head = text("records/example.csv").lines().next().unwrap();
            assert_eq!(head, format!("{id},{time},{}", columns.join(",")));
            let mapping: toml::Table = text("records/mapping.toml").parse().unwrap();
            assert_eq!(mapping["external_id"].as_str(), Some(id));
            assert_eq!(mapping["event_time"]["column"].as_str(), Some(time));
        }
    }

    #[test]
    fn a_directory_appears_whole_or_not_at_all() {
        let place = tempfile::tempdir().unwrap();
        let mut contents = Contents::default();
        contents.add("a/b/c", "1");
        contents.add("d", "2");
        assert_eq!(contents.names(), ["a/b/c", "d"]);
        let directory = place.path().join("deep/er");
        contents.write(&directory).unwrap();
        assert_eq!(fs::read_to_string(directory.join("a/b/c")).unwrap(), "1");
        assert_eq!(fs::read_dir(place.path().join("deep")).unwrap().count(), 1);

        // A path that is a file and a directory can't be.
        contents.add("d/e", "3");
        assert!(contents.write(&place.path().join("other")).is_err());
        assert_eq!(fs::read_dir(place.path()).unwrap().count(), 1);
    }
}
