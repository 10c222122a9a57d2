//! A simulated shop as files that `foretell-retail import` reads.

use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::Path;

use foretell_store::time::format_time;

use super::{Item, Purchase};

/// Writes `purchases.csv` (customer, item, event_time, basket, quantity, price; in the order of time) and
/// `catalogue.csv` (item, title, brand, category, price, in_stock) into a directory, which is made if need be.
///
/// # Errors
/// What the system says when a file cannot be written.
pub fn export(directory: &Path, items: &[Item], bought: &[Purchase]) -> io::Result<()> {
    std::fs::create_dir_all(directory)?;
    let file = |name| File::create(directory.join(name)).map(BufWriter::new);
    let mut purchases = file("purchases.csv")?;
    writeln!(purchases, "customer,item,event_time,basket,quantity,price")?;
    for purchase in bought {
        let (customer, item, time) = (purchase.customer(), purchase.item(), format_time(purchase.time_us));
        let (basket, quantity, price) = (purchase.basket(), purchase.quantity, purchase.price());
        writeln!(purchases, "{customer},{item},{time},{basket},{quantity},{price:.2}")?;
    }
    purchases.flush()?;
    let mut catalogue = file("catalogue.csv")?;
    writeln!(catalogue, "item,title,brand,category,price,in_stock")?;
    for entry in (0..).zip(items).map(|(number, item)| item.entry(number)) {
        let text = |text: &Option<String>| format!("\"{}\"", text.as_deref().unwrap_or_default());
        let (title, brand, category) = (text(&entry.title), text(&entry.brand), text(&entry.category));
        let (price, in_stock) = (entry.price.unwrap_or_default(), entry.in_stock.unwrap_or_default());
        writeln!(catalogue, "{},{title},{brand},{category},{price:.2},{in_stock}", entry.item)?;
    }
    catalogue.flush()
}
