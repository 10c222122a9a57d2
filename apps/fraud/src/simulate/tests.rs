//! What every simulation must be, and what those of the usual size look like.

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;

use super::*;

fn run(simulation: &Simulation) -> Vec<Transaction> {
    simulation.transactions().expect("good settings").collect()
}

/// A fifth of the usual size for two months, about 116,000 payments.
fn town() -> Simulation {
    Simulation::sized(1_000, 2_000, 60)
}

fn day_of(simulation: &Simulation, transaction: &Transaction) -> u32 {
    let start = simulation.start.and_time(NaiveTime::MIN).and_utc().timestamp_micros();
    ((transaction.time_us - start) / (SECONDS_PER_DAY * MICROS_PER_SECOND)) as u32
}

fn share(part: usize, whole: usize) -> f64 {
    part as f64 / whole as f64
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(40))]

    #[test]
    fn ids_are_ranks_in_time(
        seed in any::<u64>(),
        customers in 1u32..60,
        terminals in 1u32..60,
        days in 1u32..40,
        radius in 0.1f64..200.0,
    ) {
        let simulation = Simulation { seed, customers, terminals, days, radius, ..Simulation::default() };
        let made = run(&simulation);
        for (rank, transaction) in made.iter().enumerate() {
            prop_assert_eq!(transaction.id, rank as u64);
            prop_assert!(transaction.customer < customers && transaction.terminal < terminals);
            prop_assert!(transaction.amount_cents >= 0);
            prop_assert!(day_of(&simulation, transaction) < days);
        }
        let order = |t: &Transaction| (t.time_us, t.customer);
        prop_assert!(made.is_sorted_by_key(order));
    }

    /// A longer simulation begins with the shorter one, but for the window of scenario 3 that the end cuts off.
    #[test]
    fn more_days_change_no_payment_of_earlier_ones(seed in any::<u64>(), days in 1u32..20, more in 0u32..20) {
        let short = Simulation { seed, customers: 30, terminals: 40, days, ..Simulation::default() };
        let long = Simulation { days: days + more, ..short };
        let key = |t: &Transaction| (t.id, t.time_us, t.customer, t.terminal);
        let (short, long) = (run(&short), run(&long));
        prop_assert!(short.iter().map(key).eq(long.iter().take(short.len()).map(key)));
    }
}

#[test]
fn equal_settings_give_equal_transactions_and_other_seeds_others() {
    let simulation = Simulation { days: 5, ..town() };
    assert_eq!(run(&simulation), run(&simulation));
    assert_ne!(run(&simulation), run(&Simulation { seed: 1, ..simulation }));
}

/// What a seed means must not change: stored demos and bug reports name it.
#[test]
fn seed_0_means_these_transactions() {
    let made = run(&Simulation::sized(20, 50, 30));
    let mut digest = 0u64;
    for t in &made {
        for part in [
            t.time_us as u64,
            t.customer.into(),
            t.terminal.into(),
            t.amount_cents as u64,
            t.scenario.code().into(),
        ] {
            digest = (digest ^ part).wrapping_mul(0x0000_0100_0000_01b3).rotate_left(23);
        }
    }
    assert_eq!((made.len(), digest), (1_185, 16_501_494_338_963_610_441));
}

#[test]
fn a_world_of_the_usual_size_has_the_usual_share_of_fraud() {
    let made = run(&Simulation { days: 10, ..Simulation::default() });
    let fraud = made.iter().filter(|t| t.scenario.is_fraud()).count();
    assert!((0.003..0.02).contains(&share(fraud, made.len())), "{}", share(fraud, made.len()));
}

#[test]
fn each_scenario_has_its_share_once_the_windows_are_full() {
    let simulation = town();
    let made = run(&simulation);
    let settled: Vec<&Transaction> = made.iter().filter(|t| day_of(&simulation, t) >= 28).collect();
    let of = |scenario| share(settled.iter().filter(|t| t.scenario == scenario).count(), settled.len());
    assert!((0.0003..0.001).contains(&of(Scenario::LargeAmount)), "{}", of(Scenario::LargeAmount));
    assert!(
        (0.004..0.008).contains(&of(Scenario::CompromisedTerminal)),
        "{}",
        of(Scenario::CompromisedTerminal)
    );
    assert!(
        (0.002..0.004).contains(&of(Scenario::CompromisedCustomer)),
        "{}",
        of(Scenario::CompromisedCustomer)
    );
    let expected = simulation.expected_transactions() as f64;
    assert!((made.len() as f64 / expected - 1.0).abs() < 0.03, "{} {expected}", made.len());
}

#[test]
fn smaller_worlds_keep_the_share_of_fraud() {
    let made = run(&Simulation::sized(100, 50, 400));
    let fraud = made.iter().filter(|t| t.scenario.is_fraud()).count();
    assert!((0.003..0.02).contains(&share(fraud, made.len())), "{}", share(fraud, made.len()));
}

#[test]
fn a_small_demo_has_frauds() {
    for seed in 0..20 {
        let made = run(&Simulation { seed, ..Simulation::sized(10, 10, 14) });
        assert!(made.iter().any(|t| t.scenario.is_fraud()), "seed {seed}");
    }
}

#[test]
fn large_amounts_are_fraud_and_no_others_are_scenario_1() {
    let made = run(&town());
    for t in &made {
        match t.scenario {
            Scenario::Genuine => assert!(t.amount_cents <= LARGE_AMOUNT_CENTS, "{t:?}"),
            Scenario::LargeAmount => assert!(t.amount_cents > LARGE_AMOUNT_CENTS, "{t:?}"),
            Scenario::CompromisedTerminal => {}
            Scenario::CompromisedCustomer => assert_eq!(t.amount_cents % CUSTOMER_FRAUD_FACTOR, 0, "{t:?}"),
        }
    }
    let large = made.iter().filter(|t| t.scenario == Scenario::LargeAmount).count();
    assert!(large > 10, "{large}");
}

/// All payments of a terminal between the first and the last of a run of frauds are fraud, and runs are 28 days.
#[test]
fn compromised_terminals_are_fraud_for_28_days() {
    let simulation = town();
    let mut days: BTreeMap<u32, BTreeMap<u32, BTreeSet<bool>>> = BTreeMap::new();
    for t in run(&simulation).iter().filter(|t| t.scenario != Scenario::CompromisedCustomer) {
        let is_hit = t.scenario == Scenario::CompromisedTerminal;
        days.entry(t.terminal).or_default().entry(day_of(&simulation, t)).or_default().insert(is_hit);
    }
    let mut longest = 0;
    for (terminal, days) in &days {
        assert!(
            days.values().all(|kinds| kinds.len() == 1),
            "terminal {terminal} was hit for a part of a day"
        );
        let hit: Vec<u32> =
            days.iter().filter(|(_, kinds)| kinds.contains(&true)).map(|(day, _)| *day).collect();
        if let (Some(first), Some(last)) = (hit.first(), hit.last()) {
            let clean = days.range(first..=last).filter(|(_, kinds)| kinds.contains(&false)).count();
            let length = last - first + 1;
            assert!(clean == 0 || length > 28, "terminal {terminal}: {length} days, {clean} clean");
            if clean == 0 && length <= 28 {
                longest = longest.max(length);
            }
        }
    }
    assert_eq!(longest, 28);
}

/// 0.06 of 100 customers fall each day: the first on day 0, the second on day 16, after the end.
#[test]
fn compromised_customers_lose_a_third_of_their_payments_for_14_days() {
    let mut fallen = 0;
    for seed in 0..10 {
        let simulation = Simulation { seed, ..Simulation::sized(100, 200, 16) };
        let made = run(&simulation);
        let is_hit = |t: &&Transaction| t.scenario == Scenario::CompromisedCustomer;
        let Some(customer) = made.iter().find(is_hit).map(|t| t.customer) else { continue };
        fallen += 1;
        let of_customer = || made.iter().filter(|t| t.customer == customer);
        let in_window = of_customer().filter(|t| day_of(&simulation, t) < 14).count();
        let hits: Vec<&Transaction> = made.iter().filter(is_hit).collect();
        assert!(hits.iter().all(|t| t.customer == customer && day_of(&simulation, t) < 14), "seed {seed}");
        assert_eq!(hits.len(), in_window / 3, "seed {seed}");

        let usual = |t: &Transaction| t.amount_cents / if is_hit(&t) { 5 } else { 1 };
        let transactions = simulation.transactions().expect("good settings");
        let drawn: i64 = (0..16)
            .flat_map(|day| payments(&transactions.world, &transactions.streams, customer, day))
            .map(|payment| payment.cents)
            .sum();
        assert_eq!(of_customer().map(usual).sum::<i64>(), drawn, "seed {seed}");
    }
    assert!(fallen >= 8, "{fallen}");
}

#[test]
fn customers_pay_where_they_can_reach() {
    let simulation = Simulation { days: 3, ..town() };
    let transactions = simulation.transactions().expect("good settings");
    let (customers, terminals) = (transactions.customers().to_vec(), transactions.terminals());
    for t in transactions {
        let (customer, terminal) = (&customers[t.customer as usize], &terminals[t.terminal as usize]);
        let distance = ((customer.x - terminal.x).powi(2) + (customer.y - terminal.y).powi(2)).sqrt();
        assert!(distance < simulation.radius, "{t:?}: {distance}");
    }
}

#[test]
fn falling_follows_the_share_and_starts_on_day_0() {
    let over =
        |share: &Share, days: u32, population| (0..days).map(|d| share.on_day(d, population)).sum::<u32>();
    assert!((0..100).all(|day| TERMINALS_FALLING.on_day(day, 10_000) == 2));
    assert!((0..100).all(|day| CUSTOMERS_FALLING.on_day(day, 5_000) == 3));
    assert_eq!(TERMINALS_FALLING.on_day(0, 1), 1);
    assert_eq!((over(&TERMINALS_FALLING, 100, 100), over(&CUSTOMERS_FALLING, 17, 100)), (2, 2));
    assert_eq!(over(&CUSTOMERS_FALLING, 16, 100), 1);
    assert_eq!(TERMINALS_FALLING.on_day(50, 100), 1);
    assert_eq!(over(&CUSTOMERS_FALLING, 10, 1_000_000), 6_000);
}

#[test]
fn settings_out_of_range_are_refused() {
    let refused = |simulation: Simulation| simulation.transactions().expect_err("a bad setting").to_string();
    let good = Simulation::default();
    let none = Simulation { customers: 0, ..good };
    assert_eq!(refused(none), "expected 1 to 10000000 customers, found 0");
    assert!(refused(Simulation { terminals: 0, ..good }).contains("terminals"));
    assert!(refused(Simulation { days: DAYS_MAX + 1, ..good }).contains("days"));
    for radius in [0.0, -1.0, f64::NAN, f64::INFINITY] {
        assert!(refused(Simulation { radius, ..good }).contains("radius"));
    }
    assert!(refused(Simulation { start: NaiveDate::MAX, ..good }).contains("calendar"));
}
