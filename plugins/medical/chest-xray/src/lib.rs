//! Pneumonia in chest X-rays of children: a convolutional network that the host runs.
//!
//! The host decodes the film, makes it grey and stretches it to the network's size; everything else, from its contrast to the
//! calibrated score, is in the graph. `../training` made the network, and `model/MODEL_CARD.md` says what it is worth and who
//! must not rely on it.

use foretell_sdk::{Attend, Error, ImageNetwork, Maps, Open, Plugin, Records, Scores, WithNovelty};

/// Pixels of a side of the image for which the activation has one value.
const ACTIVATION_STEP: usize = 16;

struct ChestXray {
    network: ImageNetwork,
}

impl Plugin for ChestXray {
    type Predictions = WithNovelty<Scores>;

    fn open(request: &Open<'_>) -> Result<Self, Error> {
        Ok(Self { network: ImageNetwork::open(request, "image", "network")? })
    }

    fn predict(&self, records: &Records<'_>, predictions: &mut WithNovelty<Scores>) -> Result<(), Error> {
        let rows = records.len();
        let (scores, novelty) = predictions.parts();
        novelty.resize(rows, 0.0);
        self.network.run(records, [(scores.fill(rows), &[]), (novelty, &[])])
    }
}

impl Attend for ChestXray {
    fn attend(&self, records: &Records<'_>, maps: &mut Maps) -> Result<(), Error> {
        let Some([height, width, _]) = self.network.shape(records) else { return Ok(()) };
        let (height, width) = (height / ACTIVATION_STEP, width / ACTIVATION_STEP);
        let (mut scores, mut novelty) = (vec![0.0; records.len()], vec![0.0; records.len()]);
        let mut activation = vec![0.0; records.len() * height * width];
        let outputs = [(&mut scores[..], &[][..]), (&mut novelty, &[]), (&mut activation, &[height, width])];
        self.network.run(records, outputs)?;
        for map in activation.chunks_exact(height * width) {
            maps.push(height, width, map);
        }
        Ok(())
    }
}

foretell_sdk::export!(ChestXray, "medical-chest-xray", env!("CARGO_PKG_VERSION"), attention);
