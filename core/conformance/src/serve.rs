//! The other side: the process in which a plugin is called.

use std::io::{Read, Write};

use foretell_runtime::onnx::Places;

use crate::check::{ENTRIES, make};
use crate::fuzz;
use crate::process::{Message, Task, Work};
use crate::subject::Subject;
use crate::verdict::{Finding, Found, Verdict, fault, passed};

/// Where everything begins that is not a case's own, such as what a plugin has learned: a case is the same whatever seed the cases
/// began with.
const CASES_SEED: u64 = 0;

/// Does a task in this process, and says on standard output how it ends. Whoever started the process reads that.
///
/// **Invariant:** this process ends when the one that started it does: its standard input is closed then.
pub fn serve(task: &Task, places: &Places) {
    std::thread::spawn(|| {
        // Nothing is ever written to it.
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
            say(&Message::Detail { text: planned.in_words(&subject) });
            let asked = planned.ask(&subject);
            asked.said.map_or_else(|reason| Err(fault(reason)), passed)
        }
    }
}

/// Tells whoever started this process. Should nobody listen any more, standard input is closed, too.
fn say(message: &Message) {
    let line = serde_json::to_string(message).expect("messages are numbers and texts");
    let mut stdout = std::io::stdout().lock();
    // What a plugin printed may lack the end of its line.
    let _ = write!(stdout, "\n{line}\n").and_then(|()| stdout.flush());
}
