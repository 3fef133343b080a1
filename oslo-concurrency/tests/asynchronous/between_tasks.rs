use std::cell::UnsafeCell;
use std::pin::pin;
use std::sync::Arc;
use std::sync::mpsc::channel;
use std::task::Poll;
use std::time::Duration;

use oslo_concurrency::lockutils::{AsyncGuard, Error, Semaphores, lock};

use super::{Woken, block_on, is_free, poll_once};

struct Count(UnsafeCell<u64>);

// SAFETY: the cell is accessed only under the lock.
unsafe impl Sync for Count {}

impl Count {
    /// Adds in two steps, so that two holders at once lose a count.
    fn add(&self) {
        // SAFETY: the lock excludes all other accesses.
        unsafe {
            let before = self.0.get().read_volatile();
            self.0.get().write_volatile(before + 1);
        }
    }
}

async fn add_in_tasks_and_threads(name: &'static str, fair: bool) {
    const ROUNDS: u64 = 2_000;
    let count = Arc::new(Count(UnsafeCell::new(0)));
    let tasks: Vec<_> = (0..4)
        .map(|_| {
            let count = Arc::clone(&count);
            tokio::spawn(async move {
                for round in 0..ROUNDS {
                    let _guard = lock(name).fair(fair).acquire_async().await.unwrap();
                    count.add();
                    if round % 16 == 0 {
                        tokio::task::yield_now().await;
                    }
                }
            })
        })
        .collect();
    let threads: Vec<_> = (0..2)
        .map(|_| {
            let count = Arc::clone(&count);
            std::thread::spawn(move || {
                for _ in 0..ROUNDS {
                    lock(name).fair(fair).run(|| count.add()).unwrap();
                }
            })
        })
        .collect();
    for task in tasks {
        task.await.unwrap();
    }
    threads
        .into_iter()
        .for_each(|thread| thread.join().unwrap());
    // SAFETY: all other users have ended.
    assert_eq!(unsafe { *count.0.get() }, 6 * ROUNDS);
    assert!(is_free(lock(name)));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn tasks_and_threads_exclude_each_other() {
    add_in_tasks_and_threads("mixed", false).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn tasks_and_threads_exclude_each_other_fairly() {
    add_in_tasks_and_threads("mixed-fair", true).await;
}

#[test]
fn a_waiting_task_lets_others_on_its_thread_go_on() {
    let (taken, is_taken) = channel();
    let (release, released) = channel::<()>();
    let holder = std::thread::spawn(move || {
        let _guard = lock("goes-on").acquire().unwrap();
        taken.send(()).unwrap();
        released.recv().unwrap();
    });
    is_taken.recv().unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread()
        .build()
        .unwrap();
    runtime.block_on(async {
        let waiting = tokio::spawn(async { lock("goes-on").acquire_async().await.map(drop) });
        for _ in 0..1_000 {
            tokio::task::yield_now().await;
        }
        assert!(!waiting.is_finished());
        release.send(()).unwrap();
        waiting.await.unwrap().unwrap();
    });
    holder.join().unwrap();
}

#[test]
fn a_dropped_wait_leaves_the_queue() {
    let held = lock("leaves").acquire().unwrap();
    let woken = Arc::new(Woken::default());
    {
        let mut waits = pin!(lock("leaves").acquire_async());
        assert!(poll_once(waits.as_mut(), &woken).is_pending());
    }
    drop(held);
    assert_eq!(woken.times(), 0);
    assert!(is_free(lock("leaves")));
}

/// The lock is given to the first future, which is dropped before it is polled: the second must get
/// it.
fn given_and_dropped(name: &'static str, fair: bool) {
    let held = lock(name).fair(fair).acquire().unwrap();
    let woken = [(); 2].map(|()| Arc::new(Woken::default()));
    let mut second = pin!(lock(name).fair(fair).acquire_async());
    {
        let mut first = pin!(lock(name).fair(fair).acquire_async());
        assert!(poll_once(first.as_mut(), &woken[0]).is_pending());
        assert!(poll_once(second.as_mut(), &woken[1]).is_pending());
        drop(held);
        assert_eq!((woken[0].times(), woken[1].times()), (1, 0));
    }
    assert_eq!(woken[1].times(), 1);
    let Poll::Ready(Ok(guard)) = poll_once(second.as_mut(), &woken[1]) else {
        panic!("the lock was lost");
    };
    assert!(!is_free(lock(name)));
    drop(guard);
    assert!(is_free(lock(name)));
}

#[test]
fn a_lock_that_a_dropped_wait_was_called_for_goes_on() {
    given_and_dropped("called", false);
}

#[test]
fn a_lock_that_was_handed_to_a_dropped_wait_goes_on() {
    given_and_dropped("handed", true);
}

#[test]
fn a_fair_lock_is_first_come_first_served_among_tasks_and_threads() {
    let held = lock("order").fair(true).acquire().unwrap();
    let woken = [(); 3].map(|()| Arc::new(Woken::default()));
    let mut waits = [(); 3].map(|()| Box::pin(lock("order").fair(true).acquire_async()));
    for (wait, woken) in waits.iter_mut().zip(&woken) {
        assert!(poll_once(wait.as_mut(), woken).is_pending());
    }
    drop(held);
    for (wait, woken) in waits.iter_mut().zip(&woken) {
        assert_eq!(woken.times(), 1);
        assert!(
            !is_free(lock("order")),
            "handed over, with no chance for others"
        );
        assert!(poll_once(wait.as_mut(), woken).is_ready()); // and dropped at once
    }
    assert!(is_free(lock("order")));
}

#[test]
fn a_task_that_is_cancelled_while_it_holds_releases() {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .build()
        .unwrap();
    runtime.block_on(async {
        let holds = tokio::spawn(lock("cancelled").run_async(std::future::pending::<()>));
        while is_free(lock("cancelled")) {
            tokio::task::yield_now().await;
        }
        holds.abort();
        assert!(holds.await.unwrap_err().is_cancelled());
        assert!(is_free(lock("cancelled")));
    });
}

#[test]
fn a_panic_in_a_task_releases_and_does_not_poison() {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .build()
        .unwrap();
    runtime.block_on(async {
        let panics = tokio::spawn(lock("panics").run_async(|| async { panic!("in the section") }));
        assert!(panics.await.unwrap_err().is_panic());
        assert!(is_free(lock("panics")));
    });
}

#[test]
fn not_blocking_and_timeouts_are_told() {
    let held = lock("told").acquire().unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .start_paused(true)
        .build()
        .unwrap();
    runtime.block_on(async {
        let busy = lock("told").blocking(false).acquire_async().await;
        assert!(matches!(busy, Err(Error::NotAcquired { .. })));
        let began = tokio::time::Instant::now();
        let hour = Duration::from_secs(3600);
        let late = lock("told").timeout(hour).acquire_async().await;
        assert!(matches!(late, Err(Error::Timeout { .. })));
        let waited = began.elapsed();
        assert!(
            waited >= hour - Duration::from_secs(60) && waited < hour * 2,
            "{waited:?}"
        );
    });
    drop(held);
    assert!(is_free(lock("told")));
}

#[test]
fn guards_are_send_and_may_be_released_by_another_thread() {
    fn is_send<T: Send>(value: T) -> T {
        value
    }
    let guard: AsyncGuard = block_on(is_send(lock("sent").acquire_async())).unwrap();
    let thread = std::thread::spawn(move || {
        assert!(!is_free(lock("sent")));
        guard.release();
    });
    thread.join().unwrap();
    assert!(is_free(lock("sent")));
}

#[test]
fn a_thread_whose_task_holds_the_lock_does_not_take_itself_for_the_holder() {
    let guard = block_on(lock("not-a-thread").acquire_async()).unwrap();
    let late = lock("not-a-thread")
        .timeout(Duration::from_millis(1))
        .acquire();
    assert!(matches!(late, Err(Error::Timeout { .. })), "{late:?}");
    drop(guard);
}

#[test]
fn two_branches_of_a_task_take_turns() {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .build()
        .unwrap();
    let branch = || {
        lock("branches").run_async(|| async {
            for _ in 0..3 {
                tokio::task::yield_now().await;
            }
            is_free(lock("branches"))
        })
    };
    let (one, two, three) = runtime.block_on(async { tokio::join!(branch(), branch(), branch()) });
    assert_eq!([one, two, three].map(Result::unwrap), [false; 3]);
}

#[test]
fn a_section_that_asks_for_its_own_lock_is_told_so() {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .build()
        .unwrap();
    let section = || async {
        tokio::task::yield_now().await;
        let as_task = lock("own").acquire_async().await.map(drop);
        let as_thread = lock("own").acquire().map(drop);
        let deeper = lock("other")
            .run_async(|| async { lock("own").acquire_async().await.map(drop) })
            .await
            .unwrap();
        [as_task, as_thread, deeper]
    };
    for asked in runtime.block_on(lock("own").run_async(section)).unwrap() {
        assert!(
            matches!(asked, Err(Error::WouldDeadlock { .. })),
            "{asked:?}"
        );
    }
    assert!(is_free(lock("own")) && is_free(lock("other")));
}

#[test]
fn a_thread_that_polls_one_section_may_wait_in_another() {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .build()
        .unwrap();
    runtime.block_on(async {
        let (enter, entered) = tokio::sync::oneshot::channel::<()>();
        let holder = tokio::spawn(lock("neighbour").run_async(|| async {
            enter.send(()).unwrap();
            for _ in 0..10 {
                tokio::task::yield_now().await;
            }
        }));
        entered.await.unwrap();
        // The same thread runs both tasks; this one is in no section.
        lock("neighbour").acquire_async().await.unwrap().release();
        holder.await.unwrap().unwrap();
    });
}

#[test]
fn containers_are_the_same_for_tasks() {
    static OURS: Semaphores = Semaphores::new();
    let runtime = tokio::runtime::Builder::new_current_thread()
        .build()
        .unwrap();
    let guard = runtime
        .block_on(lock("contained").semaphores(&OURS).acquire_async())
        .unwrap();
    assert!(is_free(lock("contained")));
    assert!(!is_free(lock("contained").semaphores(&OURS)));
    drop(guard);
    assert!(OURS.is_empty());
}

#[test]
fn waits_dropped_at_random_lose_nothing() {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .build()
        .unwrap();
    for fair in [false, true] {
        runtime.block_on(async {
            let tasks: Vec<_> = (0..6_u64)
                .map(|worker| {
                    tokio::spawn(async move {
                        for round in 0..400_u64 {
                            let acquiring = lock("random").fair(fair).acquire_async();
                            let give_up = async {
                                for _ in 0..(worker + round) % 5 {
                                    tokio::task::yield_now().await;
                                }
                            };
                            tokio::select! {
                                biased;
                                guard = acquiring => {
                                    tokio::task::yield_now().await;
                                    drop(guard);
                                }
                                () = give_up => {}
                            }
                        }
                    })
                })
                .collect();
            for task in tasks {
                task.await.unwrap();
            }
        });
        assert!(is_free(lock("random")));
    }
}
