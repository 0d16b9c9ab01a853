/*
 * A disclosure: a receipt, and the content and salt of some fields of its leaf.
 * The commitment binds: whoever opens one cannot choose another content later.
 */
#include "assay/verify.h"

#include <string.h>

#include "assay/base/text.h"
#include "assay/seal.h"
#include "verify/verify.h"

bool bundle_members(struct json v, const char *const *names, struct err *e)
{
    char shown[128];
    for (struct json m = json_first(v); json_type(m); m = json_next(m)) {
        size_t i = 0;
        while (names[i] && !span_is(json_key(m), names[i]))
            i++;
        if (!names[i])
            return err_set(e, ERR_UNSUPPORTED, "the bundle's member %s is not known here",
                           text_shown(shown, sizeof shown, json_key(m)));
    }
    return true;
}

/* Text as it is, or any bytes in base64; exactly one of both. */
static bool read_content(struct json v, struct span *out, struct arena *a, struct err *e)
{
    struct json text = json_get(v, "content"), coded = json_get(v, "content_base64");
    struct span s;
    if (!json_type(text) == !json_type(coded))
        return err_set(e, ERR_FORMAT, "a field has either content or content_base64");
    if (json_type(text))
        return json_string(text, out) || err_set(e, ERR_FORMAT, "content is not a string");
    return (json_string(coded, &s) && base64_decode(s, a, out)) ||
           err_set(e, ERR_FORMAT, "content_base64 is not base64");
}

static bool read_salt(struct json v, uint8_t salt[SEAL_SALT], struct err *e)
{
    struct span hex;
    struct digest d;
    char canonical[DIGEST_HEX + 1];
    if (!json_string(json_get(v, "salt"), &hex) || !digest_from_hex(&d, hex) ||
        !span_is(hex, digest_hex(canonical, &d)))
        return err_set(e, ERR_FORMAT, "salt is not the hexadecimal of %d bytes", SEAL_SALT);
    memcpy(salt, d.b, SEAL_SALT);
    return true;
}

static const struct record_field *field_of(const struct record *r, struct span name)
{
    for (size_t i = 0; i < r->field_count; i++)
        if (span_eq(r->fields[i].name, name))
            return &r->fields[i];
    return NULL;
}

static bool open_field(struct verified *out, struct json v, struct arena *a, struct err *e)
{
    static const char *const names[] = {"content", "content_base64", "field", "salt", NULL};
    struct disclosed d;
    uint8_t salt[SEAL_SALT];
    struct digest commitment;
    char shown[128];
    if (!bundle_members(v, names, e))
        return false;
    if (!json_string(json_get(v, "field"), &d.field))
        return err_set(e, ERR_FORMAT, "a disclosed field has no name");
    if (!read_content(v, &d.content, a, e) || !read_salt(v, salt, e))
        return false;
    text_shown(shown, sizeof shown, d.field);
    const struct record_field *f = field_of(&out->record, d.field);
    if (!f)
        return err_set(e, ERR_INTEGRITY, "the leaf commits to no field %s", shown);
    seal_commit(&commitment, d.field, salt, d.content);
    if (!digest_eq(&commitment, &f->commitment))
        return err_set(e, ERR_INTEGRITY, "the content of %s is not what the leaf commits to",
                       shown);
    out->fields[out->field_count++] = d;
    return true;
}

bool bundle_fields(struct verified *out, struct json fields, struct arena *a, struct err *e)
{
    size_t n = json_count(fields);
    if (json_type(fields) != JSON_ARRAY || n > RECORD_MAX_FIELDS)
        return err_set(e, ERR_FORMAT, "fields is not a list of at most %d fields",
                       RECORD_MAX_FIELDS);
    out->fields = arena_array(a, n + 1, sizeof *out->fields);
    if (!out->fields)
        return err_set(e, ERR_MEMORY, "out of memory for the disclosed fields");
    for (struct json v = json_first(fields); json_type(v); v = json_next(v))
        if (!open_field(out, v, a, e))
            return false;
    return true;
}

bool verify_bundle(struct verified *out, struct span bundle, const struct trust *t, struct arena *a,
                   struct err *e)
{
    static const char *const names[] = {"bundle", "fields", "receipt", NULL};
    struct json root;
    struct span version, receipt;
    *out = (struct verified){.pinned = false};
    if (bundle.n > BUNDLE_MAX)
        return err_set(e, ERR_LIMIT, "a disclosure has at most %d bytes", BUNDLE_MAX);
    if (!json_parse(&root, bundle, JSON_STRICT, a, e))
        return false;
    if (!json_string(json_get(root, "bundle"), &version))
        version = SPAN_EMPTY;
    if (span_is(version, "assay/receipt/v1"))
        return (out->call = verify_call(out, root, t, a, e));
    if (!span_is(version, "assay/disclosure/v1"))
        return err_set(e, ERR_FORMAT,
                       "neither a disclosure nor a receipt of a call; expected \"bundle\": "
                       "\"assay/disclosure/v1\" or \"assay/receipt/v1\"");
    if (!bundle_members(root, names, e))
        return false;
    if (!json_string(json_get(root, "receipt"), &receipt))
        return err_set(e, ERR_FORMAT, "the disclosure holds no receipt");
    if (json_count(json_get(root, "fields")) == 0)
        return err_set(e, ERR_FORMAT, "a disclosure opens 1 to %d fields", RECORD_MAX_FIELDS);
    return verify_receipt(out, receipt, t, a, e) &&
           bundle_fields(out, json_get(root, "fields"), a, e);
}
