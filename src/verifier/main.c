/*
 * assay-verify: what an auditor runs instead of trusting whoever holds the log.
 * It reads files and keys, links neither the database nor the model readers, and
 * says as plainly what it did not see as what it saw.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "assay/base/file.h"
#include "assay/base/text.h"
#include "assay/verify.h"

enum { ARENA = 512 << 20, TEXT = 64 << 20, PASS = 0, USAGE = 2, UNREADABLE = 3 };

static const char usage[] =
    "usage: assay-verify [--policy FILE | --key VKEY...] FILE|FOLDER\n"
    "\n"
    "Verifies a checkpoint, a receipt of an entry (.tlog-proof) or of a call\n"
    "(.receipt.json), a disclosure or an exported log offline.\n"
    "\n"
    "  --key VKEY     key of the log; or of a witness, which then must have cosigned\n"
    "  --policy FILE  logs, witnesses and quorum (C2SP tlog-policy)\n"
    "  --help, --version\n"
    "\n"
    "Exit status: 0 verified against a key that was given; 2 wrong arguments, or\n"
    "consistent but no key was given; 3 unreadable; 4 integrity failed.\n";

struct options {
    const char *policy, *path;
    struct trust trust;
    struct note_key log_keys[TRUST_MAX], witnesses[TRUST_MAX];
};

static bool add_key(struct options *o, const char *text, struct arena *a, struct err *e)
{
    struct note_key k;
    if (!note_key_parse(&k, span_str(text), a, e))
        return false;
    bool log = k.type == NOTE_ED25519;
    size_t *count = log ? &o->trust.log_key_count : &o->trust.witness_count;
    if (*count == TRUST_MAX)
        return err_set(e, ERR_USAGE, "at most %d keys", TRUST_MAX);
    (log ? o->log_keys : o->witnesses)[(*count)++] = k;
    o->trust.required = o->trust.witness_count;
    return true;
}

static bool add_path(struct options *o, const char *path, struct err *e)
{
    if (path[0] == '-' && path[1] != '\0')
        return err_set(e, ERR_USAGE, "the option %s is not known", path);
    if (o->path)
        return err_set(e, ERR_USAGE, "one file or folder at a time");
    o->path = path;
    return true;
}

static bool read_options(struct options *o, char **argv, struct arena *a, struct err *e)
{
    o->trust.log_keys = o->log_keys;
    o->trust.witnesses = o->witnesses;
    for (size_t i = 1; argv[i]; i++) {
        bool key = strcmp(argv[i], "--key") == 0, policy = strcmp(argv[i], "--policy") == 0;
        if ((key || policy) && !argv[i + 1])
            return err_set(e, ERR_USAGE, "%s needs a value", argv[i]);
        if (policy)
            o->policy = argv[++i];
        else if (key ? !add_key(o, argv[++i], a, e) : !add_path(o, argv[i], e))
            return false;
    }
    if (!o->path)
        return err_set(e, ERR_USAGE, "a file or folder is needed; see assay-verify --help");
    if (o->policy && (o->trust.log_key_count || o->trust.witness_count))
        return err_set(e, ERR_USAGE, "either --policy or --key");
    return true;
}

static bool read_policy(struct options *o, struct arena *a, struct err *e)
{
    struct span text;
    if (!o->policy)
        return true;
    bool ok = file_read(&text, o->policy, TRUST_MAX_POLICY, false, a, e) &&
              trust_parse(&o->trust, text, a, e);
    if (!ok && e->file[0] == '\0')
        err_in_file(e, o->policy);
    return ok;
}

static int complain(const struct err *e)
{
    struct buf b;
    buf_init(&b, 1 << 16);
    buf_put_str(&b, "assay-verify: ");
    if (e->file[0]) {
        text_show(&b, span_str(e->file), sizeof e->file);
        buf_put_str(&b, ": ");
    }
    text_show(&b, span_str(e->text), sizeof e->text);
    if (e->file[0] && e->offset != ERR_NO_OFFSET)
        buf_printf(&b, " (byte %llu)", (unsigned long long)e->offset);
    fprintf(stderr, "%s\n", buf_cstr(&b));
    buf_free(&b);
    return err_exit_status(e->code);
}

/* Without a key anybody could have made it: that is no pass. */
static int report(enum verified_kind kind, const struct verified *v)
{
    struct buf b;
    buf_init(&b, TEXT);
    buf_printf(&b, "%-12s%s\n", "given", verified_kind_name(kind));
    verified_text(&b, kind, v);
    buf_printf(&b, "%-12s%s\n", "verdict",
               v->pinned ? "verified" : "consistent, and not verified: give --key or --policy");
    bool ok = buf_ok(&b) && fwrite(b.p, 1, b.n, stdout) == b.n && fflush(stdout) == 0;
    buf_free(&b);
    if (!ok)
        fprintf(stderr, "assay-verify: the report could not be written\n");
    return !ok ? UNREADABLE : v->pinned ? PASS : USAGE;
}

static int run(struct options *o, char **argv, struct arena *a)
{
    struct err e = ERR_INIT;
    struct verified v;
    enum verified_kind kind = VERIFIED_CHECKPOINT;
    if (!read_options(o, argv, a, &e) || !read_policy(o, a, &e))
        return complain(&e);
    if (verify_path(&v, &kind, o->path, &o->trust, a, &e))
        return report(kind, &v);
    return complain(&e);
}

int main(int argc, char **argv)
{
    static struct options o;
    bool help = argc == 2 && strcmp(argv[1], "--help") == 0;
    if (help || (argc == 2 && strcmp(argv[1], "--version") == 0)) {
        bool ok = fputs(help ? usage : "assay-verify " ASSAY_VERSION "\n", stdout) >= 0 &&
                  fflush(stdout) == 0;
        return ok ? PASS : UNREADABLE;
    }
    struct arena *a = arena_new(ARENA);
    if (!a) {
        fprintf(stderr, "assay-verify: out of memory\n");
        return UNREADABLE;
    }
    int status = run(&o, argv, a);
    arena_free(a);
    return status;
}
