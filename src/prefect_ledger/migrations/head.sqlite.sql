CREATE TABLE ledger_schema_version (
  version_num VARCHAR(32) NOT NULL,
  CONSTRAINT ledger_schema_version_pkc PRIMARY KEY (version_num)
);

CREATE TABLE artifacts (
  run_id VARCHAR(36) NOT NULL,
  path VARCHAR(1024) NOT NULL,
  attempt INTEGER NOT NULL,
  uri TEXT NOT NULL,
  size BIGINT NOT NULL,
  sha256 VARCHAR(64) NOT NULL,
  kind VARCHAR(32) NOT NULL,
  task_run_id VARCHAR(36) DEFAULT '' NOT NULL,
  at BIGINT NOT NULL,
  details TEXT DEFAULT '{}' NOT NULL,
  CONSTRAINT pk_artifacts PRIMARY KEY (run_id, path, attempt)
);

CREATE TABLE attempts (
  run_id VARCHAR(36) NOT NULL,
  attempt INTEGER NOT NULL,
  status VARCHAR(16) DEFAULT 'RUNNING' NOT NULL,
  status_at BIGINT DEFAULT '0' NOT NULL,
  started BIGINT,
  ended BIGINT,
  exception TEXT DEFAULT '{}' NOT NULL,
  CONSTRAINT pk_attempts PRIMARY KEY (run_id, attempt)
);

CREATE TABLE cache_hits (
  task_run_id VARCHAR(36) NOT NULL,
  run_id VARCHAR(36) NOT NULL,
  attempt INTEGER NOT NULL,
  storage_key VARCHAR(500) NOT NULL,
  at BIGINT NOT NULL,
  source_run_id VARCHAR(36) DEFAULT '' NOT NULL,
  source_task_run_id VARCHAR(36) DEFAULT '' NOT NULL,
  source_attempt INTEGER DEFAULT '0' NOT NULL,
  CONSTRAINT pk_cache_hits PRIMARY KEY (task_run_id)
);

CREATE INDEX ix_cache_hits_key ON cache_hits (storage_key);

CREATE INDEX ix_cache_hits_run ON cache_hits (run_id);

CREATE TABLE cache_links (
  task_run_id VARCHAR(36) NOT NULL,
  source_run_id VARCHAR(36) NOT NULL,
  source_task VARCHAR(36) NOT NULL,
  source_attempt INTEGER NOT NULL,
  run_id VARCHAR(36) NOT NULL,
  attempt INTEGER NOT NULL,
  CONSTRAINT pk_cache_links PRIMARY KEY (task_run_id, source_run_id, source_task, source_attempt)
);

CREATE INDEX ix_cache_links_run ON cache_links (run_id);

CREATE INDEX ix_cache_links_source ON cache_links (source_run_id, source_task);

CREATE TABLE chunks (
  id INTEGER NOT NULL,
  series_id BIGINT,
  run_id VARCHAR(36),
  n INTEGER NOT NULL,
  data BLOB NOT NULL,
  CONSTRAINT pk_chunks PRIMARY KEY (id)
);

CREATE INDEX ix_chunks_mixed ON chunks (run_id, id, n);

CREATE INDEX ix_chunks_series ON chunks (series_id, id, n);

CREATE TABLE dataset_uses (
  run_id VARCHAR(36) NOT NULL,
  name VARCHAR(500) NOT NULL,
  digest VARCHAR(64) NOT NULL,
  context VARCHAR(250) NOT NULL,
  attempt INTEGER NOT NULL,
  at BIGINT NOT NULL,
  CONSTRAINT pk_dataset_uses PRIMARY KEY (run_id, name, digest, context, attempt)
);

CREATE INDEX ix_dataset_uses_dataset ON dataset_uses (name, digest);

CREATE TABLE datasets (
  name VARCHAR(500) NOT NULL,
  digest VARCHAR(64) NOT NULL,
  source TEXT DEFAULT '' NOT NULL,
  row_count BIGINT,
  schema_json TEXT DEFAULT '{}' NOT NULL,
  CONSTRAINT pk_datasets PRIMARY KEY (name, digest)
);

CREATE TABLE experiment_tags (
  experiment_id BIGINT NOT NULL,
  "key" VARCHAR(250) NOT NULL,
  value TEXT NOT NULL,
  CONSTRAINT pk_experiment_tags PRIMARY KEY (experiment_id, "key")
);

CREATE TABLE experiments (
  id BIGINT NOT NULL,
  name VARCHAR(500) NOT NULL,
  lifecycle VARCHAR(16) DEFAULT 'active' NOT NULL,
  created BIGINT NOT NULL,
  updated BIGINT NOT NULL,
  deleted BIGINT,
  CONSTRAINT pk_experiments PRIMARY KEY (id),
  CONSTRAINT uq_experiments_name UNIQUE (name)
);

CREATE TABLE journals (
  id VARCHAR(36) NOT NULL,
  segment BIGINT NOT NULL,
  slot BIGINT NOT NULL,
  done INTEGER DEFAULT '0' NOT NULL,
  CONSTRAINT pk_journals PRIMARY KEY (id)
);

CREATE TABLE metrics (
  run_id VARCHAR(36) NOT NULL,
  "key" VARCHAR(250) NOT NULL,
  attempt INTEGER NOT NULL,
  n BIGINT DEFAULT '0' NOT NULL,
  nan BIGINT DEFAULT '0' NOT NULL,
  finite BIGINT DEFAULT '0' NOT NULL,
  mean DOUBLE,
  vmin DOUBLE,
  smin BIGINT,
  vmax DOUBLE,
  smax BIGINT,
  fs BIGINT,
  ft BIGINT,
  fv DOUBLE,
  ls BIGINT,
  lt BIGINT,
  lv DOUBLE,
  fnan INTEGER,
  lnan INTEGER,
  CONSTRAINT pk_metrics PRIMARY KEY (run_id, "key")
)
 WITHOUT ROWID;

CREATE INDEX ix_metrics_key_last ON metrics ("key", lv, run_id, attempt, fv, vmin, vmax, mean, n);

CREATE TABLE notes (
  id INTEGER NOT NULL,
  run_id VARCHAR(36) NOT NULL,
  at BIGINT NOT NULL,
  text TEXT NOT NULL,
  CONSTRAINT pk_notes PRIMARY KEY (id)
);

CREATE INDEX ix_notes_run ON notes (run_id, id);

CREATE TABLE packages (
  digest VARCHAR(64) NOT NULL,
  content TEXT NOT NULL,
  CONSTRAINT pk_packages PRIMARY KEY (digest)
);

CREATE TABLE models (
  id VARCHAR(34) NOT NULL,
  run_id VARCHAR(36) NOT NULL,
  attempt INTEGER NOT NULL,
  task_run_id VARCHAR(36) DEFAULT '' NOT NULL,
  name VARCHAR(250) NOT NULL,
  path VARCHAR(1024) NOT NULL,
  digest VARCHAR(64) NOT NULL,
  flavor VARCHAR(64) NOT NULL,
  size BIGINT NOT NULL,
  at BIGINT NOT NULL,
  details TEXT DEFAULT '{}' NOT NULL,
  CONSTRAINT pk_models PRIMARY KEY (id)
);

CREATE INDEX ix_models_name ON models (name, at);

CREATE INDEX ix_models_run ON models (run_id);

CREATE TABLE params (
  run_id VARCHAR(36) NOT NULL,
  "key" VARCHAR(250) NOT NULL,
  attempt INTEGER NOT NULL,
  value TEXT NOT NULL,
  number DOUBLE,
  head TEXT GENERATED ALWAYS AS (substr(value, 1, 64)) STORED,
  CONSTRAINT pk_params PRIMARY KEY (run_id, "key", attempt)
)
 WITHOUT ROWID;

CREATE INDEX ix_params_key_value ON params ("key", number, head, run_id);

CREATE TABLE results (
  storage_key VARCHAR(500) NOT NULL,
  task_run_id VARCHAR(36) NOT NULL,
  run_id VARCHAR(36) NOT NULL,
  attempt INTEGER NOT NULL,
  at BIGINT NOT NULL,
  CONSTRAINT pk_results PRIMARY KEY (storage_key, task_run_id)
);

CREATE TABLE run_words (
  run_id VARCHAR(36) NOT NULL,
  words TEXT NOT NULL,
  CONSTRAINT pk_run_words PRIMARY KEY (run_id)
);

CREATE TABLE runs (
  id VARCHAR(36) NOT NULL,
  experiment_id BIGINT,
  name TEXT DEFAULT '' NOT NULL,
  status VARCHAR(16) DEFAULT 'RUNNING' NOT NULL,
  status_at BIGINT DEFAULT '0' NOT NULL,
  provisional INTEGER DEFAULT '0' NOT NULL,
  status_reason TEXT DEFAULT '' NOT NULL,
  attempt INTEGER DEFAULT '0' NOT NULL,
  kind VARCHAR(32) DEFAULT '' NOT NULL,
  user_id VARCHAR(250) DEFAULT '' NOT NULL,
  parent_id VARCHAR(36),
  artifact_uri TEXT,
  started BIGINT,
  ended BIGINT,
  seen BIGINT DEFAULT '0' NOT NULL,
  owner VARCHAR(36) DEFAULT '' NOT NULL,
  lifecycle VARCHAR(16) DEFAULT 'active' NOT NULL,
  deleted BIGINT,
  facts TEXT DEFAULT '{}' NOT NULL,
  packages VARCHAR(64) DEFAULT '' NOT NULL,
  CONSTRAINT pk_runs PRIMARY KEY (id)
);

CREATE INDEX ix_runs_experiment ON runs (experiment_id, started, id);

CREATE INDEX ix_runs_open ON runs (status, seen);

CREATE INDEX ix_runs_owner ON runs (owner);

CREATE INDEX ix_runs_parent ON runs (parent_id);

CREATE INDEX ix_runs_search ON runs (id, attempt, lifecycle, experiment_id, started);

CREATE INDEX ix_runs_started ON runs (started, id);

CREATE TABLE series (
  id INTEGER NOT NULL,
  run_id VARCHAR(36) NOT NULL,
  "key" VARCHAR(250) NOT NULL,
  attempt INTEGER NOT NULL,
  task_run_id VARCHAR(36) NOT NULL,
  try_number INTEGER NOT NULL,
  n BIGINT DEFAULT '0' NOT NULL,
  nan BIGINT DEFAULT '0' NOT NULL,
  finite BIGINT DEFAULT '0' NOT NULL,
  mean DOUBLE,
  vmin DOUBLE,
  smin BIGINT,
  vmax DOUBLE,
  smax BIGINT,
  fs BIGINT,
  ft BIGINT,
  fv DOUBLE,
  ls BIGINT,
  lt BIGINT,
  lv DOUBLE,
  fnan INTEGER,
  lnan INTEGER,
  CONSTRAINT pk_series PRIMARY KEY (id),
  CONSTRAINT uq_series_identity UNIQUE (run_id, "key", attempt, task_run_id, try_number)
);

CREATE TABLE tags (
  run_id VARCHAR(36) NOT NULL,
  "key" VARCHAR(250) NOT NULL,
  value TEXT,
  at BIGINT NOT NULL,
  CONSTRAINT pk_tags PRIMARY KEY (run_id, "key")
)
 WITHOUT ROWID;

CREATE INDEX ix_tags_key ON tags ("key", run_id);

CREATE TABLE task_runs (
  id VARCHAR(36) NOT NULL,
  run_id VARCHAR(36) NOT NULL,
  attempt INTEGER NOT NULL,
  name TEXT NOT NULL,
  state VARCHAR(32) NOT NULL,
  state_at BIGINT NOT NULL,
  tries INTEGER NOT NULL,
  cached INTEGER DEFAULT '0' NOT NULL,
  started BIGINT,
  ended BIGINT,
  exception TEXT DEFAULT '{}' NOT NULL,
  parent_id VARCHAR(36) DEFAULT '' NOT NULL,
  CONSTRAINT pk_task_runs PRIMARY KEY (id)
);

CREATE INDEX ix_task_runs_run ON task_runs (run_id, started);

CREATE TABLE usage (
  run_id VARCHAR(36) NOT NULL,
  task_run_id VARCHAR(36) NOT NULL,
  attempt INTEGER NOT NULL,
  journal VARCHAR(36) NOT NULL,
  waited BIGINT NOT NULL,
  ran BIGINT NOT NULL,
  retried BIGINT NOT NULL,
  cpu BIGINT NOT NULL,
  gpu BIGINT NOT NULL,
  CONSTRAINT pk_usage PRIMARY KEY (run_id, task_run_id, attempt, journal)
);

INSERT INTO experiments (id, name, created, updated) VALUES (0, 'Default', @now, @now);

CREATE TABLE audit (
  seq BIGINT NOT NULL,
  at BIGINT NOT NULL,
  action VARCHAR(32) NOT NULL,
  model_id BIGINT,
  version INTEGER,
  actor VARCHAR(250) NOT NULL,
  strength VARCHAR(16) NOT NULL,
  evidence VARCHAR(64) DEFAULT '' NOT NULL,
  content TEXT NOT NULL,
  hash VARCHAR(64) NOT NULL,
  CONSTRAINT pk_audit PRIMARY KEY (seq)
);

CREATE INDEX ix_audit_model ON audit (model_id, version, seq);

CREATE TABLE audit_head (
  id INTEGER NOT NULL,
  seq BIGINT NOT NULL,
  hash VARCHAR(64) NOT NULL,
  CONSTRAINT pk_audit_head PRIMARY KEY (id)
);

CREATE TABLE evidences (
  digest VARCHAR(64) NOT NULL,
  content TEXT NOT NULL,
  arrays VARCHAR(64) DEFAULT '' NOT NULL,
  uri TEXT DEFAULT '' NOT NULL,
  CONSTRAINT pk_evidences PRIMARY KEY (digest)
);

CREATE TABLE model_aliases (
  model_id BIGINT NOT NULL,
  alias VARCHAR(250) NOT NULL,
  version INTEGER NOT NULL,
  at BIGINT NOT NULL,
  CONSTRAINT pk_model_aliases PRIMARY KEY (model_id, alias)
);

CREATE TABLE model_notes (
  id INTEGER NOT NULL,
  model_id BIGINT NOT NULL,
  version INTEGER NOT NULL,
  at BIGINT NOT NULL,
  author VARCHAR(250) NOT NULL,
  strength VARCHAR(16) NOT NULL,
  verdict VARCHAR(16) DEFAULT '' NOT NULL,
  text TEXT NOT NULL,
  CONSTRAINT pk_model_notes PRIMARY KEY (id)
);

CREATE INDEX ix_model_notes_version ON model_notes (model_id, version, id);

CREATE TABLE model_tags (
  model_id BIGINT NOT NULL,
  version INTEGER NOT NULL,
  "key" VARCHAR(250) NOT NULL,
  value TEXT NOT NULL,
  CONSTRAINT pk_model_tags PRIMARY KEY (model_id, version, "key")
);

CREATE TABLE model_versions (
  model_id BIGINT NOT NULL,
  version INTEGER NOT NULL,
  logged_id VARCHAR(34) NOT NULL,
  run_id VARCHAR(36) NOT NULL,
  digest VARCHAR(64) NOT NULL,
  stage VARCHAR(16) DEFAULT 'none' NOT NULL,
  description TEXT DEFAULT '' NOT NULL,
  author VARCHAR(250) NOT NULL,
  strength VARCHAR(16) NOT NULL,
  created BIGINT NOT NULL,
  updated BIGINT NOT NULL,
  deleted BIGINT,
  CONSTRAINT pk_model_versions PRIMARY KEY (model_id, version)
);

CREATE INDEX ix_model_versions_logged ON model_versions (logged_id);

CREATE INDEX ix_model_versions_stage ON model_versions (model_id, stage, version);

CREATE TABLE outbox (
  seq BIGINT NOT NULL,
  name VARCHAR(64) NOT NULL,
  payload TEXT NOT NULL,
  at BIGINT NOT NULL,
  sent BIGINT,
  CONSTRAINT pk_outbox PRIMARY KEY (seq)
);

CREATE INDEX ix_outbox_sent ON outbox (sent, seq);

CREATE TABLE policies (
  version INTEGER NOT NULL,
  digest VARCHAR(64) NOT NULL,
  content TEXT NOT NULL,
  at BIGINT NOT NULL,
  author VARCHAR(250) NOT NULL,
  CONSTRAINT pk_policies PRIMARY KEY (version)
);

CREATE TABLE registered_models (
  id INTEGER NOT NULL,
  name VARCHAR(250) NOT NULL,
  description TEXT DEFAULT '' NOT NULL,
  latest INTEGER DEFAULT '0' NOT NULL,
  created BIGINT NOT NULL,
  updated BIGINT NOT NULL,
  deleted BIGINT,
  CONSTRAINT pk_registered_models PRIMARY KEY (id),
  CONSTRAINT uq_registered_models_name UNIQUE (name)
);

CREATE TABLE registrations (
  logged_id VARCHAR(34) NOT NULL,
  name VARCHAR(250) NOT NULL,
  at BIGINT NOT NULL,
  version INTEGER,
  reason TEXT DEFAULT '' NOT NULL,
  CONSTRAINT pk_registrations PRIMARY KEY (logged_id)
);

CREATE INDEX ix_registrations_open ON registrations (version, at);

CREATE TABLE request_votes (
  request_id BIGINT NOT NULL,
  number INTEGER NOT NULL,
  voter VARCHAR(250) NOT NULL,
  strength VARCHAR(16) NOT NULL,
  how TEXT DEFAULT '' NOT NULL,
  approve INTEGER NOT NULL,
  comment TEXT DEFAULT '' NOT NULL,
  evidence VARCHAR(64) NOT NULL,
  at BIGINT NOT NULL,
  CONSTRAINT pk_request_votes PRIMARY KEY (request_id, number)
);

CREATE TABLE transition_requests (
  id INTEGER NOT NULL,
  model_id BIGINT NOT NULL,
  version INTEGER NOT NULL,
  stage VARCHAR(16) NOT NULL,
  champion INTEGER,
  state VARCHAR(16) DEFAULT 'open' NOT NULL,
  reason TEXT DEFAULT '' NOT NULL,
  requester VARCHAR(250) NOT NULL,
  strength VARCHAR(16) NOT NULL,
  why TEXT DEFAULT '' NOT NULL,
  evidence VARCHAR(64) NOT NULL,
  standing TEXT NOT NULL,
  report TEXT NOT NULL,
  passed INTEGER NOT NULL,
  policy INTEGER NOT NULL,
  rule TEXT NOT NULL,
  opened BIGINT NOT NULL,
  expires BIGINT NOT NULL,
  closed BIGINT,
  CONSTRAINT pk_transition_requests PRIMARY KEY (id)
);

CREATE INDEX ix_transition_requests_model ON transition_requests (model_id, version, id);

CREATE INDEX ix_transition_requests_state ON transition_requests (state, id);

INSERT INTO audit_head (id, seq, hash) VALUES (1, 0, '0000000000000000000000000000000000000000000000000000000000000000');

CREATE TABLE deliveries (
  webhook_id BIGINT NOT NULL,
  seq BIGINT NOT NULL,
  state VARCHAR(16) DEFAULT 'waiting' NOT NULL,
  tries INTEGER DEFAULT '0' NOT NULL,
  due BIGINT NOT NULL,
  status INTEGER,
  answer TEXT DEFAULT '' NOT NULL,
  ended BIGINT,
  CONSTRAINT pk_deliveries PRIMARY KEY (webhook_id, seq)
);

CREATE INDEX ix_deliveries_due ON deliveries (webhook_id, state, due);

CREATE TABLE webhooks (
  id INTEGER NOT NULL,
  url TEXT NOT NULL,
  secret VARCHAR(250) NOT NULL,
  events TEXT NOT NULL,
  model VARCHAR(250) DEFAULT '*' NOT NULL,
  allow_private INTEGER DEFAULT '0' NOT NULL,
  author VARCHAR(250) NOT NULL,
  created BIGINT NOT NULL,
  planned BIGINT NOT NULL,
  removed BIGINT,
  CONSTRAINT pk_webhooks PRIMARY KEY (id)
);

ALTER TABLE experiments ADD COLUMN description TEXT DEFAULT '' NOT NULL;

ALTER TABLE runs ADD COLUMN description TEXT DEFAULT '' NOT NULL;

CREATE TABLE alerts (
  id VARCHAR(32) NOT NULL,
  run_id VARCHAR(36) NOT NULL,
  at BIGINT NOT NULL,
  attempt INTEGER NOT NULL,
  task_run_id VARCHAR(36) DEFAULT '' NOT NULL,
  level VARCHAR(16) NOT NULL,
  title TEXT NOT NULL,
  text TEXT DEFAULT '' NOT NULL,
  due BIGINT,
  tries INTEGER DEFAULT '0' NOT NULL,
  told TEXT DEFAULT '' NOT NULL,
  answer TEXT DEFAULT '' NOT NULL,
  CONSTRAINT pk_alerts PRIMARY KEY (id)
);

CREATE INDEX ix_alerts_due ON alerts (due);

CREATE INDEX ix_alerts_run ON alerts (run_id, at);

CREATE VIEW runs_wide AS
SELECT r.id AS run_id, NULLIF(r.name, '') AS name, r.experiment_id, e.name AS experiment, r.status,
 NULLIF(r.status_reason, '') AS status_reason, CASE WHEN r.attempt < 1 THEN 1 ELSE r.attempt END AS attempt, NULLIF(r.kind, '') AS kind,
 NULLIF(r.user_id, '') AS user_name, NULLIF(r.description, '') AS description, r.parent_id AS parent_run_id,
 CASE WHEN r.started BETWEEN -62135596800000000 AND 253402300799999999 THEN strftime('%Y-%m-%dT%H:%M:%S', (r.started - ((r.started % 1000000 + 1000000) % 1000000)) / 1000000, 'unixepoch') || printf('.%06dZ', ((r.started % 1000000 + 1000000) % 1000000)) END AS started_at, CASE WHEN r.ended BETWEEN -62135596800000000 AND 253402300799999999 THEN strftime('%Y-%m-%dT%H:%M:%S', (r.ended - ((r.ended % 1000000 + 1000000) % 1000000)) / 1000000, 'unixepoch') || printf('.%06dZ', ((r.ended % 1000000 + 1000000) % 1000000)) END AS ended_at, CAST(r.ended - r.started AS DOUBLE PRECISION) / 1000000 AS seconds,
 r.started AS started_us, r.ended AS ended_us, r.artifact_uri, r.lifecycle <> 'active' AS deleted,
 CASE WHEN r.lifecycle <> 'active' THEN CASE WHEN r.deleted BETWEEN -62135596800000000 AND 253402300799999999 THEN strftime('%Y-%m-%dT%H:%M:%S', (r.deleted - ((r.deleted % 1000000 + 1000000) % 1000000)) / 1000000, 'unixepoch') || printf('.%06dZ', ((r.deleted % 1000000 + 1000000) % 1000000)) END END AS deleted_at,
 (SELECT json_group_object(key, value) FROM params p WHERE p.run_id = r.id AND p.attempt = r.attempt) AS params,
 (SELECT json_group_object(m.key, CASE WHEN m.lnan = 1 THEN 'NaN' WHEN m.lv = 9e999 THEN 'Infinity' WHEN m.lv = -9e999 THEN '-Infinity' ELSE json(printf('%!.17g', m.lv)) END) FROM metrics m WHERE m.run_id = r.id AND m.attempt = r.attempt AND substr(m.key, 1, 7) <> 'system.') AS metrics,
 (SELECT json_group_object(key, value) FROM tags t WHERE t.run_id = r.id AND t.value IS NOT NULL) AS tags
FROM runs r LEFT JOIN experiments e ON e.id = r.experiment_id;

CREATE VIEW latest_metrics AS
SELECT m.run_id, NULLIF(r.name, '') AS run_name, r.experiment_id, e.name AS experiment, m.key,
 CASE WHEN m.attempt < 1 THEN 1 ELSE m.attempt END AS attempt, m.lv AS last_value, m.lnan = 1 AS last_is_nan, m.ls AS last_step,
 CASE WHEN m.lt BETWEEN -62135596800000000 AND 253402300799999999 THEN strftime('%Y-%m-%dT%H:%M:%S', (m.lt - ((m.lt % 1000000 + 1000000) % 1000000)) / 1000000, 'unixepoch') || printf('.%06dZ', ((m.lt % 1000000 + 1000000) % 1000000)) END AS last_at, m.vmin AS min_value, m.smin AS min_step, m.vmax AS max_value, m.smax AS max_step, m.mean AS mean_value,
 m.fv AS first_value, m.fnan = 1 AS first_is_nan, m.n AS points, m.nan AS nan_points, r.lifecycle <> 'active' AS deleted
FROM metrics m JOIN runs r ON r.id = m.run_id AND r.attempt = m.attempt LEFT JOIN experiments e ON e.id = r.experiment_id;

CREATE VIEW model_versions_now AS
SELECT g.name AS model, v.version, v.stage,
 (SELECT json_group_array(x.alias) FROM (SELECT alias FROM model_aliases a WHERE a.model_id = v.model_id AND a.version = v.version ORDER BY alias) x)
 AS aliases,
 v.digest, v.logged_id, v.run_id, 'runs:/' || v.run_id || '/' || l.path AS source, l.flavor, l.size AS bytes,
 NULLIF(v.description, '') AS description, v.author, v.strength AS author_strength, CASE WHEN v.created BETWEEN -62135596800000000 AND 253402300799999999 THEN strftime('%Y-%m-%dT%H:%M:%S', (v.created - ((v.created % 1000000 + 1000000) % 1000000)) / 1000000, 'unixepoch') || printf('.%06dZ', ((v.created % 1000000 + 1000000) % 1000000)) END AS created_at, CASE WHEN v.updated BETWEEN -62135596800000000 AND 253402300799999999 THEN strftime('%Y-%m-%dT%H:%M:%S', (v.updated - ((v.updated % 1000000 + 1000000) % 1000000)) / 1000000, 'unixepoch') || printf('.%06dZ', ((v.updated % 1000000 + 1000000) % 1000000)) END AS updated_at,
 v.deleted IS NOT NULL OR g.deleted IS NOT NULL AS deleted
FROM model_versions v JOIN registered_models g ON g.id = v.model_id LEFT JOIN models l ON l.id = v.logged_id;

CREATE VIEW lineage AS
SELECT 'dataset' AS source_kind, (u.name) AS source_name, (u.digest) AS source_id, 'used by' AS relation,
 (u.context) AS detail, 'run' AS target_kind, NULLIF(r.name, '') AS target_name, (u.run_id) AS target_id,
 (u.run_id) AS run_id, CASE WHEN u.attempt < 1 THEN 1 ELSE u.attempt END AS attempt, CASE WHEN u.at BETWEEN -62135596800000000 AND 253402300799999999 THEN strftime('%Y-%m-%dT%H:%M:%S', (u.at - ((u.at % 1000000 + 1000000) % 1000000)) / 1000000, 'unixepoch') || printf('.%06dZ', ((u.at % 1000000 + 1000000) % 1000000)) END AS at
FROM dataset_uses u LEFT JOIN runs r ON r.id = u.run_id WHERE u.context <> 'predictions'
UNION ALL
SELECT 'run', NULLIF(r.name, ''), (u.run_id), 'wrote', (u.context), 'dataset', (u.name), (u.digest),
 (u.run_id), CASE WHEN u.attempt < 1 THEN 1 ELSE u.attempt END, CASE WHEN u.at BETWEEN -62135596800000000 AND 253402300799999999 THEN strftime('%Y-%m-%dT%H:%M:%S', (u.at - ((u.at % 1000000 + 1000000) % 1000000)) / 1000000, 'unixepoch') || printf('.%06dZ', ((u.at % 1000000 + 1000000) % 1000000)) END
FROM dataset_uses u LEFT JOIN runs r ON r.id = u.run_id WHERE u.context = 'predictions'
UNION ALL
SELECT 'run', NULLIF(r.name, ''), (l.run_id), 'logged', (l.path), 'model', (l.name), (l.id),
 (l.run_id), CASE WHEN l.attempt < 1 THEN 1 ELSE l.attempt END, CASE WHEN l.at BETWEEN -62135596800000000 AND 253402300799999999 THEN strftime('%Y-%m-%dT%H:%M:%S', (l.at - ((l.at % 1000000 + 1000000) % 1000000)) / 1000000, 'unixepoch') || printf('.%06dZ', ((l.at % 1000000 + 1000000) % 1000000)) END
FROM models l LEFT JOIN runs r ON r.id = l.run_id
UNION ALL
SELECT 'model', (l.name), (v.logged_id), 'became', (v.stage), 'version', (g.name), CAST(v.version AS TEXT),
 (v.run_id), CASE WHEN l.attempt < 1 THEN 1 ELSE l.attempt END, CASE WHEN v.created BETWEEN -62135596800000000 AND 253402300799999999 THEN strftime('%Y-%m-%dT%H:%M:%S', (v.created - ((v.created % 1000000 + 1000000) % 1000000)) / 1000000, 'unixepoch') || printf('.%06dZ', ((v.created % 1000000 + 1000000) % 1000000)) END
FROM model_versions v JOIN registered_models g ON g.id = v.model_id LEFT JOIN models l ON l.id = v.logged_id
UNION ALL
SELECT 'model', (l.name), (t.value), 'asked by', NULL, 'run', NULLIF(r.name, ''), (t.run_id),
 (t.run_id), CASE WHEN r.attempt < 1 THEN 1 ELSE r.attempt END, CASE WHEN t.at BETWEEN -62135596800000000 AND 253402300799999999 THEN strftime('%Y-%m-%dT%H:%M:%S', (t.at - ((t.at % 1000000 + 1000000) % 1000000)) / 1000000, 'unixepoch') || printf('.%06dZ', ((t.at % 1000000 + 1000000) % 1000000)) END
FROM tags t JOIN runs r ON r.id = t.run_id JOIN models l ON l.id = t.value WHERE t.key = 'model_id'
UNION ALL
SELECT 'run', NULLIF(p.name, ''), (r.parent_id), 'parent of', NULL, 'run', NULLIF(r.name, ''), (r.id),
 (r.id), CASE WHEN r.attempt < 1 THEN 1 ELSE r.attempt END, CASE WHEN r.started BETWEEN -62135596800000000 AND 253402300799999999 THEN strftime('%Y-%m-%dT%H:%M:%S', (r.started - ((r.started % 1000000 + 1000000) % 1000000)) / 1000000, 'unixepoch') || printf('.%06dZ', ((r.started % 1000000 + 1000000) % 1000000)) END
FROM runs r LEFT JOIN runs p ON p.id = r.parent_id WHERE r.parent_id IS NOT NULL
UNION ALL
SELECT 'run', NULLIF(s.name, ''), (c.source_run_id), 'computed for', (c.task_run_id), 'run', NULLIF(r.name, ''), (c.run_id),
 (c.run_id), CASE WHEN c.attempt < 1 THEN 1 ELSE c.attempt END, CASE WHEN c.at BETWEEN -62135596800000000 AND 253402300799999999 THEN strftime('%Y-%m-%dT%H:%M:%S', (c.at - ((c.at % 1000000 + 1000000) % 1000000)) / 1000000, 'unixepoch') || printf('.%06dZ', ((c.at % 1000000 + 1000000) % 1000000)) END
FROM cache_hits c LEFT JOIN runs s ON s.id = c.source_run_id LEFT JOIN runs r ON r.id = c.run_id WHERE c.source_run_id <> '';

CREATE TABLE saved_views (
  page VARCHAR(32) NOT NULL,
  name VARCHAR(500) NOT NULL,
  "query" TEXT NOT NULL,
  author VARCHAR(250) NOT NULL,
  at BIGINT NOT NULL,
  CONSTRAINT pk_saved_views PRIMARY KEY (page, name)
);

INSERT INTO ledger_schema_version (version_num) VALUES ('0006')
