//! A small shop: orders of customers, of which some are returned.

use foretell_store::lineage::{Model, NewRun, PluginVersion};
use foretell_store::open::Store;
use foretell_store::record::{
    Appender, LabelValue, NewRecord, NewRecordLabel, Outcome, SourceInfo, SourceKind,
};
use foretell_store::time::DAY;
use tempfile::TempDir;

pub(crate) struct Shop {
    pub(crate) store: Store,
    pub(crate) directory: TempDir,
}

impl Shop {
    /// A new database in a directory of its own.
    pub(crate) async fn new() -> Self {
        let directory = TempDir::new().unwrap();
        let store = Store::create_or_open(directory.path().join("shop.db")).await.unwrap();
        Self { store, directory }
    }

    /// A new database with these orders, whose ids are returned.
    pub(crate) async fn with(orders: Vec<NewRecord>) -> (Self, Vec<i64>) {
        let shop = Self::new().await;
        let outcomes = shop.appender().await.append(orders).await.unwrap();
        let ids = outcomes.into_iter().map(|outcome| match outcome {
            Outcome::Stored(id) => id,
            other => panic!("the order was not stored: {other:?}"),
        });
        let ids = ids.collect();
        (shop, ids)
    }

    pub(crate) async fn appender(&self) -> Appender {
        Appender::begin(&self.store, "shop", vec!["customer".into()], source()).await.unwrap()
    }

    /// A run of version `version` of the plugin `returns`.
    pub(crate) async fn run(&self, version: &str) -> i64 {
        let plugin_version_id = self.store.plugin_version(&plugin(version)).await.unwrap();
        let model_id = self.store.model(&model(version)).await.unwrap();
        self.store.begin_run(&run(plugin_version_id, vec![model_id])).await.unwrap()
    }

    /// A second connection to the same file, as another process would have it.
    pub(crate) async fn other(&self) -> sqlx::SqliteConnection {
        use sqlx::ConnectOptions;
        let options =
            sqlx::sqlite::SqliteConnectOptions::new().filename(self.store.path()).foreign_keys(false);
        options.connect().await.unwrap()
    }

    pub(crate) async fn count(&self, table: &'static str) -> i64 {
        let sql = sqlx::AssertSqlSafe(format!("SELECT count(*) FROM {table}"));
        sqlx::query_scalar(sql).fetch_one(&mut self.other().await).await.unwrap()
    }
}

/// Does something behind the back of the store.
pub(crate) async fn execute(connection: &mut sqlx::SqliteConnection, sql: &str) {
    sqlx::raw_sql(sqlx::AssertSqlSafe(sql.to_owned())).execute(connection).await.unwrap();
}

pub(crate) fn source() -> SourceInfo {
    SourceInfo { kind: SourceKind::File, name: "orders.csv".into(), hash: Some("aa".into()), mapping: None }
}

/// An order at `time`, named by its number, known a week later not to have come back.
pub(crate) fn order(number: i64, customer: &str, time: i64) -> NewRecord {
    NewRecord {
        external_id: Some(format!("order-{number}")),
        event_time: time,
        payload: format!(r#"{{"customer":"{customer}","amount":{number}.5}}"#),
        keys: vec![Some(customer.to_owned())],
        labels: vec![NewRecordLabel {
            name: "returned".into(),
            value: LabelValue::Bool(false),
            known_at: time + 7 * DAY,
        }],
        media: vec![],
    }
}

pub(crate) fn plugin(version: &str) -> PluginVersion {
    PluginVersion {
        name: "returns".into(),
        version: version.into(),
        domain: "shop".into(),
        task: "binary-classification".into(),
        library_hash: format!("library-{version}"),
        manifest_hash: format!("manifest-{version}"),
        manifest: "name = \"returns\"".into(),
    }
}

pub(crate) fn model(version: &str) -> Model {
    Model {
        plugin: "returns".into(),
        name: "network".into(),
        hash: format!("model-{version}"),
        file: "returns.onnx".into(),
        bytes: 1_234,
    }
}

pub(crate) fn run(plugin_version_id: i64, model_ids: Vec<i64>) -> NewRun {
    NewRun {
        plugin_version_id,
        model_ids,
        config: "{\"threshold\":0.5}".into(),
        onnxruntime: "1.32.0".into(),
        threads: 1,
        program: "tests".into(),
        author: "clerk".into(),
        selection: "{\"all\":true}".into(),
        shadow: false,
    }
}
