//! Which package may depend on which, how, and under which licences.

use std::{
    collections::{BTreeMap, HashMap, VecDeque},
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use serde::Deserialize;

/// Packages below a directory do not link certain crates, through however many others.
struct Layer {
    directory: &'static str,
    never: &'static [&'static str],
    advice: &'static str,
}

const LAYERS: [Layer; 7] = [
    Layer {
        directory: "plugins/",
        never: &[
            "foretell-runtime",
            "foretell-store",
            "foretell-jobs",
            "foretell-insight",
            "ort",
            "sqlx",
            "libloading",
        ],
        advice: "a plugin sees `foretell-abi` alone, through `foretell-sdk`: what it needs, the host gives it",
    },
    Layer {
        directory: "core/abi",
        never: &[
            "foretell-runtime",
            "foretell-store",
            "foretell-jobs",
            "foretell-insight",
            "foretell-sdk",
            "serde",
        ],
        advice: "the C interface stands alone",
    },
    Layer {
        directory: "core/insight",
        never: &[
            "foretell-abi",
            "foretell-runtime",
            "foretell-store",
            "foretell-jobs",
            "ort",
            "sqlx",
            "libloading",
        ],
        advice: "insight takes columns and a predict function; it never opens a database or a plugin",
    },
    Layer {
        directory: "core/store",
        never: &[
            "foretell-abi",
            "foretell-runtime",
            "foretell-jobs",
            "foretell-insight",
            "ort",
            "libloading",
        ],
        advice: "the store knows records, not what predicts them: what joins the two is in `core/jobs`",
    },
    Layer {
        directory: "core/runtime",
        never: &["foretell-store", "foretell-jobs", "foretell-insight", "sqlx"],
        advice: "the runtime must work where there is no store: what joins the two is in `core/jobs`",
    },
    Layer {
        directory: "core/conformance",
        never: &["foretell-store", "foretell-jobs", "foretell-insight", "foretell-sdk", "sqlx"],
        advice: "a plugin is validated where there is no store and no plugin of ours",
    },
    Layer {
        directory: "core/",
        never: &["foretell", "foretell-fraud", "foretell-plugin-fraud", "xtask", "anyhow"],
        advice: "core is below the apps and knows no domain; its errors have types",
    },
];

/// A crate that only some packages depend on directly, tests aside.
struct Owner {
    name: &'static str,
    directories: &'static [&'static str],
    advice: &'static str,
}

const OWNERS: [Owner; 6] = [
    Owner { name: "sqlx", directories: &["core/store"], advice: "SQL stands in `core/store` alone" },
    Owner {
        name: "ort",
        directories: &["core/runtime", "tests/measure"],
        advice: "`core/runtime` owns ONNX Runtime",
    },
    Owner { name: "libloading", directories: &["core/runtime"], advice: "`core/runtime` loads libraries" },
    Owner {
        name: "clap",
        directories: &["apps/", "tests/measure", "xtask"],
        advice: "libraries have no command line",
    },
    Owner { name: "miette", directories: &["apps/"], advice: "errors are drawn at the edge, in the apps" },
    Owner { name: "anyhow", directories: &[], advice: "give the operation an error type with `thiserror`" },
];

/// Packages and what they link, as `cargo metadata` resolves them for this machine.
#[derive(Deserialize)]
pub(crate) struct Graph {
    packages: Vec<Package>,
    resolve: Resolve,
    workspace_root: PathBuf,
}

#[derive(Deserialize)]
struct Package {
    id: String,
    name: String,
    license: Option<String>,
    manifest_path: PathBuf,
    dependencies: Vec<Dependency>,
}

#[derive(Deserialize)]
struct Dependency {
    name: String,
    kind: Option<String>,
}

#[derive(Deserialize)]
struct Resolve {
    nodes: Vec<Node>,
}

#[derive(Deserialize)]
struct Node {
    id: String,
    deps: Vec<Edge>,
}

#[derive(Deserialize)]
struct Edge {
    pkg: String,
    dep_kinds: Vec<EdgeKind>,
}

#[derive(Deserialize)]
struct EdgeKind {
    kind: Option<String>,
}

/// What of deny.toml is checked here.
#[derive(Deserialize)]
struct Deny {
    licenses: Licences,
}

#[derive(Deserialize)]
struct Licences {
    allow: Vec<String>,
    exceptions: Vec<Exception>,
}

#[derive(Deserialize)]
struct Exception {
    #[serde(rename = "crate")]
    name: String,
    allow: Vec<String>,
}

/// Runs cargo, without network: what these tests were built from is what they look at.
fn cargo(root: &Path, arguments: &[&str]) -> String {
    let output =
        Command::new(env!("CARGO")).args(arguments).current_dir(root).output().expect("cargo can be run");
    assert!(output.status.success(), "cargo {arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).expect("cargo writes UTF-8")
}

impl Graph {
    pub(crate) fn read(root: &Path) -> Self {
        let version = cargo(root, &["-vV"]);
        let host =
            version.lines().find_map(|line| line.strip_prefix("host: ")).expect("cargo names its host");
        let json = cargo(
            root,
            &["metadata", "--format-version", "1", "--locked", "--offline", "--filter-platform", host],
        );
        serde_json::from_str(&json).expect("cargo writes its metadata as documented")
    }

    /// The packages of the workspace, with their directories from the root.
    fn members(&self) -> impl Iterator<Item = (String, &Package)> {
        self.packages.iter().filter_map(|package| {
            let directory = package.manifest_path.parent()?.strip_prefix(&self.workspace_root).ok()?;
            Some((directory.to_string_lossy().replace('\\', "/"), package))
        })
    }

    /// What breaks [`LAYERS`].
    pub(crate) fn layers(&self) -> Vec<String> {
        let mut findings = Vec::new();
        for (directory, package) in self.members() {
            let chains = self.linked(&package.id);
            for layer in LAYERS.iter().filter(|layer| directory.starts_with(layer.directory)) {
                for chain in layer.never.iter().filter_map(|name| chains.get(name)) {
                    let chain = chain.join(" -> ");
                    findings.push(format!("{directory}/Cargo.toml: layer: {chain}; {}", layer.advice));
                }
            }
        }
        findings
    }

    /// Every crate that the package links, with the shortest chain of names from the package to it. What is only
    /// used to build or to test is not linked.
    fn linked(&self, id: &str) -> HashMap<&str, Vec<&str>> {
        let names: HashMap<_, _> =
            self.packages.iter().map(|package| (&*package.id, &*package.name)).collect();
        let nodes: HashMap<_, _> = self.resolve.nodes.iter().map(|node| (&*node.id, node)).collect();
        let mut chains: HashMap<&str, Vec<&str>> = HashMap::new();
        let mut queue = VecDeque::from([(id, vec![names[id]])]);
        while let Some((id, chain)) = queue.pop_front() {
            for edge in
                nodes[id].deps.iter().filter(|edge| edge.dep_kinds.iter().any(|kind| kind.kind.is_none()))
            {
                let name = names[&*edge.pkg];
                if !chains.contains_key(name) {
                    let chain: Vec<_> = chain.iter().copied().chain([name]).collect();
                    chains.insert(name, chain.clone());
                    queue.push_back((&edge.pkg, chain));
                }
            }
        }
        chains
    }

    /// What breaks [`OWNERS`].
    pub(crate) fn owners(&self) -> Vec<String> {
        let mut findings = Vec::new();
        for (directory, package) in self.members() {
            let direct =
                package.dependencies.iter().filter(|dependency| dependency.kind.as_deref() != Some("dev"));
            for dependency in direct {
                let owner = OWNERS.iter().find(|owner| owner.name == dependency.name);
                let strays =
                    |owner: &&Owner| !owner.directories.iter().any(|allowed| directory.starts_with(allowed));
                if let Some(owner) = owner.filter(strays) {
                    findings
                        .push(format!("{directory}/Cargo.toml: owner: `{}`; {}", owner.name, owner.advice));
                }
            }
        }
        findings
    }

    /// Packages whose licence is not on deny.toml's list.
    pub(crate) fn licences(&self, root: &Path) -> Vec<String> {
        let text = fs::read_to_string(root.join("deny.toml")).expect("deny.toml can be read");
        let deny: Deny = toml::from_str(&text).expect("deny.toml has a list of licences");
        let exceptions: BTreeMap<_, _> =
            deny.licenses.exceptions.iter().map(|exception| (&*exception.name, &exception.allow)).collect();
        let mut findings = Vec::new();
        for package in &self.packages {
            let extra = exceptions.get(&*package.name).into_iter().copied().flatten();
            let allowed: Vec<_> = deny.licenses.allow.iter().chain(extra).map(String::as_str).collect();
            let licence = package.license.as_deref().unwrap_or("none stated");
            if !is_allowed(licence, &allowed) {
                findings.push(format!(
                    "{}: licence: `{licence}` is not on the list in deny.toml; use another crate, or put it on the list with \
                     a reason",
                    package.name
                ));
            }
        }
        findings
    }
}

/// Whether a licence expression can be met with the allowed licences.
fn is_allowed(expression: &str, allowed: &[&str]) -> bool {
    // Some old crates write `MIT/Apache-2.0`.
    let Ok(expression) = spdx::Expression::parse_mode(expression, spdx::ParseMode::LAX) else { return false };
    expression.evaluate(|requirement| allowed.contains(&&*requirement.to_string()))
}

/// Packages that have lints or versions of their own.
pub(crate) fn settings(root: &Path, files: &[String]) -> Vec<String> {
    let mut findings = Vec::new();
    for path in files.iter().filter(|file| file.ends_with("/Cargo.toml")) {
        let text = fs::read_to_string(root.join(path))
            .unwrap_or_else(|error| panic!("cannot read `{path}`: {error}"));
        let manifest: toml::Table = text.parse().unwrap_or_else(|error| panic!("`{path}`: {error}"));
        findings.extend(about_manifest(path, &manifest));
    }
    findings
}

fn about_manifest(path: &str, manifest: &toml::Table) -> Vec<String> {
    let mut findings = Vec::new();
    // A workspace of its own, such as one for fuzzing, has nothing to inherit.
    if manifest.contains_key("workspace") {
        return findings;
    }
    let inherits = |value: &toml::Value| value.get("workspace").and_then(toml::Value::as_bool) == Some(true);
    if !manifest.get("lints").is_some_and(inherits) {
        findings.push(format!(
            "{path}: lints: write `[lints] workspace = true`, so that one set holds everywhere"
        ));
    }
    let targets = manifest.get("target").and_then(toml::Value::as_table).into_iter().flatten();
    let tables = targets.filter_map(|(_, target)| target.as_table()).chain([manifest]);
    for table in tables {
        let kinds = ["dependencies", "dev-dependencies", "build-dependencies"];
        let dependencies = kinds.iter().filter_map(|kind| table.get(*kind)?.as_table()).flatten();
        for (name, _) in dependencies.filter(|(_, value)| !inherits(value)) {
            findings.push(format!(
                "{path}: versions: state `{name}` in the root Cargo.toml, and here `{name}.workspace = true`"
            ));
        }
    }
    findings
}

#[test]
fn licences_are_understood() {
    let allowed = ["MIT", "Apache-2.0", "Apache-2.0 WITH LLVM-exception", "ISC"];
    let cases = [
        ("MIT", true),
        ("MIT/GPL-3.0", true),
        ("MIT OR GPL-3.0-only", true),
        ("MIT AND GPL-3.0-only", false),
        ("(MIT OR GPL-2.0-only) AND ISC", true),
        ("Apache-2.0 WITH LLVM-exception", true),
        ("GPL-3.0-or-later", false),
        ("none stated", false),
    ];
    for (expression, expected) in cases {
        assert_eq!(is_allowed(expression, &allowed), expected, "{expression}");
    }
}

#[test]
fn manifests_are_understood() {
    let cases = [
        ("[lints]\nworkspace = true\n[dependencies]\na.workspace = true\nb = { workspace = true }", vec![]),
        ("[dependencies]\na.workspace = true", vec!["lints"]),
        ("[workspace]\n[dependencies]\na = \"1\"", vec![]),
        ("[lints]\nworkspace = true\n[dev-dependencies]\na = \"1\"", vec!["versions"]),
        (
            "[lints]\nworkspace = true\n[target.'cfg(unix)'.dependencies]\na = { path = \"x\" }",
            vec!["versions"],
        ),
    ];
    for (text, expected) in cases {
        let findings = about_manifest("a/Cargo.toml", &text.parse().unwrap());
        let names: Vec<_> = findings.iter().filter_map(|finding| finding.split(": ").nth(1)).collect();
        assert_eq!(names, expected, "{findings:?}");
    }
}

#[test]
fn chains_are_followed_through_what_is_linked() {
    let package = |name: &str| {
        format!(
            r#"{{"id":"{name}","name":"{name}","license":null,"manifest_path":"/w/plugins/{name}/Cargo.toml","dependencies":[]}}"#
        )
    };
    let edge = |name: &str, kind: &str| format!(r#"{{"pkg":"{name}","dep_kinds":[{{"kind":{kind}}}]}}"#);
    let node = |name: &str, edges: &[String]| format!(r#"{{"id":"{name}","deps":[{}]}}"#, edges.join(","));
    let packages = ["a", "b", "ort", "sqlx"].map(package).join(",");
    let nodes = [
        node("a", &[edge("b", "null"), edge("sqlx", "\"dev\"")]),
        node("b", &[edge("ort", "null"), edge("a", "\"build\"")]),
        node("ort", &[]),
        node("sqlx", &[]),
    ]
    .join(",");
    let json =
        format!(r#"{{"packages":[{packages}],"resolve":{{"nodes":[{nodes}]}},"workspace_root":"/w"}}"#);
    let graph: Graph = serde_json::from_str(&json).unwrap();
    let chains = graph.linked("a");
    assert_eq!(chains["ort"], ["a", "b", "ort"]);
    assert!(!chains.contains_key("sqlx"), "a crate that only tests use is not linked");
    assert!(graph.layers().iter().any(|finding| finding.contains("a -> b -> ort")), "{:?}", graph.layers());
}
