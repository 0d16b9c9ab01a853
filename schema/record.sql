-- The truth of an audit log. Never edited after a release: later versions add NNN_*.sql.
-- There is no UNIQUE beside the key of `record`, and there are no triggers: they would be
-- courtesy, not evidence. Evidence is the tree over the leaves and the signed checkpoints.

CREATE TABLE record ( -- one row per leaf of the tree, only ever appended
    seq  INTEGER PRIMARY KEY, -- index in the tree: 0, 1, 2 ... without a gap
    leaf BLOB NOT NULL        -- the bytes that are hashed: one JSON object, docs/log-format.md
) STRICT;

CREATE TABLE subject ( -- one row per person (or other subject) and epoch; erasing deletes it
    id         INTEGER PRIMARY KEY, -- used in this database only
    born       INTEGER NOT NULL,    -- epoch in which the pseudonym was made; new records take the current one's
    epoch      INTEGER NOT NULL,    -- epoch whose key wraps `key` and makes `lookup` now
    lookup     BLOB NOT NULL,       -- HMAC of the name under a key derived from the epoch's key
    pseudonym  BLOB NOT NULL,       -- 16 random bytes, what leaves show
    key        BLOB NOT NULL,       -- subject key, wrapped (RFC 3394) by the epoch's key
    commitment BLOB NOT NULL,       -- of the name
    name       BLOB NOT NULL        -- the name, encrypted under the subject key, to find it again in a new epoch
) STRICT;

CREATE INDEX subject_lookup ON subject (lookup);

CREATE TABLE content_key ( -- one row per record with sealed content; destroying `key` forgets it
    seq     INTEGER PRIMARY KEY, -- the record
    subject INTEGER NOT NULL,    -- subject.id whose key wraps `key`
    key     BLOB NOT NULL        -- the record's key, wrapped (RFC 3394)
) STRICT;

CREATE INDEX content_key_subject ON content_key (subject);

CREATE TABLE content ( -- one row per sealed field
    id         INTEGER PRIMARY KEY, -- seq * 256 + the field's place in the leaf
    ciphertext BLOB NOT NULL        -- AES-256-GCM in chunks, docs/log-format.md
) STRICT;

CREATE TABLE checkpoint ( -- signed heads, in the order of their signing
    size INTEGER PRIMARY KEY, -- leaves
    note BLOB NOT NULL        -- the signed note (C2SP tlog-checkpoint)
) STRICT;

CREATE TABLE cosignature ( -- what witnesses added to checkpoints
    id   INTEGER PRIMARY KEY, -- order of arrival
    size INTEGER NOT NULL,    -- checkpoint.size
    time INTEGER NOT NULL,    -- Unix seconds that the witness signed
    line BLOB NOT NULL        -- the signature line with its line end
) STRICT;

CREATE TABLE erasure ( -- erasures whose keys are destroyed and whose leaf is not written yet
    epoch INTEGER PRIMARY KEY, -- under which the survivors are wrapped; unique to each erasure
    body  BLOB NOT NULL        -- members of the leaf to come
) STRICT;
