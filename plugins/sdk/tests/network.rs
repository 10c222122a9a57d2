//! Images on their way through a network.

use std::sync::{Arc, Mutex};

use foretell_sdk::testing::{Array, Rehearsal};
use foretell_sdk::{Error, ImageNetwork, Open, Plugin, Records, Scores};

struct Brightness(ImageNetwork);

impl Plugin for Brightness {
    type Predictions = Scores;

    fn open(request: &Open<'_>) -> Result<Self, Error> {
        Ok(Self(ImageNetwork::open(request, "image", "network")?))
    }

    fn predict(&self, records: &Records<'_>, scores: &mut Scores) -> Result<(), Error> {
        let mut pair = vec![0.0; records.len() * 2];
        self.0.run(records, [(scores.fill(records.len()), &[]), (&mut pair, &[2])])?;
        let first = pair.chunks_exact(2).map(|pair| pair[0]);
        assert!(first.eq(scores.as_slice().iter().copied()), "both outputs are of the same images");
        Ok(())
    }
}

/// What comes out for so many images of a side, and how many images went through the network each time.
fn run(side: usize, rows: usize) -> (Vec<f32>, Vec<usize>) {
    let groups = Arc::new(Mutex::new(Vec::new()));
    let seen = Arc::clone(&groups);
    let images = (0..rows).map(|row| vec![row as u8; side * side]);
    let rehearsal =
        Rehearsal::default().images("image", [side, side, 1], images).network("network", move |inputs| {
            let rows = inputs[0].shape[0];
            seen.lock().unwrap().push(rows);
            let pixels = inputs[0].numbers.len() / rows;
            let means: Vec<f64> = inputs[0]
                .numbers
                .chunks(pixels)
                .map(|image| image.iter().sum::<f64>() / pixels as f64 / 255.0)
                .collect();
            let pairs = means.iter().flat_map(|&mean| [mean, 1.0 - mean]);
            vec![Array::new(&[rows], means.iter().copied()), Array::new(&[rows, 2], pairs)]
        });
    let scores = rehearsal.predict::<Brightness>().unwrap().as_slice().to_vec();
    let groups = groups.lock().unwrap().clone();
    (scores, groups)
}

/// Large images go through in small groups, small ones together; what comes out is in the order of the records.
#[test]
fn images_go_through_in_groups() {
    for (side, rows, expected) in
        [(100, 8, vec![3, 3, 2]), (100, 3, vec![3]), (300, 2, vec![1, 1]), (2, 40, vec![40]), (2, 0, vec![])]
    {
        let (scores, groups) = run(side, rows);
        assert_eq!(groups, expected, "{rows} images of {side} by {side}");
        let wanted = (0..rows).map(|row| row as f32 / 255.0);
        assert!(
            scores.len() == rows
                && scores.iter().zip(wanted).all(|(score, wanted)| (score - wanted).abs() < 1e-6),
            "{scores:?}"
        );
    }
}
