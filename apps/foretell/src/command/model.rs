//! `foretell model`

use foretell_jobs::{Fitted, Program, deploy, duty};
use foretell_store::deployment::{DeployError, Deployment, DeploymentEntry, Duty, Role};
use foretell_store::open::Store;
use foretell_terminal::job::{FittedDocument, only_duty};
use foretell_terminal::{Failure, Output, Place, Time, exit, format_count};
use serde::Serialize;

use super::{fetch, unread};
use crate::arguments::{Deployed, Model, Of};

pub(super) async fn run(place: &Place, output: Output, command: &Model) -> Result<u8, Failure> {
    match command {
        Model::List => list(&place.open_read_only().await?, output).await,
        Model::Show { plugin } => show(&place.open_read_only().await?, output, plugin).await,
        Model::Promote { plugin } => give(place, output, plugin, Role::Champion).await,
        Model::Challenge { plugin } => give(place, output, plugin, Role::Challenger).await,
        Model::Rollback { of } => {
            let store = place.open().await?;
            let duty = held(&store, of, Role::Champion).await?;
            let champion =
                store.roll_back(&duty, &Program::author()).await.map_err(|error| undeployed(&error))?;
            let fitted = fit_of(&store, &champion).await?;
            tell(output, &duty, Role::Champion, &champion, fitted.as_ref());
            Ok(exit::DONE)
        }
        Model::Withdraw { of } => {
            let store = place.open().await?;
            let duty = held(&store, of, Role::Challenger).await?;
            let withdrawn = store.withdraw(&duty, Role::Challenger, &Program::author()).await;
            withdrawn.map_err(|error| undeployed(&error))?;
            log(&store, output, &of.domain).await
        }
        Model::Fetch(command) => fetch::run(place, output, command),
        Model::Log { domain } => log(&place.open_read_only().await?, output, domain).await,
    }
}

/// The task that is named, or the only one of the domain for which somebody has the role.
async fn held(store: &Store, of: &Of, role: Role) -> Result<Duty, Failure> {
    if let Some(task) = &of.task {
        return Ok(Duty::new(&of.domain, task));
    }
    only_duty(store, &of.domain, role).await?.ok_or_else(|| {
        Failure::words(format!("domain `{}` has no {role}", of.domain))
            .hint(Some("`foretell model list` lists who has a role, `foretell model log` who had one"))
    })
}

/// Fitted models without a role that are listed, the latest.
const FITS_MAX: u32 = 20;

/// Who has a role, and what was fitted without having one.
#[derive(Serialize)]
struct Holder {
    domain: String,
    /// Null for what has no role.
    task: Option<String>,
    role: Option<Role>,
    plugin: String,
    /// Null for what has no role.
    library_hash: Option<String>,
    models: Vec<ModelFile>,
    author: String,
    since: Time,
    /// What it was learned from; null for what was not learned here.
    fitted: Option<FittedDocument>,
}

#[derive(Serialize)]
struct ModelFile {
    name: String,
    hash: String,
    /// Null for what has no role.
    file: Option<String>,
}

impl Holder {
    fn new(duty: &Duty, role: Role, deployment: &Deployment, fitted: Option<&Fitted>) -> Self {
        let models = deployment.models.iter().map(|model| ModelFile {
            name: model.name.clone(),
            hash: model.hash.clone(),
            file: Some(model.file.clone()),
        });
        Self {
            domain: duty.domain.clone(),
            task: Some(duty.task.clone()),
            role: Some(role),
            plugin: format!("{}@{}", deployment.plugin.name, deployment.plugin.version),
            library_hash: Some(deployment.plugin.library_hash.clone()),
            models: models.collect(),
            author: deployment.author.clone(),
            since: Time(deployment.deployed_at),
            fitted: fitted.map(FittedDocument::from),
        }
    }

    /// What was fitted, and has no role.
    fn fitted(fitted: &Fitted) -> Self {
        let models = fitted.models.iter().map(|model| ModelFile {
            name: model.name.clone(),
            hash: model.hash.clone(),
            file: None,
        });
        Self {
            domain: fitted.domain.clone(),
            task: None,
            role: None,
            plugin: fitted.plugin.clone(),
            library_hash: None,
            models: models.collect(),
            author: fitted.author.clone(),
            since: Time(fitted.fitted_at),
            fitted: Some(fitted.into()),
        }
    }
}

/// The fit that made what is deployed, if one did.
async fn fit_of(store: &Store, deployment: &Deployment) -> Result<Option<Fitted>, Failure> {
    store.fit_of(&deployment.plugin.name, Some(&deployment.plugin.version)).await.map_err(unread)
}

fn tell(output: Output, duty: &Duty, role: Role, deployment: &Deployment, fitted: Option<&Fitted>) {
    let holder = Holder::new(duty, role, deployment, fitted);
    output.show(&holder, |output| {
        output.line(&format!("{} is the {role} for {duty}", holder.plugin));
        let mut facts = vec![("library", deployment.plugin.library_hash.clone())];
        for model in &deployment.models {
            facts.push(("model", format!("{}, {}, `{}`", model.name, model.hash, model.file)));
        }
        output.facts(&facts);
    });
}

async fn list(store: &Store, output: Output) -> Result<u8, Failure> {
    let mut holders = Vec::new();
    for duty in store.duties(None).await.map_err(unread)? {
        for role in [Role::Champion, Role::Challenger] {
            if let Some(deployment) = store.deployed(&duty, role).await.map_err(unread)? {
                let fitted = fit_of(store, &deployment).await?;
                holders.push(Holder::new(&duty, role, &deployment, fitted.as_ref()));
            }
        }
    }
    for fitted in store.fits(None, FITS_MAX).await.map_err(unread)? {
        if holders.iter().all(|holder| holder.plugin != fitted.plugin) {
            holders.push(Holder::fitted(&fitted));
        }
    }
    output.show(&holders, |output| {
        if holders.is_empty() {
            return output.line(
                "no model has a role, and none was fitted; `foretell model promote PLUGIN` gives it a role",
            );
        }
        output.table(
            &["domain", "task", "role", "plugin", "models", "learned#", "since", "by"],
            holders.iter().map(|holder| {
                let short = |model: &ModelFile| format!("{} {:.12}", model.name, model.hash);
                let models: Vec<String> = holder.models.iter().map(short).collect();
                vec![
                    holder.domain.clone(),
                    holder.task.clone().unwrap_or_default(),
                    holder.role.map(|role| role.to_string()).unwrap_or_default(),
                    holder.plugin.clone(),
                    models.join(", "),
                    holder.fitted.as_ref().map(|fitted| format_count(fitted.total())).unwrap_or_default(),
                    holder.since.to_string(),
                    holder.author.clone(),
                ]
            }),
        );
    });
    Ok(exit::DONE)
}

/// Shows what a model was learned from.
async fn show(store: &Store, output: Output, wanted: &str) -> Result<u8, Failure> {
    let (name, version) = match wanted.split_once('@') {
        Some((name, version)) => (name, Some(version)),
        None => (wanted, None),
    };
    let fitted = store.fit_of(name, version).await.map_err(unread)?.ok_or_else(|| {
        Failure::words(format!("`{wanted}` was not fitted in this database"))
            .hint(Some("`foretell model list` lists what was; `foretell plugin inspect` shows any plugin"))
    })?;
    let document = FittedDocument::from(&fitted);
    output.show(&document, |output| output.facts(&document.facts("records")));
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
    let duty = duty(&plugin);
    if let Some(deployment) = store.deployed(&duty, role).await.map_err(unread)? {
        let fitted = fit_of(&store, &deployment).await?;
        tell(output, &duty, role, &deployment, fitted.as_ref());
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
            &["#", "at", "task", "role", "action", "plugin", "models", "by"],
            entries.iter().map(|Entry { entry, at }| {
                vec![
                    entry.id.to_string(),
                    at.to_string(),
                    entry.task.clone(),
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
