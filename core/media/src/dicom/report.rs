//! Results as a DICOM Structured Report, so that they can be stored and seen beside the image that they are about.
//!
//! The kind of file is Comprehensive SR (PS3.3 section A.35.3), its content follows the template for measurements,
//! TID 1500 (PS3.16):
//!
//! ```text
//! Imaging Measurement Report
//! |- language, observer (the algorithm), procedure reported
//! |- Image Library: the image
//! |- Imaging Measurements
//! |    `- Measurement Group, one for each finding: name, algorithm (TID 4019), Finding, image, Score, Predicted
//! `- Qualitative Evaluations: whether the image is unlike those the algorithm knows, notice, comments
//! ```
//!
//! What a label means is known to the model alone, so labels are codes of a scheme of this program, `99FORETELL`, with
//! the label as their meaning; a reader shows the label.
//!
//! The same report of the same image gives the same bytes, UIDs included: writing it twice gives one object, not two.

use dicom_core::VR;
use dicom_dictionary_std::tags;

use super::{
    SourceImage,
    dataset::{Dataset, Instance},
    pseudonym::uid_of_content,
    result::{Algorithm, SCHEME, check_label, code, equipment, label_code, set_time, with_instance_uid},
};
use crate::{MediaError, MediaErrorKind};

/// Findings of one report.
pub const FINDINGS_MAX: usize = 10_000;

const WHAT: &str = "write a DICOM report";
const CLASS: &str = "1.2.840.10008.5.1.4.1.1.88.33";

/// What is reported of an image.
#[derive(Debug, Clone, PartialEq)]
pub struct Report {
    /// Which frame of the image, from 1; none for the whole.
    pub frame: Option<u32>,
    /// What found it.
    pub algorithm: Algorithm,
    /// What was found: one for each class, or those worth reporting.
    pub findings: Vec<Finding>,
    /// Whether the image is unlike those that the algorithm learned from; none where nobody looked.
    pub is_novel: Option<bool>,
    /// What the result may be used for. It stands in the report as a notice, and must not be empty.
    pub notice: String,
    /// Anything else worth saying, one comment each.
    pub notes: Vec<String>,
    /// When the result was made: microseconds since 1970-01-01 UTC.
    pub time_us: i64,
}

/// A class and how sure the algorithm is of it.
#[derive(Debug, Clone, PartialEq)]
pub struct Finding {
    /// What the class is called.
    pub label: String,
    /// From 0 to 1.
    pub score: f64,
    /// Whether it is the algorithm's answer.
    pub is_predicted: bool,
}

impl Report {
    /// The report of this image as the bytes of a DICOM file, in the image's study and a series of its own for each
    /// version of the algorithm.
    ///
    /// # Errors
    ///
    /// A frame that the image does not have, a name or label that is empty or too long, an empty notice, too many
    /// findings, a score that is no fraction of 1, a time beyond the year 9999.
    pub fn to_bytes(&self, source: &SourceImage) -> Result<Vec<u8>, MediaError> {
        self.check(source)?;
        let mut dataset = source.result();
        dataset.set_text(tags::SOP_CLASS_UID, CLASS);
        set_time(WHAT, &mut dataset, self.time_us)?;
        dataset.set_text(tags::MODALITY, "SR");
        equipment(&mut dataset, &self.algorithm);
        let series = [&source.series_instance_uid, &self.algorithm.name, &self.algorithm.version];
        dataset.set_text(
            tags::SERIES_INSTANCE_UID,
            &uid_of_content("report series", &series.map(String::as_str)),
        );
        dataset.set_text(tags::SERIES_NUMBER, "1");
        dataset.set_text(tags::INSTANCE_NUMBER, "1");
        dataset.set_items(tags::REFERENCED_PERFORMED_PROCEDURE_STEP_SEQUENCE, []);
        dataset.set_items(tags::PERFORMED_PROCEDURE_CODE_SEQUENCE, []);
        dataset.set_text(tags::COMPLETION_FLAG, "COMPLETE");
        dataset.set_text(tags::VERIFICATION_FLAG, "UNVERIFIED");
        dataset.set_items(tags::CURRENT_REQUESTED_PROCEDURE_EVIDENCE_SEQUENCE, [evidence(source)]);
        for element in self.content(source) {
            dataset.set(element);
        }
        Instance::explicit(with_instance_uid("report", dataset)?).to_bytes()
    }

    fn check(&self, source: &SourceImage) -> Result<(), MediaError> {
        if let Some(frame) = self.frame {
            source.check_frame(WHAT, frame)?;
        }
        self.algorithm.check(WHAT)?;
        MediaErrorKind::limit("the number of findings:", self.findings.len() as u64, FINDINGS_MAX as u64)
            .map_err(|kind| kind.of(WHAT))?;
        for finding in &self.findings {
            check_label(WHAT, "a finding's label", &finding.label)?;
            if !(0.0..=1.0).contains(&finding.score) {
                let found = format!("a finding's score is {}, it should be from 0 to 1", finding.score);
                return Err(MediaErrorKind::Unsupported(found).of(WHAT));
            }
        }
        if self.notice.trim().is_empty() {
            let found = "the notice is empty, it should say what the result may be used for".to_owned();
            return Err(MediaErrorKind::Unsupported(found).of(WHAT));
        }
        Ok(())
    }

    /// The tree, whose root's attributes are the data set's own.
    fn content(&self, source: &SourceImage) -> Dataset {
        let english = code("en", "RFC5646", "English");
        let imaging = code("363679005", "SCT", "Imaging procedure");
        let language = code("121049", "DCM", "Language of Content Item and Descendants");
        let observer = uid_of_content("observer", &[&self.algorithm.name, &self.algorithm.version]);
        let mut children = vec![
            coded("HAS CONCEPT MOD", language, english),
            coded("HAS OBS CONTEXT", code("121005", "DCM", "Observer Type"), code("121007", "DCM", "Device")),
            uid("HAS OBS CONTEXT", code("121012", "DCM", "Device Observer UID"), &observer),
            text("HAS OBS CONTEXT", code("121013", "DCM", "Device Observer Name"), &self.algorithm.name),
            coded("HAS CONCEPT MOD", code("121058", "DCM", "Procedure reported"), imaging),
        ];
        let group = vec![image(None, source.reference(self.frame))];
        let library = vec![container(code("126200", "DCM", "Image Library Group"), group)];
        children.push(container(code("111028", "DCM", "Image Library"), library));
        let measured =
            self.findings.iter().zip(1..).map(|(finding, number)| self.finding(source, finding, number));
        let measured = measured.collect();
        children.push(container(code("126010", "DCM", "Imaging Measurements"), measured));
        children.push(container(code("C0034375", "UMLS", "Qualitative Evaluations"), self.evaluations()));

        let mut root = container(code("126000", "DCM", "Imaging Measurement Report"), children);
        let mut template = Dataset::new();
        template.set_text(tags::MAPPING_RESOURCE, "DCMR");
        template.set_text(tags::TEMPLATE_IDENTIFIER, "1500");
        root.set_items(tags::CONTENT_TEMPLATE_SEQUENCE, [template]);
        root.into_iter().filter(|element| element.tag != tags::RELATIONSHIP_TYPE).collect()
    }

    fn finding(&self, source: &SourceImage, finding: &Finding, number: usize) -> Dataset {
        let tracking =
            [&source.sop_instance_uid, &self.algorithm.name, &self.algorithm.version, &finding.label];
        let tracking = uid_of_content("finding", &tracking.map(String::as_str));
        let mut children = vec![
            text(
                "HAS OBS CONTEXT",
                code("112039", "DCM", "Tracking Identifier"),
                &format!("finding {number}"),
            ),
            uid("HAS OBS CONTEXT", code("112040", "DCM", "Tracking Unique Identifier"), &tracking),
            coded("CONTAINS", code("121071", "DCM", "Finding"), label_code(&finding.label)),
        ];
        children.extend(algorithm(&self.algorithm));
        let reference = source.reference(self.frame);
        children.push(image(Some(code("260753009", "SCT", "Source")), reference));
        children.push(fraction(code("score", SCHEME, "Score"), finding.score));
        children.push(coded(
            "CONTAINS",
            code("predicted", SCHEME, "Predicted"),
            yes_or_no(finding.is_predicted),
        ));
        container(code("125007", "DCM", "Measurement Group"), children)
    }

    fn evaluations(&self) -> Vec<Dataset> {
        let mut children = Vec::new();
        if let Some(is_novel) = self.is_novel {
            let concept = code("novel", SCHEME, "Unlike the images that the algorithm learned from");
            children.push(coded("CONTAINS", concept, yes_or_no(is_novel)));
        }
        children.push(text("CONTAINS", code("notice", SCHEME, "Notice"), &self.notice));
        let comments = self.notes.iter().filter(|note| !note.trim().is_empty());
        children.extend(comments.map(|note| text("CONTAINS", code("121106", "DCM", "Comment"), note)));
        children
    }
}

fn yes_or_no(yes: bool) -> Dataset {
    if yes { code("373066001", "SCT", "Yes") } else { code("373067005", "SCT", "No") }
}

/// TID 4019.
fn algorithm(algorithm: &Algorithm) -> Vec<Dataset> {
    let modifier = "HAS CONCEPT MOD";
    let mut items = vec![
        text(modifier, code("111001", "DCM", "Algorithm Name"), &algorithm.name),
        text(modifier, code("111003", "DCM", "Algorithm Version"), &algorithm.version),
    ];
    let parameters = algorithm.parameters.iter().filter(|parameter| !parameter.trim().is_empty());
    items.extend(parameters.map(|one| text(modifier, code("111002", "DCM", "Algorithm Parameters"), one)));
    items
}

/// Which objects the report builds on, by study and series (PS3.3 table C.17-3).
fn evidence(source: &SourceImage) -> Dataset {
    let mut series = Dataset::new();
    series.set_text(tags::SERIES_INSTANCE_UID, &source.series_instance_uid);
    series.set_items(tags::REFERENCED_SOP_SEQUENCE, [source.reference(None)]);
    let mut study = Dataset::new();
    study.set_text(tags::STUDY_INSTANCE_UID, &source.study_instance_uid);
    study.set_items(tags::REFERENCED_SERIES_SEQUENCE, [series]);
    study
}

fn item(relationship: &str, kind: &str, concept: Option<Dataset>) -> Dataset {
    let mut item = Dataset::new();
    item.set_text(tags::RELATIONSHIP_TYPE, relationship);
    item.set_text(tags::VALUE_TYPE, kind);
    if let Some(concept) = concept {
        item.set_items(tags::CONCEPT_NAME_CODE_SEQUENCE, [concept]);
    }
    item
}

/// A container that holds at least one item; without items it has no content sequence, which may not be empty.
fn container(concept: Dataset, children: Vec<Dataset>) -> Dataset {
    let mut item = item("CONTAINS", "CONTAINER", Some(concept));
    item.set_text(tags::CONTINUITY_OF_CONTENT, "SEPARATE");
    if !children.is_empty() {
        item.set_items(tags::CONTENT_SEQUENCE, children);
    }
    item
}

fn text(relationship: &str, concept: Dataset, value: &str) -> Dataset {
    let mut item = item(relationship, "TEXT", Some(concept));
    item.set_text(tags::TEXT_VALUE, value);
    item
}

fn coded(relationship: &str, concept: Dataset, value: Dataset) -> Dataset {
    let mut item = item(relationship, "CODE", Some(concept));
    item.set_items(tags::CONCEPT_CODE_SEQUENCE, [value]);
    item
}

fn uid(relationship: &str, concept: Dataset, value: &str) -> Dataset {
    let mut item = item(relationship, "UIDREF", Some(concept));
    item.set_text(tags::UID, value);
    item
}

fn image(concept: Option<Dataset>, reference: Dataset) -> Dataset {
    let mut item = item("CONTAINS", "IMAGE", concept);
    item.set_items(tags::REFERENCED_SOP_SEQUENCE, [reference]);
    item
}

/// A number without a unit. Its text has 16 characters at most, so the exact one stands beside it.
fn fraction(concept: Dataset, value: f64) -> Dataset {
    let mut measured = Dataset::new();
    measured.set_text(tags::NUMERIC_VALUE, &decimal(value));
    measured.set_bytes(tags::FLOATING_POINT_VALUE, VR::FD, value.to_le_bytes().to_vec());
    measured.set_items(tags::MEASUREMENT_UNITS_CODE_SEQUENCE, [code("1", "UCUM", "no units")]);
    let mut item = item("CONTAINS", "NUM", Some(concept));
    item.set_items(tags::MEASURED_VALUE_SEQUENCE, [measured]);
    item
}

/// A fraction of 1 in at most 16 characters (PS3.5 table 6.2-1, DS).
fn decimal(value: f64) -> String {
    const DECIMAL_CHARACTERS_MAX: usize = 16;
    let shortest = format!("{value}");
    if shortest.len() <= DECIMAL_CHARACTERS_MAX { shortest } else { format!("{value:.10e}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn decimals_fit() {
        for (value, expected) in [
            (0.0, "0"),
            (1.0, "1"),
            (0.5, "0.5"),
            (0.1 + 0.2, "3.0000000000e-1"),
            (f64::MIN_POSITIVE, "2.2250738585e-308"),
        ] {
            assert_eq!(decimal(value), expected);
        }
    }
}
