/*
 * The footer of a Parquet file: Thrift's compact protocol, read as far as rows, row
 * groups and the names of columns. Nothing of the data is decoded, so these are the
 * file's own words, held against one another: row groups must add up to the whole.
 */
#include "provenance/parquet.h"

#include <stdlib.h>
#include <string.h>

#include "assay/base/text.h"

enum { MAGIC = 4, TAIL = 8 };

/* parquet-format, README "File format"; thrift-compact-protocol.md. */
enum thrift {
    THRIFT_STOP,
    THRIFT_TRUE,
    THRIFT_FALSE,
    THRIFT_I8,
    THRIFT_I16,
    THRIFT_I32,
    THRIFT_I64,
    THRIFT_DOUBLE,
    THRIFT_BINARY,
    THRIFT_LIST,
    THRIFT_SET,
    THRIFT_MAP,
    THRIFT_STRUCT,
    THRIFT_UUID
};

struct reading {
    struct cursor c;
    struct parquet *out;
    struct arena *a;
    unsigned depth;
    bool in_schema;  /* its root was read */
    uint64_t nested; /* elements of the schema that are still to come within a column */
};

/* ---- values ---- */

static uint64_t varint(struct cursor *c)
{
    uint64_t v = 0;
    for (unsigned shift = 0; shift < 64; shift += 7) {
        uint8_t b = cursor_u8(c);
        v |= (uint64_t)(b & 0x7f) << shift;
        if (!(b & 0x80))
            return v;
    }
    cursor_fault(c, ERR_FORMAT, "a number is longer than 64 bits");
    return 0;
}

/* A count of rows: signed in the file, and never below nothing. */
static uint64_t count(struct cursor *c)
{
    uint64_t z = varint(c);
    if (z & 1)
        cursor_fault(c, ERR_FORMAT, "a count is negative");
    return z >> 1;
}

/* Length and element type of a list; every element takes a byte or more. */
static uint64_t list_of(struct cursor *c, enum thrift *type)
{
    uint8_t head = cursor_u8(c);
    uint64_t n = head >> 4;
    *type = (enum thrift)(head & 15);
    if (n == 15)
        n = varint(c);
    return cursor_count(c, n, 1);
}

static void skip(struct reading *k, enum thrift type, bool in_list);

/* The next field of a structure: its number, or 0 at the end. */
static uint32_t field(struct cursor *c, uint32_t before, enum thrift *type)
{
    uint8_t head = cursor_u8(c);
    *type = (enum thrift)(head & 15);
    if (!cursor_ok(c) || *type == THRIFT_STOP)
        return 0;
    if (head >> 4)
        return before + (head >> 4);
    uint64_t id = varint(c);
    if (!(id & 1) && id >> 1 > 0 && id >> 1 <= INT16_MAX)
        return (uint32_t)(id >> 1);
    cursor_fault(c, ERR_FORMAT, "a field of a structure has no number that Thrift has");
    return 0;
}

static void skip_many(struct reading *k, uint64_t n, enum thrift a, enum thrift b)
{
    for (uint64_t i = 0; i < n && cursor_ok(&k->c); i++) {
        skip(k, a, true);
        if (b != THRIFT_STOP)
            skip(k, b, true);
    }
}

static void skip_struct(struct reading *k)
{
    enum thrift type;
    uint32_t id = 0;
    while ((id = field(&k->c, id, &type)) != 0)
        skip(k, type, false);
}

static void skip_map(struct reading *k)
{
    uint64_t n = cursor_count(&k->c, varint(&k->c), 2);
    uint8_t types = n ? cursor_u8(&k->c) : 0;
    if (n && (!(types >> 4) || !(types & 15)))
        cursor_fault(&k->c, ERR_FORMAT, "a map has no types");
    skip_many(k, n, (enum thrift)(types >> 4), (enum thrift)(types & 15));
}

static void skip(struct reading *k, enum thrift type, bool in_list)
{
    enum thrift element;
    uint64_t n;
    if (k->depth >= PARQUET_MAX_DEPTH) {
        cursor_fault(&k->c, ERR_LIMIT, "structures stand too deep in one another");
        return;
    }
    k->depth++;
    switch (type) {
    case THRIFT_TRUE:
    case THRIFT_FALSE:
        cursor_skip(&k->c, in_list ? 1 : 0);
        break;
    case THRIFT_I8:
        cursor_skip(&k->c, 1);
        break;
    case THRIFT_I16:
    case THRIFT_I32:
    case THRIFT_I64:
        (void)varint(&k->c);
        break;
    case THRIFT_DOUBLE:
        cursor_skip(&k->c, 8);
        break;
    case THRIFT_BINARY:
        cursor_skip(&k->c, varint(&k->c));
        break;
    case THRIFT_LIST:
    case THRIFT_SET:
        n = list_of(&k->c, &element);
        skip_many(k, n, element, THRIFT_STOP);
        break;
    case THRIFT_MAP:
        skip_map(k);
        break;
    case THRIFT_STRUCT:
        skip_struct(k);
        break;
    case THRIFT_UUID:
        cursor_skip(&k->c, 16);
        break;
    case THRIFT_STOP:
    default:
        cursor_fault(&k->c, ERR_FORMAT, "a value of no type that Thrift has");
    }
    k->depth--;
}

/* ---- the schema: SchemaElement ---- */

static bool keep_name(struct reading *k, struct span name)
{
    char text[PARQUET_COLUMN_NAME + 8];
    struct parquet *p = k->out;
    if (p->named == PARQUET_MAX_COLUMNS)
        return true;
    p->columns[p->named] = arena_str(k->a, span_str(text_shown(text, sizeof text, name)));
    return p->columns[p->named++] != NULL;
}

/* Depth first, the root before all: columns are its children, what is nested in one is not listed. */
static bool schema_element(struct reading *k)
{
    enum thrift type;
    uint64_t children = 0;
    struct span name = SPAN_EMPTY;
    uint32_t id = 0;
    while ((id = field(&k->c, id, &type)) != 0) {
        if (id == 4 && type == THRIFT_BINARY)
            name = cursor_take(&k->c, varint(&k->c));
        else if (id == 5 && type == THRIFT_I32)
            children = count(&k->c);
        else
            skip(k, type, false);
    }
    bool column = k->in_schema && k->nested == 0;
    bool bounded = !k->in_schema || size_add(&k->nested, k->nested - !column, children);
    k->in_schema = true;
    if (!bounded)
        cursor_fault(&k->c, ERR_FORMAT, "a schema is larger than 64 bits hold");
    if (!column || !bounded)
        return true;
    k->out->column_count++;
    return keep_name(k, name);
}

/* ---- row groups and the whole: RowGroup, FileMetaData ---- */

static void row_group(struct reading *k)
{
    enum thrift type;
    uint64_t rows = 0;
    uint32_t id = 0;
    while ((id = field(&k->c, id, &type)) != 0) {
        if (id == 3 && type == THRIFT_I64)
            rows = count(&k->c);
        else
            skip(k, type, false);
    }
    k->out->groups++;
    if (!size_add(&k->out->group_rows, k->out->group_rows, rows))
        cursor_fault(&k->c, ERR_FORMAT, "row groups add up to more than 64 bits hold");
}

static bool elements(struct reading *k, bool schema)
{
    enum thrift type;
    uint64_t n = list_of(&k->c, &type);
    if (n && type != THRIFT_STRUCT)
        cursor_fault(&k->c, ERR_FORMAT, "a list is not of structures");
    for (uint64_t i = 0; i < n && cursor_ok(&k->c); i++) {
        if (!schema)
            row_group(k);
        else if (!schema_element(k))
            return false;
    }
    return true;
}

static bool metadata(struct reading *k, bool *whole)
{
    enum thrift type;
    uint32_t id = 0;
    bool rows = false, schema = false;
    while ((id = field(&k->c, id, &type)) != 0) {
        if (id == 3 && type == THRIFT_I64) {
            k->out->rows = count(&k->c);
            rows = true;
        } else if ((id == 2 || id == 4) && type == THRIFT_LIST) {
            schema |= id == 2;
            if (!elements(k, id == 2))
                return false;
        } else {
            skip(k, type, false);
        }
    }
    *whole = rows && schema;
    return true;
}

bool parquet_footer(struct parquet *out, struct span footer, const char *path, uint64_t offset,
                    struct arena *a, struct err *e)
{
    struct reading k = {.c = cursor_over(footer), .out = out, .a = a};
    bool whole = false;
    k.c.origin = offset;
    *out = (struct parquet){.columns = arena_array(a, PARQUET_MAX_COLUMNS, sizeof *out->columns)};
    if (!out->columns || !metadata(&k, &whole))
        return err_set(e, ERR_MEMORY, "out of memory for the columns of a data set");
    if (!cursor_ok(&k.c))
        return err_at(e, k.c.fault_code, path, k.c.fault_at, "Parquet footer: %s", k.c.fault);
    return whole || err_at(e, ERR_FORMAT, path, offset,
                           "Parquet footer: it has no schema or no number of rows");
}

bool parquet_read(struct parquet *out, const struct source *s, struct arena *a, struct err *e)
{
    uint8_t tail[TAIL];
    uint64_t size = source_size(s);
    const char *path = source_path(s);
    if (size < MAGIC + TAIL)
        return err_at(e, ERR_FORMAT, path, 0, "is too short for a Parquet file");
    if (!source_read(s, tail, size - TAIL, TAIL, e))
        return false;
    if (memcmp(tail + 4, "PARE", MAGIC) == 0)
        return err_at(e, ERR_UNSUPPORTED, path, size - MAGIC,
                      "Parquet with an encrypted footer: its rows are not known");
    uint64_t length = load_u32le(tail);
    if (memcmp(tail + 4, "PAR1", MAGIC) != 0 || length > size - MAGIC - TAIL)
        return err_at(
            e, ERR_FORMAT, path, size - TAIL,
            "does not end as a Parquet file does: \"PAR1\" after the length of its footer");
    if (length > PARQUET_MAX_FOOTER)
        return err_at(e, ERR_LIMIT, path, size - TAIL, "has a Parquet footer of more than %d MiB",
                      PARQUET_MAX_FOOTER >> 20);
    uint8_t *bytes = malloc(length ? length : 1);
    bool ok = (bytes || err_set(e, ERR_MEMORY, "out of memory for a Parquet footer")) &&
              source_read(s, bytes, size - TAIL - length, length, e) &&
              parquet_footer(out, (struct span){bytes, length}, path, size - TAIL - length, a, e);
    free(bytes);
    return ok;
}
