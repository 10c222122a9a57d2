//! {{name}}: {{description}}.
//!
//! The host gives the plugin columns, the plugin makes a tensor of them, and the host runs the network. What the plugin may ask for
//! stands in `plugin.toml`.

use foretell_sdk::{Column, Error, Model, Open, Plugin, Records, Tensor, TensorMut, Values};

/// Name in `plugin.toml`.
const NAME: &str = "{{name}}";
/// Numbers that the network takes of each record.
const FEATURES: usize = 2;

/// The columns that the plugin reads, and its network.
struct Weather {
    temperature: Column<f64>,
    humidity: Column<f64>,
    network: Model,
}

impl Plugin for Weather {
    type Predictions = Values;

    fn open(request: &Open<'_>) -> Result<Self, Error> {
        Ok(Self {
            temperature: request.column("temperature")?,
            humidity: request.column("humidity")?,
            network: request.model("network")?,
        })
    }

    fn predict(&self, records: &Records<'_>, values: &mut Values) -> Result<(), Error> {
        if records.is_empty() {
            return Ok(());
        }
        let features = self.features(records)?;
        let rows = records.len() as i64;
        let (input, output) = ([rows, FEATURES as i64], [rows]);
        let input = Tensor::new(&features, &input)?;
        let output = TensorMut::new(values.fill(records.len()), &output)?;
        self.network.run(&[input], &mut [output])
    }
}

impl Weather {
    /// The network's input, record by record. An error names the column and the row, and never the value.
    fn features(&self, records: &Records<'_>) -> Result<Vec<f32>, Error> {
        let columns = [
            ("temperature", records.column(self.temperature)),
            ("humidity", records.column(self.humidity)),
        ];
        let mut features = Vec::with_capacity(records.len() * FEATURES);
        for row in 0..records.len() {
            for (name, column) in columns {
                let number = column.get(row).map(|number| number as f32);
                let number = number.filter(|number| number.is_finite()).ok_or_else(|| {
                    Error::invalid(format!("column `{name}` has no finite number in row {row}"))
                })?;
                features.push(number);
            }
        }
        Ok(features)
    }
}

foretell_sdk::export!(Weather, NAME, env!("CARGO_PKG_VERSION"));

#[cfg(test)]
mod tests {
    use foretell_sdk::testing::{Array, Rehearsal};

    use super::*;

    /// The formula of `model/MODEL_CARD.md`, in the place of the network.
    fn formula(inputs: &[Array]) -> Vec<Array> {
        let rows = inputs[0].shape[0];
        assert_eq!(inputs[0].shape, [rows, FEATURES]);
        let days = inputs[0].numbers.chunks_exact(FEATURES);
        let values = days.map(|day| day[0] + 0.05 * day[1] - 2.5);
        vec![Array::new(&[rows], values)]
    }

    fn predict(
        temperatures: &[Option<f64>],
        humidities: &[Option<f64>],
    ) -> Result<Vec<f32>, Error> {
        let rehearsal = Rehearsal::default()
            .numbers("temperature", temperatures.iter().copied())
            .numbers("humidity", humidities.iter().copied())
            .network("network", formula);
        Ok(rehearsal.predict::<Weather>()?.as_slice().to_vec())
    }

    #[test]
    fn each_record_gets_the_answer_of_its_own_numbers() {
        let values = predict(&[Some(20.0), Some(10.0)], &[Some(60.0), Some(100.0)]).unwrap();
        assert_eq!(values, [20.5, 12.5]);
    }

    #[test]
    fn no_records_get_no_answers() {
        assert_eq!(predict(&[], &[]), Ok(vec![]));
    }

    #[test]
    fn what_is_missing_or_infinite_is_named() {
        for bad in [None, Some(f64::NAN), Some(f64::INFINITY), Some(1e300)] {
            let error = predict(&[Some(20.0), Some(20.0)], &[Some(50.0), bad]).unwrap_err();
            assert_eq!(
                error.to_string(),
                "column `humidity` has no finite number in row 1"
            );
        }
    }
}
