//! The store as its users see it: a file, opened, written, read, damaged.

mod answered;
mod deployment;
mod fit;
mod job;
mod label;
mod lineage;
mod maintenance;
mod newest;
mod open;
mod paired;
mod prediction;
mod record;
mod schema;
mod scored;
mod shop;
mod views;
