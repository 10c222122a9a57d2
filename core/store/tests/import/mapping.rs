//! Mappings that cannot be used say what is wrong with them.

use foretell_store::import::Mapping;
use foretell_store::import::mapping::{MAPPING_BYTES_MAX, MAPPING_FIELDS_MAX, MappingErrorKind};

const TIME: &str = "schema = 1\nevent_time = { column = \"t\" }\n";
const FIELD: &str = "[[field]]\nname = \"x\"\ntype = \"utf8\"\n";

fn refusal(text: &str) -> String {
    match Mapping::from_toml(text) {
        Ok(mapping) => panic!("{text}\nwas accepted: {mapping:?}"),
        Err(error) => error.kind.to_string(),
    }
}

#[test]
fn the_version_is_checked_before_anything_else() {
    let cases = [
        ("", "it does not say its version: expected `schema = 1` at the top"),
        (
            "schema = 2\nnew = true\n",
            "it has schema 2, and this program understands schema 1: update foretell",
        ),
        ("schema = 0\n", "it has schema 0, and this program understands schema 1: write the mapping anew"),
    ];
    for (text, expected) in cases {
        assert_eq!(refusal(text), expected);
    }
}

#[test]
fn misspelt_settings_are_named() {
    for (text, word) in [
        (format!("{TIME}{FIELD}colum = \"y\"\n"), "colum"),
        (format!("schema = 1\nevent_tme = {{ column = \"t\" }}\n{FIELD}"), "event_tme"),
        (format!("{TIME}[[field]]\nname = \"x\"\ntype = \"text\"\n"), "utf8"),
        (format!("{TIME}{FIELD}[[lable]]\nname = \"y\"\n"), "lable"),
        ("schema = 1\nevent_time = { column = \"t\", unit = \"year\" }\n".to_owned(), "ms"),
        ("schema = 1\n[event_time\n".to_owned(), "event_time"),
    ] {
        let message = refusal(&text);
        assert!(message.starts_with("it is not a mapping: "), "{message}");
        assert!(message.contains(word), "{message}");
    }
}

#[test]
fn settings_that_make_no_sense_are_explained() {
    let event_time =
        |settings: &str| format!("schema = 1\n[event_time]\ncolumn = \"t\"\n{settings}\n{FIELD}");
    let field = |settings: &str| format!("{TIME}[[field]]\nname = \"x\"\n{settings}\n");
    let label = |settings: &str| format!("{TIME}{FIELD}[[label]]\nname = \"y\"\n{settings}\n");
    let many = FIELD.replace("\"x\"", "\"x{}\"");
    let many: String = (0..=MAPPING_FIELDS_MAX).map(|n| many.replace("{}", &n.to_string())).collect();
    let cases = [
        (TIME.to_owned(), "it has no `[[field]]`, so records would have no content"),
        (format!("{TIME}{many}"), "it has 1025 `[[field]]` entries, and the limit is 1024"),
        (
            format!("delimiter = \"é\"\n{TIME}{FIELD}"),
            "`delimiter` is 'é': expected one ASCII character other than a quote or a line end",
        ),
        (
            event_time("unit = \"s\"\nformat = \"%Y\""),
            "event_time: `unit` is for numbers and `format` is for text: leave one out",
        ),
        (
            event_time("epoch = \"2018-04-01T00:00:00Z\""),
            "event_time: `epoch` is for numbers: say their `unit` too",
        ),
        (
            event_time("format = \"%Q\""),
            "event_time: `format` is \"%Q\": expected `rfc3339` or a pattern such as `%Y-%m-%d %H:%M:%S`",
        ),
        (
            event_time("format = \"%d.%m.\""),
            "event_time: `format` is \"%d.%m.\": expected `rfc3339` or a pattern such as `%Y-%m-%d %H:%M:%S`",
        ),
        (format!("schema = 1\nevent_time = {{ column = \"\" }}\n{FIELD}"), "event_time: it has no name"),
        (format!("{TIME}{FIELD}{FIELD}"), "field `x`: the name is used twice"),
        (format!("{TIME}[[field]]\nname = \"\"\ntype = \"utf8\"\n"), "field: it has no name"),
        (
            format!("{TIME}[[field]]\nname = \"event_time\"\ntype = \"timestamp\"\n"),
            "field `event_time`: the name is taken by the time of the record: choose another one",
        ),
        (
            field("type = \"int64\"\nkey = true"),
            "field `x`: a key is text: say `type = \"utf8\"`, which takes whole numbers too",
        ),
        (
            field("type = \"int64\"\ndivide = 10"),
            "field `x`: `divide` means nothing for this type: it is for `float64`",
        ),
        (
            field("type = \"utf8\"\nminimum = 1"),
            "field `x`: `minimum` means nothing for this type: it is for `int64` and `float64`",
        ),
        (
            field("type = \"bool\"\nallowed = []"),
            "field `x`: `allowed` means nothing for this type: it is for `utf8` and `category`",
        ),
        (
            field("type = \"utf8\"\nunit = \"s\""),
            "field `x`: `unit` means nothing for this type: it is for `timestamp`",
        ),
        (field("type = \"float64\"\ndivide = 0"), "field `x`: `divide` is 0: expected a number above 0"),
        (field("type = \"float64\"\ndivide = nan"), "field `x`: `divide` is NaN: expected a number above 0"),
        (
            field("type = \"int64\"\nminimum = 2\nmaximum = 1"),
            "field `x`: nothing lies between `minimum` and `maximum`",
        ),
        (
            field("type = \"float64\"\nmaximum = nan"),
            "field `x`: nothing lies between `minimum` and `maximum`",
        ),
        (
            label(""),
            "label `y`: say when its value was known: `known_after = \"7d\"`, or `known_at` with a column",
        ),
        (
            label("known_after = \"7d\"\nknown_at = { column = \"k\" }"),
            "label `y`: `known_after` and `known_at` exclude each other: leave one out",
        ),
        (
            label("known_after = \"a week\""),
            "label `y`: `known_after`: `a week` is not a duration: expected a whole number and a unit (`d`, `h`, `m`, `s`, `ms` or `us`), such as `7d` or `250ms`",
        ),
        (
            label("known_after = \"7d\"\ntrue_values = [\"1\"]"),
            "label `y`: `true_values` and `false_values` go together: any other value is rejected, never guessed",
        ),
        (
            label("known_after = \"7d\"\ntrue_values = [\"1\"]\nfalse_values = [\"0\", \"1\"]"),
            "label `y`: `1` is in both `true_values` and `false_values`",
        ),
        (
            label("known_after = \"7d\"\ntype = \"float64\"\nfalse_values = [\"0\"]"),
            "label `y`: `false_values` means nothing for this type: it is for `bool`",
        ),
    ];
    for (text, expected) in cases {
        assert_eq!(refusal(&text), expected, "{text}");
    }
}

#[test]
fn files_are_read_with_their_limits() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("orders.toml");
    let error = Mapping::read(&path).unwrap_err();
    assert!(matches!(error.kind, MappingErrorKind::Read(_)), "{error:?}");
    assert_eq!(error.to_string(), format!("cannot use the mapping `{}`", path.display()));

    std::fs::write(&path, format!("{TIME}{FIELD}")).unwrap();
    let mapping = Mapping::read(&path).unwrap();
    assert_eq!(mapping.fields[0].column(), "x");
    assert!(mapping.fields[0].required);

    std::fs::write(&path, " ".repeat(MAPPING_BYTES_MAX as usize + 1)).unwrap();
    let error = Mapping::read(&path).unwrap_err();
    assert!(matches!(error.kind, MappingErrorKind::TooLong { .. }), "{error:?}");
}

#[test]
fn a_mapping_goes_into_the_database_and_back() {
    let text = format!("external_id = \"id\"\n{TIME}{FIELD}[[label]]\nname = \"y\"\nknown_after = \"7d\"\n");
    let mapping = Mapping::from_toml(&text).unwrap();
    let json = serde_json::to_string(&mapping).unwrap();
    assert_eq!(serde_json::from_str::<Mapping>(&json).unwrap(), mapping);
    assert_eq!(Mapping::from_toml(&toml::to_string(&mapping).unwrap()).unwrap(), mapping);
}
