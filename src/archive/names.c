/* Names of members: where unpacking them would write. */
#include "assay/archive.h"

static bool is_separator(uint8_t c)
{
    return c == '/' || c == '\\';
}

/* Absolute, with a drive, or with more steps up than down at any point. */
bool archive_name_escapes(struct span name)
{
    int depth = 0;
    if (name.n && is_separator(name.p[0]))
        return true;
    if (name.n > 1 && name.p[1] == ':' && ((name.p[0] | 0x20) >= 'a' && (name.p[0] | 0x20) <= 'z'))
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
