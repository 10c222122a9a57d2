//! The file with several frames that was read last.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use foretell_media::Media;

/// Remembers the file with several frames that was read last. The frames of a file follow each other in a job; reading and checking
/// the whole file for each would cost as many times the file as it has frames. One file is in memory, of which the decoder limits
/// the size.
#[derive(Clone, Default)]
pub(crate) struct Films(Arc<Mutex<Option<Film>>>);

struct Film {
    hash: String,
    media: Arc<Media>,
}

impl Films {
    /// The file, if it is the one that was read last.
    pub(crate) fn get(&self, hash: &str) -> Option<Arc<Media>> {
        self.lock().as_ref().filter(|film| film.hash == hash).map(|film| Arc::clone(&film.media))
    }

    /// Takes a file that was read, and forgets the one before; one with a single frame is not asked for again, and is not kept.
    pub(crate) fn keep(&self, hash: &str, media: Media) {
        if media.frames() > 1 {
            *self.lock() = Some(Film { hash: hash.to_owned(), media: Arc::new(media) });
        }
    }

    fn lock(&self) -> MutexGuard<'_, Option<Film>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn media(name: &str) -> Media {
        let file =
            std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../media/tests/golden/dicom").join(name);
        Media::open_owned(std::fs::read(file).unwrap()).unwrap()
    }

    #[test]
    fn the_last_file_with_several_frames_is_kept() {
        let films = Films::default();
        films.keep("several", media("movie_explicit.dcm"));
        let kept = films.get("several").expect("it is kept");
        assert!(Arc::ptr_eq(&kept, &films.get("several").unwrap()));
        // A single frame in between pushes nothing out.
        films.keep("one", media("rgb_explicit.dcm"));
        assert!(films.get("one").is_none() && films.get("several").is_some());
        films.keep("others", media("movie_explicit.dcm"));
        assert!(films.get("several").is_none() && films.get("others").is_some());
    }
}
