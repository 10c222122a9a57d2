//! What a driver should be warned of: rules over tracks, lanes and the car's own speed, each with its reason.
//!
//! ```text
//! tracks --> scene: distance, closing speed, time to collision, place in the corridor --+
//! lanes  --> lane: distance to the line, drift, time to crossing -----------------------+--> rules --> spell --> warnings
//! speed  -------------------------------------------------------------------------------+
//! ```
//!
//! [`scene`] says how objects are measured, [`mod@lane`] how the car's place in its lane is, [`rules`] what is warned of,
//! [`spell`] how a measure that flickers becomes one warning, and [`settings`] what can be changed. `model/MODEL_CARD.md` says
//! what can go wrong.
//!
//! **It is for research, and no safety system**: nobody may drive by it.
//!
//! A record is a drive. Its answer is a ranking of `KIND/TRACK/FIRST-LAST`, such as `forward-collision/7/37-52`, the most
//! urgent first; track 0 is the car itself. Each frame is judged by what was seen up to it, as a driver would have been.
//!
//! - **Invariant:** a warning is a function of the drive and the settings alone, and its reason states the numbers that led
//!   to it.
//! - **Invariant:** what is not known leads to no warning: without speed none of distance in time, without lanes none of
//!   departure.

pub mod drive;
pub mod fit;
pub mod lane;
pub mod rules;
pub mod scene;
pub mod settings;
pub mod spell;

use foretell_sdk::{Column, Error, List, Open, Plugin, Rankings, Records};

use drive::Columns;
use settings::Settings;

/// Lists of numbers with one entry for each box.
const BOX_LISTS: [&str; 5] = ["x", "y", "width", "height", "score"];
/// Lists of numbers that have another length.
const OTHER_LISTS: [&str; 5] = ["lane_offset", "lane_width", "lane_curvature", "speed", "camera"];
/// Lists of whole numbers.
const WHOLE_LISTS: [&str; 3] = ["frame", "track", "lane_frame"];

/// The plugin: handles of the columns it reads, and its settings.
struct Decision {
    settings: Settings,
    frame_rate: Column<f64>,
    image_width: Column<i64>,
    image_height: Column<i64>,
    boxes: [List<f64>; 5],
    others: [List<f64>; 5],
    wholes: [List<i64>; 3],
    label: List<str>,
}

fn invalid(error: impl std::error::Error) -> Error {
    Error::invalid(error.to_string())
}

impl Plugin for Decision {
    type Predictions = Rankings;

    fn open(request: &Open<'_>) -> Result<Self, Error> {
        let numbers = |[a, b, c, d, e]: [&str; 5]| -> Result<[List<f64>; 5], Error> {
            Ok([request.list(a)?, request.list(b)?, request.list(c)?, request.list(d)?, request.list(e)?])
        };
        let [frame, track, lane_frame] = WHOLE_LISTS;
        Ok(Self {
            settings: Settings::read(request.config())?,
            frame_rate: request.column("frame_rate")?,
            image_width: request.column("image_width")?,
            image_height: request.column("image_height")?,
            boxes: numbers(BOX_LISTS)?,
            others: numbers(OTHER_LISTS)?,
            wholes: [request.list(frame)?, request.list(track)?, request.list(lane_frame)?],
            label: request.list("label")?,
        })
    }

    fn predict(&self, records: &Records<'_>, rankings: &mut Rankings) -> Result<(), Error> {
        let rates = records.column(self.frame_rate);
        let (widths, heights) = (records.column(self.image_width), records.column(self.image_height));
        let boxes = self.boxes.map(|list| records.list(list));
        let others = self.others.map(|list| records.list(list));
        let wholes = self.wholes.map(|list| records.list(list));
        let labels = records.list(self.label);
        for row in 0..records.len() {
            // What is not known may be an empty list, or none.
            let indices = [0, 1, 2, 3, 4];
            let [x, y, width, height, score] = indices.map(|list| boxes[list].get(row).unwrap_or_default());
            let [lane_offset, lane_width, lane_curvature, speed, camera] =
                indices.map(|list| others[list].get(row).unwrap_or_default());
            let [frame, track, lane_frame] = [0, 1, 2].map(|list| wholes[list].get(row).unwrap_or_default());
            let columns = Columns {
                frame_rate: rates.get(row),
                image_width: widths.get(row),
                image_height: heights.get(row),
                camera,
                speed,
                frame,
                track,
                x,
                y,
                width,
                height,
                score,
                label: labels.get(row).map(Iterator::collect).unwrap_or_default(),
                lane_frame,
                lane_offset,
                lane_width,
                lane_curvature,
            };
            let drive = columns.read(&self.settings).map_err(invalid)?;
            for warning in rules::warnings(&drive, &self.settings) {
                rankings.push(&warning.item(), warning.score as f32, Some(&warning.reason));
            }
            rankings.end_record();
        }
        Ok(())
    }
}

foretell_sdk::export!(Decision, "vehicle-decision", env!("CARGO_PKG_VERSION"));
