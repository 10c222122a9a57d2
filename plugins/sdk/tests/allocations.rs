//! Writing rankings costs no allocation for each item: only for the buffers, which double when they are full.

#![expect(unsafe_code, reason = "counts what the system's allocator is asked for")]

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::fmt::Write;

use foretell_sdk::{Predictions, Rankings};

struct Counting;

thread_local! {
    static ALLOCATIONS: Cell<usize> = const { Cell::new(0) };
}

// SAFETY: everything is done by the system's allocator.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        ALLOCATIONS.set(ALLOCATIONS.get() + 1);
        // SAFETY: the caller keeps the allocator's contract.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, memory: *mut u8, layout: Layout) {
        // SAFETY: as above.
        unsafe { System.dealloc(memory, layout) };
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

#[test]
fn an_item_costs_no_allocation() {
    /// Growing buffers: offsets, texts and validity of two columns, scores, ends, and the text of a reason.
    const BUFFERS: usize = 9;
    const RECORDS: usize = 1 << 10;
    const ITEMS: usize = 1 << 4;
    let before = ALLOCATIONS.get();
    let mut rankings = Rankings::with_capacity(RECORDS);
    let mut reason = String::new();
    for record in 0..RECORDS {
        for item in 0..ITEMS {
            reason.clear();
            write!(reason, "bought {record}").unwrap();
            rankings.push("an item", item as f32, (item > 0).then_some(&reason));
        }
        rankings.end_record();
    }
    let allocations = ALLOCATIONS.get() - before;
    // A buffer of n bytes was doubled log2(n) times at most; none is longer than 16 bytes for each item.
    let doublings = (16 * RECORDS * ITEMS).ilog2() as usize;
    assert!(allocations <= BUFFERS * doublings, "{allocations} allocations for {} items", RECORDS * ITEMS);
}
