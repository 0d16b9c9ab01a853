/*
 * Text for people: styles, fields wrapped under themselves, column tables.
 * Nothing here knows about models; what is shown was made safe before.
 */
#include "cli/output.h"

#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "assay/base/text.h"

static unsigned window_width(FILE *f)
{
    const char *columns = getenv("COLUMNS");
    uint64_t n;
    if (columns && text_u64(span_str(columns), &n) && n > 0 && n <= 10000)
        return (unsigned)n;
    struct winsize w;
    if (ioctl(fileno(f), TIOCGWINSZ, &w) == 0 && w.ws_col > 0)
        return w.ws_col;
    return 80;
}

static bool wants_colour(const struct out *o, enum colour mode)
{
    const char *no = getenv("NO_COLOR");
    const char *term = getenv("TERM");
    if (mode != COLOUR_AUTO)
        return mode == COLOUR_ALWAYS;
    return o->terminal && !(no && no[0]) && !(term && strcmp(term, "dumb") == 0);
}

void out_init(struct out *o, FILE *f, enum colour mode)
{
    *o = (struct out){.f = f, .terminal = isatty(fileno(f)) == 1};
    o->colour = wants_colour(o, mode);
    o->width = window_width(f);
    if (o->width < OUT_MIN_WIDTH)
        o->width = OUT_MIN_WIDTH;
    if (o->width > OUT_MAX_WIDTH)
        o->width = OUT_MAX_WIDTH;
}

void out_put(struct out *o, const char *s)
{
    fputs(s, o->f);
}

void out_printf(struct out *o, const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    vfprintf(o->f, fmt, args);
    va_end(args);
}

static void style_start(struct out *o, enum style style)
{
    static const char *const codes[] = {
        [STYLE_PLAIN] = "",  [STYLE_BOLD] = "1", [STYLE_DIM] = "2",     [STYLE_GOOD] = "32",
        [STYLE_WARN] = "33", [STYLE_BAD] = "31", [STYLE_HEAD] = "1;36",
    };
    if (o->colour && style != STYLE_PLAIN)
        fprintf(o->f, "\033[%sm", codes[style]);
}

static void style_end(struct out *o, enum style style)
{
    if (o->colour && style != STYLE_PLAIN)
        fputs("\033[0m", o->f);
}

void out_style(struct out *o, enum style style, const char *s)
{
    style_start(o, style);
    fputs(s, o->f);
    style_end(o, style);
}

void out_heading(struct out *o, const char *s)
{
    fputc('\n', o->f);
    out_style(o, STYLE_HEAD, s);
    fputc('\n', o->f);
}

bool out_flush(struct out *o)
{
    errno = 0;
    if (fflush(o->f) != 0 && o->error == 0)
        o->error = errno;
    return o->error == 0 && !ferror(o->f);
}

/* East Asian wide and emoji blocks: two columns. UAX 11, the ranges that occur in text. */
static bool is_wide(uint32_t c)
{
    static const struct {
        uint32_t from, to;
    } wide[] = {{0x1100, 0x115F},   {0x2E80, 0x303E},   {0x3041, 0x33FF},  {0x3400, 0x4DBF},
                {0x4E00, 0x9FFF},   {0xA000, 0xA4CF},   {0xAC00, 0xD7A3},  {0xF900, 0xFAFF},
                {0xFE30, 0xFE6F},   {0xFF00, 0xFF60},   {0xFFE0, 0xFFE6},  {0x1F300, 0x1F64F},
                {0x1F680, 0x1F6FF}, {0x1F900, 0x1F9FF}, {0x20000, 0x3FFFD}};
    if (c < wide[0].from)
        return false;
    for (size_t i = 0; i < sizeof wide / sizeof wide[0]; i++)
        if (c >= wide[i].from && c <= wide[i].to)
            return true;
    return false;
}

static bool is_combining(uint32_t c)
{
    return (c >= 0x0300 && c <= 0x036F) || (c >= 0x0591 && c <= 0x05BD) ||
           (c >= 0x064B && c <= 0x065F) || (c >= 0x0E31 && c <= 0x0E3A && c != 0x0E32) ||
           (c >= 0x20D0 && c <= 0x20FF) || (c >= 0xFE00 && c <= 0xFE0F);
}

size_t text_columns(struct span s)
{
    size_t columns = 0;
    for (size_t pos = 0; pos < s.n;) {
        uint32_t c = utf8_next(s, &pos);
        if (!is_combining(c))
            columns += is_wide(c) ? 2 : 1;
    }
    return columns;
}

static void spaces(struct out *o, size_t n)
{
    fprintf(o->f, "%*s", (int)n, "");
}

static void put_word(struct out *o, struct span word)
{
    for (size_t i = 0; i < word.n; i++)
        fputc(word.p[i] == NO_BREAK ? ' ' : word.p[i], o->f);
}

/* Text from column `at`, wrapped at spaces, continued at `indent`. A word that
 * is wider than the line stands alone on its line: digests stay whole. */
static void wrap(struct out *o, enum style style, size_t at, size_t indent, const char *text)
{
    size_t column = at;
    style_start(o, style);
    while (*text) {
        size_t blanks = strspn(text, " ");
        size_t word = strcspn(text + blanks, " ");
        struct span s = {(const uint8_t *)text + blanks, word};
        size_t wide = text_columns(s);
        if (column > indent && column + blanks + wide > o->width) {
            style_end(o, style);
            fputc('\n', o->f);
            spaces(o, indent);
            style_start(o, style);
            column = indent;
            blanks = 0;
        }
        spaces(o, blanks);
        put_word(o, s);
        column += blanks + wide;
        text = (const char *)s.p + word;
    }
    style_end(o, style);
    fputc('\n', o->f);
}

static void field(struct out *o, enum style style, const char *label, const char *value)
{
    size_t indent = 2 + OUT_LABEL;
    fputs("  ", o->f);
    out_style(o, STYLE_DIM, label);
    size_t n = strlen(label);
    spaces(o, n < OUT_LABEL ? OUT_LABEL - n : 1);
    wrap(o, style, n < OUT_LABEL ? indent : n + 3, indent, value);
}

void out_field(struct out *o, const char *label, const char *fmt, ...)
{
    char *value = NULL;
    va_list args;
    va_start(args, fmt);
    int n = vasprintf(&value, fmt, args);
    va_end(args);
    field(o, STYLE_PLAIN, label, n < 0 ? "(out of memory)" : value);
    if (n >= 0)
        free(value);
}

void out_field_styled(struct out *o, enum style style, const char *label, const char *value)
{
    field(o, style, label, value);
}

void out_wrapped(struct out *o, unsigned indent, const char *text)
{
    spaces(o, indent);
    wrap(o, STYLE_PLAIN, indent, indent, text);
}

void out_wrapped_at(struct out *o, unsigned column, const char *text)
{
    wrap(o, STYLE_PLAIN, column, column, text);
}

void table_init(struct table *t, const char *align, bool header)
{
    *t = (struct table){.align = align, .columns = strlen(align), .header = header};
    buf_init(&t->cells, TABLE_MAX_BYTES);
}

void table_free(struct table *t)
{
    buf_free(&t->cells);
}

void table_cell(struct table *t, const char *fmt, ...)
{
    char cell[1024];
    va_list args;
    va_start(args, fmt);
    vsnprintf(cell, sizeof cell, fmt, args);
    va_end(args);
    size_t n = strlen(cell);
    struct span s = {(const uint8_t *)cell, n};
    size_t columns = text_columns(s);
    if (columns > t->widths[t->at])
        t->widths[t->at] = (unsigned)columns;
    buf_put(&t->cells, cell, n + 1);
    t->at = (t->at + 1) % t->columns;
}

/* Blanks are owed, not written, until a cell follows them: no line ends in blanks. */
static void print_cell(const struct table *t, struct out *o, size_t column, struct span cell,
                       enum style style, size_t *owed)
{
    size_t pad = t->widths[column] - text_columns(cell);
    bool right = t->align[column] == 'r';
    *owed += right ? pad : 0;
    if (cell.n) {
        spaces(o, *owed);
        *owed = 0;
        out_style(o, style, (const char *)cell.p);
    }
    *owed += (right ? 0 : pad) + 2;
}

void table_print(struct table *t, struct out *o, unsigned indent)
{
    struct span all = buf_span(&t->cells);
    size_t column = 0, owed = 0;
    bool first = t->header;
    for (size_t at = 0; at < all.n;) {
        struct span cell = {all.p + at, strlen((const char *)all.p + at)};
        if (column == 0)
            owed = indent;
        print_cell(t, o, column, cell, first ? STYLE_DIM : STYLE_PLAIN, &owed);
        at += cell.n + 1;
        column = (column + 1) % t->columns;
        if (column == 0) {
            fputc('\n', o->f);
            first = false;
        }
    }
    if (!buf_ok(&t->cells))
        out_printf(o, "%*s(more rows than memory can hold)\n", (int)indent, "");
    buf_clear(&t->cells);
    memset(t->widths, 0, sizeof t->widths);
    t->at = 0;
}
