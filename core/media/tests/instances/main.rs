//! DICOM files as wholes: what removing identifiers, reports, segmentations and directories make of them. The files are
//! built here; `golden/make_results.py` asked other people's libraries what they read in what is written.

mod dataset;
mod deidentify;
mod directory;
mod golden;
mod report;
mod samples;
mod segmentation;
