//! Simulated databases, made once and kept, and copies of them to work on.

use std::fs;
use std::path::{Path, PathBuf};

use foretell_fraud::PLUGIN;
use foretell_store::open::{Store, schema_version};
use foretell_terminal::Failure;

use crate::machine;
use crate::product::{self, Product};

/// Customers pay about twice a day: so many of them on so many days make the records of a town.
#[derive(Debug, Clone, Copy)]
pub(super) struct Town {
    /// What it is called in figures and file names.
    pub(super) name: &'static str,
    pub(super) customers: u32,
    pub(super) days: u32,
}

/// Where the databases are, and the product to make them with.
pub(super) struct Databases {
    directory: PathBuf,
    product: Product,
}

impl Databases {
    /// With a home in which the plugin was just installed: the databases stay, the plugin may be another one than last time.
    pub(super) fn new() -> Result<Self, Failure> {
        let directory = machine::scratch()?.join("jobs");
        let product = Product::fresh(&directory.join("product"))?;
        product.install(PLUGIN)?;
        Ok(Self { directory, product })
    }

    /// The database of a town, with nothing scored.
    pub(super) async fn of(&self, town: &Town) -> Result<PathBuf, Failure> {
        // A later schema has databases of its own.
        let path = self.directory.join(format!("{}-{}.db", town.name, schema_version()));
        if !path.exists() {
            let unfinished = self.directory.join("unfinished.db");
            product::remove(&unfinished)?;
            self.simulate(town, &unfinished).await?;
            fs::rename(&unfinished, &path).map_err(|error| product::cannot("keep", &path, &error))?;
        }
        Ok(path)
    }

    async fn simulate(&self, town: &Town, path: &Path) -> Result<(), Failure> {
        let words = |name: &str, value: u32| [format!("--{name}"), value.to_string()];
        let mut arguments = vec!["simulate".to_owned(), "--json".to_owned()];
        arguments.extend(words("customers", town.customers));
        arguments.extend(words("terminals", 2 * town.customers));
        arguments.extend(words("days", town.days));
        self.product.with_database(path).run("foretell-fraud", arguments)?.succeeded()?;
        // Whoever closes a database last leaves all of it in one file.
        let store = Store::open(path).await;
        store.map_err(|error| Failure::new(&error).hint(error.kind.hint()))?.close().await;
        let log = product::beside(path, "-wal");
        match fs::metadata(&log) {
            Ok(file) if file.len() > 0 => {
                Err(Failure::words(format!("`{}` was expected to be empty after closing", log.display())))
            }
            _ => Ok(()),
        }
    }

    /// The product with a copy of a database, which is on the disk and in the system's file cache.
    pub(super) fn copy(&self, database: &Path, name: &str) -> Result<Product, Failure> {
        self.product.with_copy(database, &self.directory.join(format!("{name}.db")))
    }

    /// Removes a copy.
    pub(super) fn remove(&self, copy: &Product) -> Result<(), Failure> {
        product::remove(copy.database())
    }
}
