//! The states between the steps of a counterexample, and the nearest schedule that holds.

use std::fs;

use serde_json::Value;

use super::{explore_worker, project, race};
use crate::project::{NOTHING, Project, stderr, stdout};
use crate::schema;

/// The counterexample of an exploration, and the page.
fn found(project: &Project, options: &[&str]) -> (Value, String) {
    let common = ["--seed", "1", "--schedules", "400", "--duration", "100s"];
    let reports = ["--json", "--html", "found.html"];
    let output = explore_worker(project, &[&common[..], &reports, options].concat());
    let report: Value = serde_json::from_str(&stdout(&output)).unwrap();
    let all = schema::strict("report.schema.json");
    let errors: Vec<String> = all.iter_errors(&report).map(|e| e.to_string()).collect();
    assert!(errors.is_empty(), "{}", errors.join("\n"));
    let found = report["outcomes"][0]["counterexample"].clone();
    assert!(found.is_object(), "{report:#}{}", stderr(&output));
    let page = fs::read_to_string(project.folder().join("found.html")).unwrap();
    assert_eq!(data_in(&page)["outcomes"][0]["counterexample"], found);
    assert_eq!(project.left_behind(), NOTHING);
    (found, page)
}

fn data_in(page: &str) -> Value {
    let (_, data) = page
        .split_once("<script type=\"application/json\" id=\"data\">")
        .unwrap();
    serde_json::from_str(data.split_once("</script>").unwrap().0).unwrap()
}

/// The states before the first step and after each.
fn states(schedule: &Value) -> Vec<Value> {
    let mut states = vec![schedule["before"].clone()];
    for step in schedule["steps"].as_array().unwrap() {
        let after = step.get("after").or(states.last());
        states.push(after.unwrap().clone());
    }
    states
}

fn phases(state: &Value) -> Vec<&str> {
    let workers = state["workers"].as_array().unwrap();
    let phases = workers.iter().map(|worker| worker["phase"].as_str());
    phases.map(Option::unwrap).collect()
}

#[test]
fn each_step_has_the_files_and_who_holds_what() {
    let (found, page) = found(&project(&race()), &["--scenario", "contend"]);
    let states = states(&found);
    assert_eq!(phases(&states[0]), ["idle"; 3]);
    assert_eq!(states[0]["files"].as_array().unwrap().len(), 0);
    // Two hold kernel locks on two files, of which one has lost the name.
    let overlap = found["overlap"].as_u64().unwrap() as usize;
    assert_eq!(overlap + 1, found["steps"].as_array().unwrap().len());
    let after = &states[overlap + 1];
    let inside: Vec<usize> = (0..3).filter(|&at| phases(after)[at] == "inside").collect();
    assert_eq!(inside.len(), 2, "{after:#}");
    let inside_before = phases(&states[overlap]);
    let inside_before = inside_before.iter().filter(|phase| **phase == "inside");
    assert_eq!(inside_before.count(), 1);
    let files = after["files"].as_array().unwrap();
    assert_eq!(files.len(), 2, "{after:#}");
    assert_ne!(files[0]["inode"], files[1]["inode"]);
    assert_eq!(
        files.iter().filter(|file| file["nameless"] == true).count(),
        1
    );
    for file in files {
        assert_eq!((&file["name"], &file["size"]), (&"lock".into(), &0.into()));
        assert_eq!(file["locks"][0]["lock"], "flock exclusive", "{file:#}");
        let holder = file["locks"][0]["worker"].as_u64().unwrap() as usize;
        assert!(inside.contains(&holder), "{after:#}");
        assert!(file["open"].as_array().unwrap().contains(&holder.into()));
    }
    // The inodes are those of the steps.
    let told = format!("(inode {})", files[0]["inode"]);
    let steps = found["steps"].as_array().unwrap().iter();
    let mut texts = steps.map(|step| step["what"].as_str().unwrap());
    assert!(texts.any(|text| text.contains(&told)), "{found:#}");

    let nearest = &found["comparison"]["nearest"];
    let tried = found["comparison"]["tried"].as_u64().unwrap();
    assert!(tried >= 1 && nearest.is_object(), "{found:#}");
    let end = "every worker was in the section, one after the other";
    assert_eq!(nearest["ending"], end);
    let same = nearest["same"].as_u64().unwrap() as usize;
    let step = |schedule: &Value, at: usize| schedule["steps"][at]["who"].clone();
    assert!(same <= overlap && step(nearest, same) != step(&found, same));
    for at in 0..same {
        assert_eq!(step(nearest, at), step(&found, at));
    }
    for state in self::states(nearest) {
        let inside = phases(&state)
            .iter()
            .filter(|phase| **phase == "inside")
            .count();
        assert!(inside < 2, "{state:#}");
    }

    let plain = page.split_once("<div id=\"plain\">").unwrap().1;
    let list = plain.split_once("</ol>").unwrap().0;
    assert_eq!(list.matches("<li>").count(), overlap + 1);
    assert!(list.contains("in the section at once: worker "), "{list}");
}

/// Leaves a file with hostile content and another with a hostile name when it is killed in time.
const HOSTILE: &str = "
import os
from lockutils_worker import serve
TEXT = '</script><!--\\u2028\\u202e\\x85{{data}}'
class Lock:
    forks = False
    def __init__(self, directory, name):
        self.path = directory + '/lock'
        self.other = directory + '/<img src=x onerror=alert(1)>\\n'
    def try_acquire(self):
        try:
            fd = os.open(self.path, os.O_CREAT | os.O_EXCL | os.O_WRONLY)
        except FileExistsError:
            return False
        os.write(fd, TEXT.encode())
        os.close(fd)
        os.close(os.open(self.other, os.O_CREAT | os.O_WRONLY))
        return True
    def release(self):
        os.unlink(self.other)
        os.unlink(self.path)
serve(Lock)
";

#[test]
fn the_page_of_a_crash_shows_the_dead_and_what_it_has_left() {
    let project = project(HOSTILE);
    let (found, page) = found(&project, &["--scenario", "crash"]);
    let steps = found["steps"].as_array().unwrap();
    let killed = steps.iter().position(|step| step["fault"] == "crash");
    let killed = killed.unwrap();
    let dead = steps[killed]["worker"].as_u64().unwrap() as usize;
    let states = states(&found);
    assert_ne!(phases(&states[killed])[dead], "dead");
    for state in &states[killed + 1..] {
        assert_eq!(phases(state)[dead], "dead");
        let mut files = state["files"].as_array().unwrap().iter();
        let lock = files.find(|file| file["name"] == "lock").unwrap();
        // No process has it open any more.
        assert!(lock.get("open").is_none(), "{state:#}");
    }
    assert!(found.get("overlap").is_none());
    let nearest = &found["comparison"]["nearest"];
    assert!(nearest["difference"].as_str().unwrap().contains("killed"));
    let contents: Vec<Value> = self::states(nearest)
        .iter()
        .chain(&states)
        .flat_map(|state| state["files"].as_array().unwrap().clone())
        .collect();
    let content = |file: &Value| file["content"].as_str().map(str::to_owned);
    let escaped = "</script><!--\\u{2028}\\u{202e}\\u{85}{{data}}";
    assert!(contents.iter().filter_map(content).any(|it| it == escaped));
    let mut names = contents.iter().map(|file| file["name"].as_str().unwrap());
    assert!(names.any(|name| name == "<img src=x onerror=alert(1)>\\n"));
    assert!(!page.contains("<img"), "{page}");
    assert_eq!(page.matches("</script>").count(), 2);
}

/// A lock that keeps nobody out.
const NO_LOCK: &str = "
import os
from lockutils_worker import serve
class Lock:
    def __init__(self, directory, name):
        self.path = directory + '/lock'
    def acquire(self):
        os.path.exists(self.path)
    def release(self):
        os.path.exists(self.path)
serve(Lock)
";

#[test]
fn where_no_change_helps_the_report_says_so() {
    let (found, page) = found(&project(NO_LOCK), &["--scenario", "contend"]);
    let tried = found["comparison"]["tried"].as_u64().unwrap();
    assert!(tried > 0, "{found:#}");
    assert!(found["comparison"].get("nearest").is_none(), "{found:#}");
    assert!(!page.contains("The nearest schedule that does not break the lock</h3>"));
    let told = format!("Schedules tried with one change, of which none ended better: {tried}.");
    assert!(page.contains(&told), "{page}");
}
