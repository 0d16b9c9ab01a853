/*
 * One call of the bundled engine, through the log: there is no way around it.
 * The text streams to the terminal while it is computed (durability `end`);
 * the line that says it is over comes when its outcome is durable.
 */
#include "cli/run_session.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "assay/base/text.h"
#include "cli/cli.h"
#include "cli/progress.h"

/* ---- the model ------------------------------------------------------------ */

/* PATH=SCALE, where SCALE is a number; a path may hold '='. */
static bool adapter_of(struct engine_adapter *out, const char *text, char *room, size_t size,
                       struct err *e)
{
    const char *mark = strrchr(text, '=');
    char *end = NULL;
    *out = (struct engine_adapter){text, 1.0};
    if (mark == NULL)
        return true;
    double scale = strtod(mark + 1, &end);
    if (end == mark + 1 || *end != '\0' || !isfinite(scale))
        return true;
    if ((size_t)(mark - text) >= size)
        return err_set(e, ERR_USAGE, "--adapter: the path is too long");
    memcpy(room, text, (size_t)(mark - text));
    room[mark - text] = '\0';
    *out = (struct engine_adapter){room, scale};
    return true;
}

bool session_load(struct engine **out, const char *path, const struct engine_args *args,
                  struct err *e)
{
    struct engine_adapter adapters[ENGINE_MAX_ADAPTERS];
    char rooms[ENGINE_MAX_ADAPTERS][1024];
    struct progress_bar bar;
    struct engine_options o = {
        .threads = args->threads, .adapters = adapters, .adapter_count = args->adapters.count};
    if (args->context.given && args->context.value > UINT32_MAX)
        return err_set(e, ERR_USAGE, "--context is beyond any model");
    o.context = (uint32_t)args->context.value;
    if (o.adapter_count > ENGINE_MAX_ADAPTERS)
        return err_set(e, ERR_USAGE, "--adapter: at most %d", ENGINE_MAX_ADAPTERS);
    for (size_t i = 0; i < o.adapter_count; i++) {
        if (!adapter_of(&adapters[i], args->adapters.text[i], rooms[i], sizeof rooms[i], e))
            return false;
    }
    o.progress = progress_start(&bar);
    bool ok = engine_load(out, path, &o, e);
    progress_stop(&bar);
    return ok;
}

/* ---- the log -------------------------------------------------------------- */

/* $XDG_STATE_HOME/assay/log or ~/.local/state/assay/log, its parents made. */
static bool own_log(char *out, size_t size, struct err *e)
{
    const char *base = getenv("XDG_STATE_HOME"), *home = getenv("HOME");
    struct buf b;
    buf_init(&b, size - 1);
    if (base != NULL && base[0] == '/')
        buf_printf(&b, "%s/assay/log", base);
    else if (home != NULL && home[0] == '/')
        buf_printf(&b, "%s/.local/state/assay/log", home);
    bool ok = buf_ok(&b) && b.n != 0;
    if (ok)
        memcpy(out, buf_cstr(&b), b.n + 1);
    buf_free(&b);
    if (!ok)
        return err_set(e, ERR_CONFIG, "there is no place for a log: name one with --log FOLDER");
    for (char *p = out + 1; *p != '\0'; p++) {
        if (*p != '/')
            continue;
        *p = '\0';
        bool made = mkdir(out, 0700) == 0 || errno == EEXIST;
        *p = '/';
        if (!made)
            return err_errno(e, out, "cannot make the folder of the log");
    }
    return true;
}

static bool make_own(const char *folder, struct err *e)
{
    char host[256] = "localhost", shown[300];
    struct buf origin;
    if (access(folder, F_OK) == 0)
        return true;
    (void)gethostname(host, sizeof host - 1);
    buf_init(&origin, 512);
    buf_printf(&origin, "%s/assay/%u", host, (unsigned)getuid());
    bool ok = buf_ok(&origin) && log_init(folder, buf_span(&origin), NULL, e);
    if (ok)
        (void)fprintf(stderr, "assay: a log was made in %s\n",
                      text_shown(shown, sizeof shown, span_str(folder)));
    buf_free(&origin);
    return ok;
}

bool session_open(struct session *s, struct engine *g, const char *folder,
                  const struct key_args *keys, struct err *e)
{
    struct log_paths paths = {keys->key, keys->operator_key};
    *s = (struct session){.engine = g, .folder = folder};
    if (folder == NULL) {
        if (!own_log(s->room, sizeof s->room, e) || !make_own(s->room, e))
            return false;
        s->folder = s->room;
    }
    return log_open(&s->log, s->folder, &paths, e) && exchange_book_open(&s->book, s->log, e);
}

void session_close(struct session *s)
{
    exchange_book_close(s->book);
    log_close(s->log);
    engine_free(s->engine);
    *s = (struct session){0};
}

/* ---- one call ------------------------------------------------------------- */

struct flow {
    struct session *s;
    struct tape tape;
    struct reply *r;
    struct out *out;
    bool ended;
};

/* What a model writes is nothing to trust a terminal with. False when nobody reads it any more. */
static bool show(struct out *out, struct span text)
{
    if (out == NULL || text.n == 0)
        return true;
    for (size_t pos = 0, from = 0; pos < text.n; from = pos) {
        uint32_t c = utf8_next(text, &pos);
        bool control = (c < 0x20 && c != '\n' && c != '\t') || (c >= 0x7F && c < 0xA0);
        if (out->terminal && control)
            out_put(out, "?");
        else if (c)
            out_printf(out, "%.*s", (int)(pos - from), (const char *)text.p + from);
    }
    return out_flush(out);
}

static bool on_token(void *arg, const struct engine_token *t)
{
    struct flow *f = arg;
    tape_token(&f->tape, t);
    buf_put_span(&f->r->text, t->text);
    return show(f->out, t->text) && !interrupted();
}

static void on_done(void *arg, const struct engine_result *result)
{
    struct flow *f = arg;
    tape_end(&f->tape, result);
    buf_put_span(&f->r->text, result->text);
    (void)show(f->out, result->text); /* the command's end tells what could not be written */
    f->r->result = *result;
    f->r->result.text = SPAN_EMPTY;
    f->r->result.embedding = NULL;
    f->ended = true;
}

static bool begin(struct flow *f, struct exchange **x, const struct engine_request *request,
                  struct span prompt, struct err *e)
{
    struct log_content content[TAPE_INTENT];
    struct tape_model room;
    struct buf sampling;
    buf_init(&sampling, 4096);
    tape_sampling(&sampling, request, 1);
    struct exchange_call call = {.api = EXCHANGE_RUN,
                                 .route = EXCHANGE_ENGINE,
                                 .durability = EXCHANGE_END,
                                 .stream = true,
                                 .model = tape_identity(f->s->engine, f->s->name, &room),
                                 .sampling = buf_span(&sampling),
                                 .tokens_known = true,
                                 .tokens_in = request->count};
    size_t n = tape_intent(&f->tape, prompt, content);
    bool ok = exchange_begin(x, f->s->book, &call, content, n, NULL, NULL, e) &&
              exchange_wait(*x, NULL, e);
    buf_free(&sampling);
    return ok;
}

static enum exchange_result result_of(const struct engine_result *r)
{
    if (r->finish == ENGINE_FAILED)
        return EXCHANGE_ERROR;
    return r->finish == ENGINE_CANCELLED ? EXCHANGE_CLIENT_ABORT : EXCHANGE_COMPLETE;
}

static bool end(struct flow *f, struct exchange *x, struct err *e)
{
    const struct engine_result *r = &f->r->result;
    struct log_content content[TAPE_OUTCOME];
    struct span finish = span_str(engine_finish_name(r->finish));
    struct exchange_outcome o = {
        .result = result_of(r),
        .attempts = 1,
        .released = f->r->text.n,
        .error = r->finish == ENGINE_FAILED ? span_str(err_name(r->error.code)) : SPAN_EMPTY,
        .finish = &finish,
        .finish_count = 1,
        .tokens = {.known = true, .input = r->prompt, .output = r->answer, .cached = r->cached},
        .timings = {.queue = r->queue_us,
                    .prefill = r->prefill_us,
                    .first_byte = r->queue_us + r->prefill_us,
                    .decode = r->decode_us,
                    .total = f->r->wall_us}};
    size_t n = tape_outcome(&f->tape, content);
    return (tape_ok(&f->tape) || err_set(e, ERR_MEMORY, "no memory to record the call")) &&
           exchange_end(x, &o, content, n, NULL, NULL, e) && exchange_wait(x, &f->r->receipt, e);
}

static bool compute(struct flow *f, const struct engine_request *request, struct err *e)
{
    struct engine_request own = *request;
    struct err why = ERR_INIT;
    uint64_t id, start = clock_monotonic();
    bool work = true;
    own.token = on_token;
    own.done = on_done;
    own.arg = f;
    if (!engine_submit(f->s->engine, &own, &id, &why)) {
        f->r->result = (struct engine_result){.finish = ENGINE_FAILED, .error = why};
        f->ended = true;
    }
    while (!f->ended && work && engine_step(f->s->engine, &work, &why))
        ;
    f->r->wall_us = (clock_monotonic() - start) / 1000;
    return f->ended || err_set(e, ERR_IO, "the engine stopped: %s", why.text);
}

bool session_call(struct session *s, const struct engine_request *request, struct span prompt,
                  struct out *out, struct reply *r, struct err *e)
{
    struct flow f = {.s = s, .r = r, .out = out};
    struct exchange *x = NULL;
    *r = (struct reply){.receipt = {.ok = false}};
    buf_init(&r->text, 256 << 20);
    bool ok = tape_start(&f.tape, s->engine, request, NULL, e) &&
              begin(&f, &x, request, prompt, e) && compute(&f, request, e) && end(&f, x, e);
    if (ok && r->result.finish == ENGINE_FAILED) {
        *e = r->result.error;
        ok = false;
    }
    exchange_free(x);
    tape_free(&f.tape);
    return ok;
}
