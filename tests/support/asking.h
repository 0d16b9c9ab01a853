/* Questions to the bundled engine's API: a tiny model behind a running server, answers as JSON. */
#ifndef TESTS_ASKING_H
#define TESTS_ASKING_H

#include "assay/base/json.h"
#include "support/family_model.h"
#include "support/serving.h"

enum { EVENTS = 128 };

/* A vocabulary of these can write any JSON. */
#define ASKING_CHARACTERS                                                                          \
    " \n!\"#$%&'()*+,-./0123456789:;<=>?@ABCDEFGHIJKLMNOPQRSTUVWXYZ[\\]^_`"                        \
    "abcdefghijklmnopqrstuvwxyz{|}~"

extern struct folder asking_place; /* of the log */
extern struct arena *asking_arena; /* of the test that runs */

/* A llama with this change, served as "tiny". */
bool asking_start(const struct family_change *change);
bool asking_stop(void);
/* Set up and tear down a test: its arena. */
int asking_fresh(void **state);
int asking_done(void **state);

/* The answer's body, in the arena; the last as JSON, status 200. */
struct span post(const char *path, unsigned status, const char *body);
struct span get(const char *path);
struct json parse(struct span text);
struct json ask(const char *path, const char *body);
struct span text_at(struct json v);
void is_text(struct json v, const char *wanted);
/* Posted there, a body gets 400 in the shape of that API, which names the field that is wrong. */
void is_refused_for(const char *path, const char *body, const char *param);
uint64_t number_at(struct json v);
/* The events of a stream: `data` of each, but for [DONE]. */
size_t events_of(struct span stream, struct json out[EVENTS]);
struct json choice_of(struct json event);
/* The newest call, computed again by an engine of this process; returns what was compared. */
uint64_t replayed(void);
/* What a call has sealed under a name; the server is started anew for it. */
void asking_content(uint64_t intent, const char *field, struct buf *out);

#endif
