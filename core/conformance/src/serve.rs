//! The other side: the process in which a plugin is called.

use std::io::{Read, Write};
use std::sync::OnceLock;

use foretell_runtime::onnx::Places;

use crate::check::{ENTRIES, make};
use crate::fuzz;
use crate::measure;
use crate::process::{DETAIL_BYTES_MAX, Message, Task, Token, Work};
use crate::subject::Subject;
use crate::verdict::{Finding, Found, Verdict, fault, passed};

/// Where everything begins that is not a case's own, such as what a plugin has learned: a case is the same whatever seed the cases
/// began with.
const CASES_SEED: u64 = 0;

/// What the lines of this process begin with.
static TOKEN: OnceLock<Token> = OnceLock::new();

/// Does a task in this process, and says on standard output how it ends. Whoever started the process reads that.
///
/// **Invariant:** this process ends when the one that started it does: its standard input is closed then.
pub fn serve(task: &Task, places: &Places) {
    // Before anything of the plugin is loaded. Without it, nothing that is said is believed.
    if let Ok(token) = Token::read(std::io::stdin().lock()) {
        let _ = TOKEN.set(token);
    }
    std::thread::spawn(|| {
        // Nothing more is ever written to it.
        let _ = std::io::stdin().lock().read_to_end(&mut Vec::new());
        std::process::exit(1);
    });
    let verdict = Verdict::from(done(task, places));
    say(&Message::Done(verdict));
}

fn done(task: &Task, places: &Places) -> Found {
    match &task.work {
        Work::Check(name) => {
            let entry = ENTRIES.iter().find(|entry| entry.check.name == name);
            let entry = entry.ok_or_else(|| Finding::NotRun(format!("there is no check `{name}`")))?;
            make(entry, &task.directory, task.seed, places)
        }
        Work::Fuzz(cases) => {
            let subject = Subject::load(&task.directory, CASES_SEED, places)?;
            for seed in (0..*cases).map(|case| task.seed.wrapping_add(case)) {
                say(&Message::Case { seed });
                if let Err(reason) = fuzz::case(&subject, seed).said {
                    say(&Message::Fault { seed, reason });
                }
            }
            passed("")
        }
        Work::Reproduce => {
            let subject = Subject::load(&task.directory, CASES_SEED, places)?;
            say(&Message::Case { seed: task.seed });
            let planned = fuzz::plan(&subject, task.seed)?;
            // Told first: the plugin may take the process with it.
            for text in pieces(&planned.in_words(&subject)) {
                say(&Message::Detail { text });
            }
            let asked = planned.ask(&subject);
            asked.said.map_or_else(|reason| Err(fault(reason)), passed)
        }
        Work::Measure(what) => {
            measure::here(&task.directory, what, task.seed, places, |message| say(&message))?;
            passed("")
        }
    }
}

/// Tells whoever started this process. Should nobody listen any more, standard input is closed, too.
fn say(message: &Message) {
    let Some(token) = TOKEN.get() else { return };
    let mut stdout = std::io::stdout().lock();
    let _ = stdout.write_all(token.line(message).as_bytes()).and_then(|()| stdout.flush());
}

/// A text in pieces that each fit into a line.
fn pieces(text: &str) -> Vec<String> {
    let (mut pieces, mut rest) = (Vec::new(), text);
    while !rest.is_empty() {
        let (piece, behind) = rest.split_at(rest.floor_char_boundary(DETAIL_BYTES_MAX));
        pieces.push(piece.to_owned());
        rest = behind;
    }
    pieces
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pieces_are_the_whole_text() {
        let text = "\u{4}\u{e4}".repeat(DETAIL_BYTES_MAX);
        let pieces = pieces(&text);
        assert_eq!(pieces.len(), 4, "a letter is not cut");
        assert_eq!(pieces.concat(), text);
        assert!(super::pieces("").is_empty());
    }
}
