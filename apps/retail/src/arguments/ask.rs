//! Questions: what next, what is similar, what is known.

use clap::Args;
use foretell_store::time::{Micros, parse_time};
use foretell_terminal::job;

use super::Settings;

/// The most items that can be asked for.
const COUNT_MAX: i64 = 1_000;

/// `foretell-retail recommend`
#[derive(Debug, Args)]
#[command(
    after_help = "A question is stored before it is answered, so that `foretell verify` can repeat it:\n  \
                  foretell-retail recommend 7 --in-stock --category Camping --diversity 0.3\n  \
                  foretell-retail recommend --basket 3,17\n\
                  With --all, a question for every customer is stored, and all of them are answered in a job."
)]
pub struct Recommend {
    /// Customer to recommend to. Whoever has bought nothing gets what is popular.
    #[arg(required_unless_present_any = ["basket", "session", "all"])]
    pub customer: Option<String>,
    /// Items in the basket, in any order.
    #[arg(long, value_name = "ITEM,ITEM", value_delimiter = ',', conflicts_with = "session")]
    pub basket: Option<Vec<String>>,
    /// Items looked at or bought just now, oldest first.
    #[arg(long, value_name = "ITEM,ITEM", value_delimiter = ',')]
    pub session: Option<Vec<String>>,
    /// When it is asked, which bounds the past that is seen; now, if not said.
    #[arg(long, value_name = "TIME", value_parser = parse_time, conflicts_with = "all")]
    pub at: Option<Micros>,
    /// What is wanted.
    #[command(flatten)]
    pub limits: Limits,
    /// Also items that the customer has bought before.
    #[arg(long)]
    pub bought_again: bool,
    /// Item that comes first, whatever else is recommended. Can be given several times.
    #[arg(long, value_name = "ITEM")]
    pub pin: Vec<String>,
    /// Answer for every customer, and store the answers.
    #[arg(long, conflicts_with_all = ["customer", "basket", "session", "pin", "ban", "diversity"])]
    #[arg(conflicts_with_all = ["in_stock", "category", "brand", "min_price", "max_price"])]
    pub all: bool,
    /// With --all: what comes after every purchase from this time on, instead of one question for each customer.
    #[arg(long, value_name = "TIME", value_parser = parse_time, requires = "all")]
    pub from: Option<Micros>,
    /// With --all: what comes after every purchase before this time.
    #[arg(long, value_name = "TIME", value_parser = parse_time, requires = "all")]
    pub to: Option<Micros>,
    /// With --all: processes that work at the same time.
    #[arg(long, default_value_t = 1, value_name = "N", value_parser = job::parse_workers, requires = "all")]
    pub workers: usize,
}

/// What is wanted of a list of items, and who makes it.
#[derive(Debug, Default, Args)]
pub struct Limits {
    /// Number of items.
    #[arg(long, default_value_t = 10, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=COUNT_MAX))]
    pub count: u32,
    /// Only what can be had, by the catalogue. What it says nothing about is left out.
    #[arg(long)]
    pub in_stock: bool,
    /// Only items in this category or beneath it, such as `Camping` or `Camping > Tents`.
    #[arg(long, value_name = "PATH")]
    pub category: Option<String>,
    /// Only items of this brand.
    #[arg(long)]
    pub brand: Option<String>,
    /// Only items that cost at least so much.
    #[arg(long, value_name = "PRICE", value_parser = parse_price)]
    pub min_price: Option<f64>,
    /// Only items that cost at most so much.
    #[arg(long, value_name = "PRICE", value_parser = parse_price)]
    pub max_price: Option<f64>,
    /// Item that is never shown. Can be given several times.
    #[arg(long, value_name = "ITEM")]
    pub ban: Vec<String>,
    /// How much variety counts, from 0 (the best ones only) to 1 (as different as can be).
    #[arg(long, default_value_t = 0.0, value_name = "SHARE", value_parser = parse_share)]
    pub diversity: f64,
    /// Plugin that answers, `name` or `name@version`; the champion, if not said.
    #[arg(long)]
    pub plugin: Option<String>,
    /// How it is to answer.
    #[command(flatten)]
    pub settings: Settings,
}

fn parse_price(text: &str) -> Result<f64, &'static str> {
    let price = text.parse().ok().filter(|price: &f64| price.is_finite() && *price >= 0.0);
    price.ok_or("expected a price, 0 or more")
}

fn parse_share(text: &str) -> Result<f64, &'static str> {
    let share = text.parse().ok().filter(|share| (0.0..=1.0).contains(share));
    share.ok_or("expected a share from 0 to 1")
}

/// `foretell-retail similar`
#[derive(Debug, Args)]
pub struct Similar {
    /// The item.
    pub item: String,
    /// What is wanted.
    #[command(flatten)]
    pub limits: Limits,
}

/// `foretell-retail show`
#[derive(Debug, Args)]
#[command(after_help = "Where a customer and an item have the same id, both are shown.")]
pub struct Show {
    /// Id of a customer, or of an item.
    #[arg(value_name = "CUSTOMER|ITEM")]
    pub id: String,
    /// Number of purchases that are listed, the latest ones.
    #[arg(long, default_value_t = 10, value_name = "N", value_parser = clap::value_parser!(u32).range(0..=10_000))]
    pub limit: u32,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prices_and_shares_are_numbers_in_their_range() {
        assert_eq!((parse_price("2.5"), parse_price("0")), (Ok(2.5), Ok(0.0)));
        assert!(["-1", "NaN", "inf", "much"].iter().all(|text| parse_price(text).is_err()));
        assert_eq!((parse_share("0"), parse_share("1")), (Ok(0.0), Ok(1.0)));
        assert!(["-0.1", "1.1", "NaN", "some"].iter().all(|text| parse_share(text).is_err()));
    }
}
