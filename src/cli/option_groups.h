/* Options that several commands share; each group fills members of the same name. */
#ifndef ASSAY_CLI_OPTION_GROUPS_H
#define ASSAY_CLI_OPTION_GROUPS_H

#include "cli/args.h"

#define FILTER(type)                                                                               \
    {"since", OPTION_TEXT, "TIME", offsetof(struct type, filter.since),                            \
     "entries from this time on (UTC): 2026-11-23 or 2026-11-23T14:05:00Z"},                       \
        {"until", OPTION_TEXT, "TIME", offsetof(struct type, filter.until),                        \
         "entries before this time"},                                                              \
        {"kind", OPTION_TEXTS, "KIND", offsetof(struct type, filter.kinds),                        \
         "entries of this kind, such as model or call-outcome; may be repeated"},                  \
        {"model", OPTION_TEXT, "NAME", offsetof(struct type, filter.model),                        \
         "about the model of this name, tensor root or manifest root"},                            \
        {"subject", OPTION_TEXT, "ID", offsetof(struct type, filter.subject),                      \
         "about the subject of this pseudonym, as entries show it"},                               \
    {                                                                                              \
        "outcome", OPTION_TEXT, "WORD", offsetof(struct type, filter.outcome),                     \
            "calls that ended so, or checks and replays with this result"                          \
    }

#define KEYS(type, member)                                                                         \
    {"key", OPTION_TEXT, "FILE", offsetof(struct type, member.key),                                \
     "the log's signing key (default: log.key)"},                                                  \
    {                                                                                              \
        "operator-key", OPTION_TEXT, "FILE", offsetof(struct type, member.operator_key),           \
            "the key that wraps the keyring (default: operator.key)"                               \
    }
#define ORDER(type)                                                                                \
    {"by", OPTION_TEXT, "WHO", offsetof(struct type, order.by), "who orders it"},                  \
        {"basis", OPTION_TEXT, "TEXT", offsetof(struct type, order.basis), "why"},                 \
        KEYS(type, order.keys)

#endif
