/* The fingerprints of known licence texts, as tools/licence_fingerprints.c made them. */
#include "model/licence.h"

const uint32_t licence_blocks[] = {
#define LICENCE_BLOCKS
#include "model/licences.def"
#undef LICENCE_BLOCKS
};

const struct licence_segment licence_segments[] = {
#define LICENCE_SEGMENTS
#include "model/licences.def"
#undef LICENCE_SEGMENTS
};

const struct licence_reference licence_references[] = {
#define LICENCE_REFERENCES
#include "model/licences.def"
#undef LICENCE_REFERENCES
};

const size_t licence_reference_count = sizeof licence_references / sizeof *licence_references;
