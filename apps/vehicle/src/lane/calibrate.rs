//! A lens from a folder of pictures of a chessboard.

use std::fs;
use std::path::{Path, PathBuf};

use foretell_camera::{
    CalibrateError, Calibration, Camera, CameraError, Grey, Mount, Pattern, calibrate, find_chessboard,
};
use foretell_media::{Media, MediaError, SampleType, Samples, View};

use super::camera_file::{CalibrationNote, CameraFile};

/// The most pictures of a folder.
pub const CHESSBOARD_PICTURES_MAX: usize = 1_000;

/// How many pixels sizes of pictures may differ: some programs cut or add a row when they convert.
const SIZE_PIXELS_APART_MAX: usize = 2;

/// What a folder of pictures says about a lens.
#[derive(Clone, Debug, PartialEq)]
pub struct FolderCalibration {
    /// Width and height of the pictures, in pixels.
    pub size: [usize; 2],
    /// The lens, with the error over all pictures.
    pub calibration: Calibration,
    /// The pictures that it comes from, by name.
    pub used: Vec<Used>,
    /// The pictures that were left out, by name.
    pub left_out: Vec<LeftOut>,
}

/// A picture that took part.
#[derive(Clone, Debug, PartialEq)]
pub struct Used {
    /// The file's name.
    pub name: String,
    /// How far its corners are from where the camera projects them: root of the mean square.
    pub rms_pixels: f64,
}

/// A file that took no part.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LeftOut {
    /// The file's name.
    pub name: String,
    /// Why.
    pub reason: String,
}

impl FolderCalibration {
    /// The camera as a file, mounted.
    ///
    /// # Errors
    /// [`CameraError`]: a number out of its range.
    pub fn file(&self, mount: Mount) -> Result<CameraFile, CameraError> {
        let camera: Camera = self.calibration.camera(mount)?;
        let note = CalibrationNote { rms_pixels: self.calibration.rms_pixels, pictures: self.used.len() };
        Ok(CameraFile::new(&camera, self.size, Some(note)))
    }
}

/// A folder that gives no camera.
#[derive(Debug, thiserror::Error)]
#[error("no camera from the pictures in `{}`", folder.display())]
pub struct CalibrateFolderError {
    /// Which folder.
    pub folder: PathBuf,
    /// What was left out until then, by name.
    pub left_out: Vec<LeftOut>,
    /// Why.
    #[source]
    pub kind: CalibrateFolderErrorKind,
}

/// Why.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CalibrateFolderErrorKind {
    /// It is not there, or the system said no.
    #[error("{0}")]
    File(#[from] std::io::Error),
    /// More than one wants.
    #[error("{found} files; at most {CHESSBOARD_PICTURES_MAX} are read, and 20 are enough")]
    Pictures {
        /// How many.
        found: usize,
    },
    /// The corners that were found give none.
    #[error("{0}")]
    Calibrate(#[from] CalibrateError),
}

/// The lens that took the pictures in a folder, each of which shows all of a chessboard with `pattern` inner corners. Files that are no
/// picture, do not show all of it, or have another size than most are left out, with the reason. `progress` is told the name of each
/// file when it was looked at.
///
/// # Errors
/// [`CalibrateFolderError`]: the folder cannot be read, or too few pictures are left.
pub fn calibrate_folder(
    folder: &Path,
    pattern: Pattern,
    mut progress: impl FnMut(&str),
) -> Result<FolderCalibration, CalibrateFolderError> {
    let mut left_out = Vec::new();
    let result = folder_calibration(folder, pattern, &mut progress, &mut left_out);
    left_out.sort_by(|left, right| left.name.cmp(&right.name));
    match result {
        Ok((size, calibration, names)) => {
            let used = names
                .into_iter()
                .zip(&calibration.views)
                .map(|(name, view)| Used { name, rms_pixels: view.rms_pixels })
                .collect();
            Ok(FolderCalibration { size, calibration, used, left_out })
        }
        Err(kind) => Err(CalibrateFolderError { folder: folder.to_owned(), left_out, kind }),
    }
}

/// A picture with a chessboard.
struct Board {
    name: String,
    size: [usize; 2],
    corners: Vec<[f64; 2]>,
}

fn folder_calibration(
    folder: &Path,
    pattern: Pattern,
    progress: &mut impl FnMut(&str),
    left_out: &mut Vec<LeftOut>,
) -> Result<([usize; 2], Calibration, Vec<String>), CalibrateFolderErrorKind> {
    let mut paths: Vec<PathBuf> = Vec::new();
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_file() {
            paths.push(path);
        }
    }
    if paths.len() > CHESSBOARD_PICTURES_MAX {
        return Err(CalibrateFolderErrorKind::Pictures { found: paths.len() });
    }
    paths.sort();
    let mut boards = Vec::new();
    for path in paths {
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        match corners(&path, pattern) {
            Ok((size, corners)) => boards.push(Board { name: name.clone(), size, corners }),
            Err(reason) => left_out.push(LeftOut { name: name.clone(), reason }),
        }
        progress(&name);
    }
    let size = usual_size(&boards);
    let is_near = |board: &Board| {
        board.size.iter().zip(size).all(|(side, usual)| side.abs_diff(usual) <= SIZE_PIXELS_APART_MAX)
    };
    let (boards, others): (Vec<Board>, Vec<Board>) = boards.into_iter().partition(is_near);
    left_out.extend(others.into_iter().map(|Board { name, size: [width, height], .. }| LeftOut {
        name,
        reason: format!("{width} x {height} pixels, and most pictures have {} x {}", size[0], size[1]),
    }));
    let (names, views): (Vec<String>, Vec<_>) =
        boards.into_iter().map(|board| (board.name, board.corners)).unzip();
    // Without a picture there is no size, but that is not what is wrong.
    let calibration = calibrate(&views, pattern, if views.is_empty() { [1, 1] } else { size })?;
    Ok((size, calibration, names))
}

/// The size that most pictures have; of two, the larger one.
fn usual_size(boards: &[Board]) -> [usize; 2] {
    let count = |size: [usize; 2]| boards.iter().filter(|board| board.size == size).count();
    boards.iter().map(|board| board.size).max_by_key(|size| (count(*size), *size)).unwrap_or_default()
}

/// The size of a picture and the corners of the chessboard in it, or why there are none.
fn corners(path: &Path, pattern: Pattern) -> Result<([usize; 2], Vec<[f64; 2]>), String> {
    let bytes = fs::read(path).map_err(|error| error.to_string())?;
    let words = |error: MediaError| error.to_string();
    let picture = Media::open_owned(bytes).map_err(words)?;
    let grey = picture.view(1, &View::new(SampleType::U8)).map_err(words)?;
    let Samples::U8(samples) = &grey.samples else { return Err("not 8 bits a sample".to_owned()) };
    let (width, height) = (grey.width as usize, grey.height as usize);
    let corners =
        find_chessboard(Grey { width, height, samples }, pattern).map_err(|error| error.to_string())?;
    Ok(([width, height], corners))
}
