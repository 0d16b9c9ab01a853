-- Receipts carry the cosignatures of their checkpoint, which are found by its size.
CREATE INDEX cosignature_size ON cosignature (size);
