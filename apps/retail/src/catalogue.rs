//! The items as the shop describes them.

use std::collections::HashMap;

use foretell_store::fault::ReadError;
use foretell_store::open::Store;
use foretell_store::record::{NewRecord, RecordFilter};
use foretell_store::time::Micros;
use serde::{Deserialize, Serialize};

use crate::CATALOGUE;
use crate::reason::Titles;

/// The field that names an item.
pub const KEY: &str = "item";
/// What stands between the parts of a category path.
pub const CATEGORY_SEPARATOR: &str = " > ";

/// One item: the payload of a record of [`CATALOGUE`](crate::CATALOGUE).
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Entry {
    /// Which item.
    pub item: String,
    /// What people call it.
    pub title: Option<String>,
    /// Who makes it.
    pub brand: Option<String>,
    /// The path of its category, such as `Camping > Tents`.
    pub category: Option<String>,
    /// Price of one.
    pub price: Option<f64>,
    /// Whether it can be had; unknown, if not said.
    pub in_stock: Option<bool>,
}

impl Entry {
    /// The record of this entry.
    pub fn record(self, external_id: Option<String>, event_time: Micros) -> NewRecord {
        NewRecord {
            external_id,
            event_time,
            payload: serde_json::to_string(&self).expect("an entry is texts and finite numbers"),
            keys: vec![Some(self.item)],
            labels: Vec::new(),
            media: vec![],
        }
    }

    /// Reads a stored payload; nothing if another program stored something else.
    pub fn parse(payload: &str) -> Option<Self> {
        serde_json::from_str(payload).ok()
    }

    /// Whether the item stands in a category or beneath it. `Camping > Tents` is beneath `Camping`, in any case of
    /// letters.
    ///
    /// ```
    /// use foretell_retail::catalogue::Entry;
    ///
    /// let tent = Entry { category: Some("Camping > Tents > For Two".into()), ..Entry::default() };
    /// assert!(tent.is_in("Camping") && tent.is_in("camping > tents"));
    /// assert!(!tent.is_in("Camp") && !tent.is_in("Tents"));
    /// ```
    pub fn is_in(&self, path: &str) -> bool {
        let parts = |path: &str| -> Vec<String> {
            path.split('>').map(|part| part.trim().to_lowercase()).filter(|part| !part.is_empty()).collect()
        };
        self.category.as_deref().is_some_and(|category| parts(category).starts_with(&parts(path)))
    }
}

/// What is known of items: all of them, or those that were looked up.
#[derive(Clone, Debug, Default)]
pub struct Catalogue {
    /// By item; nothing for what was looked up and is not described.
    entries: HashMap<String, Option<Entry>>,
}

impl Catalogue {
    /// Reads the newest description of every item.
    ///
    /// # Errors
    /// [`ReadError`]: the database cannot be read.
    pub async fn read(store: &Store) -> Result<Self, ReadError> {
        let mut catalogue = Self::default();
        let mut newest = store.newest(CATALOGUE, KEY).await?;
        while let Some(page) = newest.next().await? {
            let entries = page.into_iter().map(|record| (record.value, Entry::parse(&record.payload)));
            catalogue.entries.extend(entries);
        }
        Ok(catalogue)
    }

    /// Reads the newest description of these items, as far as they were not looked up before. For a few.
    ///
    /// # Errors
    /// [`ReadError`]: the database cannot be read.
    pub async fn look_up<'i>(
        &mut self,
        store: &Store,
        items: impl IntoIterator<Item = &'i str>,
    ) -> Result<(), ReadError> {
        for item in items {
            if self.entries.contains_key(item) {
                continue;
            }
            let key = Some((KEY.to_owned(), item.to_owned()));
            let filter = RecordFilter { key, newest_first: true, ..RecordFilter::domain(CATALOGUE) };
            let newest = store.records(&filter, 1).await?;
            let entry = newest.first().and_then(|record| Entry::parse(&record.payload));
            self.entries.insert(item.to_owned(), entry);
        }
        Ok(())
    }

    /// Whether there is any description of any item.
    ///
    /// # Errors
    /// [`ReadError`]: the database cannot be read.
    pub async fn is_empty(store: &Store) -> Result<bool, ReadError> {
        Ok(store.records(&RecordFilter::domain(CATALOGUE), 1).await?.is_empty())
    }

    /// What is known of an item.
    pub fn get(&self, item: &str) -> Option<&Entry> {
        self.entries.get(item)?.as_ref()
    }

    /// Notes a description; whether it says something new.
    pub fn replace(&mut self, entry: Entry) -> bool {
        let is_new = self.get(&entry.item) != Some(&entry);
        if is_new {
            self.entries.insert(entry.item.clone(), Some(entry));
        }
        is_new
    }
}

impl Titles for Catalogue {
    fn title(&self, item: &str) -> String {
        self.get(item).and_then(|entry| entry.title.clone()).unwrap_or_else(|| item.to_owned())
    }
}
