//! The sessions of a coordinator, and the claims that they keep.

use std::collections::HashMap;
use std::io;
use std::sync::{Arc, Weak};

use tokio::sync::OwnedSemaphorePermit;

use super::claims::Place;
use super::options::Settings;
use super::session::{Backend, Lock, OnEnd, Session};
use crate::clock::BootTime;
use crate::engine::contract::{Claim, RequestError};
use crate::engine::losses::Losses;
use crate::engine::opening::Opening;
use crate::rt;
use crate::sync::{Mutex, lock};

pub(super) struct Sessions {
    settings: Arc<Settings>,
    on_end: OnEnd,
    opening: Opening,
    state: Mutex<State>,
    losses: Losses,
}

#[derive(Default)]
struct State {
    main: Option<Arc<Session>>,
    /// Sessions without a claim, since when.
    spares: Vec<(BootTime, Arc<Session>)>,
    places: HashMap<Arc<str>, Arc<Place>>,
    /// Sessions whose connection has ended, and which may hold locks until the server notices.
    ghosts: Vec<Backend>,
}

/// Idle sessions that are kept for waiters.
const KEPT: usize = 2;

impl Sessions {
    pub(super) fn new(settings: Settings) -> Arc<Self> {
        Arc::new_cyclic(|sessions: &Weak<Sessions>| Sessions {
            settings: Arc::new(settings),
            on_end: {
                let sessions = Weak::clone(sessions);
                Arc::new(move |number| {
                    if let Some(sessions) = sessions.upgrade() {
                        sessions.ended(number);
                    }
                })
            },
            opening: Opening::default(),
            state: Mutex::default(),
            losses: Losses::default(),
        })
    }

    pub(super) fn settings(&self) -> &Settings {
        &self.settings
    }

    /// The main session, opened if there is none.
    pub(super) async fn main(&self) -> Result<Arc<Session>, RequestError> {
        self.opening.share(|| self.current(), self.open()).await
    }

    fn current(&self) -> Option<Arc<Session>> {
        let main = lock(&self.state).main.clone();
        main.filter(|session| !session.has_ended())
    }

    async fn open(&self) -> Result<Arc<Session>, RequestError> {
        let session = Session::open(&self.settings, &self.on_end).await?;
        if self.settings.tokens {
            session.provide_tokens().await?;
        }
        // Before it says anything about a lock that an earlier session may hold.
        self.bury_through(&session).await?;
        lock(&self.state).main = Some(Arc::clone(&session));
        Ok(session)
    }

    /// A session without a claim.
    pub(super) async fn spare(&self) -> Result<Arc<Session>, RequestError> {
        loop {
            let Some((_, session)) = lock(&self.state).spares.pop() else {
                break;
            };
            if !session.has_ended() {
                return Ok(session);
            }
        }
        let session = Session::open(&self.settings, &self.on_end).await?;
        session.watch_client().await;
        Ok(session)
    }

    pub(super) fn place(&self, claim: &Claim) -> Option<Arc<Place>> {
        lock(&self.state).places.get(&claim.id).cloned()
    }

    /// Sends a request for a lock.
    pub(super) fn enter(
        &self,
        claim: &Claim,
        session: Arc<Session>,
        kind: Lock,
        permit: Option<OwnedSemaphorePermit>,
    ) -> Arc<Place> {
        let key = self.settings.keys.of(&claim.name);
        let place = Place::enter(session, key, kind, permit);
        let id = Arc::clone(&claim.id);
        lock(&self.state).places.insert(id, Arc::clone(&place));
        place
    }

    /// Forgets a claim that holds nothing.
    pub(super) fn remove(&self, claim: &Claim) {
        let mut state = lock(&self.state);
        let Some(place) = state.places.remove(&claim.id) else {
            return;
        };
        let is_free = place.waits() && !place.may_hold() && !place.session.has_ended();
        if is_free && state.spares.len() < KEPT {
            let session = Arc::clone(&place.session);
            state.spares.push((BootTime::now(), session));
        }
    }

    /// The session that holds the lock of a claim.
    pub(super) fn keeping(&self, claim: &Claim) -> Option<Arc<Session>> {
        let place = self.place(claim)?;
        let holds = place.may_hold() && !place.session.has_ended();
        holds.then(|| Arc::clone(&place.session))
    }

    pub(super) async fn ping(
        &self,
        session: &Arc<Session>,
        asked: BootTime,
    ) -> Result<BootTime, RequestError> {
        let outcome = session.ping(asked, self.settings.request_limit).await;
        if outcome.is_err() {
            self.unanswered(session);
        }
        outcome
    }

    /// Gives a session up that does not answer, if it has nothing to lose any more.
    pub(super) fn unanswered(&self, session: &Arc<Session>) {
        let holds = |place: &Arc<Place>| place.session.number == session.number && place.holds();
        let holds_nothing = !lock(&self.state).places.values().any(holds);
        if holds_nothing || session.until() <= BootTime::now() {
            self.end(session);
        }
    }

    /// Ends a session. What it holds is lost.
    pub(super) fn end(&self, session: &Arc<Session>) {
        self.ended(session.number);
        session.close();
    }

    /// Records the end of a session.
    pub(super) fn ended(&self, number: u64) {
        let mut state = lock(&self.state);
        let State {
            main,
            spares,
            places,
            ghosts,
        } = &mut *state;
        main.take_if(|main| main.number == number);
        spares.retain(|(_, spare)| spare.number != number);
        let mut lost = Vec::new();
        for (id, place) in places.iter() {
            if place.session.number != number {
                continue;
            }
            if place.holds() {
                lost.push(Arc::clone(id));
            }
            if !ghosts.contains(&place.session.backend) {
                ghosts.push(place.session.backend);
            }
        }
        self.losses.add(lost);
    }

    /// Waits for claims that have lost their lock.
    pub(super) async fn lost(&self) -> Vec<Arc<str>> {
        self.losses.take().await
    }

    /// Makes sure that sessions whose connection has ended hold no locks any more.
    pub(super) async fn bury(&self) -> Result<(), RequestError> {
        if lock(&self.state).ghosts.is_empty() {
            return Ok(());
        }
        let main = self.main().await?;
        self.bury_through(&main).await
    }

    async fn bury_through(&self, session: &Session) -> Result<(), RequestError> {
        let ghosts = lock(&self.state).ghosts.clone();
        for ghost in ghosts {
            if !session
                .terminate(ghost, self.settings.request_limit)
                .await?
            {
                let problem = "a session whose connection has ended is still there";
                return Err(RequestError::not_sent(io::Error::other(problem)));
            }
            lock(&self.state).ghosts.retain(|other| *other != ghost);
        }
        Ok(())
    }

    /// Keeps the main session while it is idle, and closes others.
    pub(super) fn keep(self: &Arc<Self>) {
        let sessions = Arc::downgrade(self);
        let pause = self.settings.lease.duration / 3;
        tokio::spawn(async move {
            loop {
                rt::sleep(pause).await;
                let Some(sessions) = sessions.upgrade() else {
                    return;
                };
                let now = BootTime::now();
                let idle = |since: BootTime| now.since(since) >= pause;
                lock(&sessions.state)
                    .spares
                    .retain(|(since, _)| !idle(*since));
                if let Some(main) = sessions.current() {
                    let _ = sessions.ping(&main, now).await;
                }
            }
        });
    }
}
