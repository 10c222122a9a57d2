//! `foretell-vehicle calibrate`

use std::path::Path;

use foretell_camera::{Calibration, Camera, Mount, Pattern, ViewFit};
use foretell_store::deployment::Role;
use foretell_terminal::job::Models;
use foretell_terminal::{Bar, Failure, Output, Place, check_absent, exit, save};
use serde::Serialize;

use super::{LANES, Session, camera_file};
use crate::arguments;
use crate::footage::{Footage, Options};
use crate::lane::{
    CalibrateFolderError, CameraFile, FolderCalibration, LeftOut, MountNumbers, calibrate_folder,
    mount_of_road,
};
use crate::lookout::mask;
use crate::watch::watch;

/// How far down the camera is tried to look beside what its file says, in degrees, in this order: a lane is found only near the true
/// pitch, and all that one knows of the mount may be a guess.
const TILTS_DEGREES: [f64; 13] = [0.0, -1.0, 1.0, -2.0, 2.0, -3.0, 3.0, -4.0, 4.0, -5.0, 5.0, -6.0, 6.0];
/// Pictures that say why they were left out, where there is no camera.
const REASONS_SHOWN_MAX: usize = 3;

/// A lens, in `--json`.
#[derive(Serialize)]
struct LensDocument<'a> {
    output: &'a Path,
    camera: &'a CameraFile,
    rms_pixels: f64,
    used: Vec<Used<'a>>,
    left_out: Vec<Unused<'a>>,
}

/// A picture that took part.
#[derive(Serialize)]
struct Used<'a> {
    file: &'a str,
    rms_pixels: f64,
    /// From the camera to the first corner of the board, where the size of a square is known.
    #[serde(skip_serializing_if = "Option::is_none")]
    metres: Option<f64>,
}

/// A picture that took no part.
#[derive(Serialize)]
struct Unused<'a> {
    file: &'a str,
    reason: &'a str,
}

/// A mount, in `--json`.
#[derive(Serialize)]
struct RoadDocument<'a> {
    output: &'a Path,
    camera: &'a CameraFile,
}

pub(super) async fn run(
    place: &Place,
    output: Output,
    command: &arguments::Calibrate,
) -> Result<u8, Failure> {
    check_absent(&command.output, command.force)?;
    match (&command.folder, command.pattern, &command.road, &command.camera) {
        (Some(folder), Some(pattern), ..) => lens(output, command, folder, pattern),
        (_, _, Some(road), Some(camera)) => {
            mount(&Session::open(place, output).await?, command, road, camera).await
        }
        _ => unreachable!("the command line asks for a folder with a pattern, or a road with a camera"),
    }
}

/// The lens, from chessboards.
fn lens(
    output: Output,
    command: &arguments::Calibrate,
    folder: &Path,
    pattern: Pattern,
) -> Result<u8, Failure> {
    let bar = Bar::new("corners", "pictures", None, output.is_json());
    let mut done = 0;
    let found = calibrate_folder(folder, pattern, |_| {
        done += 1;
        bar.set(done);
    })
    .map_err(no_camera)?;
    bar.finish();
    let (pitch, yaw) = (command.pitch.to_radians(), command.yaw.to_radians());
    let file = found.file(Mount { height: command.height, pitch, yaw });
    let file = file.map_err(|error| Failure::new(&error))?;
    save(&command.output, file.text().as_bytes(), command.force)?;
    let FolderCalibration { calibration, used, left_out, .. } = &found;
    let used: Vec<Used<'_>> = used
        .iter()
        .zip(&calibration.views)
        .map(|(used, view)| Used {
            file: &used.name,
            rms_pixels: used.rms_pixels,
            metres: command.square.map(|square| distance(view) * square),
        })
        .collect();
    let left_out = left_out.iter().map(|LeftOut { name, reason }| Unused { file: name, reason }).collect();
    let rms_pixels = calibration.rms_pixels;
    let document = LensDocument { output: &command.output, camera: &file, rms_pixels, used, left_out };
    output.show(&document, |output| show_lens(output, &document, calibration));
    Ok(if document.left_out.is_empty() { exit::DONE } else { exit::SOME_REJECTED })
}

/// From the camera to the first corner of the board, in squares.
fn distance(view: &ViewFit) -> f64 {
    view.place.iter().map(|side| side * side).sum::<f64>().sqrt()
}

/// Tells why there is no camera, and of some pictures why they were left out.
fn no_camera(error: CalibrateFolderError) -> Failure {
    let CalibrateFolderError { folder, left_out, kind } = error;
    let reasons: Vec<String> = left_out
        .iter()
        .take(REASONS_SHOWN_MAX)
        .map(|LeftOut { name, reason }| format!("`{name}`: {reason}"))
        .collect();
    let hint = match left_out.len() {
        0 => None,
        count => Some(format!("{count} were left out, such as {}", reasons.join("; "))),
    };
    Failure::words(format!("no camera from the pictures in `{}`: {kind}", folder.display())).hint(hint)
}

fn show_lens(output: Output, document: &LensDocument<'_>, calibration: &Calibration) {
    let row = |used: &Used<'_>| {
        let metres = used.metres.map(|metres| format!("{metres:.2} m")).unwrap_or_default();
        vec![used.file.to_owned(), format!("{:.2}", used.rms_pixels), metres]
    };
    let has_metres = document.used.iter().any(|used| used.metres.is_some());
    let head = ["picture", "rms pixels#", if has_metres { "away#" } else { "" }];
    output.table(&head, document.used.iter().map(row));
    for Unused { file, reason } in &document.left_out {
        output.line(&format!("left out `{file}`: {reason}"));
    }
    let Calibration { focal, centre, lens, .. } = calibration;
    let size = document.camera.image;
    output.line("");
    output.facts(&[
        ("pictures", format!("{}, {} left out", document.used.len(), document.left_out.len())),
        ("size", format!("{} x {} pixels", size.width_pixels, size.height_pixels)),
        ("rms", format!("{:.3} pixels", document.rms_pixels)),
        ("focal length", format!("{:.1}, {:.1} pixels", focal[0], focal[1])),
        ("centre", format!("{:.1}, {:.1} pixels", centre[0], centre[1])),
        (
            "distortion",
            format!("{:.4}, {:.4}, {:.5}, {:.5}, {:.4}", lens.k1, lens.k2, lens.p1, lens.p2, lens.k3),
        ),
    ]);
    let file = document.output.display();
    output.line(&format!(
        "\nwrote `{file}`; its mount is assumed. A straight road tells it: `foretell-vehicle calibrate --road IMAGE --camera {file} \
         --output FILE`"
    ));
}

/// The mount, from a straight road.
async fn mount(
    session: &Session<'_>,
    command: &arguments::Calibrate,
    road: &Path,
    camera: &Path,
) -> Result<u8, Failure> {
    let given = camera_file(camera)?;
    let mut models = session.models(command.model.as_deref(), LANES).await?;
    // What is said through a camera that is only tried is nobody's answer.
    models.role = Role::Challenger;
    let tilted = |degrees: f64| {
        let mut file = given.clone();
        file.mount.pitch_radians += degrees.to_radians();
        file
    };
    let mut found = None;
    let mut first_reason = None;
    for file in TILTS_DEGREES.map(tilted) {
        match look(session, &models, road, &file, command.lane_width).await? {
            Ok(mount) => {
                found = Some(CameraFile { mount, ..file });
                break;
            }
            Err(reason) => {
                first_reason.get_or_insert(reason);
            }
        }
    }
    let Some(mut file) = found else {
        let reason = first_reason.unwrap_or_default();
        return Err(Failure::words(format!("no mount from `{}`: {reason}", road.display())).hint(Some(
            "take a picture of a straight, flat road with clear lines on both sides of the lane",
        )));
    };
    // Seen through the camera that was found, the lines are where they are.
    if let Ok(mount) = look(session, &models, road, &file, command.lane_width).await? {
        file.mount = mount;
    }
    save(&command.output, file.text().as_bytes(), command.force)?;
    session.output.show(&RoadDocument { output: &command.output, camera: &file }, |output| {
        let angle = |radians: f64, [positive, negative]: [&str; 2]| {
            let side = if radians < 0.0 { negative } else { positive };
            format!("{:.2} degrees {side} ({radians:.4} radians)", radians.abs().to_degrees())
        };
        let MountNumbers { height_metres, pitch_radians, yaw_radians } = file.mount;
        output.facts(&[
            ("height", format!("{height_metres:.2} m, of a lane {} m wide", command.lane_width)),
            ("pitch", angle(pitch_radians, ["down", "up"])),
            ("yaw", angle(yaw_radians, ["right", "left"])),
        ]);
        output.line(&format!("\nwrote `{}`", command.output.display()));
    });
    Ok(exit::DONE)
}

/// The mount that a picture of a road shows through a camera, or why it shows none.
async fn look(
    session: &Session<'_>,
    models: &Models,
    road: &Path,
    camera: &CameraFile,
    lane_metres: f64,
) -> Result<Result<MountNumbers, String>, Failure> {
    let options = Options { camera: Some(camera.clone()), ..Options::default() };
    let footage = Footage::open(&session.store, road, &session.ffmpeg, &options).await?;
    if footage.is_video() || footage.count != Some(1) {
        return Err(Failure::words(format!("`{}` is not one picture", road.display()))
            .hint(Some("name a picture of a straight, flat road")));
    }
    let lives = [session.live(models, &footage).await?];
    let mut answered = None;
    let gone = watch(&session.store, &footage, &session.ffmpeg, &lives, |watched| {
        answered = Some(mask(&watched.answers[0]));
        Ok(())
    })
    .await?;
    session.finish(lives).await?;
    if let Some(refused) = gone.refused.first() {
        return Err(Failure::words(format!("`{}`: {}", road.display(), refused.reason)));
    }
    let (Some(Ok(mask)), Some(known)) = (&answered, footage.camera()) else {
        return Ok(Err(answered.and_then(Result::err).unwrap_or_else(|| "it was not read".to_owned())));
    };
    let size = [footage.size.0 as usize, footage.size.1 as usize];
    Ok(match mount_of_road(mask, known, size, lane_metres) {
        Ok(Camera { mount: Mount { height, pitch, yaw }, .. }) => {
            Ok(MountNumbers { height_metres: height, pitch_radians: pitch, yaw_radians: yaw })
        }
        Err(error) => Err(error.to_string()),
    })
}
