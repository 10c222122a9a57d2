//! Sentences that all drawings share.

use super::{Heat, Mask, Novelty, Opinion};

/// Characters of a hash that are shown to people.
const HASH_CHARACTERS: usize = 12;

/// Below this, as share of the whole scale of a probability, hiding any part of an image hardly changes anything.
const FAINT: f32 = 0.01;

/// A probability with three digits. What is not quite sure is not called sure.
pub(super) fn probability(value: f64) -> String {
    match value {
        value if value > 0.0 && value < 0.0005 => "<0.001".to_owned(),
        value if (0.9995..1.0).contains(&value) => ">0.999".to_owned(),
        value => format!("{value:.3}"),
    }
}

/// What was decided, and why.
pub(super) fn decision(opinion: &Opinion) -> Option<String> {
    let decision = opinion.decision.as_deref()?;
    let (label, score) = opinion.leading()?;
    let score = probability(score);
    Some(match opinion.threshold {
        Some(threshold) => {
            let threshold = probability(threshold);
            if decision == label {
                format!(
                    "{decision}: its calibrated probability is {score}, and from {threshold} on it is decided"
                )
            } else {
                format!(
                    "{decision}: the calibrated probability of {label} is {score}, and it is decided from {threshold} on"
                )
            }
        }
        None => format!("{decision}: the greatest calibrated probability, {score}"),
    })
}

/// How far from the images of the training the image is.
pub fn novelty(novelty: &Novelty) -> String {
    let Novelty { distance, limit, is_unfamiliar } = *novelty;
    // As many digits as it takes to tell both apart.
    let digits = (1..=6).find(|&digits| format!("{distance:.digits$}") != format!("{limit:.digits$}"));
    let digits = digits.unwrap_or(1);
    if is_unfamiliar {
        format!(
            "outside of what this model was trained on: distance {distance:.digits$}, limit {limit:.digits$}; its answer \
             means nothing here"
        )
    } else {
        format!(
            "like the images that it was trained on: distance {distance:.digits$}, limit {limit:.digits$}"
        )
    }
}

/// The plugin and the run, or that its prediction is not stored.
pub(super) fn origin(opinion: &Opinion) -> String {
    match opinion.run {
        Some(run) => format!("{}, run {run}", opinion.plugin),
        None => format!("{}, asked just now and not stored", opinion.plugin),
    }
}

/// As much of a hash as people compare.
pub(super) fn short_hash(hash: &str) -> &str {
    hash.char_indices().nth(HASH_CHARACTERS).map_or(hash, |(end, _)| &hash[..end])
}

/// What a heat map is of, and how.
pub(super) fn heat(heat: &Heat) -> String {
    format!("{} of {}: {}", heat.method, heat.label, heat.unit)
}

/// That a map has next to nothing to say, where it has.
pub(super) fn faint(heat: &Heat) -> Option<String> {
    let greatest = heat.map.values().iter().fold(0.0, |greatest: f32, value| greatest.max(value.abs()));
    (greatest < FAINT)
        .then(|| format!("no part of the image counts for more than {greatest:.1e}: the map says little"))
}

/// What hiding and showing the hottest places first did, beside a random order: two lines and a verdict.
pub(super) fn faithfulness(heat: &Heat) -> Option<[String; 3]> {
    let found = heat.faithfulness.as_ref()?;
    let line = |how: &str, area: f64, random: f64, better: &str| {
        format!("{how} hottest first: mean score {area:.3}; in random order {random:.3} ({better} is better)")
    };
    let deletes = found.deletion_area < found.random_deletion_area;
    let inserts = found.insertion_area > found.random_insertion_area;
    let verdict = match (deletes, inserts) {
        (true, true) => "the map is better than chance in both",
        (true, false) => "the map is better than chance in hiding alone: believe it with care",
        (false, true) => "the map is better than chance in showing alone: believe it with care",
        (false, false) => "the map is no better than chance: do not believe it",
    };
    Some([
        line("hidden", found.deletion_area, found.random_deletion_area, "lower"),
        line("shown", found.insertion_area, found.random_insertion_area, "higher"),
        verdict.to_owned(),
    ])
}

/// How much of the image each class of a mask has.
pub(super) fn outlines(mask: &Mask) -> String {
    let found = mask.foreground().map(|(class, label)| match mask.share(class) {
        0.0 => format!("no {label} was outlined"),
        share => format!("outline of {label}: {} of the image", percent(share)),
    });
    found.collect::<Vec<_>>().join(", ")
}

/// A share in percent, with one digit. What is there is more than nothing.
pub(super) fn percent(share: f64) -> String {
    match 100.0 * share {
        percent if percent > 0.0 && percent < 0.05 => "<0.1 %".to_owned(),
        percent => format!("{percent:.1} %"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_sure_is_not_called_sure() {
        for (value, expected) in [
            (0.0, "0.000"),
            (0.0001, "<0.001"),
            (0.0005, "0.001"),
            (0.5, "0.500"),
            (0.9994, "0.999"),
            (0.9996, ">0.999"),
            (1.0, "1.000"),
        ] {
            assert_eq!(probability(value), expected);
        }
    }

    #[test]
    fn an_outline_of_nothing_is_called_so() {
        let says = |classes: Vec<u8>| {
            let labels = ["background", "tumor"].map(str::to_owned).to_vec();
            outlines(&Mask { height: 1, width: classes.len(), classes, labels })
        };
        assert_eq!(says(vec![0; 4]), "no tumor was outlined");
        assert_eq!(says(vec![0, 1, 0, 0]), "outline of tumor: 25.0 % of the image");
        assert_eq!(says([vec![1], vec![0; 4_000]].concat()), "outline of tumor: <0.1 % of the image");
    }

    #[test]
    fn a_distance_is_told_apart_from_its_limit() {
        let says = |distance, is_unfamiliar| novelty(&Novelty { distance, limit: 9.8, is_unfamiliar });
        assert!(says(14.21, true).contains("distance 14.2, limit 9.8; its answer means nothing here"));
        assert!(says(9.804, true).contains("distance 9.804, limit 9.800"));
        assert!(says(9.8, true).contains("distance 9.8, limit 9.8"));
        assert!(says(5.0, false).starts_with("like the images"));
    }

    #[test]
    fn a_hash_is_shortened_between_characters() {
        assert_eq!(short_hash("0123456789abcdef"), "0123456789ab");
        assert_eq!(short_hash("äöü"), "äöü");
        assert_eq!(short_hash("ääääääääääääää"), "ä".repeat(12));
    }
}
