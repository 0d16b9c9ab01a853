/* assay attest: signs what a person states, as a DSSE envelope that reports take. */
#include <string.h>

#include "assay/base/file.h"
#include "assay/dsse.h"
#include "assay/yaml.h"
#include "cli/args.h"
#include "cli/cli.h"

#define ATTESTATION_TYPE "application/vnd.assay.attestation+yaml"

enum { ATTEST_ARENA = 64 << 20, ENVELOPE_MAX = 16 << 20 };

struct attest_args {
    const char *key, *signer, *output;
    bool new_key;
};

static bool load_key(struct sign_key **key, const struct attest_args *args, struct err *e)
{
    if (!args->key || !args->signer)
        return err_set(e, ERR_USAGE, "--key FILE signs, and --signer NAME says whose key it is");
    return args->new_key ? sign_key_create(key, args->key, e) : sign_key_load(key, args->key, e);
}

static bool sign(struct buf *out, struct buf *vkey, struct span text, const struct sign_key *key,
                 const char *signer, struct err *e)
{
    struct note_key name;
    struct pkey *pair = NULL;
    struct json_writer w;
    struct sign_public public = sign_key_public(key);
    bool ok = note_key_make(&name, span_str(signer), NOTE_ED25519, &public, e) &&
              pkey_from_sign_key(&pair, key, e);
    if (ok) {
        const struct pkey *keys[] = {pair};
        note_key_put(vkey, &name);
        const char *id = buf_cstr(vkey);
        jw_init(&w, json_sink_buf, out, false);
        ok = dsse_write(&w, ATTESTATION_TYPE, text, keys, &id, 1, e);
        buf_put_str(out, "\n");
    }
    pkey_free(pair);
    return ok && (buf_ok(out) || err_set(e, ERR_MEMORY, "out of memory for an envelope"));
}

static int run_attest(const struct call *call)
{
    const struct attest_args *args = call->args;
    const char *path = call->operands[0];
    struct arena *a = arena_new(ATTEST_ARENA);
    struct sign_key *key = NULL;
    struct span text;
    struct yaml y;
    struct buf out, vkey;
    struct err e = ERR_INIT;
    buf_init(&out, ENVELOPE_MAX);
    buf_init(&vkey, 4096);
    const char *to = args->output ? args->output : a ? arena_printf(a, "%s.dsse.json", path) : NULL;
    bool ok = (to || err_set(&e, ERR_MEMORY, "out of memory")) &&
              file_read(&text, path, YAML_MAX_TEXT, false, a, &e) &&
              yaml_parse(&y, text, path, a, &e) && load_key(&key, args, &e) &&
              sign(&out, &vkey, text, key, args->signer, &e) &&
              file_replace(to, buf_span(&out), false, &e);
    int status = EXIT_PASS;
    if (ok) {
        out_printf(call->out, "%s is signed\n", path);
        out_field(call->out, "envelope", "%s", to);
        out_field(call->out, "trust it by", "--trust %s", buf_cstr(&vkey));
    } else if (e.code == ERR_USAGE)
        status = usage_error(call->command, &e);
    else
        status = cli_error(&e);
    sign_key_free(key);
    buf_free(&out);
    buf_free(&vkey);
    arena_free(a);
    return status;
}

#define AT(member) offsetof(struct attest_args, member)
static const struct option attest_options[] = {
    {"key", OPTION_TEXT, "FILE", AT(key), "the person's signing key (PKCS#8, Ed25519)"},
    {"new-key", OPTION_FLAG, NULL, AT(new_key), "make the key, which must not exist"},
    {"signer", OPTION_TEXT, "NAME", AT(signer), "whose key it is, without spaces"},
    {"output", OPTION_TEXT, "FILE", AT(output), "the envelope (default: FILE.dsse.json)"},
    {NULL, OPTION_FLAG, NULL, 0, NULL},
};
#undef AT

const struct command attest_command = {
    "attest",
    "Reports",
    "FILE",
    "sign what a person states, for reports",
    "FILE is YAML: by, role, dated, expires and statements, each with a property, a value and "
    "perhaps a date on which it expires (docs/reports.md). It is checked and put into a DSSE "
    "envelope; a report that trusts the key shows its statements as attested.",
    attest_options,
    1,
    1,
    run_attest,
    "assay attest purpose.yaml --key jane.pem --new-key --signer jane@example.org|the first "
    "time\n"};
