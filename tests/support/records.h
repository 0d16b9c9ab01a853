/* Records of every kind for tests, made from the table itself. */
#ifndef TESTS_SUPPORT_RECORDS_H
#define TESTS_SUPPORT_RECORDS_H

#include "assay/record.h"

/* A body of the kind: every member, or the required ones alone. */
void record_body(struct buf *out, enum record_kind k, bool every_member);
/* Its leaf, with `fields` sealed fields. Fails the test when it is refused. */
void record_leaf(struct buf *out, enum record_kind k, bool every_member, size_t fields);

#endif
