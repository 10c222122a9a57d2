//! Detections as COCO results.

use serde::Serialize;

use crate::footage::Payload;
use crate::found::Found;

/// Detections of some images, in one document: `annotations` alone is what pycocotools calls results, and with `images` and
/// `categories` beside them tools that show annotations open the file.
///
/// In memory are the boxes, some hundred bytes each.
#[derive(Clone, Debug, Serialize)]
pub struct Results {
    images: Vec<Image>,
    categories: Vec<Category>,
    annotations: Vec<Annotation>,
}

#[derive(Clone, Debug, Serialize)]
struct Image {
    id: u64,
    file_name: String,
    width: u32,
    height: u32,
    clip: String,
    frame: u64,
}

#[derive(Clone, Debug, Serialize)]
struct Category {
    id: usize,
    name: String,
}

#[derive(Clone, Debug, Serialize)]
struct Annotation {
    id: u64,
    image_id: u64,
    category_id: usize,
    /// Left, top, width, height.
    bbox: [f32; 4],
    area: f32,
    iscrowd: u8,
    score: f32,
}

impl Results {
    /// No images yet. A label's category is its place in `labels`, counted from 1.
    pub fn new(labels: &[String]) -> Results {
        let categories = (1..).zip(labels).map(|(id, name)| Category { id, name: name.clone() });
        Results { images: Vec::new(), categories: categories.collect(), annotations: Vec::new() }
    }

    /// Adds an image, also one in which nothing was found.
    pub fn add(&mut self, payload: Payload, (width, height): (u32, u32), found: &[Found]) {
        let image_id = self.images.len() as u64 + 1;
        let Payload { file, clip, frame, .. } = payload;
        self.images.push(Image { id: image_id, file_name: file, width, height, clip, frame });
        for found in found {
            let category_id = self.category(&found.label);
            self.annotations.push(Annotation {
                id: self.annotations.len() as u64 + 1,
                image_id,
                category_id,
                bbox: [found.x, found.y, found.width, found.height],
                area: found.width * found.height,
                iscrowd: 0,
                score: found.score,
            });
        }
    }

    /// The category of a label; one that the manifest does not have comes behind those that it has.
    fn category(&mut self, label: &str) -> usize {
        if let Some(known) = self.categories.iter().find(|known| known.name == label) {
            return known.id;
        }
        let id = self.categories.len() + 1;
        self.categories.push(Category { id, name: label.to_owned() });
        id
    }

    /// The document.
    pub fn json(&self) -> String {
        serde_json::to_string(self).expect("results are texts and finite numbers")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn images_and_boxes_are_numbered_from_one() {
        let mut results = Results::new(&["car".to_owned(), "bus".to_owned()]);
        let payload = |frame| Payload {
            image: "ab".to_owned(),
            file: format!("{frame}.jpg"),
            clip: "road".to_owned(),
            frame,
            camera: None,
            image_width: None,
            image_height: None,
        };
        let bus = Found { x: 1.5, y: 2.0, width: 3.0, height: 4.0, label: "bus".to_owned(), score: 0.5 };
        let mut tram = bus.clone();
        tram.label = "tram".to_owned();
        results.add(payload(0), (64, 48), &[]);
        results.add(payload(1), (64, 48), &[bus, tram]);
        let json: serde_json::Value = serde_json::from_str(&results.json()).unwrap();
        assert_eq!(
            json["images"][1],
            serde_json::json!({"id": 2, "file_name": "1.jpg", "width": 64, "height": 48, "clip": "road", "frame": 1})
        );
        assert_eq!(
            json["annotations"][0],
            serde_json::json!({
                "id": 1, "image_id": 2, "category_id": 2, "bbox": [1.5, 2.0, 3.0, 4.0], "area": 12.0, "iscrowd": 0,
                "score": 0.5
            })
        );
        assert_eq!(json["categories"][2], serde_json::json!({"id": 3, "name": "tram"}));
        assert_eq!(
            (&json["annotations"][1]["id"], &json["annotations"][1]["category_id"]),
            (&2.into(), &3.into())
        );
    }
}
