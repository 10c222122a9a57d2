//! Masks as DICOM Segmentations, so that they can be laid over the image that they are about.
//!
//! The kind of file is Segmentation (PS3.3 section A.51) of type `BINARY`: a frame of one bit for each pixel for each
//! segment, in the order of the segments, also where a segment is empty: a reader need not know which were left out. A
//! mask has the size of its image, and the place of its frame in space where the image has one.
//!
//! The same mask of the same image gives the same bytes, UIDs included.

use dicom_core::{Tag, VR};
use dicom_dictionary_std::tags;

use super::{
    SourceImage,
    dataset::{Dataset, Instance},
    pseudonym::uid_of_content,
    result::{Algorithm, check_label, code, equipment, label_code, set_time, with_instance_uid},
};
use crate::{MediaError, MediaErrorKind};

const WHAT: &str = "write a DICOM segmentation";
const CLASS: &str = "1.2.840.10008.5.1.4.1.1.66.4";
/// Segments have numbers of a byte here, and 0 is what belongs to none.
pub const SEGMENTS_MAX: usize = 255;

/// What belongs to which class, pixel by pixel.
#[derive(Debug, Clone, Copy)]
pub struct Mask<'a> {
    /// Pixels.
    pub height: u32,
    /// Pixels.
    pub width: u32,
    /// Row by row from the top left: 0 for none, `k` for the segment at `k - 1`.
    pub classes: &'a [u8],
}

/// A mask with all that a reader wants to know of it.
#[derive(Debug, Clone)]
pub struct Segmentation<'a> {
    /// Which frame of the image it is about, from 1; none for an image of one frame.
    pub frame: Option<u32>,
    /// The mask, as large as the image.
    pub mask: Mask<'a>,
    /// What the classes 1, 2, ... are called. At least one.
    pub labels: &'a [String],
    /// What made it.
    pub algorithm: &'a Algorithm,
    /// When it was made: microseconds since 1970-01-01 UTC.
    pub time_us: i64,
}

impl Segmentation<'_> {
    /// The segmentation of this image as the bytes of a DICOM file, in the image's study and a series of its own for
    /// each version of the algorithm.
    ///
    /// # Errors
    ///
    /// A mask of another size than the image or with a class that has no label, a frame that the image does not have
    /// or an image of several frames without one, no label, a label that is empty or too long, a time beyond the year
    /// 9999.
    pub fn to_bytes(&self, source: &SourceImage) -> Result<Vec<u8>, MediaError> {
        let frame = self.check(source)?;
        let mut dataset = source.result();
        dataset.set_text(tags::SOP_CLASS_UID, CLASS);
        set_time(WHAT, &mut dataset, self.time_us)?;
        dataset.set_text(tags::MODALITY, "SEG");
        equipment(&mut dataset, self.algorithm);
        let series = [&source.series_instance_uid, &self.algorithm.name, &self.algorithm.version];
        let series = uid_of_content("segmentation series", &series.map(String::as_str));
        dataset.set_text(tags::SERIES_INSTANCE_UID, &series);
        dataset.set_text(tags::SERIES_NUMBER, "1");
        dataset.set_text(tags::INSTANCE_NUMBER, "1");
        dataset.set_text(tags::CONTENT_LABEL, "SEGMENTATION");
        dataset.set_text(tags::CONTENT_DESCRIPTION, "");
        dataset.set_text(tags::CONTENT_CREATOR_NAME, "");
        dataset.set_items(tags::REFERENCED_SERIES_SEQUENCE, [referenced_series(source)]);
        self.pixels(&mut dataset, source);
        let segments = self.labels.iter().zip(1..).map(|(label, number)| self.segment(label, number));
        dataset.set_items(tags::SEGMENT_SEQUENCE, segments);
        dimension(&mut dataset);
        let place = Place::read(source, frame);
        dataset.set_items(tags::SHARED_FUNCTIONAL_GROUPS_SEQUENCE, [place.shared]);
        for element in place.frame_of_reference {
            dataset.set(element);
        }
        let frames =
            (1..=self.labels.len() as u16).map(|segment| self.frame(source, segment, &place.position));
        dataset.set_items(tags::PER_FRAME_FUNCTIONAL_GROUPS_SEQUENCE, frames);
        Instance::explicit(with_instance_uid("segmentation", dataset)?).to_bytes()
    }

    /// Answers the frame, from 1.
    fn check(&self, source: &SourceImage) -> Result<u32, MediaError> {
        let wrong = |found: String| MediaErrorKind::Unsupported(found).of(WHAT);
        let Mask { height, width, classes } = self.mask;
        let (rows, columns) = (u32::from(source.rows), u32::from(source.columns));
        if (height, width) != (rows, columns) {
            return Err(wrong(format!(
                "the mask has {width} x {height} pixels, the image {columns} x {rows}; scale the mask to the image first"
            )));
        }
        if classes.len() as u64 != u64::from(height) * u64::from(width) {
            return Err(wrong(format!("{} classes for {width} x {height} pixels", classes.len())));
        }
        let frame = match self.frame {
            Some(frame) => frame,
            None if source.frames == 1 => 1,
            None => {
                return Err(wrong(format!(
                    "the image has {} frames; say which one the mask is of",
                    source.frames
                )));
            }
        };
        source.check_frame(WHAT, frame)?;
        self.algorithm.check(WHAT)?;
        if self.labels.is_empty() {
            return Err(wrong("there is no segment; give the label of at least one class".to_owned()));
        }
        MediaErrorKind::limit("the number of segments:", self.labels.len() as u64, SEGMENTS_MAX as u64)
            .map_err(|kind| kind.of(WHAT))?;
        for label in self.labels {
            check_label(WHAT, "a segment's label", label)?;
        }
        if let Some(&class) = classes.iter().max().filter(|&&class| usize::from(class) > self.labels.len()) {
            let labels = self.labels.len();
            return Err(wrong(format!(
                "the mask has class {class}, and there are labels for {labels} classes"
            )));
        }
        Ok(frame)
    }

    fn pixels(&self, dataset: &mut Dataset, source: &SourceImage) {
        dataset.set_text(tags::IMAGE_TYPE, "DERIVED\\PRIMARY");
        dataset.set_u16(tags::ROWS, &[source.rows]);
        dataset.set_u16(tags::COLUMNS, &[source.columns]);
        dataset.set_u16(tags::SAMPLES_PER_PIXEL, &[1]);
        dataset.set_text(tags::PHOTOMETRIC_INTERPRETATION, "MONOCHROME2");
        dataset.set_u16(tags::BITS_ALLOCATED, &[1]);
        dataset.set_u16(tags::BITS_STORED, &[1]);
        dataset.set_u16(tags::HIGH_BIT, &[0]);
        dataset.set_u16(tags::PIXEL_REPRESENTATION, &[0]);
        dataset.set_text(tags::LOSSY_IMAGE_COMPRESSION, "00");
        dataset.set_text(tags::BURNED_IN_ANNOTATION, "NO");
        dataset.set_text(tags::SEGMENTATION_TYPE, "BINARY");
        dataset.set_text(tags::SEGMENTS_OVERLAP, "NO");
        dataset.set_text(tags::NUMBER_OF_FRAMES, &self.labels.len().to_string());
        let segments = (1..=self.labels.len())
            .flat_map(|segment| self.mask.classes.iter().map(move |&class| usize::from(class) == segment));
        dataset.set_bytes(tags::PIXEL_DATA, VR::OB, packed(segments));
    }

    fn segment(&self, label: &str, number: u16) -> Dataset {
        let mut segment = Dataset::new();
        segment.set_u16(tags::SEGMENT_NUMBER, &[number]);
        segment.set_text(tags::SEGMENT_LABEL, label);
        segment.set_text(tags::SEGMENT_ALGORITHM_TYPE, "AUTOMATIC");
        segment.set_text(tags::SEGMENT_ALGORITHM_NAME, &self.algorithm.name);
        // Labels are the model's own words. Of all categories (PS3.16 CID 7150) this one says least of what they mean.
        let category = code("309825002", "SCT", "Spatial and Relational Concept");
        segment.set_items(tags::SEGMENTED_PROPERTY_CATEGORY_CODE_SEQUENCE, [category]);
        segment.set_items(tags::SEGMENTED_PROPERTY_TYPE_CODE_SEQUENCE, [label_code(label)]);
        let mut algorithm = Dataset::new();
        algorithm.set_text(tags::ALGORITHM_NAME, &self.algorithm.name);
        algorithm.set_text(tags::ALGORITHM_VERSION, &self.algorithm.version);
        let family = code("123110", "DCM", "Artificial Intelligence");
        algorithm.set_items(tags::ALGORITHM_FAMILY_CODE_SEQUENCE, [family]);
        if !self.algorithm.parameters.is_empty() {
            algorithm.set_text(tags::ALGORITHM_PARAMETERS, &self.algorithm.parameters.join("; "));
        }
        segment.set_items(tags::SEGMENTATION_ALGORITHM_IDENTIFICATION_SEQUENCE, [algorithm]);
        segment
    }

    fn frame(&self, source: &SourceImage, segment: u16, position: &Dataset) -> Dataset {
        let mut reference = source.reference(self.frame);
        let purpose = code("121322", "DCM", "Source image for image processing operation");
        reference.set_items(tags::PURPOSE_OF_REFERENCE_CODE_SEQUENCE, [purpose]);
        // A pixel of the mask is the pixel of the image at the same place.
        reference.set_text(tags::SPATIAL_LOCATIONS_PRESERVED, "YES");
        let mut derivation = Dataset::new();
        derivation.set_items(tags::SOURCE_IMAGE_SEQUENCE, [reference]);
        derivation.set_items(tags::DERIVATION_CODE_SEQUENCE, [code("113076", "DCM", "Segmentation")]);
        let mut content = Dataset::new();
        content.set_u32(tags::DIMENSION_INDEX_VALUES, &[u32::from(segment)]);
        let mut identification = Dataset::new();
        identification.set_u16(tags::REFERENCED_SEGMENT_NUMBER, &[segment]);
        let mut frame = position.clone();
        frame.set_items(tags::DERIVATION_IMAGE_SEQUENCE, [derivation]);
        frame.set_items(tags::FRAME_CONTENT_SEQUENCE, [content]);
        frame.set_items(tags::SEGMENT_IDENTIFICATION_SEQUENCE, [identification]);
        frame
    }
}

/// Frames differ by their segment alone (PS3.3 section C.7.6.17).
fn dimension(dataset: &mut Dataset) {
    let uid = uid_of_content("dimension organization", &["segment number"]);
    let mut organization = Dataset::new();
    organization.set_text(tags::DIMENSION_ORGANIZATION_UID, &uid);
    let mut index = organization.clone();
    set_tag(&mut index, tags::DIMENSION_INDEX_POINTER, tags::REFERENCED_SEGMENT_NUMBER);
    set_tag(&mut index, tags::FUNCTIONAL_GROUP_POINTER, tags::SEGMENT_IDENTIFICATION_SEQUENCE);
    index.set_text(tags::DIMENSION_DESCRIPTION_LABEL, "Segment Number");
    dataset.set_items(tags::DIMENSION_ORGANIZATION_SEQUENCE, [organization]);
    dataset.set_items(tags::DIMENSION_INDEX_SEQUENCE, [index]);
}

fn set_tag(dataset: &mut Dataset, tag: Tag, value: Tag) {
    let bytes = [value.group().to_le_bytes(), value.element().to_le_bytes()].concat();
    dataset.set_bytes(tag, VR::AT, bytes);
}

/// Where the frame is in space, in the groups that a file of several frames has for it.
#[derive(Default)]
struct Place {
    frame_of_reference: Dataset,
    /// Size of pixels and direction of rows, for all frames.
    shared: Dataset,
    /// Position, for each frame.
    position: Dataset,
}

impl Place {
    /// No more than where left and right are, if that, where the image does not say all of it, as plain radiographs
    /// don't: pixels then match pixels.
    fn read(source: &SourceImage, frame: u32) -> Self {
        let text = |tag| source.geometry(frame, tag).map(|text| text.into_owned());
        let (Some(uid), Some(position), Some(orientation), Some(spacing)) = (
            text(tags::FRAME_OF_REFERENCE_UID),
            text(tags::IMAGE_POSITION_PATIENT),
            text(tags::IMAGE_ORIENTATION_PATIENT),
            text(tags::PIXEL_SPACING),
        ) else {
            let mut place = Self::default();
            let orientation = text(tags::PATIENT_ORIENTATION).unwrap_or_default();
            place.frame_of_reference.set_text(tags::PATIENT_ORIENTATION, &orientation);
            return place;
        };
        let one = |tag, value: &str| {
            let mut item = Dataset::new();
            item.set_text(tag, value);
            item
        };
        let mut place = Self::default();
        place.frame_of_reference.set_text(tags::FRAME_OF_REFERENCE_UID, &uid);
        let indicator = text(tags::POSITION_REFERENCE_INDICATOR).unwrap_or_default();
        place.frame_of_reference.set_text(tags::POSITION_REFERENCE_INDICATOR, &indicator);
        let mut measures = one(tags::PIXEL_SPACING, &spacing);
        for tag in [tags::SLICE_THICKNESS, tags::SPACING_BETWEEN_SLICES] {
            if let Some(value) = text(tag) {
                measures.set_text(tag, &value);
            }
        }
        place.shared.set_items(tags::PIXEL_MEASURES_SEQUENCE, [measures]);
        let orientation = one(tags::IMAGE_ORIENTATION_PATIENT, &orientation);
        place.shared.set_items(tags::PLANE_ORIENTATION_SEQUENCE, [orientation]);
        let position = one(tags::IMAGE_POSITION_PATIENT, &position);
        place.position.set_items(tags::PLANE_POSITION_SEQUENCE, [position]);
        place
    }
}

/// The series of the image, with the image (PS3.3 section C.12.2).
fn referenced_series(source: &SourceImage) -> Dataset {
    let mut series = Dataset::new();
    series.set_text(tags::SERIES_INSTANCE_UID, &source.series_instance_uid);
    series.set_items(tags::REFERENCED_INSTANCE_SEQUENCE, [source.reference(None)]);
    series
}

/// Eight pixels a byte, the first in the lowest bit; frames follow each other without a gap (PS3.5 section 8.1.1).
fn packed(bits: impl Iterator<Item = bool>) -> Vec<u8> {
    let mut bytes = Vec::new();
    for (place, bit) in bits.enumerate() {
        if place % 8 == 0 {
            bytes.push(0);
        }
        if let Some(last) = bytes.last_mut() {
            *last |= u8::from(bit) << (place % 8);
        }
    }
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bits_are_packed_from_the_lowest() {
        let cases: [(&[u8], &[u8]); 4] =
            [(&[], &[]), (&[1], &[1]), (&[0, 1, 1], &[6]), (&[1, 0, 0, 0, 0, 0, 0, 0, 1], &[1, 1])];
        for (bits, bytes) in cases {
            assert_eq!(packed(bits.iter().map(|&bit| bit == 1)), bytes, "{bits:?}");
        }
    }
}
