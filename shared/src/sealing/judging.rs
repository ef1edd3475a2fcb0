//! One objective version and one seal: windows measured, the ledger's step, the verdict, and the
//! candidate nonconformity that it may raise.

use crate::canonical;
use crate::digest::Digest;
use crate::evidence::RecordKind;
use crate::judge::{Compiled, LedgerState, Step, Taken};
use crate::metric::{Measurement, StreamKind, Unmeasurable};
use crate::nonconformity::Candidate;
use crate::objective::Objective;
use crate::objective::document::Comparator;
use crate::sampling::Common;
use crate::time::{Span, Timestamp};
use crate::verdict::{Verdict, VerdictState};
use crate::window::PaneStart;

use super::measuring::{
    self, Measured, OVERFLOW, UNEQUAL_RATES, counts_for, take_block, take_settled,
};
use super::mixing;
use super::windows::{self, Window, judges};
use super::{
    Action, KeptBlock, LEDGER_DOMAIN, Mixes, Past, Seal, ShownWindow, Standing, SumOf, about,
    became_so, common,
};
use crate::evidence::body::{BlockRef, Criterion, NonconformityBody, Status, VerdictBody};
use crate::evidence::pen::{Pen, Unwritable, Written, reference};

/// Judges one objective version, if the seal concerns it.
pub(super) fn judge(
    seal: &Seal<'_>,
    compiled: &Compiled,
    fresh: &[KeptBlock],
    past: &mut Past,
    pen: &Pen,
    actions: &mut Vec<Action>,
) -> Result<(), Unwritable> {
    let objective = &compiled.objective;
    let stream = seal.system.stream(objective);
    let mine: Vec<&KeptBlock> = fresh
        .iter()
        .filter(|b| counts_for(seal.system, stream, b) && judges(objective, b.pane))
        .collect();
    let settled = settled(seal, objective);
    if mine.is_empty() && settled.is_none() && !judges(objective, seal.due.pane) {
        return Ok(());
    }
    let of = (objective.id.clone(), objective.version);
    let mut standing = past
        .standings
        .remove(&of)
        .unwrap_or_else(|| Standing::new(compiled));
    standing.renew(compiled);
    let touched = fresh
        .iter()
        .filter(|b| b.stream() == stream)
        .map(|b| b.pane);
    for window in windows::to_measure(objective, seal.system.pane(), seal.due.pane, touched) {
        let measured = measuring::measure(seal, compiled, window, past, pen)?;
        standing.show(stream, &measured);
        actions.push(Action::Append {
            written: Box::new(measured.written),
            of: Some(of.clone()),
        });
        actions.push(Action::Window(Box::new(measured.row)));
    }
    let before = standing.ledger.clone();
    let Stepped {
        verdict,
        step,
        breaches,
        written,
    } = step(
        seal,
        compiled,
        take(seal, compiled, (&mine, settled), past, &mut standing),
        &before,
        &mut standing,
        pen,
        actions,
    )?;
    if standing.candidate.is_none() {
        raise(
            seal,
            compiled,
            &verdict,
            &written,
            &mut standing,
            pen,
            actions,
        )?;
    } else if verdict.state == VerdictState::Nonconforming
        && step.taken == Taken::Judged
        && (breaches || step.evidence > before.action.evidence())
    {
        standing.see_again(became_so(seal));
    }
    standing.last = Some(verdict);
    standing.verdict = Some(written.digest);
    actions.push(Action::Stand {
        of,
        standing: Box::new(standing),
    });
    Ok(())
}

impl Standing {
    /// A ledger that has seen nothing.
    pub fn new(compiled: &Compiled) -> Self {
        Self {
            ledger: compiled.start(),
            last: None,
            verdict: None,
            shown: None,
            candidate: None,
            seen_again: 0,
            seen_last: None,
            epoch: 1,
            runs: Vec::new(),
            together: None,
        }
    }

    /// Begins a new epoch once the surveillance cycle is over, unless a nonconformity is open: the
    /// error bound covers no further steps.
    fn renew(&mut self, compiled: &Compiled) {
        if self.candidate.is_none() && compiled.cycle_is_over(&self.ledger) {
            self.ledger = compiled.start();
            self.runs.clear();
            self.epoch = self.epoch.saturating_add(1);
        }
    }

    /// Counts a later step that showed the breach again, so that a lasting one floods nothing. A step
    /// without cases, or one that speaks against the breach, is none.
    const fn see_again(&mut self, at: Timestamp) {
        self.seen_again = self.seen_again.saturating_add(1);
        self.seen_last = Some(at);
    }

    /// Remembers with which pane the next block of the epoch comes.
    fn place(&mut self, block: u32, pane: PaneStart, length: Span) {
        if self.pane_of(block, length) != Some(pane) {
            self.runs.push((block, pane));
        }
    }

    /// The pane whose seal brought a block of this epoch; none if the block came before this was
    /// remembered.
    pub fn pane_of(&self, block: u32, length: Span) -> Option<PaneStart> {
        let (first, pane) = self.runs.iter().rev().find(|(first, _)| *first <= block)?;
        Some(PaneStart(pane.0 + length.times(block - first)))
    }

    /// Chooses what is shown beside the verdict. Traffic: the newest complete window, whatever it
    /// has, so that silence is not hidden behind an old value. Outcomes: the newest one that has
    /// enough labels, since labels come long after the window.
    fn show(&mut self, stream: StreamKind, measured: &Measured) {
        let row = &measured.row;
        let replaces = match (&self.shown, stream) {
            (None, _) => true,
            (Some(old), StreamKind::Traffic) => row.window.start >= old.start,
            (Some(old), StreamKind::Outcomes | StreamKind::ByAttribute) => {
                let (new, had) = (
                    row.status == Status::Measured,
                    old.status == Status::Measured,
                );
                row.window.start == old.start
                    || (new && !had)
                    || (new == had && row.window.start > old.start)
            }
        };
        if replaces {
            self.shown = Some(ShownWindow {
                start: row.window.start,
                measurement: row.measurement,
                status: row.status,
                value: measured.shown.clone(),
            });
        }
    }
}

fn keep_ledger(state: &LedgerState, actions: &mut Vec<Action>) -> Result<Digest, Unwritable> {
    let bytes = canonical::to_json(state)
        .map_err(|e| Unwritable::new("ledger", e.to_string()))?
        .into_bytes();
    let digest = Digest::tagged(LEDGER_DOMAIN, &bytes);
    actions.push(Action::Keep {
        digest,
        kind: "ledger",
        bytes,
    });
    Ok(digest)
}

/// What a step gave.
struct Stepped {
    verdict: Verdict,
    step: Step,
    /// Whether the step's own estimate, on enough cases, is past the action level.
    breaches: bool,
    written: Written,
}

/// Whether a value is on the wrong side of the action level.
fn past_level(objective: &Objective, value: f64) -> bool {
    match objective.comparator {
        Comparator::AtLeast => value < objective.levels.action,
        Comparator::AtMost => value > objective.levels.action,
    }
}

/// The pane whose labels have had their time, if the objective waits for that and judges the pane.
fn settled(seal: &Seal<'_>, objective: &Objective) -> Option<Window> {
    windows::settled(objective, seal.system.pane(), seal.due.pane)
        .filter(|w| judges(objective, PaneStart(w.start)))
}

/// Takes what a seal gives the ledger: the blocks that it brought; or, where the objective assumes
/// something of cases without a label, all of the pane whose labels have had their time. Gives the blocks'
/// names, too.
fn take(
    seal: &Seal<'_>,
    compiled: &Compiled,
    (mine, settled): (&[&KeptBlock], Option<Window>),
    past: &Past,
    standing: &mut Standing,
) -> ((Measurement, Step), Vec<BlockRef>) {
    let (system, ledger) = (seal.system, &mut standing.ledger);
    if compiled.objective.labels.is_as_observed() {
        // What is fresh is among the blocks by now.
        let common = common(&past.blocks, &Mixes::new(), mine.iter().map(|b| b.pane));
        if common == Common::Nothing {
            let nothing = Err(UNEQUAL_RATES);
            let step = compiled.step(ledger, &nothing);
            return ((nothing, step), Vec::new());
        }
        let mine: Vec<_> = mine.iter().filter(|b| common.takes(&b.key)).collect();
        let summaries = mine.iter().map(|b| &b.summary);
        let taken = take_block(system, compiled, ledger, summaries);
        return (taken, mine.iter().map(|b| b.names.clone()).collect());
    }
    let Some(pane) = settled else {
        let nothing = Err(Unmeasurable::NoData);
        let step = compiled.step(ledger, &nothing);
        return ((nothing, step), Vec::new());
    };
    let missing = Err(OVERFLOW);
    let sum = |stream| past.sums.get(&SumOf::new(pane, stream)).unwrap_or(&missing);
    let outcomes = sum(system.stream(&compiled.objective));
    let taken = take_settled(system, compiled, ledger, outcomes, sum(StreamKind::Traffic));
    let blocks = past.blocks.get(&PaneStart(pane.start));
    let common = mixing::common_of(blocks.into_iter().flatten());
    let mine = blocks.into_iter().flatten();
    let mine = mine.filter(|b| b.key.plan == system.plan.digest() && common.takes(&b.key));
    (taken, mine.map(|b| b.names.clone()).collect())
}

fn step(
    seal: &Seal<'_>,
    compiled: &Compiled,
    ((block, step), blocks): ((Measurement, Step), Vec<BlockRef>),
    before: &LedgerState,
    standing: &mut Standing,
    pen: &Pen,
    actions: &mut Vec<Action>,
) -> Result<Stepped, Unwritable> {
    let objective = &compiled.objective;
    let ledger_before = keep_ledger(before, actions)?;
    let breaches = block
        .as_ref()
        .is_ok_and(|e| e.support >= objective.min_support && past_level(objective, e.value));
    standing.place(step.block, seal.due.pane, seal.system.pane());
    let ledger = keep_ledger(&standing.ledger, actions)?;
    let window = standing
        .shown
        .as_ref()
        .map_or(Err(Unmeasurable::NoData), |s| s.value.as_result());
    let verdict = compiled.verdict(&standing.ledger, &window);
    let body = VerdictBody {
        objective: objective.id.clone(),
        version: objective.version,
        compiled: compiled.digest(),
        sealed_with: seal.due.pane,
        since_pane: verdict
            .since
            .and_then(|block| standing.pane_of(block, seal.system.pane())),
        verdict: verdict.clone(),
        step: step.clone(),
        blocks,
        ledger_before,
        ledger,
        measurement: standing.shown.as_ref().map(|s| s.measurement),
        previous: standing.last.as_ref().map(|v| v.state),
        epoch: standing.epoch,
    };
    let mut about = about(seal);
    about.refs = vec![
        reference("objectives", seal.system.document_digest),
        reference("compiled", body.compiled),
        reference("ledger", ledger),
    ];
    about
        .refs
        .extend(body.measurement.map(|d| reference("measurement", d)));
    let written = pen.write(RecordKind::Verdict, became_so(seal), about, &body)?;
    actions.push(Action::Append {
        written: Box::new(written.clone()),
        of: Some((objective.id.clone(), objective.version)),
    });
    Ok(Stepped {
        verdict,
        step,
        breaches,
        written,
    })
}

/// Raises the candidate of the epoch, if the verdict is a nonconformity.
fn raise(
    seal: &Seal<'_>,
    compiled: &Compiled,
    verdict: &Verdict,
    written: &Written,
    standing: &mut Standing,
    pen: &Pen,
    actions: &mut Vec<Action>,
) -> Result<(), Unwritable> {
    let candidate = Candidate::of(seal.system.id(), compiled, standing.epoch, verdict);
    let Some(candidate) = candidate else {
        return Ok(());
    };
    let objective = &compiled.objective;
    let measurement = standing.shown.as_ref().map(|s| s.measurement);
    let since_pane = candidate
        .since
        .and_then(|block| standing.pane_of(block, seal.system.pane()));
    let body = NonconformityBody {
        since_pane,
        state: "candidate".to_owned(),
        source: "monitor".to_owned(),
        candidate,
        criterion: Criterion {
            document: seal.system.document_digest,
            statement: objective.statement.clone(),
            policy: objective.policy.clone(),
            references: objective.references.clone(),
        },
        verdict: written.digest,
        measurement,
        detected_at: became_so(seal),
    };
    let mut about = about(seal);
    about.refs = vec![
        reference("objectives", seal.system.document_digest),
        reference("verdict", written.digest),
    ];
    about
        .refs
        .extend(measurement.map(|d| reference("measurement", d)));
    let candidate = pen.write(RecordKind::Nonconformity, became_so(seal), about, &body)?;
    standing.candidate = Some(candidate.digest);
    actions.push(Action::Append {
        written: Box::new(candidate),
        of: Some((objective.id.clone(), objective.version)),
    });
    Ok(())
}
