/* Options that several commands share; each group fills members of the same name. */
#ifndef ASSAY_CLI_OPTION_GROUPS_H
#define ASSAY_CLI_OPTION_GROUPS_H

#include "cli/args.h"

#define FILTER(type, member)                                                                       \
    {"since", OPTION_TEXT, "TIME", offsetof(struct type, member.since),                            \
     "entries from this time on (UTC): 2026-11-23 or 2026-11-23T14:05:00Z"},                       \
        {"until", OPTION_TEXT, "TIME", offsetof(struct type, member.until),                        \
         "entries before this time"},                                                              \
        {"kind", OPTION_TEXTS, "KIND", offsetof(struct type, member.kinds),                        \
         "entries of this kind, such as model or call-outcome; may be repeated"},                  \
        {"model", OPTION_TEXT, "NAME", offsetof(struct type, member.model),                        \
         "about the model of this name, tensor root or manifest root"},                            \
        {"subject", OPTION_TEXT, "WHO", offsetof(struct type, member.subject),                     \
         "about this subject: its name, found with the keyring, or a pseudonym as entries show "   \
         "it"},                                                                                    \
        {"operator-key", OPTION_TEXT, "FILE", offsetof(struct type, member.operator_key),          \
         "to find a subject by name (default: operator.key in the folder)"},                       \
        {"outcome", OPTION_TEXT, "WORD", offsetof(struct type, member.outcome),                    \
         "calls that ended so, or checks and replays with this result"},                           \
    {                                                                                              \
        "response", OPTION_TEXT, "ID", offsetof(struct type, member.response),                     \
            "the call whose answer had this identifier: intent, windows and outcome"               \
    }

#define LISTING(type, limit_member, format_member)                                                 \
    {"limit", OPTION_U64, "N", offsetof(struct type, limit_member), "the first N of them"},        \
    {                                                                                              \
        "format", OPTION_CHOICE, "table|json|csv", offsetof(struct type, format_member),           \
            "a table, JSON lines (schema/log-entry.schema.json) or CSV"                            \
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
