//! Which purchases are asked about, and what came next: the truth that recommendations are held against.
//!
//! Every purchase that the same customer followed by another one is a question; the next item is its target. With
//! baskets, the last item of each basket is a target, and the purchase before it in the basket is the question.
//! Whether a pair is looked at is decided by the time of its *target*: a split in time separates what was bought
//! before it from what is to be guessed.
//!
//! **Invariant:** a customer (or a basket) has one question at most whose target is in the period and which is not
//! itself in it, and that one comes first.

use std::collections::HashSet;

use foretell_store::time::Micros;

use crate::ledger::{Ledger, Line};

/// What shares its purchases: a customer, or a basket.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Group {
    /// What comes next for a customer?
    Customers,
    /// What completes a basket?
    Baskets,
}

/// Which pairs of question and target are looked at.
#[derive(Clone, Debug, Default)]
pub struct Period {
    /// Targets from this time on.
    pub from: Option<Micros>,
    /// Targets before this time.
    pub to: Option<Micros>,
    /// Only those of these customers, or baskets.
    pub only: Option<HashSet<String>>,
}

/// A purchase, and the next one: places in [`Ledger::lines`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pair {
    /// The purchase that is asked about.
    pub question: usize,
    /// What came next.
    pub target: usize,
}

/// The pairs of a period, in the order of their questions. What was sold 0 times is neither question nor target.
pub fn pairs(ledger: &Ledger, group: Group, period: &Period) -> Vec<Pair> {
    let (of, names): (fn(&Line) -> Option<u32>, _) = match group {
        Group::Customers => (|line| line.customer, &ledger.customers),
        Group::Baskets => (|line| line.basket, &ledger.baskets),
    };
    let mut latest: Vec<Option<usize>> = vec![None; names.len()];
    let mut pairs: Vec<(u32, Pair)> = Vec::new();
    for (target, line) in ledger.lines.iter().enumerate().filter(|(_, line)| line.quantity > 0.0) {
        let Some(member) = of(line) else { continue };
        if let Some(question) = latest[member as usize].replace(target) {
            pairs.push((member, Pair { question, target }));
        }
    }
    if group == Group::Baskets {
        // By target, the last pair of each basket is the one that completes it.
        pairs.retain(|(member, pair)| latest[*member as usize] == Some(pair.target));
    }
    let is_meant = |member: u32, pair: &Pair| {
        let time = ledger.lines[pair.target].time;
        period.from.is_none_or(|from| time >= from)
            && period.to.is_none_or(|to| time < to)
            && period.only.as_ref().is_none_or(|only| only.contains(names.name(member)))
    };
    let mut pairs: Vec<Pair> =
        pairs.into_iter().filter(|(member, pair)| is_meant(*member, pair)).map(|(_, pair)| pair).collect();
    pairs.sort_unstable_by_key(|pair| pair.question);
    pairs
}

/// What recommending the most popular items would have come to: for each pair the `count` items that were sold most
/// often, without what the customer (or the basket) had before. Flat, with offsets.
pub fn popular(
    ledger: &Ledger,
    group: Group,
    pairs: &[Pair],
    sold: &[u64],
    count: usize,
) -> (Vec<u32>, Vec<usize>) {
    let of: fn(&Line) -> Option<u32> = match group {
        Group::Customers => |line| line.customer,
        Group::Baskets => |line| line.basket,
    };
    let mut ranked: Vec<u32> = (0..sold.len() as u32).filter(|&item| sold[item as usize] > 0).collect();
    // Ties go to what was seen first.
    ranked.sort_by_key(|&item| std::cmp::Reverse(sold[item as usize]));
    let members = match group {
        Group::Customers => ledger.customers.len(),
        Group::Baskets => ledger.baskets.len(),
    };
    let mut had: Vec<HashSet<u32>> = vec![HashSet::new(); members];
    let (mut items, mut offsets) = (Vec::new(), vec![0]);
    let mut asked = pairs.iter().peekable();
    for (place, line) in ledger.lines.iter().enumerate() {
        let Some(member) = of(line) else { continue };
        let had = &mut had[member as usize];
        had.insert(line.item);
        if asked.next_if(|pair| pair.question == place).is_some() {
            items.extend(ranked.iter().filter(|item| !had.contains(item)).take(count));
            offsets.push(items.len());
        }
    }
    (items, offsets)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Customers buy items at times: `(time, customer, item)`; the basket is the customer's and the time's tens.
    fn ledger(bought: &[(Micros, &str, &str)]) -> Ledger {
        let mut ledger = Ledger::default();
        for (record, (time, customer, item)) in (1..).zip(bought) {
            let line = Line {
                record,
                time: *time,
                customer: Some(ledger.customers.number(customer)),
                item: ledger.items.number(item),
                basket: Some(ledger.baskets.number(&format!("{customer}-{}", time / 10))),
                quantity: if *item == "nothing" { 0.0 } else { 1.0 },
            };
            ledger.lines.push(line);
        }
        ledger
    }

    fn told(ledger: &Ledger, pairs: &[Pair]) -> Vec<(Micros, String)> {
        let item = |place: usize| ledger.items.name(ledger.lines[place].item).to_owned();
        pairs.iter().map(|pair| (ledger.lines[pair.question].time, item(pair.target))).collect()
    }

    const BOUGHT: [(Micros, &str, &str); 7] = [
        (1, "ann", "tent"),
        (2, "bob", "pan"),
        (3, "ann", "mat"),
        (4, "ann", "nothing"),
        (21, "bob", "knife"),
        (22, "ann", "stove"),
        (23, "ann", "gas"),
    ];

    #[test]
    fn the_target_decides_about_the_period() {
        let ledger = ledger(&BOUGHT);
        let pairs = |from, to| {
            let period = Period { from, to, only: None };
            told(&ledger, &pairs(&ledger, Group::Customers, &period))
        };
        let expected = [(1, "mat"), (2, "knife"), (3, "stove"), (22, "gas")];
        let expected: Vec<_> = expected.map(|(time, item)| (time, item.to_owned())).into();
        assert_eq!(pairs(None, None), expected);
        assert_eq!(pairs(Some(22), None), expected[2..]);
        assert_eq!(pairs(Some(4), Some(22)), expected[1..2]);
    }

    #[test]
    fn only_the_named_count() {
        let ledger = ledger(&BOUGHT);
        let only = Some(HashSet::from(["bob".to_owned()]));
        let found = pairs(&ledger, Group::Customers, &Period { only, ..Period::default() });
        assert_eq!(told(&ledger, &found), [(2, "knife".to_owned())]);
    }

    #[test]
    fn the_last_item_completes_a_basket() {
        let ledger = ledger(&[(1, "ann", "tent"), (2, "ann", "mat"), (3, "ann", "gas"), (21, "ann", "pan")]);
        let found = pairs(&ledger, Group::Baskets, &Period::default());
        assert_eq!(told(&ledger, &found), [(2, "gas".to_owned())]);
    }

    #[test]
    fn popular_items_are_those_that_the_customer_has_not() {
        let ledger = ledger(&BOUGHT);
        let pairs = pairs(&ledger, Group::Customers, &Period::default());
        let sold = [5, 4, 3, 0, 2, 1, 1];
        let (items, offsets) = popular(&ledger, Group::Customers, &pairs, &sold, 2);
        assert_eq!(offsets, [0, 2, 4, 6, 8]);
        // Tent, pan, mat, nothing, knife, stove, gas are 0 to 6. Ann has the tent; bob the pan; then ann the mat,
        // too, then the stove.
        assert_eq!(items, [1, 2, 0, 2, 1, 4, 1, 4]);
    }
}
