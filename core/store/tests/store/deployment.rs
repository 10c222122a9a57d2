use foretell_store::deployment::{DeployErrorKind, NewDeployment, Role};
use foretell_store::prediction::NewPrediction;
use sqlx::Row;

use crate::shop::{Shop, model, order, plugin, run};

async fn new(shop: &Shop, version: &str) -> NewDeployment {
    NewDeployment {
        plugin_version_id: shop.store.plugin_version(&plugin(version)).await.unwrap(),
        model_ids: vec![shop.store.model(&model(version)).await.unwrap()],
        config: "{}".into(),
        author: "ann".into(),
    }
}

async fn holder(shop: &Shop, role: Role) -> Option<String> {
    let deployment = shop.store.deployed("shop", role).await.unwrap()?;
    assert_eq!(deployment.models, [model(&deployment.plugin.version)], "a plugin comes with its own models");
    Some(deployment.plugin.version)
}

#[tokio::test]
async fn rolling_back_goes_back_as_far_as_there_is() {
    let shop = Shop::new().await;
    assert_eq!(holder(&shop, Role::Champion).await, None);
    for version in ["1", "2", "3"] {
        shop.store.deploy("shop", Role::Champion, &new(&shop, version).await).await.unwrap();
    }
    for version in ["2", "1"] {
        assert_eq!(shop.store.roll_back("shop", "bob").await.unwrap().plugin.version, version);
        assert_eq!(holder(&shop, Role::Champion).await.as_deref(), Some(version));
    }
    let kind = shop.store.roll_back("shop", "bob").await.unwrap_err().kind;
    assert!(matches!(kind, DeployErrorKind::NothingBefore), "{kind:?}");

    // What is deployed now comes after the one that was gone back to.
    shop.store.deploy("shop", Role::Champion, &new(&shop, "4").await).await.unwrap();
    assert_eq!(shop.store.roll_back("shop", "bob").await.unwrap().plugin.version, "1");
    let log = shop.store.deployments("shop").await.unwrap();
    let actions: Vec<&str> = log.iter().rev().map(|entry| entry.action.as_str()).collect();
    assert_eq!(actions, ["deploy", "deploy", "deploy", "roll back", "roll back", "deploy", "roll back"]);
    assert_eq!((log[0].author.as_str(), log[0].models.as_deref()), ("bob", Some("network model-1")));
}

#[tokio::test]
async fn a_challenger_that_wins_is_none_any_more() {
    let shop = Shop::new().await;
    let (old, next) = (new(&shop, "1").await, new(&shop, "2").await);
    shop.store.deploy("shop", Role::Champion, &old).await.unwrap();
    let kind = shop.store.deploy("shop", Role::Challenger, &old).await.unwrap_err().kind;
    assert!(matches!(kind, DeployErrorKind::IsChampion), "{kind:?}");
    shop.store.deploy("shop", Role::Challenger, &next).await.unwrap();
    assert_eq!(holder(&shop, Role::Challenger).await.as_deref(), Some("2"));
    assert_eq!(holder(&shop, Role::Champion).await.as_deref(), Some("1"));

    shop.store.deploy("shop", Role::Champion, &next).await.unwrap();
    assert_eq!(holder(&shop, Role::Challenger).await, None);
    assert_eq!(holder(&shop, Role::Champion).await.as_deref(), Some("2"));
    let entries = shop.store.deployments("shop").await.unwrap().len();
    shop.store.deploy("shop", Role::Champion, &next).await.unwrap();
    assert_eq!(shop.store.deployments("shop").await.unwrap().len(), entries, "it was the champion already");

    let kind = shop.store.withdraw("shop", Role::Challenger, "ann").await.unwrap_err().kind;
    assert!(matches!(kind, DeployErrorKind::Nobody(Role::Challenger)), "{kind:?}");
    shop.store.withdraw("shop", Role::Champion, "ann").await.unwrap();
    assert_eq!(holder(&shop, Role::Champion).await, None);
    assert_eq!(shop.store.deployed_domains().await.unwrap(), ["shop"]);
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
