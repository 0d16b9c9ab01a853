/*
 * The formats of JSON Schema that strings are held to, as expressions. Each lets through what the
 * RFC that the vocabulary names allows, but not all of it: no leap seconds, no comments and
 * quotes in mail addresses, no zones and no dotted tail in IPv6 addresses, no escaped hosts.
 */
#include "engine/pattern.h"

#define YEAR "(?:[1-9][0-9]{3}|0[1-9][0-9]{2}|00[1-9][0-9]|000[1-9])"
#define LEAP_YEAR                                                                                  \
    "(?:[0-9]{2}(?:0[48]|[2468][048]|[13579][26])|(?:0[48]|[2468][048]|[13579][26])00)"
#define DATE                                                                                       \
    "(?:" YEAR "-(?:(?:0[13578]|1[02])-(?:0[1-9]|[12][0-9]|3[01])|"                                \
    "(?:0[469]|11)-(?:0[1-9]|[12][0-9]|30)|02-(?:0[1-9]|1[0-9]|2[0-8]))|" LEAP_YEAR "-02-29)"
#define TIME                                                                                       \
    "(?:[01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9](?:\\.[0-9]{1,6})?"                                 \
    "(?:Z|[+-](?:[01][0-9]|2[0-3]):[0-5][0-9])"

/* RFC 3339, appendix A: a unit is followed by the next smaller one alone. */
#define N "[0-9]{1,9}"
#define DATES "(?:" N "Y(?:" N "M(?:" N "D)?)?|" N "M(?:" N "D)?|" N "D)"
#define TIMES "T(?:" N "H(?:" N "M(?:" N "S)?)?|" N "M(?:" N "S)?|" N "S)"

/* Labels of letters and digits with single hyphens between them; 253 octets of a host, 254 of an
 * address, 64 before its @. */
#define LABEL "[A-Za-z0-9](?:-?[A-Za-z0-9]){0,31}"
#define SHORT_LABEL "[A-Za-z0-9](?:-?[A-Za-z0-9]){0,14}"
#define HOST(more) LABEL "(?:\\." SHORT_LABEL "){0," #more "}"
#define ATOM "[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]{1,31}"
#define MAILBOX ATOM "(?:\\." ATOM ")?"

#define OCTET "(?:25[0-5]|2[0-4][0-9]|1[0-9]{2}|[1-9]?[0-9])"
#define H "[0-9A-Fa-f]{1,4}"
#define HEX(n) "[0-9A-Fa-f]{" #n "}"

#define PCHAR "(?:[A-Za-z0-9._~!$&'()*+,;=:@-]|%[0-9A-Fa-f]{2})"
#define QUERY "(?:" PCHAR "|[/?])*"

#define URI                                                                                        \
    "^[a-z][a-z0-9+.-]*://" HOST(6) "(?::[0-9]{1,5})?(?:/" PCHAR "*)*(?:\\?" QUERY ")?(?:#" QUERY  \
                                    ")?$"
#define POINTER "(?:/(?:[^~/]|~[01])*)*"

/* The same, of up to 1004 octets: 16 of a scheme, 243 of a host, 6 of a port, 4 times 121 of a path, 121
 * each of a query and a fragment. */
#define SHORT_QUERY "(?:" PCHAR "|[/?]){0,40}"
#define SHORT_URI                                                                                  \
    "^[a-z][a-z0-9+.-]{0,15}://" HOST(6) "(?::[0-9]{1,5})?(?:/" PCHAR                              \
                                         "{0,40}){0,4}(?:\\?" SHORT_QUERY ")?(?:#" SHORT_QUERY     \
                                         ")?$"

/* Of those that are wider (of the whole world's scripts, relative, with variables), the narrower ones. */
static const struct {
    const char *name, *pattern;
    uint32_t
        longest; /* characters that `pattern` takes at most, or `short_one`; 0: there is no end */
    const char *short_one;
} formats[] = {
    {"date-time", "^" DATE "T" TIME "$", 32, NULL},
    {"date", "^" DATE "$", 10, NULL},
    {"time", "^" TIME "$", 21, NULL},
    {"duration", "^P(?:" N "W|" DATES "(?:" TIMES ")?|" TIMES ")$", 62, NULL},
    {"email", "^" MAILBOX "@" HOST(4) "$", 254, NULL},
    {"hostname", "^" HOST(6) "$", 253, NULL},
    {"ipv4", "^" OCTET "(?:\\." OCTET "){3}$", 15, NULL},
    {"ipv6",
     "^(?:(?:" H ":){7}" H "|(?:" H ":){1,7}:|(?:" H ":){1,6}:" H "|(?:" H ":){1,5}(?::" H
     "){1,2}|(?:" H ":){1,4}(?::" H "){1,3}|(?:" H ":){1,3}(?::" H "){1,4}|(?:" H ":){1,2}(?::" H
     "){1,5}|" H ":(?::" H "){1,6}|:(?:(?::" H "){1,7}|:))$",
     39, NULL},
    {"uuid", "^" HEX(8) "-" HEX(4) "-" HEX(4) "-" HEX(4) "-" HEX(12) "$", 36, NULL},
    {"uri", URI, 1004, SHORT_URI},
    {"uri-reference", URI, 1004, SHORT_URI},
    {"uri-template", URI, 1004, SHORT_URI},
    {"iri", URI, 1004, SHORT_URI},
    {"iri-reference", URI, 1004, SHORT_URI},
    {"idn-email", "^" MAILBOX "@" HOST(4) "$", 254, NULL},
    {"idn-hostname", "^" HOST(6) "$", 253, NULL},
    {"json-pointer", "^" POINTER "$", 0, NULL},
    {"relative-json-pointer", "^(?:0|[1-9][0-9]{0,8})(?:#|" POINTER ")$", 0, NULL},
    {"regex", "^[A-Za-z0-9 _-]*$", 0, NULL},
};

const char *pattern_of_short_format(struct span name, uint32_t max)
{
    for (size_t i = 0; i < sizeof formats / sizeof *formats; i++)
        if (span_is(name, formats[i].name) && formats[i].longest != 0 && formats[i].longest <= max)
            return formats[i].short_one != NULL ? formats[i].short_one : formats[i].pattern;
    return NULL;
}

const char *pattern_of_format(struct span name)
{
    for (size_t i = 0; i < sizeof formats / sizeof *formats; i++)
        if (span_is(name, formats[i].name))
            return formats[i].pattern;
    return NULL;
}
