//! A column of records as numbers for a network.

use foretell_sdk::{Bits, Column, Error, Numbers, Open, Records, Tensor, Texts};
use serde::Deserialize;

/// Whole numbers up to this one are all told apart by float64.
const WHOLE_MAX: u64 = 1 << 53;
/// Most categories of a column.
const CATEGORIES_MAX: usize = 10_000;

/// Type of the numbers that the network takes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Element {
    #[default]
    Float32,
    Float64,
    Int64,
}

/// Type of an input that is no text.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Number {
    Float64,
    Int64,
    Bool,
}

/// What becomes of a text that is none of the categories.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Unknown {
    #[default]
    Refuse,
    Zeros,
}

/// `[[config.column]]`, as it stands in the manifest.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Settings {
    pub(crate) name: String,
    #[serde(rename = "type")]
    kind: Option<Number>,
    mean: Option<f64>,
    scale: Option<f64>,
    missing: Option<f64>,
    categories: Option<Vec<String>>,
    unknown: Option<Unknown>,
    pub(crate) element: Option<Element>,
}

/// Where the numbers come from.
enum Source {
    Floats(Column<f64>),
    Whole(Column<i64>),
    Flags(Column<bool>),
    Texts(Column<str>, Vec<String>, Unknown),
}

/// A column, and what is made of it.
pub(crate) struct Feature {
    name: String,
    source: Source,
    mean: f64,
    scale: f64,
    missing: Option<f64>,
    pub(crate) element: Option<Element>,
}

impl Feature {
    pub(crate) fn open(request: &Open<'_>, settings: &Settings) -> Result<Self, Error> {
        let name = &settings.name;
        let bad = |key: &str, expected: &str, found: String| {
            Err(Error::invalid(format!(
                "the setting `{key}` of column `{name}` is {found}; expected {expected}"
            )))
        };
        let Some(field) = request.fields().iter().find(|field| field.name == *name) else {
            return bad("name", "an input of the manifest", "unknown".to_owned());
        };
        let is_text = settings.categories.is_some();
        let numeric = [("mean", settings.mean), ("scale", settings.scale), ("missing", settings.missing)];
        for (key, number) in numeric.into_iter().filter_map(|(key, number)| Some((key, number?))) {
            if is_text {
                return bad(key, "none for a text", number.to_string());
            }
            if !number.is_finite() || (key == "scale" && number == 0.0) {
                return bad(key, "a finite number, and no scale of 0", number.to_string());
            }
        }
        if !is_text && settings.unknown.is_some() {
            return bad("unknown", "none without `categories`", "there".to_owned());
        }
        // A column of another type than was stated is refused here, in the SDK's words.
        let source = match (&settings.categories, settings.kind) {
            (None, None | Some(Number::Float64)) => Source::Floats(request.column(name)?),
            (None, Some(Number::Int64)) => Source::Whole(request.column(name)?),
            (None, Some(Number::Bool)) => Source::Flags(request.column(name)?),
            (Some(_), Some(_)) => return bad("type", "none beside `categories`", "there".to_owned()),
            (Some(categories), None) => {
                let mut sorted: Vec<_> = categories.iter().collect();
                sorted.sort_unstable();
                let is_list = (1..=CATEGORIES_MAX).contains(&categories.len());
                if !is_list || sorted.windows(2).any(|pair| pair[0] == pair[1]) {
                    let expected = format!("1 to {CATEGORIES_MAX} texts that are all different");
                    return bad("categories", &expected, format!("a list of {}", categories.len()));
                }
                Source::Texts(request.column(name)?, categories.clone(), settings.unknown.unwrap_or_default())
            }
        };
        if field.nullable && !is_text && settings.missing.is_none() {
            return bad("missing", "a number, since the input is not required", "not stated".to_owned());
        }
        Ok(Self {
            name: name.clone(),
            source,
            mean: settings.mean.unwrap_or(0.0),
            scale: settings.scale.unwrap_or(1.0),
            missing: settings.missing,
            element: settings.element,
        })
    }

    /// Numbers of a record.
    pub(crate) fn width(&self) -> usize {
        match &self.source {
            Source::Texts(_, categories, _) => categories.len(),
            _ => 1,
        }
    }

    /// The column of the records at hand.
    pub(crate) fn view<'a>(&'a self, records: &Records<'a>) -> View<'a> {
        let values = match &self.source {
            Source::Floats(column) => Values::Floats(records.column(*column)),
            Source::Whole(column) => Values::Whole(records.column(*column)),
            Source::Flags(column) => Values::Flags(records.column(*column)),
            Source::Texts(column, categories, unknown) => {
                Values::Texts(records.column(*column), categories, *unknown)
            }
        };
        View { feature: self, values }
    }
}

/// A column of the records at hand.
pub(crate) struct View<'a> {
    feature: &'a Feature,
    values: Values<'a>,
}

enum Values<'a> {
    Floats(Numbers<'a, f64>),
    Whole(Numbers<'a, i64>),
    Flags(Bits<'a>),
    Texts(Texts<'a>, &'a [String], Unknown),
}

impl View<'_> {
    /// Writes what the network takes of a record.
    pub(crate) fn write(&self, row: usize, cells: &mut Cells) -> Result<(), Error> {
        let name = &self.feature.name;
        let untold = || {
            Err(Error::invalid(format!(
                "column `{name}` has no number that the network can take in row {row}"
            )))
        };
        let number = match &self.values {
            Values::Floats(numbers) => numbers.get(row),
            Values::Whole(numbers) => match numbers.get(row) {
                // As float64 it would be another number.
                Some(number) if cells.is_whole() && number.unsigned_abs() > WHOLE_MAX => return untold(),
                number => number.map(|number| number as f64),
            },
            Values::Flags(flags) => flags.get(row).map(|flag| f64::from(u8::from(flag))),
            Values::Texts(texts, categories, unknown) => {
                let text = texts.get(row);
                let place = text.and_then(|text| categories.iter().position(|category| category == text));
                if place.is_none() && *unknown == Unknown::Refuse {
                    return Err(Error::invalid(format!(
                        "column `{name}` has none of its categories in row {row}"
                    )));
                }
                for category in 0..categories.len() {
                    // 0 and 1 are numbers of every type.
                    let _ = cells.push(f64::from(u8::from(Some(category) == place)));
                }
                return Ok(());
            }
        };
        let Some(number) = number.or(self.feature.missing) else {
            return Err(Error::invalid(format!("column `{name}` has no value in row {row}")));
        };
        match cells.push((number - self.feature.mean) / self.feature.scale) {
            true => Ok(()),
            false => untold(),
        }
    }
}

/// Numbers of a tensor.
pub(crate) enum Cells {
    Float32(Vec<f32>),
    Float64(Vec<f64>),
    Int64(Vec<i64>),
}

impl Cells {
    pub(crate) fn new(element: Element, capacity: usize) -> Self {
        match element {
            Element::Float32 => Self::Float32(Vec::with_capacity(capacity)),
            Element::Float64 => Self::Float64(Vec::with_capacity(capacity)),
            Element::Int64 => Self::Int64(Vec::with_capacity(capacity)),
        }
    }

    /// Whether they are whole numbers.
    fn is_whole(&self) -> bool {
        matches!(self, Self::Int64(_))
    }

    /// Adds a number; whether it can be told in the type: it is finite and, of whole numbers, whole and no larger than float64
    /// tells apart.
    #[must_use]
    pub(crate) fn push(&mut self, number: f64) -> bool {
        match self {
            Self::Float32(numbers) => {
                numbers.push(number as f32);
                (number as f32).is_finite()
            }
            Self::Float64(numbers) => {
                numbers.push(number);
                number.is_finite()
            }
            Self::Int64(numbers) => {
                numbers.push(number as i64);
                number.fract() == 0.0 && number.abs() <= WHOLE_MAX as f64
            }
        }
    }

    /// Lends them.
    pub(crate) fn tensor<'a>(&'a self, shape: &'a [i64]) -> Result<Tensor<'a>, Error> {
        match self {
            Self::Float32(numbers) => Tensor::new(numbers, shape),
            Self::Float64(numbers) => Tensor::new(numbers, shape),
            Self::Int64(numbers) => Tensor::new(numbers, shape),
        }
    }
}
