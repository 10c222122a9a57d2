//! Which model answers: the champion of a duty, and the challenger that is only stored beside it.
//!
//! A duty is a task of a domain, such as the detection of a domain of films. Plugins of different tasks do not compete: each
//! task has its own champion.
//!
//! ```
//! # use foretell_store::lineage::PluginVersion;
//! # use foretell_store::open::Store;
//! use foretell_store::deployment::{Duty, NewDeployment, Role};
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # let directory = tempfile::tempdir()?;
//! # let store = Store::create_or_open(directory.path().join("shop.db")).await?;
//! # let plugin = |version: &str| PluginVersion { name: "returns".into(), version: version.into(), domain: "shop".into(),
//! #     task: "binary-classification".into(), library_hash: "a".into(), manifest_hash: "b".into(), manifest: "".into() };
//! let returns = Duty::new("shop", "binary-classification");
//! for version in ["1.0.0", "2.0.0"] {
//!     let plugin_version_id = store.plugin_version(&plugin(version)).await?;
//!     let new = NewDeployment { plugin_version_id, model_ids: vec![], config: "{}".into(), author: "ann".into() };
//!     store.deploy(&returns, Role::Champion, &new).await?;
//! }
//! let back = store.roll_back(&returns, "ann").await?;
//! assert_eq!(back.plugin.version, "1.0.0");
//! assert_eq!(store.deployed(&returns, Role::Champion).await?, Some(back));
//! assert_eq!(store.deployed(&Duty::new("shop", "ranking"), Role::Champion).await?, None, "another duty");
//! assert_eq!(store.deployments("shop").await?.len(), 3, "nothing of the log is ever taken back");
//! # Ok(())
//! # }
//! ```

use std::fmt;

use serde::Serialize;
use sqlx::sqlite::SqliteRow;
use sqlx::{AssertSqlSafe, FromRow, Row, SqliteConnection};

use crate::fault::{Fault, ReadContext, ReadError};
use crate::lineage::{Model, PluginVersion};
use crate::open::{Durability, Store, begin};
use crate::time::{Micros, now};

const DEPLOY: &str = "deploy";
const ROLL_BACK: &str = "roll back";
const WITHDRAW: &str = "withdraw";

/// What a plugin can be the champion of: a task of a domain.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, FromRow)]
pub struct Duty {
    /// The domain.
    pub domain: String,
    /// The task, as a plugin's manifest calls it, such as `binary-classification`.
    pub task: String,
}

impl Duty {
    /// A task of a domain.
    pub fn new(domain: impl Into<String>, task: impl Into<String>) -> Self {
        Self { domain: domain.into(), task: task.into() }
    }
}

impl fmt::Display for Duty {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "task `{}` of domain `{}`", self.task, self.domain)
    }
}

/// Who hears of a prediction.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// Whoever asked: this is the answer.
    Champion,
    /// Nobody: it is stored for comparison.
    Challenger,
}

impl Role {
    /// The word in the database.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Champion => "champion",
            Self::Challenger => "challenger",
        }
    }
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// What is to be deployed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewDeployment {
    /// See [`Store::plugin_version`].
    pub plugin_version_id: i64,
    /// See [`Store::model`].
    pub model_ids: Vec<i64>,
    /// The configuration of the plugin, as JSON.
    pub config: String,
    /// The operating system's user.
    pub author: String,
}

/// A plugin version with its models and settings, in a role.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Deployment {
    /// Its place in the log.
    pub id: i64,
    /// The plugin.
    pub plugin: PluginVersion,
    /// The models that it uses.
    pub models: Vec<Model>,
    /// The configuration of the plugin, as JSON.
    pub config: String,
    /// The operating system's user who deployed it.
    pub author: String,
    /// When.
    pub deployed_at: Micros,
}

/// A line of the log.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, FromRow)]
pub struct DeploymentEntry {
    /// Its place in the log.
    pub id: i64,
    /// The task that it is about.
    pub task: String,
    /// `champion` or `challenger`.
    pub role: String,
    /// `deploy`, `roll back`, `withdraw`, or, of a time when a domain had one champion for all its tasks, `return`: it came back when
    /// the plugin of another task was rolled back.
    pub action: String,
    /// The plugin that holds the role from then on, `name@version`; nothing for nobody.
    pub plugin: Option<String>,
    /// Its models: slots, and the beginning of the hash of each.
    pub models: Option<String>,
    /// The operating system's user.
    pub author: String,
    /// When.
    #[serde(skip)]
    pub deployed_at: Micros,
}

/// A deployment that could not be changed.
#[derive(Debug, thiserror::Error)]
#[error("cannot change what is deployed for {duty}")]
pub struct DeployError {
    /// What for.
    pub duty: Duty,
    /// Why.
    #[source]
    pub kind: DeployErrorKind,
}

/// Why a deployment could not be changed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DeployErrorKind {
    /// There is nothing to go back to.
    #[error("there was no other champion before this one")]
    NothingBefore,
    /// It is tried beside itself.
    #[error("it is the champion, so there is nothing to try beside it")]
    IsChampion,
    /// Nobody holds the role.
    #[error("there is no {0}")]
    Nobody(Role),
    /// The database could not be read or written.
    #[error(transparent)]
    Store(#[from] Fault),
}

impl DeployErrorKind {
    /// What the user can do about it, if anything.
    pub fn hint(&self) -> Option<&'static str> {
        match self {
            Self::NothingBefore | Self::Nobody(_) => Some("look at the log of the domain"),
            Self::IsChampion => Some("choose another version, or another model file"),
            Self::Store(fault) => fault.hint(),
        }
    }
}

impl From<sqlx::Error> for DeployErrorKind {
    fn from(error: sqlx::Error) -> Self {
        Self::Store(error.into())
    }
}

impl Store {
    /// Gives a plugin version of this task with its models a role, in the place of whoever had it. A challenger that becomes
    /// champion is no challenger any more. Nothing changes if it has the role already.
    pub async fn deploy(&self, duty: &Duty, role: Role, new: &NewDeployment) -> Result<(), DeployError> {
        let deploy = async {
            let mut writer = self.writer().await;
            let mut transaction = begin(&mut writer, Durability::Full).await?;
            let champion = current(&mut transaction, duty, Role::Champion).await?;
            let challenger = current(&mut transaction, duty, Role::Challenger).await?;
            let id = insert(&mut transaction, duty, role, DEPLOY, Some(new), &new.author).await?;
            let is_champion = are_same(&mut transaction, id, champion).await?;
            let is_challenger = are_same(&mut transaction, id, challenger).await?;
            match role {
                // Dropping the transaction undoes the insert.
                Role::Champion if is_champion => return Ok(()),
                Role::Challenger if is_challenger => return Ok(()),
                Role::Challenger if is_champion => return Err(DeployErrorKind::IsChampion),
                Role::Champion if is_challenger => {
                    insert(&mut transaction, duty, Role::Challenger, WITHDRAW, None, &new.author).await?;
                }
                Role::Champion | Role::Challenger => (),
            }
            Ok(transaction.commit().await?)
        };
        deploy.await.map_err(|kind| DeployError { duty: duty.clone(), kind })
    }

    /// Takes a role from whoever has it.
    pub async fn withdraw(&self, duty: &Duty, role: Role, author: &str) -> Result<(), DeployError> {
        let withdraw = async {
            let mut writer = self.writer().await;
            let mut transaction = begin(&mut writer, Durability::Full).await?;
            current(&mut transaction, duty, role).await?.ok_or(DeployErrorKind::Nobody(role))?;
            insert(&mut transaction, duty, role, WITHDRAW, None, author).await?;
            Ok(transaction.commit().await?)
        };
        withdraw.await.map_err(|kind| DeployError { duty: duty.clone(), kind })
    }

    /// Makes the champion that was before the present one the champion again. Doing it again goes further back.
    pub async fn roll_back(&self, duty: &Duty, author: &str) -> Result<Deployment, DeployError> {
        let roll_back = async {
            let mut writer = self.writer().await;
            let mut transaction = begin(&mut writer, Durability::Full).await?;
            let earlier = before(&mut transaction, duty).await?.ok_or(DeployErrorKind::NothingBefore)?;
            let earlier = read(&mut transaction, earlier).await?;
            let id = insert(&mut transaction, duty, Role::Champion, ROLL_BACK, None, author).await?;
            sqlx::query(
                "UPDATE deployment SET (plugin_version_id, config) =
                     (SELECT plugin_version_id, config FROM deployment WHERE id = ?2) WHERE id = ?1",
            )
            .bind(id)
            .bind(earlier.id)
            .execute(&mut *transaction)
            .await?;
            sqlx::query(
                "INSERT INTO deployment_model SELECT ?1, model_id FROM deployment_model WHERE deployment_id = ?2",
            )
            .bind(id)
            .bind(earlier.id)
            .execute(&mut *transaction)
            .await?;
            let challenger = current(&mut transaction, duty, Role::Challenger).await?;
            if are_same(&mut transaction, id, challenger).await? {
                insert(&mut transaction, duty, Role::Challenger, WITHDRAW, None, author).await?;
            }
            let deployment = read(&mut transaction, id).await?;
            transaction.commit().await?;
            Ok(deployment)
        };
        roll_back.await.map_err(|kind| DeployError { duty: duty.clone(), kind })
    }

    /// Who has a role, if anybody.
    pub async fn deployed(&self, duty: &Duty, role: Role) -> Result<Option<Deployment>, ReadError> {
        let find = async {
            let mut snapshot = self.readers().begin().await?;
            match current(&mut snapshot, duty, role).await? {
                Some(id) => read(&mut snapshot, id).await.map(Some),
                None => Ok(None),
            }
        };
        find.await.while_reading(|| format!("the {role} for {duty}"))
    }

    /// Where in the log it stands who has the roles of a duty, the champion and the challenger; nothing where nobody has. Costs little,
    /// so that a process which runs for long can ask often whether anything has changed.
    pub async fn holders(&self, duty: &Duty) -> Result<[Option<i64>; 2], ReadError> {
        let find = async {
            let mut snapshot = self.readers().begin().await?;
            let champion = current(&mut snapshot, duty, Role::Champion).await?;
            Ok([champion, current(&mut snapshot, duty, Role::Challenger).await?])
        };
        find.await.while_reading(|| format!("who has the roles for {duty}"))
    }

    /// The log of a domain, the latest first.
    pub async fn deployments(&self, domain: &str) -> Result<Vec<DeploymentEntry>, ReadError> {
        sqlx::query_as(
            "SELECT deployment.id, deployment.task, role, action, name || '@' || version AS plugin, author, deployed_at,
                 (SELECT group_concat(model.name || ' ' || substr(hash, 1, 12), ', ')
                  FROM deployment_model JOIN model ON model.id = model_id
                  WHERE deployment_id = deployment.id) AS models
             FROM deployment LEFT JOIN plugin_version ON plugin_version.id = plugin_version_id
             WHERE deployment.domain = ? ORDER BY deployment.id DESC",
        )
        .bind(domain)
        .fetch_all(self.readers())
        .await
        .while_reading(|| format!("what was deployed in domain `{domain}`"))
    }

    /// The duties for which anything was ever deployed: those of a domain, or all. In alphabetical order.
    pub async fn duties(&self, domain: Option<&str>) -> Result<Vec<Duty>, ReadError> {
        sqlx::query_as(
            "SELECT DISTINCT domain, task FROM deployment WHERE domain = ?1 OR ?1 IS NULL ORDER BY domain, task",
        )
        .bind(domain)
        .fetch_all(self.readers())
        .await
        .while_reading(|| "what is deployed".to_owned())
    }
}

async fn insert(
    connection: &mut SqliteConnection,
    duty: &Duty,
    role: Role,
    action: &str,
    new: Option<&NewDeployment>,
    author: &str,
) -> Result<i64, sqlx::Error> {
    let inserted = sqlx::query(
        "INSERT INTO deployment (domain, task, role, action, plugin_version_id, config, author, deployed_at)
         VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
    )
    .bind(&duty.domain)
    .bind(&duty.task)
    .bind(role.as_str())
    .bind(action)
    .bind(new.map(|new| new.plugin_version_id))
    .bind(new.map(|new| &new.config))
    .bind(author)
    .bind(now())
    .execute(&mut *connection)
    .await?;
    let id = inserted.last_insert_rowid();
    for model_id in new.iter().flat_map(|new| &new.model_ids) {
        sqlx::query("INSERT INTO deployment_model (deployment_id, model_id) VALUES (?, ?)")
            .bind(id)
            .bind(model_id)
            .execute(&mut *connection)
            .await?;
    }
    Ok(id)
}

/// The row of the log that holds, if it names somebody.
async fn current(
    connection: &mut SqliteConnection,
    duty: &Duty,
    role: Role,
) -> Result<Option<i64>, sqlx::Error> {
    sqlx::query_scalar(
        "SELECT id FROM (SELECT id, plugin_version_id FROM deployment WHERE domain = ? AND task = ? AND role = ?
                         ORDER BY id DESC LIMIT 1)
         WHERE plugin_version_id IS NOT NULL",
    )
    .bind(&duty.domain)
    .bind(&duty.task)
    .bind(role.as_str())
    .fetch_optional(connection)
    .await
}

/// The row that held before the last deploy that is not undone.
async fn before(connection: &mut SqliteConnection, duty: &Duty) -> Result<Option<i64>, sqlx::Error> {
    let log: Vec<(i64, String)> = sqlx::query_as(
        "SELECT id, action FROM deployment WHERE domain = ? AND task = ? AND role = ? ORDER BY id",
    )
    .bind(&duty.domain)
    .bind(&duty.task)
    .bind(Role::Champion.as_str())
    .fetch_all(connection)
    .await?;
    let mut champions = Vec::new();
    for (id, action) in log {
        match action.as_str() {
            DEPLOY => champions.push(id),
            ROLL_BACK => {
                champions.pop();
            }
            // One that is withdrawn, or came back, was deployed before.
            _ => (),
        }
    }
    champions.pop();
    Ok(champions.pop())
}

/// Whether two rows name the same plugin version, models and settings.
async fn are_same(
    connection: &mut SqliteConnection,
    one: i64,
    other: Option<i64>,
) -> Result<bool, sqlx::Error> {
    let Some(other) = other else { return Ok(false) };
    const MODELS: &str = "(SELECT json_group_array(model_id) FROM (SELECT model_id FROM deployment_model WHERE deployment_id = ";
    sqlx::query_scalar(AssertSqlSafe(format!(
        "SELECT one.plugin_version_id = other.plugin_version_id AND one.config = other.config
             AND {MODELS} one.id ORDER BY model_id)) = {MODELS} other.id ORDER BY model_id))
         FROM deployment AS one, deployment AS other WHERE one.id = ? AND other.id = ?"
    )))
    .bind(one)
    .bind(other)
    .fetch_one(connection)
    .await
}

async fn read(connection: &mut SqliteConnection, id: i64) -> Result<Deployment, sqlx::Error> {
    let models = sqlx::query_as(
        "SELECT model.* FROM deployment_model JOIN model ON model.id = model_id WHERE deployment_id = ? ORDER BY model_id",
    )
    .bind(id)
    .fetch_all(&mut *connection)
    .await?;
    let row: SqliteRow = sqlx::query(
        "SELECT deployment.id AS deployment_id, config, author, deployed_at, name, version, plugin_version.domain,
             plugin_version.task,             library_hash, manifest_hash, manifest
         FROM deployment JOIN plugin_version ON plugin_version.id = plugin_version_id WHERE deployment.id = ?",
    )
    .bind(id)
    .fetch_one(connection)
    .await?;
    Ok(Deployment {
        id: row.try_get("deployment_id")?,
        plugin: PluginVersion::from_row(&row)?,
        models,
        config: row.try_get("config")?,
        author: row.try_get("author")?,
        deployed_at: row.try_get("deployed_at")?,
    })
}
