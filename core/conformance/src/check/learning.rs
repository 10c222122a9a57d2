//! Whether a plugin learns the same from the same records.

use super::Found;
use crate::subject::{Subject, learn};
use crate::verdict::{Finding, fault, passed};

pub(super) fn learning_repeats(subject: &Subject) -> Found {
    if subject.manifest().fit.is_none() {
        return Err(Finding::NotApplicable("the plugin does not learn from records".to_owned()));
    }
    let learned = || learn(&subject.runtime, &subject.verified, subject.seed).map_err(fault);
    let (first, second) = (learned()?, learned()?);
    for ((name, first), (_, second)) in first.iter().zip(&second) {
        if first != second {
            let place = first.iter().zip(second).position(|(first, second)| first != second);
            let place = place.unwrap_or(first.len().min(second.len()));
            return Err(fault(format!(
                "model `{name}`: learned twice from the same records, it is {} and {} bytes, and byte {place} is another one",
                first.len(),
                second.len()
            )));
        }
    }
    let bytes: usize = first.iter().map(|(_, content)| content.len()).sum();
    passed(format!("{bytes} bytes"))
}
