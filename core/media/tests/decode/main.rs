//! Decoding against what other programs read: golden files of `tests/golden/make.py`, windows, and hostile bytes.

mod dicom;
mod golden;
mod hostile;
mod raster;
mod view;
mod windows;
