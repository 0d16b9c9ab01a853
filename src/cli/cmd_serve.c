/*
 * assay serve: the logged proxy. The structured log goes to standard error, a JSON object
 * a line; --make-key and --check answer and end.
 */
#include <stddef.h>
#include <unistd.h>

#include "assay/base/file.h"
#include "assay/serve.h"
#include "cli/args.h"
#include "cli/cli.h"
#include "cli/option_groups.h"

struct serve_args {
    struct key_args keys;
    const char *config, *log, *listen, *upstream, *model, *make_key;
    bool open, check;
};

static void say(void *arg, struct span line)
{
    struct buf b;
    (void)arg;
    buf_init(&b, 1 << 16);
    buf_put_span(&b, line);
    buf_put_u8(&b, '\n');
    if (!file_write(STDERR_FILENO, buf_span(&b)))
        buf_clear(&b); /* nobody listens; serving goes on */
    buf_free(&b);
}

static int make_key(struct out *o, const char *name)
{
    struct buf key, entry;
    struct err e = ERR_INIT;
    buf_init(&key, 4096);
    buf_init(&entry, 4096);
    bool ok = serve_make_key(span_str(name), &key, &entry, &e);
    if (ok) {
        out_printf(o, "key: %s\n", buf_cstr(&key));
        out_printf(o, "for keys: in the configuration:\n%s", buf_cstr(&entry));
    }
    buf_free(&key);
    buf_free(&entry);
    return ok ? EXIT_PASS : cli_error(&e);
}

static int run(const struct call *call)
{
    const struct serve_args *args = call->args;
    struct err e = ERR_INIT;
    struct serve_options o = {.config = args->config,
                              .log = args->log,
                              .listen = args->listen,
                              .upstream = args->upstream,
                              .model = args->model,
                              .key = args->keys.key,
                              .operator_key = args->keys.operator_key,
                              .open = args->open,
                              .say = say};
    if (args->make_key)
        return make_key(call->out, args->make_key);
    if ((args->config != NULL) + (args->upstream != NULL) + (args->model != NULL) > 1) {
        err_set(&e, ERR_USAGE, "--config, --upstream and --model exclude each other");
        return usage_error(call->command, &e);
    }
    if (args->check ? serve_check(&o, &e) : serve_run(&o, &e))
        return EXIT_PASS;
    return cli_error(&e);
}

#define AT(field) offsetof(struct serve_args, field)
static const struct option options[] = {
    {"config", OPTION_TEXT, "FILE", AT(config), "YAML configuration (docs/serving.md)"},
    {"log", OPTION_TEXT, "DIR", AT(log), "folder of the log; over the configuration's"},
    {"listen", OPTION_TEXT, "ADDRESS:PORT", AT(listen),
     "where to listen (127.0.0.1:8080); over the configuration's"},
    {"upstream", OPTION_TEXT, "URL", AT(upstream),
     "without a configuration: base URL of the one upstream, such as http://127.0.0.1:8000/v1"},
    {"model", OPTION_TEXT, "PATH", AT(model),
     "without a configuration: a GGUF file or folder of safetensors for the bundled engine"},
    {"open", OPTION_FLAG, NULL, AT(open), "listen beyond loopback without API keys"},
    {"check", OPTION_FLAG, NULL, AT(check), "judge the configuration and end"},
    {"make-key", OPTION_TEXT, "NAME", AT(make_key),
     "print a new API key and its entry for the configuration, and end"},
    KEYS(serve_args, keys),
    {NULL, OPTION_FLAG, NULL, 0, NULL},
};

const struct command serve_command = {
    "serve",
    "Calls",
    "",
    "serve a model or relay to other servers, all on record",
    "Answers calls with the bundled engine or relays them to upstreams. No byte of an answer "
    "leaves before the "
    "log has it: an intent is durable before anything is forwarded, an outcome before an answer "
    "leaves, each window of a stream before it is released. When the log cannot be written, "
    "callers "
    "get 503 and nothing leaves.\n"
    "Answers carry Assay-Entry and Assay-Leaf; GET /v1/receipts/ID gives the receipt of a call to "
    "whoever made it, and assay verify reads it offline.\n"
    "SIGHUP reads the configuration again; SIGTERM lets calls in flight finish. The server owns "
    "its "
    "log; other commands reach the log through it.",
    options,
    0,
    0,
    run,
    "assay serve --log audit --upstream http://127.0.0.1:8000/v1|in front of vLLM\n"
    "assay serve --log audit --model model.gguf|a model of your own, whose answers can be "
    "replayed\n"
    "assay serve --config serve.yaml|many upstreams, keys, budgets\n"
    "assay serve --make-key alice|a new API key\n"};
