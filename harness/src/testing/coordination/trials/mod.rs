//! The trial of each promise, one file per family.

mod amounts;
mod cancellation;
mod connection;
mod exclusion;
mod loss;
mod processes;
mod waiting;

use super::client::Coordinator;
use super::context::Context;
use super::outcome::Step;
use super::promise::Promise;

pub(super) fn run<C: Coordinator>(promise: Promise, context: &Context<'_, C>) -> Step {
    match promise {
        Promise::Threads => exclusion::threads(context),
        Promise::Tasks => exclusion::tasks(context),
        Promise::Processes => exclusion::processes(context),
        Promise::Busy => waiting::busy(context),
        Promise::HandOver => waiting::hand_over(context),
        Promise::Death => processes::death(context),
        Promise::Panic => exclusion::panic(context),
        Promise::Tokens => processes::tokens(context),
        Promise::Restart => connection::restart(context),
        Promise::Silence => loss::silence(context),
        Promise::CutOff => loss::cut_off(context),
        Promise::Deleted => loss::deleted(context),
        Promise::StoppedHolder => processes::stopped_holder(context),
        Promise::StaleRelease => processes::stale_release(context),
        Promise::Reset => connection::reset(context),
        Promise::LateRenewal => connection::late_renewal(context),
        Promise::Cancelled => cancellation::cancelled(context),
        Promise::RequestInFlight => cancellation::request_in_flight(context),
        Promise::AnswerInFlight => cancellation::answer_in_flight(context),
        Promise::CancelledWait => cancellation::cancelled_wait(context),
        Promise::LostAnswer => cancellation::lost_answer(context),
        Promise::LostRelease => cancellation::lost_release(context),
        Promise::Timeout => waiting::timeout(context),
        Promise::Outage => connection::outage(context),
        Promise::Forked => processes::forked(context),
        Promise::ManyLocks => amounts::many_locks(context),
        Promise::Names => amounts::names(context),
        Promise::BlockedExecutor => amounts::blocked_executor(context),
    }
}
