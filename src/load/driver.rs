//! One thread of the load generator: a loop that begins what is due and takes in what has come.
//!
//! One epoll instance for all its slots. As fast as possible, a slot that has its answer begins the
//! next announce at once; at a rate the loop also wakes for the next one that is due. In both cases
//! no more announces are under way than there are slots. A slot's deadline is looked at 20 times a
//! second.

use std::collections::VecDeque;
use std::net::{Ipv4Addr, SocketAddr};

use rustix::buffer::spare_capacity;
use rustix::event::{PollFd, PollFlags, Timespec, epoll, poll};
use rustix::io::Errno;

use super::crowd::Crowd;
use super::message::{Form, Messages};
use super::pace::{Pace, Span};
use super::slot::{Means, Slot, Turn};
use super::socket::Trouble;
use super::tally::Tally;
use super::{Plan, Way};
use crate::clock::Stopwatch;
use crate::limits::{HTTP_READ_BYTES, LOAD_FAILURES_MAX};
use crate::request::Event;

/// Events taken from the kernel at once.
const EVENTS: usize = 256;
/// Between two looks for announces that have taken too long, in nanoseconds.
const LOOK_NANOS: u64 = 50_000_000;

/// See the module.
#[derive(Debug)]
pub struct Driver<'p> {
    means: Means<'p>,
    watch: Stopwatch,
    slots: Vec<Slot>,
    /// Slots that may begin an announce, the one that has waited longest first.
    idle: VecDeque<usize>,
    /// How many have an announce under way, or a connection that is about to be closed.
    busy: usize,
    /// When deadlines are looked at next.
    look_at: u64,
    /// What has happened since it was taken last.
    pub tally: Tally,
    /// When the last answer came.
    pub answered_at: u64,
}

impl<'p> Driver<'p> {
    /// The `nth` of the plan's threads.
    pub fn new(
        plan: &'p Plan,
        crowd: &'p Crowd,
        watch: Stopwatch,
        nth: u32,
    ) -> Result<Driver<'p>, String> {
        let epoll = epoll::create(epoll::CreateFlags::CLOEXEC)
            .map_err(|error| format!("epoll: {}", std::io::Error::from(error)))?;
        let numbers = (nth..plan.connections).step_by(plan.threads as usize);
        let slots: Vec<Slot> = numbers
            .enumerate()
            .map(|(token, number)| {
                let lane = crowd.lane(number, plan.connections);
                Slot::new(token as u64, source(plan, number), lane)
            })
            .collect();
        let messages = Messages::new(Form {
            authority: plan.authority.clone(),
            target: plan.target.clone(),
            numwant: plan.numwant,
            keep: plan.way == Way::Keep,
            names_address: plan.names_addresses,
        });
        let buffer = vec![0; HTTP_READ_BYTES];
        let means = Means { plan, crowd, epoll, messages, buffer, event: Event::Update };
        Ok(Driver {
            means,
            watch,
            slots,
            idle: VecDeque::new(),
            busy: 0,
            look_at: 0,
            tally: Tally::default(),
            answered_at: 0,
        })
    }

    /// Announces every peer once, as fast as possible, as one that has just started.
    pub fn fill(&mut self) -> Result<(), String> {
        self.means.event = Event::Started;
        for slot in &mut self.slots {
            slot.quota = u64::from(slot.peers());
        }
        let pace = Pace::new(self.watch.nanos(), Span::Count(u64::MAX), None);
        self.run(pace)
    }

    /// Announces as the plan says, from this moment on; `share` is what of a count is this
    /// thread's.
    pub fn measure(&mut self, begun: u64, share: Span) -> Result<(), String> {
        self.means.event = Event::Update;
        for slot in &mut self.slots {
            slot.quota = u64::MAX;
        }
        let plan = self.means.plan;
        self.run(Pace::new(begun, share, plan.rate.map(|rate| (rate, plan.threads))))
    }

    fn run(&mut self, mut pace: Pace) -> Result<(), String> {
        self.idle = (0..self.slots.len()).collect();
        self.busy = 0;
        let mut events = Vec::with_capacity(EVENTS);
        loop {
            self.begin_due(&mut pace)?;
            let now = self.watch.nanos();
            let due = pace.next_due(now).filter(|_| !self.idle.is_empty());
            let gives_up = self.tally.failed_in_a_row() >= LOAD_FAILURES_MAX;
            if (self.busy == 0 && due.is_none()) || gives_up {
                self.tally.left_out += pace.left_out();
                return Ok(());
            }
            self.wait(now, due.unwrap_or(u64::MAX), &mut events)?;
            for event in &events {
                let token = event.data.u64() as usize;
                let now = self.watch.nanos();
                self.turn(token, |slot, means| slot.go_on(means, now))?;
            }
            self.look_for_overdue()?;
        }
    }

    /// Begins what is due on the slots that may, each once at the most.
    fn begin_due(&mut self, pace: &mut Pace) -> Result<(), String> {
        for _ in 0..self.idle.len() {
            let now = self.watch.nanos();
            let Some(due) = pace.take(now) else { break };
            let Some(token) = self.idle.pop_front() else { break };
            self.busy += 1;
            let slot = &mut self.slots[token];
            slot.due = due;
            slot.deadline = now + self.means.plan.timeout_nanos;
            let begun = slot.begin(&mut self.means, now);
            self.settle(token, begun)?;
        }
        Ok(())
    }

    /// Waits until a slot is ready, until an announce is due, or until it is time to look for
    /// overdue ones.
    fn wait(&mut self, now: u64, due: u64, events: &mut Vec<epoll::Event>) -> Result<(), String> {
        let failed = |error: Errno| format!("epoll: {}", std::io::Error::from(error));
        let nanos = due.min(self.look_at).saturating_sub(now);
        let pause = Timespec { tv_sec: 0, tv_nsec: nanos.min(LOOK_NANOS).cast_signed() };
        // Without a rate the wait is to be long enough for anything; at a rate ppoll waits for
        // epoll, whose own timeout is in whole milliseconds.
        let mut timeout = Some(pause);
        if self.means.plan.rate.is_some() {
            match poll(&mut [PollFd::new(&self.means.epoll, PollFlags::IN)], Some(&pause)) {
                Ok(_) | Err(Errno::INTR) => {}
                Err(error) => return Err(failed(error)),
            }
            timeout = Some(Timespec::default());
        }
        events.clear();
        match epoll::wait(&self.means.epoll, spare_capacity(events), timeout.as_ref()) {
            Ok(_) | Err(Errno::INTR) => Ok(()),
            Err(error) => Err(failed(error)),
        }
    }

    fn look_for_overdue(&mut self) -> Result<(), String> {
        let now = self.watch.nanos();
        if now < self.look_at {
            return Ok(());
        }
        self.look_at = now + LOOK_NANOS;
        for token in 0..self.slots.len() {
            if !self.slots[token].is_idle() && self.slots[token].deadline <= now {
                self.turn(token, |slot, _| slot.give_up())?;
            }
        }
        Ok(())
    }

    /// Lets a slot go on.
    fn turn(
        &mut self,
        token: usize,
        go_on: impl FnOnce(&mut Slot, &mut Means<'p>) -> Result<Turn, Trouble>,
    ) -> Result<(), String> {
        let slot = &mut self.slots[token];
        let idle = slot.is_idle();
        let turn = go_on(slot, &mut self.means);
        // Without an announce under way, at the most its connection has been closed.
        if idle { Ok(()) } else { self.settle(token, turn) }
    }

    /// Counts what has come of a slot's turn, and sees whether it may begin again.
    fn settle(&mut self, token: usize, turn: Result<Turn, Trouble>) -> Result<(), String> {
        let slot = &mut self.slots[token];
        match turn {
            Ok(Turn::Waits | Turn::Left) => {}
            Ok(Turn::Answered(peers)) => {
                self.answered_at = self.watch.nanos();
                self.tally.answer(self.answered_at.saturating_sub(slot.due), peers);
            }
            Err(Trouble::Fault(fault)) => {
                slot.disconnect();
                self.tally.fail(fault);
            }
            Err(Trouble::Fatal(text)) => return Err(text),
        }
        if slot.is_idle() {
            self.busy -= 1;
            if slot.quota > 0 {
                self.idle.push_back(token);
            }
        }
        Ok(())
    }
}

/// The address from which a slot announces; `None` for the host's choice.
fn source(plan: &Plan, slot: u32) -> Option<SocketAddr> {
    if plan.clients < 2 {
        return None;
    }
    let client = slot % plan.clients + 1;
    let [_, b, c, d] = client.to_be_bytes();
    // From 127.128.0.1 on: nobody looks for a service there.
    Some(SocketAddr::from((Ipv4Addr::new(127, 128 | b, c, d), 0)))
}
