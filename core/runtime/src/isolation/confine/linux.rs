//! Linux: Landlock for files, seccomp for system calls, resource limits for memory, and no capabilities.

use std::collections::BTreeMap;
use std::env;
use std::path::{Path, PathBuf};

use landlock::{
    ABI, Access, AccessFs, AccessNet, CompatLevel, Compatible, Ruleset, RulesetAttr, RulesetCreatedAttr,
    RulesetError, RulesetStatus, Scope, path_beneath_rules,
};
use rustix::process::{Resource, Rlimit, Signal, set_parent_process_death_signal, setrlimit};
use rustix::thread::{CapabilitySet, CapabilitySets, set_capabilities, set_no_new_privs};
use seccompiler::{
    BpfProgram, SeccompAction, SeccompCmpArgLen, SeccompCmpOp, SeccompCondition, SeccompFilter, SeccompRule,
    TargetArch, apply_filter_all_threads,
};

use super::{Missing, Support};

/// What of Landlock is asked for: everything up to here, as far as the kernel has it.
const LANDLOCK: ABI = ABI::V6;
/// Directories and files of the system that a library or ONNX Runtime reads: other libraries, the loader's list of them, the
/// devices of the machine, the time zone. None of them has anything of a user.
const SYSTEM: [&str; 20] = [
    "/usr",
    "/lib",
    "/lib32",
    "/lib64",
    "/libx32",
    "/nix/store",
    "/gnu/store",
    "/etc/ld.so.cache",
    "/etc/ld.so.conf",
    "/etc/ld.so.conf.d",
    "/etc/alternatives",
    "/etc/localtime",
    "/sys",
    "/proc/self",
    "/proc/cpuinfo",
    "/proc/meminfo",
    "/proc/stat",
    "/dev/zero",
    "/dev/urandom",
    "/dev/random",
];
/// What anything may be written to.
const NOWHERE: &str = "/dev/null";
/// Where the loader looks for libraries first.
const LIBRARY_PATH_VARIABLE: &str = "LD_LIBRARY_PATH";
/// Files, pipes and the like that a process may have open.
const FILES_MAX: u64 = 256;
/// Addresses beside the memory that a process may take: what is only reserved, and files that are mapped.
const ADDRESSES_BYTES: u64 = 16 << 30;

/// System calls that are refused: connections, other processes, the rights and times of files (which Landlock leaves alone), memory
/// that no limit counts, and what changes the system.
const REFUSED: &[i64] = &[
    // Connections; a ring would make them without a call.
    libc::SYS_socket,
    libc::SYS_socketpair,
    libc::SYS_connect,
    libc::SYS_bind,
    libc::SYS_listen,
    libc::SYS_accept,
    libc::SYS_accept4,
    libc::SYS_io_uring_setup,
    libc::SYS_io_uring_enter,
    libc::SYS_io_uring_register,
    // Programs, and other processes.
    libc::SYS_execve,
    libc::SYS_execveat,
    libc::SYS_ptrace,
    libc::SYS_process_vm_readv,
    libc::SYS_process_vm_writev,
    libc::SYS_process_madvise,
    libc::SYS_pidfd_open,
    libc::SYS_pidfd_getfd,
    libc::SYS_pidfd_send_signal,
    libc::SYS_kcmp,
    // Memory that belongs to nobody, and queues.
    libc::SYS_memfd_create,
    libc::SYS_memfd_secret,
    libc::SYS_shmget,
    libc::SYS_shmat,
    libc::SYS_semget,
    libc::SYS_msgget,
    libc::SYS_mq_open,
    // Files that Landlock came to only later, and what it leaves alone: owners, rights, times and attributes.
    libc::SYS_truncate,
    libc::SYS_fchmod,
    libc::SYS_fchmodat,
    libc::SYS_fchmodat2,
    SETXATTRAT,
    REMOVEXATTRAT,
    FILE_SETATTR,
    libc::SYS_fchown,
    libc::SYS_fchownat,
    libc::SYS_utimensat,
    libc::SYS_setxattr,
    libc::SYS_lsetxattr,
    libc::SYS_fsetxattr,
    libc::SYS_removexattr,
    libc::SYS_lremovexattr,
    libc::SYS_fremovexattr,
    // The system itself.
    libc::SYS_mount,
    libc::SYS_umount2,
    libc::SYS_pivot_root,
    libc::SYS_chroot,
    libc::SYS_unshare,
    libc::SYS_setns,
    libc::SYS_bpf,
    libc::SYS_perf_event_open,
    libc::SYS_userfaultfd,
    libc::SYS_add_key,
    libc::SYS_request_key,
    libc::SYS_keyctl,
    libc::SYS_setrlimit,
    libc::SYS_syslog,
    libc::SYS_swapon,
    libc::SYS_reboot,
    libc::SYS_kexec_load,
    libc::SYS_init_module,
    libc::SYS_finit_module,
    libc::SYS_delete_module,
];
/// Numbers of calls that are new, the same on every processor (Linux 6.13 and 6.17).
const SETXATTRAT: i64 = 463;
const REMOVEXATTRAT: i64 = 466;
const FILE_SETATTR: i64 = 469;
/// As [`REFUSED`], calls that only this kind of processor has.
#[cfg(target_arch = "x86_64")]
const REFUSED_HERE: &[i64] = &[
    libc::SYS_fork,
    libc::SYS_vfork,
    libc::SYS_chmod,
    libc::SYS_chown,
    libc::SYS_lchown,
    libc::SYS_utime,
    libc::SYS_utimes,
    libc::SYS_futimesat,
];
#[cfg(not(target_arch = "x86_64"))]
const REFUSED_HERE: &[i64] = &[];
/// Added to the number of a call by programs of the x32 kind, of which some have numbers of their own.
#[cfg(target_arch = "x86_64")]
const X32: (i64, std::ops::RangeInclusive<i64>) = (0x4000_0000, 512..=547);

/// What this system can take away.
pub(super) fn support() -> Support {
    let ruleset = Ruleset::default().set_compatibility(CompatLevel::HardRequirement);
    let files = ruleset.handle_access(AccessFs::from_all(ABI::V1)).and_then(Ruleset::create).is_ok();
    let calls = Path::new("/proc/sys/kernel/seccomp/actions_avail").exists() && architecture().is_some();
    Support { files, calls, memory: true }
}

/// Takes away what this system can, for good, and says what it can't. To be called while there is one thread.
///
/// `readable` are the files and directories that must stay so.
pub(in super::super) fn confine<'p>(
    readable: impl Iterator<Item = &'p Path>,
    memory_bytes_max: u64,
) -> Vec<Missing> {
    // The end of the parent is also told by a pipe; this is for a plugin that does not want to know.
    let _ = set_parent_process_death_signal(Some(Signal::KILL));
    // A root's process may do without the checks of files, and raise its limits again.
    let nothing = CapabilitySet::empty();
    let _ = set_capabilities(
        None,
        CapabilitySets { effective: nothing, permitted: nothing, inheritable: nothing },
    );
    let _ = set_no_new_privs(true);
    let mut missing = Vec::new();
    if limit(memory_bytes_max).is_err() {
        missing.push(Missing::Memory);
    }
    if !matches!(landlock(readable), Ok(true)) {
        missing.push(Missing::Files);
    }
    if seccomp().is_err() {
        missing.push(Missing::Calls);
    }
    missing
}

fn limit(memory_bytes_max: u64) -> rustix::io::Result<()> {
    let set = |resource, most| setrlimit(resource, Rlimit { current: Some(most), maximum: Some(most) });
    // What is written to: neither a dump of a crash, nor a file that was open already.
    set(Resource::Core, 0)?;
    set(Resource::Fsize, 0)?;
    set(Resource::Nofile, FILES_MAX)?;
    // What a process has for itself. Addresses alone cost nothing, and allocators reserve them generously.
    set(Resource::Data, memory_bytes_max)?;
    set(Resource::As, memory_bytes_max.saturating_add(ADDRESSES_BYTES))
}

/// Whether all of Landlock's first version is in force, and whatever later versions have as far as the kernel does.
fn landlock<'p>(readable: impl Iterator<Item = &'p Path>) -> Result<bool, RulesetError> {
    let variable = env::var_os(LIBRARY_PATH_VARIABLE).unwrap_or_default();
    let libraries: Vec<PathBuf> = env::split_paths(&variable).filter(|path| path.is_absolute()).collect();
    let readable = SYSTEM.iter().map(PathBuf::from).chain(readable.map(Path::to_owned)).chain(libraries);
    let status = Ruleset::default()
        .set_compatibility(CompatLevel::BestEffort)
        .handle_access(AccessFs::from_all(LANDLOCK))?
        .handle_access(AccessNet::from_all(LANDLOCK))?
        .scope(Scope::from_all(LANDLOCK))?
        .create()?
        .add_rules(path_beneath_rules(readable, AccessFs::ReadFile | AccessFs::ReadDir))?
        .add_rules(path_beneath_rules([NOWHERE], AccessFs::ReadFile | AccessFs::WriteFile))?
        .restrict_self()?;
    Ok(status.ruleset != RulesetStatus::NotEnforced)
}

fn architecture() -> Option<TargetArch> {
    TargetArch::try_from(env::consts::ARCH).ok()
}

fn seccomp() -> Result<(), seccompiler::Error> {
    let own = u64::from(std::process::id());
    let refused = |number: u32, rules| filter(rules, SeccompAction::Errno(number));
    // The C library asks in a way whose arguments no filter can see, and in the old way where that is not there.
    let unseen = refused(libc::ENOSYS.cast_unsigned(), rules(&[libc::SYS_clone3], &[])?)?;
    let limited = [
        // A thread has the memory of its process; anything else is another process.
        (libc::SYS_clone, 0, SeccompCmpOp::MaskedEq(libc::CLONE_THREAD as u64), 0),
        // To oneself, as in `abort`.
        (libc::SYS_kill, 0, SeccompCmpOp::Ne, own),
        (libc::SYS_tgkill, 0, SeccompCmpOp::Ne, own),
        (libc::SYS_rt_sigqueueinfo, 0, SeccompCmpOp::Ne, own),
        (libc::SYS_rt_tgsigqueueinfo, 0, SeccompCmpOp::Ne, own),
        // Limits may be asked for, and not set.
        (libc::SYS_prlimit64, 2, SeccompCmpOp::Ne, 0),
        (libc::SYS_prctl, 0, SeccompCmpOp::Eq, libc::PR_SET_PDEATHSIG as u64),
        // Typed into the terminal of whoever started all this.
        (libc::SYS_ioctl, 1, SeccompCmpOp::Eq, TIOCSTI),
        (libc::SYS_ioctl, 1, SeccompCmpOp::Eq, TIOCLINUX),
        // Memory that no limit counts.
        (libc::SYS_mmap, 3, SeccompCmpOp::MaskedEq(SHARED_NOWHERE), SHARED_NOWHERE),
    ];
    let others = refused(libc::EPERM.cast_unsigned(), rules(&[REFUSED, REFUSED_HERE].concat(), &limited)?)?;
    apply_filter_all_threads(&unseen)?;
    apply_filter_all_threads(&others)
}

/// Requests of `ioctl` that type into a terminal, on every processor that filters are made for here.
const TIOCSTI: u64 = 0x5412;
const TIOCLINUX: u64 = 0x541c;
/// Shared with nobody and backed by no file.
const SHARED_NOWHERE: u64 = (libc::MAP_SHARED | libc::MAP_ANONYMOUS) as u64;

/// An argument of a call with which it is refused: call, place of the argument, comparison, and what with.
type Limited = (i64, u8, SeccompCmpOp, u64);

/// Rules that match calls, and calls with an argument.
fn rules(
    calls: &[i64],
    limited: &[Limited],
) -> Result<BTreeMap<i64, Vec<SeccompRule>>, seccompiler::BackendError> {
    let mut rules: BTreeMap<i64, Vec<SeccompRule>> = calls.iter().map(|call| (*call, Vec::new())).collect();
    for (call, place, comparison, value) in limited {
        // The kernel takes the lower half of most of these, so the upper one must not decide.
        let length = match *call {
            libc::SYS_prlimit64 => SeccompCmpArgLen::Qword,
            _ => SeccompCmpArgLen::Dword,
        };
        let condition = SeccompCondition::new(*place, length, comparison.clone(), *value)?;
        rules.entry(*call).or_default().push(SeccompRule::new(vec![condition])?);
    }
    #[cfg(target_arch = "x86_64")]
    {
        let (bit, own) = X32;
        let both: Vec<_> = rules.iter().map(|(call, rules)| (call | bit, rules.clone())).collect();
        rules.extend(both);
        rules.extend(own.map(|call| (call | bit, Vec::new())));
    }
    Ok(rules)
}

fn filter(
    rules: BTreeMap<i64, Vec<SeccompRule>>,
    action: SeccompAction,
) -> Result<BpfProgram, seccompiler::BackendError> {
    let here =
        architecture().ok_or(seccompiler::BackendError::InvalidTargetArch(env::consts::ARCH.into()))?;
    SeccompFilter::new(rules, SeccompAction::Allow, action, here)?.try_into()
}
