//! Processes that compete for one lock, with callers that wait, give up or leave.

use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::Poll;
use std::time::Duration;

use shuttle::scheduler::RandomScheduler;
use shuttle::sync::mpsc;
use shuttle::{Config, Runner, future, thread};

use crate::clock::BootTime;
use crate::lifecycle::{Core, Failure, Hold, Lifeline, Ownership, Released, Request, Wait};
use crate::lock_name::LockName;
use crate::rt::{self, Spawner, TICK};
use crate::server::{Double, Faults, LEASE, Server};
use crate::sync::{Mutex, lock};

/// How a caller asks for the lock.
#[derive(Clone, Copy, Debug)]
enum Ask {
    Forever,
    /// Asks when another holds the lock, and waits.
    Follows,
    /// Gives up after this many ticks.
    Within(u32),
    Never,
    /// A task that drops its future after this many polls.
    Leaves(u32),
    /// Stays in the section for about two leases.
    Stays,
    /// Stays for this number of leases, and then for two more, cut off from the server.
    CutOffAfter(u32),
}

use Ask::{CutOffAfter, Follows, Forever, Leaves, Never, Stays, Within};

/// The holds of callers that are in the critical section.
#[derive(Default)]
struct Section {
    inside: Mutex<Inside>,
}

#[derive(Default)]
struct Inside {
    holders: Vec<Arc<Ownership>>,
    highest: u64,
}

impl Section {
    /// Passes through the section. A caller does not know at once that its hold is lost, so several
    /// may be inside; but at any moment at most one hold is valid.
    fn visit(&self, ownership: Ownership, stay: impl FnOnce(&Hold)) -> Ownership {
        let ownership = Arc::new(ownership);
        {
            let mut inside = lock(&self.inside);
            let hold = ownership.hold();
            let valid: Vec<u64> = inside
                .holders
                .iter()
                .filter(|holder| !holder.hold().lost())
                .filter_map(|holder| holder.hold().token())
                .collect();
            let token = hold.token().expect("the double has tokens");
            // After the others: a hold that is valid now was valid when they were looked at.
            if !hold.lost() {
                assert!(valid.is_empty(), "{token} entered beside {valid:?}");
                assert!(token > inside.highest, "{token} after {}", inside.highest);
            }
            inside.highest = inside.highest.max(token);
            inside.holders.push(Arc::clone(&ownership));
        }
        thread::yield_now();
        let was_lost = ownership.hold().lost();
        stay(ownership.hold());
        thread::yield_now();
        assert!(
            !was_lost || ownership.hold().lost(),
            "a lost hold is lost for good"
        );
        let mut inside = lock(&self.inside);
        inside
            .holders
            .retain(|holder| !Arc::ptr_eq(holder, &ownership));
        drop(inside);
        Arc::into_inner(ownership).expect("only the section shares it")
    }
}

/// Lets time pass.
fn pass(time: Duration) {
    let end = BootTime::now() + time;
    while BootTime::now() < end {
        future::block_on(rt::sleep(TICK));
    }
}

#[derive(Clone)]
struct Process {
    life: Arc<Lifeline>,
    faults: Faults,
    cut: Arc<AtomicBool>,
}

/// The thread of a process.
struct Running {
    core: Arc<Core>,
    ends: future::JoinHandle<()>,
}

impl Process {
    fn start(server: &Arc<Server>, faults: Faults, number: usize) -> (Self, Running) {
        let cut = Arc::new(AtomicBool::new(false));
        let double = Double {
            server: Arc::clone(server),
            faults,
            // A slow connection beside fast ones shows a lease that is counted too long.
            delay: if number == 0 { 16 } else { 1 },
            cut: Arc::clone(&cut),
        };
        let core = Core::new(Box::new(double), Spawner, format!("process-{number}"));
        let life = Lifeline::new(Arc::clone(&core));
        let serving = Arc::clone(&core);
        let ends = future::spawn(async move { serving.run().await });
        (Process { life, faults, cut }, Running { core, ends })
    }

    /// Asks for the lock once, and passes through the section with it.
    fn visit(&self, section: &Section, ask: Ask) {
        while matches!(ask, Follows) && lock(&section.inside).highest == 0 {
            pass(TICK);
        }
        let began = BootTime::now();
        let mut receiver = self.life.acquire(request(ask));
        let outcome = match ask {
            Leaves(polls) => {
                for _ in 0..polls {
                    let poll =
                        poll_fn(|context| Poll::Ready(Pin::new(&mut receiver).poll(context)));
                    if let Poll::Ready(outcome) = future::block_on(poll) {
                        return self.enter(section, ask, outcome.expect("an answer"));
                    }
                    thread::yield_now();
                }
                return drop(receiver);
            }
            _ => receiver.wait().expect("an answer"),
        };
        match (&outcome, ask) {
            (Ok(_), _) => {}
            (Err(Failure::Busy), Never) => {}
            (Err(Failure::TimedOut), Within(ticks)) => {
                assert!(BootTime::now().since(began) >= TICK * ticks, "too early");
            }
            (Err(Failure::Unavailable(_)), Never | Within(_)) if self.faults != Faults::None => {}
            (Err(failure), _) => panic!("{ask:?} got {failure:?}"),
        }
        self.enter(section, ask, outcome);
    }

    fn enter(&self, section: &Section, ask: Ask, outcome: Result<Ownership, Failure>) {
        let Ok(ownership) = outcome else { return };
        let (tell, told) = mpsc::channel();
        if matches!(ask, CutOffAfter(_)) {
            ownership
                .hold()
                .on_lost(move || tell.send(()).expect("somebody waits"));
        }
        let ownership = section.visit(ownership, |hold| match ask {
            Stays => pass(2 * LEASE),
            CutOffAfter(leases) => {
                pass(leases * LEASE);
                self.cut.store(true, Ordering::Relaxed);
                while !hold.lost() {
                    pass(TICK);
                }
            }
            _ => {}
        });
        self.cut.store(false, Ordering::Relaxed);
        if matches!(ask, CutOffAfter(_)) {
            assert!(ownership.hold().lost(), "it had no renewal");
            // Whoever saw the loss first.
            told.recv().expect("the loss is told");
        }
        if ownership.hold().token().is_some_and(|token| token % 2 == 0) {
            return drop(ownership);
        }
        match ownership.release().wait().expect("an answer") {
            Released::InTime | Released::Lost => {}
            Released::Unconfirmed(_) => {
                assert!(
                    self.faults != Faults::None,
                    "the server has always answered"
                );
            }
        }
    }
}

fn request(ask: Ask) -> Request {
    let asked = BootTime::now();
    Request {
        name: LockName::new(None, b"lock"),
        wait: match ask {
            Forever | Follows | Leaves(_) | Stays | CutOffAfter(_) => Wait::Forever,
            Within(ticks) => Wait::Until(asked + TICK * ticks),
            Never => Wait::Never,
        },
        warn_after: Duration::MAX,
        thread: None,
        asked,
    }
}

/// A row is a process, and each of its lists a thread.
fn competing(queues: bool, faults: Faults, rows: &'static [&'static [&'static [Ask]]]) {
    let server = Arc::new(Server::new(queues));
    let section = Arc::new(Section::default());
    let mut all = Vec::new();
    let mut threads = Vec::new();
    for (number, row) in rows.iter().enumerate() {
        let (process, running) = Process::start(&server, faults, number);
        for asks in *row {
            let (process, section) = (process.clone(), Arc::clone(&section));
            threads.push(thread::spawn(move || {
                for ask in *asks {
                    process.visit(&section, *ask);
                }
            }));
        }
        all.push(running);
    }
    for thread in threads {
        thread.join().expect("it passes");
    }
    // The last handle of each process is gone.
    for Running { core, ends } in all {
        future::block_on(ends).expect("it ends");
        assert!(core.is_idle(), "{core:?} has ended and is not idle");
    }
    if faults == Faults::Late {
        // A request that was given up may have been carried out after its undoing. Its key dies
        // with its lease.
        pass(LEASE + 4 * TICK);
    }
    assert!(server.is_free(), "a key is left: {server:?}");
}

/// Runs a model with a server without and with a queue.
///
/// Random interleavings only: a sleep waits by being scheduled, and a scheduler with priorities may
/// run nothing else.
///
/// `LOCKUTILS_MODEL_FACTOR` multiplies the number of schedules.
fn many_interleavings(schedules: usize, model: impl Fn(bool) + Clone + Send + Sync + 'static) {
    let factor = std::env::var("LOCKUTILS_MODEL_FACTOR").ok();
    let factor: usize = factor.and_then(|factor| factor.parse().ok()).unwrap_or(1);
    let mut config = Config::new();
    config.stack_size = 0x20000;
    for queues in [false, true] {
        let (model, scheduler) = (model.clone(), RandomScheduler::new(schedules * factor));
        Runner::new(scheduler, config.clone()).run(move || {
            rt::reset_clock();
            model(queues);
        });
    }
}

#[test]
fn two_processes() {
    many_interleavings(2_000, |queues| {
        competing(
            queues,
            Faults::None,
            &[&[&[Forever, Forever]], &[&[Forever, Forever]]],
        );
    });
}

#[test]
fn threads_of_one_process_take_turns() {
    many_interleavings(1_000, |queues| {
        competing(
            queues,
            Faults::None,
            &[
                &[&[Forever, Never], &[Forever], &[Within(3), Forever]],
                &[&[Forever]],
            ],
        );
    });
}

#[test]
fn a_deadline_may_pass_at_any_moment() {
    many_interleavings(2_000, |queues| {
        competing(
            queues,
            Faults::None,
            &[&[&[Forever]], &[&[Within(2), Within(6), Never]]],
        );
    });
}

#[test]
fn a_caller_may_leave_at_any_moment() {
    many_interleavings(2_000, |queues| {
        competing(
            queues,
            Faults::None,
            &[
                &[&[Leaves(0), Leaves(2), Forever], &[Leaves(1)]],
                &[&[Leaves(3), Forever]],
            ],
        );
    });
}

#[test]
fn a_hold_outlives_its_lease_by_renewal() {
    many_interleavings(1_000, |queues| {
        competing(queues, Faults::None, &[&[&[Stays]], &[&[Follows]]])
    });
}

#[test]
fn a_hold_that_is_cut_off_ends_before_the_next_one() {
    many_interleavings(2_000, |queues| {
        competing(
            queues,
            Faults::None,
            &[&[&[CutOffAfter(0)]], &[&[Follows]], &[&[Follows]]],
        );
    });
    many_interleavings(2_000, |queues| {
        competing(
            queues,
            Faults::None,
            &[&[&[CutOffAfter(1)]], &[&[Follows]], &[&[Follows]]],
        );
    });
}

#[test]
fn requests_and_answers_are_lost() {
    for faults in [Faults::Lost, Faults::Late] {
        many_interleavings(1_000, move |queues| {
            competing(
                queues,
                faults,
                &[&[&[Forever, Never]], &[&[Forever, Within(9), Within(9)]]],
            );
        });
    }
}

#[test]
fn callers_leave_while_answers_are_lost() {
    for faults in [Faults::Lost, Faults::Late] {
        many_interleavings(1_000, move |queues| {
            competing(
                queues,
                faults,
                &[
                    &[&[Leaves(2), Stays], &[Within(5)]],
                    &[&[Leaves(4), Leaves(1)]],
                ],
            );
        });
    }
}
