//! What was published goes on working: the interface 1.0, and the SDK 0.1.
//!
//! - **Layout:** what C makes of a header is what Rust makes of `foretell-abi`, byte by byte, of the header of today and of the frozen one.
//! - **Binary:** a plugin that was compiled with the frozen header loads, predicts and learns.
//! - **Source:** `tests/abi/sdk_0_1.rs` is compiled with these tests. It is the guard that works without a nightly compiler: what it
//!   uses can't change its name or its type, and [`every_public_name_is_used`] sees to it that it and its later neighbours use
//!   everything.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::mem::{offset_of, size_of};
use std::process::Command;
use std::sync::Arc;

use arrow_array::{Float64Array, RecordBatch};
use foretell_abi as abi;
use foretell_convert::{Activation, Linear, Takes};
use foretell_runtime::fit::{FitStart, Fitting};
use foretell_runtime::hash::Hash;
use foretell_runtime::plugin::{LoadOptions, Plugin};
use foretell_runtime::registry::Existing;
use foretell_tests::{Workshop, onnx_runtime};

use crate::header::Header;
use crate::{compiler, repository, succeed, text};

const HEADER: &str = "core/abi/include/foretell.h";
const FROZEN: &str = "tests/abi/foretell-1.0.h";
/// BLAKE3 of the frozen header, so that nobody freezes another one in its place.
const FROZEN_HASH: &str = "c99007d2e704b052b2232386ec2616810d459843fcc8d0ab7b1922d60896d6a1";

/// Size of a struct, and place of each of its fields.
type Layout = (usize, Vec<(&'static str, usize)>);

macro_rules! layouts {
    ($($c:literal = $rust:ident { $($field:ident),+ })+) => {
        BTreeMap::from([$((
            $c,
            (size_of::<abi::$rust>(), vec![$((stringify!($field), offset_of!(abi::$rust, $field))),+]),
        )),+])
    };
}

/// Every struct of the interface, as Rust lays it out.
fn layouts() -> BTreeMap<&'static str, Layout> {
    layouts! {
        "struct ArrowSchema" = ArrowSchema {
            format, name, metadata, flags, n_children, children, dictionary, release, private_data
        }
        "struct ArrowArray" = ArrowArray {
            length, null_count, offset, n_buffers, n_children, buffers, children, dictionary, release, private_data
        }
        "DLDevice" = DLDevice { device_type, device_id }
        "DLDataType" = DLDataType { code, bits, lanes }
        "DLTensor" = DLTensor { data, device, ndim, dtype, shape, strides, byte_offset }
        "ForetellBytes" = Bytes { data, length }
        "ForetellError" = Error { size, length, message }
        "ForetellHost" = Host {
            size, abi_major, abi_minor, context, model_open, model_run, log, is_cancelled, capability
        }
        "ForetellOpenRequest" = OpenRequest { size, records, config, predictions }
        "ForetellPlugin" = Plugin {
            size, abi_major, abi_minor, name, version, open, predict, close, capability
        }
        "ForetellHostData" = HostData { size, read }
        "ForetellFitRequest" = FitRequest { size, records, config, seed, update }
        "ForetellFitOutput" = FitOutput { size, context, write }
        "ForetellFit" = Fit { size, begin, learn, finish, end }
        "ForetellAttention" = Attention { size, attend }
    }
}

/// What C makes of the structs of a header: `STRUCT SIZE` and `STRUCT.FIELD OFFSET`, a line each.
fn laid_out_in_c(workshop: &Workshop, path: &str, header: &Header) -> Vec<String> {
    let mut program =
        format!("#include \"{}\"\n#include <stdio.h>\nint main(void) {{\n", repository(path).display());
    for (name, fields) in &header.structs {
        writeln!(program, "  printf(\"{name} %zu\\n\", sizeof({name}));").unwrap();
        for field in fields.iter().map(|field| &field.name) {
            writeln!(program, "  printf(\"{name}.{field} %zu\\n\", offsetof({name}, {field}));").unwrap();
        }
    }
    program.push_str("  return 0;\n}\n");
    let source = workshop.write("layout.c", program);
    let binary = workshop.path("layout");
    succeed(compiler().arg(&source).arg("-o").arg(&binary));
    succeed(&mut Command::new(&binary)).lines().map(str::to_owned).collect()
}

#[test]
fn c_and_rust_lay_structs_out_alike() {
    let workshop = Workshop::default();
    let layouts = layouts();
    let (today, frozen) = (Header::read(&text(HEADER)), Header::read(&text(FROZEN)));
    assert_eq!(today.structs.keys().collect::<Vec<_>>(), layouts.keys().collect::<Vec<_>>());

    let mut expected = Vec::new();
    for (name, (size, fields)) in &layouts {
        expected.push(format!("{name} {size}"));
        expected.extend(fields.iter().map(|(field, offset)| format!("{name}.{field} {offset}")));
    }
    assert_eq!(laid_out_in_c(&workshop, HEADER, &today), expected);

    // Structs may have grown since; what there was is where it was.
    for line in laid_out_in_c(&workshop, FROZEN, &frozen) {
        let (what, number) = line.rsplit_once(' ').unwrap();
        match layouts.get(what) {
            Some((size, _)) => assert!(number.parse::<usize>().unwrap() <= *size, "{line}, now {size}"),
            None => assert!(expected.contains(&line), "{line}"),
        }
    }
}

#[test]
fn the_frozen_header_is_a_beginning_of_the_present_one() {
    assert_eq!(Hash::of(text(FROZEN).as_bytes()).to_string(), FROZEN_HASH, "{FROZEN} was edited");
    let (today, frozen) = (Header::read(&text(HEADER)), Header::read(&text(FROZEN)));
    for (name, fields) in &frozen.structs {
        let now = &today.structs[name];
        assert!(now.starts_with(fields), "{name}: {fields:?} became {now:?}");
        // Only what begins with its size may grow.
        let may_grow = fields[0].declaration == "size_t size" && name != "ForetellError";
        assert!(may_grow || now.len() == fields.len(), "{name} has grown, and nobody can tell");
    }
    for (name, alias) in &frozen.aliases {
        assert_eq!(today.aliases.get(name), Some(alias), "{name}");
    }
    for (name, value) in &frozen.constants {
        match name.as_str() {
            "FORETELL_ABI_MINOR" => {
                assert!(today.constants[name].parse::<u32>().unwrap() >= value.parse().unwrap(), "{name}");
            }
            _ => assert_eq!(today.constants.get(name), Some(value), "{name}"),
        }
    }
}

/// The frozen plugin's manifest.
fn manifest(network: &[u8], digit: &[u8]) -> String {
    format!(
        r#"schema = 1
[plugin]
name = "frozen"
version = "1.0.0"
description = "a plugin of the day when the interface had the number 1.0"
license = "MIT OR Apache-2.0"
authors = ["The foretell developers"]
domain = "frozen"
task = "binary-classification"
abi = "1.0"
library = "frozen"
[[model]]
name = "network"
file = "network.onnx"
blake3 = "{}"
[[model]]
name = "digit"
format = "data"
file = "digit.txt"
blake3 = "{}"
[fit]
models = ["digit"]
[[input]]
name = "amount"
type = "float64"
[output]
labels = ["no", "yes"]
positive = "yes"
"#,
        Hash::of(network),
        Hash::of(digit)
    )
}

#[test]
fn a_plugin_of_the_interface_1_0_loads_predicts_and_learns() {
    let workshop = Workshop::default();
    let weights = [vec![0.125]];
    let network = Linear {
        takes: Takes::Numbers(1),
        weights: &weights,
        biases: &[0.25],
        activation: Activation::Identity,
    };
    let network = network.onnx("frozen");
    let directory = workshop.path("frozen");
    std::fs::create_dir(&directory).unwrap();
    std::fs::write(directory.join("plugin.toml"), manifest(&network, b"1")).unwrap();
    std::fs::write(directory.join("network.onnx"), &network).unwrap();
    std::fs::write(directory.join("digit.txt"), "1").unwrap();
    let library = format!("{}frozen{}", std::env::consts::DLL_PREFIX, std::env::consts::DLL_SUFFIX);
    let source = repository("tests/abi/plugin-1.0.c");
    succeed(compiler().args(["-shared", "-fPIC"]).arg(source).arg("-o").arg(directory.join(library)));

    let (registry, runtime) = (workshop.registry(), onnx_runtime());
    let installed = registry.install(&directory, Existing::Keep).unwrap();
    let verified = registry.verify(&installed).unwrap();
    let plugin = Plugin::load(&runtime, verified.clone(), &LoadOptions::default()).unwrap();
    let amounts = |amounts: Vec<f64>| {
        let column = Arc::new(Float64Array::from(amounts)) as _;
        RecordBatch::try_from_iter([("amount", column)]).unwrap()
    };
    let answers = |plugin: &Plugin, rows| plugin.predict(&amounts(rows)).unwrap().numbers().unwrap().to_vec();
    assert_eq!(answers(&plugin, vec![]), [0.0; 0]);
    assert_eq!(answers(&plugin, vec![0.0, 2.0, 6.0]), [0.25, 0.5, 1.0]);

    let fitting = Fitting::begin(&runtime, &verified, &LoadOptions::default(), FitStart::default()).unwrap();
    fitting.learn(&amounts(vec![1.0, 2.0])).unwrap();
    let learned = fitting.finish().unwrap();
    assert_eq!(learned, [("digit".to_owned(), b"2".to_vec())]);
    let fitted = registry.install_fitted(&verified, &"1.0.0+fit.1".parse().unwrap(), &learned).unwrap();
    let plugin = Plugin::load(&runtime, registry.verify(&fitted).unwrap(), &LoadOptions::default()).unwrap();
    assert_eq!(answers(&plugin, vec![2.0]), [0.25]);
}

/// What is declared `pub` in the SDK's sources, and is no way to reach what is private: each name as its user must write it. A function
/// of a type is used by that type, `Type::name`, or of a value, `.name`, and a field of a value, or where one is made or taken apart.
fn public_names(source: &str) -> Vec<Vec<String>> {
    // Tests and hidden items are nobody's interface; `$name` is a macro's.
    let lines = source.lines().take_while(|line| *line != "#[cfg(test)]");
    let (mut hidden, mut of) = (false, None);
    let mut names = Vec::new();
    for whole in lines {
        let line = whole.trim();
        // Items begin at the margin, and so does what ends them.
        if !whole.starts_with([' ', '}']) && !line.is_empty() {
            of = line.strip_prefix("impl").map(subject);
        }
        let words = line.strip_prefix("pub ").map(|line| {
            let line = line.strip_prefix("const ").filter(|line| line.starts_with("fn ")).unwrap_or(line);
            line.split(|letter: char| !letter.is_ascii_alphanumeric() && letter != '_' && letter != '$')
        });
        let mut words = words.into_iter().flatten();
        let uses = |name: &str| match &of {
            Some(of) => vec![format!("{of}::{name}"), format!(".{name}")],
            None => vec![name.to_owned()],
        };
        let (name, uses) = match words.next() {
            Some("fn") => words.next().map(|name| (name, uses(name))),
            Some("struct" | "enum" | "trait" | "type" | "const") => {
                words.next().map(|name| (name, vec![name.to_owned()]))
            }
            Some("use" | "mod" | "extern") | None => None,
            Some(field) => Some((
                field,
                vec![format!(".{field}"), format!("{field}:"), format!("{field},"), format!("{field} }}")],
            )),
        }
        .unwrap_or_default();
        if !hidden && !name.starts_with('$') && !name.is_empty() {
            names.push(uses);
        }
        hidden = line.starts_with("#[doc(hidden)]") || (hidden && line.starts_with("#["));
    }
    names
}

/// The type of an `impl`, without what it is generic over: what follows the word itself, or `for`.
fn subject(head: &str) -> String {
    let head = head.split(" for ").last().unwrap_or(head);
    let head = match head.starts_with('<') {
        true => head.split_once("> ").map_or("", |(_, head)| head),
        false => head,
    };
    head.trim().chars().take_while(|letter| letter.is_ascii_alphanumeric() || *letter == '_').collect()
}

/// Code without comments and without what stands in its texts.
fn code_of(source: &str) -> String {
    let lines = source.lines().map(|line| line.split_once("//").map_or(line, |(code, _)| code));
    let code = lines.collect::<Vec<_>>().join("\n");
    code.split('"').step_by(2).collect::<Vec<_>>().join("\"\"")
}

/// Whether these characters stand in the code with no letter, digit or `_` beside them.
fn stands(code: &str, wanted: &str) -> bool {
    let letter = |letter: char| letter.is_ascii_alphanumeric() || letter == '_';
    code.match_indices(wanted).any(|(at, _)| {
        let before = wanted.starts_with('.') || !code[..at].ends_with(letter);
        let after = !wanted.ends_with(letter) || !code[at + wanted.len()..].starts_with(letter);
        before && after
    })
}

#[test]
fn every_public_name_is_used() {
    // `sdk_0_1.rs`, and a file for what each later version added.
    let files = std::fs::read_dir(repository("tests/abi")).unwrap().map(|entry| entry.unwrap().file_name());
    let files = files.filter_map(|name| name.into_string().ok());
    let users: Vec<_> = files.filter(|name| name.starts_with("sdk_") && name.ends_with(".rs")).collect();
    assert!(users.contains(&"sdk_0_1.rs".to_owned()), "{users:?}");
    let kit = text("tests/tests/kit/main.rs");
    for name in &users {
        assert!(kit.contains(&format!("/abi/{name}\"]")), "`{name}` is compiled with no test");
    }
    let user: String = users.iter().map(|name| text(&format!("tests/abi/{name}"))).collect();
    let code = code_of(&user);
    let mut missing = Vec::new();
    let mut waiting = vec![repository("plugins/sdk/src")];
    while let Some(path) = waiting.pop() {
        if path.is_dir() {
            waiting.extend(std::fs::read_dir(&path).unwrap().map(|entry| entry.unwrap().path()));
            continue;
        }
        // Columns that the SDK hands over are built by its own code alone.
        if path.ends_with("owned.rs") {
            continue;
        }
        let names = public_names(&std::fs::read_to_string(&path).unwrap());
        missing.extend(names.into_iter().filter(|uses| !uses.iter().any(|wanted| stands(&code, wanted))));
    }
    assert!(
        missing.is_empty(),
        "what is new in the SDK belongs into a file of its own beside tests/abi/sdk_0_1.rs: {missing:?}"
    );
}

#[test]
fn public_names_are_found() {
    let source = "pub struct A {\n    pub b: u8,\n    c: u8,\n}\npub(crate) fn d() {}\nimpl<'a> A<'a> {\n    pub const fn e() {}\n}\n\
                  #[doc(hidden)]\npub fn f() {}\npub use g::H;\npub struct $name;\npub fn j() {}\n#[cfg(test)]\npub fn i() {}\n";
    let names = public_names(source);
    let expected: [&[&str]; 4] = [&["A"], &[".b", "b:", "b,", "b }"], &["A::e", ".e"], &["j"]];
    assert_eq!(names, expected);
    for (head, expected) in [("<'a> Records<'a> {", "Records"), (" From<A> for B {", "B"), (" A {", "A")] {
        assert_eq!(subject(head), expected);
    }

    let code = code_of("let a = B::new(\"C::new .d\"); // E::new\nf.g(x.hi); i: 1");
    for (wanted, is_there) in [
        ("B::new", true),
        ("C::new", false),
        (".d", false),
        ("E::new", false),
        (".g", true),
        (".h", false),
        ("i:", true),
    ] {
        assert_eq!(stands(&code, wanted), is_there, "{wanted}");
    }
}
