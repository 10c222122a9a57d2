//! The outline of a brain tumour in an MRI slice: a convolutional network that the host runs.
//!
//! The host decodes the slice, makes it grey and stretches it to the network's size; everything else is in the graph.
//! `../training` made the network, and `model/MODEL_CARD.md` says what it is worth and who must not rely on it.

use foretell_sdk::{Error, ImageNetwork, Masks, Open, Plugin, Records};
use serde::Deserialize;

/// Place of the label `tumor` in the manifest.
const TUMOR: u8 = 1;

/// The manifest's `[config]`.
#[derive(Deserialize)]
struct Settings {
    /// From which probability on a pixel belongs to the tumour.
    threshold: f32,
}

struct BrainOutline {
    network: ImageNetwork,
    threshold: f32,
}

impl Plugin for BrainOutline {
    type Predictions = Masks;

    fn open(request: &Open<'_>) -> Result<Self, Error> {
        let Settings { threshold } = serde_json::from_str(request.config())
            .map_err(|error| Error::invalid(format!("the settings can't be read: {error}")))?;
        if !(0.0..=1.0).contains(&threshold) {
            return Err(Error::invalid(format!(
                "`threshold` is {threshold}; expected a probability, 0 to 1"
            )));
        }
        Ok(Self { network: ImageNetwork::open(request, "image", "network")?, threshold })
    }

    fn predict(&self, records: &Records<'_>, masks: &mut Masks) -> Result<(), Error> {
        let Some([height, width, _]) = self.network.shape(records) else { return Ok(()) };
        let mut likely = vec![0.0; records.len() * height * width];
        self.network.run(records, [(&mut likely, &[height, width])])?;
        for likely in likely.chunks_exact(height * width) {
            let classes: Vec<u8> =
                likely.iter().map(|likely| if *likely >= self.threshold { TUMOR } else { 0 }).collect();
            masks.push(height, width, &classes);
        }
        Ok(())
    }
}

foretell_sdk::export!(BrainOutline, "medical-brain-outline", env!("CARGO_PKG_VERSION"));
