/*
 * What a model wrote beside tools, any bytes: first byte the form, then the text. What a
 * stream let go while it came is the beginning of the content that is read in the end.
 */
#include <stdlib.h>
#include <string.h>

#include "serve/engine/tool_calls.h"

enum { ARENA = 64 << 20, FORMS = ENGINE_TOOLS_UNKNOWN + 1, LONG = 4096 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void demand(bool ok)
{
    if (!ok)
        abort();
}

static size_t shown_of(enum engine_tools form, struct span text)
{
    size_t shown = 0, step = text.n > LONG ? text.n / LONG : 1;
    for (size_t n = 0; n <= text.n; n += step) {
        size_t now = tool_calls_before(form, span_sub(text, 0, n));
        demand(now <= n);
        shown = now > shown ? now : shown;
    }
    return shown;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char offered[] = "[{\"type\":\"function\",\"function\":{\"name\":\"f\"}}]";
    static struct tool_calls calls;
    struct json tools = JSON_NOTHING;
    if (size == 0)
        return 0;
    struct arena *a = arena_new(ARENA);
    enum engine_tools form = (enum engine_tools)(data[0] % FORMS);
    struct span text = {data + 1, size - 1};
    demand(a && json_parse(&tools, span_str(offered), JSON_STRICT, a, NULL));
    const struct tool_calls_form as = {form, tools, data[0] >= 128, (data[0] & 64) != 0};
    if (tool_calls_read(&calls, &as, text, a)) {
        size_t shown = shown_of(form, text);
        demand(calls.count <= TOOL_CALLS_MAX && shown <= calls.content.n);
        demand(shown == 0 || memcmp(calls.content.p, text.p, shown) == 0);
        for (size_t i = 0; i < calls.count; i++)
            demand(calls.call[i].name.n > 0);
    }
    arena_free(a);
    return 0;
}
