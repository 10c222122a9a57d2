//! What is compared with what somebody drew: [classes of a truth](Classes) that are [labels](crate::found) of ours, and boxes as columns
//! for [`foretell_insight`].

mod classes;
mod tracks;

use foretell_insight::bootstrap::Bootstrap;
use foretell_insight::boxes::BoundingBox;
use foretell_insight::detection::{Columns, DetectionError, DetectionReport, Detections, Truths};

use crate::coco::Truth;
use crate::found::Found;

pub use classes::{Classes, ClassesError, LeftOut, MappedClass};
pub use tracks::{Boxes, sequence_name, truths};

/// Evaluates what was found in images against what was drawn in them. `found` has the answer for each image of the truth; `None` where
/// there is none, and the image is left out.
///
/// # Errors
/// [`DetectionError`]: there is no image, or a box that cannot be measured.
pub fn detections(
    truth: &Truth,
    classes: &Classes,
    found: &[Option<Vec<Found>>],
    bootstrap: Option<&Bootstrap>,
) -> Result<DetectionReport, DetectionError> {
    // The images that count, numbered in their order.
    let mut counted = 0;
    let numbers: Vec<Option<u32>> = found
        .iter()
        .map(|found| {
            found.as_ref().map(|_| {
                counted += 1;
                counted - 1
            })
        })
        .collect();
    let (mut images, mut labels, mut boxes, mut areas, mut crowds) = (vec![], vec![], vec![], vec![], vec![]);
    for drawn in &truth.boxes {
        let image = numbers.get(drawn.image).copied().flatten();
        if let (Some(image), Some(label)) = (image, classes.label_of(drawn.class)) {
            images.push(image);
            labels.push(label);
            boxes.push(drawn.bounds);
            areas.push(drawn.area);
            crowds.push(drawn.is_crowd);
        }
    }
    let truths = Truths {
        images: &images,
        labels: &labels,
        boxes: &boxes,
        areas: Some(&areas),
        crowds: Some(&crowds),
    };
    let (mut images, mut labels, mut boxes, mut scores) = (vec![], vec![], vec![], vec![]);
    for (number, found) in numbers.iter().zip(found) {
        let (Some(number), Some(found)) = (number, found) else { continue };
        for found in found {
            if let Some(label) = classes.place_of(&found.label) {
                images.push(*number);
                labels.push(label);
                boxes.push(bounds(found));
                scores.push(f64::from(found.score));
            }
        }
    }
    let detections = Detections { images: &images, labels: &labels, boxes: &boxes, scores: &scores };
    let columns = Columns { images: counted as usize, labels: classes.labels(), truths, detections };
    DetectionReport::new(&columns, bootstrap)
}

/// The box of something found.
pub fn bounds(found: &Found) -> BoundingBox {
    let [x, y, width, height] = [found.x, found.y, found.width, found.height].map(f64::from);
    BoundingBox { x, y, width, height }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::coco::{TruthBox, TruthImage};

    #[test]
    fn only_what_both_know_counts() {
        let image = |file: &str| TruthImage { file: file.to_owned(), size: None };
        let square = |x| BoundingBox { x, y: 0.0, width: 50.0, height: 50.0 };
        let drawn =
            |image, class, x| TruthBox { image, class, bounds: square(x), area: 2_500.0, is_crowd: false };
        let truth = Truth {
            images: vec![image("a.jpg"), image("unread.jpg"), image("c.jpg")],
            classes: vec!["tram".to_owned(), "motorbike".to_owned()],
            boxes: vec![drawn(0, 1, 0.0), drawn(0, 0, 60.0), drawn(1, 1, 0.0), drawn(2, 1, 0.0)],
        };
        let labels = ["car", "motorcycle"].map(str::to_owned);
        let classes = Classes::new(&truth, &labels, &[]).unwrap();
        let one = |x, label: &str| Found {
            x,
            y: 0.0,
            width: 50.0,
            height: 50.0,
            label: label.to_owned(),
            score: 0.9,
        };
        let found =
            [Some(vec![one(0.0, "motorcycle"), one(60.0, "car")]), None, Some(vec![one(0.0, "motorcycle")])];
        let report = detections(&truth, &classes, &found, None).unwrap();
        assert_eq!((report.images, report.truths, report.detections), (2, 2, 2));
        assert_eq!(report.map.unwrap().value, 1.0, "a car that the truth does not know is no mistake");
        assert_eq!(report.classes.len(), 1);
        assert!(detections(&truth, &classes, &[None, None, None], None).is_err());
    }
}
