//! The keeper: the one task that owns a board's power, and runs its setup script.
//!
//! Whoever asks for power hands over a request and may leave: the deed is done all the same. What
//! is about to be done is written down before the first packet leaves, so a restart goes on where
//! a crash cut it short. What to do next is [`crate::rules::power`]'s to say; speaking to a
//! controller, one at a time, is [`controller`]'s.

pub mod controller;
pub mod setup;

use std::collections::VecDeque;
use std::iter;
use std::sync::Arc;

use parking_lot::Mutex;
use protocol::board::BoardName;
use protocol::hold::Ended;
use protocol::journal::{By, Event};
use protocol::power::{PowerAsk, PowerDetail, PowerState};
use protocol::{Error, Span, Time};
use tokio::sync::{Notify, oneshot};
use tokio::time::{Duration, sleep};

use crate::clock::Clock;
use crate::journal::{Mark, Recording};
use crate::ledger::{Commit, Draft, Ledger, Write};
use crate::power::{self, Outlet, Power};
use crate::rules::power::{Job, Limits, Next, Seen, Step};
use crate::watcher::Watcher;
use controller::{Controller, Controllers};

/// How often an outlet is looked at while it is to obey: at first, and at most.
const LOOK: (Duration, Duration) = (Duration::from_millis(50), Duration::from_secs(1));

/// The key under which a board's job in hand is written down.
pub fn job_key(board: &BoardName) -> String {
    format!("job/{board}")
}

/// The key under which it is written down how a board's outlet was last seen.
pub fn seen_key(board: &BoardName) -> String {
    format!("power/{board}")
}

/// What is known of a board's power from the daemon's last run.
#[derive(Debug, Clone, Default)]
pub struct Known {
    /// The job that was in hand; it is finished first.
    pub job: Option<Job>,
    /// How the outlet was seen last. Nobody is shown that; but if it stands otherwise now, the
    /// timeline says so.
    pub seen: PowerState,
}

/// A board's keeper. Dropping the last handle ends its task after the job in hand.
pub struct Keeper {
    shared: Arc<Shared>,
    _alive: oneshot::Sender<()>,
}

struct Shared {
    board: BoardName,
    wiring: Mutex<Arc<Wiring>>,
    controllers: Controllers,
    /// Held while a job is in hand.
    turn: tokio::sync::Mutex<()>,
    ledger: Ledger,
    clock: Clock,
    mark: Arc<Mark>,
    recording: Option<Arc<Recording>>,
    watcher: Arc<Watcher>,
    state: Mutex<State>,
    asked: Notify,
}

/// What a keeper keeps.
struct Wiring {
    outlet: Outlet,
    controller: Arc<Controller>,
    limits: Limits,
    sweep: Span,
}

#[derive(Default)]
struct State {
    charge: Charge,
    seen: PowerState,
    seen_at: Option<Time>,
    /// As the timeline has it.
    written: PowerState,
    fault: Option<String>,
    job: Option<Pending>,
    queue: VecDeque<Pending>,
    /// Whose job ended last and how, if that could not be written down: the job would be done again
    /// by the next daemon.
    unwritten: Option<(By, Event)>,
    /// What is asked under an older hold is refused.
    fence: u64,
}

/// Whether the outlet is the keeper's.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
enum Charge {
    /// Not yet: what is asked for waits.
    #[default]
    Later,
    /// It is.
    Now,
    /// Not any more: what is asked for is refused.
    Over,
}

/// A job, and all who wait for it.
struct Pending {
    /// As it was when it was asked for, or when the daemon last ran.
    job: Job,
    /// Who asked for the same before it was begun.
    also: Vec<By>,
    /// The newest hold under which it was asked for; none if the lab or an administrator did.
    hold: Option<u64>,
    answers: Vec<oneshot::Sender<Result<(), Error>>>,
}

/// Everything a keeper stands on.
pub struct Ground {
    /// Where the events are.
    pub ledger: Ledger,
    /// What time it is.
    pub clock: Clock,
    /// What to touch when the board looks different.
    pub mark: Arc<Mark>,
    /// How far the board's console has come.
    pub recording: Option<Arc<Recording>>,
    /// Who is told that power changes.
    pub watcher: Arc<Watcher>,
    /// The devices behind all outlets.
    pub controllers: Controllers,
}

/// How an outlet is kept.
#[derive(Debug, Clone, Copy)]
pub struct Care {
    /// The times of a job.
    pub limits: Limits,
    /// How often the outlet is asked how it stands.
    pub sweep: Span,
}

impl Keeper {
    /// Starts the task that will own `outlet`, see [`Keeper::take`].
    pub fn start(
        board: BoardName,
        outlet: Outlet,
        care: Care,
        known: Known,
        ground: Ground,
    ) -> Keeper {
        let Ground { ledger, clock, mark, recording, watcher, controllers } = ground;
        let queue = known
            .job
            .map(|job| Pending { job, also: Vec::new(), hold: None, answers: Vec::new() })
            .into_iter()
            .collect();
        let shared = Arc::new(Shared {
            wiring: Mutex::new(Arc::new(Wiring::new(outlet, care, &controllers))),
            board,
            controllers,
            turn: tokio::sync::Mutex::default(),
            ledger,
            clock,
            mark,
            recording,
            watcher,
            state: Mutex::new(State { queue, written: known.seen, ..State::default() }),
            asked: Notify::new(),
        });
        let (alive, mut ended) = oneshot::channel::<()>();
        tokio::spawn({
            let shared = shared.clone();
            async move {
                loop {
                    while shared.work_off().await {}
                    tokio::select! {
                        () = shared.asked.notified() => {}
                        () = shared.watch() => {}
                        _ = &mut ended => return,
                    }
                }
            }
        });
        Keeper { shared, _alive: alive }
    }

    /// Which outlet it keeps.
    pub fn outlet(&self) -> Outlet {
        self.shared.wiring().outlet.clone()
    }

    /// Keeps this outlet so from now on. If it keeps another, [`Keeper::let_go`] comes first; a job in
    /// hand goes on with the new times.
    pub fn take(&self, outlet: Outlet, care: Care) {
        let mut state = self.shared.state.lock();
        if self.shared.wiring().outlet != outlet {
            (state.seen, state.seen_at, state.fault) = (PowerState::Unknown, None, None);
        }
        *self.shared.wiring.lock() = Arc::new(Wiring::new(outlet, care, &self.shared.controllers));
        state.charge = Charge::Now;
        drop(state);
        self.shared.asked.notify_one();
    }

    /// Lets go of the outlet: what is not begun waits for [`Keeper::take`]. What is returned waits until
    /// the job in hand is done.
    pub fn let_go(&self) -> impl Future<Output = ()> {
        self.shared.state.lock().charge = Charge::Later;
        self.idle()
    }

    /// Lets go of the outlet for good: what is not begun is refused.
    pub fn end(&self) -> impl Future<Output = ()> {
        let mut state = self.shared.state.lock();
        state.charge = Charge::Over;
        // Who waits for an answer hears that the board is gone.
        state.queue.clear();
        drop(state);
        self.idle()
    }

    async fn idle(&self) {
        drop(self.shared.turn.lock().await);
    }

    /// Asks for power, under a hold if there is one. Returns when it is done and seen to be done; the deed does not depend on
    /// the caller's patience. Who asks for what is asked for already waits for the same deed.
    ///
    /// # Errors
    /// [`Error::Device`], [`Error::CannotRecord`]; [`Error::HoldOver`].
    pub async fn ask(&self, ask: PowerAsk, by: By, hold: Option<u64>) -> Result<(), Error> {
        let (answer, answered) = oneshot::channel();
        let joined = {
            let mut state = self.shared.state.lock();
            if state.charge == Charge::Over {
                return Err(self.shared.gone());
            }
            // The hold may have ended since the caller was found to have it.
            if let Some(number) = hold.filter(|number| *number < state.fence) {
                return Err(self.shared.over(number, &Ended::Unknown));
            }
            let State { job, queue, .. } = &mut *state;
            let is_begun = queue.is_empty();
            match queue.back_mut().or(job.as_mut()) {
                Some(last) if last.job.ask == ask => {
                    last.hold = last.hold.zip(hold).map(|(one, other)| one.max(other));
                    last.answers.push(answer);
                    if is_begun {
                        Some(self.shared.stage(by, Event::PowerJoined { ask }, Vec::new()))
                    } else {
                        last.also.push(by);
                        None
                    }
                }
                _ => {
                    let job = Job::new(ask, by, self.shared.clock.steady());
                    let (also, answers) = (Vec::new(), vec![answer]);
                    queue.push_back(Pending { job, also, hold, answers });
                    None
                }
            }
        };
        self.shared.asked.notify_one();
        self.shared.mark.touch();
        if let Some(joined) = joined {
            settled(joined).await?;
        }
        answered.await.unwrap_or_else(|_| Err(self.shared.gone()))
    }

    /// What was asked for under a hold older than `newest`, and is not begun, is not done any more: the
    /// board is somebody else's. A job that is begun is finished: half a cycle is worse than a whole one.
    pub fn cut(&self, newest: u64, how: &Ended) {
        let is_over = |pending: &Pending| pending.hold.is_some_and(|number| number < newest);
        let over: VecDeque<Pending> = {
            let mut state = self.shared.state.lock();
            state.fence = newest.max(state.fence);
            let (over, stays) = std::mem::take(&mut state.queue).into_iter().partition(is_over);
            state.queue = stays;
            over
        };
        for Pending { hold, answers, .. } in over {
            let told = self.shared.over(hold.unwrap_or_default(), how);
            for answer in answers {
                // Who has left does not hear it.
                let _ = answer.send(Err(told.clone()));
            }
        }
    }

    /// Asks the outlet how it stands, and remembers the answer.
    ///
    /// # Errors
    /// [`Error::Device`].
    pub async fn look(&self) -> Result<(), Error> {
        self.shared.look_out().await.map(drop).map_err(|error| self.shared.device(&error))
    }

    /// How the outlet stands, as last seen.
    pub fn detail(&self) -> PowerDetail {
        let state = self.shared.state.lock();
        PowerDetail {
            outlet: self.outlet().to_string(),
            state: state.seen,
            seen: state.seen_at,
            doing: state.job.as_ref().or(state.queue.front()).map(|pending| pending.job.ask),
            fault: state.fault.clone(),
        }
    }
}

impl Wiring {
    fn new(outlet: Outlet, Care { limits, sweep }: Care, controllers: &Controllers) -> Wiring {
        Wiring { controller: controllers.get(&outlet.controller()), outlet, limits, sweep }
    }
}

impl Shared {
    fn wiring(&self) -> Arc<Wiring> {
        self.wiring.lock().clone()
    }

    /// Does the next job, if there is one.
    async fn work_off(&self) -> bool {
        let _turn = self.turn.lock().await;
        let next = {
            let mut state = self.state.lock();
            if state.charge != Charge::Now {
                return false;
            }
            state.job = state.queue.pop_front();
            // Under the lock: who joins it from now on comes after it on the timeline.
            state.job.as_mut().map(|pending| self.begin(pending))
        };
        let Some((job, begun)) = next else { return false };
        let outcome = self.work(job, begun).await;
        let answers = {
            let mut state = self.state.lock();
            state.fault = outcome.as_ref().err().map(Error::to_string);
            state.job.take().map(|pending| pending.answers).unwrap_or_default()
        };
        self.mark.touch();
        for answer in answers {
            // Who has left does not hear it.
            let _ = answer.send(outcome.clone());
        }
        true
    }

    /// Writes down what is about to be done, and all who asked for it.
    fn begin(&self, pending: &mut Pending) -> (Job, Commit) {
        let step = pending.job.step;
        let job = pending.job.clone().entering(step, self.clock.steady());
        let ask = job.ask;
        let write = Write::put(job_key(&self.board), &job);
        let asked = self.draft(job.by.clone(), Event::PowerAsked { ask }, vec![write]);
        let also = pending.also.drain(..);
        let joined = also.map(|by| self.draft(by, Event::PowerJoined { ask }, Vec::new()));
        let begun = self.ledger.stage_all(iter::once(asked).chain(joined));
        (job, begun)
    }

    /// One job from intent to end, each step on the timeline before it is taken. If a step cannot be
    /// written down it is taken all the same: what was asked for is on disk, and a board that stays
    /// off because a disk is full helps nobody.
    async fn work(&self, mut job: Job, begun: Commit) -> Result<(), Error> {
        settled(begun).await?;
        self.state.lock().unwritten = None;
        let (mut announced, mut told) = (false, false);
        let mut seen = Seen::Unclear;
        let mut pause = LOOK.0;
        let (mut trouble, mut aim) = (None, None);
        loop {
            if let Seen::At(is_on) = seen
                && aim == Some(is_on)
            {
                self.watcher.notice(is_on, self.offset());
            }
            let Wiring { outlet, controller, limits, .. } = &*self.wiring();
            match job.next(told, seen, self.clock.steady(), *limits) {
                Next::Tell(on) => {
                    // Once for all tries, and not before there is one.
                    if !announced && controller.is_open() {
                        let event = Event::PowerSent { to: Some(on).into() };
                        self.try_to_write(self.write(&job, event)).await?;
                        announced = true;
                    }
                    aim = Some(on);
                    // That it is off is known when it is seen.
                    if on || !outlet.can_tell() {
                        self.watcher.switch(on, self.offset());
                    }
                    match controller.speak(|| outlet.set(on)).await {
                        Ok(()) => (told, pause) = (true, LOOK.0),
                        Err(error) if job.is_untouched() && is_final(&error) => {
                            self.look_for(&mut None).await;
                            return self.give_up(&job, &error).await;
                        }
                        Err(error) => trouble = Some(error),
                    }
                    seen = self.look_for(&mut trouble).await;
                    if !told {
                        pause = self.back_off(pause).await;
                    }
                }
                Next::Reset => match controller.speak(|| outlet.reset()).await {
                    Ok(()) => {
                        told = true;
                        self.watcher.reset(self.offset());
                    }
                    Err(error) if is_final(&error) => return self.give_up(&job, &error).await,
                    Err(error) => {
                        trouble = Some(error);
                        pause = self.back_off(pause).await;
                    }
                },
                Next::Look => {
                    pause = self.back_off(pause).await;
                    seen = self.look_for(&mut trouble).await;
                }
                Next::Rest(until) => self.clock.until_steady(until).await,
                Next::Enter(step) => {
                    job = job.entering(step, self.clock.steady());
                    (announced, told, seen) = (false, false, Seen::Unclear);
                    self.try_to_write(self.write_job(&job)).await?;
                }
                Next::Done => {
                    let done = Event::PowerDone { ask: job.ask };
                    return self.write_end(job.by, done).await;
                }
                Next::GiveUp => {
                    let trouble = trouble.unwrap_or_else(|| self.disobeyed(seen));
                    return self.give_up(&job, &trouble).await;
                }
            }
        }
    }

    async fn give_up(&self, job: &Job, trouble: &power::Error) -> Result<(), Error> {
        let failed = Event::PowerFailed { ask: job.ask, why: trouble.to_string() };
        self.write_end(job.by.clone(), failed).await?;
        Err(self.device(trouble))
    }

    async fn back_off(&self, pause: Duration) -> Duration {
        sleep(pause).await;
        (pause * 3 / 2).min(LOOK.1)
    }

    async fn look_for(&self, trouble: &mut Option<power::Error>) -> Seen {
        if !self.wiring().outlet.can_tell() {
            return Seen::Mute;
        }
        match self.look().await {
            Ok(PowerState::On) => Seen::At(true),
            Ok(PowerState::Off) => Seen::At(false),
            Ok(PowerState::Unknown | PowerState::None) => Seen::Unclear,
            Err(error) => {
                *trouble = Some(error);
                Seen::Unclear
            }
        }
    }

    fn disobeyed(&self, seen: Seen) -> power::Error {
        let Wiring { outlet, limits, .. } = &*self.wiring();
        let device = outlet.to_string();
        match seen {
            Seen::At(on) => power::Error::Disobeyed { device, on },
            _ => power::Error::Silent { device, limit: limits.obey.duration() },
        }
    }

    /// Waits for the time of the next sweep, and looks.
    async fn watch(&self) {
        while let Some((by, event)) = self.unwritten().filter(|_| !self.ledger.is_closed()) {
            sleep(LOOK.1).await;
            // If it fails it is remembered again; who asked was told the first time.
            let _ = self.write_end(by, event).await;
        }
        if self.state.lock().seen_at.is_some() {
            sleep(self.wiring().sweep.duration()).await;
        }
        if self.state.lock().charge != Charge::Now || !self.wiring().outlet.can_tell() {
            return std::future::pending().await;
        }
        // What is wrong shows on the board.
        let _ = self.look_out().await;
    }

    /// Looks, and remembers what went wrong.
    async fn look_out(&self) -> Result<PowerState, power::Error> {
        let seen = self.look().await;
        let fault = seen.as_ref().err().map(ToString::to_string);
        let mut state = self.state.lock();
        if state.fault != fault {
            state.fault = fault;
            drop(state);
            self.mark.touch();
        }
        seen
    }

    fn unwritten(&self) -> Option<(By, Event)> {
        self.state.lock().unwritten.clone()
    }

    /// Asks the outlet, remembers the answer, and writes it down if the timeline has another. That an
    /// outlet is between the two while it obeys goes without saying.
    async fn look(&self) -> Result<PowerState, power::Error> {
        let wiring = self.wiring();
        let answer = wiring.controller.speak(|| wiring.outlet.get()).await;
        let seen = answer.as_ref().map_or(PowerState::Unknown, |on| (*on).into());
        let (changed, news, is_at_rest) = {
            let mut state = self.state.lock();
            if self.wiring().outlet != wiring.outlet {
                return answer.map(PowerState::from);
            }
            state.seen_at = Some(self.clock.now());
            let changed = std::mem::replace(&mut state.seen, seen) != seen;
            let obeys = seen == PowerState::Unknown && state.job.is_some();
            let news = !obeys && std::mem::replace(&mut state.written, seen) != seen;
            (changed, news, state.job.is_none())
        };
        if news {
            let write = Write::put(seen_key(&self.board), &seen);
            drop(self.stage(By::default(), Event::PowerSeen { state: seen }, vec![write]));
        }
        if let Ok(Some(is_on)) = answer
            && is_at_rest
        {
            self.watcher.notice(is_on, self.offset());
        }
        if changed {
            self.mark.touch();
        }
        answer.map(PowerState::from)
    }

    /// Writes an event down with the job as it is now in hand; returns when it is on disk.
    async fn write(&self, job: &Job, event: Event) -> Result<(), Error> {
        let write = Write::put(job_key(&self.board), job);
        settled(self.stage(job.by.clone(), event, vec![write])).await
    }

    /// Writes a step down. If that fails the step is taken all the same; unless the lab is closed,
    /// for then it is the next daemon's.
    async fn try_to_write(
        &self,
        writing: impl Future<Output = Result<(), Error>>,
    ) -> Result<(), Error> {
        match writing.await {
            Err(error) if self.ledger.is_closed() => Err(error),
            Err(error) => {
                tracing::error!(board = %self.board, %error, "a step is taken that is not on the timeline");
                Ok(())
            }
            Ok(()) => Ok(()),
        }
    }

    /// Writes down how somebody's job ended; what cannot be written is tried again.
    async fn write_end(&self, by: By, event: Event) -> Result<(), Error> {
        let write = Write::Delete(job_key(&self.board));
        let written = settled(self.stage(by.clone(), event.clone(), vec![write])).await;
        self.state.lock().unwritten = written.is_err().then_some((by, event));
        written
    }

    /// Writes down that the job has come a step further.
    async fn write_job(&self, job: &Job) -> Result<(), Error> {
        let to = match job.step {
            Step::On | Step::Back | Step::Reset => PowerState::On,
            Step::Off | Step::Dwell => PowerState::Off,
        };
        self.write(job, Event::PowerStep { to }).await
    }

    fn stage(&self, by: By, event: Event, writes: Vec<Write>) -> Commit {
        self.ledger.stage(self.draft(by, event, writes))
    }

    fn draft(&self, by: By, event: Event, writes: Vec<Write>) -> Draft {
        let offset = self.recording.as_ref().map(|recording| recording.end());
        Draft { by, board: Some(self.board.clone()), offset, event, writes }
    }

    /// How far the board's console has come.
    fn offset(&self) -> u64 {
        self.recording.as_ref().map_or(0, |recording| recording.end())
    }

    fn device(&self, error: &power::Error) -> Error {
        Error::Device { device: self.wiring().outlet.to_string(), why: error.to_string() }
    }

    fn over(&self, number: u64, how: &Ended) -> Error {
        Error::HoldOver { board: self.board.clone(), number, how: how.to_string() }
    }

    fn gone(&self) -> Error {
        let why = "the board was taken out of the lab".to_owned();
        Error::Device { device: self.wiring().outlet.to_string(), why }
    }
}

async fn settled(commit: Commit) -> Result<(), Error> {
    commit.await.map(drop).map_err(|error| Error::CannotRecord { why: error.to_string() })
}

/// Whether asking again would bring the same answer: a device that says no is not a device that is slow.
fn is_final(error: &power::Error) -> bool {
    matches!(error, power::Error::Refused { .. })
}
