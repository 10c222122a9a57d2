//! What may be recommended, by what the catalogue says of it.

use std::collections::BTreeMap;
use std::fmt;

use serde::Serialize;

use crate::catalogue::Entry;

/// What an item must be to be shown. What is `None` or false asks nothing.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Filter {
    /// It can be had.
    pub in_stock: bool,
    /// It stands in this category or beneath it.
    pub category: Option<String>,
    /// It is of this brand, in any case of letters.
    pub brand: Option<String>,
    /// It costs at least so much.
    pub min_price: Option<f64>,
    /// It costs at most so much.
    pub max_price: Option<f64>,
    /// It is none of these.
    pub banned: Vec<String>,
}

/// Why an item is not shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Refused {
    /// It was named by `--ban`.
    Banned,
    /// The catalogue says nothing about it.
    NotInCatalogue,
    /// It is out of stock, or the catalogue does not say.
    OutOfStock,
    /// It is in another category.
    OtherCategory,
    /// It is of another brand.
    OtherBrand,
    /// It costs too little.
    TooCheap,
    /// It costs too much.
    TooDear,
}

impl fmt::Display for Refused {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Banned => "banned",
            Self::NotInCatalogue => "not in the catalogue",
            Self::OutOfStock => "not known to be in stock",
            Self::OtherCategory => "in another category",
            Self::OtherBrand => "of another brand",
            Self::TooCheap => "too cheap, or without a price",
            Self::TooDear => "too dear, or without a price",
        })
    }
}

impl Filter {
    /// Whether nothing is asked.
    pub fn is_empty(&self) -> bool {
        !self.needs_catalogue() && self.banned.is_empty()
    }

    /// Whether what is asked can only be known from the catalogue.
    pub fn needs_catalogue(&self) -> bool {
        let prices = self.min_price.is_some() || self.max_price.is_some();
        self.in_stock || self.category.is_some() || self.brand.is_some() || prices
    }

    /// Why an item is not to be shown; the first reason, if there are several.
    pub fn refuses(&self, item: &str, entry: Option<&Entry>) -> Option<Refused> {
        if self.banned.iter().any(|banned| banned == item) {
            return Some(Refused::Banned);
        }
        if !self.needs_catalogue() {
            return None;
        }
        let Some(entry) = entry else { return Some(Refused::NotInCatalogue) };
        let is_brand = |brand: &String| {
            entry.brand.as_ref().is_some_and(|other| other.to_lowercase() == brand.to_lowercase())
        };
        // Without a price nobody knows whether it is high enough, so it is not.
        let [from, to] = [(self.min_price, 1.0), (self.max_price, -1.0)].map(|(bound, sign)| {
            bound.is_none_or(|bound| entry.price.is_some_and(|price| sign * price >= sign * bound))
        });
        let holds = [
            (Refused::OutOfStock, !self.in_stock || entry.in_stock == Some(true)),
            (Refused::OtherCategory, self.category.as_deref().is_none_or(|path| entry.is_in(path))),
            (Refused::OtherBrand, self.brand.as_ref().is_none_or(is_brand)),
            (Refused::TooCheap, from),
            (Refused::TooDear, to),
        ];
        holds.into_iter().find_map(|(refused, holds)| (!holds).then_some(refused))
    }
}

/// How many items were not shown, and why.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub struct Removed(BTreeMap<Refused, u64>);

impl Removed {
    /// Counts one more.
    pub fn add(&mut self, why: Refused) {
        *self.0.entry(why).or_default() += 1;
    }

    /// Whether nothing was removed.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

/// Such as `12 not known to be in stock, 3 of another brand`.
impl fmt::Display for Removed {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let parts: Vec<String> = self
            .0
            .iter()
            .map(|(why, count)| format!("{} {why}", foretell_terminal::format_count(*count)))
            .collect();
        formatter.write_str(&parts.join(", "))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tent() -> Entry {
        Entry {
            item: "1".to_owned(),
            title: None,
            brand: Some("Velkano".to_owned()),
            category: Some("Camping > Tents".to_owned()),
            price: Some(120.0),
            in_stock: Some(true),
        }
    }

    #[test]
    fn each_filter_refuses_what_is_not_so() {
        let text = |text: &str| Some(text.to_owned());
        let cases = [
            (Filter::default(), None),
            (
                Filter {
                    in_stock: true,
                    category: text("camping"),
                    brand: text("VELKANO"),
                    ..Filter::default()
                },
                None,
            ),
            (Filter { min_price: Some(120.0), max_price: Some(120.0), ..Filter::default() }, None),
            (Filter { banned: vec!["1".to_owned()], ..Filter::default() }, Some(Refused::Banned)),
            (Filter { category: text("Kitchen"), ..Filter::default() }, Some(Refused::OtherCategory)),
            (Filter { brand: text("Ordwin"), ..Filter::default() }, Some(Refused::OtherBrand)),
            (Filter { min_price: Some(120.01), ..Filter::default() }, Some(Refused::TooCheap)),
            (Filter { max_price: Some(119.99), ..Filter::default() }, Some(Refused::TooDear)),
        ];
        for (filter, expected) in cases {
            assert_eq!(filter.refuses("1", Some(&tent())), expected, "{filter:?}");
        }
    }

    #[test]
    fn what_the_catalogue_does_not_say_is_not_so() {
        let asked = Filter { in_stock: true, ..Filter::default() };
        let unsaid = Entry { in_stock: None, ..tent() };
        assert_eq!(asked.refuses("1", Some(&unsaid)), Some(Refused::OutOfStock));
        assert_eq!(asked.refuses("1", None), Some(Refused::NotInCatalogue));
        let unpriced = Entry { price: None, ..tent() };
        let cheap = Filter { max_price: Some(5.0), ..Filter::default() };
        assert_eq!(cheap.refuses("1", Some(&unpriced)), Some(Refused::TooDear));
        assert_eq!(Filter::default().refuses("1", None), None);
    }

    #[test]
    fn what_was_removed_is_told_by_reason() {
        let mut removed = Removed::default();
        [Refused::TooDear, Refused::OutOfStock, Refused::TooDear]
            .into_iter()
            .for_each(|why| removed.add(why));
        assert_eq!(removed.to_string(), "1 not known to be in stock, 2 too dear, or without a price");
        assert_eq!(serde_json::to_string(&removed).unwrap(), r#"{"out_of_stock":1,"too_dear":2}"#);
    }
}
