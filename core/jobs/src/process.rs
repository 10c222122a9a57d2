//! Which process this is, and whether another one is still there.

use foretell_store::job::Identity;
use sysinfo::{Pid, Process, ProcessRefreshKind, ProcessStatus, ProcessesToUpdate, System};

/// Seconds by which the start of a process may seem to differ when it is asked for twice: the system counts it from its own
/// start, which it corrects with the clock.
const START_TOLERANCE_SECONDS: u64 = 2;

/// This process.
pub(crate) fn identity() -> Identity {
    let process_id = std::process::id();
    let process_started = started(process_id).ok().flatten().unwrap_or_default();
    Identity { host: host(), process_id, process_started }
}

/// Whether a process is known to have ended. Of another machine's nothing is known.
pub fn is_gone(identity: &Identity) -> bool {
    let other = |started: u64| started.abs_diff(identity.process_started) > START_TOLERANCE_SECONDS;
    identity.host == host() && started(identity.process_id).is_ok_and(|started| started.is_none_or(other))
}

fn host() -> String {
    System::host_name().unwrap_or_default()
}

/// When a process began, in seconds since 1970; `None` if there is none, or if it has ended and nobody has asked how.
fn started(process_id: u32) -> Result<Option<u64>, sysinfo::Error> {
    let mut system = System::new()?;
    let pid = Pid::from_u32(process_id);
    let only = [pid];
    system.refresh_processes_specifics(ProcessesToUpdate::Some(&only), true, ProcessRefreshKind::nothing());
    let ended = |process: &Process| matches!(process.status(), ProcessStatus::Zombie | ProcessStatus::Dead);
    Ok(system.process(pid).filter(|process| !ended(process)).map(Process::start_time))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::process::{Command, Stdio};

    #[test]
    fn a_process_is_gone_when_it_has_ended() {
        let own = identity();
        assert!(!is_gone(&own));
        assert!(is_gone(&Identity { process_started: own.process_started + 3_600, ..own.clone() }));
        assert!(!is_gone(&Identity { host: "elsewhere".into(), process_id: u32::MAX, process_started: 0 }));

        let mut child = Command::new(std::env::current_exe().expect("a test has a path"))
            .arg("--list")
            .stdout(Stdio::null())
            .spawn()
            .expect("a test can be run");
        let identity = Identity {
            process_started: started(child.id()).unwrap().unwrap_or_default(),
            process_id: child.id(),
            ..own
        };
        child.wait().expect("it ends");
        assert!(is_gone(&identity));
    }
}
