/*
 * Licence names as model cards and GGUF files write them, to SPDX ids. Hugging
 * Face's identifiers are lower case and partly its own (docs: hub, "Licenses");
 * licences outside the SPDX list get a LicenseRef. Family names that leave the
 * version open ("cc", "gpl") name no licence and give NULL.
 */
#include "assay/model.h"

#include <stdlib.h>
#include <string.h>

enum { NAME_MAX_LENGTH = 64 };

/* Sorted by name: lower case, spaces and underscores as '-'. */
static const struct name {
    const char *name, *spdx;
} names[] = {
    {"afl-3.0", "AFL-3.0"},
    {"agpl-3.0", "AGPL-3.0-only"},
    {"agpl-3.0-only", "AGPL-3.0-only"},
    {"agpl-3.0-or-later", "AGPL-3.0-or-later"},
    {"apache", "Apache-2.0"},
    {"apache-2", "Apache-2.0"},
    {"apache-2.0", "Apache-2.0"},
    {"apache-license-2.0", "Apache-2.0"},
    {"apache-license-version-2.0", "Apache-2.0"},
    {"apache2", "Apache-2.0"},
    {"apple-amlr", "LicenseRef-Apple-AMLR"},
    {"artistic-2.0", "Artistic-2.0"},
    {"bigcode-openrail-m", "LicenseRef-BigCode-OpenRAIL-M-1.0"},
    {"bigscience-bloom-rail-1.0", "LicenseRef-BigScience-RAIL-1.0"},
    {"bigscience-openrail-m", "LicenseRef-BigScience-OpenRAIL-M"},
    {"bsd-2-clause", "BSD-2-Clause"},
    {"bsd-3-clause", "BSD-3-Clause"},
    {"bsd-3-clause-clear", "BSD-3-Clause-Clear"},
    {"bsl-1.0", "BSL-1.0"},
    {"c-uda", "C-UDA-1.0"},
    {"cc-by-2.0", "CC-BY-2.0"},
    {"cc-by-2.5", "CC-BY-2.5"},
    {"cc-by-3.0", "CC-BY-3.0"},
    {"cc-by-4.0", "CC-BY-4.0"},
    {"cc-by-nc-2.0", "CC-BY-NC-2.0"},
    {"cc-by-nc-3.0", "CC-BY-NC-3.0"},
    {"cc-by-nc-4.0", "CC-BY-NC-4.0"},
    {"cc-by-nc-nd-3.0", "CC-BY-NC-ND-3.0"},
    {"cc-by-nc-nd-4.0", "CC-BY-NC-ND-4.0"},
    {"cc-by-nc-sa-2.0", "CC-BY-NC-SA-2.0"},
    {"cc-by-nc-sa-3.0", "CC-BY-NC-SA-3.0"},
    {"cc-by-nc-sa-4.0", "CC-BY-NC-SA-4.0"},
    {"cc-by-nd-4.0", "CC-BY-ND-4.0"},
    {"cc-by-sa-3.0", "CC-BY-SA-3.0"},
    {"cc-by-sa-4.0", "CC-BY-SA-4.0"},
    {"cc0-1.0", "CC0-1.0"},
    {"cdla-permissive-1.0", "CDLA-Permissive-1.0"},
    {"cdla-permissive-2.0", "CDLA-Permissive-2.0"},
    {"cdla-sharing-1.0", "CDLA-Sharing-1.0"},
    {"creativeml-openrail-m", "LicenseRef-CreativeML-OpenRAIL-M"},
    {"deepfloyd-if-license", "LicenseRef-DeepFloyd-IF"},
    {"deepseek", "LicenseRef-DeepSeek-1.0"},
    {"deepseek-license", "LicenseRef-DeepSeek-1.0"},
    {"ecl-2.0", "ECL-2.0"},
    {"epl-1.0", "EPL-1.0"},
    {"epl-2.0", "EPL-2.0"},
    {"etalab-2.0", "etalab-2.0"},
    {"eupl-1.1", "EUPL-1.1"},
    {"eupl-1.2", "EUPL-1.2"},
    {"falcon-llm-license", "LicenseRef-Falcon-LLM"},
    {"gemma", "LicenseRef-Gemma"},
    {"gemma-terms-of-use", "LicenseRef-Gemma"},
    {"gfdl-1.3", "GFDL-1.3-only"},
    {"gpl-2.0", "GPL-2.0-only"},
    {"gpl-2.0-only", "GPL-2.0-only"},
    {"gpl-2.0-or-later", "GPL-2.0-or-later"},
    {"gpl-3.0", "GPL-3.0-only"},
    {"gpl-3.0-only", "GPL-3.0-only"},
    {"gpl-3.0-or-later", "GPL-3.0-or-later"},
    {"h-research", "LicenseRef-H-Research"},
    {"intel-research", "LicenseRef-Intel-Research"},
    {"isc", "ISC"},
    {"lgpl-2.1", "LGPL-2.1-only"},
    {"lgpl-2.1-only", "LGPL-2.1-only"},
    {"lgpl-2.1-or-later", "LGPL-2.1-or-later"},
    {"lgpl-3.0", "LGPL-3.0-only"},
    {"lgpl-3.0-only", "LGPL-3.0-only"},
    {"lgpl-3.0-or-later", "LGPL-3.0-or-later"},
    {"lgpl-lr", "LGPLLR"},
    {"llama-2", "LicenseRef-Llama-2-Community"},
    {"llama-3", "LicenseRef-Llama-3-Community"},
    {"llama-3.1", "LicenseRef-Llama-3.1-Community"},
    {"llama-3.2", "LicenseRef-Llama-3.2-Community"},
    {"llama-3.3", "LicenseRef-Llama-3.3-Community"},
    {"llama2", "LicenseRef-Llama-2-Community"},
    {"llama3", "LicenseRef-Llama-3-Community"},
    {"llama3.1", "LicenseRef-Llama-3.1-Community"},
    {"llama3.2", "LicenseRef-Llama-3.2-Community"},
    {"llama3.3", "LicenseRef-Llama-3.3-Community"},
    {"llama4", "LicenseRef-Llama-4-Community"},
    {"lppl-1.3c", "LPPL-1.3c"},
    {"mit", "MIT"},
    {"mit-license", "MIT"},
    {"mpl-2.0", "MPL-2.0"},
    {"mrl", "LicenseRef-Mistral-Research"},
    {"ms-pl", "MS-PL"},
    {"ncsa", "NCSA"},
    {"nvidia-open-model-license", "LicenseRef-NVIDIA-Open-Model"},
    {"odbl", "ODbL-1.0"},
    {"odc-by", "ODC-By-1.0"},
    {"ofl-1.1", "OFL-1.1"},
    {"open-mdw", "LicenseRef-OpenMDW"},
    {"openrail", "LicenseRef-OpenRAIL"},
    {"openrail++", "LicenseRef-CreativeML-OpenRAIL-PP-M"},
    {"osl-3.0", "OSL-3.0"},
    {"pddl", "PDDL-1.0"},
    {"postgresql", "PostgreSQL"},
    {"qwen", "LicenseRef-Qwen"},
    {"qwen-research", "LicenseRef-Qwen-Research"},
    {"stabilityai-ai-community", "LicenseRef-Stability-AI-Community"},
    {"the-mit-license", "MIT"},
    {"tongyi-qianwen", "LicenseRef-Tongyi-Qianwen"},
    {"tongyi-qianwen-license-agreement", "LicenseRef-Tongyi-Qianwen"},
    {"unlicense", "Unlicense"},
    {"wtfpl", "WTFPL"},
    {"zlib", "Zlib"},
};

static int by_name(const void *key, const void *row)
{
    return strcmp(key, ((const struct name *)row)->name);
}

const char *licence_spdx_from_name(struct span named)
{
    char folded[NAME_MAX_LENGTH + 1];
    while (named.n && named.p[0] <= ' ')
        named = span_sub(named, 1, named.n);
    while (named.n && named.p[named.n - 1] <= ' ')
        named.n--;
    if (named.n == 0 || named.n > NAME_MAX_LENGTH)
        return NULL;
    for (size_t i = 0; i < named.n; i++) {
        uint8_t c = named.p[i];
        if (c == 0)
            return NULL;
        bool separator = c == ' ' || c == '_';
        folded[i] = separator ? '-' : (char)(c >= 'A' && c <= 'Z' ? c + 32 : c);
    }
    folded[named.n] = '\0';
    const struct name *n =
        bsearch(folded, names, sizeof names / sizeof *names, sizeof *names, by_name);
    return n ? n->spdx : NULL;
}
