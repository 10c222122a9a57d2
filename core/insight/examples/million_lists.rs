//! How long a report on a million ranked lists takes:
//!
//! ```text
//! cargo run --release -p foretell-insight --example million_lists [LISTS [LENGTH [REPLICATES]]]
//! ```

#![expect(clippy::print_stdout, reason = "this is a program that answers on standard output")]

use std::error::Error;
use std::num::NonZeroUsize;
use std::time::Instant;

use foretell_insight::bootstrap::Bootstrap;
use foretell_insight::lists::Lists;
use foretell_insight::retrieval::{Columns, Popularity, RankingReport, Settings};
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};

/// The size of the catalogue.
const ITEMS: u32 = 12_101;
const CATEGORIES: u32 = 200;

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<usize> =
        std::env::args().skip(1).map(|argument| argument.parse()).collect::<Result<_, _>>()?;
    let argument = |n: usize, default: usize| arguments.get(n).copied().unwrap_or(default);
    let (rows, length, replicates) = (argument(0, 1_000_000), argument(1, 10), argument(2, 1_000));

    let mut random = ChaCha8Rng::seed_from_u64(0);
    let lists: Vec<u32> = (0..rows).flat_map(|_| list(length as u32, &mut random)).collect();
    // One target for each row: in the list of every third, at any place.
    let target = |(row, list): (usize, &[u32])| match row % 3 {
        0 => list[random.next_u32() as usize % length],
        _ => random.next_u32() % ITEMS,
    };
    let targets: Vec<u32> = lists.chunks(length).enumerate().map(target).collect();
    let ends = |length: usize| (0..=rows).map(|row| row * length).collect::<Vec<usize>>();
    let (list_ends, target_ends) = (ends(length), ends(1));
    let counts: Vec<u64> = (0..u64::from(ITEMS)).map(|item| 1 + 400 / (1 + item)).collect();
    let categories: Vec<Option<u32>> = (0..ITEMS).map(|item| Some(item % CATEGORIES)).collect();
    let columns = Columns {
        lists: Lists::new(&lists, &list_ends)?,
        targets: Lists::new(&targets, &target_ends)?,
        popularity: Popularity { counts: &counts, population: 22_363 },
        categories: Some(&categories),
    };

    let bootstrap = Bootstrap { replicates: u32::try_from(replicates)?, ..Bootstrap::default() };
    for bootstrap in [None, Some(bootstrap)] {
        let cutoffs = [5, length].into_iter().filter_map(NonZeroUsize::new).collect();
        let begin = Instant::now();
        let report = RankingReport::new(&columns, &Settings { cutoffs, bootstrap })?;
        let seconds = begin.elapsed().as_secs_f64();
        let what =
            bootstrap.map_or("no intervals".to_owned(), |with| format!("{} replicates", with.replicates));
        println!("{rows} lists of {length}, {what}: {seconds:.3} s");
        println!("{:?}", report.cutoffs.last());
    }
    Ok(())
}

/// A stretch of the catalogue in strides: no item twice, and nothing near another in memory.
fn list(length: u32, random: &mut ChaCha8Rng) -> impl Iterator<Item = u32> + use<> {
    let first = random.next_u32() % ITEMS;
    // The number of items is prime, so any stride leads through all of them.
    let stride = 1 + random.next_u32() % (ITEMS - 1);
    (0..length).map(move |place| {
        ((u64::from(first) + u64::from(place) * u64::from(stride)) % u64::from(ITEMS)) as u32
    })
}
