//! Progress of long work, on standard error, and only where somebody watches.

use std::time::Duration;

use indicatif::{HumanCount, ProgressBar, ProgressState, ProgressStyle};

/// A bar with a rate and the time that is left.
pub struct Bar(ProgressBar);

impl Bar {
    /// A bar of `total` things, called `unit`; without a total it only counts. Nothing is drawn unless standard error is a
    /// terminal, and nothing when `quiet`.
    pub fn new(what: &'static str, unit: &'static str, total: Option<u64>, quiet: bool) -> Self {
        let bar = match (quiet, total) {
            (true, _) => ProgressBar::hidden(),
            (false, Some(total)) => ProgressBar::new(total),
            (false, None) => ProgressBar::no_length(),
        };
        let template = match total {
            Some(_) => "{msg:10} {wide_bar:.green} {count}/{all} {unit}  {rate}/s  {eta} left",
            None => "{msg:10} {spinner} {count} {unit}  {rate}/s",
        };
        let style = ProgressStyle::with_template(template)
            .expect("the template is a constant")
            .with_key("count", |state: &ProgressState, out: &mut dyn std::fmt::Write| {
                let _ = write!(out, "{}", HumanCount(state.pos()));
            })
            .with_key("all", |state: &ProgressState, out: &mut dyn std::fmt::Write| {
                let _ = write!(out, "{}", HumanCount(state.len().unwrap_or(0)));
            })
            .with_key("unit", move |_: &ProgressState, out: &mut dyn std::fmt::Write| {
                let _ = out.write_str(unit);
            })
            .with_key("rate", |state: &ProgressState, out: &mut dyn std::fmt::Write| {
                let _ = write!(out, "{}", HumanCount(state.per_sec() as u64));
            });
        bar.set_style(style);
        bar.set_message(what);
        Self(bar)
    }

    /// No bar, but a sign of life: for work that takes its time in one piece.
    pub fn waiting(what: &'static str, quiet: bool) -> Self {
        /// Time between two pictures of the sign.
        const TICK: Duration = Duration::from_millis(100);
        if quiet {
            return Self(ProgressBar::hidden());
        }
        let bar = ProgressBar::new_spinner();
        bar.set_style(
            ProgressStyle::with_template("{msg:10} {spinner} {elapsed}").expect("the template is a constant"),
        );
        bar.set_message(what);
        bar.enable_steady_tick(TICK);
        Self(bar)
    }

    /// Says how far the work is.
    pub fn set(&self, done: u64) {
        self.0.set_position(done);
    }

    /// Says how much there is to do.
    pub fn set_total(&self, total: u64) {
        self.0.set_length(total);
    }

    /// Takes the bar off the screen.
    pub fn finish(self) {
        self.0.finish_and_clear();
    }
}
