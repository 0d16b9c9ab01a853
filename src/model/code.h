/* Code that comes with weights, and formats that are recognised only. Private to src/model. */
#ifndef MODEL_CODE_H
#define MODEL_CODE_H

#include "model/content.h"

bool program_sniff(struct span head, uint64_t size);
bool program_examine(const struct content *c);
bool bytecode_sniff(struct span head, uint64_t size);
bool bytecode_examine(const struct content *c);
bool source_sniff(struct span head, uint64_t size);
bool source_examine(const struct content *c);
/* Kinds that only a name tells apart from other text: scripts, notebooks, requirements. *known
 * says whether it is one. */
bool code_by_name(const struct content *c, const char *name, bool *known);
/* A configuration, by its name: what it has its loader call. */
bool config_examine(const struct content *c, const char *name);
/* What Python or a shell would do of what is looked for, and the line; NULL when nothing. */
const char *code_danger(struct span text, struct span *line);

/* XML: PMML and OpenVINO are data, unless they declare a document type. */
bool xml_sniff(struct span head, uint64_t size);
bool xml_examine(const struct content *c);

bool unread_sniff(struct span head, uint64_t size);
bool unread_examine(const struct content *c);
/* Of an archive: is it a model of skops? Then it is said that it was not read. */
bool skops_examine(const struct content *c, const struct archive *a);

#endif
