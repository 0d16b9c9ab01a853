/* Private to src/net: what all requests over libcurl share. */
#ifndef NET_CURL_SIDE_H
#define NET_CURL_SIDE_H

#include <curl/curl.h>

#include "net/transfers.h"

struct fetch;
struct watched;

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

/* ---- curl_sockets.c: callbacks of libcurl; their argument is the side, of watch_time the transfers ---- */

int curl_watch_socket(CURL *easy, curl_socket_t fd, int what, void *side, void *own);
int curl_watch_time(CURLM *multi, long ms, void *all);
curl_socket_t curl_open_socket(void *side, curlsocktype purpose, struct curl_sockaddr *a);
int curl_close_socket(void *side, curl_socket_t fd);
void curl_sockets_free(struct curl_side *side);

#endif
