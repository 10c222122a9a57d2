//! `foretell model`

use foretell_jobs::{Program, deploy};
use foretell_store::deployment::{DeployError, Deployment, DeploymentEntry, Role};
use foretell_store::open::Store;
use foretell_terminal::{Failure, Output, Place, Time, exit};
use serde::Serialize;

use super::unread;
use crate::arguments::{Deployed, Model};

pub(super) async fn run(place: &Place, output: Output, command: &Model) -> Result<u8, Failure> {
    match command {
        Model::List => list(&place.open_read_only().await?, output).await,
        Model::Promote { plugin } => give(place, output, plugin, Role::Champion).await,
        Model::Challenge { plugin } => give(place, output, plugin, Role::Challenger).await,
        Model::Rollback { domain } => {
            let store = place.open().await?;
            let champion =
                store.roll_back(domain, &Program::author()).await.map_err(|error| undeployed(&error))?;
            tell(output, domain, Role::Champion, &champion);
            Ok(exit::DONE)
        }
        Model::Withdraw { domain } => {
            let store = place.open().await?;
            let withdrawn = store.withdraw(domain, Role::Challenger, &Program::author()).await;
            withdrawn.map_err(|error| undeployed(&error))?;
            log(&store, output, domain).await
        }
        Model::Log { domain } => log(&place.open_read_only().await?, output, domain).await,
    }
}

/// Who has a role.
#[derive(Serialize)]
struct Holder {
    domain: String,
    role: Role,
    plugin: String,
    library_hash: String,
    models: Vec<ModelFile>,
    author: String,
    since: Time,
}

#[derive(Serialize)]
struct ModelFile {
    name: String,
    hash: String,
    file: String,
}

impl Holder {
    fn new(domain: &str, role: Role, deployment: &Deployment) -> Self {
        let models = deployment.models.iter().map(|model| ModelFile {
            name: model.name.clone(),
            hash: model.hash.clone(),
            file: model.file.clone(),
        });
        Self {
            domain: domain.to_owned(),
            role,
            plugin: format!("{}@{}", deployment.plugin.name, deployment.plugin.version),
            library_hash: deployment.plugin.library_hash.clone(),
            models: models.collect(),
            author: deployment.author.clone(),
            since: Time(deployment.deployed_at),
        }
    }
}

fn tell(output: Output, domain: &str, role: Role, deployment: &Deployment) {
    let holder = Holder::new(domain, role, deployment);
    output.show(&holder, |output| {
        output.line(&format!("{} is the {role} of domain `{domain}`", holder.plugin));
        let mut facts = vec![("library", holder.library_hash.clone())];
        for model in &holder.models {
            facts.push(("model", format!("{}, {}, `{}`", model.name, model.hash, model.file)));
        }
        output.facts(&facts);
    });
}

async fn list(store: &Store, output: Output) -> Result<u8, Failure> {
    let mut holders = Vec::new();
    for domain in store.deployed_domains().await.map_err(unread)? {
        for role in [Role::Champion, Role::Challenger] {
            if let Some(deployment) = store.deployed(&domain, role).await.map_err(unread)? {
                holders.push(Holder::new(&domain, role, &deployment));
            }
        }
    }
    output.show(&holders, |output| {
        if holders.is_empty() {
            return output.line("no model has a role; `foretell model promote PLUGIN` gives it one");
        }
        output.table(
            &["domain", "role", "plugin", "models", "since", "by"],
            holders.iter().map(|holder| {
                let short = |model: &ModelFile| format!("{} {:.12}", model.name, model.hash);
                let models: Vec<String> = holder.models.iter().map(short).collect();
                vec![
                    holder.domain.clone(),
                    holder.role.to_string(),
                    holder.plugin.clone(),
                    models.join(", "),
                    holder.since.to_string(),
                    holder.author.clone(),
                ]
            }),
        );
    });
    Ok(exit::DONE)
}

/// Loads the plugin before it gets the role: what cannot be loaded cannot answer.
async fn give(place: &Place, output: Output, wanted: &Deployed, role: Role) -> Result<u8, Failure> {
    let runtime = place.runtime()?;
    let model = wanted.model.as_ref().map(|(slot, file)| (slot.as_str(), file.as_path()));
    let plugin = place.plugin(&runtime, &wanted.plugin, model)?;
    let store = place.create_or_open().await?;
    let program = Program::new("foretell", env!("CARGO_PKG_VERSION"), &runtime);
    deploy(&store, &plugin, &program, role).await.map_err(|error| Failure::new(&error).hint(error.hint()))?;
    let domain = &plugin.manifest().plugin.domain;
    if let Some(deployment) = store.deployed(domain, role).await.map_err(unread)? {
        tell(output, domain, role, &deployment);
    }
    Ok(exit::DONE)
}

/// A line of the log.
#[derive(Serialize)]
struct Entry {
    #[serde(flatten)]
    entry: DeploymentEntry,
    at: Time,
}

async fn log(store: &Store, output: Output, domain: &str) -> Result<u8, Failure> {
    let entries = store.deployments(domain).await.map_err(unread)?;
    let entries: Vec<Entry> =
        entries.into_iter().map(|entry| Entry { at: Time(entry.deployed_at), entry }).collect();
    output.show(&entries, |output| {
        if entries.is_empty() {
            return output.line(&format!("nothing was ever deployed in domain `{domain}`"));
        }
        output.table(
            &["#", "at", "role", "action", "plugin", "models", "by"],
            entries.iter().map(|Entry { entry, at }| {
                vec![
                    entry.id.to_string(),
                    at.to_string(),
                    entry.role.clone(),
                    entry.action.clone(),
                    entry.plugin.clone().unwrap_or_else(|| "nobody".to_owned()),
                    entry.models.clone().unwrap_or_default(),
                    entry.author.clone(),
                ]
            }),
        );
    });
    Ok(exit::DONE)
}

fn undeployed(error: &DeployError) -> Failure {
    Failure::new(error).hint(error.kind.hint())
}
