//! Forecasts, and how good they were.

use serde_json::Value;

use super::{SOME_REJECTED, equipped, json, refused, retail, texts};

#[test]
fn demand_is_forecast_and_forecasts_are_measured() {
    let workshop = equipped();
    let months: Vec<String> =
        (1..=24).map(|month| format!("20{:02}-{:02}", 22 + (month - 1) / 12, (month - 1) % 12 + 1)).collect();
    let steady: Vec<String> = (0..24).map(|month| (10 + month % 3).to_string()).collect();
    let text = format!(
        "series,{}\nsteady,{}\nrare,{}\n",
        months.join(","),
        steady.join(","),
        [",0,0,2"; 6].join(",")
    );
    let file = workshop.write("demand.csv", format!("{text}wrong,{}\n", vec!["x"; 24].join(",")));
    let finished = retail(&workshop, &["import", "demand", file.to_str().unwrap(), "--json"]);
    assert_eq!(finished.code, SOME_REJECTED, "{finished:?}");
    let report = finished.json();
    // Six cells of the second line are empty: nobody looked. All of the third are no numbers.
    assert_eq!(
        (report["stored"].as_u64(), report["rejected"].as_u64()),
        (Some(24 + 18), Some(24)),
        "{report}"
    );
    assert_eq!(report["rejects"][0]["field"], "2022-01");

    let forecast = json(&workshop, &["forecast", "steady", "--steps", "3"]);
    let steps = forecast["items"][0]["forecast"].as_array().unwrap();
    assert_eq!(
        (steps.len(), steps[0]["event_time"].as_str()),
        (3, Some("2024-01-01T00:00:00Z")),
        "{forecast}"
    );
    let mean = steps[0]["value"].as_f64().unwrap();
    assert!((9.0..=13.0).contains(&mean) && steps[0]["low"].as_f64() < Some(mean), "{forecast}");
    assert_eq!(forecast["items"][0]["past"].as_array().unwrap().len(), 24);
    let drawn = retail(&workshop, &["forecast", "steady"]).stdout;
    assert!(drawn.contains('█') && drawn.contains("2024-06-01"), "{drawn}");
    let present = json(&workshop, &["forecast", "steady", "--at", "2023-06-15", "--steps", "1"]);
    assert_eq!(present["items"][0]["forecast"][0]["event_time"], "2023-06-01T00:00:00Z", "{present}");
    let all = json(&workshop, &["forecast", "--all", "--steps", "2"]);
    assert_eq!(texts(&all["items"], "item"), ["steady", "rare"], "what will be sold most comes first");

    let measured = json(&workshop, &["forecast", "--all", "--evaluate", "6", "--resamples", "20"]);
    assert_eq!(
        (measured["from"].as_str(), measured["forecast"]["series"].as_u64()),
        (Some("2023-07-01T00:00:00Z"), Some(2))
    );
    let error = |report: &Value| report["rmse"]["value"].as_f64().unwrap();
    assert!(error(&measured["forecast"]) < error(&measured["zero"]), "{measured}");
    let again = json(&workshop, &["forecast", "--all", "--evaluate", "6", "--resamples", "20"]);
    assert_eq!(again["forecast"], measured["forecast"], "questions change no past");
    assert!(retail(&workshop, &["forecast", "--all", "--evaluate", "6"]).stdout.contains("always zero"));
    refused(
        &workshop,
        &["forecast", "--all", "--evaluate", "30"],
        &["nothing was sold before", "fewer periods"],
    );
}
