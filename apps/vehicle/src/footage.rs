//! What the user gives to be looked at: a video, or pictures, as frames in order, each with what is stored of it.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use foretell_camera::Camera;
use foretell_media::{Channels, ENCODED_BYTES_MAX, Media, Picture, SampleType, View};
use foretell_store::open::Store;
use foretell_store::record::{NewMedium, NewRecord};
use foretell_store::time::Micros;
use foretell_terminal::Failure;
use foretell_video::{Clip, Ffmpeg, FrameRate};
use serde::{Deserialize, Serialize};

use crate::lane::CameraFile;

/// The key under which the frames of a clip belong together.
pub const KEYS: [&str; 1] = ["clip"];
/// The field that names the image.
pub const IMAGE: &str = "image";
/// What a video is stored as, whatever its container: ffmpeg looks at the content.
const VIDEO: &str = "video/*";
/// Letters of a hash that tell two clips of the same name apart.
const HASH_LETTERS: usize = 8;

/// What is stored of a frame.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Payload {
    /// The blob that holds it, `HASH`, or `HASH#N` for the N-th frame of a video, counted from 1.
    pub image: String,
    /// The file that it is from, without its folder.
    pub file: String,
    /// The clip that it belongs to.
    pub clip: String,
    /// Which frame of the clip it is, counted from 0.
    pub frame: u64,
    /// The camera that took it, as the numbers of [`foretell_camera::Camera`].
    #[serde(skip_serializing_if = "Option::is_none")]
    pub camera: Option<Vec<f64>>,
    /// Width of the images that these numbers are for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub image_width: Option<u32>,
    /// Height of the images that these numbers are for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub image_height: Option<u32>,
}

/// A frame, with what is to be stored of it.
pub struct Frame {
    /// Which one, counted from 0.
    pub index: u64,
    /// What it shows.
    pub picture: Arc<Picture>,
    /// What is stored.
    pub record: NewRecord,
}

/// A file that is no image that can be read.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Refused {
    /// The file.
    pub file: String,
    /// Why.
    pub reason: String,
}

/// How footage is opened.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// Frames a second of pictures, which have no time of their own.
    pub frame_rate: Option<FrameRate>,
    /// Name of the clip, unless it is to be that of its file.
    pub clip: Option<String>,
    /// When it begins, unless that is when its file was written.
    pub start: Option<Micros>,
    /// The camera that took it.
    pub camera: Option<CameraFile>,
}

/// A clip whose frames are read one after the other. It can be gone through again with [`Footage::frames`].
#[derive(Clone, Debug)]
pub struct Footage {
    /// Its name in the store.
    pub clip: String,
    /// What the user calls it.
    pub path: PathBuf,
    /// Frames a second.
    pub frame_rate: FrameRate,
    /// How many frames there are, where that is known before.
    pub count: Option<u64>,
    /// Width and height of the first frame that can be read.
    pub size: (u32, u32),
    start: Micros,
    camera: Option<Camera>,
    content: Content,
}

#[derive(Clone, Debug)]
enum Content {
    /// One file, whose blob is linked.
    Video { hash: String },
    /// Image files.
    Stills(Vec<PathBuf>),
}

impl Footage {
    /// Opens a video or pictures. A video is linked in the store by its content, and stays where it is.
    ///
    /// # Errors
    /// Nothing there, nothing that can be read, no ffmpeg where one is needed, or a camera that is none for this size.
    pub async fn open(
        store: &Store,
        path: &Path,
        ffmpeg: &Ffmpeg,
        options: &Options,
    ) -> Result<Footage, Failure> {
        let stills = foretell_video::images(path).map_err(|error| Failure::new(&error))?;
        let (content, frame_rate, count, size) = match stills {
            Some(paths) => {
                let size = paths.iter().find_map(|path| still(path).ok()).map(|(_, media)| media.size());
                let count = Some(paths.len() as u64);
                let rate = options.frame_rate.unwrap_or(FrameRate::OF_IMAGES);
                (Content::Stills(paths), rate, count, size.unwrap_or_default())
            }
            None => {
                let clip = Clip::open(path, ffmpeg).map_err(|error| Failure::new(&error))?;
                let fail =
                    |error: foretell_store::blob::BlobError| Failure::new(&error).hint(error.kind.hint());
                let hash = store.link_blob(VIDEO, path).await.map_err(fail)?;
                let info = clip.info();
                (Content::Video { hash }, info.frame_rate, info.frames, (info.width, info.height))
            }
        };
        let start = options.start.unwrap_or_else(|| written(path, &content));
        let clip = options.clip.clone().unwrap_or_else(|| name(path, &content));
        let camera = options.camera.as_ref().filter(|_| size != (0, 0));
        let camera = camera.map(|file| file.camera([size.0 as usize, size.1 as usize])).transpose();
        let (path, camera) = (path.to_owned(), camera.map_err(|error| Failure::new(&error))?);
        Ok(Footage { clip, path, frame_rate, count, size, start, camera, content })
    }

    /// Image files that were named one by one, as the frames of a clip, in this order. `path` is what the user calls them.
    pub fn of_images(path: &Path, clip: String, files: Vec<PathBuf>) -> Footage {
        let size = files.first().and_then(|first| still(first).ok()).map(|(_, media)| media.size());
        let count = Some(files.len() as u64);
        let content = Content::Stills(files);
        let start = written(path, &content);
        let (path, size) = (path.to_owned(), size.unwrap_or_default());
        Footage { clip, path, frame_rate: FrameRate::OF_IMAGES, count, size, start, camera: None, content }
    }

    /// A clip of which only the detections in a file are known: it has no frames that could be read.
    pub fn unseen(path: &Path, clip: String, size: (u32, u32), options: &Options) -> Footage {
        let content = Content::Stills(Vec::new());
        Footage {
            clip,
            path: path.to_owned(),
            frame_rate: options.frame_rate.unwrap_or(FrameRate::OF_IMAGES),
            count: Some(0),
            size,
            start: options.start.unwrap_or_else(|| written(path, &content)),
            camera: None,
            content,
        }
    }

    /// The camera that took it, for images of [`Footage::size`], where it is known.
    pub fn camera(&self) -> Option<&Camera> {
        self.camera.as_ref()
    }

    /// Whether the frames follow each other in time by themselves, as those of a video do.
    pub fn is_video(&self) -> bool {
        matches!(self.content, Content::Video { .. })
    }

    /// When a frame was taken.
    pub fn time_of(&self, seconds: f64) -> Micros {
        self.start.saturating_add((seconds * 1e6).round() as i64)
    }

    /// Reads the frames, from the first one on. A picture that can't be read is an error that the others outlive; the error of
    /// a video is the last thing that is read of it.
    ///
    /// # Errors
    /// The video can't be opened any more.
    pub fn frames(
        &self,
        ffmpeg: &Ffmpeg,
    ) -> Result<Box<dyn Iterator<Item = Result<Frame, Refused>> + Send + '_>, Failure> {
        Ok(match &self.content {
            Content::Video { hash } => {
                let clip = Clip::open(&self.path, ffmpeg).map_err(|error| Failure::new(&error))?;
                let file = file_name(&self.path);
                Box::new(clip.map(move |frame| match frame {
                    Ok(frame) => {
                        let image = format!("{hash}#{}", frame.index + 1);
                        let record = self.record(image, file.clone(), frame.index, frame.time, None);
                        Ok(Frame { index: frame.index, picture: Arc::new(frame.picture), record })
                    }
                    Err(error) => Err(Refused { file: file.clone(), reason: error.kind.to_string() }),
                }))
            }
            Content::Stills(paths) => {
                let frames = paths.iter().enumerate();
                Box::new(frames.map(|(index, path)| self.still(index as u64, path)))
            }
        })
    }

    fn still(&self, index: u64, path: &Path) -> Result<Frame, Refused> {
        let file = file_name(path);
        let refused = |reason| Refused { file: path.display().to_string(), reason };
        let (bytes, media) = still(path).map_err(refused)?;
        let view = View { channels: Channels::Rgb, ..View::new(SampleType::U8) };
        let picture = media.view(1, &view).map_err(|error| refused(error.to_string()))?;
        let medium =
            NewMedium { field: IMAGE.to_owned(), media_type: media.media_type().to_owned(), data: bytes };
        let seconds = self.frame_rate.seconds(index);
        let record = self.record(medium.hash(), file, index, seconds, Some(medium));
        Ok(Frame { index, picture: Arc::new(picture), record })
    }

    /// A record of these contents is the same however often, and from wherever, it is imported.
    fn record(
        &self,
        image: String,
        file: String,
        frame: u64,
        seconds: f64,
        medium: Option<NewMedium>,
    ) -> NewRecord {
        let (width, height) = self.size;
        let payload = Payload {
            image,
            file,
            clip: self.clip.clone(),
            frame,
            camera: self.camera.map(|camera| camera.numbers().to_vec()),
            image_width: self.camera.map(|_| width),
            image_height: self.camera.map(|_| height),
        };
        let payload = serde_json::to_string(&payload).expect("a payload is texts and numbers");
        let event_time = self.time_of(seconds);
        NewRecord {
            external_id: Some(external_id(&format!("{}/{frame}", self.clip), &payload, event_time)),
            event_time,
            payload,
            keys: vec![Some(self.clip.clone())],
            labels: Vec::new(),
            media: medium.into_iter().collect(),
        }
    }
}

/// The name of a record: `name`, and what tells it from another one of that name.
pub fn external_id(name: &str, payload: &str, event_time: Micros) -> String {
    let mut hasher = blake3::Hasher::new();
    hasher.update(&event_time.to_le_bytes()).update(payload.as_bytes());
    let hash = hasher.finalize().to_hex();
    format!("{name}/{}", &hash[..HASH_LETTERS])
}

/// Bytes of an image file, and what they are.
fn still(path: &Path) -> Result<(Arc<[u8]>, Media), String> {
    let length = std::fs::metadata(path).map_err(|error| error.to_string())?.len();
    if length > ENCODED_BYTES_MAX {
        return Err(format!("it has {length} bytes; an image has at most {ENCODED_BYTES_MAX}"));
    }
    let bytes = std::fs::read(path).map_err(|error| error.to_string())?;
    let data: Arc<[u8]> = bytes.as_slice().into();
    Media::open_owned(bytes).map(|media| (data, media)).map_err(|error| error.to_string())
}

/// When the file, or the first one of several, was written.
fn written(path: &Path, content: &Content) -> Micros {
    let first = match content {
        Content::Stills(paths) => paths.first().map_or(path, PathBuf::as_path),
        Content::Video { .. } => path,
    };
    let written = std::fs::metadata(first).and_then(|file| file.modified()).unwrap_or(SystemTime::UNIX_EPOCH);
    written.duration_since(UNIX_EPOCH).map_or(0, |since| i64::try_from(since.as_micros()).unwrap_or(0))
}

/// The name of the file or folder; of a video with the beginning of its hash, since cameras call every clip alike.
fn name(path: &Path, content: &Content) -> String {
    let whole = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
    match content {
        Content::Video { hash } => {
            let stem = whole.file_stem().unwrap_or_default().to_string_lossy();
            format!("{stem}-{}", &hash[..HASH_LETTERS])
        }
        Content::Stills(_) if whole.is_dir() => file_name(&whole),
        Content::Stills(_) => whole.parent().map_or_else(|| file_name(&whole), file_name),
    }
}

/// The name of a file with the beginning of the hash of what is in it.
pub fn content_name(path: &Path, bytes: &[u8]) -> String {
    let (stem, hash) = (path.file_stem().unwrap_or_default().to_string_lossy(), blake3::hash(bytes).to_hex());
    format!("{stem}-{}", &hash[..HASH_LETTERS])
}

fn file_name(path: &Path) -> String {
    path.file_name().unwrap_or_default().to_string_lossy().into_owned()
}
