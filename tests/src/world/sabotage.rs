//! Faults that are put into the world on purpose, one at a time: each takes away one guard, or does what
//! was reported of other agents. A simulation that does not notice one of them proves nothing.

/// What is sabotaged. The numbers in the comments are of public reports of the same fault in other agents.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sabotage {
    /// Syncing a file does nothing (opentelemetry-collector-contrib 50102).
    FilesAreNotSynced,
    /// Syncing the folder does nothing.
    FolderIsNotSynced,
    /// The collector answers before its commit is durable.
    AnsweredBeforeCommit,
    /// The collector takes a batch again that it has.
    TakenTwice,
    /// Any answer releases a batch (vector 24543).
    AnyAnswerReleases,
    /// Sending releases a batch.
    SendingReleases,
    /// An agent that is not known takes its batches for refused (vector 24543).
    StrangersGiveUp,
    /// A second run goes by the name of the first.
    RunsShareTheirName,
    /// A start skips what was not sent (prometheus 8809).
    StartSkips,
    /// An answer releases whatever batch waits first.
    AnswersAreMixedUp,
    /// Losses are not told.
    LossesAreKeptQuiet,
    /// What was put by goes under numbers of its own, beside what was shipped.
    PutByUnderOtherNumbers,
    /// Open panes are not put by.
    NothingIsPutBy,
    /// After some failures nothing is tried any more (opentelemetry-collector's 300 seconds).
    GivesUp,
    /// One batch that always fails stops all others (vector 19155).
    OneStopsAll,
    /// The collector takes bytes that changed on the way.
    ChangesAreTaken,
}

impl Sabotage {
    /// All of them.
    pub const ALL: [Self; 16] = [
        Self::FilesAreNotSynced,
        Self::FolderIsNotSynced,
        Self::AnsweredBeforeCommit,
        Self::TakenTwice,
        Self::AnyAnswerReleases,
        Self::SendingReleases,
        Self::StrangersGiveUp,
        Self::RunsShareTheirName,
        Self::StartSkips,
        Self::AnswersAreMixedUp,
        Self::LossesAreKeptQuiet,
        Self::PutByUnderOtherNumbers,
        Self::NothingIsPutBy,
        Self::GivesUp,
        Self::OneStopsAll,
        Self::ChangesAreTaken,
    ];
}
