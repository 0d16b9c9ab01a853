/*
 * XML: models of PMML and OpenVINO, whose networks are data. What is dangerous
 * about XML is what the reader does with a document type and its entities, so
 * that is looked for; a root that is neither of the two is named.
 */
#include "model/code.h"

#include <string.h>

#include "assay/base/text.h"

enum { SHOWN = 64 };

/* Past a byte order mark and white space. */
static struct span beginning(struct span head)
{
    size_t i = span_starts(head, "\xef\xbb\xbf") ? 3 : 0;
    while (i < head.n && head.p[i] && strchr(" \t\r\n", head.p[i]))
        i++;
    return span_sub(head, i, head.n);
}

bool xml_sniff(struct span head, uint64_t size)
{
    struct span s = beginning(head);
    (void)size;
    return span_starts(s, "<?xml") || span_starts(s, "<PMML") || span_starts(s, "<net ") ||
           span_starts(s, "<!DOCTYPE") || span_starts(s, "<!ENTITY");
}

/* The name of the first element: after declarations, instructions and comments. */
static struct span root_of(struct span head)
{
    for (size_t i = 0; i + 1 < head.n; i++) {
        if (head.p[i] != '<' || head.p[i + 1] == '?' || head.p[i + 1] == '!')
            continue;
        size_t to = ++i;
        while (to < head.n && head.p[to] > ' ' && head.p[to] != '>' && head.p[to] != '/')
            to++;
        return span_sub(head, i, to - i);
    }
    return SPAN_EMPTY;
}

/* The first declaration, in all of the file. */
static void search(const struct content *c, struct window *w)
{
    static const char *const words[] = {"<!DOCTYPE", "<!ENTITY"};
    enum { LONGEST = 9 };
    while (window_ok(w) && window_left(w) > 0) {
        uint64_t at = window_at(w);
        struct span s = window_peek(w, WINDOW_TAKE);
        for (size_t i = 0; i < sizeof words / sizeof *words; i++) {
            const uint8_t *found = s.n ? memmem(s.p, s.n, words[i], strlen(words[i])) : NULL;
            if (!found)
                continue;
            content_note(c, RULE_XML_ENTITY, at + (uint64_t)(found - s.p), 0, "%s", words[i]);
            return;
        }
        window_skip(w, s.n > LONGEST && s.n < window_left(w) ? s.n - LONGEST : s.n);
    }
    if (!window_ok(w))
        content_note_fault(c, w, RULE_READ_IO, "the document");
}

bool xml_examine(const struct content *c)
{
    uint8_t head[CONTENT_HEAD];
    char shown[SHOWN];
    struct err ignored = ERR_INIT;
    struct window w;
    size_t n = c->in.size < sizeof head ? (size_t)c->in.size : sizeof head;
    if (!window_open(&w, c->in))
        return false;
    search(c, &w);
    window_close(&w);
    if (!input_read(&c->in, head, 0, n, &ignored))
        return true;
    struct span root = root_of((struct span){head, n});
    if (span_is(root, "PMML") || span_is(root, "net"))
        return true;
    content_note(c, RULE_READ_FORMAT, 0, 0, "XML whose first element is \"%s\"",
                 text_shown(shown, sizeof shown, root));
    return true;
}
