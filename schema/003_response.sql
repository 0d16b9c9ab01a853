-- Calls are found by the identifier of their answer; and what is written with every entry of
-- a call is what some query needs.
CREATE TABLE response ( -- rebuildable: answers by their identifiers
    id INTEGER PRIMARY KEY -- block << 36 | hash << 9 | place, where the call-outcome is entry
                           -- block * 512 + place and hash the first 27 bits of the SHA-256 of
                           -- its `response_id`: what is written together lies together
) STRICT;

DROP INDEX entry_subject;
DROP INDEX entry_model;
DROP INDEX entry_outcome;
DROP INDEX entry_kind;
CREATE INDEX entry_kind ON entry (kind) WHERE kind NOT IN (5, 6, 18); -- all but those of calls
