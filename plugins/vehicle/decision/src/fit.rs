//! A line through noisy points that a few wild ones do not bend.

/// Most points that a line is fitted to; of more, as many are taken, evenly spread. The number of slopes grows with its
/// square.
pub const POINTS_MAX: usize = 24;

/// A value and how it changes.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Line {
    /// The value at the time that was asked for.
    pub value: f64,
    /// Its change per unit of time.
    pub slope: f64,
}

/// The line through `(time, value)` points, and its value at the time `at`: the slope is the median of the slopes between
/// all pairs (Theil, 1950; Sen, 1968), which holds while fewer than 29 % of the points are wild. `None` where no two points
/// differ in time.
///
/// ```
/// use foretell_plugin_decision::fit::line;
/// let points = [(0.0, 10.0), (1.0, 8.0), (2.0, 600.0), (3.0, 4.0), (4.0, 2.0)];
/// let line = line(&points, 5.0).unwrap();
/// assert_eq!((line.value, line.slope), (0.0, -2.0));
/// ```
pub fn line(points: &[(f64, f64)], at: f64) -> Option<Line> {
    let count = points.len().min(POINTS_MAX);
    let spread = |place: usize| points[place * points.len() / count];
    let taken: Vec<(f64, f64)> = (0..count).map(spread).collect();
    let mut slopes = Vec::with_capacity(count * count / 2);
    for (place, one) in taken.iter().enumerate() {
        let later = taken[place + 1..].iter().filter(|other| other.0 != one.0);
        slopes.extend(later.map(|other| (other.1 - one.1) / (other.0 - one.0)));
    }
    let slope = median(&mut slopes)?;
    let mut values: Vec<f64> = taken.iter().map(|(time, value)| value + slope * (at - time)).collect();
    Some(Line { value: median(&mut values)?, slope })
}

fn median(values: &mut [f64]) -> Option<f64> {
    if values.is_empty() {
        return None;
    }
    let is_even = values.len().is_multiple_of(2);
    let half = values.len() / 2;
    let (below, &mut middle, _) = values.select_nth_unstable_by(half, f64::total_cmp);
    let lower = below.iter().copied().max_by(f64::total_cmp).filter(|_| is_even);
    Some(lower.map_or(middle, |lower| f64::midpoint(lower, middle)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wild_points_do_not_bend_the_line() {
        let straight = |time: usize| (time as f64, 5.0 - 0.5 * time as f64);
        for (count, wild) in [(2, 0), (5, 1), (24, 5), (100, 20)] {
            let mut points: Vec<_> = (0..count).map(straight).collect();
            for place in 0..wild {
                points[place * 5].1 = 1e6;
            }
            let found = line(&points, 7.0).unwrap();
            assert!(
                (found.value - 1.5).abs() < 1e-9 && (found.slope + 0.5).abs() < 1e-9,
                "{count}: {found:?}"
            );
        }
    }

    #[test]
    fn there_is_no_line_through_one_time() {
        assert_eq!(line(&[], 0.0), None);
        assert_eq!(line(&[(1.0, 2.0)], 0.0), None);
        assert_eq!(line(&[(1.0, 2.0), (1.0, 3.0)], 0.0), None);
    }
}
