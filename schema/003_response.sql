-- Calls are found by the identifier of their answer, and what no query used is gone.
CREATE TABLE response ( -- rebuildable: answers by their identifiers
    block INTEGER NOT NULL, -- seq >> 12: what is written together lies together
    hash  INTEGER NOT NULL, -- first 4 bytes of the SHA-256 of the identifier
    seq   INTEGER NOT NULL, -- of the call-outcome that has it as `response_id`
    PRIMARY KEY (block, hash, seq)
) STRICT, WITHOUT ROWID;

DROP INDEX entry_subject;
DROP INDEX entry_model;
DROP INDEX entry_outcome;
