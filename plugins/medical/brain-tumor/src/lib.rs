//! The type of a brain tumour in an MRI slice: a convolutional network that the host runs.
//!
//! The host decodes the slice, makes it grey and stretches it to the network's size; everything else, from its contrast to the
//! calibrated scores, is in the graph. `../training` made the network, and `model/MODEL_CARD.md` says what it is worth and who
//! must not rely on it.

use foretell_sdk::{Attend, Classes, Error, ImageNetwork, Maps, Open, Plugin, Records, WithNovelty};

/// Pixels of a side of the image for which the activation has one value.
const ACTIVATION_STEP: usize = 16;
/// Labels of the manifest.
const TYPES: usize = 3;

struct BrainTumor {
    network: ImageNetwork,
}

impl Plugin for BrainTumor {
    type Predictions = WithNovelty<Classes<TYPES>>;

    fn open(request: &Open<'_>) -> Result<Self, Error> {
        Ok(Self { network: ImageNetwork::open(request, "image", "network")? })
    }

    fn predict(
        &self,
        records: &Records<'_>,
        predictions: &mut WithNovelty<Classes<TYPES>>,
    ) -> Result<(), Error> {
        let rows = records.len();
        let (scores, novelty) = predictions.parts();
        novelty.resize(rows, 0.0);
        self.network.run(records, [(scores.fill(rows), &[TYPES]), (novelty, &[])])
    }
}

impl Attend for BrainTumor {
    fn attend(&self, records: &Records<'_>, maps: &mut Maps) -> Result<(), Error> {
        let Some([height, width, _]) = self.network.shape(records) else { return Ok(()) };
        let (height, width) = (height / ACTIVATION_STEP, width / ACTIVATION_STEP);
        let (mut scores, mut novelty) = (vec![0.0; records.len() * TYPES], vec![0.0; records.len()]);
        let mut activation = vec![0.0; records.len() * TYPES * height * width];
        let outputs = [
            (&mut scores[..], &[TYPES][..]),
            (&mut novelty, &[]),
            (&mut activation, &[TYPES, height, width]),
        ];
        self.network.run(records, outputs)?;
        for map in activation.chunks_exact(TYPES * height * width) {
            maps.push(height, width, map);
        }
        Ok(())
    }
}

foretell_sdk::export!(BrainTumor, "medical-brain-tumor", env!("CARGO_PKG_VERSION"), attention);
