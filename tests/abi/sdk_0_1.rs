//! Code of an author in Rust, with every public item of the SDK 0.1. Frozen: see the README beside it.

use foretell_sdk::testing::{Array, Rehearsal};
use foretell_sdk::{
    Answers, Attend, Bits, Classes, Column, Data, Detected, Detections, Element, Error, Field, Fit,
    Forecasts, Form, History, Host, Image, ImageNetwork, Images, Kind, Level, List, Lists, Maps, Masks,
    Model, Numbers, Open, Output, Past, PastRows, Picture, Plugin, Predictions, Rankings, Records, Sample,
    Scores, SettingsError, Shape, Start, Step, Tensor, TensorMut, Texts, Time, Tracked, Tracks, Value,
    Values, WithNovelty,
};

/// A column of each type, a list, a history, an image, a network, a file.
struct Everything {
    float: Column<f64>,
    whole: Column<i64>,
    flag: Column<bool>,
    text: Column<str>,
    time: Column<Time>,
    list: List<f64>,
    texts: List<str>,
    flags: List<bool>,
    past: History,
    past_value: Past<f64>,
    past_times: Past<Time>,
    image: Image<u8>,
    deep: Image<u16>,
    exact: Image<f32>,
    network: Model,
    data: Data,
    host: Host,
    pictures: ImageNetwork,
}

impl Plugin for Everything {
    type Predictions = WithNovelty<Scores>;

    fn open(request: &Open<'_>) -> Result<Self, Error> {
        let past = request.history("past")?;
        let fields: &[Field] = request.fields();
        let known = fields.iter().filter(|field| !field.nullable && !field.name.is_empty());
        let numbers = known.filter(|field| match &field.kind {
            Kind::UInt8 | Kind::UInt16 | Kind::Int32 | Kind::Int64 => true,
            Kind::Float64 | Kind::Float32 => true,
            Kind::Bool | Kind::Utf8 | Kind::Timestamp => false,
            Kind::List(item) => item.nullable,
            Kind::FixedList(item, length) => item.nullable && *length > 0,
            Kind::Struct(fields) => fields.is_empty(),
            Kind::Other(format) => format.is_empty(),
        });
        if numbers.count() == 0 && request.config().is_empty() {
            return Err(Error::invalid("expected a number"));
        }
        request.host().log(Level::Info, "open");
        Ok(Self {
            float: request.column("float")?,
            whole: request.column("whole")?,
            flag: request.column("flag")?,
            text: request.column("text")?,
            time: request.column("time")?,
            list: request.list("list")?,
            texts: request.list("texts")?,
            flags: request.list("flags")?,
            past,
            past_value: request.past(past, "value")?,
            past_times: request.past_times(past)?,
            image: request.image("image")?,
            deep: request.image("deep")?,
            exact: request.image("exact")?,
            network: request.model("network")?,
            data: request.data("data")?,
            host: request.host(),
            pictures: ImageNetwork::open(request, "image", "network")?,
        })
    }

    fn predict(&self, records: &Records<'_>, predictions: &mut Self::Predictions) -> Result<(), Error> {
        if self.host.is_cancelled() || records.is_empty() {
            return Err(Error::cancelled());
        }
        for level in [Level::Error, Level::Warn, Level::Info, Level::Debug] {
            self.host.log(level, "predict");
        }
        let again: (Model, Data) = (self.host.model("network")?, self.host.data("data")?);
        let rows = records.len();
        let floats: Numbers<'_, f64> = records.column(self.float);
        let whole: Numbers<'_, i64> = records.column(self.whole);
        let flags: Bits<'_> = records.column(self.flag);
        let texts: Texts<'_> = records.column(self.text);
        let times: Numbers<'_, i64> = records.column(self.time);
        let lists: Lists<'_, f64> = records.list(self.list);
        let words: Lists<'_, str> = records.list(self.texts);
        let bits: Lists<'_, bool> = records.list(self.flags);
        let past: PastRows<'_> = records.history(self.past);
        let values: Numbers<'_, f64> = records.past(self.past_value);
        let earlier: Numbers<'_, i64> = records.past(self.past_times);
        let images: Images<'_, u8> = records.images(self.image);
        let mut sum = flags.count_true(0..rows) as f64;
        for row in 0..rows {
            let range = past.range(row);
            sum += values.values()[range.clone()].iter().sum::<f64>() + earlier.values()[range].len() as f64;
            sum += floats.get(row).unwrap_or_default() + whole.get(row).unwrap_or_default() as f64;
            sum +=
                f64::from(u8::from(flags.is_true(row) && flags.get(row).is_some() && floats.is_valid(row)));
            sum += texts.get(row).map_or(0, str::len) as f64 + times.values()[row] as f64;
            sum += lists.get(row).map_or(0.0, |items| items.iter().sum());
            sum += words.get(row).map_or(0, |items| items.map(str::len).sum::<usize>()) as f64;
            sum += bits.get(row).map_or(0, |items| items.filter(|bit| *bit).count()) as f64;
            sum += (lists.is_valid(row) && lists.range(row).len() == lists.items().values().len()).into_f64();
            if let Some(Picture { shape, samples }) = images.get(row) {
                sum += (shape.iter().product::<usize>() == samples.len()).into_f64();
            }
        }
        sum += brightest(&records.images(self.deep)).into_f64()
            + brightest(&records.images(self.exact)).into_f64();
        let shape: Option<Shape> = self.pictures.shape(records);
        sum += shape.map_or(0, |shape| shape[0]) as f64 + again.1.bytes().len() as f64;
        sum += self.data.bytes().len() as f64;
        let (scores, novelty) = predictions.parts();
        let sides = [rows as i64];
        let input = [sum as f32];
        run_twice(&self.network, &again.0, &input, scores.fill(rows), &sides)?;
        self.pictures.run(records, [(scores.fill(rows), &[])])?;
        novelty.extend(scores.as_slice().iter().map(|score| 1.0 - score));
        Ok(())
    }
}

/// A number out of an answer.
trait IntoF64 {
    fn into_f64(self) -> f64;
}

impl IntoF64 for bool {
    fn into_f64(self) -> f64 {
        f64::from(u8::from(self))
    }
}

fn brightest<T: Sample + PartialEq>(images: &Images<'_, T>) -> bool {
    !images.is_empty()
        && images.len() > 1
        && images.batch().is_some_and(|(_, samples)| samples[0] == samples[1])
}

fn run_twice<E: Element>(
    first: &Model,
    second: &Model,
    input: &[E],
    output: &mut [f32],
    sides: &[i64],
) -> Result<(), Error> {
    first.run(&[Tensor::new(input, &[1])?], &mut [TensorMut::new(output, sides)?])?;
    second.run(&[Tensor::new(input, &[1])?], &mut [TensorMut::new(output, sides)?])
}

impl Attend for Everything {
    fn attend(&self, records: &Records<'_>, maps: &mut Maps) -> Result<(), Error> {
        (0..records.len()).for_each(|_| maps.push(1, 2, &[0.0, 1.0]));
        Ok(())
    }
}

/// Learns how many records there are.
struct Counting(u64);

impl Fit for Counting {
    fn begin(_request: &Open<'_>, start: Start) -> Result<Self, Error> {
        Ok(Self(if start.update { start.seed } else { 0 }))
    }

    fn learn(&mut self, records: &Records<'_>) -> Result<(), Error> {
        self.0 += records.len() as u64;
        Ok(())
    }

    fn finish(self, output: &mut Output<'_>) -> Result<(), Error> {
        output.write("data", &self.0.to_le_bytes())
    }
}

/// Answers of each task.
fn answers() -> usize {
    let mut scores = Scores::with_capacity(1);
    scores.push(0.5);
    let mut values = Values::with_capacity(1);
    values.push(0.5);
    values.fill(2)[1] = values.as_slice()[0];
    let mut classes = Classes::<2>::with_capacity(1);
    classes.push([0.25, 0.75]);
    classes.fill(1).copy_from_slice(&[0.5, 0.5]);
    let found = Detected { x: 0.0, y: 0.0, width: 1.0, height: 1.0, label: "car", score: 0.5 };
    let mut detections = Detections::with_capacity(1);
    detections.push(&found);
    detections.end_record();
    let mut tracks = Tracks::with_capacity(1);
    tracks.push(&Tracked { frame: 0, track: 1, found });
    tracks.end_record();
    let mut masks = Masks::with_capacity(1);
    masks.push(1, 1, &[0]);
    let mut rankings = Rankings::with_capacity(1);
    rankings.push("item", 0.5, Some("reason"));
    rankings.end_record();
    let mut forecasts = Forecasts::with_capacity(1);
    forecasts.push(Step { event_time: 0, value: 0.5, low: None, high: Some(1.0) });
    forecasts.end_record();
    let mut free = Answers::default();
    for form in [Form::Score, Form::Value, Form::Classes(3)] {
        assert_eq!(free.fill(form, 1).len(), form.width());
        assert_eq!(free.as_slice().len(), form.width());
    }
    assert_eq!(classes.as_slice(), [[0.5, 0.5]]);
    assert!(!scores.is_empty());
    let lengths = [scores.len(), values.len(), classes.len(), detections.len(), tracks.len(), masks.len()];
    lengths.iter().sum::<usize>() + rankings.len() + forecasts.len() + free.len()
}

/// A plugin whose settings choose the form of its answers, out of a column of any type.
struct Half<T: Value + ?Sized> {
    form: Form,
    _column: Column<T>,
    network: Model,
}

impl<T: Value + ?Sized + 'static> Plugin for Half<T> {
    type Predictions = Answers;

    fn open(request: &Open<'_>) -> Result<Self, Error> {
        let form = if request.config() == "{}" { Form::Score } else { Form::Classes(2) };
        Ok(Self { form, _column: request.column("column")?, network: request.model("network")? })
    }

    fn predict(&self, records: &Records<'_>, answers: &mut Answers) -> Result<(), Error> {
        let width = self.form.width();
        let numbers = answers.fill(self.form, records.len());
        let sides = [records.len() as i64, width as i64];
        self.network.run(&[Tensor::new(&[1u8], &[1])?], &mut [TensorMut::new(numbers, &sides)?])
    }

    fn form(&self) -> Option<Form> {
        Some(self.form)
    }
}

mod plain {
    foretell_sdk::export!(super::Half<f64>, "half", "0.1.0");
}

/// Tables as the macro's other forms publish them: one library holds one of them only.
const TABLES: [foretell_sdk::abi::Plugin; 3] = [
    foretell_sdk::table::<Everything>("everything", "0.1.0"),
    foretell_sdk::table_with_attention::<Everything>("everything", "0.1.0"),
    foretell_sdk::table_with_fit::<Everything, Counting>("everything", "0.1.0"),
];

#[test]
fn code_written_for_the_sdk_0_1_works() {
    assert_eq!(answers(), 10);
    assert!(TABLES.iter().all(|table| table.size == size_of_val(table) && table.open.is_some()));
    assert!(!plain::foretell_plugin().is_null());
    assert_eq!(Error::failed("words").to_string(), "words");
    assert!(matches!(SettingsError::form("reason"), SettingsError::Form { reason } if reason == "reason"));
    assert!(SettingsError::check_range("share", 0.5, 0.0..=1.0).is_ok());
    let SettingsError::Value { name, found, expected } = SettingsError::value("share", 2, "1") else {
        panic!("a value")
    };
    assert_eq!((name, &*found, &*expected), ("share", "2", "1"));
    let told: Error = SettingsError::value("share", 2, "1").into();
    assert!(told.to_string().contains("`share`"));

    let half = |inputs: &[Array], width: usize| {
        assert_eq!(inputs, [Array::new(&[1], [1.0])]);
        vec![Array { shape: vec![2, width], numbers: vec![0.5; 2 * width] }]
    };
    let scores = Rehearsal::default()
        .numbers("column", [Some(1.0), None])
        .network("network", move |inputs| half(inputs, 1));
    assert_eq!(scores.predict::<Half<f64>>().unwrap().as_slice(), [0.5; 2]);
    let settings = r#"{"classes":2}"#;
    let columns: [Rehearsal; 4] = [
        Rehearsal::default().whole_numbers("column", [Some(1), None]),
        Rehearsal::default().times("column", [Some(1), None]),
        Rehearsal::default().flags("column", [Some(true), None]),
        Rehearsal::default().texts("column", [Some("text"), None]),
    ];
    let [whole, time, flag, text] =
        columns.map(|columns| columns.config(settings).network("network", move |inputs| half(inputs, 2)));
    assert_eq!(whole.predict::<Half<i64>>().unwrap().len(), 2);
    assert_eq!(time.predict::<Half<Time>>().unwrap().len(), 2);
    assert_eq!(flag.predict::<Half<bool>>().unwrap().len(), 2);
    assert_eq!(text.predict::<Half<str>>().unwrap().len(), 2);
    let pictures = Rehearsal::default().images("column", [1, 1, 1], [vec![0]]);
    assert!(pictures.predict::<Half<f64>>().is_err(), "an image is no number");
}
