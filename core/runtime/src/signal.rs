//! Signals that end processes, in words.

/// What a signal is called, in brackets to follow its number; nothing where nobody would know the name either.
///
/// ```
/// use foretell_runtime::signal::signal_name;
///
/// assert_eq!(format!("ended by signal 11{}", signal_name(11)), "ended by signal 11 (segmentation fault)");
/// assert_eq!(signal_name(40), "");
/// ```
pub fn signal_name(signal: i32) -> &'static str {
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
