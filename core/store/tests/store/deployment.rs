use std::path::{Path, PathBuf};

use foretell_store::deployment::{DeployErrorKind, Duty, NewDeployment, Role};
use foretell_store::lineage::PluginVersion;
use foretell_store::open::{APPLICATION_ID, Store};
use foretell_store::prediction::NewPrediction;
use foretell_store::selection::Selection;
use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{ConnectOptions, Connection, Row};
use tempfile::TempDir;

use crate::shop::{Shop, execute, model, order, plugin, run};

/// What the plugins of the shop are for.
fn returns() -> Duty {
    Duty::new("shop", "binary-classification")
}

async fn new(shop: &Shop, version: &str) -> NewDeployment {
    NewDeployment {
        plugin_version_id: shop.store.plugin_version(&plugin(version)).await.unwrap(),
        model_ids: vec![shop.store.model(&model(version)).await.unwrap()],
        config: "{}".into(),
        author: "ann".into(),
    }
}

async fn holder(shop: &Shop, role: Role) -> Option<String> {
    let deployment = shop.store.deployed(&returns(), role).await.unwrap()?;
    assert_eq!(deployment.models, [model(&deployment.plugin.version)], "a plugin comes with its own models");
    Some(deployment.plugin.version)
}

#[tokio::test]
async fn rolling_back_goes_back_as_far_as_there_is() {
    let shop = Shop::new().await;
    assert_eq!(holder(&shop, Role::Champion).await, None);
    for version in ["1", "2", "3"] {
        shop.store.deploy(&returns(), Role::Champion, &new(&shop, version).await).await.unwrap();
    }
    for version in ["2", "1"] {
        assert_eq!(shop.store.roll_back(&returns(), "bob").await.unwrap().plugin.version, version);
        assert_eq!(holder(&shop, Role::Champion).await.as_deref(), Some(version));
    }
    let kind = shop.store.roll_back(&returns(), "bob").await.unwrap_err().kind;
    assert!(matches!(kind, DeployErrorKind::NothingBefore), "{kind:?}");

    // What is deployed now comes after the one that was gone back to.
    shop.store.deploy(&returns(), Role::Champion, &new(&shop, "4").await).await.unwrap();
    assert_eq!(shop.store.roll_back(&returns(), "bob").await.unwrap().plugin.version, "1");
    let log = shop.store.deployments("shop").await.unwrap();
    let actions: Vec<&str> = log.iter().rev().map(|entry| entry.action.as_str()).collect();
    assert_eq!(actions, ["deploy", "deploy", "deploy", "roll back", "roll back", "deploy", "roll back"]);
    assert_eq!((log[0].author.as_str(), log[0].models.as_deref()), ("bob", Some("network model-1")));
}

#[tokio::test]
async fn a_challenger_that_wins_is_none_any_more() {
    let shop = Shop::new().await;
    let (old, next) = (new(&shop, "1").await, new(&shop, "2").await);
    shop.store.deploy(&returns(), Role::Champion, &old).await.unwrap();
    let kind = shop.store.deploy(&returns(), Role::Challenger, &old).await.unwrap_err().kind;
    assert!(matches!(kind, DeployErrorKind::IsChampion), "{kind:?}");
    shop.store.deploy(&returns(), Role::Challenger, &next).await.unwrap();
    assert_eq!(holder(&shop, Role::Challenger).await.as_deref(), Some("2"));
    assert_eq!(holder(&shop, Role::Champion).await.as_deref(), Some("1"));

    shop.store.deploy(&returns(), Role::Champion, &next).await.unwrap();
    assert_eq!(holder(&shop, Role::Challenger).await, None);
    assert_eq!(holder(&shop, Role::Champion).await.as_deref(), Some("2"));
    let entries = shop.store.deployments("shop").await.unwrap().len();
    shop.store.deploy(&returns(), Role::Champion, &next).await.unwrap();
    assert_eq!(shop.store.deployments("shop").await.unwrap().len(), entries, "it was the champion already");

    let kind = shop.store.withdraw(&returns(), Role::Challenger, "ann").await.unwrap_err().kind;
    assert!(matches!(kind, DeployErrorKind::Nobody(Role::Challenger)), "{kind:?}");
    shop.store.withdraw(&returns(), Role::Champion, "ann").await.unwrap();
    assert_eq!(holder(&shop, Role::Champion).await, None);
    assert_eq!(shop.store.duties(None).await.unwrap(), [returns()]);
}

#[tokio::test]
async fn plugins_of_different_tasks_do_not_compete() {
    let shop = Shop::new().await;
    let ranking = Duty::new("shop", "ranking");
    let mut sorter = PluginVersion { name: "sorter".into(), task: "ranking".into(), ..plugin("1") };
    let mut next = async |version: &str| {
        sorter.version = version.into();
        NewDeployment {
            plugin_version_id: shop.store.plugin_version(&sorter).await.unwrap(),
            ..new(&shop, version).await
        }
    };
    let holder_of_ranking = async |role| {
        let deployment = shop.store.deployed(&ranking, role).await.unwrap()?;
        Some(format!("{} {}", deployment.plugin.name, deployment.plugin.version))
    };
    shop.store.deploy(&returns(), Role::Champion, &new(&shop, "1").await).await.unwrap();
    shop.store.deploy(&ranking, Role::Champion, &next("1").await).await.unwrap();
    assert_eq!(holder(&shop, Role::Champion).await.as_deref(), Some("1"));
    assert_eq!(holder_of_ranking(Role::Champion).await.as_deref(), Some("sorter 1"));

    // Each is rolled back and tried by itself.
    shop.store.deploy(&ranking, Role::Champion, &next("2").await).await.unwrap();
    shop.store.deploy(&returns(), Role::Challenger, &new(&shop, "2").await).await.unwrap();
    assert_eq!(holder_of_ranking(Role::Challenger).await, None);
    let error = shop.store.roll_back(&returns(), "ann").await.unwrap_err();
    assert!(matches!(error.kind, DeployErrorKind::NothingBefore), "{error:?}");
    assert_eq!(
        error.to_string(),
        "cannot change what is deployed for task `binary-classification` of domain `shop`"
    );
    shop.store.roll_back(&ranking, "ann").await.unwrap();
    assert_eq!(holder_of_ranking(Role::Champion).await.as_deref(), Some("sorter 1"));
    assert_eq!(holder(&shop, Role::Champion).await.as_deref(), Some("1"));
    assert_eq!(holder(&shop, Role::Challenger).await.as_deref(), Some("2"));

    assert_eq!(shop.store.duties(Some("shop")).await.unwrap(), [returns(), ranking]);
    assert_eq!(shop.store.duties(Some("warehouse")).await.unwrap(), []);
    let log = shop.store.deployments("shop").await.unwrap();
    let tasks: Vec<&str> = log.iter().rev().map(|entry| entry.task.as_str()).collect();
    assert_eq!(tasks.iter().filter(|task| **task == "ranking").count(), 3, "{tasks:?}");
}

/// A line of the log as it was when a domain had one champion: its role, its action, and the plugin, of which `a` and `c` find and `b`
/// tracks.
type Line = (&'static str, &'static str, Option<&'static str>);

/// A database of the time when a domain had one champion, with this log.
async fn old_database(directory: &Path, log: &[Line]) -> PathBuf {
    let path = directory.join("old.db");
    let options = SqliteConnectOptions::new().filename(&path).create_if_missing(true).foreign_keys(true);
    let mut connection = options.connect().await.unwrap();
    execute(&mut connection, &format!("PRAGMA application_id = {APPLICATION_ID}")).await;
    sqlx::migrate!("../../migrations").run_to(5, &mut connection).await.unwrap();
    execute(
        &mut connection,
        "INSERT INTO plugin_version (id, name, version, domain, task, library_hash, manifest_hash, manifest, first_used_at)
         VALUES (1, 'a', '1.0.0', 'road', 'detection', 'l', 'm', '', 0), (2, 'b', '1.0.0', 'road', 'tracking', 'l', 'm', '', 0),
                (3, 'c', '1.0.0', 'road', 'detection', 'l', 'm', '', 0);
         INSERT INTO model (id, plugin, name, hash, file, bytes, first_used_at)
         VALUES (1, 'a', 'network', 'model-a', 'a', 1, 0), (2, 'b', 'network', 'model-b', 'b', 1, 0),
                (3, 'c', 'network', 'model-c', 'c', 1, 0)",
    )
    .await;
    for (place, (role, action, plugin)) in log.iter().enumerate() {
        let id = place as i64 + 1;
        let version = plugin.map(|plugin| i64::from(plugin.as_bytes()[0] - b'a' + 1));
        sqlx::query("INSERT INTO deployment VALUES (?, 'road', ?, ?, ?, ?, ?, ?)")
            .bind(id)
            .bind(role)
            .bind(action)
            .bind(version)
            .bind(version.map(|_| "{}"))
            .bind(format!("author-{id}"))
            .bind(1_000 * id)
            .execute(&mut connection)
            .await
            .unwrap();
        if let Some(version) = version {
            sqlx::query("INSERT INTO deployment_model VALUES (?, ?)")
                .bind(id)
                .bind(version)
                .execute(&mut connection)
                .await
                .unwrap();
        }
    }
    connection.close().await.unwrap();
    path
}

const CHAMPION: &str = "champion";
const CHALLENGER: &str = "challenger";

/// Who finds, who tracks, in a role.
async fn holders(store: &Store, role: Role) -> [Option<String>; 2] {
    let mut holders = [None, None];
    for (holder, task) in holders.iter_mut().zip(["detection", "tracking"]) {
        let deployment = store.deployed(&Duty::new("road", task), role).await.unwrap();
        *holder = deployment.map(|deployment| {
            let name = deployment.plugin.name;
            let models: Vec<&str> = deployment.models.iter().map(|model| model.hash.as_str()).collect();
            assert_eq!(models, [format!("model-{name}")], "a plugin comes with its own models");
            name
        });
    }
    holders
}

#[tokio::test]
async fn the_log_of_a_domain_becomes_one_of_its_tasks() {
    let deploy = |plugin| (CHAMPION, "deploy", Some(plugin));
    let roll_back = |plugin| (CHAMPION, "roll back", Some(plugin));
    let challenge = |plugin| (CHALLENGER, "deploy", Some(plugin));
    let withdraw: Line = (CHALLENGER, "withdraw", None);
    /// The log, who finds and who tracks afterwards, who is tried at it, and who finds after the finder is rolled back.
    type Case<'a> = (&'a [Line], [Option<&'a str>; 2], [Option<&'a str>; 2], Option<&'a str>);
    let cases: [Case<'_>; 9] = [
        (&[], [None, None], [None, None], None),
        (&[deploy("a"), deploy("c")], [Some("c"), None], [None, None], Some("a")),
        (&[deploy("a"), deploy("c"), roll_back("a")], [Some("a"), None], [None, None], None),
        // Who was replaced by a plugin of another task stays replaced.
        (&[deploy("a"), deploy("b")], [None, Some("b")], [None, None], None),
        (&[deploy("a"), deploy("b"), roll_back("a")], [Some("a"), None], [None, None], None),
        // What came back stays what a later one is rolled back to.
        (
            &[deploy("a"), deploy("b"), roll_back("a"), deploy("c")],
            [Some("c"), None],
            [None, None],
            Some("a"),
        ),
        (
            &[deploy("a"), deploy("c"), deploy("b"), roll_back("c")],
            [Some("c"), None],
            [None, None],
            Some("a"),
        ),
        (&[deploy("a"), challenge("c"), challenge("b")], [Some("a"), None], [None, Some("b")], None),
        (&[deploy("a"), challenge("c"), deploy("c"), withdraw], [Some("c"), None], [None, None], Some("a")),
    ];
    for (log, champions, challengers, rolled_back) in cases {
        let directory = TempDir::new().unwrap();
        let path = old_database(directory.path(), log).await;
        let store = Store::open(&path).await.unwrap();
        let found = (holders(&store, Role::Champion).await, holders(&store, Role::Challenger).await);
        let owned = |names: [Option<&str>; 2]| names.map(|name| name.map(str::to_owned));
        assert_eq!(found, (owned(champions), owned(challengers)), "{log:?}");
        let back = store.roll_back(&Duty::new("road", "detection"), "ann").await.ok();
        assert_eq!(back.map(|back| back.plugin.name).as_deref(), rolled_back, "{log:?}");
        store.close().await;
    }
}

#[tokio::test]
async fn lines_of_an_old_log_stay_as_they_were_with_a_task_each() {
    let directory = TempDir::new().unwrap();
    let log: [Line; 5] = [
        (CHAMPION, "deploy", Some("a")),
        (CHALLENGER, "deploy", Some("b")),
        (CHALLENGER, "withdraw", None),
        (CHAMPION, "deploy", Some("b")),
        (CHAMPION, "roll back", Some("a")),
    ];
    let path = old_database(directory.path(), &log).await;
    let store = Store::open(&path).await.unwrap();
    let entries = store.deployments("road").await.unwrap();
    let lines: Vec<_> = entries
        .iter()
        .rev()
        .map(|entry| {
            let plugin = entry.plugin.as_deref().unwrap_or("nobody");
            format!(
                "{} {} {} {} {plugin} {} {}",
                entry.id, entry.task, entry.role, entry.action, entry.author, entry.deployed_at
            )
        })
        .collect();
    let expected = [
        "1 detection champion deploy a@1.0.0 author-1 1000",
        "2 tracking challenger deploy b@1.0.0 author-2 2000",
        "3 tracking challenger withdraw nobody author-3 3000",
        "4 tracking champion deploy b@1.0.0 author-4 4000",
        "5 detection champion return a@1.0.0 author-5 5000",
        // Whoever was rolled back, by whom and when.
        "6 tracking champion withdraw nobody author-5 5000",
    ];
    assert_eq!(lines, expected);
}

#[tokio::test]
async fn what_a_challenger_says_is_no_answer() {
    let shop = Shop::new().await;
    let record_id = shop.appender().await.append(vec![order(1, "ann", 0)]).await.unwrap()[0].record_id();
    let plugin_version_id = shop.store.plugin_version(&plugin("1")).await.unwrap();
    for (score, shadow) in [(0.25, false), (0.75, true)] {
        let mut run = run(plugin_version_id, vec![]);
        run.shadow = shadow;
        let run = shop.store.begin_run(&run).await.unwrap();
        let prediction = NewPrediction { record_id, score: Some(score), ..NewPrediction::default() };
        shop.store.write_predictions(run, &[prediction], &[]).await.unwrap();
        assert_eq!(shop.store.run(run).await.unwrap().unwrap().shadow, shadow);
    }
    let row =
        sqlx::query("SELECT score FROM readable_record").fetch_one(&mut shop.other().await).await.unwrap();
    assert_eq!(row.get::<f64, _>("score"), 0.25);
}

#[tokio::test]
async fn a_record_shows_what_was_answered_last_for_each_task() {
    let shop = Shop::new().await;
    let record_id = shop.appender().await.append(vec![order(1, "ann", 0)]).await.unwrap()[0].record_id();
    let sorter = PluginVersion { name: "sorter".into(), task: "ranking".into(), ..plugin("1") };
    for (plugin, score) in [(plugin("1"), 0.25), (sorter, 0.5), (plugin("2"), 0.75)] {
        let plugin_version_id = shop.store.plugin_version(&plugin).await.unwrap();
        let run = shop.store.begin_run(&run(plugin_version_id, vec![])).await.unwrap();
        let prediction = NewPrediction { record_id, score: Some(score), ..NewPrediction::default() };
        shop.store.write_predictions(run, &[prediction], &[]).await.unwrap();
    }
    let answers: Vec<(String, String, f64)> =
        sqlx::query_as("SELECT task, plugin, score FROM readable_record ORDER BY task")
            .fetch_all(&mut shop.other().await)
            .await
            .unwrap();
    let answer = |task: &str, plugin: &str, score| (task.to_owned(), plugin.to_owned(), score);
    assert_eq!(
        answers,
        [answer("binary-classification", &plugin("1").name, 0.75), answer("ranking", "sorter", 0.5)]
    );
    // However many rows a record has, it is one record.
    let selection =
        Selection { domain: "shop".into(), condition: Some("score > 0.4".into()), ..Selection::default() };
    assert_eq!(shop.store.count_selected(&selection).await.unwrap(), 1);
}
