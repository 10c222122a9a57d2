//! Every purchase in memory, in a few bytes each: what evaluation and demand are counted from.

use std::collections::HashMap;
use std::sync::Arc;

use arrow_array::Array;
use arrow_array::cast::AsArray;
use arrow_array::types::Float64Type;
use arrow_schema::{DataType, Field, Schema};
use foretell_store::history::{HistoryError, Walk, WalkOptions};
use foretell_store::open::Store;
use foretell_store::time::Micros;

use crate::DOMAIN;

/// Ids that were numbered as they came.
#[derive(Clone, Debug, Default)]
pub struct Names {
    numbers: HashMap<Arc<str>, u32>,
    names: Vec<Arc<str>>,
}

impl Names {
    /// The number of a name, which gets one if it has none.
    ///
    /// # Panics
    /// At the 2^32nd name, which no store of ours holds.
    pub fn number(&mut self, name: &str) -> u32 {
        if let Some(&number) = self.numbers.get(name) {
            return number;
        }
        let number = u32::try_from(self.names.len()).expect("names are fewer than 2^32");
        let name: Arc<str> = name.into();
        self.names.push(Arc::clone(&name));
        self.numbers.insert(name, number);
        number
    }

    /// The number of a name, if it has one.
    pub fn find(&self, name: &str) -> Option<u32> {
        self.numbers.get(name).copied()
    }

    /// The name that has a number.
    pub fn name(&self, number: u32) -> &str {
        &self.names[number as usize]
    }

    /// How many names there are.
    pub fn len(&self) -> usize {
        self.names.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.names.is_empty()
    }
}

/// One stored purchase.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Line {
    /// Its record.
    pub record: i64,
    /// When.
    pub time: Micros,
    /// Who bought it, where that is known: a number of [`Ledger::customers`].
    pub customer: Option<u32>,
    /// What was bought: a number of [`Ledger::items`].
    pub item: u32,
    /// With what it was bought: a number of [`Ledger::baskets`].
    pub basket: Option<u32>,
    /// How many; 0 says that the item could be bought, and nobody did.
    pub quantity: f64,
}

/// The purchases of a database, in the order of (time, record).
#[derive(Clone, Debug, Default)]
pub struct Ledger {
    /// One line for each.
    pub lines: Vec<Line>,
    /// Customers.
    pub customers: Names,
    /// Items.
    pub items: Names,
    /// Baskets.
    pub baskets: Names,
}

impl Ledger {
    /// Reads every purchase before a time, or all. Questions are none.
    ///
    /// # Errors
    /// [`HistoryError`]: the database cannot be read.
    pub async fn read(store: &Store, to: Option<Micros>) -> Result<Self, HistoryError> {
        let text = |name| Field::new(name, DataType::Utf8, true);
        let quantity = Field::new("quantity", DataType::Float64, true);
        let steps = Field::new("steps", DataType::Int64, true);
        let fields = vec![text("customer"), text("item"), text("basket"), quantity, steps];
        let inputs = Arc::new(Schema::new(fields));
        let mut walk =
            Walk::new(store, WalkOptions { to, ..WalkOptions::new(DOMAIN, inputs, Vec::new()) }).await?;
        let mut ledger = Self::default();
        while let Some(batch) = walk.next().await? {
            let texts = |column| batch.records.column(column).as_string::<i32>();
            let (customers, items, baskets) = (texts(0), texts(1), texts(2));
            let quantities = batch.records.column(3).as_primitive::<Float64Type>();
            for (row, (&record, &time)) in batch.ids.iter().zip(&batch.event_times).enumerate() {
                // A question about demand has an item, and says how many steps are wanted.
                if items.is_null(row) || batch.records.column(4).is_valid(row) {
                    continue;
                }
                let name = |texts: &arrow_array::StringArray, names: &mut Names| {
                    texts.is_valid(row).then(|| names.number(texts.value(row)))
                };
                ledger.lines.push(Line {
                    record,
                    time,
                    customer: name(customers, &mut ledger.customers),
                    item: ledger.items.number(items.value(row)),
                    basket: name(baskets, &mut ledger.baskets),
                    quantity: if quantities.is_valid(row) { quantities.value(row) } else { 1.0 },
                });
            }
        }
        Ok(ledger)
    }

    /// When each item was sold, and how many, in the order of time, by number of [`Ledger::items`].
    pub fn sales(&self) -> Vec<Vec<(Micros, f64)>> {
        let mut sales = vec![Vec::new(); self.items.len()];
        for line in &self.lines {
            sales[line.item as usize].push((line.time, line.quantity));
        }
        sales
    }

    /// How often each item was bought before a time, by number of [`Ledger::items`]. Lines of quantity 0 say that it
    /// was not.
    pub fn sold_before(&self, time: Micros) -> Vec<u64> {
        let mut sold = vec![0; self.items.len()];
        for line in self.lines.iter().take_while(|line| line.time < time).filter(|line| line.quantity > 0.0) {
            sold[line.item as usize] += 1;
        }
        sold
    }
}
