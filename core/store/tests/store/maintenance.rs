use foretell_store::blob::BlobErrorKind;
use foretell_store::maintenance::{BackupErrorKind, CheckReport};
use foretell_store::open::Store;
use foretell_store::prediction::NewPrediction;

use crate::shop::{Shop, order};

async fn shop_of(orders: i64) -> (Shop, Vec<i64>) {
    Shop::with((0..orders).map(|number| order(number, "ann", number)).collect()).await
}

/// What the check says after `damage` was done to a sound database of three orders.
async fn check_after(damage: &'static str) -> CheckReport {
    let (shop, _) = shop_of(3).await;
    assert!(shop.store.check().await.unwrap().is_sound());
    sqlx::raw_sql(damage).execute(&mut shop.other().await).await.unwrap();
    shop.store.check().await.unwrap()
}

#[tokio::test]
async fn the_check_finds_each_kind_of_damage() {
    let cases = [
        ("key-without-record", "INSERT INTO record_key VALUES (1, 5, 4711)", 1, Some(4711)),
        ("key-without-record", "UPDATE record_key SET event_time = 99 WHERE record_id = 2", 1, Some(2)),
        ("key-without-entity", "UPDATE record_key SET entity_id = 50 WHERE record_id > 1", 2, Some(2)),
        ("entity-without-record", "INSERT INTO entity VALUES (9, 'shop', 'customer', 'eve')", 1, Some(9)),
        ("payload", "UPDATE record SET payload = '{oops' WHERE id = 3", 1, Some(3)),
        ("payload", "UPDATE record SET payload = '[1]' WHERE id = 3", 1, Some(3)),
        ("payload", "UPDATE record SET payload = '{' || char(10) || '}'", 3, Some(1)),
        ("blob-size", "INSERT INTO blob VALUES ('aa', 'image/png', 5, x'0102', NULL)", 1, Some(1)),
        ("reference", "UPDATE label SET record_id = 77 WHERE id = 2", 1, Some(2)),
    ];
    for (check, damage, count, example) in cases {
        let report = check_after(damage).await;
        assert!(!report.is_sound(), "{check}");
        assert!(report.checks.contains(&check));
        let problem = report.problems.iter().find(|problem| problem.check == check);
        let problem = problem.unwrap_or_else(|| panic!("`{check}` is not in {report:#?}"));
        assert_eq!((problem.count, problem.example), (count, example), "{check}");
    }
}

#[tokio::test]
async fn the_check_finds_a_changed_byte() {
    let (shop, _) = shop_of(3).await;
    let path = shop.store.path().to_owned();
    shop.store.close().await;
    let mut bytes = std::fs::read(&path).unwrap();
    let name = bytes.windows(7).position(|window| window == b"order-1").unwrap();
    bytes[name] = b'X';
    std::fs::write(&path, bytes).unwrap();

    let report = Store::open(&path).await.unwrap().check().await.unwrap();
    let problem = report.problems.iter().find(|problem| problem.check == "file").unwrap();
    assert!(problem.message.contains("record_external_id"), "table and index disagree: {}", problem.message);
}

#[tokio::test]
async fn a_backup_is_a_whole_database() {
    let (shop, ids) = shop_of(500).await;
    let run_id = shop.run("1.0.0").await;
    let prediction = NewPrediction { record_id: ids[7], score: Some(0.7), ..NewPrediction::default() };
    shop.store.write_predictions(run_id, &[prediction], &[]).await.unwrap();
    let path = shop.directory.path().join("backup.db");
    shop.store.backup(&path).await.unwrap();

    let copy = Store::open(&path).await.unwrap();
    assert!(copy.check().await.unwrap().is_sound());
    assert_eq!(copy.stats().await.unwrap().records, 500);
    assert_eq!(copy.record(ids[7]).await.unwrap(), shop.store.record(ids[7]).await.unwrap());
    assert_eq!(
        copy.lineage_of(ids[7], run_id).await.unwrap(),
        shop.store.lineage_of(ids[7], run_id).await.unwrap()
    );
}

#[tokio::test]
async fn a_backup_never_overwrites_and_leaves_no_half_made_file() {
    let (shop, _) = shop_of(1).await;
    let path = shop.directory.path().join("precious.txt");
    std::fs::write(&path, "do not touch").unwrap();
    let error = shop.store.backup(&path).await.unwrap_err();
    assert!(matches!(error.kind, BackupErrorKind::Exists));
    assert_eq!(std::fs::read_to_string(&path).unwrap(), "do not touch");

    let error = shop.store.backup(shop.directory.path().join("no").join("backup.db")).await.unwrap_err();
    assert!(matches!(error.kind, BackupErrorKind::Store(_)), "{error:?}");
    let files = std::fs::read_dir(shop.directory.path()).unwrap();
    let names = files.map(|file| file.unwrap().file_name().into_string().unwrap());
    assert!(names.into_iter().all(|name| !name.contains("partial")));
}

#[tokio::test]
async fn a_backup_of_a_read_only_store_works_too() {
    let (shop, _) = shop_of(3).await;
    let path = shop.directory.path().join("backup.db");
    Store::open_read_only(shop.store.path()).await.unwrap().backup(&path).await.unwrap();
    assert_eq!(Store::open_read_only(&path).await.unwrap().stats().await.unwrap().records, 3);
}

#[tokio::test]
async fn stats_count_everything_and_vacuum_gives_space_back() {
    let (shop, _) = shop_of(2_000).await;
    let stats = shop.store.stats().await.unwrap();
    assert_eq!((stats.records, stats.entities, stats.labels, stats.sources), (2_000, 1, 2_000, 1));
    assert_eq!((stats.predictions, stats.runs, stats.rejected_records, stats.blobs), (0, 0, 0, 0));

    sqlx::raw_sql("DELETE FROM label").execute(&mut shop.other().await).await.unwrap();
    let loose = shop.store.stats().await.unwrap();
    assert!(loose.free_bytes > 0);
    shop.store.vacuum().await.unwrap();
    let tight = shop.store.stats().await.unwrap();
    assert_eq!(tight.free_bytes, 0);
    assert!(tight.file_bytes < loose.file_bytes);
    assert_eq!(std::fs::metadata(shop.store.path()).unwrap().len(), tight.file_bytes);
}

#[tokio::test]
async fn blobs_are_stored_once_and_checked_when_read() {
    let (shop, ids) = shop_of(1).await;
    let store = &shop.store;
    let hash = store.put_blob("image/png", b"pixels").await.unwrap();
    assert_eq!(store.put_blob("image/png", b"pixels").await.unwrap(), hash);
    let path = shop.directory.path().join("film.png");
    std::fs::write(&path, b"pixels").unwrap();
    assert_eq!(store.link_blob("image/png", &path).await.unwrap(), hash, "the content is there already");
    assert_eq!(store.stats().await.unwrap().blobs, 1);

    std::fs::write(&path, b"a film").unwrap();
    let linked = store.link_blob("image/png", &path).await.unwrap();
    assert_eq!(store.read_blob(&linked).await.unwrap(), b"a film");
    std::fs::write(&path, b"another").unwrap();
    assert!(matches!(store.read_blob(&linked).await.unwrap_err().kind, BlobErrorKind::Changed { .. }));
    std::fs::remove_file(&path).unwrap();
    assert!(matches!(store.read_blob(&linked).await.unwrap_err().kind, BlobErrorKind::File { .. }));
    assert!(matches!(store.read_blob("none").await.unwrap_err().kind, BlobErrorKind::Unknown));

    store.attach_blob(ids[0], "image", &hash).await.unwrap();
    store.attach_blob(ids[0], "image", &hash).await.unwrap();
    assert!(matches!(
        store.attach_blob(ids[0], "image", &linked).await.unwrap_err().kind,
        BlobErrorKind::FieldTaken
    ));
    assert!(matches!(
        store.attach_blob(99, "image", &hash).await.unwrap_err().kind,
        BlobErrorKind::UnknownReference
    ));
    assert_eq!(store.record_blobs(ids[0]).await.unwrap(), [("image".to_owned(), hash)]);
}
