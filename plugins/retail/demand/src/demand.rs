//! The method: what an item's past says of the next period.
//!
//! Demand that comes now and then is a count with many zeros. What matters for a stock is not its middle, which is zero,
//! but its mean and its upper quantiles. So a forecast is a distribution: its mean and variance are those of the past,
//! weighted by age, and its shape is that of a negative binomial (of a Poisson where the variance is no larger than the
//! mean).
//!
//! With the total `y` of each period of age `a` (0 the last one), weights `w = 2 ^ (-a / half_life)`, and the sum of weights
//! `W` over all `n` periods since the item's first record and `k` before it:
//!
//! ```text
//! mean     = sum of w * y / W
//! variance = max(mean, sum of w * y^2 / W - mean^2)
//! k        = (n + 12) / (periods with demand) - 1, or 0 if the first record is no purchase
//! ```
//!
//! The `k` empty periods stand for those before the first purchase. A series that begins with its first purchase begins
//! with demand by construction, and its mean is too high: by 20 to 40 % on the car parts of `MODEL_CARD.md`. `k` is how
//! long one waits for demand, from the item's own past; the 12 are periods without any, which count less the more is known. An
//! item that sells in every period of a long past has next to none. A first record of quantity 0 says since when the item
//! could be bought, and nothing has to be guessed.
//!
//! The negative binomial as the distribution of intermittent demand: Syntetos and Boylan, *On the stock control performance
//! of intermittent demand estimators*, International Journal of Production Economics 103 (2006). Weights that fade with
//! age: Brown's exponential smoothing. The empty periods are this project's own, chosen by backtest.

use statrs::distribution::{DiscreteCDF as _, NegativeBinomial, Poisson};

/// Periods without demand that an item is taken to have waited before its first purchase when nothing more is known.
const WAIT: f64 = 12.0;
/// The largest total of a period. It keeps squares of totals far from the end of the numbers.
const TOTAL_MAX: f64 = 1e12;
/// Variance over mean up to which a negative binomial is a Poisson.
const DISPERSION_MIN: f64 = 1.0 + 1e-6;

/// What an item's past says of each of the next periods.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Forecast {
    /// Mean of the demand, in pieces a period.
    pub mean: f64,
    /// The low quantile.
    pub low: f64,
    /// The high quantile.
    pub high: f64,
}

/// What is known of an item: the periods in which it has records, and how much was bought.
///
/// ```
/// use foretell_plugin_demand::demand::Series;
///
/// let mut series = Series::default();
/// for (period, pieces) in [(0, 2.0), (3, 1.0), (4, 2.0)] {
///     series.add(period, pieces);
/// }
/// let forecast = series.forecast(5, 8.0, [0.1, 0.9]).unwrap();
/// assert!(forecast.mean > 0.0 && forecast.mean < 5.0 / 3.0);
/// assert_eq!((forecast.low, forecast.high), (0.0, 2.0));
/// ```
#[derive(Clone, Debug, Default)]
pub struct Series {
    /// Number and total of each period with a record, in the order of time.
    totals: Vec<(i64, f64)>,
    /// Whether the first record is a purchase, so that nothing says since when the item could be bought.
    begins_bought: bool,
    /// Memory: the totals of a forecast and their weights, by total.
    sorted: Vec<(f64, f64)>,
}

impl Series {
    /// Forgets everything but its memory.
    pub fn clear(&mut self) {
        self.totals.clear();
    }

    /// Adds a record of `quantity` pieces in a period no earlier than those before. A negative quantity is a return, and
    /// takes from what was bought in the same period.
    pub fn add(&mut self, period: i64, quantity: f64) {
        if self.totals.is_empty() {
            self.begins_bought = quantity > 0.0;
        }
        match self.totals.last_mut() {
            Some((last, total)) if *last == period => *total += quantity,
            _ => self.totals.push((period, quantity)),
        }
    }

    /// The demand of the period `end` and of each one after it, from what was bought before `end`. `half_life` is in
    /// periods, and `levels` are those of the low and the high quantile. `None` if nothing was bought.
    pub fn forecast(&mut self, end: i64, half_life: f64, levels: [f64; 2]) -> Option<Forecast> {
        let &(start, _) = self.totals.first()?;
        let fade = |age: f64| (-age / half_life).exp2();
        let (mut first, mut second) = (0.0, 0.0);
        let mut whole = true;
        self.sorted.clear();
        for &(period, total) in self.totals.iter().take_while(|(period, _)| *period < end) {
            // More returned than bought: the purchases were another period's.
            if total > 0.0 {
                let (total, weight) = (total.min(TOTAL_MAX), fade((end - 1 - period) as f64));
                first += weight * total;
                second += weight * total * total;
                whole &= total.fract() == 0.0;
                self.sorted.push((total, weight));
            }
        }
        if self.sorted.is_empty() {
            return None;
        }
        let periods = (end - start) as f64;
        let waited = if self.begins_bought { (periods + WAIT) / self.sorted.len() as f64 - 1.0 } else { 0.0 };
        // The sum of a geometric series, which need not have a whole number of terms.
        let all = (1.0 - fade(periods + waited)) / (1.0 - fade(1.0));
        let mean = first / all;
        let [low, high] = if whole {
            levels.map(|level| of_count(mean, second / all - mean * mean, level))
        } else {
            self.sorted.sort_unstable_by(|one, other| one.0.total_cmp(&other.0));
            levels.map(|level| of_past(&self.sorted, all, level))
        };
        Some(Forecast { mean, low, high })
    }
}

/// The least number that a count of this mean and variance does not exceed with a probability of `level`.
fn of_count(mean: f64, variance: f64, level: f64) -> f64 {
    // By Markov's inequality.
    if mean <= 1.0 - level {
        return 0.0;
    }
    let dispersion = (variance / mean).max(1.0);
    // With x successes of probability 1 / dispersion among so many failures the mean and the variance are as wanted.
    let distribution = NegativeBinomial::new(mean / (dispersion - 1.0), 1.0 / dispersion);
    match distribution.ok().filter(|_| dispersion > DISPERSION_MIN) {
        Some(distribution) => least(mean, mean * dispersion, level, |count| distribution.cdf(count)),
        None => {
            Poisson::new(mean).map_or(0.0, |poisson| least(mean, mean, level, |count| poisson.cdf(count)))
        }
    }
}

/// The least count whose share, by `cdf`, reaches `level`. By Cantelli's inequality it is no more than so many standard
/// deviations above the mean.
fn least(mean: f64, variance: f64, level: f64, cdf: impl Fn(u64) -> f64) -> f64 {
    let (mut low, mut high) = (0, (mean + (variance * level / (1.0 - level)).sqrt()).ceil() as u64);
    while low < high {
        let middle = low + (high - low) / 2;
        if cdf(middle) >= level {
            high = middle;
        } else {
            low = middle + 1;
        }
    }
    low as f64
}

/// The quantile of the weighted totals themselves, in the order of size, where they are no counts but weights or lengths.
/// Empty periods weigh what the totals leave of `all`.
fn of_past(sorted: &[(f64, f64)], all: f64, level: f64) -> f64 {
    let mut share = all - sorted.iter().map(|(_, weight)| weight).sum::<f64>();
    let mut quantile = 0.0;
    for &(total, weight) in sorted {
        if share >= level * all {
            break;
        }
        share += weight;
        quantile = total;
    }
    quantile
}
