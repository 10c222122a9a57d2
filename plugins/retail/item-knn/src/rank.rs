//! Ranking: what goes with a sequence of items.

use std::cmp::Ordering;

use crate::counts::Event;
use crate::neighbours::Neighbours;

/// Why an item is in the answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reason {
    /// It goes with this item of the sequence, more than with any other of it.
    Bought(u32),
    /// Many buy it.
    Popular,
}

/// An item of the answer.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Ranked {
    /// Which item.
    pub item: u32,
    /// How well it goes with the sequence. Scores of one answer compare with each other, and with no others.
    pub score: f32,
    /// Why it is there.
    pub reason: Reason,
}

/// Memory that ranking needs, kept from one question to the next: it is as large as the catalogue.
///
/// ```
/// use foretell_plugin_item_knn::counts::{Counts, Event};
/// use foretell_plugin_item_knn::neighbours::Neighbours;
/// use foretell_plugin_item_knn::rank::{Ranker, Reason};
/// use foretell_plugin_item_knn::settings::Settings;
///
/// let mut counts = Counts::default();
/// let past = [Event { time: 1, item: "bread" }];
/// counts.learn(past[0], [].into_iter(), [].into_iter())?;
/// counts.learn(Event { time: 2, item: "butter" }, past.into_iter(), [].into_iter())?;
/// counts.learn(Event { time: 3, item: "nails" }, [].into_iter(), [].into_iter())?;
/// let neighbours = Neighbours::new(counts.finish(), Settings::default());
///
/// let mut ranker = Ranker::default();
/// let mut sequence = ranker.begin(&neighbours, 4);
/// sequence.in_turn(past.into_iter());
/// let answer = sequence.rank(10);
/// assert_eq!(answer.len(), 2, "bread itself is not answered");
/// assert_eq!(&*neighbours.item(answer[0].item).id, "butter");
/// assert_eq!(answer[0].reason, Reason::Bought(neighbours.find("bread").unwrap()));
/// assert_eq!(answer[1].reason, Reason::Popular);
/// # Ok::<(), foretell_plugin_item_knn::counts::TooMany>(())
/// ```
#[derive(Debug, Default)]
pub struct Ranker {
    /// The number of this question. What other questions left in `cells` has other numbers.
    question: u32,
    cells: Vec<Cell>,
    /// The question that an item was last in the sequence of, by item.
    asked: Vec<u32>,
    steps: Vec<Step>,
    /// Items that were reached, in the order of being reached.
    reached: Vec<u32>,
    answer: Vec<Ranked>,
}

/// What one question found out about an item.
#[derive(Clone, Copy, Debug, Default)]
struct Cell {
    question: u32,
    score: f32,
}

/// An item of the sequence.
#[derive(Clone, Copy, Debug)]
struct Step {
    item: u32,
    weight: f32,
}

impl Ranker {
    /// Begins a question that is asked at `time`, in microseconds since 1970.
    pub fn begin<'a>(&'a mut self, neighbours: &'a Neighbours, time: i64) -> Sequence<'a> {
        if self.question == u32::MAX {
            self.cells.clear();
            self.asked.clear();
            self.question = 0;
        }
        self.question += 1;
        if self.cells.len() < neighbours.len() {
            self.cells.resize(neighbours.len(), Cell::default());
            self.asked.resize(neighbours.len(), 0);
        }
        self.steps.clear();
        Sequence { ranker: self, neighbours, time, age: 0 }
    }
}

/// A question: the items that somebody has, given **latest first**. Unknown ones are passed over, and one that is named
/// several times counts where it is named first, which is where it stands last.
pub struct Sequence<'a> {
    ranker: &'a mut Ranker,
    neighbours: &'a Neighbours,
    time: i64,
    age: usize,
}

impl<'a> Sequence<'a> {
    /// Adds items one after the other, each one step older than the one before.
    pub fn in_turn<'i>(&mut self, items: impl Iterator<Item = Event<'i>>) {
        for event in items {
            self.age += usize::from(self.add(event));
        }
    }

    /// Adds items of the same age: a basket.
    pub fn at_once<'i>(&mut self, items: impl Iterator<Item = Event<'i>>) {
        let mut any = false;
        for event in items {
            any |= self.add(event);
        }
        self.age += usize::from(any);
    }

    /// Adds an item, and says whether it is known and new.
    fn add(&mut self, Event { time, item }: Event<'_>) -> bool {
        let Some(item) = self.neighbours.find(item) else { return false };
        let asked = &mut self.ranker.asked[item as usize];
        if *asked == self.ranker.question {
            return false;
        }
        *asked = self.ranker.question;
        let weight = self.neighbours.weight(self.age, self.time.saturating_sub(time));
        if weight > 0.0 {
            self.ranker.steps.push(Step { item, weight });
        }
        true
    }

    /// Answers with the best `count` items, or as many as there are: by score, and among equals the one that anybody
    /// bought first. Where the sequence leads to fewer, popular items follow if the settings say so.
    pub fn rank(self, count: usize) -> &'a [Ranked] {
        let Self { ranker, neighbours, .. } = self;
        let settings = neighbours.settings();
        ranker.reached.clear();
        ranker.answer.clear();
        if !settings.only_popular {
            ranker.reach(neighbours);
            ranker.answer_reached(neighbours, count);
        }
        if settings.fill || settings.only_popular {
            ranker.answer_popular(neighbours, count);
        }
        &ranker.answer
    }
}

impl Ranker {
    /// Adds up the scores of all neighbours of the sequence.
    fn reach(&mut self, neighbours: &Neighbours) {
        for step in &self.steps {
            for neighbour in neighbours.of(step.item) {
                let cell = &mut self.cells[neighbour.item as usize];
                if cell.question != self.question {
                    *cell = Cell { question: self.question, score: 0.0 };
                    self.reached.push(neighbour.item);
                }
                cell.score += step.weight * neighbour.similarity;
            }
        }
    }

    /// Whether an item may be in the answer.
    fn is_wanted(&self, neighbours: &Neighbours, item: u32) -> bool {
        neighbours.settings().repeat || self.asked[item as usize] != self.question
    }

    fn answer_reached(&mut self, neighbours: &Neighbours, count: usize) {
        for &item in &self.reached {
            if self.is_wanted(neighbours, item) {
                let score = self.cells[item as usize].score;
                self.answer.push(Ranked { item, score, reason: Reason::Popular });
            }
        }
        if count < self.answer.len() {
            self.answer.select_nth_unstable_by(count, best_first);
            self.answer.truncate(count);
        }
        self.answer.sort_unstable_by(best_first);
        for ranked in &mut self.answer {
            let mut most = 0.0;
            for step in &self.steps {
                let part = step.weight * neighbours.similarity(step.item, ranked.item);
                if part > most {
                    (most, ranked.reason) = (part, Reason::Bought(step.item));
                }
            }
        }
    }

    /// Appends popular items until there are `count`. Their scores go on below those of the items before.
    fn answer_popular(&mut self, neighbours: &Neighbours, count: usize) {
        let top = self.answer.last().map_or(1.0, |last| last.score);
        let most = neighbours.popular().first().map_or(0, |&item| neighbours.item(item).purchases).max(1);
        for &item in neighbours.popular() {
            if self.answer.len() >= count {
                break;
            }
            if self.cells[item as usize].question != self.question && self.is_wanted(neighbours, item) {
                let share = neighbours.item(item).purchases as f32 / most as f32;
                self.answer.push(Ranked { item, score: top * share, reason: Reason::Popular });
            }
        }
    }
}

fn best_first(one: &Ranked, other: &Ranked) -> Ordering {
    other.score.total_cmp(&one.score).then(one.item.cmp(&other.item))
}
