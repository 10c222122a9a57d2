//! What is learned: how often, and how closely, two items were bought by the same customer or in the same basket.
//!
//! Statistics are whole numbers, and a purchase adds to them by its own item and its past alone. So they do not depend
//! on the order of the purchases, and learning more later is the same as having learned all at once.
//!
//! For the item of a purchase and each other item of its past:
//!
//! - `together` counts the purchase, unless its item was in its past already: then the two were counted when the later of
//!   them was first bought. So a pair counts once for each customer, or for each basket of nobody's.
//! - `nearness` adds 1/distance, where the distance is 1 for the item bought last, 2 for the one before, up to [`WINDOW`].
//!   In units of 1/[`UNIT`] these are whole numbers.
//!
//! An item that stands in the past several times counts where it stands last, and the item of the purchase itself is
//! passed over. Pairs are directed, the earlier item first. Within a basket nothing is earlier: its items are at distance 1
//! in both directions, and do not move what was bought before them further away.

use std::collections::HashMap;
use std::sync::Arc;

/// Farthest distance that adds to the nearness of two items.
pub const WINDOW: usize = 10;
/// Nearness of two items that were bought next to each other: the least common multiple of 1 to [`WINDOW`].
pub const UNIT: u64 = 2520;
/// How many different items of a past are paired with a purchase, the latest ones. It bounds what one customer who buys
/// for a thousand households can cost: the pairs of a past grow with its square.
pub const PAST_MAX: usize = 1000;
/// Most pairs that are learned. At 24 bytes each they take 3 GiB.
pub const PAIRS_MAX: usize = 1 << 27;
/// Most items that are learned.
pub const ITEMS_MAX: usize = 1 << 26;

/// Pairs that are gathered before they are added up, at least. Gathering as many as there are sums keeps adding linear.
const GATHERED_MIN: usize = 1 << 20;

/// An item, and when and how often it was bought.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Item {
    /// How records name it.
    pub id: Arc<str>,
    /// When it was first bought, in microseconds since 1970.
    pub first: i64,
    /// When it was last bought, likewise.
    pub last: i64,
    /// How many purchases of it were learned.
    pub purchases: u64,
}

/// How often and how closely one item was bought after another. Items are positions in [`Learned::items`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pair {
    /// The item that was bought first.
    pub earlier: u32,
    /// The item that was bought then.
    pub later: u32,
    /// Customers, or baskets of nobody's, that bought both in this order.
    pub together: u64,
    /// Sum of 1/distance, in units of 1/[`UNIT`].
    pub nearness: u64,
}

impl Pair {
    fn key(&self) -> (u32, u32) {
        (self.earlier, self.later)
    }
}

/// A past purchase.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Event<'a> {
    /// When, in microseconds since 1970.
    pub time: i64,
    /// What was bought.
    pub item: &'a str,
}

/// More was to be learned than is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "the purchases have more than {limit} {what}, the most that are learned\n  \
     hint: learn from fewer records, such as those of the last year, with `--from`"
)]
pub struct TooMany {
    what: &'static str,
    limit: usize,
}

/// Everything that was learned, in one order, whatever the order of learning.
///
/// - **Invariant:** items are in the order of their first purchase, those of the same time in the order of their names.
/// - **Invariant:** pairs are in the order of their items, each once, none of an item with itself, none without a count.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Learned {
    /// The items.
    pub items: Vec<Item>,
    /// The pairs of them that were bought together.
    pub pairs: Vec<Pair>,
}

/// Learns from one purchase after the other.
///
/// ```
/// use foretell_plugin_item_knn::counts::{Counts, Event, UNIT};
///
/// let mut counts = Counts::default();
/// let alone = std::iter::empty();
/// counts.learn(Event { time: 1, item: "bread" }, alone.clone(), alone.clone())?;
/// let past = [Event { time: 1, item: "bread" }];
/// counts.learn(Event { time: 2, item: "butter" }, past.into_iter(), alone)?;
///
/// let learned = counts.finish();
/// assert_eq!(learned.items.iter().map(|item| &*item.id).collect::<Vec<_>>(), ["bread", "butter"]);
/// assert_eq!((learned.pairs[0].earlier, learned.pairs[0].later), (0, 1));
/// assert_eq!((learned.pairs[0].together, learned.pairs[0].nearness), (1, UNIT));
/// # Ok::<(), foretell_plugin_item_knn::counts::TooMany>(())
/// ```
#[derive(Debug, Default)]
pub struct Counts {
    items: Vec<Item>,
    positions: HashMap<Arc<str>, u32>,
    /// Added up, in order.
    pairs: Vec<Pair>,
    /// Not added up yet.
    gathered: Vec<Pair>,
    /// The purchase that an item was last met in the past of, by item.
    met: Vec<u64>,
    purchases: u64,
    others: Vec<u32>,
}

impl From<Learned> for Counts {
    /// Goes on from what was learned before.
    fn from(learned: Learned) -> Self {
        let places = learned.items.iter().zip(0..);
        Self {
            positions: places.map(|(item, position)| (item.id.clone(), position)).collect(),
            met: vec![0; learned.items.len()],
            items: learned.items,
            pairs: learned.pairs,
            ..Self::default()
        }
    }
}

impl Counts {
    /// Learns from a purchase. `bought` is what the customer bought before and `together` what is in the basket already,
    /// both **latest first**; an item that is in both is in the basket.
    pub fn learn<'a>(
        &mut self,
        purchase: Event<'_>,
        bought: impl Iterator<Item = Event<'a>>,
        together: impl Iterator<Item = Event<'a>>,
    ) -> Result<(), TooMany> {
        self.purchases += 1;
        let item = self.position(purchase)?;
        let purchases = &mut self.items[item as usize].purchases;
        *purchases = purchases.saturating_add(1);
        let mut others = std::mem::take(&mut self.others);
        others.clear();
        let mut bought_before = false;
        for event in together {
            self.meet(event, item, &mut others, &mut bought_before)?;
        }
        let basket = others.len();
        for event in bought {
            self.meet(event, item, &mut others, &mut bought_before)?;
        }
        let together = u64::from(!bought_before);
        for (place, &other) in others.iter().enumerate() {
            if place < basket {
                self.gathered.push(Pair { earlier: other, later: item, together, nearness: UNIT });
                self.gathered.push(Pair { earlier: item, later: other, together: 0, nearness: UNIT });
                continue;
            }
            let distance = place - basket + 1;
            let nearness = if distance <= WINDOW { UNIT / distance as u64 } else { 0 };
            if together + nearness > 0 {
                self.gathered.push(Pair { earlier: other, later: item, together, nearness });
            }
        }
        self.others = others;
        if self.gathered.len() >= GATHERED_MIN.max(self.pairs.len()) {
            self.add_up();
        }
        if self.pairs.len() > PAIRS_MAX {
            return Err(TooMany { what: "pairs of items", limit: PAIRS_MAX });
        }
        Ok(())
    }

    /// Notes an item of the past of `item`, unless it was met in this past before.
    fn meet(
        &mut self,
        event: Event<'_>,
        item: u32,
        others: &mut Vec<u32>,
        bought_before: &mut bool,
    ) -> Result<(), TooMany> {
        let other = self.position(event)?;
        if other == item {
            *bought_before = true;
        } else if std::mem::replace(&mut self.met[other as usize], self.purchases) != self.purchases
            && others.len() < PAST_MAX
        {
            others.push(other);
        }
        Ok(())
    }

    /// The position of an item, which is new or was bought at this time too.
    fn position(&mut self, Event { time, item }: Event<'_>) -> Result<u32, TooMany> {
        if let Some(&position) = self.positions.get(item) {
            let known = &mut self.items[position as usize];
            (known.first, known.last) = (known.first.min(time), known.last.max(time));
            return Ok(position);
        }
        if self.items.len() == ITEMS_MAX {
            return Err(TooMany { what: "items", limit: ITEMS_MAX });
        }
        let (position, id) = (self.items.len() as u32, Arc::<str>::from(item));
        self.positions.insert(id.clone(), position);
        self.items.push(Item { id, first: time, last: time, purchases: 0 });
        self.met.push(0);
        Ok(position)
    }

    fn add_up(&mut self) {
        self.pairs.append(&mut self.gathered);
        sort_and_add(&mut self.pairs);
    }

    /// Everything that was learned.
    pub fn finish(mut self) -> Learned {
        self.add_up();
        let mut order: Vec<u32> = (0..self.items.len() as u32).collect();
        order.sort_unstable_by_key(|&position| {
            let item = &self.items[position as usize];
            (item.first, &item.id)
        });
        let mut moved = vec![0; order.len()];
        for (new, &old) in order.iter().enumerate() {
            moved[old as usize] = new as u32;
        }
        for pair in &mut self.pairs {
            (pair.earlier, pair.later) = (moved[pair.earlier as usize], moved[pair.later as usize]);
        }
        sort_and_add(&mut self.pairs);
        let items = order.iter().map(|&position| self.items[position as usize].clone()).collect();
        Learned { items, pairs: self.pairs }
    }
}

/// Brings pairs in order, and adds up those of the same two items.
fn sort_and_add(pairs: &mut Vec<Pair>) {
    // Stable, since most of the pairs are in order already: they are the sums of before.
    pairs.sort_by_key(Pair::key);
    pairs.dedup_by(|next, sum| {
        let same = next.key() == sum.key();
        if same {
            // A file may hold any numbers; sums of purchases never come near the end of 64 bits.
            sum.together = sum.together.saturating_add(next.together);
            sum.nearness = sum.nearness.saturating_add(next.nearness);
        }
        same
    });
}
