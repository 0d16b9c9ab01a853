/*
 * What the opcodes share, and the opcodes themselves: each runs one on the
 * machine and returns false to end the stream. Private to src/model.
 */
#ifndef MODEL_PICKLE_OPS_H
#define MODEL_PICKLE_OPS_H

#include "model/pickle.h"

/* A value that is only known by its kind and by where it was made. */
bool pickle_push_kind(struct pickle *p, enum pv_kind kind);
/* Digits with a sign before them, as every reader takes them; more than fit saturate. */
bool pickle_decimal(struct span s, bool *negative, uint64_t *v);

/* pickle_values.c: values of their own */
bool pickle_op_none(struct pickle *p);
bool pickle_op_bool(struct pickle *p);
bool pickle_op_list(struct pickle *p);
bool pickle_op_dict(struct pickle *p);
bool pickle_op_set(struct pickle *p);
bool pickle_op_empty_tuple(struct pickle *p);
bool pickle_op_binint(struct pickle *p);
bool pickle_op_binint1(struct pickle *p);
bool pickle_op_binint2(struct pickle *p);
bool pickle_op_binfloat(struct pickle *p);
bool pickle_op_int(struct pickle *p);
bool pickle_op_long(struct pickle *p);
bool pickle_op_float(struct pickle *p);
bool pickle_op_long1(struct pickle *p);
bool pickle_op_long4(struct pickle *p);
bool pickle_op_string(struct pickle *p);
bool pickle_op_unicode(struct pickle *p);
bool pickle_op_short_binunicode(struct pickle *p);
bool pickle_op_binunicode(struct pickle *p);
bool pickle_op_binunicode8(struct pickle *p);
bool pickle_op_short_binbytes(struct pickle *p);
bool pickle_op_binbytes(struct pickle *p);
bool pickle_op_binbytes8(struct pickle *p);
bool pickle_op_short_binstring(struct pickle *p);
bool pickle_op_binstring(struct pickle *p);
bool pickle_op_next_buffer(struct pickle *p);
bool pickle_op_readonly_buffer(struct pickle *p);

/* pickle_items.c: the stack, the memo, items */
bool pickle_op_mark(struct pickle *p);
bool pickle_op_pop(struct pickle *p);
bool pickle_op_pop_mark(struct pickle *p);
bool pickle_op_dup(struct pickle *p);
bool pickle_op_get(struct pickle *p);
bool pickle_op_put(struct pickle *p);
bool pickle_op_binget(struct pickle *p);
bool pickle_op_long_binget(struct pickle *p);
bool pickle_op_binput(struct pickle *p);
bool pickle_op_long_binput(struct pickle *p);
bool pickle_op_memoize(struct pickle *p);
bool pickle_op_tuple1(struct pickle *p);
bool pickle_op_tuple2(struct pickle *p);
bool pickle_op_tuple3(struct pickle *p);
bool pickle_op_tuple(struct pickle *p);
bool pickle_op_list_of(struct pickle *p);
bool pickle_op_dict_of(struct pickle *p);
bool pickle_op_frozenset(struct pickle *p);
bool pickle_op_append(struct pickle *p);
bool pickle_op_appends(struct pickle *p);
bool pickle_op_setitem(struct pickle *p);
bool pickle_op_setitems(struct pickle *p);

#endif
