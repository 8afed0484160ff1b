-- A database as schema version 5 left it. Kept for ever and never edited: a daemon of any age is upgraded from it.
PRAGMA user_version = 5;
BEGIN TRANSACTION;
CREATE TABLE choices (
    name TEXT PRIMARY KEY,
    value TEXT NOT NULL
) STRICT;
INSERT INTO "choices" VALUES('runtime','system');
CREATE TABLE events (
    token INTEGER PRIMARY KEY AUTOINCREMENT,
    kind TEXT NOT NULL,
    profile TEXT NOT NULL,
    message TEXT NOT NULL,
    facts TEXT NOT NULL,      -- JSON: map of text to text
    at_s REAL NOT NULL
) STRICT;
INSERT INTO "events" VALUES(1,'gateway.crashed','coder','coder crashed','{"signal":"11"}',1700000100.25);
CREATE TABLE gateways (
    profile_id TEXT PRIMARY KEY,
    state TEXT NOT NULL,
    wanted_up INTEGER NOT NULL,
    attempts INTEGER NOT NULL,
    is_stable INTEGER NOT NULL,
    is_port_taken INTEGER NOT NULL,
    parked_for TEXT,
    spawn_id TEXT NOT NULL,
    process TEXT,        -- JSON: boot_id, pid, start_ticks, spawn_id
    since_s REAL,
    restarts INTEGER NOT NULL,
    next_start_at_s REAL,
    last_exit TEXT,      -- JSON: cause, code, signal, detail, at_s
    detail TEXT NOT NULL,
    starts TEXT NOT NULL,  -- JSON: list of seconds since the epoch
    is_enabled INTEGER NOT NULL
, home TEXT, relapses INTEGER NOT NULL DEFAULT 0, start_order INTEGER NOT NULL DEFAULT 0, wished_at_s REAL, claims TEXT NOT NULL DEFAULT '[]') STRICT;
INSERT INTO "gateways" VALUES('k3v9x0q2m7ab','backoff',1,3,0,0,NULL,'z8y7x6w5v4u3','{"boot_id":"5f0c7a4e-7a3b-4a52-9d60-0c1b7e2f9a11","pid":4711,"spawn_id":"z8y7x6w5v4u3","start_ticks":123456}',1700000100.5,3,1700000104.5,'{"at_s":1700000100.25,"cause":"crashed","code":null,"detail":"ended by signal 11","signal":11}','starts again soon ✓','[1700000000.5,1700000100.25]',0,'{"birth_ns": 1700000000123456789, "device": 64769, "inode": 18446744073709551615, "name": "coder", "path": "/home/ana/.hermes/profiles/coder"}',2,-2,1700000000.25,'[{"agents_lock":"telegram-token-ab.lock","digest":"abababababababababababababababababababababababababababababababab","kind":"bot","platform":"telegram","port":0,"source":"TELEGRAM_BOT_TOKEN"},{"agents_lock":"","digest":"","kind":"port","platform":"api_server","port":8643,"source":"API_SERVER_PORT"}]');
CREATE TABLE operations (
    number INTEGER PRIMARY KEY AUTOINCREMENT,
    id TEXT NOT NULL UNIQUE,
    kind TEXT NOT NULL,
    profile TEXT NOT NULL,
    parameters TEXT NOT NULL,
    requester TEXT NOT NULL,
    started_at_s REAL NOT NULL,
    state TEXT NOT NULL,
    progress TEXT NOT NULL,   -- JSON: phase, detail, done, total
    warnings TEXT NOT NULL,   -- JSON: list of sentences
    error TEXT,               -- JSON: reason, message, metadata
    finished_at_s REAL,
    elapsed_s REAL NOT NULL
, results TEXT NOT NULL DEFAULT '[]') STRICT;
INSERT INTO "operations" VALUES(1,'a1b2c3d4e5f6','gateway.start','coder','{"profile":"coder"}','hermesctl',1700000000.0,'failed','{"detail":"","done":1,"phase":"ready","total":2}','["no alias"]','{"message":"cannot start coder","metadata":{"fix":"hermesctl -p coder gateway logs"},"reason":"GATEWAY_CRASHED"}',1700000060.0,60.0,'[{"error":null,"profile":"coder","summary":"+2 new"},{"error":{"message":"it is being deleted","metadata":{"profile":"helper"},"reason":"PROFILE_BUSY"},"profile":"helper","summary":""}]');
CREATE TABLE profiles (
    id TEXT PRIMARY KEY,
    device TEXT NOT NULL,  -- text, for the kernel's numbers use all 64 bits and SQLite's 63
    inode TEXT NOT NULL,
    birth_ns INTEGER NOT NULL, name TEXT NOT NULL DEFAULT '',
    UNIQUE (device, inode, birth_ns)
) STRICT;
INSERT INTO "profiles" VALUES('k3v9x0q2m7ab','64769','18446744073709551615',1700000000123456789,'coder');
CREATE TABLE runtimes (
    name TEXT PRIMARY KEY,
    kind TEXT NOT NULL,
    version TEXT NOT NULL,
    executable TEXT NOT NULL,
    is_managed INTEGER NOT NULL
) STRICT;
INSERT INTO "runtimes" VALUES('system','hermes-agent','0.19.0','/usr/local/bin/hermes',0);
CREATE TABLE token_starts (
    key TEXT PRIMARY KEY,
    starts TEXT NOT NULL  -- JSON: list of seconds since the epoch
) STRICT;
INSERT INTO "token_starts" VALUES('bot-telegram-abab','[1700000000.5,1700000100.25]');
CREATE INDEX operations_of_profile ON operations (profile, number);
CREATE INDEX events_of_profile ON events (profile, token);
DELETE FROM "sqlite_sequence";
INSERT INTO "sqlite_sequence" VALUES('operations',2);
INSERT INTO "sqlite_sequence" VALUES('events',1);
COMMIT;
