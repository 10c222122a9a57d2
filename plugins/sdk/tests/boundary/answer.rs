//! What a plugin answers is what it pushed, and is owned part by part.

use arrow_array::cast::AsArray;
use arrow_array::types::{Float32Type, TimestampMicrosecondType};
use arrow_array::{Array, StructArray};
use foretell_sdk::abi::{ArrowArray, STATUS_FAILED};
use foretell_sdk::{Forecasts, Predictions, Rankings, Scores, Step, Values};
use proptest::prelude::*;

use crate::Instance;
use crate::host::{Host, Records, import};
use crate::read::{Record, columns};

fn handed_over<P: Predictions>(predictions: P) -> StructArray {
    import(predictions.into_array().unwrap(), P::schema())
}

fn steps(answer: &StructArray) -> Vec<Vec<Step>> {
    let lists = answer.column(0).as_list::<i32>();
    let row = |row| {
        let items = lists.value(row);
        let columns = items.as_struct().columns();
        let number = |column: usize, place| {
            let column = columns[column].as_primitive::<Float32Type>();
            column.is_valid(place).then(|| column.value(place))
        };
        let step = |place| Step {
            event_time: columns[0].as_primitive::<TimestampMicrosecondType>().value(place),
            value: number(1, place).unwrap(),
            low: number(2, place),
            high: number(3, place),
        };
        (0..items.len()).map(step).collect()
    };
    (0..answer.len()).map(row).collect()
}

proptest! {
    #[test]
    fn any_steps_arrive(
        records in proptest::collection::vec(
            proptest::collection::vec(
                (any::<i64>(), -1e6..1e6f32, proptest::option::of(-1e6..1e6f32), proptest::option::of(-1e6..1e6f32))
                    .prop_map(|(event_time, value, low, high)| Step { event_time, value, low, high }),
                0..40,
            ),
            0..6,
        ),
    ) {
        let mut forecasts = Forecasts::with_capacity(records.len());
        for record in &records {
            for step in record {
                forecasts.push(*step);
            }
            forecasts.end_record();
        }
        prop_assert_eq!(forecasts.len(), records.len());
        prop_assert_eq!(steps(&handed_over(forecasts)), records);
    }

    #[test]
    fn any_numbers_arrive(numbers in proptest::collection::vec(any::<f32>(), 0..40)) {
        let (mut scores, mut values) = (Scores::with_capacity(0), Values::with_capacity(0));
        for number in &numbers {
            scores.push(*number);
        }
        values.fill(numbers.len()).copy_from_slice(&numbers);
        for answer in [handed_over(scores), handed_over(values)] {
            let found = answer.column(0).as_primitive::<Float32Type>().values().to_vec();
            let bits = |numbers: &[f32]| numbers.iter().map(|number| number.to_bits()).collect::<Vec<_>>();
            prop_assert_eq!(bits(&found), bits(&numbers));
        }
    }
}

#[test]
fn items_after_the_last_end_are_an_error_of_the_call() {
    let host = Host::new(b"forgetful");
    let record =
        Record { note: None, items: None, sizes: None, weights: None, flags: None, past: Vec::new() };
    let records = Records::new(&columns(&[record]));
    let (instance, schema) = Instance::open(&host, records.schema()).unwrap();
    let words = "1 items were pushed after the last `end_record`; expected one `end_record` after the items of each record";
    assert_eq!(instance.predict(records.array()).err(), Some((STATUS_FAILED, words.to_owned())));
    // SAFETY: the schema is released once.
    unsafe { schema.release.unwrap()(&raw const schema as *mut _) };
}

/// Arrow lets a consumer move a child out, and release it after its parent.
#[test]
fn a_child_outlives_its_parent() {
    let mut rankings = Rankings::with_capacity(1);
    rankings.push("tea", 0.5, Some("bought kettle"));
    rankings.end_record();
    let mut parent = rankings.into_array().unwrap();
    // SAFETY: predictions -> lists -> items -> reasons; what is moved is marked as released where it was.
    unsafe {
        let place = *(**(**parent.children).children).children.add(2);
        let mut child = std::ptr::replace(place, ArrowArray::empty());
        parent.release.unwrap()(&raw mut parent);
        assert!(parent.release.is_none());
        let bytes = (*child.buffers.add(2)).cast::<u8>();
        assert_eq!(std::slice::from_raw_parts(bytes, 13), b"bought kettle");
        child.release.unwrap()(&raw mut child);
        assert!(child.release.is_none());
    }
}
