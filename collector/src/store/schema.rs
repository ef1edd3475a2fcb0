//! Tables. Two are the register (`contents`, `records`): append-only, enforced by triggers, so that
//! not even a slip in this program changes what was written. The others are its index and the state
//! between seals: whatever is in them can be derived from the register again.

/// Version of the tables, kept in `PRAGMA user_version`.
pub(super) const VERSION: i64 = 7;

pub(super) const TABLES: &str = "
CREATE TABLE contents(
  digest BLOB NOT NULL UNIQUE CHECK(length(digest) = 32),
  kind TEXT NOT NULL,
  bytes BLOB NOT NULL
) STRICT;
CREATE TABLE records(
  leaf INTEGER PRIMARY KEY CHECK(leaf >= 0),
  digest BLOB NOT NULL UNIQUE REFERENCES contents(digest),
  type TEXT NOT NULL,
  system TEXT,
  objective TEXT,
  version INTEGER,
  created_at INTEGER NOT NULL,
  received_at INTEGER NOT NULL
) STRICT;
CREATE INDEX records_by_type ON records(type, system, objective, leaf);
CREATE INDEX records_by_system ON records(system, leaf);

CREATE TRIGGER contents_keep BEFORE UPDATE ON contents
  BEGIN SELECT RAISE(ABORT, 'contents are append-only'); END;
CREATE TRIGGER contents_stay BEFORE DELETE ON contents
  BEGIN SELECT RAISE(ABORT, 'contents are append-only'); END;
CREATE TRIGGER records_keep BEFORE UPDATE ON records
  BEGIN SELECT RAISE(ABORT, 'records are append-only'); END;
CREATE TRIGGER records_stay BEFORE DELETE ON records
  BEGIN SELECT RAISE(ABORT, 'records are append-only'); END;
CREATE TRIGGER records_dense BEFORE INSERT ON records
  WHEN NEW.leaf <> coalesce((SELECT max(leaf) FROM records), -1) + 1
  BEGIN SELECT RAISE(ABORT, 'leaves are numbered without holes'); END;

CREATE TABLE systems(
  system TEXT PRIMARY KEY,
  clock TEXT NOT NULL
) STRICT;
CREATE TABLE plans(
  system TEXT NOT NULL,
  plan BLOB NOT NULL,
  document BLOB NOT NULL,
  baseline BLOB NOT NULL,
  PRIMARY KEY(system, document, baseline)
) STRICT;
CREATE TABLE compiled(
  system TEXT NOT NULL,
  objective TEXT NOT NULL,
  version INTEGER NOT NULL,
  compiled BLOB NOT NULL,
  PRIMARY KEY(system, objective, version)
) STRICT;
CREATE TABLE batches(
  agent BLOB NOT NULL,
  boot INTEGER NOT NULL,
  sequence INTEGER NOT NULL,
  digest BLOB NOT NULL,
  system TEXT NOT NULL,
  received_at INTEGER NOT NULL,
  marks TEXT NOT NULL,
  PRIMARY KEY(agent, boot, sequence)
) STRICT, WITHOUT ROWID;
CREATE TABLE watermarks(
  system TEXT NOT NULL,
  agent BLOB NOT NULL,
  watermark INTEGER NOT NULL,
  PRIMARY KEY(system, agent)
) STRICT, WITHOUT ROWID;
CREATE TABLE pending(
  id INTEGER PRIMARY KEY,
  system TEXT NOT NULL,
  waits_for INTEGER NOT NULL,
  agent BLOB NOT NULL,
  boot INTEGER NOT NULL,
  sequence INTEGER NOT NULL,
  place INTEGER NOT NULL,
  batch BLOB NOT NULL,
  item BLOB NOT NULL
) STRICT;
CREATE INDEX pending_by_pane ON pending(system, waits_for);
CREATE TABLE blocks(
  block BLOB PRIMARY KEY,
  system TEXT NOT NULL,
  pane INTEGER NOT NULL,
  stream INTEGER NOT NULL,
  pane_key BLOB NOT NULL,
  coverage BLOB NOT NULL,
  summary BLOB NOT NULL
) STRICT;
CREATE INDEX blocks_by_pane ON blocks(system, pane);
CREATE TABLE seals(
  system TEXT NOT NULL,
  pane INTEGER NOT NULL,
  body TEXT NOT NULL,
  PRIMARY KEY(system, pane)
) STRICT, WITHOUT ROWID;
CREATE TABLE standings(
  system TEXT NOT NULL,
  objective TEXT NOT NULL,
  version INTEGER NOT NULL,
  body TEXT NOT NULL,
  PRIMARY KEY(system, objective, version)
) STRICT;
CREATE TABLE windows(
  system TEXT NOT NULL,
  objective TEXT NOT NULL,
  version INTEGER NOT NULL,
  start INTEGER NOT NULL,
  end INTEGER NOT NULL,
  measurement BLOB NOT NULL,
  status TEXT NOT NULL,
  reason TEXT,
  value REAL,
  low REAL,
  high REAL,
  support INTEGER NOT NULL,
  PRIMARY KEY(system, objective, version, start)
) STRICT, WITHOUT ROWID;
CREATE TABLE refusals(
  reason TEXT NOT NULL,
  peer TEXT NOT NULL,
  hour INTEGER NOT NULL,
  count INTEGER NOT NULL,
  first_at INTEGER NOT NULL,
  last_at INTEGER NOT NULL,
  PRIMARY KEY(reason, peer, hour)
) STRICT, WITHOUT ROWID;
CREATE TABLE refused(
  batch BLOB NOT NULL,
  detail TEXT NOT NULL,
  count INTEGER NOT NULL,
  PRIMARY KEY(batch, detail)
) STRICT, WITHOUT ROWID;
";

/// What version 2 added: gaps besides silence, and holes in agents' sequences that may yet be filled.
pub(super) const ADDED_BY_2: &str = "
CREATE TABLE gaps(
  record BLOB PRIMARY KEY,
  system TEXT NOT NULL,
  start INTEGER NOT NULL,
  end INTEGER NOT NULL,
  body TEXT NOT NULL
) STRICT;
CREATE INDEX gaps_by_start ON gaps(system, start);
CREATE TABLE holes(
  system TEXT NOT NULL,
  agent BLOB NOT NULL,
  boot INTEGER NOT NULL,
  after INTEGER NOT NULL,
  before INTEGER NOT NULL,
  start INTEGER NOT NULL,
  end INTEGER NOT NULL,
  PRIMARY KEY(agent, boot, before)
) STRICT, WITHOUT ROWID;
";

/// What version 3 added: which windows had no traffic, counts of windows by what came of them, sums of
/// windows of many blocks, and an index of the seals that did without an agent. Counts and sums are
/// made when they are first asked for, so an older register needs no work at its opening.
pub(super) const ADDED_BY_3: &str = "
ALTER TABLE windows ADD COLUMN quiet INTEGER NOT NULL DEFAULT 0;
CREATE TABLE tallies(
  system TEXT NOT NULL,
  objective TEXT NOT NULL,
  version INTEGER NOT NULL,
  since INTEGER NOT NULL,
  until INTEGER NOT NULL,
  measured INTEGER NOT NULL,
  quiet INTEGER NOT NULL,
  PRIMARY KEY(system, objective, version)
) STRICT, WITHOUT ROWID;
CREATE TABLE sums(
  system TEXT NOT NULL,
  start INTEGER NOT NULL,
  end INTEGER NOT NULL,
  stream INTEGER NOT NULL,
  plan BLOB NOT NULL,
  through INTEGER NOT NULL,
  summary BLOB NOT NULL,
  PRIMARY KEY(system, start, end, stream, plan)
) STRICT;
CREATE INDEX sums_by_end ON sums(system, end);
CREATE INDEX seals_without ON seals(system, pane) WHERE json_array_length(body, '$.missing') > 0;
";

/// What version 4 added: what recent batches of each agent say of its clock.
pub(super) const ADDED_BY_4: &str = "
CREATE TABLE skews(
  agent BLOB PRIMARY KEY,
  seen TEXT NOT NULL
) STRICT, WITHOUT ROWID;
";

/// What version 5 added: which items of stored batches were refused and are not taken since, with the batch's last record. Of
/// batches from before, the counts of refusals tell, which said `item 3: ...` in words; since then they say `item 3: REASON`.
pub(super) const ADDED_BY_5: &str = "
CREATE TABLE refused_items(
  batch BLOB NOT NULL,
  place INTEGER NOT NULL,
  record BLOB,
  PRIMARY KEY(batch, place)
) STRICT, WITHOUT ROWID;
INSERT OR IGNORE INTO refused_items(batch, place)
  SELECT r.batch, CAST(substr(r.detail, 6, instr(r.detail, ':') - 6) AS INTEGER) FROM refused r
  WHERE r.detail LIKE 'item %:%' AND r.batch IN (SELECT digest FROM batches);
";

/// What version 6 left out: a second copy of what waits for its seal. It is in the batch, which is kept before.
pub(super) const LEFT_OUT_BY_6: &str = "
ALTER TABLE pending DROP COLUMN item;
";
