-- +goose Up
-- Times are unix milliseconds, UTC. Texts named *_json hold JSON.

CREATE TABLE people (
  id            INTEGER PRIMARY KEY,
  name          TEXT    NOT NULL UNIQUE COLLATE NOCASE,
  role          TEXT    NOT NULL CHECK (role IN ('operator', 'qa', 'admin')),
  password_hash TEXT    NOT NULL,
  must_change   INTEGER NOT NULL DEFAULT 0,
  active        INTEGER NOT NULL DEFAULT 1,
  created_at    INTEGER NOT NULL
);

CREATE TABLE sessions (
  token  TEXT PRIMARY KEY,
  data   BLOB NOT NULL,
  expiry REAL NOT NULL
);
CREATE INDEX sessions_expiry ON sessions (expiry);

CREATE TABLE recipes (
  id              INTEGER PRIMARY KEY,
  name            TEXT    NOT NULL,
  region_json     TEXT    NOT NULL,
  size            INTEGER NOT NULL,
  mirror          INTEGER NOT NULL,
  threshold_ok    REAL    NOT NULL,
  threshold_ng    REAL    NOT NULL,
  learn_after     INTEGER NOT NULL,
  learn_quiet_s   INTEGER NOT NULL,
  promote_auto    INTEGER NOT NULL,
  promote_metric  TEXT    NOT NULL,
  promote_margin  REAL    NOT NULL,
  champion_id     INTEGER REFERENCES versions (id),
  demo            INTEGER NOT NULL DEFAULT 0,
  created_at      INTEGER NOT NULL,
  archived_at     INTEGER
);
CREATE UNIQUE INDEX recipes_name ON recipes (name COLLATE NOCASE) WHERE archived_at IS NULL;

CREATE TABLE classes (
  recipe_id   INTEGER NOT NULL REFERENCES recipes (id),
  name        TEXT    NOT NULL,
  pass        INTEGER NOT NULL,
  color       TEXT    NOT NULL,
  key         TEXT    NOT NULL,
  position    INTEGER NOT NULL,
  archived_at INTEGER,
  PRIMARY KEY (recipe_id, name)
) WITHOUT ROWID;

CREATE TABLE stations (
  id           INTEGER PRIMARY KEY,
  name         TEXT    NOT NULL,
  line         TEXT    NOT NULL,
  recipe_id    INTEGER NOT NULL REFERENCES recipes (id),
  token_hash   BLOB    NOT NULL UNIQUE,
  token_hint   TEXT    NOT NULL,
  demo         INTEGER NOT NULL DEFAULT 0,
  created_at   INTEGER NOT NULL,
  last_seen_at INTEGER,
  revoked_at   INTEGER
);
CREATE UNIQUE INDEX stations_name ON stations (name COLLATE NOCASE) WHERE revoked_at IS NULL;

-- A part's side of the split is decided once, when its first frame is labelled.
CREATE TABLE parts (
  recipe_id INTEGER NOT NULL REFERENCES recipes (id),
  key       TEXT    NOT NULL,
  class     TEXT    NOT NULL,
  share     TEXT    NOT NULL CHECK (share IN ('train', 'test')),
  PRIMARY KEY (recipe_id, key)
) WITHOUT ROWID;
CREATE INDEX parts_class ON parts (recipe_id, class);

CREATE TABLE frames (
  id              INTEGER PRIMARY KEY AUTOINCREMENT,
  station_id      INTEGER REFERENCES stations (id),
  recipe_id       INTEGER NOT NULL REFERENCES recipes (id),
  blob_key        TEXT    NOT NULL,
  format          TEXT    NOT NULL,
  bytes           INTEGER NOT NULL,
  width           INTEGER NOT NULL,
  height          INTEGER NOT NULL,
  orientation     INTEGER NOT NULL,
  serial          TEXT    NOT NULL DEFAULT '',
  lot             TEXT    NOT NULL DEFAULT '',
  source          TEXT    NOT NULL DEFAULT '',
  part_key        TEXT    NOT NULL,
  taken_at        INTEGER NOT NULL,
  received_at     INTEGER NOT NULL,
  readings_json   TEXT    NOT NULL DEFAULT '{}',
  idempotency_key TEXT,
  state           TEXT    NOT NULL CHECK (state IN ('pending', 'judged', 'quarantined', 'discarded', 'kept')),
  deaths          INTEGER NOT NULL DEFAULT 0,
  trouble         TEXT    NOT NULL DEFAULT '',
  label           TEXT,
  label_id        INTEGER REFERENCES corrections (id),
  disagreed       INTEGER NOT NULL DEFAULT 0,
  share           TEXT,
  attention       INTEGER NOT NULL DEFAULT 1
);
CREATE UNIQUE INDEX frames_idempotency ON frames (station_id, idempotency_key) WHERE idempotency_key IS NOT NULL;
CREATE INDEX frames_pending ON frames (id) WHERE state = 'pending';
CREATE INDEX frames_quarantined ON frames (id) WHERE state = 'quarantined';
CREATE INDEX frames_gallery ON frames (recipe_id, attention DESC, id DESC);
CREATE INDEX frames_label ON frames (recipe_id, label, share) WHERE label IS NOT NULL;
CREATE INDEX frames_serial ON frames (serial, id) WHERE serial <> '';
CREATE INDEX frames_lot ON frames (lot, id) WHERE lot <> '';
CREATE INDEX frames_blob ON frames (blob_key);
CREATE INDEX frames_part ON frames (recipe_id, part_key);
CREATE INDEX frames_station ON frames (station_id, id);

CREATE TABLE versions (
  id             INTEGER PRIMARY KEY AUTOINCREMENT,
  recipe_id      INTEGER NOT NULL REFERENCES recipes (id),
  number         INTEGER NOT NULL,
  parent_id      INTEGER REFERENCES versions (id),
  state          TEXT    NOT NULL CHECK (state IN ('candidate', 'challenger', 'champion', 'retired')),
  size           INTEGER NOT NULL,
  region_json    TEXT    NOT NULL,
  classes_json   TEXT    NOT NULL,
  head_key       TEXT    NOT NULL,
  model_key      TEXT    NOT NULL,
  model_sha256   TEXT    NOT NULL,
  statement_json TEXT    NOT NULL,
  report_json    TEXT    NOT NULL,
  results        BLOB,
  decision       TEXT    NOT NULL DEFAULT '',
  job_id         INTEGER REFERENCES jobs (id),
  created_by     TEXT    NOT NULL,
  created_at     INTEGER NOT NULL,
  UNIQUE (recipe_id, number)
);

CREATE TABLE promotions (
  id         INTEGER PRIMARY KEY AUTOINCREMENT,
  recipe_id  INTEGER NOT NULL REFERENCES recipes (id),
  version_id INTEGER NOT NULL REFERENCES versions (id),
  from_id    INTEGER REFERENCES versions (id),
  person     TEXT    NOT NULL,
  reason     TEXT    NOT NULL,
  at         INTEGER NOT NULL
);
CREATE INDEX promotions_recipe ON promotions (recipe_id, id);

CREATE TABLE inspections (
  id                 INTEGER PRIMARY KEY AUTOINCREMENT,
  frame_id           INTEGER NOT NULL UNIQUE REFERENCES frames (id),
  station_id         INTEGER REFERENCES stations (id),
  recipe_id          INTEGER NOT NULL REFERENCES recipes (id),
  version_id         INTEGER NOT NULL REFERENCES versions (id),
  verdict            TEXT    NOT NULL CHECK (verdict IN ('OK', 'NG', 'Unsure')),
  class              TEXT    NOT NULL,
  score              REAL    NOT NULL,
  probabilities_json TEXT    NOT NULL,
  findings_json      TEXT    NOT NULL,
  timings_json       TEXT    NOT NULL,
  heat               BLOB,
  worker             TEXT    NOT NULL,
  judged_at          INTEGER NOT NULL,
  label              TEXT
);
CREATE INDEX inspections_shift ON inspections (station_id, judged_at, verdict);
CREATE INDEX inspections_station ON inspections (station_id, id);
CREATE INDEX inspections_verdict ON inspections (verdict, id);
CREATE INDEX inspections_class ON inspections (class, id);
CREATE INDEX inspections_judged ON inspections (judged_at);
CREATE INDEX inspections_tray ON inspections (station_id, id) WHERE verdict = 'Unsure' AND label IS NULL;
CREATE INDEX inspections_recipe ON inspections (recipe_id, id);
CREATE INDEX inspections_version ON inspections (version_id);

CREATE TABLE corrections (
  id          INTEGER PRIMARY KEY AUTOINCREMENT,
  frame_id    INTEGER NOT NULL REFERENCES frames (id),
  class       TEXT,
  note        TEXT    NOT NULL DEFAULT '',
  person      TEXT    NOT NULL,
  source      TEXT    NOT NULL,
  follows_id  INTEGER REFERENCES corrections (id),
  at          INTEGER NOT NULL
);
CREATE INDEX corrections_frame ON corrections (frame_id, id);

CREATE TABLE jobs (
  id          INTEGER PRIMARY KEY AUTOINCREMENT,
  kind        TEXT    NOT NULL,
  recipe_id   INTEGER REFERENCES recipes (id),
  state       TEXT    NOT NULL CHECK (state IN ('queued', 'running', 'done', 'failed', 'cancelled')),
  progress    REAL    NOT NULL DEFAULT 0,
  message     TEXT    NOT NULL DEFAULT '',
  params_json TEXT    NOT NULL DEFAULT '{}',
  result_json TEXT    NOT NULL DEFAULT '{}',
  created_by  TEXT    NOT NULL,
  created_at  INTEGER NOT NULL,
  started_at  INTEGER,
  finished_at INTEGER
);
CREATE INDEX jobs_open ON jobs (state, id) WHERE state IN ('queued', 'running');
CREATE INDEX jobs_recipe ON jobs (recipe_id, id);

CREATE TABLE audit (
  id      INTEGER PRIMARY KEY AUTOINCREMENT,
  at      INTEGER NOT NULL,
  person  TEXT    NOT NULL,
  action  TEXT    NOT NULL,
  subject TEXT    NOT NULL,
  before_json TEXT NOT NULL,
  after_json  TEXT NOT NULL
);
CREATE INDEX audit_subject ON audit (subject, id);

CREATE TABLE settings (
  key   TEXT PRIMARY KEY,
  value TEXT NOT NULL
) WITHOUT ROWID;

-- Only what belongs to a demonstration may ever be removed, and no recipe becomes one later.
-- +goose StatementBegin
CREATE TRIGGER recipes_demo_fixed BEFORE UPDATE OF demo ON recipes WHEN NEW.demo <> OLD.demo
BEGIN SELECT RAISE(ABORT, 'a recipe cannot become a demonstration'); END;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER audit_no_replace BEFORE INSERT ON audit WHEN EXISTS (SELECT 1 FROM audit WHERE id = NEW.id)
BEGIN SELECT RAISE(ABORT, 'the audit log is append-only'); END;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER corrections_no_replace BEFORE INSERT ON corrections WHEN EXISTS (SELECT 1 FROM corrections WHERE id = NEW.id)
BEGIN SELECT RAISE(ABORT, 'corrections are append-only'); END;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER promotions_no_replace BEFORE INSERT ON promotions WHEN EXISTS (SELECT 1 FROM promotions WHERE id = NEW.id)
BEGIN SELECT RAISE(ABORT, 'promotions are append-only'); END;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER audit_no_update BEFORE UPDATE ON audit BEGIN SELECT RAISE(ABORT, 'the audit log is append-only'); END;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER audit_no_delete BEFORE DELETE ON audit BEGIN SELECT RAISE(ABORT, 'the audit log is append-only'); END;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER corrections_no_update BEFORE UPDATE ON corrections BEGIN SELECT RAISE(ABORT, 'corrections are append-only'); END;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER corrections_no_delete BEFORE DELETE ON corrections
WHEN (SELECT r.demo FROM frames f JOIN recipes r ON r.id = f.recipe_id WHERE f.id = OLD.frame_id) IS NOT 1 BEGIN SELECT RAISE(ABORT, 'corrections are append-only'); END;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER promotions_no_update BEFORE UPDATE ON promotions BEGIN SELECT RAISE(ABORT, 'promotions are append-only'); END;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER promotions_no_delete BEFORE DELETE ON promotions
WHEN (SELECT demo FROM recipes WHERE id = OLD.recipe_id) IS NOT 1 BEGIN SELECT RAISE(ABORT, 'promotions are append-only'); END;
-- +goose StatementEnd
