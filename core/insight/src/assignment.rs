//! Who goes with whom, so that the sum is best.

/// Pairs rows with columns so that the sum of the pairs' `values` is the least: the linear sum assignment problem. As many
/// pairs as there are rows or columns, whichever are fewer, by ascending row. `values` are finite, row by row.
///
/// Where several assignments are equally good, it is the one that SciPy's `linear_sum_assignment` gives, as the reference
/// programs of tracking take that one: `lsap` has the same steps (Crouse, "On implementing 2D rectangular assignment
/// algorithms", IEEE Transactions on Aerospace and Electronic Systems 52, 2016).
pub(crate) fn least(rows: usize, columns: usize, values: &Vec<f64>) -> Vec<(usize, usize)> {
    solve(rows, columns, values, false)
}

/// As [`least`], for the greatest sum.
pub(crate) fn greatest(rows: usize, columns: usize, values: &Vec<f64>) -> Vec<(usize, usize)> {
    solve(rows, columns, values, true)
}

fn solve(rows: usize, columns: usize, values: &Vec<f64>, maximize: bool) -> Vec<(usize, usize)> {
    let (rows, columns) =
        lsap::solve(rows, columns, values, maximize).expect("a finite table always has an assignment");
    rows.into_iter().zip(columns).collect()
}

#[cfg(test)]
mod tests {
    use super::{greatest, least};

    #[test]
    fn pairs_are_the_best_and_those_of_scipy() {
        // Expected: `scipy.optimize.linear_sum_assignment` of SciPy 1.17.1.
        let costs = vec![4.0, 1.0, 3.0, 2.0, 0.0, 5.0, 3.0, 2.0, 2.0];
        assert_eq!(least(3, 3, &costs), [(0, 1), (1, 0), (2, 2)]);
        assert_eq!(greatest(3, 3, &costs), [(0, 0), (1, 2), (2, 1)]);
        assert_eq!(least(1, 3, &vec![2.0, 1.0, 1.0]), [(0, 1)]);
        assert_eq!(least(3, 1, &vec![2.0, 1.0, 1.0]), [(1, 0)]);
        assert_eq!(least(2, 2, &vec![1.0; 4]), [(0, 0), (1, 1)]);
        assert_eq!(greatest(2, 3, &vec![0.0, 1.0, 1.0, 0.0, 1.0, 1.0]), [(0, 1), (1, 2)]);
        assert_eq!(least(0, 3, &Vec::new()), []);
    }
}
