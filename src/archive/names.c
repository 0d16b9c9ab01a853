/* Names of members: where unpacking them would write. */
#include "assay/archive.h"

static bool is_separator(uint8_t c)
{
    return c == '/' || c == '\\';
}

/* From a root or a drive. */
static bool is_absolute(struct span s)
{
    bool drive = s.n > 1 && s.p[1] == ':' && (s.p[0] | 0x20) >= 'a' && (s.p[0] | 0x20) <= 'z';
    return drive || (s.n && is_separator(s.p[0]));
}

/* Absolute, with a drive, or with more steps up than down at any point. */
bool archive_name_escapes(struct span name)
{
    int depth = 0;
    if (is_absolute(name))
        return true;
    for (size_t i = 0, from = 0; i <= name.n; i++) {
        if (i < name.n && !is_separator(name.p[i]))
            continue;
        size_t n = i - from;
        if (n == 2 && name.p[from] == '.' && name.p[from + 1] == '.')
            depth--;
        else if (n > 0 && !(n == 1 && name.p[from] == '.'))
            depth++;
        if (depth < 0)
            return true;
        from = i + 1;
    }
    return false;
}

bool archive_link_escapes(struct span name, struct span target, struct arena *a)
{
    size_t folder = 0;
    for (size_t i = 0; i < name.n; i++)
        folder = is_separator(name.p[i]) ? i + 1 : folder;
    if (is_absolute(target))
        return true;
    char *whole = arena_printf(a, "%.*s%.*s", (int)folder, (const char *)name.p, (int)target.n,
                               (const char *)target.p);
    return !whole || archive_name_escapes(span_str(whole));
}
