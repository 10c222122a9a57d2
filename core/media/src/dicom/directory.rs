//! Reading a DICOMDIR: the directory of a disc or a folder of DICOM files (PS3.3 annex F, PS3.10 section 8).
//!
//! A directory is a tree of records, patient over study over series over image, whose branches are byte positions in
//! the file. [`Directory::read`] walks it and lists the files that are images; [`locate`] finds such a file on the disk.
//!
//! A directory comes with somebody else's disc, so it is not trusted: a position that leads nowhere or in a circle is an
//! error, and a path can only lead to a file below the directory.
//!
//! - **Invariant:** names and numbers of patients, which the records hold too, are not read.

use std::{
    collections::{HashMap, HashSet},
    fs,
    path::{Path, PathBuf},
};

use dicom_core::Tag;
use dicom_dictionary_std::tags;

use super::dataset::{Dataset, Encoding, Instance};
use crate::{MediaError, MediaErrorKind};

/// Parts of a path: the standard has 8 (PS3.10 section 8.2), and writers that break it have few more.
pub const PATH_PARTS_MAX: usize = 32;
/// Characters of a part: the standard has 8.
pub const PART_CHARACTERS_MAX: usize = 255;

const WHAT: &str = "read a DICOM directory";

/// What a directory lists.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Directory {
    /// Its image files, in the order of its records.
    pub images: Vec<Listed>,
    /// How many files it lists that are no images: reports, plans, presentation states.
    pub others: usize,
}

/// An image file that a directory lists.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listed {
    /// The names of directories below the directory's own, and of the file; at least one. None of them is `.` or `..`,
    /// or has a separator in it.
    pub path: Vec<String>,
    /// Which patient of the directory, from 0.
    pub patient: usize,
    /// Which study of the directory, from 0.
    pub study: usize,
    /// Which series of the directory, from 0.
    pub series: usize,
    /// The kind of machine, where the record of the series says it.
    pub modality: Option<String>,
    /// The kind of file (0004,1510).
    pub sop_class_uid: Option<String>,
    /// The file's UID (0004,1511).
    pub sop_instance_uid: Option<String>,
}

/// Records in the order in which they are found, by their byte position.
struct Records<'a> {
    by_offset: HashMap<u64, &'a Dataset>,
    encoding: Encoding,
}

/// How many of each were begun.
#[derive(Default, Clone, Copy)]
struct Begun {
    patients: usize,
    studies: usize,
    series: usize,
}

impl Directory {
    /// Reads a directory's bytes.
    ///
    /// # Errors
    ///
    /// Bytes that are no DICOM directory, records that lead nowhere or in a circle, and a path that leads out of the
    /// directory.
    pub fn read(bytes: &[u8]) -> Result<Self, MediaError> {
        let instance = Instance::parse(bytes)?;
        if !instance.is_directory() {
            let found = "it is a DICOM file, and no directory of files; open it as it is".to_owned();
            return Err(MediaErrorKind::Unsupported(found).of(WHAT));
        }
        let items = instance.dataset.items(tags::DIRECTORY_RECORD_SEQUENCE).unwrap_or_default();
        let records = Records {
            by_offset: items.iter().map(|item| (item.offset, &item.dataset)).collect(),
            encoding: instance.encoding,
        };
        let root = tags::OFFSET_OF_THE_FIRST_DIRECTORY_RECORD_OF_THE_ROOT_DIRECTORY_ENTITY;
        let first = instance.dataset.u32(root, instance.encoding).unwrap_or(0);
        records.walk(first)
    }
}

impl Records<'_> {
    /// Follows the tree with a list of what is still to be seen: a hostile directory may be deeper than a stack.
    fn walk(&self, first: u32) -> Result<Directory, MediaError> {
        let mut directory = Directory { images: Vec::new(), others: 0 };
        let mut begun = Begun::default();
        let mut seen = HashSet::new();
        // A record, and the kind of machine of the series that it belongs to.
        let mut ahead: Vec<(u32, Option<String>)> = vec![(first, None)];
        while let Some((offset, modality)) = ahead.pop() {
            if offset == 0 {
                continue;
            }
            if !seen.insert(offset) {
                return Err(damaged(format!("its records lead in a circle, back to byte {offset}")));
            }
            let record = self.by_offset.get(&u64::from(offset)).copied();
            let record = record.ok_or_else(|| damaged(format!("there is no record at byte {offset}")))?;
            // The next of its kind comes after all that is below this one.
            ahead.push((self.offset(record, tags::OFFSET_OF_THE_NEXT_DIRECTORY_RECORD), modality.clone()));
            // Deleted records stay in the file, out of use.
            if record.u16(tags::RECORD_IN_USE_FLAG, self.encoding) == Some(0) {
                continue;
            }
            let kind = record.text(tags::DIRECTORY_RECORD_TYPE);
            let mut below = modality;
            match kind.as_deref() {
                Some("PATIENT") => begun.patients += 1,
                Some("STUDY") => begun.studies += 1,
                Some("SERIES") => {
                    begun.series += 1;
                    below = text(record, tags::MODALITY);
                }
                Some("IMAGE") => directory.images.extend(listed(record, begun, below.as_deref())?),
                _ => directory.others += usize::from(record.bytes(tags::REFERENCED_FILE_ID).is_some()),
            }
            ahead.push((self.offset(record, tags::OFFSET_OF_REFERENCED_LOWER_LEVEL_DIRECTORY_ENTITY), below));
        }
        Ok(directory)
    }

    fn offset(&self, record: &Dataset, tag: Tag) -> u32 {
        record.u32(tag, self.encoding).unwrap_or(0)
    }
}

/// An image's record; none where it names no file.
fn listed(record: &Dataset, begun: Begun, modality: Option<&str>) -> Result<Option<Listed>, MediaError> {
    let Some(path) = text(record, tags::REFERENCED_FILE_ID) else { return Ok(None) };
    Ok(Some(Listed {
        path: parts(&path)?,
        patient: begun.patients.saturating_sub(1),
        study: begun.studies.saturating_sub(1),
        series: begun.series.saturating_sub(1),
        modality: modality.map(str::to_owned),
        sop_class_uid: text(record, tags::REFERENCED_SOP_CLASS_UID_IN_FILE),
        sop_instance_uid: text(record, tags::REFERENCED_SOP_INSTANCE_UID_IN_FILE),
    }))
}

fn text(record: &Dataset, tag: Tag) -> Option<String> {
    record.text(tag).map(|text| text.into_owned())
}

/// The parts of a path, each of which is the name of something in the directory before it. Paths name patients on some
/// discs, so errors don't show them.
fn parts(path: &str) -> Result<Vec<String>, MediaError> {
    let parts: Vec<String> = path.split('\\').map(|part| part.trim().to_owned()).collect();
    MediaErrorKind::limit("the number of parts of a path:", parts.len() as u64, PATH_PARTS_MAX as u64)
        .map_err(|kind| kind.of(WHAT))?;
    for (part, number) in parts.iter().zip(1..) {
        let is_name = !part.is_empty()
            && part.chars().count() <= PART_CHARACTERS_MAX
            && part != "."
            && part != ".."
            && !part.chars().any(|char| char.is_control() || matches!(char, '/' | '\\' | ':'));
        if !is_name {
            return Err(damaged(format!(
                "part {number} of a file's path is not the name of a file or directory; a path has names with `\\` between \
                 them, and can't lead out of the directory"
            )));
        }
    }
    Ok(parts)
}

fn damaged(reason: String) -> MediaError {
    MediaErrorKind::Damaged(reason).of(WHAT)
}

/// Finds a listed file below the directory that holds the DICOMDIR. Discs are written in capitals and copied in any case,
/// so a name that is not there as it is written is looked for in any case; a name with `.dcm` or `;1` behind it is taken
/// for it too, which is how some systems copy discs.
///
/// Answers none where there is no such file, where several differ in their case alone, and where a link leads out of the
/// directory.
///
/// # Errors
///
/// What the system says of a directory that can't be read, and of a link that leads nowhere.
pub fn locate(root: &Path, path: &[String]) -> std::io::Result<Option<PathBuf>> {
    let root = root.canonicalize()?;
    let mut place = root.clone();
    for part in path {
        if !place.is_dir() {
            return Ok(None);
        }
        match entry(&place, part)? {
            Some(name) => place.push(name),
            None => return Ok(None),
        }
    }
    let place = place.canonicalize()?;
    Ok((place.starts_with(&root) && place.is_file()).then_some(place))
}

/// The name that an entry of a directory has on the disk.
fn entry(directory: &Path, part: &str) -> std::io::Result<Option<PathBuf>> {
    let mut found = Vec::new();
    for entry in fs::read_dir(directory)? {
        let name = entry?.file_name();
        let Some(name) = name.to_str() else { continue };
        if name == part {
            return Ok(Some(name.into()));
        }
        let lower = name.to_lowercase();
        let plain = lower.strip_suffix(";1").unwrap_or(&lower);
        let part = part.to_lowercase();
        if plain == part
            || plain.strip_suffix(".dcm") == Some(&part)
            || plain.strip_suffix('.') == Some(&part)
        {
            found.push(PathBuf::from(name));
        }
    }
    Ok(if found.len() == 1 { found.pop() } else { None })
}
