//! What became of the announces: how many were answered and how fast, what went wrong with others.
//!
//! One for each thread, merged at the end. Of each kind of fault the first one's words are kept, so
//! that a report can say what a tracker's answers were like without keeping them all.

use super::histogram::Histogram;

/// What can go wrong with an announce.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Nobody listens there.
    Refused,
    /// The connection was closed or reset before the whole reply had come.
    Reset,
    /// No whole reply within the timeout; over UDP what is lost looks like this too.
    TimedOut,
    /// The tracker has refused, in words.
    FailureReason,
    /// The reply is not what its protocol asks for.
    Malformed,
}

impl Kind {
    /// All there are, in the order in which they are shown.
    pub const ALL: [Kind; 5] =
        [Kind::Refused, Kind::Reset, Kind::TimedOut, Kind::FailureReason, Kind::Malformed];

    /// As people read it; with underscores for the blanks it is the key of the JSON.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Kind::Refused => "refused",
            Kind::Reset => "reset",
            Kind::TimedOut => "timed out",
            Kind::FailureReason => "failure reason",
            Kind::Malformed => "malformed",
        }
    }
}

/// Why an announce came to nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// See [`Kind`].
    pub kind: Kind,
    /// What exactly; empty where the kind says all.
    pub text: String,
}

impl Fault {
    /// A fault of this kind.
    #[must_use]
    pub fn new(kind: Kind, text: impl Into<String>) -> Fault {
        Fault { kind, text: text.into() }
    }
}

/// How often one kind of fault came.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Faults {
    /// How often.
    pub count: u64,
    /// What the first one said.
    pub example: String,
}

/// The counts of one thread, or of all.
#[derive(Clone, Debug, Default)]
pub struct Tally {
    /// Announces with a reply as it should be.
    pub answered: u64,
    /// Peers in these replies.
    pub peers: u64,
    /// Of these, nanoseconds from when each was to be sent until its reply was there.
    pub latency: Histogram,
    /// At a given rate: announces that were due and had to be left out, since as many as may be
    /// under way were waiting for a reply.
    pub left_out: u64,
    /// In the order of [`Kind::ALL`].
    faults: [Faults; Kind::ALL.len()],
    /// Faults since the last answer.
    in_a_row: u64,
}

impl Tally {
    /// Counts an answer.
    pub fn answer(&mut self, nanos: u64, peers: u32) {
        self.answered += 1;
        self.peers += u64::from(peers);
        self.latency.record(nanos);
        self.in_a_row = 0;
    }

    /// Counts a fault.
    pub fn fail(&mut self, fault: Fault) {
        let faults = &mut self.faults[fault.kind as usize];
        faults.count += 1;
        if faults.count == 1 {
            faults.example = fault.text;
        }
        self.in_a_row += 1;
    }

    /// Counts what another one has counted.
    pub fn merge(&mut self, other: Tally) {
        self.answered += other.answered;
        self.peers += other.peers;
        self.latency.merge(&other.latency);
        self.left_out += other.left_out;
        for (faults, more) in self.faults.iter_mut().zip(other.faults) {
            if faults.count == 0 {
                faults.example = more.example;
            }
            faults.count += more.count;
        }
    }

    /// Each kind and how often it came.
    pub fn faults(&self) -> impl Iterator<Item = (Kind, &Faults)> {
        Kind::ALL.into_iter().zip(&self.faults)
    }

    /// Faults of all kinds.
    #[must_use]
    pub fn failed(&self) -> u64 {
        self.faults.iter().map(|faults| faults.count).sum()
    }

    /// Faults since the last answer, of one thread.
    #[must_use]
    pub fn failed_in_a_row(&self) -> u64 {
        self.in_a_row
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn faults_are_counted_by_kind_with_the_first_one_s_words() {
        let (mut tally, mut other) = (Tally::default(), Tally::default());
        tally.fail(Fault::new(Kind::Reset, ""));
        tally.answer(1_000, 50);
        for text in ["first", "second"] {
            other.fail(Fault::new(Kind::Malformed, text));
        }
        assert_eq!((tally.failed_in_a_row(), other.failed_in_a_row()), (0, 2));
        tally.merge(other);
        let faults: Vec<_> = tally
            .faults()
            .filter(|(_, faults)| faults.count > 0)
            .map(|(kind, faults)| (kind.name(), faults.count, faults.example.as_str()))
            .collect();
        assert_eq!(faults, [("reset", 1, ""), ("malformed", 2, "first")]);
        assert_eq!((tally.answered, tally.failed(), tally.peers), (1, 3, 50));
    }
}
