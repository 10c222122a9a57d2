//! Frames of videos that the store links.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use foretell_media::View;
use foretell_store::blob::{BlobError, BlobErrorKind};
use foretell_store::open::Store;
use foretell_video::{Clip, Ffmpeg};
use tokio::task::spawn_blocking;

use crate::picture::{Viewed, parts, seen};
use crate::score::ScoreError;

/// Videos whose content was checked, by hash.
type Videos = HashMap<String, PathBuf>;

/// A video that stands at a frame, so that the records of a job, which follow each other, need not begin anew for each.
#[derive(Clone, Default)]
pub(crate) struct Clips {
    videos: Arc<Mutex<Videos>>,
    playing: Arc<Mutex<Option<Playing>>>,
}

/// The video that was read last.
struct Playing {
    path: PathBuf,
    clip: Clip,
    /// The frame that comes next, counted from 0.
    next: u64,
}

/// A frame that is asked for.
struct Asked {
    row: usize,
    path: PathBuf,
    /// Counted from 0.
    frame: u64,
}

impl Clips {
    /// The frames of videos among the names of some rows, as the plugin wants them, by row. Names of anything else are left out.
    ///
    /// Frames are read one after the other, since later ones are made from earlier ones; going back begins anew.
    pub(crate) async fn frames(
        &self,
        store: &Store,
        names: Vec<Option<String>>,
        view: View,
    ) -> Result<HashMap<usize, Result<Viewed, String>>, ScoreError> {
        let (mut asked, mut frames) = (Vec::new(), HashMap::new());
        for (row, name) in names.iter().enumerate() {
            // What is wrong with a name is told with those of images.
            let Some(Ok((hash, frame))) = name.as_deref().map(parts) else { continue };
            match self.video(store, hash).await {
                Ok(Some(path)) => asked.push(Asked { row, path, frame: u64::from(frame).saturating_sub(1) }),
                Ok(None) => (),
                Err(error @ BlobError { kind: BlobErrorKind::Store(_), .. }) => return Err(error.into()),
                Err(error) => drop(frames.insert(row, Err(format!("{error}: {}", error.kind)))),
            }
        }
        if !asked.is_empty() {
            let clips = self.clone();
            let read = spawn_blocking(move || clips.read(&asked, &view)).await;
            frames.extend(read.unwrap_or_else(|panic| std::panic::resume_unwind(panic.into_panic())));
        }
        Ok(frames)
    }

    /// The file of a linked video, whose content is checked once. Other blobs are not remembered: there may be millions.
    async fn video(&self, store: &Store, hash: &str) -> Result<Option<PathBuf>, BlobError> {
        let known = self.videos.lock().unwrap_or_else(PoisonError::into_inner).get(hash).cloned();
        if known.is_some() {
            return Ok(known);
        }
        let Some(path) = store.link_of(hash).await?.filter(|path| is_video(path)) else { return Ok(None) };
        store.check_link(hash, &path).await?;
        self.videos.lock().unwrap_or_else(PoisonError::into_inner).insert(hash.to_owned(), path.clone());
        Ok(Some(path))
    }

    fn read(&self, asked: &[Asked], view: &View) -> Vec<(usize, Result<Viewed, String>)> {
        let mut playing = self.playing.lock().unwrap_or_else(PoisonError::into_inner);
        let one = |Asked { row, path, frame }: &Asked| (*row, frame_of(&mut playing, path, *frame, view));
        asked.iter().map(one).collect()
    }
}

/// Whether a linked file is no single image, which is decoded whole.
fn is_video(path: &Path) -> bool {
    !matches!(foretell_video::images(path), Ok(Some(_)))
}

/// A frame of a video, from where the last one was read if that is before it.
fn frame_of(playing: &mut Option<Playing>, path: &Path, frame: u64, view: &View) -> Result<Viewed, String> {
    if playing.as_ref().is_none_or(|playing| playing.path != path || playing.next > frame) {
        let clip = Clip::open(path, &Ffmpeg::find()).map_err(|error| error.kind.to_string())?;
        *playing = Some(Playing { path: path.to_owned(), clip, next: 0 });
    }
    let Some(Playing { clip, next, .. }) = playing else { unreachable!("a clip was opened") };
    clip.pass_over(frame - *next);
    *next = frame + 1;
    match clip.next() {
        Some(Ok(found)) => seen(&found.picture, view).map_err(|error| error.to_string()),
        Some(Err(error)) => Err(error.kind.to_string()),
        None => Err(format!("there is no frame {}", frame + 1)),
    }
}
