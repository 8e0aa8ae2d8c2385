"""The tables of a run's log (docs/formats.md)."""

SCHEMA = """
CREATE TABLE IF NOT EXISTS episodes(run INTEGER, episode INTEGER, instruction TEXT, explored INTEGER, return REAL,
    optimal_value REAL, regret REAL, expected_regret REAL, wall_s REAL, score REAL);
CREATE TABLE IF NOT EXISTS steps(run INTEGER, episode INTEGER, step INTEGER, observation TEXT, subgoal TEXT,
    explored INTEGER, proposal TEXT, proposal_source TEXT, answers TEXT, law TEXT, menu TEXT, next_observation TEXT,
    reward REAL);
CREATE TABLE IF NOT EXISTS low_level(run INTEGER, episode INTEGER, step INTEGER, actions INTEGER, event TEXT);
CREATE TABLE IF NOT EXISTS cuts(run INTEGER, episode INTEGER, step INTEGER, left_out INTEGER);
CREATE TABLE IF NOT EXISTS menus(menu TEXT PRIMARY KEY, subgoals TEXT);
CREATE TABLE IF NOT EXISTS calls(run INTEGER, episode INTEGER, step INTEGER, model TEXT, purpose TEXT,
    prompt_tokens INTEGER, cached_tokens INTEGER, completion_tokens INTEGER, latency_s REAL, attempts INTEGER,
    outcome TEXT, prompt TEXT, answer TEXT, key TEXT, cost REAL, counted INTEGER);
CREATE TABLE IF NOT EXISTS texts(hash TEXT PRIMARY KEY, text TEXT);
CREATE TABLE IF NOT EXISTS pieces(hash TEXT PRIMARY KEY, base TEXT, kept INTEGER, text TEXT);
CREATE VIEW IF NOT EXISTS prompts AS
    WITH RECURSIVE chain(hash, base, kept, text) AS (
        SELECT hash, base, kept, text FROM pieces
        UNION ALL
        SELECT chain.hash, pieces.base, min(chain.kept, pieces.kept),
            substr(pieces.text, 1, max(0, chain.kept - pieces.kept)) || chain.text
        FROM chain JOIN pieces ON pieces.hash = chain.base)
    SELECT hash, text FROM texts
    UNION ALL SELECT chain.hash, substr(texts.text, 1, chain.kept) || chain.text
        FROM chain JOIN texts ON texts.hash = chain.base;
CREATE TABLE IF NOT EXISTS snapshots(cohort INTEGER PRIMARY KEY, episode INTEGER, state BLOB);
CREATE TABLE IF NOT EXISTS seals(first_run INTEGER, episode INTEGER, step INTEGER, rows INTEGER, digest TEXT);
CREATE TABLE IF NOT EXISTS commits(id INTEGER PRIMARY KEY, n INTEGER);
"""
INDEXES = (
    "CREATE UNIQUE INDEX IF NOT EXISTS episodes_key ON episodes(run, episode)",
    "CREATE UNIQUE INDEX IF NOT EXISTS steps_key ON steps(run, episode, step)",
)
