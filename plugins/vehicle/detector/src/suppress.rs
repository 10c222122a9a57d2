//! Which of many overlapping boxes stay: greedy suppression by score.

use crate::decode::Candidate;

/// The rule by which boxes are thrown out.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Suppression {
    /// Intersection over union, 0 to 1, above which the box with the lower score goes. With 1 none does.
    pub overlap: f32,
    /// Whether boxes of different labels throw each other out.
    pub agnostic: bool,
    /// Most boxes that stay.
    pub boxes_max: usize,
}

/// Keeps the best boxes, the highest score first.
///
/// Boxes are looked at by falling score, equal ones in the order in which they stand; one stays unless it overlaps a box that
/// stayed before by more than the limit. That is the usual greedy non-maximum suppression, cut off at the best `boxes_max`:
/// a box only ever goes because of a better one, so nothing after the last box that is wanted needs to be looked at. Each box is
/// compared with those that stayed, never with all others, so that a flood of candidates costs `candidates * boxes_max`.
///
/// ```
/// use foretell_plugin_detector::decode::{Candidate, Corners};
/// use foretell_plugin_detector::suppress::{Suppression, suppress};
///
/// let at = |left, score| {
///     let corners = Corners { left, top: 0.0, right: left + 10.0, bottom: 10.0 };
///     Candidate { corners, score, label: 0 }
/// };
/// let mut boxes = vec![at(0.0, 0.5), at(1.0, 0.9), at(50.0, 0.7)];
/// suppress(&mut boxes, Suppression { overlap: 0.5, agnostic: false, boxes_max: 10 });
/// assert_eq!(boxes, [at(1.0, 0.9), at(50.0, 0.7)]);
/// ```
pub fn suppress(candidates: &mut Vec<Candidate>, rule: Suppression) {
    // No score is NaN: a threshold lets none in. The sort is stable, so equal scores keep their order.
    candidates.sort_by(|left, right| right.score.total_cmp(&left.score));
    let mut kept = 0;
    for place in 0..candidates.len() {
        if kept == rule.boxes_max {
            break;
        }
        let candidate = candidates[place];
        let covers = |other: &Candidate| {
            (rule.agnostic || other.label == candidate.label)
                && other.corners.overlap(&candidate.corners) > rule.overlap
        };
        if !candidates[..kept].iter().any(covers) {
            candidates[kept] = candidate;
            kept += 1;
        }
    }
    candidates.truncate(kept);
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::decode::Corners;

    fn candidate() -> impl Strategy<Value = Candidate> {
        // Whole numbers in a small picture, so that many boxes overlap and many overlaps are equal.
        (0..20u8, 0..20u8, 1..12u8, 1..12u8, 0..8u8, 0..3u16).prop_map(
            |(left, top, width, height, score, label)| {
                let [left, top, width, height] = [left, top, width, height].map(f32::from);
                let corners = Corners { left, top, right: left + width, bottom: top + height };
                Candidate { corners, score: f32::from(score) / 8.0, label }
            },
        )
    }

    fn rule() -> impl Strategy<Value = Suppression> {
        (0..=10u8, any::<bool>(), 0..30usize).prop_map(|(overlap, agnostic, boxes_max)| Suppression {
            overlap: f32::from(overlap) / 10.0,
            agnostic,
            boxes_max,
        })
    }

    fn suppressed(candidates: &[Candidate], rule: Suppression) -> Vec<Candidate> {
        let mut candidates = candidates.to_vec();
        suppress(&mut candidates, rule);
        candidates
    }

    /// The definition: as long as there are boxes, take the best, and throw out all that overlap it.
    fn by_definition(candidates: &[Candidate], rule: Suppression) -> Vec<Candidate> {
        let mut left: Vec<Candidate> = candidates.to_vec();
        let mut kept = Vec::new();
        while !left.is_empty() {
            let mut best = 0;
            for place in 1..left.len() {
                if left[place].score > left[best].score {
                    best = place;
                }
            }
            let best = left.remove(best);
            kept.push(best);
            left.retain(|other| {
                !((rule.agnostic || other.label == best.label)
                    && best.corners.overlap(&other.corners) > rule.overlap)
            });
        }
        kept.truncate(rule.boxes_max);
        kept
    }

    proptest! {
        #[test]
        fn what_stays_is_what_the_definition_keeps(
            candidates in prop::collection::vec(candidate(), 0..60),
            rule in rule(),
        ) {
            prop_assert_eq!(suppressed(&candidates, rule), by_definition(&candidates, rule));
        }

        #[test]
        fn no_two_that_stay_overlap_and_the_best_is_among_them(
            candidates in prop::collection::vec(candidate(), 1..60),
            rule in rule(),
        ) {
            let kept = suppressed(&candidates, rule);
            for (place, left) in kept.iter().enumerate() {
                for right in &kept[place + 1..] {
                    let together = rule.agnostic || left.label == right.label;
                    prop_assert!(!together || left.corners.overlap(&right.corners) <= rule.overlap);
                }
            }
            let best = candidates.iter().map(|candidate| candidate.score).fold(f32::NEG_INFINITY, f32::max);
            prop_assert_eq!(kept.first().map(|first| first.score), (rule.boxes_max > 0).then_some(best));
        }

        #[test]
        fn distinct_scores_make_the_order_of_no_account(
            (candidates, shuffled) in prop::collection::vec(candidate(), 0..40)
                .prop_map(|mut candidates| {
                    for (place, candidate) in candidates.iter_mut().enumerate() {
                        candidate.score = place as f32 / 64.0;
                    }
                    candidates
                })
                .prop_flat_map(|candidates| (Just(candidates.clone()), Just(candidates).prop_shuffle())),
            rule in rule(),
        ) {
            prop_assert_eq!(suppressed(&candidates, rule), suppressed(&shuffled, rule));
        }
    }

    #[test]
    fn of_equal_scores_the_first_stays() {
        let at = |left: f32, label| {
            let corners = Corners { left, top: 0.0, right: left + 10.0, bottom: 10.0 };
            Candidate { corners, score: 0.5, label }
        };
        let rule = Suppression { overlap: 0.5, agnostic: false, boxes_max: 10 };
        assert_eq!(suppressed(&[at(0.0, 0), at(1.0, 0), at(1.0, 1)], rule), [at(0.0, 0), at(1.0, 1)]);
        let agnostic = Suppression { agnostic: true, ..rule };
        assert_eq!(suppressed(&[at(0.0, 0), at(1.0, 0), at(1.0, 1)], agnostic), [at(0.0, 0)]);
    }
}
