/*
 * A request as a handle of libcurl has it. What is the same for all requests of its kind is set up
 * once, and a handle that is used again for another server of the same kind is told the rest alone.
 */
#include "net/curl_side.h"

#include <stdlib.h>
#include <string.h>

enum { RECEIVE_BUFFER = 8192 };

/* False: the handle cannot be used. */
#define SET(option, value) (ok = ok && curl_easy_setopt(c, option, value) == CURLE_OK)

/* What is the same for all requests of this kind to servers judged by this file. */
static bool set_up(struct fetch *f, const struct transfer_request *r)
{
    CURL *c = f->easy;
    bool ok = true;
    free(f->url);
    free(f->ca_file);
    f->url = NULL;
    f->ca_file = r->ca_file ? strdup(r->ca_file) : NULL;
    f->post = r->post;
    curl_easy_reset(c);
    SET(CURLOPT_PROTOCOLS_STR, "http,https");
    SET(CURLOPT_NOSIGNAL, 1L);
    SET(CURLOPT_NOPROXY, "*");
    SET(CURLOPT_PRIVATE, (char *)f);
    SET(CURLOPT_HEADERFUNCTION, curl_take_head);
    SET(CURLOPT_HEADERDATA, f);
    SET(CURLOPT_WRITEFUNCTION, curl_take_body);
    SET(CURLOPT_WRITEDATA, f);
    SET(CURLOPT_ERRORBUFFER, f->words);
    SET(CURLOPT_BUFFERSIZE, (long)RECEIVE_BUFFER);
    SET(CURLOPT_TCP_NODELAY, 1L);
    SET(CURLOPT_OPENSOCKETFUNCTION, curl_open_socket);
    SET(CURLOPT_OPENSOCKETDATA, f->t.all->curl);
    SET(CURLOPT_CLOSESOCKETFUNCTION, curl_close_socket);
    SET(CURLOPT_CLOSESOCKETDATA, f->t.all->curl);
    SET(CURLOPT_PREREQFUNCTION, curl_may_go_out);
    SET(CURLOPT_PREREQDATA, f);
    SET(CURLOPT_HTTP09_ALLOWED, 0L);
    SET(CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_2TLS);
    SET(CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2);
    SET(CURLOPT_SUPPRESS_CONNECT_HEADERS, 1L);
    if (r->ca_file)
        SET(CURLOPT_CAINFO, r->ca_file);
    if (r->post)
        SET(CURLOPT_POST, 1L);
    return ok && (!r->ca_file || f->ca_file);
}

static bool set_request(struct fetch *f, const struct transfer_request *r)
{
    CURL *c = f->easy;
    bool ok = true;
    if (!f->url || strcmp(f->url, r->url) != 0) {
        free(f->url);
        f->url = strdup(r->url);
        ok = f->url != NULL;
        SET(CURLOPT_URL, r->url);
    }
    SET(CURLOPT_HTTPHEADER, f->fields);
    SET(CURLOPT_CONNECTTIMEOUT_MS, (long)r->connect_ms);
    SET(CURLOPT_FRESH_CONNECT, r->fresh ? 1L : 0L);
    if (r->post) {
        SET(CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)r->body.n);
        SET(CURLOPT_POSTFIELDS, r->body.n ? (const char *)r->body.p : "");
    }
    return ok;
}

#undef SET

static bool is_set_up(const struct fetch *f, const struct transfer_request *r)
{
    bool same_ca =
        f->ca_file && r->ca_file ? strcmp(f->ca_file, r->ca_file) == 0 : f->ca_file == r->ca_file;
    return f->url && f->post == r->post && same_ca;
}

/* A list over the caller's lines: libcurl only reads it. */
static bool list_fields(struct fetch *f, const char *const *fields)
{
    size_t n = 0;
    while (fields[n])
        n++;
    if (n > f->fields_cap) {
        struct curl_slist *more = realloc(f->fields, n * sizeof *more);
        if (!more)
            return false;
        f->fields = more;
        f->fields_cap = n;
    }
    for (size_t i = 0; i < n; i++) {
        memcpy(&f->fields[i].data, &fields[i], sizeof fields[i]); /* which has no const */
        f->fields[i].next = i + 1 < n ? &f->fields[i + 1] : NULL;
    }
    return true;
}

bool curl_request(struct fetch *f, const struct transfer_request *r)
{
    return list_fields(f, r->fields) && (is_set_up(f, r) || set_up(f, r)) && set_request(f, r);
}
