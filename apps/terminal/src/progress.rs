//! Progress of long work, on standard error, and only where somebody watches.

use std::time::Duration;

use indicatif::{HumanCount, ProgressBar, ProgressState, ProgressStyle};

use crate::output::visible;

/// What is drawn where the total is known.
const WITH_TOTAL: &str = "{msg:10} {wide_bar:.green} {count}/{all} {unit}  {rate}/s  {eta} left";
/// What is drawn where it is not.
const WITHOUT_TOTAL: &str = "{msg:10} {spinner} {count} {unit}  {rate}/s";
/// What is drawn below, once there is a note.
const NOTE: &str = "\n           {prefix}";

/// A bar with a rate and the time that is left.
pub struct Bar {
    bar: ProgressBar,
    template: &'static str,
    unit: &'static str,
}

impl Bar {
    /// A bar of `total` things, called `unit`; without a total it only counts. Nothing is drawn unless standard error is a
    /// terminal, and nothing when `quiet`.
    pub fn new(what: &'static str, unit: &'static str, total: Option<u64>, quiet: bool) -> Self {
        let bar = match (quiet, total) {
            (true, _) => ProgressBar::hidden(),
            (false, Some(total)) => ProgressBar::new(total),
            (false, None) => ProgressBar::no_length(),
        };
        let template = if total.is_some() { WITH_TOTAL } else { WITHOUT_TOTAL };
        bar.set_style(style(template, unit));
        bar.set_message(what);
        Self { bar, template, unit }
    }

    /// No bar, but a sign of life: for work that takes its time in one piece.
    pub fn waiting(what: &'static str, quiet: bool) -> Self {
        /// Time between two pictures of the sign.
        const TICK: Duration = Duration::from_millis(100);
        if quiet {
            return Self { bar: ProgressBar::hidden(), template: WITHOUT_TOTAL, unit: "" };
        }
        let bar = ProgressBar::new_spinner();
        bar.set_style(
            ProgressStyle::with_template("{msg:10} {spinner} {elapsed}").expect("the template is a constant"),
        );
        bar.set_message(what);
        bar.enable_steady_tick(TICK);
        Self { bar, template: WITHOUT_TOTAL, unit: "" }
    }

    /// Says how far the work is.
    pub fn set(&self, done: u64) {
        self.bar.set_position(done);
    }

    /// Says how far the work was before it began: that does not count for the rate.
    pub fn start(&self, done: u64) {
        self.bar.set_position(done);
        self.bar.reset_eta();
        self.bar.reset_elapsed();
    }

    /// Says something more about the work, on a line below the bar.
    pub fn note(&self, note: &str) {
        if self.bar.prefix().is_empty() {
            self.bar.set_style(style(&format!("{}{NOTE}", self.template), self.unit));
        }
        self.bar.set_prefix(visible(note).into_owned());
    }

    /// Says how much there is to do.
    pub fn set_total(&self, total: u64) {
        self.bar.set_length(total);
    }

    /// Takes the bar off the screen.
    pub fn finish(self) {
        self.bar.finish_and_clear();
    }
}

fn style(template: &str, unit: &'static str) -> ProgressStyle {
    ProgressStyle::with_template(template)
        .expect("the templates are constants")
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
        })
}
