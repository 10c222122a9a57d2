//! Card fraud from a transaction and its past: 15 [`features`] computed here, a feed-forward network run by the host.
//!
//! The record is the raw transaction (time, amount); the past comes as two history columns, the customer's last 30 days
//! and what was known a week ago about the terminal. `plugin.toml` says so to the host, `training/` made the network,
//! and `model/MODEL_CARD.md` says what it is worth.

pub mod features;

use std::cell::RefCell;
use std::ops::Range;

use foretell_sdk::{
    Column, Error, History, Model, Open, Past, Plugin, Records, Scores, Tensor, TensorMut, Time,
};

use features::{Customer, FEATURES, MEANS, Terminal, features};

/// Largest amount, as in the manifest. A mean beyond it has left what the network was trained on, and what 32 bits can add.
const AMOUNT_MAX: f64 = 1e9;

/// The plugin: handles of the columns it reads, and its network.
struct FeedForward {
    time: Column<Time>,
    amount: Column<f64>,
    customer: History,
    customer_times: Past<Time>,
    customer_amounts: Past<f64>,
    terminal: History,
    terminal_times: Past<Time>,
    terminal_frauds: Past<bool>,
    network: Model,
}

thread_local! {
    /// Input of the network. Kept between calls, because allocating it costs as much as a small batch.
    static INPUT: RefCell<Vec<f32>> = const { RefCell::new(Vec::new()) };
}

impl FeedForward {
    fn write_features(&self, records: &Records<'_>, input: &mut Vec<f32>) -> Result<(), Error> {
        let times = records.column(self.time).values();
        let amounts = records.column(self.amount).values();
        let customer_rows = records.history(self.customer);
        let customer_times = records.past(self.customer_times).values();
        let customer_amounts = records.past(self.customer_amounts).values();
        let terminal_rows = records.history(self.terminal);
        let terminal_times = records.past(self.terminal_times).values();
        let terminal_frauds = records.past(self.terminal_frauds);
        input.clear();
        for row in 0..records.len() {
            let past = customer_rows.range(row);
            let customer =
                Customer { times: &customer_times[past.clone()], amounts: &customer_amounts[past] };
            let past = terminal_rows.range(row);
            let first = past.start;
            let frauds =
                |range: Range<usize>| terminal_frauds.count_true(first + range.start..first + range.end);
            let terminal = Terminal { times: &terminal_times[past], frauds };
            let found = features(times[row], amounts[row], customer, terminal);
            // What is stored is not always what may be predicted, and the past is given as it is stored.
            if MEANS.iter().any(|&mean| !found[mean].is_finite() || found[mean].abs() > AMOUNT_MAX) {
                return Err(Error::invalid(format!(
                    "history `customer` has an `amount` that is no number, or beyond {AMOUNT_MAX:e}; correct the records of the customer"
                )));
            }
            input.extend(found.map(|value| value as f32));
        }
        Ok(())
    }
}

impl Plugin for FeedForward {
    type Predictions = Scores;

    fn open(request: &Open<'_>) -> Result<Self, Error> {
        let (customer, terminal) = (request.history("customer")?, request.history("terminal")?);
        Ok(Self {
            time: request.column("event_time")?,
            amount: request.column("amount")?,
            customer,
            customer_times: request.past_times(customer)?,
            customer_amounts: request.past(customer, "amount")?,
            terminal,
            terminal_times: request.past_times(terminal)?,
            terminal_frauds: request.past(terminal, "label.fraud")?,
            network: request.model("network")?,
        })
    }

    fn predict(&self, records: &Records<'_>, scores: &mut Scores) -> Result<(), Error> {
        if records.is_empty() {
            return Ok(());
        }
        let rows = records.len() as i64;
        INPUT.with_borrow_mut(|input| {
            self.write_features(records, input)?;
            let shape = [rows, FEATURES as i64];
            let input = Tensor::new(input.as_slice(), &shape)?;
            let shape = [rows];
            let output = TensorMut::new(scores.fill(records.len()), &shape)?;
            self.network.run(&[input], &mut [output])
        })
    }
}

foretell_sdk::export!(FeedForward, "fraud-feed-forward", env!("CARGO_PKG_VERSION"));
