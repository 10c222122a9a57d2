//! Who answers for a duty at this moment, in a process that runs for long.
//!
//! Another process may give the role to another version while this one answers. The new version is then loaded beside the old one,
//! which goes on answering until the new one is open. Whoever still asks the old one holds it, so its instance is closed when the
//! last of them is done; its library stays mapped.

use std::sync::Arc;
use std::time::{Duration, Instant};

use foretell_runtime::onnx::Runtime;
use foretell_runtime::plugin::Plugin;
use foretell_runtime::registry::Registry;
use foretell_store::deployment::{Duty, Role};
use foretell_store::fault::ReadError;
use foretell_store::open::Store;
use thiserror::Error;
use tokio::task::{JoinHandle, spawn_blocking};

use crate::columns::InputError;
use crate::deploy::is_deployed;
use crate::reload::{ReloadError, reload_deployed};
use crate::score::Recall;

/// How often the store is asked who has the role: a question of microseconds, and a change that nobody waits for.
const LOOK_EVERY: Duration = Duration::from_millis(250);

/// Why a version that was given a role does not take it.
#[derive(Debug, Error)]
enum Unfit {
    /// It cannot be loaded.
    #[error(transparent)]
    Reload(#[from] Box<ReloadError>),
    /// It asks for what stored records don't have.
    #[error(transparent)]
    Input(#[from] InputError),
    /// The store cannot be asked what it is.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// The role was taken from it while it was looked for.
    #[error("it has the role no more")]
    Gone,
    /// It ended the thread that loaded it.
    #[error("it panicked while it was loaded")]
    Panic,
}

/// What was loaded for a role; nothing where its holder is there already.
type Loaded = Result<Option<Plugin>, Unfit>;

/// Who answers now.
#[derive(Clone, Debug)]
pub struct Holders {
    /// Whose answer counts.
    pub champion: Arc<Plugin>,
    /// Who is tried beside it, if anybody.
    pub challenger: Option<Arc<Plugin>>,
}

/// Who has the roles of a duty, from now on.
///
/// **Invariant:** there is always a champion: a new version that cannot be loaded, or that asks for what records do not have, leaves the
/// old one where it is, and is told once.
pub struct Standing {
    store: Store,
    registry: Registry,
    runtime: Arc<Runtime>,
    duty: Duty,
    champion: Arc<Plugin>,
    challenger: Option<Arc<Plugin>>,
    /// Of the champion and the challenger: what the log said of the role when it was last acted on.
    known: [Option<i64>; 2],
    /// Of the champion and the challenger: what is being loaded.
    coming: [Option<JoinHandle<Loaded>>; 2],
    looked: Instant,
}

impl Standing {
    /// Begins with a champion that is loaded, such as an app's own plugin, for which nobody may have the role yet. Whoever has a role
    /// already takes it before this returns, if it can.
    ///
    /// # Errors
    /// The store cannot be read.
    pub async fn begin(
        store: &Store,
        registry: Registry,
        runtime: Arc<Runtime>,
        duty: Duty,
        champion: Arc<Plugin>,
    ) -> Result<Self, ReadError> {
        let mut standing = Self {
            store: store.clone(),
            registry,
            runtime,
            duty,
            champion,
            challenger: None,
            known: [None; 2],
            coming: [None, None],
            looked: Instant::now(),
        };
        standing.look().await?;
        for role in ROLES {
            if let Some(coming) = standing.coming[place(role)].take() {
                standing.seat(role, coming.await.unwrap_or(Err(Unfit::Panic)));
            }
        }
        Ok(standing)
    }

    /// Who answers now. What is being loaded answers from the call on that finds it open, and never makes one wait.
    ///
    /// # Errors
    /// The store cannot be read.
    pub async fn holders(&mut self) -> Result<Holders, ReadError> {
        if self.looked.elapsed() >= LOOK_EVERY {
            self.look().await?;
        }
        for role in ROLES {
            if let Some(coming) = self.coming[place(role)].take_if(|coming| coming.is_finished()) {
                self.seat(role, coming.await.unwrap_or(Err(Unfit::Panic)));
            }
        }
        Ok(Holders { champion: Arc::clone(&self.champion), challenger: self.challenger.clone() })
    }

    /// Asks the store who has the roles, and begins to load who is new.
    async fn look(&mut self) -> Result<(), ReadError> {
        let held = self.store.holders(&self.duty).await?;
        self.looked = Instant::now();
        for role in ROLES {
            let (held, place) = (held[place(role)], place(role));
            if held == self.known[place] {
                continue;
            }
            self.known[place] = held;
            // What was being loaded for the role before is closed as soon as it is open.
            self.coming[place] = held.map(|_| self.load(role));
            if held.is_none() && role == Role::Challenger {
                self.challenger = None;
            }
        }
        Ok(())
    }

    /// Loads who has the role, on a thread that may take its time.
    fn load(&self, role: Role) -> JoinHandle<Loaded> {
        let (store, registry) = (self.store.clone(), self.registry.clone());
        let (runtime, duty) = (Arc::clone(&self.runtime), self.duty.clone());
        let here = match role {
            Role::Champion => Some(Arc::clone(&self.champion)),
            Role::Challenger => self.challenger.clone(),
        };
        tokio::spawn(async move {
            let deployment = store.deployed(&duty, role).await?.ok_or(Unfit::Gone)?;
            if here.is_some_and(|plugin| is_deployed(&plugin, &deployment)) {
                return Ok(None);
            }
            let loaded = spawn_blocking(move || {
                let plugin = reload_deployed(&registry, &runtime, role, &deployment).map_err(Box::new)?;
                Recall::new(&store, &plugin)?;
                Ok(Some(plugin))
            });
            loaded.await.unwrap_or(Err(Unfit::Panic))
        })
    }

    /// Gives the role to who was loaded for it, or says why not.
    fn seat(&mut self, role: Role, loaded: Loaded) {
        let (duty, before) = (&self.duty, self.champion.name());
        match (loaded, role) {
            (Ok(None), _) => (),
            (Ok(Some(plugin)), Role::Champion) => {
                tracing::info!("{} answers for {duty} from now on, and {before} no more", plugin.name());
                self.champion = Arc::new(plugin);
            }
            (Ok(Some(plugin)), Role::Challenger) => self.challenger = Some(Arc::new(plugin)),
            (Err(error), Role::Champion) => {
                tracing::warn!(
                    "{before} goes on answering for {duty}, since the new champion cannot: {error}"
                );
            }
            (Err(error), Role::Challenger) => {
                self.challenger = None;
                tracing::warn!("the challenger for {duty} is left out: {error}");
            }
        }
    }
}

const ROLES: [Role; 2] = [Role::Champion, Role::Challenger];

/// Where a role stands in pairs, as in those of [`Store::holders`].
fn place(role: Role) -> usize {
    usize::from(role == Role::Challenger)
}
