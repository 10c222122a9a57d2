//! A time by which a statement is done or stopped.

use std::sync::Arc;
use std::time::{Duration, Instant};

use sqlx::SqliteConnection;
use sqlx::sqlite::SqliteRow;

use crate::rows::Binding;

/// Instructions of SQLite between two looks at the clock: a few microseconds.
const INSTRUCTIONS: i32 = 1_000;

/// The result code of SQLite for a statement that was stopped.
pub(super) const SQLITE_INTERRUPT: &str = "9";

/// Stops every statement of the connection that runs `time` from now on, as long as what it returns is there.
///
/// A function that works on one long text is not stopped half way, only before the next instruction.
async fn limit(connection: &mut SqliteConnection, time: Duration) -> Result<Arc<()>, sqlx::Error> {
    let started = Instant::now();
    // A future that is dropped half way leaves its handler behind, which must not stop what comes next.
    let limit = Arc::new(());
    let holds = Arc::downgrade(&limit);
    connection
        .lock_handle()
        .await?
        .set_progress_handler(INSTRUCTIONS, move || holds.strong_count() == 0 || started.elapsed() <= time);
    Ok(limit)
}

/// The one row of a statement. After `time` the statement fails with [`SQLITE_INTERRUPT`].
pub(super) async fn fetch_one_within(
    connection: &mut SqliteConnection,
    time: Duration,
    query: Binding<'_>,
) -> Result<SqliteRow, sqlx::Error> {
    let limit = limit(connection, time).await?;
    let row = query.fetch_one(&mut *connection).await;
    drop(limit);
    connection.lock_handle().await?.remove_progress_handler();
    row
}

#[cfg(test)]
mod tests {
    use sqlx::{Connection, Row};

    use super::*;

    const LONG: &str = "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 300000)
                        SELECT count(*) FROM n";

    async fn count(connection: &mut SqliteConnection) -> Result<i64, sqlx::Error> {
        sqlx::query_scalar(LONG).fetch_one(connection).await
    }

    fn is_interrupt(error: &sqlx::Error) -> bool {
        error.as_database_error().is_some_and(|error| error.code().as_deref() == Some(SQLITE_INTERRUPT))
    }

    #[tokio::test]
    async fn a_statement_is_stopped_and_the_next_one_is_not() {
        let mut connection = SqliteConnection::connect("sqlite::memory:").await.unwrap();
        let error = fetch_one_within(&mut connection, Duration::ZERO, sqlx::query(LONG)).await.unwrap_err();
        assert!(is_interrupt(&error), "{error}");
        assert_eq!(count(&mut connection).await.unwrap(), 300_000);
        let row = fetch_one_within(&mut connection, Duration::MAX, sqlx::query(LONG)).await.unwrap();
        assert_eq!(row.get::<i64, _>(0), 300_000);
    }

    #[tokio::test]
    async fn a_limit_that_nobody_holds_any_more_stops_nothing() {
        let mut connection = SqliteConnection::connect("sqlite::memory:").await.unwrap();
        let held = limit(&mut connection, Duration::ZERO).await.unwrap();
        assert!(is_interrupt(&count(&mut connection).await.unwrap_err()));
        drop(held);
        assert_eq!(count(&mut connection).await.unwrap(), 300_000);
    }
}
