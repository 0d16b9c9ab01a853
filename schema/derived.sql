-- What can be rebuilt from `record` alone (assay log reindex). No statement about the log rests on it.

CREATE TABLE tile ( -- full tiles of the tree (C2SP tlog-tiles); the right edge is never stored
    id     INTEGER PRIMARY KEY, -- level << 56 | number
    root   BLOB NOT NULL,       -- of its 256 hashes: what the tile above holds
    hashes BLOB NOT NULL        -- 256 * 32 bytes
) STRICT;

CREATE TABLE entry ( -- what leaves are searched by; times follow the order of seq
    seq     INTEGER PRIMARY KEY, -- record.seq
    kind    INTEGER NOT NULL,    -- number of the kind, docs/log-format.md
    time    INTEGER NOT NULL,    -- wall clock of the leaf, microseconds since 1970
    subject BLOB,                -- pseudonym
    model   TEXT,                -- member `model` of the body
    outcome TEXT                 -- member `outcome` of the body
) STRICT;

CREATE INDEX entry_kind ON entry (kind);
CREATE INDEX entry_subject ON entry (subject) WHERE subject IS NOT NULL;
CREATE INDEX entry_model ON entry (model) WHERE model IS NOT NULL;
CREATE INDEX entry_outcome ON entry (outcome) WHERE outcome IS NOT NULL;

CREATE TABLE open_intent ( -- calls that were begun and have no outcome yet
    seq INTEGER PRIMARY KEY -- of the call-intent
) STRICT;
