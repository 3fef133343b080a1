//! Merges reports of one lock: those of several shards of a search, or of several runs.

use std::collections::BTreeMap;

use super::{
    CheckedReport, Command, Evidence, Expectation, Load, Outcome, Part, Quoted, Report, Scenario,
    Search, Verdict, Waits,
};

/// Reports that cannot be merged.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum MergeError {
    /// The same report was given more than once.
    #[error("a report of {0} was given twice")]
    Twice(String),
    /// Shards of different divisions.
    #[error("the reports of {0} are shards of different divisions: {1} and {2}")]
    Divisions(String, String, String),
    /// A shard that cannot be read.
    #[error("`{0}` is not a shard")]
    Shard(String),
}

/// Merges the reports of each lock. Reports of different locks, and those with other conditions,
/// remain apart.
///
/// # Errors
/// Returns an error if a report was given twice, or the shards do not fit together.
pub fn merge(reports: Vec<CheckedReport>) -> Result<Vec<CheckedReport>, MergeError> {
    let mut groups: Vec<Vec<CheckedReport>> = Vec::new();
    for report in reports {
        match groups.iter_mut().find(|group| is_of(&group[0], &report)) {
            Some(group) => group.push(report),
            None => groups.push(vec![report]),
        }
    }
    groups.into_iter().map(merge_group).collect()
}

/// Returns `true` if both reports are about the same lock under the same conditions.
fn is_of(one: &CheckedReport, other: &CheckedReport) -> bool {
    let (a, b) = (&one.report, &other.report);
    one.name == other.name
        && (a.command, &a.lock.kind, &a.lock.arguments)
            == (b.command, &b.lock.kind, &b.lock.arguments)
        && (a.workers, a.threads, a.hold_ms, a.lease_ms)
            == (b.workers, b.threads, b.hold_ms, b.lease_ms)
}

fn merge_group(group: Vec<CheckedReport>) -> Result<CheckedReport, MergeError> {
    let title = group[0].title().to_owned();
    let parts: Vec<Part> = group.iter().flat_map(parts).collect();
    for (at, part) in parts.iter().enumerate() {
        let same = |other: &Part| {
            (&other.seed, &other.shard, other.began_unix)
                == (&part.seed, &part.shard, part.began_unix)
        };
        if parts[..at].iter().any(same) {
            return Err(MergeError::Twice(title));
        }
    }
    let missing = missing(&title, &parts)?;
    let mut scenarios: Vec<Scenario> = Vec::new();
    for outcome in group.iter().flat_map(|one| &one.report.outcomes) {
        if !scenarios.contains(&outcome.scenario) {
            scenarios.push(outcome.scenario);
        }
    }
    scenarios.sort();
    let outcomes = scenarios.iter().map(|scenario| {
        let reports = group.iter().map(|checked| &checked.report);
        merge_outcomes(*scenario, reports.collect(), missing.as_deref())
    });
    let outcomes: Vec<Outcome> = outcomes.collect();
    let counted = outcomes.iter().filter(|outcome| outcome.counts);
    let not_known = missing.is_some()
        || group
            .iter()
            .any(|one| one.report.verdict == Verdict::NotKnown);
    let verdict =
        Verdict::worst(counted.map(|outcome| outcome.verdict)).unless_not_known(not_known);
    let interrupted = group.iter().any(|one| one.report.interrupted);
    let began_unix = parts.iter().map(|part| part.began_unix).min();
    let first = &group[0];
    let report = Report {
        began_unix: began_unix.unwrap_or(first.report.began_unix),
        seconds: parts.iter().map(|part| part.seconds).sum(),
        interrupted,
        verdict,
        exit_status: verdict.exit_status_if(interrupted),
        shard: None,
        merged: parts,
        outcomes,
        ..first.report.clone()
    };
    Ok(match &first.name {
        None => CheckedReport::plain(report),
        Some(name) => {
            let all_must_be_known = report.command == Command::Explore;
            CheckedReport::new(name, report, &expected(&group), all_must_be_known)
        }
    })
}

fn parts(checked: &CheckedReport) -> Vec<Part> {
    let report = &checked.report;
    match report.merged.is_empty() {
        false => report.merged.clone(),
        true => vec![Part {
            seed: report.seed.clone(),
            shard: report.shard.clone(),
            began_unix: report.began_unix,
            seconds: report.seconds,
            verdict: report.verdict,
        }],
    }
}

fn expected(group: &[CheckedReport]) -> BTreeMap<Scenario, Vec<Verdict>> {
    let all = group.iter().flat_map(|checked| &checked.expectations);
    all.map(
        |Expectation {
             scenario, expected, ..
         }| (*scenario, expected.clone()),
    )
    .collect()
}

/// Number and count of a shard.
fn shard(text: &str) -> Result<(usize, usize), MergeError> {
    let error = || MergeError::Shard(text.to_owned());
    let (number, count) = text.split_once('/').ok_or_else(error)?;
    let number: usize = number.parse().map_err(|_| error())?;
    let count: usize = count.parse().map_err(|_| error())?;
    match (1..=count).contains(&number) && count <= 1_000 {
        true => Ok((number, count)),
        false => Err(error()),
    }
}

/// A sentence that names the shards without a report; `None` if there are none.
fn missing(title: &str, parts: &[Part]) -> Result<Option<String>, MergeError> {
    let shards: Vec<&String> = parts
        .iter()
        .filter_map(|part| part.shard.as_ref())
        .collect();
    let Some(first) = shards.first() else {
        return Ok(None);
    };
    let (_, count) = shard(first)?;
    let mut seen = vec![false; count];
    for text in &shards {
        let (number, other) = shard(text)?;
        if other != count {
            let (one, other) = ((*first).clone(), (*text).clone());
            return Err(MergeError::Divisions(title.to_owned(), one, other));
        }
        seen[number - 1] = true;
    }
    let absent = (1..=count).filter(|number| !seen[number - 1]);
    let absent: Vec<String> = absent.map(|number| format!("{number}/{count}")).collect();
    Ok(match &absent[..] {
        [] => None,
        [one] => Some(format!("the report of shard {one} is missing")),
        all => Some(format!(
            "the reports of shards {} are missing",
            all.join(", ")
        )),
    })
}

fn merge_outcomes(scenario: Scenario, reports: Vec<&Report>, missing: Option<&str>) -> Outcome {
    let with_report: Vec<(&Report, &Outcome)> = reports
        .iter()
        .filter_map(|report| {
            let mut outcomes = report.outcomes.iter();
            Some((*report, outcomes.find(|one| one.scenario == scenario)?))
        })
        .collect();
    let all: Vec<&Outcome> = with_report.iter().map(|(_, outcome)| *outcome).collect();
    let worst = Verdict::worst(all.iter().map(|outcome| outcome.verdict));
    // A run in which nothing was found, and one without a result.
    let not_known = |outcome: &&&Outcome| outcome.verdict == Verdict::NotKnown;
    let has_gap = all.iter().any(|outcome| not_known(&outcome)) || all.len() < reports.len();
    let verdict = worst.unless_not_known(has_gap || missing.is_some());
    let decisive = all.iter().copied().find(|one| one.verdict == verdict);
    let shown = decisive.unwrap_or(all[0]);
    let reason = match (verdict, &shown.reason) {
        (_, Some(reason)) if decisive.is_some() => Some(reason.clone()),
        (Verdict::NotKnown, _) => Some(match missing {
            Some(missing) => missing.to_owned(),
            None => "a report has no result of this scenario".to_owned(),
        }),
        _ => None,
    };
    let loads: Vec<&Load> = all.iter().filter_map(|outcome| outcome.load()).collect();
    let evidence = match loads.is_empty() {
        false => Evidence::Load(Box::new(merge_loads(&loads))),
        true => Evidence::Search(Box::new(merge_searches(&with_report, missing.is_some()))),
    };
    Outcome {
        counts: all.iter().any(|outcome| outcome.counts),
        verdict,
        reason,
        seconds: all.iter().map(|outcome| outcome.seconds).sum(),
        errors: merge_quotes(all.iter().flat_map(|outcome| &outcome.errors)),
        notes: merge_quotes(all.iter().flat_map(|outcome| &outcome.notes)),
        evidence,
        again: shown.again.clone(),
        ..shown.clone()
    }
}

fn merge_quotes<'a>(all: impl Iterator<Item = &'a Quoted>) -> Vec<Quoted> {
    let shape = |text: &str| text.replace(|c: char| c.is_ascii_digit(), "");
    let mut merged: Vec<Quoted> = Vec::new();
    for quoted in all {
        let mut known = merged.iter_mut();
        match known.find(|known| shape(&known.text) == shape(&quoted.text)) {
            Some(known) => known.count += quoted.count,
            None => merged.push(quoted.clone()),
        }
    }
    merged.sort_by_key(|quoted| std::cmp::Reverse(quoted.count));
    merged
}

fn merge_loads(all: &[&Load]) -> Load {
    let sum = |count: fn(&Load) -> u64| all.iter().map(|load| count(load)).sum();
    let mut faults = all[0].faults.clone();
    let mut histogram = all[0].wait_histogram.clone();
    for load in &all[1..] {
        for fault in &load.faults {
            match faults.iter_mut().find(|known| known.name == fault.name) {
                Some(known) => known.count += fault.count,
                None => faults.push(fault.clone()),
            }
        }
        for bucket in &load.wait_histogram {
            let mut known = histogram.iter_mut();
            match known.find(|known| known.below_us == bucket.below_us) {
                Some(known) => known.count += bucket.count,
                None => histogram.push(bucket.clone()),
            }
        }
    }
    histogram.sort_by(|one, other| one.below_us.total_cmp(&other.below_us));
    // The events of one run.
    let shown = all.iter().find(|load| load.first_overlap.is_some());
    let shown = shown.unwrap_or(&all[0]);
    Load {
        sections: sum(|load| load.sections),
        overlaps: sum(|load| load.overlaps),
        expiries: sum(|load| load.expiries),
        busy: sum(|load| load.busy),
        timed_out: sum(|load| load.timed_out),
        faults,
        waits: merge_waits(all.iter().filter_map(|load| load.waits.as_ref())),
        hand_overs: merge_waits(all.iter().filter_map(|load| load.hand_overs.as_ref())),
        fairness: all
            .iter()
            .filter_map(|load| load.fairness)
            .min_by(f64::total_cmp),
        wait_histogram: histogram,
        first_overlap: shown.first_overlap.clone(),
        timeline: shown.timeline.clone(),
    }
}

/// The count and the maximum of all times. A percentile of all is at most the largest of the same
/// percentile of each.
fn merge_waits<'a>(all: impl Iterator<Item = &'a Waits>) -> Option<Waits> {
    all.cloned().reduce(|one, other| Waits {
        count: one.count + other.count,
        p50_us: one.p50_us.max(other.p50_us),
        p99_us: one.p99_us.max(other.p99_us),
        max_us: one.max_us.max(other.max_us),
    })
}

fn merge_searches(all: &[(&Report, &Outcome)], is_partial: bool) -> Search {
    let searches: Vec<(bool, &Outcome, &Search)> = all
        .iter()
        .filter_map(|(report, outcome)| Some((report.shard.is_some(), *outcome, outcome.search()?)))
        .collect();
    let Some(&(_, _, first)) = searches.first() else {
        return Search::default();
    };
    let sum = |count: fn(&Search) -> usize| searches.iter().map(|(_, _, one)| count(one)).sum();
    let found = searches
        .iter()
        .filter_map(|(_, outcome, one)| Some((*outcome, one.counterexample.as_ref()?)));
    let worst = Verdict::worst(found.clone().map(|(outcome, _)| outcome.verdict));
    let shortest = found
        .filter(|(outcome, _)| outcome.verdict == worst)
        .min_by_key(|(_, found)| (found.switches, found.steps.len()));
    // A shard is complete for its own part only.
    let extent = |is_shard: bool| {
        let part = searches
            .iter()
            .filter(move |(shard, ..)| *shard == is_shard);
        part.map(|(_, _, one)| &one.complete)
    };
    let of_shards = match is_partial {
        true => None,
        false => extent(true).min_by_key(|complete| rank(complete)),
    };
    let of_runs = extent(false).max_by_key(|complete| rank(complete));
    let complete = of_shards
        .into_iter()
        .chain(of_runs)
        .max_by_key(|complete| rank(complete));
    Search {
        schedules: sum(|one| one.schedules),
        known: sum(|one| one.known),
        expiries: sum(|one| one.expiries),
        polls: sum(|one| one.polls),
        crashes: searches
            .iter()
            .filter_map(|(_, _, one)| one.crashes)
            .reduce(|one, other| one + other),
        rest_ms: searches
            .iter()
            .map(|(_, _, one)| one.rest_ms)
            .max()
            .unwrap_or(0),
        complete: complete.cloned().flatten(),
        counterexample: shortest.map(|(_, found)| found.clone()),
        ..first.clone()
    }
}

/// The extent of a search as a number: that of the delays, or more if it is everything.
fn rank(complete: &Option<String>) -> usize {
    let Some(text) = complete else {
        return 0;
    };
    let digits: String = text
        .chars()
        .skip_while(|c| !c.is_ascii_digit())
        .take_while(char::is_ascii_digit)
        .collect();
    digits
        .parse()
        .map_or(usize::MAX, |delays: usize| delays + 1)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::Counterexample;
    use super::super::checked::tests::report;
    use super::*;

    fn shard_report(number: usize, of: usize, verdict: Verdict, complete: &str) -> CheckedReport {
        let mut one = report(&[(Scenario::Contend, true, verdict)]);
        one.command = Command::Explore;
        one.verdict = verdict;
        one.shard = Some(format!("{number}/{of}"));
        one.outcomes[0].evidence = Evidence::Search(Box::new(Search {
            schedules: 10 * number,
            complete: Some(complete.to_owned()),
            counterexample: (verdict == Verdict::Broken).then(|| Counterexample {
                ending: String::new(),
                switches: 9 - number,
                same: 10,
                runs: 10,
                before: None,
                steps: Vec::new(),
                overlap: None,
                comparison: None,
                file: format!("{number}.txt"),
                replay: String::new(),
            }),
            ..Search::default()
        }));
        CheckedReport::plain(one)
    }

    fn one(reports: Vec<CheckedReport>) -> Report {
        let merged = merge(reports).unwrap();
        assert_eq!(merged.len(), 1);
        merged.into_iter().next().unwrap().report
    }

    #[test]
    fn all_shards_together_are_as_complete_as_the_least_of_them() {
        let merged = one(vec![
            shard_report(2, 2, Verdict::Held, "complete up to 3 delays"),
            shard_report(1, 2, Verdict::Held, "complete up to 1 delay"),
        ]);
        let search = merged.outcomes[0].search().unwrap();
        assert_eq!(search.schedules, 30);
        assert_eq!(search.complete.as_deref(), Some("complete up to 1 delay"));
        assert_eq!((merged.verdict, merged.exit_status), (Verdict::Held, 0));
        assert_eq!(merged.merged.len(), 2);
    }

    #[test]
    fn without_one_of_its_shards_a_lock_is_not_known() {
        let merged = one(vec![
            shard_report(1, 3, Verdict::Held, "complete up to 3 delays"),
            shard_report(3, 3, Verdict::Held, "complete up to 3 delays"),
        ]);
        let outcome = &merged.outcomes[0];
        let reason = outcome.reason.as_deref();
        assert_eq!(reason, Some("the report of shard 2/3 is missing"));
        assert_eq!(outcome.search().unwrap().complete, None);
        assert_eq!((merged.verdict, merged.exit_status), (Verdict::NotKnown, 2));
    }

    #[test]
    fn one_broken_shard_breaks_the_lock_even_if_others_are_missing() {
        let merged = one(vec![
            shard_report(1, 4, Verdict::Broken, "complete up to 0 delays"),
            shard_report(3, 4, Verdict::Broken, "complete up to 0 delays"),
            shard_report(2, 4, Verdict::Held, "complete up to 3 delays"),
        ]);
        assert_eq!((merged.verdict, merged.exit_status), (Verdict::Broken, 1));
        let shortest = merged.outcomes[0].counterexample().unwrap();
        assert_eq!(shortest.file, "3.txt");
    }

    #[test]
    fn a_report_counts_once_and_divisions_must_agree() {
        let held = |number, of| shard_report(number, of, Verdict::Held, "");
        let twice = merge(vec![held(1, 2), held(1, 2)]).unwrap_err();
        assert_eq!(twice, MergeError::Twice("w".into()));
        let different = merge(vec![held(1, 2), held(2, 3)]).unwrap_err();
        assert!(
            matches!(different, MergeError::Divisions(..)),
            "{different}"
        );
        let mut odd = held(1, 2);
        odd.report.shard = Some("2/1".into());
        assert!(matches!(merge(vec![odd]), Err(MergeError::Shard(_))));
    }

    #[test]
    fn the_counts_of_stress_are_added() {
        let run = |began: u64, verdict| {
            let mut one = report(&[(Scenario::Die, true, verdict)]);
            one.began_unix = began;
            one.verdict = verdict;
            CheckedReport::plain(one)
        };
        let merged = one(vec![run(1, Verdict::Held), run(2, Verdict::Stuck)]);
        assert_eq!(merged.outcomes[0].load().unwrap().sections, 20);
        assert_eq!((merged.verdict, merged.exit_status), (Verdict::Stuck, 3));
        let mut other = run(3, Verdict::Held);
        other.report.workers += 1;
        assert_eq!(merge(vec![run(1, Verdict::Held), other]).unwrap().len(), 2);
    }

    proptest! {
        /// The order of the reports does not matter, and merged reports can be merged again.
        #[test]
        fn merging_is_the_same_in_any_order(
            verdicts in proptest::collection::vec(0..Verdict::ALL.len(), 1..6),
            at in 0_usize..6,
        ) {
            let count = verdicts.len();
            let reports: Vec<CheckedReport> = verdicts
                .iter()
                .enumerate()
                .map(|(at, verdict)| {
                    shard_report(at + 1, count, Verdict::ALL[*verdict], "complete up to 2 delays")
                })
                .collect();
            let summary = |report: Report| {
                let search = report.outcomes[0].search().unwrap().clone();
                (report.verdict, report.exit_status, search.schedules, search.complete)
            };
            let expected = summary(one(reports.clone()));
            let mut reversed = reports.clone();
            reversed.reverse();
            prop_assert_eq!(summary(one(reversed)), expected.clone());
            let (first, rest) = reports.split_at(at.min(count));
            let mut nested = rest.to_vec();
            if !first.is_empty() {
                nested.extend(merge(first.to_vec()).unwrap());
            }
            let (verdict, _, schedules, _) = summary(one(nested));
            prop_assert_eq!(schedules, expected.2);
            prop_assert!(verdict == expected.0 || verdict == Verdict::NotKnown);
        }
    }
}
