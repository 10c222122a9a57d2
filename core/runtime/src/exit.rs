//! How processes end, in words.

use std::process::ExitStatus;

/// How a process ended, to follow a noun. Used for processes that were to do their work and go on.
///
/// ```
/// # #[cfg(unix)] {
/// use std::os::unix::process::ExitStatusExt;
/// use std::process::ExitStatus;
///
/// use foretell_runtime::exit::describe;
///
/// assert_eq!(describe(ExitStatus::from_raw(11)), "was ended by signal 11 (segmentation fault)");
/// assert_eq!(describe(ExitStatus::from_raw(40)), "was ended by signal 40");
/// assert_eq!(describe(ExitStatus::from_raw(7 << 8)), "ended with code 7");
/// # }
/// ```
pub fn describe(status: ExitStatus) -> String {
    #[cfg(unix)]
    if let Some(signal) = std::os::unix::process::ExitStatusExt::signal(&status) {
        return format!("was ended by signal {signal}{}", signal_name(signal));
    }
    match status.code() {
        Some(code) => format!("ended with code {code}"),
        None => "ended".to_owned(),
    }
}

/// What a signal is called, in brackets to follow its number; nothing where nobody would know the name either.
pub(crate) fn signal_name(signal: i32) -> &'static str {
    match signal {
        4 => " (illegal instruction)",
        6 => " (abort)",
        7 => " (bus error)",
        8 => " (arithmetic error)",
        9 => " (kill)",
        11 => " (segmentation fault)",
        25 => " (file too large)",
        31 => " (bad system call)",
        _ => "",
    }
}
