use foretell_convert::{Activation, Linear, Takes};
use foretell_sdk::testing::{Array, Rehearsal};

use super::*;

const ANSWER: &str = r#""answer":{"task":"binary-classification","gives":"probability"}"#;

/// What the network is shown of two images, 1 pixel high and 2 wide.
fn shown(channels: usize, config: &str) -> Result<Array, String> {
    let (send, receive) = std::sync::mpsc::channel();
    let send = std::sync::Mutex::new(send);
    let images = [0u8, 100].map(|first| (0..2 * channels as u8).map(|place| first + place).collect());
    let rehearsal = Rehearsal::default()
        .images("image", [1, 2, channels], images)
        .config(&format!("{{{config}{ANSWER}}}"))
        .network("network", move |inputs| {
            send.lock().unwrap().send(inputs.to_vec()).unwrap();
            vec![Array::new(&[2], [0.25, 0.75])]
        });
    let answers = rehearsal.predict::<Classifier>().map_err(|error| error.to_string())?;
    assert_eq!(answers.as_slice(), [0.25, 0.75]);
    let mut inputs = receive.recv().unwrap();
    assert_eq!(inputs.len(), 1);
    Ok(inputs.remove(0))
}

#[test]
fn samples_become_what_the_network_takes() {
    for (channels, config, shape, expected) in [
        (
            3,
            r#""scale":1,"#,
            [2, 3, 1, 2],
            [0, 3, 1, 4, 2, 5, 100, 103, 101, 104, 102, 105].map(f64::from).to_vec(),
        ),
        (
            3,
            r#""scale":1,"channels":"bgr","#,
            [2, 3, 1, 2],
            [2, 5, 1, 4, 0, 3, 102, 105, 101, 104, 100, 103].map(f64::from).to_vec(),
        ),
        (
            3,
            r#""tensor":"nhwc","element":"uint8","#,
            [2, 1, 2, 3],
            [0, 1, 2, 3, 4, 5, 100, 101, 102, 103, 104, 105].map(f64::from).to_vec(),
        ),
        (
            3,
            r#""tensor":"nhwc","element":"uint8","channels":"bgr","#,
            [2, 1, 2, 3],
            [2, 1, 0, 5, 4, 3, 102, 101, 100, 105, 104, 103].map(f64::from).to_vec(),
        ),
        (
            3,
            r#""element":"uint8","#,
            [2, 3, 1, 2],
            [0, 3, 1, 4, 2, 5, 100, 103, 101, 104, 102, 105].map(f64::from).to_vec(),
        ),
        (
            3,
            r#""tensor":"nhwc","scale":2,"mean":[0,10,20],"deviation":[1,2,4],"#,
            [2, 1, 2, 3],
            vec![0.0, -4.0, -4.0, 6.0, -1.0, -2.5, 200.0, 96.0, 46.0, 206.0, 99.0, 47.5],
        ),
        (
            1,
            r#""channels":"bgr","scale":0.5,"mean":[1],"deviation":[0.25],"#,
            [2, 1, 1, 2],
            vec![-4.0, -2.0, 196.0, 198.0],
        ),
        (1, r#""element":"uint8","#, [2, 1, 1, 2], vec![0.0, 1.0, 100.0, 101.0]),
    ] {
        assert_eq!(shown(channels, config).unwrap(), Array::new(&shape, expected), "{config}");
    }
    // Samples become 0 to 1 unless the settings say otherwise.
    let numbers = shown(1, "").unwrap().numbers;
    for (number, sample) in numbers.iter().zip([0.0, 1.0, 100.0, 101.0]) {
        assert!((number - sample / 255.0).abs() < 1e-7, "{number}");
    }
}

#[test]
fn settings_that_mean_nothing_are_refused() {
    for (config, expected) in [
        (r#""scale":0,"#, "the setting `scale` is 0; expected a finite number other than 0"),
        (r#""mean":[1,2],"#, "the setting `mean` is [1.0, 2.0]; expected a finite number for each channel"),
        (r#""deviation":[1,0,1],"#, "the setting `deviation` is [1.0, 0.0, 1.0]; expected"),
        (
            r#""mean":[1],"#,
            "the setting `mean` is a list of 1; expected 3, one for each channel of the image",
        ),
        (
            r#""element":"uint8","mean":[1,1,1],"#,
            "the setting `mean` is there; expected none with `element = \"uint8\"`",
        ),
        (r#""tensor":"hwc","#, "unknown variant `hwc`"),
        (r#""column":"picture","#, "column `picture` is not among the records: image"),
        (r#""sclae":1,"#, "unknown field `sclae`"),
    ] {
        let error = shown(3, config).unwrap_err();
        assert!(error.contains(expected), "{config}: {error}");
    }
}

#[test]
fn no_images_get_no_answers() {
    let rehearsal = Rehearsal::default()
        .images("image", [1, 2, 3], [])
        .config(&format!("{{{ANSWER}}}"))
        .network("network", |_| Vec::new());
    assert!(rehearsal.predict::<Classifier>().unwrap().as_slice().is_empty());
}

/// The network that is shipped is this formula; set UPDATE_MODELS=1 and run this test to write it anew.
#[test]
fn the_shipped_network_is_the_formula_of_its_card() {
    let weights: Vec<_> = (0..3)
        .map(|answer| (0..3).map(|channel| if answer == channel { 12.0 } else { 0.0 }).collect())
        .collect();
    let network = Linear {
        takes: Takes::Pictures { channels: 3, side: 32 },
        weights: &weights,
        biases: &[0.0; 3],
        activation: Activation::Identity,
    };
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/model/network.onnx");
    if std::env::var_os("UPDATE_MODELS").is_some() {
        std::fs::write(path, network.onnx("standard-classifier")).unwrap();
    }
    assert!(std::fs::read(path).unwrap_or_default() == network.onnx("standard-classifier"), "{path}");
}
