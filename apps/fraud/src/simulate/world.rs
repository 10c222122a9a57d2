//! Who pays where: customers and terminals on a square, and a grid that finds the terminals near a customer.
//!
//! A table of every customer's terminals would take gigabytes in a large world. The grid keeps the terminals sorted by
//! cell instead, in cells at least as wide as the radius: all that a customer can reach lies in 3 by 3 cells, and the
//! three neighbours in a row of cells stand side by side. A terminal is drawn from these, and drawn again while it is
//! too far away, which makes each one in reach equally likely and takes 3 draws on average.

use std::ops::Range;

use rand_chacha::ChaCha8Rng;

use super::draw::{Purpose, Streams, below, unit};

/// The side of the square.
const SIDE: f64 = 100.0;
/// Mean amounts of the customers, in currency units.
const MEAN_AMOUNT: Range<f64> = 5.0..100.0;
/// Mean payments a day of the customers.
const PAYMENTS_PER_DAY: Range<f64> = 0.0..4.0;

/// A customer's habits.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Customer {
    /// Place, 0 to 100.
    pub x: f64,
    /// Place, 0 to 100.
    pub y: f64,
    /// Mean amount of a payment in currency units, 5 to 100; the standard deviation is half of it.
    pub mean_amount: f64,
    /// Mean payments a day, 0 to 4.
    pub payments_per_day: f64,
    /// The terminal to go to where none is within the radius.
    nearest: Option<u32>,
}

/// Where a terminal stands.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Terminal {
    /// Place, 0 to 100.
    pub x: f64,
    /// Place, 0 to 100.
    pub y: f64,
}

#[derive(Debug)]
pub(super) struct World {
    customers: Vec<Customer>,
    grid: Grid,
}

impl World {
    pub(super) fn new(streams: &Streams, customers: u32, terminals: u32, radius: f64) -> World {
        let place = |number| {
            let mut random = streams.open(Purpose::Terminal, number, 0);
            Terminal { x: SIDE * unit(&mut random), y: SIDE * unit(&mut random) }
        };
        let grid = Grid::new((0..terminals).map(place).collect(), radius);
        let customer = |number| {
            let mut random = streams.open(Purpose::Customer, number, 0);
            let mut between = |range: Range<f64>| range.start + (range.end - range.start) * unit(&mut random);
            let (x, y) = (between(0.0..SIDE), between(0.0..SIDE));
            let (mean_amount, payments_per_day) = (between(MEAN_AMOUNT), between(PAYMENTS_PER_DAY));
            let nearest = (!grid.reaches_any(x, y)).then(|| grid.nearest(x, y));
            Customer { x, y, mean_amount, payments_per_day, nearest }
        };
        World { customers: (0..customers).map(customer).collect(), grid }
    }

    pub(super) fn customers(&self) -> &[Customer] {
        &self.customers
    }

    pub(super) fn terminals(&self) -> Vec<Terminal> {
        let mut terminals = vec![Terminal { x: 0.0, y: 0.0 }; self.grid.members.len()];
        for member in &self.grid.members {
            terminals[member.number as usize] = member.terminal;
        }
        terminals
    }

    /// One of the terminals that the customer reaches.
    pub(super) fn choose_terminal(&self, customer: &Customer, random: &mut ChaCha8Rng) -> u32 {
        customer.nearest.unwrap_or_else(|| self.grid.choose(customer.x, customer.y, random))
    }
}

/// Terminals sorted by cell.
#[derive(Debug)]
struct Grid {
    radius: f64,
    /// Cells on each side.
    cells: usize,
    /// Where the members of each cell start, row by row, and the end of the last.
    starts: Vec<u32>,
    members: Vec<Member>,
}

#[derive(Debug, Clone, Copy)]
struct Member {
    number: u32,
    terminal: Terminal,
}

impl Member {
    fn square_distance(&self, x: f64, y: f64) -> f64 {
        (self.terminal.x - x).powi(2) + (self.terminal.y - y).powi(2)
    }
}

impl Grid {
    /// At least one terminal.
    fn new(terminals: Vec<Terminal>, radius: f64) -> Grid {
        // More cells than terminals would cost memory and find nothing.
        let cells_max = (terminals.len() as f64).sqrt().ceil();
        let cells = (SIDE / radius).floor().clamp(1.0, cells_max) as usize;
        let members = (0..).zip(terminals).map(|(number, terminal)| Member { number, terminal });
        let mut grid = Grid { radius, cells, starts: Vec::new(), members: members.collect() };
        let cell = |member: &Member| grid.column(member.terminal.y) * cells + grid.column(member.terminal.x);
        let mut placed: Vec<(usize, Member)> =
            grid.members.iter().map(|member| (cell(member), *member)).collect();
        placed.sort_by_key(|(cell, _)| *cell);
        let start = |cell| placed.partition_point(|(other, _)| *other < cell) as u32;
        grid.starts = (0..=cells * cells).map(start).collect();
        grid.members = placed.into_iter().map(|(_, member)| member).collect();
        grid
    }

    /// The cell along one side.
    fn column(&self, place: f64) -> usize {
        ((place / SIDE * self.cells as f64) as usize).min(self.cells - 1)
    }

    /// The members of the cells of one row.
    fn row(&self, row: usize, columns: Range<usize>) -> &[Member] {
        let start = self.starts[row * self.cells + columns.start] as usize;
        let end = self.starts[row * self.cells + columns.end] as usize;
        &self.members[start..end]
    }

    /// The members of the 3 by 3 cells around a place, row by row.
    fn around(&self, x: f64, y: f64) -> [&[Member]; 3] {
        let (column, row) = (self.column(x), self.column(y));
        let columns = column.saturating_sub(1)..(column + 2).min(self.cells);
        let members = |row: Option<usize>| match row {
            Some(row) if row < self.cells => self.row(row, columns.clone()),
            _ => &[],
        };
        [members(row.checked_sub(1)), members(Some(row)), members(Some(row + 1))]
    }

    fn reaches_any(&self, x: f64, y: f64) -> bool {
        let square = self.radius * self.radius;
        self.around(x, y).into_iter().flatten().any(|member| member.square_distance(x, y) < square)
    }

    /// One of the terminals within the radius, of which there must be one.
    fn choose(&self, x: f64, y: f64, random: &mut ChaCha8Rng) -> u32 {
        let square = self.radius * self.radius;
        let rows = self.around(x, y);
        let total: usize = rows.iter().map(|row| row.len()).sum();
        loop {
            let mut place = below(total as u32, random) as usize;
            for row in rows {
                match row.get(place) {
                    Some(member) if member.square_distance(x, y) < square => return member.number,
                    Some(_) => break,
                    None => place -= row.len(),
                }
            }
        }
    }

    /// The terminal nearest to a place; of equally near ones the one with the smallest number.
    fn nearest(&self, x: f64, y: f64) -> u32 {
        let (column, row) = (self.column(x), self.column(y));
        let mut best = (f64::INFINITY, u32::MAX);
        for ring in 0..self.cells {
            let columns = column.saturating_sub(ring)..(column + ring + 1).min(self.cells);
            for r in row.saturating_sub(ring)..(row + ring + 1).min(self.cells) {
                // Inner cells are looked at again, but the rings are few: a cell holds one terminal or more on average.
                for member in self.row(r, columns.clone()) {
                    let found = (member.square_distance(x, y), member.number);
                    if found < best {
                        best = found;
                    }
                }
            }
            // What lies beyond this ring is at least so far away.
            let beyond = ring as f64 * SIDE / self.cells as f64;
            if best.0 <= beyond * beyond {
                break;
            }
        }
        best.1
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;

    fn places(count: impl Into<prop::collection::SizeRange>) -> impl Strategy<Value = Vec<Terminal>> {
        prop::collection::vec((0.0..SIDE, 0.0..SIDE).prop_map(|(x, y)| Terminal { x, y }), count)
    }

    fn square_distance(terminal: &Terminal, x: f64, y: f64) -> f64 {
        Member { number: 0, terminal: *terminal }.square_distance(x, y)
    }

    proptest! {
        #[test]
        fn the_grid_finds_what_a_search_of_all_finds(
            terminals in places(1..200),
            (x, y) in (0.0..SIDE, 0.0..SIDE),
            radius in prop_oneof![0.01..1.0, 1.0..40.0, 40.0..300.0],
            seed in any::<u64>(),
        ) {
            let grid = Grid::new(terminals.clone(), radius);
            let near = |t: &&Terminal| square_distance(t, x, y) < radius * radius;
            prop_assert_eq!(grid.reaches_any(x, y), terminals.iter().any(|t| near(&t)));
            let found = &terminals[grid.nearest(x, y) as usize];
            let least = terminals.iter().map(|t| square_distance(t, x, y)).fold(f64::INFINITY, f64::min);
            prop_assert_eq!(square_distance(found, x, y), least);
            if grid.reaches_any(x, y) {
                let mut random = Streams::new(seed).open(Purpose::Payments, 0, 0);
                let chosen = &terminals[grid.choose(x, y, &mut random) as usize];
                prop_assert!(near(&chosen));
            }
        }
    }

    #[test]
    fn every_terminal_in_reach_is_chosen_equally() {
        let streams = Streams::new(5);
        let world = World::new(&streams, 1, 4_000, 5.0);
        let customer = world.customers()[0];
        let mut random = streams.open(Purpose::Payments, 0, 0);
        let mut counts = BTreeMap::new();
        for _ in 0..30_000 {
            *counts.entry(world.choose_terminal(&customer, &mut random)).or_insert(0u32) += 1;
        }
        let reach = |t: &&Terminal| square_distance(t, customer.x, customer.y) < 25.0;
        let reached = world.terminals().iter().filter(reach).count();
        assert_eq!(counts.len(), reached);
        let mean = 30_000 / reached as u32;
        assert!(counts.values().all(|count| count.abs_diff(mean) < mean / 5), "{counts:?}");
    }

    #[test]
    fn places_and_habits_are_within_their_ranges() {
        let world = World::new(&Streams::new(9), 500, 300, 5.0);
        for customer in world.customers() {
            assert!((0.0..100.0).contains(&customer.x) && (0.0..100.0).contains(&customer.y));
            assert!(MEAN_AMOUNT.contains(&customer.mean_amount));
            assert!(PAYMENTS_PER_DAY.contains(&customer.payments_per_day));
        }
        assert!(world.terminals().iter().all(|t| (0.0..100.0).contains(&t.x) && (0.0..100.0).contains(&t.y)));
    }
}
