/* Private to src/net: what the heads of requests and answers have in common (RFC 9112). */
#ifndef NET_HTTP_GRAMMAR_H
#define NET_HTTP_GRAMMAR_H

#include "assay/http.h"

/* A line without its end, where http_head_find has seen to it that every line has one. */
bool http_take_line(struct span *rest, struct span *line);
/* "Name: value"; *why: what is wrong with it, a constant text. */
bool http_field_read(struct http_field *out, struct span line, const char **why);
/* The one decimal number that a Content-Length is. */
bool http_length_read(uint64_t *out, struct span value);

#endif
