//! What the owner of a machine or of a home demands before a plugin runs.
//!
//! ```toml
//! version = 1
//!
//! [policy]
//! # Plugins run in a process of their own.
//! isolate = true
//! # Only plugins that one of these has signed are loaded.
//! publishers = ["RWQf6LRCGA9i53mlYecO4IzT51TGPpvWucNSCh1CBM0QTaLn73Y7GFO3"]
//! # What that process may take, and for how long it may be asked.
//! memory_bytes_max = 2147483648
//! call_seconds_max = 30
//! ```
//!
//! Up to three files say something, each in this form and each by itself: the system's ([`SYSTEM_POLICY`]), one that
//! [`POLICY_VARIABLE`] adds, and the home's `config.toml`. They are combined by [`Policy::tighten`]:
//!
//! ```
//! use std::time::Duration;
//! use foretell_runtime::policy::Policy;
//!
//! let system = Policy { call_time_max: Some(Duration::from_secs(30)), ..Policy::default() };
//! let home = Policy { isolate: true, call_time_max: Some(Duration::from_secs(600)), ..Policy::default() };
//! let both = system.tighten(home);
//! assert!(both.isolate);
//! assert_eq!(both.call_time_max, Some(Duration::from_secs(30)));
//! ```
//!
//! - **Invariant:** a further file, variable or option only tightens. There is no way to say less than another one said.
//! - **Invariant:** a file that is there and can't be understood, down to a single unknown key, is an error and never "no
//!   policy": a typo in a policy must not be a hole.
//!
//! Pitfall: who may write the home or choose another one chooses its policy too. What must hold for everybody stands in
//! the system's file.

use std::{
    collections::BTreeSet,
    env, fs,
    io::ErrorKind,
    num::NonZeroU64,
    path::{Path, PathBuf},
    time::Duration,
};

use serde::Deserialize;

use crate::{
    files::{self, FileError},
    home::Home,
    signature::Publisher,
};

/// The version of the format of policies that this program reads.
pub const POLICY_VERSION: u32 = 1;
/// The policy of everybody who uses this machine.
pub const SYSTEM_POLICY: &str =
    if cfg!(windows) { r"C:\ProgramData\foretell\policy.toml" } else { "/etc/foretell/policy.toml" };
/// The environment variable that names one more file with a policy. It must exist then.
pub const POLICY_VARIABLE: &str = "FORETELL_POLICY";
/// Largest file with a policy that is read.
const POLICY_BYTES_MAX: u64 = 1024 * 1024;

/// What is demanded before a plugin runs. The default demands nothing.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Policy {
    /// Whether plugins must run in a process of their own.
    pub isolate: bool,
    /// Who must have signed a plugin, any one of them; everybody is trusted if this is not stated, and nobody if it is
    /// empty.
    pub publishers: Option<BTreeSet<Publisher>>,
    /// Most memory of an isolated plugin's process, in bytes.
    pub memory_bytes_max: Option<u64>,
    /// Longest time that one call of an isolated plugin may take.
    pub call_time_max: Option<Duration>,
}

/// A place where a policy may stand.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Origin {
    /// [`SYSTEM_POLICY`].
    System,
    /// The file that [`POLICY_VARIABLE`] names.
    Variable,
    /// `config.toml` in the home.
    Home,
}

/// What was found in a place where a policy may stand.
#[derive(Debug)]
pub struct Source {
    /// The place.
    pub origin: Origin,
    /// The file; none if the variable is not set.
    pub path: Option<PathBuf>,
    /// What it demands; none if there is no file and none is needed.
    pub found: Result<Option<Policy>, PolicyError>,
}

/// A policy is there, and can't be understood.
#[derive(Debug, thiserror::Error)]
#[error("the policy in `{path}` can't be read, so nothing is loaded: {kind}", path = path.display())]
pub struct PolicyError {
    /// The file.
    pub path: PathBuf,
    /// Why.
    pub kind: PolicyErrorKind,
}

/// Why a policy can't be understood.
#[derive(Debug, thiserror::Error)]
pub enum PolicyErrorKind {
    /// The file can't be read.
    #[error("{0}")]
    File(FileError),
    /// The environment variable names a file that is not there.
    #[error("`{POLICY_VARIABLE}` names it, and it is not there; name a file that is, or unset the variable")]
    Missing,
    /// The file is not UTF-8.
    #[error("expected text in UTF-8; save it as such")]
    Encoding,
    /// The file is not in the form of a policy.
    #[error("line {line}: {message}; correct it, or ask whoever wrote it")]
    Content {
        /// Line, from 1.
        line: usize,
        /// What is wrong there.
        message: String,
    },
    /// The file was written for a newer program.
    #[error("expected version {POLICY_VERSION}, found {0}; update foretell")]
    Version(u32),
}

/// What is read first: whether the rest can be.
#[derive(Deserialize)]
struct Header {
    version: u32,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Document {
    #[serde(rename = "version")]
    _version: u32,
    #[serde(default)]
    policy: Demands,
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct Demands {
    #[serde(default)]
    isolate: bool,
    publishers: Option<BTreeSet<Publisher>>,
    memory_bytes_max: Option<NonZeroU64>,
    call_seconds_max: Option<NonZeroU64>,
}

impl Policy {
    /// The policy in force for the plugins of a home: what all of its sources demand together.
    pub fn of(home: &Home) -> Result<Policy, PolicyError> {
        let mut policy = Policy::default();
        for source in Policy::sources(home) {
            policy = policy.tighten(source.found?.unwrap_or_default());
        }
        Ok(policy)
    }

    /// Every place where a policy may stand, and what it says.
    pub fn sources(home: &Home) -> Vec<Source> {
        let variable = env::var_os(POLICY_VARIABLE).filter(|value| !value.is_empty()).map(PathBuf::from);
        sources(SYSTEM_POLICY.into(), variable, home)
    }

    /// What both demand together: isolation if either does, the publishers that both trust, the smaller of limits.
    ///
    /// The order does not matter, and the same policy twice is that policy.
    #[must_use]
    pub fn tighten(self, other: Policy) -> Policy {
        let publishers = both(self.publishers, other.publishers, |own, others| &own & &others);
        Policy {
            isolate: self.isolate || other.isolate,
            publishers,
            memory_bytes_max: both(self.memory_bytes_max, other.memory_bytes_max, Ord::min),
            call_time_max: both(self.call_time_max, other.call_time_max, Ord::min),
        }
    }

    /// Whether nothing is demanded.
    pub fn is_empty(&self) -> bool {
        *self == Policy::default()
    }
}

/// What of two demands is stated, or both together if both are.
fn both<T>(own: Option<T>, other: Option<T>, together: impl FnOnce(T, T) -> T) -> Option<T> {
    match (own, other) {
        (Some(own), Some(other)) => Some(together(own, other)),
        (own, other) => own.or(other),
    }
}

fn sources(system: PathBuf, variable: Option<PathBuf>, home: &Home) -> Vec<Source> {
    let source = |origin, path: Option<PathBuf>| {
        let found = path.as_deref().map_or(Ok(None), |path| {
            read(path, origin).map_err(|kind| PolicyError { path: path.to_owned(), kind })
        });
        Source { origin, path, found }
    };
    vec![
        source(Origin::System, Some(system)),
        source(Origin::Variable, variable),
        source(Origin::Home, Some(home.config())),
    ]
}

/// The policy in a file; none if there is no such file and there need not be one.
fn read(path: &Path, origin: Origin) -> Result<Option<Policy>, PolicyErrorKind> {
    let bytes = match files::read(path, POLICY_BYTES_MAX) {
        Ok(bytes) => bytes,
        Err(error) if error.cause.kind() == ErrorKind::NotFound => {
            // A link that leads nowhere is a policy that got lost.
            let nothing = fs::symlink_metadata(path).is_err_and(|error| error.kind() == ErrorKind::NotFound);
            return match origin {
                Origin::Variable => Err(PolicyErrorKind::Missing),
                _ if nothing => Ok(None),
                _ => Err(PolicyErrorKind::File(error)),
            };
        }
        Err(error) => return Err(PolicyErrorKind::File(error)),
    };
    let text = String::from_utf8(bytes).map_err(|_| PolicyErrorKind::Encoding)?;
    parse(&text).map(Some)
}

fn parse(text: &str) -> Result<Policy, PolicyErrorKind> {
    let content = |error: toml::de::Error| {
        let before = error.span().and_then(|span| text.get(..span.start)).unwrap_or_default();
        let line = before.matches('\n').count() + 1;
        PolicyErrorKind::Content { line, message: error.message().to_owned() }
    };
    let header: Header = toml::from_str(text).map_err(content)?;
    if header.version != POLICY_VERSION {
        return Err(PolicyErrorKind::Version(header.version));
    }
    let document: Document = toml::from_str(text).map_err(content)?;
    let Demands { isolate, publishers, memory_bytes_max, call_seconds_max } = document.policy;
    Ok(Policy {
        isolate,
        publishers,
        memory_bytes_max: memory_bytes_max.map(NonZeroU64::get),
        call_time_max: call_seconds_max.map(|seconds| Duration::from_secs(seconds.get())),
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const KEYS: [&str; 3] = [
        "RWQf6LRCGA9i53mlYecO4IzT51TGPpvWucNSCh1CBM0QTaLn73Y7GFO3",
        "RWQf6LRCGA9i59SLOFxz6NxvASXDJeRtuZykwQepbDEGt87ig1BNpWaV",
        "RWQf6LRCGA9i53mlYecO4IzT51TGPpvWucNSCh1CBM0QTaLn73Y7GFO4",
    ];

    fn publisher(key: &str) -> Publisher {
        key.parse().unwrap()
    }

    fn policies() -> impl Strategy<Value = Policy> {
        let publishers = proptest::option::of(proptest::collection::btree_set(0..KEYS.len(), 0..=KEYS.len()));
        let limits = (proptest::option::of(0..4_u64), proptest::option::of(0..4_u64));
        (any::<bool>(), publishers, limits).prop_map(|(isolate, publishers, (memory, seconds))| Policy {
            isolate,
            publishers: publishers.map(|keys| keys.into_iter().map(|key| publisher(KEYS[key])).collect()),
            memory_bytes_max: memory,
            call_time_max: seconds.map(Duration::from_secs),
        })
    }

    /// Whether one policy allows a plugin that is signed by `signer`, runs isolated or not, takes so much and so long.
    fn allows(policy: &Policy, isolated: bool, signer: Option<usize>, bytes: u64, seconds: u64) -> bool {
        (isolated || !policy.isolate)
            && policy.publishers.as_ref().is_none_or(|publishers| {
                signer.is_some_and(|signer| publishers.contains(&publisher(KEYS[signer])))
            })
            && policy.memory_bytes_max.is_none_or(|max| bytes <= max)
            && policy.call_time_max.is_none_or(|max| Duration::from_secs(seconds) <= max)
    }

    proptest! {
        /// What two policies allow together is what each of them allows, and nothing else.
        #[test]
        fn together_they_allow_what_both_allow(
            one in policies(), other in policies(), isolated in any::<bool>(),
            signer in proptest::option::of(0..KEYS.len()), bytes in 0..5_u64, seconds in 0..5_u64,
        ) {
            let allowed = |policy: &Policy| allows(policy, isolated, signer, bytes, seconds);
            let together = one.clone().tighten(other.clone());
            prop_assert_eq!(allowed(&together), allowed(&one) && allowed(&other));
        }

        #[test]
        fn order_and_repetition_do_not_matter(one in policies(), other in policies(), third in policies()) {
            let together = one.clone().tighten(other.clone());
            prop_assert_eq!(&other.clone().tighten(one.clone()), &together);
            prop_assert_eq!(&together.clone().tighten(one.clone()), &together);
            prop_assert_eq!(&one.clone().tighten(one.clone()), &one);
            prop_assert_eq!(&one.clone().tighten(Policy::default()), &one);
            let left = together.tighten(third.clone());
            prop_assert_eq!(one.tighten(other.tighten(third)), left);
        }
    }

    #[test]
    fn what_a_file_says() {
        let [key, other, _] = KEYS;
        let all = format!(
            "version = 1\n[policy]\nisolate = true\npublishers = [\"{key}\", \"{other}\", \"{key}\"]\n\
             memory_bytes_max = 1073741824\ncall_seconds_max = 30\n"
        );
        let expected = Policy {
            isolate: true,
            publishers: Some([key, other].map(publisher).into()),
            memory_bytes_max: Some(1 << 30),
            call_time_max: Some(Duration::from_secs(30)),
        };
        assert_eq!(parse(&all).unwrap(), expected);
        let nobody = Policy { publishers: Some(BTreeSet::new()), ..Policy::default() };
        assert_eq!(parse("version = 1\npolicy.publishers = []").unwrap(), nobody);
        for nothing in ["version = 1", "version = 1\n[policy]", "version = 1\npolicy.isolate = false"] {
            assert!(parse(nothing).unwrap().is_empty(), "{nothing}");
        }
    }

    #[test]
    fn what_is_not_understood_is_no_policy_at_all() {
        let key = KEYS[0];
        let mut report = String::new();
        for text in [
            "",
            "version = 2\n[policy]\nsandbox = true",
            "version = '1'",
            "[policy]\nisolate = true",
            "version = 1\nisolate = true",
            "version = 1\n[polcy]\nisolate = true",
            "version = 1\n[policy]\nisolated = true",
            "version = 1\n[policy]\nisolate = 'yes'",
            "version = 1\n[policy]\nisolate = true\nisolate = false",
            "version = 1\n[policy]\npublishers = 'RWQ'",
            "version = 1\n[policy]\npublishers = ['RWQ']",
            &format!("version = 1\n[policy]\npublisher = ['{key}']"),
            "version = 1\n[policy]\nmemory_bytes_max = 0",
            "version = 1\n[policy]\nmemory_bytes_max = -1",
            "version = 1\n[policy]\nmemory_bytes_max = 1.5",
            "version = 1\n[policy]\ncall_seconds_max = '30s'",
            "version = 1\n[policy\nisolate = true",
        ] {
            report += &format!("{text}\n  -> {}\n", parse(text).unwrap_err());
        }
        insta::assert_snapshot!(report);
    }

    #[test]
    fn sources_add_up() {
        let directory = tempfile::tempdir().unwrap();
        let [system, added] = ["policy.toml", "added.toml"].map(|name| directory.path().join(name));
        let home = Home::at(directory.path().join("home"));
        fs::create_dir(home.root()).unwrap();
        let combined = |variable: Option<&Path>| {
            let sources = sources(system.clone(), variable.map(Path::to_owned), &home);
            assert_eq!(sources.len(), 3);
            sources.into_iter().try_fold(Policy::default(), |policy, source| {
                Ok::<_, PolicyError>(policy.tighten(source.found?.unwrap_or_default()))
            })
        };
        assert!(combined(None).unwrap().is_empty());
        fs::write(&system, "version = 1\npolicy.call_seconds_max = 60").unwrap();
        fs::write(&added, "version = 1\npolicy.memory_bytes_max = 1000").unwrap();
        fs::write(
            home.config(),
            "version = 1\n[policy]\nisolate = true\nmemory_bytes_max = 2000\ncall_seconds_max = 90",
        )
        .unwrap();
        let expected = |memory| Policy {
            isolate: true,
            publishers: None,
            memory_bytes_max: Some(memory),
            call_time_max: Some(Duration::from_secs(60)),
        };
        assert_eq!(combined(None).unwrap(), expected(2000));
        assert_eq!(combined(Some(&added)).unwrap(), expected(1000));
    }

    #[test]
    fn a_policy_that_can_not_be_read_is_an_error() {
        let directory = tempfile::tempdir().unwrap();
        let path = |name: &str| directory.path().join(name);
        fs::create_dir(path("directory")).unwrap();
        fs::write(path("bytes"), [0xff]).unwrap();
        fs::write(path("file"), "version = 1").unwrap();
        fs::write(path("large"), vec![b'\n'; POLICY_BYTES_MAX as usize + 1]).unwrap();
        let file = |path: &Path, origin| match read(path, origin) {
            Err(PolicyErrorKind::File(error)) => error.cause.kind(),
            other => panic!("{}: {other:?}", path.display()),
        };
        assert!(matches!(read(&path("bytes"), Origin::System), Err(PolicyErrorKind::Encoding)));
        assert!(matches!(read(&path("none"), Origin::Variable), Err(PolicyErrorKind::Missing)));
        assert!(matches!(read(&path("none"), Origin::Home), Ok(None)));
        assert_eq!(file(&path("large"), Origin::Home), ErrorKind::FileTooLarge);
        assert_eq!(file(&path("directory"), Origin::Home), ErrorKind::IsADirectory);
        // What stands where its directory should be is no absence.
        assert_eq!(file(&path("file/policy.toml"), Origin::System), ErrorKind::NotADirectory);
        #[cfg(unix)]
        {
            std::os::unix::fs::symlink(path("none"), path("link")).unwrap();
            assert_eq!(file(&path("link"), Origin::System), ErrorKind::NotFound);
        }
    }
}
