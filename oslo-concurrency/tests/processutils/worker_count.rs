//! The default number of workers of a service.

use std::process::Command;

use nix::sched::{CpuSet, sched_getaffinity, sched_setaffinity};
use nix::unistd::Pid;
use oslo_concurrency::processutils::get_worker_count;

use crate::again_elsewhere;

#[test]
fn it_is_the_number_of_processors_that_may_be_used() {
    let may_use = sched_getaffinity(Pid::from_raw(0)).unwrap();
    let processors = (0..CpuSet::count()).filter(|number| may_use.is_set(*number).unwrap());
    let first = processors.clone().next().unwrap();
    assert!((1..=processors.count()).contains(&get_worker_count()));
    let with_one = std::thread::spawn(move || {
        let mut one = CpuSet::new();
        one.set(first).unwrap();
        sched_setaffinity(Pid::from_raw(0), &one).unwrap();
        get_worker_count()
    });
    assert_eq!(with_one.join().unwrap(), 1);
}

const UNDER_QUOTA: &str = "UNDER_QUOTA";

/// The count in a cgroup (of either version) with a quota of this many microseconds in each
/// 100,000.
fn count_under(quota: &str) -> Option<usize> {
    let test = "worker_count::a_quota_of_the_cgroup_counts";
    let again = again_elsewhere(test, UNDER_QUOTA);
    let script = r#"
        mount -t tmpfs none /sys/fs/cgroup && cd /sys/fs/cgroup &&
            mkdir cpu && touch cgroup.controllers
        echo "$1 100000" > cpu.max; echo 100000 > cpu/cpu.cfs_period_us
        echo "${1%max}" > cpu/cpu.cfs_quota_us
        shift; exec "$@""#;
    let mut command = Command::new("unshare");
    command.args([
        "--user",
        "--map-root-user",
        "--mount",
        "--cgroup",
        "sh",
        "-c",
        script,
        "sh",
        quota,
    ]);
    command
        .arg(again.get_program())
        .args(again.get_args())
        .env(UNDER_QUOTA, "1");
    let output = command.output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let found = text
        .lines()
        .find_map(|line| line.split_once("count is ")?.1.parse().ok());
    if found.is_none() {
        eprintln!("not tried: {}", String::from_utf8_lossy(&output.stderr));
    }
    found
}

#[test]
fn a_quota_of_the_cgroup_counts() {
    if std::env::var_os(UNDER_QUOTA).is_some() {
        println!("count is {}", get_worker_count());
        return;
    }
    let allowed = Command::new("unshare")
        .args(["--user", "--map-root-user", "--mount", "--cgroup", "true"])
        .status();
    if !allowed.is_ok_and(|status| status.success()) {
        eprintln!("not tried: this machine allows no user namespaces");
        return;
    }
    let all = get_worker_count();
    assert_eq!(count_under("100000"), Some(1));
    assert_eq!(count_under("20000"), Some(1), "at least 1");
    assert_eq!(count_under("6400000"), Some(all), "no more than there are");
}
