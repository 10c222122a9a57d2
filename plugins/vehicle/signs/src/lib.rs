//! Which of 43 German traffic signs a crop shows: a convolutional network that the host runs.
//!
//! The host decodes the crop and stretches it to the network's size; everything else, from its contrast to the calibrated
//! probabilities, is in the graph. `../training/signs` made the network, and `model/MODEL_CARD.md` says what it is worth and
//! who must not rely on it. Its distance tells crops without a sign from those with one: a detector's box may hold either.

use foretell_sdk::{Classes, Error, ImageNetwork, Open, Plugin, Records, WithNovelty};

/// Signs of the German Traffic Sign Recognition Benchmark, in the order of the manifest's labels.
const SIGNS: usize = 43;

struct Signs {
    network: ImageNetwork,
}

impl Plugin for Signs {
    type Predictions = WithNovelty<Classes<SIGNS>>;

    fn open(request: &Open<'_>) -> Result<Self, Error> {
        Ok(Self { network: ImageNetwork::open(request, "image", "network")? })
    }

    fn predict(
        &self,
        records: &Records<'_>,
        predictions: &mut WithNovelty<Classes<SIGNS>>,
    ) -> Result<(), Error> {
        let rows = records.len();
        let (scores, novelty) = predictions.parts();
        novelty.resize(rows, 0.0);
        self.network.run(records, [(scores.fill(rows), &[SIGNS]), (novelty, &[1])])
    }
}

foretell_sdk::export!(Signs, "vehicle-signs", env!("CARGO_PKG_VERSION"));
