/* Private to src/net: what all requests over libcurl share. */
#ifndef NET_CURL_SIDE_H
#define NET_CURL_SIDE_H

#include <curl/curl.h>

#include "net/transfers.h"

struct watched;

struct fetch {
    struct transfer t;
    CURL *easy;
    bool in_multi;
    bool post;     /* what the handle is set up for: otherwise it is set up anew */
    char *ca_file; /* and this; NULL: the system's */
    char *url;     /* that it has now */
    struct curl_slist *fields;
    size_t fields_cap;
    struct buf head;
    bool head_given, held; /* held: libcurl has octets for us until it may go on */
    bool asked, stale;     /* the request went out; it would have gone out twice */
    struct err unsound;    /* why its head is none */
    char words[CURL_ERROR_SIZE];
};

struct curl_side {
    struct transfers *all;
    CURLM *multi;
    struct event *timer;  /* of libcurl, which stops it as it likes */
    struct event *resume; /* ours: some may go on */
    struct fetch *spare;
    size_t spare_count;
    struct watched *sockets; /* by descriptor */
    size_t socket_cap;
};

/* ---- transfer_curl.c ---- */

/* libcurl is told of a descriptor (CURL_CSELECT_*) or, CURL_SOCKET_TIMEOUT, of its time. */
void curl_side_act(struct transfers *all, curl_socket_t fd, int what);

/* Callbacks of libcurl, whose argument is a fetch. */
size_t curl_take_head(char *p, size_t size, size_t n, void *fetch);
size_t curl_take_body(char *p, size_t size, size_t n, void *fetch);
int curl_may_go_out(void *fetch, char *to, char *from, int to_port, int from_port);

/* ---- curl_request.c ---- */

/* The handle is ready to ask this; what it borrows lives as long as the request. False: no memory, or
 * the URL is none. */
bool curl_request(struct fetch *f, const struct transfer_request *r) ASSAY_MUST_CHECK;

/* ---- curl_sockets.c: callbacks of libcurl; their argument is the side, of watch_time the transfers ---- */

int curl_watch_socket(CURL *easy, curl_socket_t fd, int what, void *side, void *own);
int curl_watch_time(CURLM *multi, long ms, void *all);
curl_socket_t curl_open_socket(void *side, curlsocktype purpose, struct curl_sockaddr *a);
int curl_close_socket(void *side, curl_socket_t fd);
void curl_sockets_free(struct curl_side *side);

#endif
