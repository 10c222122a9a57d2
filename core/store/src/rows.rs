//! Writing many rows with one statement, which costs a fifth of writing them one by one.
//!
//! A statement takes a power of two of rows, at most [`STATEMENT_ROWS_MAX`]. So each kind of row has only a handful of
//! statement texts, all of which stay prepared, and any number of rows is written with few statements.

use sqlx::query::Query;
use sqlx::sqlite::SqliteArguments;
use sqlx::{AssertSqlSafe, Sqlite, SqliteConnection};

/// Rows in one statement. Beyond this, a larger statement gains nothing.
pub(crate) const STATEMENT_ROWS_MAX: usize = 512;

pub(crate) type Binding<'q> = Query<'q, Sqlite, SqliteArguments>;

/// An `INSERT` whose number of rows is open.
pub(crate) struct Insert {
    /// `INSERT INTO t (a, b)`.
    pub(crate) into: &'static str,
    /// One row, such as `(@1, ?, ?)`: `?` is bound anew for each row, `@1`, `@2` ... once for the statement.
    pub(crate) row: &'static str,
    /// What follows the rows, such as an `ON CONFLICT` clause.
    pub(crate) then: &'static str,
}

impl Insert {
    /// Writes `items`, at most [`STATEMENT_ROWS_MAX`] and a power of two of them; returns how many rows were added.
    ///
    /// `own` binds the `?` of one row, and `shared` the numbered values of the statement.
    pub(crate) async fn write_chunk<'i, T>(
        &self,
        connection: &mut SqliteConnection,
        items: &'i [T],
        own: impl Fn(Binding<'i>, &'i T) -> Binding<'i>,
        shared: impl Fn(Binding<'i>) -> Binding<'i>,
    ) -> Result<u64, sqlx::Error> {
        let query = sqlx::query(AssertSqlSafe(self.sql(items.len())));
        let query = shared(items.iter().fold(query, own));
        Ok(query.execute(connection).await?.rows_affected())
    }

    /// Writes all of `items`; returns how many rows were added.
    pub(crate) async fn write<'i, T>(
        &self,
        connection: &mut SqliteConnection,
        items: &'i [T],
        own: impl Fn(Binding<'i>, &'i T) -> Binding<'i>,
        shared: impl Fn(Binding<'i>) -> Binding<'i>,
    ) -> Result<u64, sqlx::Error> {
        let mut added = 0;
        for chunk in chunks(items) {
            added += self.write_chunk(connection, chunk, &own, &shared).await?;
        }
        Ok(added)
    }

    /// The text for so many rows.
    ///
    /// sqlx binds a `?` in the order of appearance and `$n` to the n-th value, so the shared values come last.
    /// (`?n` would do as well, but SQLite looks such a name up in a list, for every value of every row.)
    fn sql(&self, rows: usize) -> String {
        let own = rows * self.row.matches('?').count();
        let mut row = self.row.to_owned();
        for shared in 1..=self.row.matches('@').count() {
            row = row.replace(&format!("@{shared}"), &format!("${}", own + shared));
        }
        let mut sql = String::with_capacity(self.into.len() + self.then.len() + 16 + rows * (row.len() + 1));
        sql.push_str(self.into);
        sql.push_str(" VALUES ");
        for index in 0..rows {
            if index > 0 {
                sql.push(',');
            }
            sql.push_str(&row);
        }
        sql.push(' ');
        sql.push_str(self.then);
        sql
    }
}

/// Cuts `items` into pieces of [`STATEMENT_ROWS_MAX`], and the rest into pieces of a power of two.
pub(crate) fn chunks<T>(mut items: &[T]) -> impl Iterator<Item = &[T]> {
    std::iter::from_fn(move || {
        let size = items.len().min(STATEMENT_ROWS_MAX).checked_ilog2()?;
        let (chunk, rest) = items.split_at(1 << size);
        items = rest;
        Some(chunk)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn shared_values_are_numbered_after_the_values_of_the_rows() {
        let insert =
            Insert { into: "INSERT INTO t (a, b, c)", row: "(@1, ?, @2)", then: "ON CONFLICT DO NOTHING" };
        assert_eq!(
            insert.sql(2),
            "INSERT INTO t (a, b, c) VALUES ($3, ?, $4),($3, ?, $4) ON CONFLICT DO NOTHING"
        );
    }

    proptest! {
        #[test]
        fn pieces_are_powers_of_two_and_lose_nothing(length in 0_usize..5_000) {
            let items: Vec<usize> = (0..length).collect();
            let pieces: Vec<&[usize]> = chunks(&items).collect();
            prop_assert!(pieces.iter().all(|piece| piece.len().is_power_of_two()));
            prop_assert!(pieces.iter().all(|piece| piece.len() <= STATEMENT_ROWS_MAX));
            prop_assert_eq!(pieces.concat(), items);
        }
    }
}
