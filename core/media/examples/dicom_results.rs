//! Writes the files that `tests/golden/make_dicom.py` reads with other people's libraries.
//!
//! `cargo run -p foretell-media --example dicom_results -- DIRECTORY`

use std::{env, error::Error, fs, path::PathBuf};

use foretell_media::dicom::{
    SourceImage,
    deidentify::{Salt, deidentify},
};

#[path = "../tests/instances/samples.rs"]
mod samples;

fn main() -> Result<(), Box<dyn Error>> {
    let directory = PathBuf::from(env::args_os().nth(1).ok_or("usage: dicom_results DIRECTORY")?);
    for (name, dataset) in [("radiograph", samples::radiograph()), ("slice", samples::slice())] {
        let file = samples::file(dataset);
        let clean = deidentify(&file, &Salt([7; 32]))?;
        let source = SourceImage::read(&clean.bytes)?;
        fs::write(directory.join(format!("{name}.dcm")), &file)?;
        fs::write(directory.join(format!("{name}_clean.dcm")), &clean.bytes)?;
        fs::write(directory.join(format!("{name}_report.dcm")), samples::report().to_bytes(&source)?)?;
        fs::write(directory.join(format!("{name}_segmentation.dcm")), samples::segmentation(&source))?;
    }
    Ok(())
}
