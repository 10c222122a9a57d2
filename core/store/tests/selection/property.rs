//! The property tests: a condition that is taken means what SQLite makes of its text, and no text does harm.

use std::cell::Cell;

use foretell_store::selection::{ConditionError, Selection, SelectionErrorKind};
use proptest::prelude::*;
use proptest::test_runner::TestRunner;
use sqlx::AssertSqlSafe;
use tokio::runtime::Runtime;

use super::{Shop, condition_of_shop};

/// An expression, without more parentheses than it happens to have.
fn expression() -> impl Strategy<Value = String> {
    let leaf = prop::sample::select(vec![
        "1",
        "- 2",
        "2.5e0",
        "NULL",
        "TRUE",
        "'order-1'",
        "'it''s'",
        "''''",
        "external_id",
        "\"RECORD_ID\"",
        "[time]",
        "score",
        "readable_record . event_time",
        "payload ->> '$.amount'",
        "payload->>'customer'",
        "date('2018-07-27', '+1 day')",
    ]);
    leaf.prop_map(str::to_owned).prop_recursive(4, 24, 3, |inner| {
        let infix = prop::sample::select(vec![
            " + ",
            "-",
            "*",
            " / ",
            " % ",
            " = ",
            "==",
            "<>",
            " != ",
            " < ",
            "<=",
            " > ",
            ">=",
            " AND ",
            " or ",
            " & ",
            "|",
            "\n-- comment\n+ ",
            "/* ' */-",
        ]);
        let before = prop::sample::select(vec!["NOT ", "-", "+ ", "~ ", "- -"]);
        let after = prop::sample::select(vec![
            " IS NULL",
            " IS NOT NULL",
            " IS NOT TRUE",
            " LIKE 'O%'",
            " NOT LIKE '%1' ESCAPE '!'",
            " GLOB 'o*'",
            " IN (1, 'order-1')",
            " NOT IN (2)",
            " BETWEEN 1 AND 30",
        ]);
        let of_one =
            prop::sample::select(vec!["abs", "lower", "length", "typeof", "trim", "round", "", "", ""]);
        let of_two = prop::sample::select(vec!["coalesce", "max", "min", "nullif", "ifnull"]);
        let (a, b, c) = (inner.clone(), inner.clone(), inner);
        prop_oneof![
            4 => (a.clone(), infix, b.clone()).prop_map(|(left, infix, right)| left + infix + &right),
            1 => (before, a.clone()).prop_map(|(before, inner)| format!("{before}{inner}")),
            1 => (a.clone(), after).prop_map(|(inner, after)| inner + after),
            2 => (of_one, a.clone()).prop_map(|(call, inner)| format!("{call}({inner})")),
            1 => (of_two, a.clone(), b.clone()).prop_map(|(call, a, b)| format!("{call}({a}, {b})")),
            1 => (a.clone(), b.clone()).prop_map(|(a, b)| format!("CAST({a} AS TEXT) = {b}")),
            1 => (a, b, c).prop_map(|(a, b, c)| format!("CASE WHEN {a} THEN {b} ELSE {c} END")),
        ]
    })
}

/// Pieces of SQL, in whatever order.
fn pieces() -> impl Strategy<Value = String> {
    const PIECES: &str = "( ) ( ) , ; ' \" -- /* */ 1 1_0 1e 0x1F x'00' E'a' N'a' ? :a $1 @a record_id payload -> ->> '$.a' || \
        AND OR NOT IN IS LIKE GLOB CASE WHEN THEN END BETWEEN SELECT FROM record UNION CAST AS COLLATE NOCASE date abs now \
        DISTINCT OVER INTERVAL :: [ ] { } \\ \0 é = < . * ATTACH DROP TABLE EXISTS NULL TRUE ~ ~~ <=> # ! % &";
    let piece = prop::sample::select(PIECES.split(' ').filter(|piece| !piece.is_empty()).collect::<Vec<_>>());
    let joint = prop::sample::select(vec!["", " ", " ", "\n"]);
    prop::collection::vec((piece, joint), 0..24)
        .prop_map(|pieces| pieces.into_iter().map(|(piece, joint)| format!("{piece}{joint}")).collect())
}

/// Checks texts, with one shop for all of them.
fn for_each(
    cases: u32,
    texts: impl Strategy<Value = String>,
    check: impl Fn(&Runtime, &Shop, String) -> Result<(), TestCaseError>,
) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let shop = runtime.block_on(Shop::new());
    let mut runner = TestRunner::new(ProptestConfig {
        failure_persistence: None,
        max_shrink_iters: 500,
        ..ProptestConfig::with_cases(cases)
    });
    runner.run(&texts, |text| check(&runtime, &shop, text)).unwrap();
    assert_eq!(runtime.block_on(shop.count(&Selection::domain("shop"))), 4);
}

/// How many records a condition selects, or why it is refused.
fn select(runtime: &Runtime, shop: &Shop, text: &str) -> Result<Result<u64, ConditionError>, TestCaseError> {
    match runtime.block_on(shop.store.count_selected(&condition_of_shop(text))) {
        Ok(count) => Ok(Ok(count)),
        Err(error) => match error.kind {
            SelectionErrorKind::Condition(error) => Ok(Err(error)),
            kind => Err(TestCaseError::fail(format!("{kind:?}"))),
        },
    }
}

#[test]
fn a_condition_means_what_sqlite_makes_of_its_text() {
    let (taken, failed) = (Cell::new(0), Cell::new(0));
    for_each(1_000, expression(), |runtime, shop, text| {
        let sql = format!("SELECT count(*) FROM readable_record WHERE domain = 'shop' AND ({text}\n)");
        let plain: Result<u64, _> = runtime.block_on(async {
            sqlx::query_scalar(AssertSqlSafe(sql)).fetch_one(&mut shop.other().await).await
        });
        match (select(runtime, shop, &text)?, plain) {
            (Ok(count), Ok(plain)) => {
                taken.set(taken.get() + 1);
                prop_assert_eq!(count, plain);
            }
            (Ok(_), Err(error)) => prop_assert!(false, "{}", error),
            (Err(ConditionError::Failed { reason }), plain) => {
                failed.set(failed.get() + 1);
                prop_assert!(plain.is_err(), "{}", reason);
            }
            (Err(_), _) => (),
        }
        Ok(())
    });
    assert!(taken.get() > 500, "{} were taken, {} failed on a record", taken.get(), failed.get());
}

#[test]
fn whatever_is_typed_the_records_stay() {
    for_each(2_000, pieces(), |runtime, shop, text| {
        if let Err(ConditionError::Failed { reason }) = select(runtime, shop, &text)? {
            prop_assert!(!reason.contains("no such"), "{}", reason);
        }
        Ok(())
    });
    for_each(500, ".{0,80}", |runtime, shop, text| select(runtime, shop, &text).map(drop));
}
