/* Evidence in words, and the table of it at the end of the page. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "assay/base/text.h"
#include "assay/sign.h"
#include "report/render.h"
#include "report/view.h"

enum { PARSE = 32 << 20 };

static struct span text_of(struct json v, const char *key)
{
    struct span s = SPAN_EMPTY;
    return json_string(json_get(v, key), &s) ? s : SPAN_EMPTY;
}

static const char *shown(struct span s, struct arena *a)
{
    char text[400];
    return arena_str(a, span_str(text_shown(text, sizeof text, s)));
}

static const char *grouped(struct span digits, struct arena *a)
{
    char text[40];
    uint64_t n = 0;
    return text_u64(digits, &n) ? arena_str(a, span_str(text_grouped(text, sizeof text, n))) : "?";
}

static const char *words_of(struct json v, struct arena *a)
{
    struct span type = text_of(v, "type"), offset = text_of(v, "offset");
    if (span_is(type, "file"))
        return offset.n ? arena_printf(a, "%s, %s bytes at offset %s", shown(text_of(v, "path"), a),
                                       grouped(text_of(v, "length"), a), grouped(offset, a))
                        : arena_printf(a, "%s, %s bytes", shown(text_of(v, "path"), a),
                                       grouped(text_of(v, "bytes"), a));
    if (span_is(type, "tensor"))
        return arena_printf(a, "tensor %s, %s, %s bytes at offset %s of %s",
                            shown(text_of(v, "name"), a), shown(text_of(v, "dtype"), a),
                            grouped(text_of(v, "length"), a), grouped(offset, a),
                            shown(text_of(v, "path"), a));
    if (span_is(type, "leaf"))
        return arena_printf(a, "entry %s of %s, with its inclusion proof",
                            grouped(text_of(v, "index"), a), shown(text_of(v, "log"), a));
    if (span_is(type, "range"))
        return arena_printf(a, "entries %s until before %s of %s: %s",
                            grouped(text_of(v, "from"), a), grouped(text_of(v, "to"), a),
                            shown(text_of(v, "log"), a), shown(text_of(v, "query"), a));
    return arena_printf(a, "statement %s in its signed envelope", shown(text_of(v, "path"), a));
}

const char *evidence_words(const struct claim_evidence *v, struct arena *a)
{
    struct json root;
    const char *words = json_parse(&root, v->text, JSON_STRICT, a, NULL) ? words_of(root, a) : NULL;
    return words ? words : "";
}

/* The members worth a line each. */
static void put_lines(struct json_writer *w, struct json v)
{
    static const char *const keys[] = {"sha256", "leaf_hash", "root", "result", "calls"};
    static const char *const labels[] = {"sha256 ", "leaf hash ", "root ",
                                         "result: ", "sha256 of the calls' entry numbers "};
    jw_key(w, "lines");
    jw_array(w);
    for (size_t i = 0; i < sizeof keys / sizeof keys[0]; i++) {
        struct span s = text_of(v, keys[i]);
        struct buf b;
        if (s.n == 0)
            continue;
        buf_init(&b, CLAIM_MAX_TEXT);
        buf_put_str(&b, labels[i]);
        text_show(&b, s, 2000);
        jw_string(w, buf_span(&b));
        buf_free(&b);
    }
    jw_end_array(w);
}

static void put_entry(struct json_writer *w, struct json v, struct arena *a)
{
    struct span leaf = SPAN_EMPTY, text = text_of(v, "leaf");
    if (text.n == 0 || !base64_decode(text, a, &leaf))
        leaf = SPAN_EMPTY;
    view_span(w, "entry", leaf);
    jw_key(w, "path");
    jw_array(w);
    for (struct json p = json_first(json_get(v, "proof")); json_type(p); p = json_next(p)) {
        struct span hash;
        char hex[DIGEST_HEX + 1];
        struct digest d;
        if (!json_string(p, &text) || !base64_decode(text, a, &hash) || hash.n != DIGEST_SIZE)
            continue;
        memcpy(d.b, hash.p, DIGEST_SIZE);
        jw_str(w, digest_hex(hex, &d));
    }
    jw_end_array(w);
}

void view_evidence_table(struct json_writer *w, const struct report *r)
{
    struct arena *a = arena_new(PARSE);
    w->failed |= !a;
    jw_key(w, "evidence_table");
    jw_array(w);
    for (size_t i = 0; a && i < r->claims.evidence_count; i++) {
        const struct claim_evidence *v = r->claims.evidence[i];
        struct json root;
        if (!evidence_visible(r, v))
            continue;
        if (!json_parse(&root, v->text, JSON_STRICT, a, NULL)) {
            w->failed = true;
            break;
        }
        jw_object(w);
        view_str(w, "id", v->id);
        view_str(w, "kind", evidence_type_name(v->type));
        view_str(w, "words", words_of(root, a));
        put_lines(w, root);
        put_entry(w, root, a);
        jw_end_object(w);
    }
    jw_end_array(w);
    arena_free(a);
}
