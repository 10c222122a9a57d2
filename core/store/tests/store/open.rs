use std::path::Path;
use std::time::Duration;

use foretell_store::fault::FaultKind;
use foretell_store::open::{APPLICATION_ID, OpenErrorKind, OpenOptions, Store, schema_version};
use foretell_store::record::AppendErrorKind;
use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{ConnectOptions, Connection, SqliteConnection};
use tempfile::TempDir;

use crate::shop::{Shop, execute, order};

const IMPATIENT: OpenOptions = OpenOptions { busy_timeout: Duration::from_millis(30) };

async fn connect(path: &Path) -> SqliteConnection {
    SqliteConnectOptions::new().filename(path).create_if_missing(true).connect().await.unwrap()
}

/// Changes a database behind the back of the store, which is closed; returns its path.
async fn tamper(shop: Shop, sql: &str) -> (TempDir, std::path::PathBuf) {
    let path = shop.store.path().to_owned();
    shop.store.close().await;
    let mut connection = connect(&path).await;
    execute(&mut connection, sql).await;
    connection.close().await.unwrap();
    (shop.directory, path)
}

/// The kind of error with which all three ways of opening fail.
async fn refusal(path: &Path) -> OpenErrorKind {
    let before = std::fs::read(path).ok();
    let kind = Store::create_or_open(path).await.unwrap_err().kind;
    for other in [Store::open(path).await, Store::open_read_only(path).await] {
        assert_eq!(other.unwrap_err().kind.to_string(), kind.to_string());
    }
    assert!(std::fs::read(path).ok() == before, "a file that is refused must not be touched");
    kind
}

#[tokio::test]
async fn what_was_stored_is_there_after_opening_again() {
    let (shop, ids) = Shop::with(vec![order(1, "ann", 10)]).await;
    let path = shop.store.path().to_owned();
    shop.store.close().await;
    assert!(!path.with_extension("db-wal").exists(), "closing merges the write-ahead log");
    for store in [Store::open(&path).await.unwrap(), Store::open_read_only(&path).await.unwrap()] {
        assert_eq!(store.record(ids[0]).await.unwrap().unwrap().event_time, 10);
    }
}

#[tokio::test]
async fn closing_one_handle_leaves_the_others_open() {
    let (shop, ids) = Shop::with(vec![order(1, "ann", 10)]).await;
    let mut appender = shop.appender().await;
    shop.store.clone().close().await;
    assert!(shop.store.record(ids[0]).await.unwrap().is_some());
    appender.append(vec![order(2, "bob", 20)]).await.unwrap();
}

#[tokio::test]
async fn a_missing_file_is_created_only_on_request() {
    let directory = TempDir::new().unwrap();
    let path = directory.path().join("shop.db");
    for result in [Store::open(&path).await, Store::open_read_only(&path).await] {
        let error = result.unwrap_err();
        assert!(matches!(error.kind, OpenErrorKind::Missing));
        assert_eq!(error.path, path);
    }
    assert!(!path.exists());
    Store::create_or_open(&path).await.unwrap();
    assert!(path.exists());
}

#[tokio::test]
async fn a_file_that_cannot_be_created_says_why() {
    let directory = TempDir::new().unwrap();
    let kind = |path: std::path::PathBuf| async move { Store::create_or_open(path).await.unwrap_err().kind };

    let missing = directory.path().join("no").join("shop.db");
    assert!(
        matches!(kind(missing).await, OpenErrorKind::NoDirectory(at) if at == directory.path().join("no"))
    );

    std::fs::write(directory.path().join("file"), "").unwrap();
    let below_a_file = directory.path().join("file").join("shop.db");
    assert!(matches!(kind(below_a_file).await, OpenErrorKind::NoDirectory(_)));

    assert!(matches!(kind(directory.path().to_owned()).await, OpenErrorKind::Directory));
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn a_directory_that_takes_no_files_is_reported_with_a_hint() {
    // Nobody may create files there, not even an administrator.
    let kind = Store::create_or_open("/proc/foretell.db").await.unwrap_err().kind;
    assert!(
        matches!(&kind, OpenErrorKind::Store(fault) if fault.kind() == FaultKind::CannotOpen),
        "{kind:?}"
    );
    assert!(kind.hint().is_some());
}

#[tokio::test]
async fn a_read_only_store_reads_and_refuses_to_write() {
    let (shop, ids) = Shop::with(vec![order(1, "ann", 10)]).await;
    let store = Store::open_read_only(shop.store.path()).await.unwrap();
    assert!(store.record(ids[0]).await.unwrap().is_some());
    let error = store.finish_run(1).await.unwrap_err();
    let foretell_store::lineage::LineageErrorKind::Store(fault) = error.kind else { panic!("{error:?}") };
    assert_eq!(fault.kind(), FaultKind::ReadOnly);
    assert!(fault.hint().is_some());
}

#[tokio::test]
async fn a_file_that_is_no_database_is_refused() {
    let directory = TempDir::new().unwrap();
    let path = directory.path().join("notes.txt");
    std::fs::write(&path, "these are my notes, and not a database\n".repeat(100)).unwrap();
    let kind = refusal(&path).await;
    assert!(
        matches!(&kind, OpenErrorKind::Store(fault) if fault.kind() == FaultKind::NotDatabase),
        "{kind:?}"
    );
}

#[tokio::test]
async fn the_database_of_another_program_is_refused_and_left_alone() {
    let directory = TempDir::new().unwrap();
    for (name, application_id) in [("plain.db", 0), ("marked.db", 77)] {
        let path = directory.path().join(name);
        let mut connection = connect(&path).await;
        execute(
            &mut connection,
            &format!("PRAGMA application_id = {application_id}; CREATE TABLE song (name TEXT)"),
        )
        .await;
        connection.close().await.unwrap();
        let kind = refusal(&path).await;
        assert!(matches!(kind, OpenErrorKind::Foreign { application_id: found } if found == application_id));
    }
}

#[tokio::test]
async fn an_empty_file_becomes_a_database_only_when_creating() {
    let directory = TempDir::new().unwrap();
    let path = directory.path().join("empty.db");
    std::fs::write(&path, "").unwrap();
    assert!(matches!(
        Store::open(&path).await.unwrap_err().kind,
        OpenErrorKind::Foreign { application_id: 0 }
    ));
    Store::create_or_open(&path).await.unwrap();
    Store::open(&path).await.unwrap();
}

#[tokio::test]
async fn a_newer_schema_is_refused_with_both_versions() {
    let newer = "INSERT INTO _sqlx_migrations VALUES (9000, 'from the future', '2030-01-01', true, x'00', 0)";
    let (_directory, path) = tamper(Shop::new().await, newer).await;
    let kind = refusal(&path).await;
    assert!(
        matches!(kind, OpenErrorKind::Newer { found: 9000, known } if known == schema_version()),
        "{kind:?}"
    );
    assert!(kind.to_string().contains("9000") && kind.to_string().contains(&schema_version().to_string()));
    assert!(kind.hint().unwrap().contains("update"));
}

#[tokio::test]
async fn a_schema_made_by_other_statements_is_refused() {
    let altered = "UPDATE _sqlx_migrations SET checksum = x'00' WHERE version = 1";
    let (_directory, path) = tamper(Shop::new().await, altered).await;
    assert!(matches!(refusal(&path).await, OpenErrorKind::Altered(1)));
}

#[tokio::test]
async fn an_older_schema_is_brought_up_to_date_by_a_writer_alone() {
    let directory = TempDir::new().unwrap();
    let path = directory.path().join("old.db");
    let mut connection = connect(&path).await;
    execute(&mut connection, &format!("PRAGMA application_id = {APPLICATION_ID}")).await;
    let migrator = sqlx::migrate!("../../migrations");
    migrator.run_to(1, &mut connection).await.unwrap();
    execute(&mut connection, "INSERT INTO source VALUES (7, 'shop', 'live', 'till', NULL, NULL, 0, NULL)")
        .await;
    connection.close().await.unwrap();

    let kind = Store::open_read_only(&path).await.unwrap_err().kind;
    assert!(matches!(kind, OpenErrorKind::Older { found: 1, .. }), "{kind:?}");
    // To be on the safe side, one copies it first.
    let copy = path.with_extension("copy");
    Store::open_to_copy(&path).await.unwrap().backup(&copy).await.unwrap();
    let kind = Store::open_read_only(&copy).await.unwrap_err().kind;
    assert!(matches!(kind, OpenErrorKind::Older { found: 1, .. }), "the copy was changed: {kind:?}");
    let store = Store::open(&path).await.unwrap();
    assert_eq!(store.source(7).await.unwrap().unwrap().name, "till");
    Store::open_read_only(&path).await.unwrap();
}

#[tokio::test]
async fn a_truncated_file_is_reported_as_damaged() {
    let orders = (0..2_000).map(|number| order(number, "ann", number)).collect();
    let (shop, _) = Shop::with(orders).await;
    let path = shop.store.path().to_owned();
    shop.store.close().await;
    let whole = std::fs::read(&path).unwrap();
    std::fs::write(&path, &whole[..whole.len() / 2]).unwrap();
    let fault = match Store::open(&path).await {
        Err(error) => match error.kind {
            OpenErrorKind::Store(fault) => fault,
            other => panic!("{other:?}"),
        },
        Ok(_) => panic!("half a database was opened"),
    };
    assert_eq!(fault.kind(), FaultKind::Corrupt);
    assert!(fault.hint().unwrap().contains("backup"));
}

#[tokio::test]
async fn an_exclusive_lock_of_another_process_is_reported_after_the_timeout() {
    let shop = Shop::new().await;
    let path = shop.store.path().to_owned();
    shop.store.close().await;
    let mut other = connect(&path).await;
    execute(&mut other, "PRAGMA locking_mode = EXCLUSIVE; BEGIN EXCLUSIVE; CREATE TABLE t (a)").await;
    for result in [IMPATIENT.open(&path).await, IMPATIENT.open_read_only(&path).await] {
        let kind = result.unwrap_err().kind;
        assert!(
            matches!(&kind, OpenErrorKind::Store(fault) if fault.kind() == FaultKind::Locked),
            "{kind:?}"
        );
        assert!(kind.hint().is_some());
    }
}

#[tokio::test]
async fn a_write_of_another_process_blocks_writes_but_neither_opening_nor_reading() {
    let (shop, ids) = Shop::with(vec![order(1, "ann", 10)]).await;
    let mut other = shop.other().await;
    execute(&mut other, "BEGIN IMMEDIATE").await;

    let store = IMPATIENT.open(shop.store.path()).await.unwrap();
    assert!(store.record(ids[0]).await.unwrap().is_some());
    let begin = foretell_store::record::Appender::begin(&store, "shop", vec![], crate::shop::source()).await;
    let kind = begin.unwrap_err().kind;
    assert!(matches!(&kind, AppendErrorKind::Store(fault) if fault.kind() == FaultKind::Locked), "{kind:?}");
    assert!(kind.hint().is_some());

    execute(&mut other, "ROLLBACK").await;
    foretell_store::record::Appender::begin(&store, "shop", vec![], crate::shop::source()).await.unwrap();
}

#[tokio::test]
async fn several_processes_may_create_the_same_database() {
    let directory = TempDir::new().unwrap();
    for attempt in 0..20 {
        let path = directory.path().join(format!("{attempt}.db"));
        let create = || Store::create_or_open(&path);
        let (one, two, three) = tokio::join!(create(), create(), create());
        for store in [one.unwrap(), two.unwrap(), three.unwrap()] {
            assert_eq!(store.stats().await.unwrap().records, 0);
        }
    }
}
