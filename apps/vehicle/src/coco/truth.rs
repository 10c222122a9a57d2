//! Boxes that were drawn by hand, from COCO's JSON of annotations.

use std::collections::HashMap;
use std::fs;
use std::path::Path;

use foretell_insight::boxes::BoundingBox;
use foretell_terminal::Failure;
use serde::Deserialize;

/// The most bytes of a file of annotations: COCO's own of 118,000 images has 450 MB.
pub const JSON_BYTES_MAX: u64 = 2 << 30;

/// Images, and what was drawn in them.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Truth {
    /// The images, in the order of the file.
    pub images: Vec<TruthImage>,
    /// Names of classes, in the order of the file.
    pub classes: Vec<String>,
    /// What was drawn.
    pub boxes: Vec<TruthBox>,
}

/// An image.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TruthImage {
    /// Its file, as the annotations call it.
    pub file: String,
    /// Width and height in pixels, if the file says so.
    pub size: Option<(u32, u32)>,
}

/// A box in an image.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct TruthBox {
    /// The place of its image in [`Truth::images`].
    pub image: usize,
    /// The place of its class in [`Truth::classes`].
    pub class: usize,
    /// Where it is, in pixels.
    pub bounds: BoundingBox,
    /// The area of its outline, or of the box where the file says nothing.
    pub area: f64,
    /// Whether it is a region with so many things that nobody drew each.
    pub is_crowd: bool,
}

/// The parts of a file that matter; others, such as outlines and licences, are passed over.
#[derive(Deserialize)]
struct Document {
    images: Vec<Image>,
    categories: Vec<Category>,
    annotations: Vec<Annotation>,
}

#[derive(Deserialize)]
struct Image {
    id: i64,
    file_name: String,
    width: Option<u32>,
    height: Option<u32>,
}

#[derive(Deserialize)]
struct Category {
    id: i64,
    name: String,
}

#[derive(Deserialize)]
struct Annotation {
    image_id: i64,
    category_id: i64,
    bbox: [f64; 4],
    area: Option<f64>,
    #[serde(default)]
    iscrowd: u8,
}

impl Truth {
    /// Reads a file of annotations.
    ///
    /// # Errors
    /// It can't be read, is larger than [`JSON_BYTES_MAX`], or is no such file.
    pub fn read(path: &Path) -> Result<Truth, Failure> {
        let failure = |reason: String| {
            Failure::words(format!("`{}` cannot be used as truth: {reason}", path.display())).hint(Some(
                "expected COCO's JSON of annotations, an object with `images`, `categories` and `annotations`",
            ))
        };
        let length = fs::metadata(path).map_err(|error| failure(error.to_string()))?.len();
        if length > JSON_BYTES_MAX {
            return Err(failure(format!("it has {length} bytes; expected at most {JSON_BYTES_MAX}")));
        }
        let bytes = fs::read(path).map_err(|error| failure(error.to_string()))?;
        Truth::parse(&bytes).map_err(failure)
    }

    /// Reads the bytes of such a file.
    fn parse(bytes: &[u8]) -> Result<Truth, String> {
        let document: Document = serde_json::from_slice(bytes).map_err(|error| error.to_string())?;
        let images = places(document.images.iter().map(|image| image.id))
            .map_err(|id| format!("there are several images with the id {id}"))?;
        let classes = places(document.categories.iter().map(|category| category.id))
            .map_err(|id| format!("there are several categories with the id {id}"))?;
        let boxes = (0usize..).zip(&document.annotations).map(|(at, annotation)| {
            let Annotation { image_id, category_id, bbox: [x, y, width, height], area, iscrowd } =
                *annotation;
            let unknown =
                |what, id| format!("annotation {at}, counted from 0, is of {what} {id}, which there is not");
            let bounds = BoundingBox { x, y, width, height };
            Ok(TruthBox {
                image: *images.get(&image_id).ok_or_else(|| unknown("image", image_id))?,
                class: *classes.get(&category_id).ok_or_else(|| unknown("category", category_id))?,
                bounds,
                area: area.unwrap_or_else(|| bounds.area()),
                is_crowd: iscrowd != 0,
            })
        });
        Ok(Truth {
            boxes: boxes.collect::<Result<_, String>>()?,
            images: document
                .images
                .into_iter()
                .map(|Image { file_name, width, height, .. }| TruthImage {
                    file: file_name,
                    size: width.zip(height),
                })
                .collect(),
            classes: document.categories.into_iter().map(|category| category.name).collect(),
        })
    }
}

/// Where each id stands, or the first that is there twice.
fn places(ids: impl Iterator<Item = i64>) -> Result<HashMap<i64, usize>, i64> {
    let mut places = HashMap::new();
    for (place, id) in ids.enumerate() {
        if places.insert(id, place).is_some() {
            return Err(id);
        }
    }
    Ok(places)
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &str = r#"{"images":[{"id":5,"file_name":"a.jpg","width":64,"height":48},{"id":2,"file_name":"b.jpg"}],
        "categories":[{"id":9,"name":"bus","supercategory":"vehicle"}],
        "annotations":[{"id":1,"image_id":2,"category_id":9,"bbox":[1,2,3,4.5],"segmentation":[]},
                       {"id":2,"image_id":5,"category_id":9,"bbox":[1,2,3,4],"area":7,"iscrowd":1}]}"#;

    #[test]
    fn ids_become_places() {
        let truth = Truth::parse(GOOD.as_bytes()).unwrap();
        assert_eq!(truth.classes, ["bus"]);
        assert_eq!(truth.images[0], TruthImage { file: "a.jpg".to_owned(), size: Some((64, 48)) });
        assert_eq!(truth.images[1].size, None);
        let [first, second] = truth.boxes[..] else { panic!("{truth:?}") };
        assert_eq!((first.image, first.class, first.area, first.is_crowd), (1, 0, 13.5, false));
        assert_eq!((second.image, second.area, second.is_crowd), (0, 7.0, true));
    }

    #[test]
    fn what_does_not_fit_together_is_told() {
        for (from, to, words) in [
            (r#""image_id":2"#, r#""image_id":3"#, "annotation 0, counted from 0, is of image 3"),
            (r#""category_id":9"#, r#""category_id":8"#, "category 8"),
            (r#""id":2,"file_name""#, r#""id":5,"file_name""#, "several images with the id 5"),
            ("[1,2,3,4.5]", "[1,2,3]", "invalid length 3"),
            (r#""categories""#, r#""classes""#, "missing field `categories`"),
            (GOOD, "[]", "invalid length 0"),
        ] {
            let error = Truth::parse(GOOD.replace(from, to).as_bytes()).unwrap_err();
            assert!(error.contains(words), "{error}");
        }
    }
}
