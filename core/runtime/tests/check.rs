//! Values that a manifest does not allow.

use std::path::Path;
use std::sync::Arc;

use arrow_array::builder::{Float64Builder, Int64Builder, ListBuilder, StringBuilder};
use arrow_array::{Array, ArrayRef, Float64Array, RecordBatch};
use arrow_schema::{Field, Schema};
use foretell_runtime::check::check;
use foretell_runtime::manifest::Manifest;

/// A manifest with these inputs.
fn manifest(inputs: &str) -> Manifest {
    let text = format!(
        "schema = 1\n[plugin]\nname = 'finder'\nversion = '1.0.0'\ndescription = 'x'\nlicense = 'MIT'\nauthors = ['A']\n\
         domain = 'shop'\ntask = 'regression'\nabi = '1.0'\nlibrary = 'finder'\n{inputs}"
    );
    Manifest::parse(&text, Path::new("plugin.toml")).unwrap()
}

/// Rows that are refused, with what the message begins with.
fn refusals(manifest: &Manifest, columns: Vec<ArrayRef>) -> Vec<(usize, String)> {
    let field = |(index, column): (usize, &ArrayRef)| {
        Field::new(&manifest.inputs[index].name, column.data_type().clone(), true)
    };
    let schema = Arc::new(Schema::new(columns.iter().enumerate().map(field).collect::<Vec<_>>()));
    let records = RecordBatch::try_new(schema, columns).unwrap();
    let refusals = check(manifest, &records).into_iter();
    refusals.map(|refusal| (refusal.row, format!("{} {}", refusal.field, refusal.reason))).collect()
}

const BOUNDED: &str = "[[input]]\nname = 'score'\ntype = 'list<float64>'\nrequired = false\nminimum = 0\nmaximum = 1\n\
    [[input]]\nname = 'frame'\ntype = 'list<int64>'\nminimum = 0\n\
    [[input]]\nname = 'label'\ntype = 'list<utf8>'\nrequired = false\nallowed = ['car', 'bus']\n";

fn scores(lists: &[Option<&[f64]>]) -> ArrayRef {
    let mut column = ListBuilder::new(Float64Builder::new());
    for list in lists {
        column.append_option(list.map(|list| list.iter().copied().map(Some)));
    }
    Arc::new(column.finish())
}

fn frames(lists: &[Option<&[i64]>]) -> ArrayRef {
    let mut column = ListBuilder::new(Int64Builder::new());
    for list in lists {
        column.append_option(list.map(|list| list.iter().copied().map(Some)));
    }
    Arc::new(column.finish())
}

fn labels(lists: &[Option<&[&str]>]) -> ArrayRef {
    let mut column = ListBuilder::new(StringBuilder::new());
    for list in lists {
        column.append_option(list.map(|list| list.iter().copied().map(Some)));
    }
    Arc::new(column.finish())
}

#[test]
fn bounds_of_a_list_are_those_of_its_items() {
    let manifest = manifest(BOUNDED);
    let columns = vec![
        scores(&[Some(&[0.0, 1.0]), Some(&[0.5, 1.5, 2.5]), None, Some(&[]), Some(&[0.1]), Some(&[0.2])]),
        frames(&[Some(&[0]), Some(&[1]), Some(&[2, 3, -4]), Some(&[]), Some(&[]), None]),
        labels(&[Some(&["car"]), Some(&["tram"]), None, Some(&[]), Some(&["bus", "car", "tram"]), None]),
    ];
    let unknown = "is not one of the values that the plugin knows; expected one of: car, bus";
    let expected = [
        (1, "score item 2 is 1.5; expected 0 to 1".to_owned()),
        (2, "frame item 3 is -4; expected 0 to inf".to_owned()),
        (4, format!("label item 3 {unknown}")),
        (5, "frame is required, and there is none".to_owned()),
    ];
    assert_eq!(refusals(&manifest, columns.clone()), expected);

    // A part of a batch has the items of the whole, and only its own count.
    let parts = columns.iter().map(|column| column.slice(2, 2)).collect();
    assert_eq!(refusals(&manifest, parts), [(0, "frame item 3 is -4; expected 0 to inf".to_owned())]);
    let parts = columns.iter().map(|column| column.slice(3, 1)).collect();
    assert_eq!(refusals(&manifest, parts), []);
}

#[test]
fn a_number_is_finite_in_a_list_too() {
    let manifest = manifest(
        "[[input]]\nname = 'one'\ntype = 'float64'\n[[input]]\nname = 'many'\ntype = 'list<float64>'\n",
    );
    let one = Arc::new(Float64Array::from(vec![1.0, f64::NAN, 2.0]));
    let many = scores(&[Some(&[1.0, f64::INFINITY]), Some(&[1.0]), Some(&[1.0])]);
    let expected = [
        (0, "many item 2 is inf; expected a finite number".to_owned()),
        (1, "one is NaN; expected a finite number".to_owned()),
    ];
    assert_eq!(refusals(&manifest, vec![one, many]), expected);
}
