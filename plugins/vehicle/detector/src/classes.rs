//! Lists of classes that many networks share, so that a manifest can name a list instead of 80 classes.

/// The 80 classes that networks trained on COCO answer, in their usual order, without the gaps of COCO's own numbers (Lin et al.
/// 2014, arXiv:1405.0312, and the annotations of 2017).
pub const COCO_80: [&str; 80] = [
    "person",
    "bicycle",
    "car",
    "motorcycle",
    "airplane",
    "bus",
    "train",
    "truck",
    "boat",
    "traffic light",
    "fire hydrant",
    "stop sign",
    "parking meter",
    "bench",
    "bird",
    "cat",
    "dog",
    "horse",
    "sheep",
    "cow",
    "elephant",
    "bear",
    "zebra",
    "giraffe",
    "backpack",
    "umbrella",
    "handbag",
    "tie",
    "suitcase",
    "frisbee",
    "skis",
    "snowboard",
    "sports ball",
    "kite",
    "baseball bat",
    "baseball glove",
    "skateboard",
    "surfboard",
    "tennis racket",
    "bottle",
    "wine glass",
    "cup",
    "fork",
    "knife",
    "spoon",
    "bowl",
    "banana",
    "apple",
    "sandwich",
    "orange",
    "broccoli",
    "carrot",
    "hot dog",
    "pizza",
    "donut",
    "cake",
    "chair",
    "couch",
    "potted plant",
    "bed",
    "dining table",
    "toilet",
    "tv",
    "laptop",
    "mouse",
    "remote",
    "keyboard",
    "cell phone",
    "microwave",
    "oven",
    "toaster",
    "sink",
    "refrigerator",
    "book",
    "clock",
    "vase",
    "scissors",
    "teddy bear",
    "hair drier",
    "toothbrush",
];

/// COCO's own numbers, 1 to 90, with the background at 0, as TensorFlow's networks answer them. A number that COCO gives to no
/// class stands in places of [`COCO_91_GAPS`].
pub const COCO_91_GAPS: [usize; 10] = [12, 26, 29, 30, 45, 66, 68, 69, 71, 83];

/// The 20 classes of PASCAL VOC, by the alphabet (Everingham et al. 2010).
pub const VOC_20: [&str; 20] = [
    "aeroplane",
    "bicycle",
    "bird",
    "boat",
    "bottle",
    "bus",
    "car",
    "cat",
    "chair",
    "cow",
    "diningtable",
    "dog",
    "horse",
    "motorbike",
    "person",
    "pottedplant",
    "sheep",
    "sofa",
    "train",
    "tvmonitor",
];

/// The class that means nothing is there. It never counts.
pub const BACKGROUND: &str = "background";

/// Names that a manifest can give instead of a list.
pub const LISTS: [&str; 4] = ["coco-80", "coco-91", "voc-20", "voc-21"];

/// The classes of a list: of `coco-91` and `voc-21`, the first is the background.
///
/// ```
/// use foretell_plugin_detector::classes::list;
/// assert_eq!(list("coco-80").unwrap()[2], "car");
/// assert_eq!(list("coco-91").unwrap()[3], "car");
/// assert_eq!(list("voc-21").unwrap()[7], "car");
/// assert!(list("kitti").is_none());
/// ```
pub fn list(name: &str) -> Option<Vec<String>> {
    let names = match name {
        "coco-80" => COCO_80.to_vec(),
        "coco-91" => coco_91(),
        "voc-20" => VOC_20.to_vec(),
        "voc-21" => [BACKGROUND].into_iter().chain(VOC_20).collect(),
        _ => return None,
    };
    Some(names.into_iter().map(str::to_owned).collect())
}

fn coco_91() -> Vec<&'static str> {
    let mut classes = COCO_80.into_iter();
    let named = (1..=COCO_80.len() + COCO_91_GAPS.len()).map(|number| match COCO_91_GAPS.contains(&number) {
        true => BACKGROUND,
        false => classes.next().unwrap_or(BACKGROUND),
    });
    [BACKGROUND].into_iter().chain(named).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_have_as_many_classes_as_their_name_says() {
        for name in LISTS {
            let classes = list(name).unwrap();
            assert_eq!(classes.len().to_string(), name.split_once('-').unwrap().1, "{name}");
        }
    }

    /// Numbers of the annotations of 2017.
    #[test]
    fn coco_keeps_its_own_numbers() {
        let classes = list("coco-91").unwrap();
        let expected = [
            (1, "person"),
            (10, "traffic light"),
            (13, "stop sign"),
            (27, "backpack"),
            (44, "bottle"),
            (46, "wine glass"),
            (67, "dining table"),
            (70, "toilet"),
            (84, "book"),
            (90, "toothbrush"),
        ];
        for (number, name) in expected {
            assert_eq!(classes[number], name);
        }
    }
}
