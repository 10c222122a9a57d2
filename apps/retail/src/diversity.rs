//! Variety: the next item of a list is a good one that is unlike those before it.
//!
//! Maximal marginal relevance (Carbonell and Goldstein, "The use of MMR, diversity-based reranking for reordering
//! documents and producing summaries", SIGIR 1998): of the items that are left, the one is next that has the greatest
//! `lambda * relevance - (1 - lambda) * (similarity to the most similar item chosen before)`. Here `1 - lambda` is
//! called diversity; relevance is the score, stretched to 0..1 over the candidates; similarity is
//! [`Traits::similarity`].
//!
//! ```
//! use foretell_retail::catalogue::Entry;
//! use foretell_retail::diversity::{Traits, choose};
//!
//! let entry = |title: &str, category: &str| Entry {
//!     title: Some(title.into()), category: Some(category.into()), ..Entry::default()
//! };
//! let tents = ["Tent, green", "Tent, blue"].map(|title| entry(title, "Camping > Tents"));
//! let entries = [tents[0].clone(), tents[1].clone(), entry("Pan", "Kitchen > Pans")];
//! let traits: Vec<Traits> = entries.iter().map(|entry| Traits::new(Some(entry))).collect();
//! let scores = [0.9, 0.8, 0.7];
//! assert_eq!(choose(&scores, &traits, 2, 0.0), [0, 1]);
//! assert_eq!(choose(&scores, &traits, 2, 0.5), [0, 2]);
//! ```

use std::collections::BTreeSet;

use crate::catalogue::Entry;

/// How much a common brand, a common category, and common words in the title count.
const WEIGHTS: [f64; 3] = [0.3, 0.4, 0.3];

/// What makes an item like another one.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Traits {
    brand: Option<String>,
    category: Vec<String>,
    words: BTreeSet<String>,
}

impl Traits {
    /// The traits of an item that the catalogue describes, or of one that it does not know.
    pub fn new(entry: Option<&Entry>) -> Self {
        let Some(entry) = entry else { return Self::default() };
        let parts = |text: &Option<String>, is_edge: fn(char) -> bool| -> Vec<String> {
            let text = text.as_deref().unwrap_or_default().to_lowercase();
            text.split(is_edge).map(|part| part.trim().to_owned()).filter(|part| !part.is_empty()).collect()
        };
        Self {
            brand: entry.brand.as_ref().map(|brand| brand.to_lowercase()),
            category: parts(&entry.category, |letter| letter == '>'),
            words: parts(&entry.title, |letter| !letter.is_alphanumeric()).into_iter().collect(),
        }
    }

    /// How alike two items are, from 0 to 1: the weighted mean of those of the three that both have. The same brand,
    /// 1 or 0; the part of the category path that they share from the top, by the longer path; the words that both
    /// titles have among all words of the two (Jaccard). Of what has nothing in common to go by, 0.
    pub fn similarity(&self, other: &Self) -> f64 {
        let brand = self.brand.as_ref().zip(other.brand.as_ref()).map(|(a, b)| f64::from(u8::from(a == b)));
        let share = |same: usize, all: usize| same as f64 / all as f64;
        let category = (!self.category.is_empty() && !other.category.is_empty()).then(|| {
            let same = self.category.iter().zip(&other.category).take_while(|(a, b)| a == b).count();
            share(same, self.category.len().max(other.category.len()))
        });
        let words = (!self.words.is_empty() && !other.words.is_empty()).then(|| {
            let same = self.words.intersection(&other.words).count();
            share(same, self.words.len() + other.words.len() - same)
        });
        let known = [brand, category, words].into_iter().zip(WEIGHTS);
        let known: Vec<(f64, f64)> = known.filter_map(|(value, weight)| Some((value?, weight))).collect();
        let weight: f64 = known.iter().map(|(_, weight)| weight).sum();
        if known.is_empty() {
            return 0.0;
        }
        known.iter().map(|(value, weight)| value * weight).sum::<f64>() / weight
    }
}

/// The places of at most `count` candidates, in the order in which they are to be shown. Candidates come best first;
/// with equal merit, the earlier one is chosen. `diversity` is from 0, which leaves the order as it is, to 1.
///
/// # Panics
/// When there are not as many scores as traits.
pub fn choose(scores: &[f64], traits: &[Traits], count: usize, diversity: f64) -> Vec<usize> {
    assert_eq!(scores.len(), traits.len(), "a score for each candidate");
    if diversity == 0.0 {
        return (0..scores.len().min(count)).collect();
    }
    let best = scores.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    let worst = scores.iter().copied().fold(f64::INFINITY, f64::min);
    let relevance = |score: f64| if best > worst { (score - worst) / (best - worst) } else { 1.0 };
    let mut left: Vec<usize> = (0..scores.len()).collect();
    // Similarity to the most similar one that was chosen.
    let mut nearest = vec![0.0f64; scores.len()];
    let mut chosen = Vec::new();
    while chosen.len() < count && !left.is_empty() {
        let merit = |place: usize| (1.0 - diversity) * relevance(scores[place]) - diversity * nearest[place];
        let mut next = 0;
        for (index, &place) in left.iter().enumerate() {
            if merit(place) > merit(left[next]) {
                next = index;
            }
        }
        let place = left.remove(next);
        for &other in &left {
            nearest[other] = nearest[other].max(traits[place].similarity(&traits[other]));
        }
        chosen.push(place);
    }
    chosen
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn traits(brand: &str, category: &str, title: &str) -> Traits {
        let text = |text: &str| (!text.is_empty()).then(|| text.to_owned());
        let entry =
            Entry { brand: text(brand), category: text(category), title: text(title), ..Entry::default() };
        Traits::new(Some(&entry))
    }

    #[test]
    fn similarity_is_the_mean_of_what_both_have() {
        let tent = traits("Velkano", "Camping > Tents", "Velkano Ala Tent, 2 persons");
        let cases = [
            (traits("velkano", "camping > tents", "VELKANO ala tent 2 persons"), 1.0),
            (traits("Ordwin", "Kitchen", "Pan"), 0.0),
            (traits("", "Camping > Mats", ""), 0.5),
            (traits("Velkano", "Camping", ""), (0.3 + 0.4 * 0.5) / 0.7),
            // 4 words of 6 are in both.
            (traits("", "", "Velkano Ala Tent, 3 persons"), 4.0 / 6.0),
            (Traits::default(), 0.0),
        ];
        for (other, expected) in cases {
            assert!((tent.similarity(&other) - expected).abs() < 1e-12, "{other:?}");
            assert_eq!(tent.similarity(&other), other.similarity(&tent));
        }
    }

    #[test]
    fn variety_alone_takes_the_best_one_first_and_then_what_is_unlike() {
        let items = ["a b", "a b", "a c", "d"].map(|title| traits("", "", title));
        assert_eq!(choose(&[4.0, 3.0, 2.0, 1.0], &items, 4, 1.0), [0, 3, 2, 1]);
        assert_eq!(choose(&[1.0; 4], &items, 2, 0.5), [0, 3]);
    }

    proptest! {
        #[test]
        fn a_choice_is_made_of_the_candidates_once_each(
            scores in prop::collection::vec(-5.0..5.0f64, 0..20),
            count in 0usize..25,
            diversity in 0.0..=1.0f64,
        ) {
            let mut scores = scores;
            scores.sort_by(|a, b| b.total_cmp(a));
            let items: Vec<Traits> = (0..scores.len())
                .map(|number| traits("", "", &format!("w{} w{}", number % 3, number % 5)))
                .collect();
            let chosen = choose(&scores, &items, count, diversity);
            prop_assert_eq!(chosen.len(), count.min(scores.len()));
            prop_assert_eq!(chosen.iter().collect::<BTreeSet<_>>().len(), chosen.len());
            prop_assert!(chosen.iter().all(|&place| place < scores.len()));
            // Nothing was chosen before the first one, so the best comes first, unless variety is all that counts.
            prop_assert!(chosen.first().is_none_or(|&first| first == 0));
        }
    }
}
