//! Builds the crate again when a migration is added: `sqlx::migrate!` reads the directory at compile time.

fn main() {
    println!("cargo::rerun-if-changed=../../migrations");
}
