/*
 * The HTTP client over libcurl's easy interface, one handle a request. What
 * libcurl would do out of kindness (other schemes, credentials in URLs,
 * compressed or endless answers) is switched off or refused here.
 */
#include "assay/net.h"

#include <curl/curl.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>

#include "assay/base/text.h"

static pthread_once_t once = PTHREAD_ONCE_INIT;
static bool ready;

static void prepare(void)
{
    ready = curl_global_init(CURL_GLOBAL_DEFAULT) == CURLE_OK;
}

struct exchange {
    struct net_response *out;
    size_t header_bytes;
    bool too_large, headers_too_large;
};

static size_t on_body(char *p, size_t size, size_t n, void *arg)
{
    struct exchange *x = arg;
    (void)size; /* 1 by libcurl's definition */
    if (n > x->out->body.max - x->out->body.n) {
        x->too_large = true;
        return 0;
    }
    buf_put(&x->out->body, p, n);
    return buf_ok(&x->out->body) ? n : 0;
}

static size_t on_header(char *p, size_t size, size_t n, void *arg)
{
    struct exchange *x = arg;
    (void)p;
    (void)size;
    x->header_bytes += n;
    x->headers_too_large = x->header_bytes > NET_HEADERS_MAX;
    return x->headers_too_large ? 0 : n;
}

/* ---- errors ---- */

/* What is told of a failed transfer; the rest is told in libcurl's own words. */
static const struct {
    CURLcode code;
    enum err_code error;
    const char *advice;
} failures[] = {
    {CURLE_COULDNT_RESOLVE_HOST, ERR_IO,
     "the host's name is not known; check the URL and the network"},
    {CURLE_COULDNT_RESOLVE_PROXY, ERR_IO, "the proxy's name is not known; check http_proxy"},
    {CURLE_COULDNT_CONNECT, ERR_IO,
     "no connection; check that the server runs there and the firewall allows it"},
    {CURLE_OPERATION_TIMEDOUT, ERR_IO, "no whole answer in time; try again later"},
    {CURLE_PEER_FAILED_VERIFICATION, ERR_INTEGRITY,
     "the server's certificate does not hold for this name; check the URL or name its authority"},
    {CURLE_SSL_CACERT_BADFILE, ERR_CONFIG, "the file of authorities cannot be read"},
    {CURLE_TOO_MANY_REDIRECTS, ERR_IO, "too many redirects"},
    {CURLE_UNSUPPORTED_PROTOCOL, ERR_IO,
     "it leads to something that is not http or https; use the final URL"},
    {CURLE_GOT_NOTHING, ERR_IO, "the server closed the connection without an answer"},
    {CURLE_PARTIAL_FILE, ERR_IO, "the answer ended before its announced length"},
    {CURLE_OUT_OF_MEMORY, ERR_MEMORY, "out of memory"},
};

static bool failed(const struct net_request *q, const struct exchange *x, CURLcode code,
                   const char *words, struct err *e)
{
    char url[160];
    text_shown(url, sizeof url, span_str(q->url));
    if (x->too_large)
        return err_set(e, ERR_LIMIT, "%s: the answer is larger than %zu bytes", url,
                       x->out->body.max);
    if (x->headers_too_large)
        return err_set(e, ERR_LIMIT, "%s: the answer's header fields exceed %d bytes", url,
                       NET_HEADERS_MAX);
    if (!buf_ok(&x->out->body))
        return err_set(e, ERR_MEMORY, "%s: out of memory for the answer", url);
    for (size_t i = 0; i < sizeof failures / sizeof *failures; i++)
        if (failures[i].code == code)
            return err_set(e, failures[i].error, "%s: %s", url, failures[i].advice);
    char shown[200];
    text_shown(shown, sizeof shown, span_str(*words ? words : curl_easy_strerror(code)));
    return err_set(e, ERR_IO, "%s: no usable answer: %s", url, shown);
}

/* ---- the URL ---- */

/* A part of a URL equals `text`; NULL: is present. */
static bool part_is(CURLU *u, CURLUPart part, const char *text)
{
    char *value = NULL;
    bool is = curl_url_get(u, part, &value, 0) == CURLUE_OK && (!text || !strcmp(value, text));
    curl_free(value);
    return is;
}

static bool url_ok(const char *url, bool *https, struct err *e)
{
    char shown[160];
    size_t length = url ? strlen(url) : 0;
    text_shown(shown, sizeof shown, span_str(url));
    if (length == 0 || length > NET_URL_MAX)
        return err_set(e, ERR_USAGE, "a URL has 1 to %d bytes", NET_URL_MAX);
    CURLU *u = curl_url();
    if (!u)
        return err_set(e, ERR_MEMORY, "out of memory for a URL");
    bool whole = curl_url_set(u, CURLUPART_URL, url, CURLU_NON_SUPPORT_SCHEME) == CURLUE_OK;
    bool secret =
        whole && (part_is(u, CURLUPART_USER, NULL) || part_is(u, CURLUPART_PASSWORD, NULL));
    *https = whole && part_is(u, CURLUPART_SCHEME, "https");
    bool http = whole && part_is(u, CURLUPART_SCHEME, "http");
    curl_url_cleanup(u);
    /* What holds a password is not repeated in a message. */
    if (secret)
        return err_set(e, ERR_USAGE, "a URL with a user name or password is not accepted");
    return *https || http ||
           err_set(e, ERR_USAGE, "%s: not a URL of http or https; expected https://host/path",
                   shown);
}

/* ---- the request ---- */

static struct curl_slist *header_fields(const struct net_request *q)
{
    char field[256];
    snprintf(field, sizeof field, "Content-Type: %s",
             q->content_type ? q->content_type : "application/octet-stream");
    struct curl_slist *first = curl_slist_append(NULL, "Expect:");
    struct curl_slist *list = first && q->post ? curl_slist_append(first, field) : first;
    if (!list)
        curl_slist_free_all(first);
    return list;
}

static bool set_up(CURL *c, const struct net_request *q, bool https, struct exchange *x,
                   struct curl_slist *fields, char *words)
{
    const char *schemes = https ? "https" : "http,https";
    long timeout = q->timeout_ms ? (long)q->timeout_ms : NET_TIMEOUT_MS;
    CURLcode r = CURLE_OK;
#define SET(option, value) (r = r ? r : curl_easy_setopt(c, option, value))
    SET(CURLOPT_URL, q->url);
    SET(CURLOPT_PROTOCOLS_STR, "http,https");
    SET(CURLOPT_REDIR_PROTOCOLS_STR, schemes);
    SET(CURLOPT_FOLLOWLOCATION, q->follow ? 1L : 0L);
    SET(CURLOPT_MAXREDIRS, (long)NET_REDIRECTS_MAX);
    SET(CURLOPT_POSTREDIR, (long)CURL_REDIR_POST_ALL);
    SET(CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
    SET(CURLOPT_SSL_VERIFYPEER, 1L);
    SET(CURLOPT_SSL_VERIFYHOST, 2L);
    SET(CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2);
    if (q->ca_file)
        SET(CURLOPT_CAINFO, q->ca_file);
    SET(CURLOPT_NOSIGNAL, 1L);
    SET(CURLOPT_TIMEOUT_MS, timeout);
    SET(CURLOPT_CONNECTTIMEOUT_MS, timeout < NET_CONNECT_MS ? timeout : NET_CONNECT_MS);
    SET(CURLOPT_USERAGENT, "assay/" ASSAY_VERSION);
    SET(CURLOPT_HTTPHEADER, fields);
    SET(CURLOPT_ERRORBUFFER, words);
    SET(CURLOPT_WRITEFUNCTION, on_body);
    SET(CURLOPT_WRITEDATA, x);
    SET(CURLOPT_HEADERFUNCTION, on_header);
    SET(CURLOPT_HEADERDATA, x);
    if (q->post) {
        SET(CURLOPT_POST, 1L);
        SET(CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)q->body.n);
        SET(CURLOPT_POSTFIELDS, q->body.n ? (const char *)q->body.p : "");
    }
#undef SET
    return r == CURLE_OK;
}

static void take_head(CURL *c, struct net_response *out)
{
    long status = 0;
    char *type = NULL;
    if (curl_easy_getinfo(c, CURLINFO_RESPONSE_CODE, &status) == CURLE_OK)
        out->status = (unsigned)status;
    if (curl_easy_getinfo(c, CURLINFO_CONTENT_TYPE, &type) == CURLE_OK && type)
        text_shown(out->content_type, sizeof out->content_type, span_str(type));
}

bool net_fetch(struct net_response *out, const struct net_request *q, struct err *e)
{
    struct exchange x = {.out = out};
    char words[CURL_ERROR_SIZE] = "";
    bool ok = false, https = false;
    *out = (struct net_response){.status = 0};
    buf_init(&out->body, q->answer_max ? q->answer_max : NET_ANSWER_MAX);
    pthread_once(&once, prepare);
    if (!ready)
        return err_set(e, ERR_MEMORY, "the HTTP client cannot start");
    if (!url_ok(q->url, &https, e))
        return false;
    CURL *c = curl_easy_init();
    struct curl_slist *fields = header_fields(q);
    if (!c || !fields || !set_up(c, q, https, &x, fields, words)) {
        err_set(e, ERR_MEMORY, "out of memory for a request");
    } else {
        CURLcode code = curl_easy_perform(c);
        ok = code == CURLE_OK || failed(q, &x, code, words, e);
        take_head(c, out);
    }
    curl_easy_cleanup(c);
    curl_slist_free_all(fields);
    return ok;
}

void net_response_free(struct net_response *r)
{
    buf_free(&r->body);
}
