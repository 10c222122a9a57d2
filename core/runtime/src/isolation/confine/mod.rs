//! What the process of a plugin gives up before it loads the plugin.

#[cfg(target_os = "linux")]
mod linux;

use std::fmt;

use serde::{Deserialize, Serialize};

#[cfg(target_os = "linux")]
pub(super) use self::linux::confine;

/// What this system can take away from the process of a plugin.
///
/// On Linux, files are Landlock's matter (from Linux 5.13 on), and system calls that of seccomp. Elsewhere nothing is taken away: a
/// crash, a hang and a wrong answer still cost one record only.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Support {
    /// It can write no file, and read only its own and the system's libraries.
    pub files: bool,
    /// It can open no connection, start no process and look into no other.
    pub calls: bool,
    /// It can take no more memory than it may.
    pub memory: bool,
}

/// What this system can take away from the process of a plugin; nothing is taken away by asking.
pub fn support() -> Support {
    #[cfg(target_os = "linux")]
    return linux::support();
    #[cfg(not(target_os = "linux"))]
    Support { files: false, calls: false, memory: false }
}

impl Support {
    /// What it can't, in words.
    pub fn missing(self) -> Vec<String> {
        [(self.files, Missing::Files), (self.calls, Missing::Calls), (self.memory, Missing::Memory)]
            .into_iter()
            .filter(|(is_there, _)| !is_there)
            .map(|(_, missing)| missing.to_string())
            .collect()
    }
}

/// What could not be taken away from a process.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Missing {
    Files,
    Calls,
    Memory,
}

impl fmt::Display for Missing {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Missing::Files => "it may read and write files (no Landlock)",
            Missing::Calls => "it may open connections and start processes (no seccomp)",
            Missing::Memory => "its memory is not limited",
        })
    }
}

/// Takes away what this system can, which is nothing, and says what it can't.
#[cfg(not(target_os = "linux"))]
pub(super) fn confine<'p>(
    _readable: impl Iterator<Item = &'p std::path::Path>,
    _memory: u64,
) -> Vec<Missing> {
    vec![Missing::Files, Missing::Calls, Missing::Memory]
}
