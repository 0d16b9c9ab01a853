/*
 * The kinds of records and their members. A new member is optional and gets a
 * line here in its place; `test_log_format update` then rewrites the schemas and
 * the tables of docs/log-format.md.
 */
#include "record/table.h"

/* clang-format off */
#define PLAIN(name, type, required, list, says) \
    {name, sizeof(name) - 1, MEMBER_##type, required, list, NULL, NULL, says}
#define MUST(name, type, says) PLAIN(name, type, true, false, says)
#define MAY(name, type, says) PLAIN(name, type, false, false, says)
#define MAY_LIST(name, type, says) PLAIN(name, type, false, true, says)
#define MUST_WORD(name, words, says) \
    {name, sizeof(name) - 1, MEMBER_WORD, true, false, words, NULL, says}
#define MAY_WORD(name, words, says) \
    {name, sizeof(name) - 1, MEMBER_WORD, false, false, words, NULL, says}
#define MUST_OBJECT(name, shape, says) \
    {name, sizeof(name) - 1, MEMBER_OBJECT, true, false, NULL, shape, says}
#define MAY_OBJECT(name, shape, says) \
    {name, sizeof(name) - 1, MEMBER_OBJECT, false, false, NULL, shape, says}
#define MUST_OBJECTS(name, shape, says) \
    {name, sizeof(name) - 1, MEMBER_OBJECT, true, true, NULL, shape, says}
#define MAY_OBJECTS(name, shape, says) \
    {name, sizeof(name) - 1, MEMBER_OBJECT, false, true, NULL, shape, says}
#define SHAPE(name, members, says) {name, says, members, sizeof members / sizeof *members}
#define OBJECT(object, says) \
    static const struct shape object = SHAPE(#object, object##_members, says)
#define WORDS(name, ...) static const char *const name[] = {__VA_ARGS__, NULL}

/* ---- the envelope ---- */

static const struct member envelope_members[] = {
    MUST("assay", COUNT, "version of the leaf format: 1"),
    MUST("boot_id", ID, "this boot of the machine, hashed with the origin"),
    MUST("boot_us", COUNT, "microseconds since that boot, suspended time included"),
    MUST("id", ID, "random name of the record"),
    MUST("kind", KIND, "kind of the record"),
    MUST("record", BODY, "members of the kind"),
    MAY("sealed", SEALED, "content that this leaf commits to; absent when there is none"),
    MUST("seq", COUNT, "index of the leaf in the tree, from 0"),
    MAY("subject", ID, "pseudonym of whom the record concerns"),
    MUST("wall_us", COUNT, "microseconds since 1970-01-01T00:00:00Z by the machine's clock"),
};
const struct shape record_envelope = SHAPE("leaf", envelope_members, "one entry of the log");

static const struct member sealed_members[] = {
    MUST("ciphertext", DIGEST, "SHA-256 of the ciphertext"),
    MUST("commitment", DIGEST, "salted commitment to the content"),
    MUST("field", FIELD, "what the content is"),
    MUST("size", COUNT, "bytes of the ciphertext, padding and tags included"),
};
const struct shape record_sealed = SHAPE("sealed_field", sealed_members, "one sealed field");

/* ---- objects that several kinds hold ---- */

static const struct member file_members[] = {
    MUST("bytes", COUNT, "size of the file"),
    MUST("digest", DIGEST, "SHA-256 of the file"),
    MUST("name", STRING, "path below the folder, / between parts"),
};
OBJECT(file, "one file");

static const struct member licence_members[] = {
    MUST("named", STRING, "as written there"),
    MAY("spdx", STRING, "SPDX identifier"),
    MUST("where", STRING, "where it is named: metadata, card or the file's name"),
};
OBJECT(licence, "one naming of a licence");

WORDS(severities, "info", "low", "medium", "high", "critical");
static const struct member finding_members[] = {
    MUST("count", COUNT, "how many findings of the rule"),
    MUST("rule", STRING, "identifier of the rule"),
    MUST_WORD("severity", severities, "severity of the rule"),
};
OBJECT(finding, "findings of one rule, counted");

static const struct member architecture_members[] = {
    MAY("canonical", STRING, "the canonical description, one line"),
    MAY("digest", DIGEST, "architecture fingerprint: SHA-256 of that line"),
    MAY("family", STRING, "family of the architecture"),
    MAY("parameters", COUNT, "weights, tied ones once"),
};
OBJECT(architecture, "what kind of network it is");

static const struct member model_ref_members[] = {
    MAY_LIST("adapters", DIGEST, "tensor roots of the adapters applied, in their order"),
    MAY("architecture", DIGEST, "architecture fingerprint"),
    MAY("entry", COUNT, "index of the leaf that enrolled it"),
    MAY("manifest_root", DIGEST, "Merkle root over its files"),
    MUST("name", STRING, "name by which it was asked for"),
    MAY("numerics", STRING, "version of the engine's numerics"),
    MAY("template", DIGEST, "SHA-256 of the chat template"),
    MAY("tensor_root", DIGEST, "Merkle root over its tensors"),
    MAY("tokenizer", DIGEST, "digest of the tokenizer"),
};
OBJECT(model_ref, "which model; an upstream's is known by name alone");

static const struct member range_members[] = {
    MUST("from", COUNT, "index of the first entry"),
    MUST("to", COUNT, "index after the last entry"),
};
OBJECT(range, "entries from `from` until before `to`");

/* ---- the log itself ---- */

static const struct member predecessor_members[] = {
    MUST("checkpoint", STRING, "its final checkpoint, the whole signed note"),
    MUST("key", STRING, "verifier key that signed it"),
};
OBJECT(predecessor, "the sealed-off log that this one continues");

static const struct member genesis_members[] = {
    MUST("key", STRING, "verifier key that signs checkpoints"),
    MUST("origin", STRING, "name of the log, as in its checkpoints"),
    MAY_OBJECT("predecessor", &predecessor, "the log before this one"),
    MAY("schema", DIGEST, "SHA-256 of the database's schema"),
    MUST("software", STRING, "program and version that wrote the leaf"),
};

static const struct member key_members[] = {
    MUST("new", STRING, "verifier key that signs checkpoints that cover this leaf"),
    MUST("old", STRING, "verifier key that signed until this leaf"),
    MAY("reason", STRING, "why"),
    MUST("signature_new", SIGNATURE, "by the new key over the rotation's message"),
    MUST("signature_old", SIGNATURE, "by the old key over the same message"),
};

static const struct member setting_members[] = {
    MUST("name", STRING, "name of the setting"),
    MAY("value", STRING, "its value from now on; absent: the default again"),
};
OBJECT(setting, "one setting");

static const struct member config_members[] = {
    MAY("by", STRING, "who changed it"),
    MUST_OBJECTS("changes", &setting, "what changed"),
    MAY("digest", DIGEST, "SHA-256 of the whole configuration"),
    MAY("reason", STRING, "why"),
    MUST("software", STRING, "program and version"),
};

static const struct member sync_quality_members[] = {
    MUST("p50_us", COUNT, "median microseconds of one sync"),
    MUST("p99_us", COUNT, "99th percentile"),
    MUST("samples", COUNT, "syncs measured"),
};
OBJECT(sync_quality, "fdatasync of the log's disk, measured at start");

static const struct member start_members[] = {
    MAY("crashed", COUNT, "open intents that this start closes with the outcome crash"),
    MAY("epoch", COUNT, "current epoch of the keyring"),
    MUST("key", STRING, "verifier key that signs checkpoints"),
    MAY("schema", DIGEST, "SHA-256 of the database's schema as found"),
    MUST("software", STRING, "program and version"),
    MUST("sqlite", STRING, "version of SQLite that runs"),
    MUST_OBJECT("sync", &sync_quality, "quality of the disk's sync"),
    MUST("wal_reset_bug", BOOL, "this SQLite loses commits of two writing connections"),
};

WORDS(stop_reasons, "shutdown", "signal", "error", "seal-off");
static const struct member stop_members[] = {
    MAY("error", STRING, "what went wrong"),
    MUST_WORD("reason", stop_reasons, "why; after seal-off no leaf follows"),
    MUST("software", STRING, "program and version"),
};

static const struct member restore_members[] = {
    MUST("by", STRING, "who restored"),
    MUST("checkpoint", STRING, "newest checkpoint of the backup, the whole signed note"),
    MUST("epoch", COUNT, "epoch of the keyring that the restore began"),
    MAY("known_size", COUNT, "largest size that was known of the log before; entries between are lost"),
    MUST("reason", STRING, "why"),
    MUST("software", STRING, "program and version"),
};

/* ---- models, data, training ---- */

static const struct member model_members[] = {
    MAY_OBJECT("architecture", &architecture, "what kind of network it is"),
    MAY_LIST("base_models", STRING, "models it says it was made from"),
    MUST("bytes", COUNT, "size of all files"),
    MUST("complete", BOOL, "every byte was read and hashed"),
    MAY_LIST("datasets", STRING, "data sets it says it was trained on"),
    MUST("file_count", COUNT, "number of files"),
    MAY_OBJECTS("files", &file, "the files; absent when the leaf would be too long"),
    MAY_OBJECTS("findings", &finding, "what was found, counted by rule"),
    MUST("format", STRING, "format of the weights"),
    MAY_OBJECTS("licences", &licence, "where licences are named"),
    MAY("manifest_root", DIGEST, "Merkle root over the files"),
    MAY("name", STRING, "what it calls itself"),
    MUST("software", STRING, "program and version"),
    MAY("source", STRING, "where it was obtained, as the operator says"),
    MAY("template", DIGEST, "SHA-256 of the chat template"),
    MAY("tensor_count", COUNT, "number of tensors"),
    MAY("tensor_root", DIGEST, "Merkle root over the tensors"),
    MAY("tokenizer", DIGEST, "digest of the tokenizer"),
};

static const struct member split_members[] = {
    MUST("name", STRING, "name of the split"),
    MUST("rows", COUNT, "its rows"),
};
OBJECT(split, "one split");

static const struct member dataset_ref_members[] = {
    MAY("entry", COUNT, "index of the leaf that enrolled it"),
    MAY("manifest_root", DIGEST, "Merkle root over its files"),
    MUST("name", STRING, "its name"),
};
OBJECT(dataset_ref, "which data set");

static const struct member dataset_members[] = {
    MUST("bytes", COUNT, "size of all files"),
    MAY("card", DIGEST, "SHA-256 of its card"),
    MAY("collection", STRING, "how it was collected, as its card says"),
    MUST("complete", BOOL, "every byte was read and hashed"),
    MAY("consent", STRING, "consent, as its card says"),
    MAY_LIST("contradicted", STRING, "what its card says against what was counted"),
    MAY_LIST("declared_languages", STRING, "languages that its card names"),
    MAY("duplicates", COUNT, "rows whose bytes stood before"),
    MAY("duplicates_among", COUNT, "the first rows, among which those were counted; absent: all"),
    MUST("file_count", COUNT, "number of files"),
    MAY_OBJECTS("files", &file, "the files; absent when the leaf would be too long"),
    MAY("first_date", STRING, "first date that stands in the data"),
    MAY("footer_rows", COUNT, "rows of Parquet files, as their footers say; not in rows"),
    MAY_LIST("languages", STRING, "languages measured, most first"),
    MAY("last_date", STRING, "last date that stands in the data"),
    MAY_OBJECTS("licences", &licence, "where licences are named"),
    MUST("manifest_root", DIGEST, "Merkle root over the files"),
    MUST("name", STRING, "name of the data set"),
    MAY("overlap", COUNT, "rows whose bytes stand in another data set too"),
    MAY_OBJECT("overlap_with", &dataset_ref, "that data set"),
    MAY("personal_data", STRING, "personal data, as its card says"),
    MAY("revision", STRING, "revision it was obtained at"),
    MAY("rows", COUNT, "number of rows"),
    MUST("software", STRING, "program and version"),
    MAY("source", STRING, "where it was obtained, as the operator says"),
    MAY_OBJECTS("splits", &split, "its splits"),
    MAY("tokens", COUNT, "tokens, by the tokenizer given"),
};

static const struct member metric_members[] = {
    MUST("name", STRING, "what was measured"),
    MUST("value", DECIMAL, "the value"),
};
OBJECT(metric, "one measurement");

WORDS(training_phases, "begin", "step", "checkpoint", "end", "failed");
static const struct member training_members[] = {
    MAY_OBJECTS("base_models", &model_ref, "models that the run starts from"),
    MAY("chat_template", DIGEST, "template of the base that laid chats out; absent: ChatML"),
    MAY("checkpoint", DIGEST, "SHA-256 of the checkpoint file written at this step"),
    MAY("code", DIGEST, "SHA-256 of the training program"),
    MAY("config", DIGEST, "SHA-256 of the run's configuration"),
    MAY("config_text", STRING, "the configuration itself, as it was read"),
    MAY_OBJECTS("datasets", &dataset_ref, "data that the run reads"),
    MAY("energy", STRING, "kWh, as declared"),
    MAY("environment", STRING, "machine and libraries"),
    MAY("error", STRING, "what went wrong"),
    MAY("flops", STRING, "floating-point operations, as declared"),
    MAY_OBJECTS("hyperparameters", &setting, "hyperparameters, as the trainer has them"),
    MAY("method", STRING, "training method, as declared"),
    MAY_OBJECTS("metrics", &metric, "measurements at this moment"),
    MAY_OBJECT("model", &model_ref, "what the run has produced"),
    MUST_WORD("phase", training_phases, "moment of the run"),
    MAY("revision", STRING, "code revision, as declared"),
    MUST("run", ID, "name of the run, the same in all its leaves"),
    MAY("seed", DECIMAL, "seed"),
    MUST("software", STRING, "program and version"),
    MAY("step", COUNT, "steps done"),
    MAY("tokenizer", DIGEST, "digest of the tokenizer"),
    MAY("tokens", COUNT, "tokens seen"),
    MAY("validation_root", DIGEST, "manifest root over the files that validation reads"),
    MAY("weights_root", DIGEST, "Merkle root over the trained tensors in F32, after this step"),
};

/* ---- calls ---- */

WORDS(apis, "chat_completions", "completions", "responses", "embeddings", "messages", "run");
WORDS(routes, "engine", "upstream");
WORDS(durabilities, "answer", "window", "end");
WORDS(outcomes, "complete", "client_abort", "upstream_abort", "timeout", "refused", "error",
      "shutdown", "crash");

static const struct member sampling_members[] = {
    MAY("frequency_penalty", DECIMAL, "frequency penalty"),
    MAY("max_tokens", COUNT, "most tokens of an answer"),
    MAY("min_p", DECIMAL, "min-p"),
    MAY("n", COUNT, "answers asked for"),
    MAY("presence_penalty", DECIMAL, "presence penalty"),
    MAY("repetition_penalty", DECIMAL, "repetition penalty"),
    MAY("seed", DECIMAL, "seed"),
    MAY("temperature", DECIMAL, "temperature"),
    MAY("top_k", INTEGER, "top-k"),
    MAY("top_p", DECIMAL, "top-p"),
};
OBJECT(sampling, "parameters that say nothing of the content; all of them are sealed as `parameters`");

static const struct member upstream_members[] = {
    MAY("certificate", DIGEST, "SHA-256 of the TLS certificate that it showed (DER)"),
    MAY("fingerprint", STRING, "`system_fingerprint` that it gave"),
    MUST("name", STRING, "its name in the configuration"),
    MAY("url", STRING, "address, without credentials"),
};
OBJECT(upstream, "who computes");

static const struct member call_intent_members[] = {
    MUST_WORD("api", apis, "what was asked for"),
    MAY("credential", DIGEST, "keyed hash of the client's credential"),
    MUST_WORD("durability", durabilities, "what is held back until it is durable: the answer as a whole, each window of a stream, or the end of a stream alone"),
    MUST_OBJECT("model", &model_ref, "which model"),
    MAY("policy", STRING, "policy in force"),
    MAY("relayed", BOOL, "the upstream gets the octets of the request's body as they came: there is no `upstream_request`"),
    MUST_WORD("route", routes, "who computes"),
    MAY_OBJECT("sampling", &sampling, "sampling parameters"),
    MUST("stream", BOOL, "the answer is streamed"),
    MAY("tokens_in", COUNT, "tokens of the prompt, where they are known before"),
    MAY_OBJECT("upstream", &upstream, "who computes, when it is not the engine"),
};

static const struct member call_window_members[] = {
    MUST("intent", COUNT, "index of the call's intent"),
    MUST("number", COUNT, "which window of the call, from 0"),
    MUST("released_bytes", COUNT, "bytes of the answer handed to the client's connection before this window, at most"),
};

static const struct member timings_members[] = {
    MAY("decode_us", COUNT, "computing the answer after its first token"),
    MAY("first_byte_us", COUNT, "until the first byte of the answer was known"),
    MAY("prefill_us", COUNT, "reading the prompt"),
    MAY("queue_us", COUNT, "waiting for a place"),
    MUST("total_us", COUNT, "from the request's last byte to this record"),
};
OBJECT(timings, "microseconds");

static const struct member tokens_members[] = {
    MAY("cached", COUNT, "of the prompt, taken from a cache"),
    MUST("estimated", BOOL, "counted by us, not reported by who computed"),
    MUST("input", COUNT, "of the prompt"),
    MUST("output", COUNT, "of the answer"),
    MAY("reasoning", COUNT, "of the answer, not shown"),
};
OBJECT(tokens, "token counts");

static const struct member prefix_members[] = {
    MUST("bytes", COUNT, "of all ciphertexts of the windows, padding and tags included"),
    MUST("chain", DIGEST, "over the leaf hashes of the intent and its windows, see Calls"),
};
OBJECT(prefix, "what was durable of a call before this record");

static const struct member call_outcome_members[] = {
    MAY("attempts", COUNT, "times that the upstream was asked, 1 for the engine; absent when the outcome is crash, for nobody knows"),
    MUST_WORD("durability", durabilities, "what was held back until it was durable"),
    MAY("error", STRING, "short code of the error, nothing of the content"),
    MAY_LIST("finish", STRING, "why each answer ended, in order"),
    MUST("intent", COUNT, "index of the intent that this closes"),
    MAY_OBJECT("model", &model_ref, "which model answered, as far as it is known"),
    MUST_WORD("outcome", outcomes, "how it ended"),
    MAY_OBJECT("prefix", &prefix, "the windows that this commits to; always there when the outcome is crash"),
    MAY("relayed", BOOL, "the client gets the octets of the upstream's body as they came: there is no `upstream_response`"),
    MAY("released_bytes", COUNT, "bytes of the answer handed to the client's connection, at most; absent where a crash leaves them unknown"),
    MAY("response_id", STRING, "identifier of the answer"),
    MAY("status", COUNT, "HTTP status given to the client"),
    MAY_OBJECT("timings", &timings, "how long it took"),
    MAY_OBJECT("tokens", &tokens, "token counts"),
    MAY_OBJECT("upstream", &upstream, "who computed, when it was not the engine"),
    MAY("upstream_status", COUNT, "HTTP status that the upstream gave"),
    MAY("windows", COUNT, "windows of the stream that were committed"),
};

static const struct member refused_members[] = {
    MUST("from_us", COUNT, "wall clock at the first, microseconds"),
    MAY("limited", COUNT, "beyond a limit of rate or size"),
    MAY("malformed", COUNT, "not HTTP or not the API"),
    MUST("to_us", COUNT, "wall clock at the last, microseconds"),
    MAY("unauthenticated", COUNT, "without a valid credential"),
};

/* ---- what was proved and shown ---- */

WORDS(replay_results, "match", "mismatch", "impossible");
static const struct member replay_members[] = {
    MAY("compared", COUNT, "tokens compared, or recorded roots of a training run"),
    MUST("entry", COUNT, "index of the outcome that was executed again, or of a training run's beginning"),
    MAY("first_difference", COUNT, "first token, or step, that differs"),
    MAY_OBJECT("model", &model_ref, "weights it was executed with"),
    MAY("reason", STRING, "why it was impossible"),
    MUST_WORD("result", replay_results, "what came out"),
    MUST("software", STRING, "program and version"),
};

static const struct member waiver_use_members[] = {
    MUST("approver", STRING, "who accepted the finding"),
    MUST("expires", STRING, "last day on which it holds, YYYY-MM-DD"),
    MUST("id", STRING, "identifier in the policy"),
    MUST("rule", STRING, "identifier of the rule"),
};
OBJECT(waiver_use, "a waiver that the verdict stands on");

WORDS(check_results, "pass", "fail", "incomplete", "expired");
static const struct member check_members[] = {
    MUST("complete", BOOL, "every byte was read"),
    MAY_OBJECTS("findings", &finding, "what was found, counted by rule"),
    MUST_OBJECT("model", &model_ref, "what was checked"),
    MAY("policy", DIGEST, "SHA-256 of the policy's file"),
    MAY("policy_name", STRING, "name of the policy"),
    MUST_WORD("result", check_results, "verdict; expired: it stands on a waiver that ran out"),
    MUST("software", STRING, "program and version"),
    MAY("waived", COUNT, "findings that a waiver covers"),
    MAY_OBJECTS("waivers", &waiver_use, "waivers that were used, expired ones too"),
};

static const struct member claims_members[] = {
    MAY("attested", COUNT, "signed by a named key"),
    MAY("contradicted", COUNT, "shown to be false"),
    MAY("declared", COUNT, "said by somebody"),
    MAY("missing", COUNT, "without evidence"),
    MAY("not_applicable", COUNT, "not applicable"),
    MAY("stale", COUNT, "evidence too old"),
    MAY("verified", COUNT, "recomputed from bytes or a proven range of the log"),
};
OBJECT(claims, "claims counted by status");

static const struct member report_members[] = {
    MAY_OBJECT("claims", &claims, "claims counted by status"),
    MAY_OBJECT("covers", &range, "entries that the report reads"),
    MUST("digest", DIGEST, "SHA-256 of the report as it was handed over"),
    MUST("framework", STRING, "framework and its date"),
    MAY_OBJECT("model", &model_ref, "which model it is about"),
    MUST("software", STRING, "program and version"),
};

static const struct member disclosure_members[] = {
    MUST("basis", STRING, "why it may be disclosed"),
    MUST("by", STRING, "who disclosed"),
    MUST("entry", COUNT, "index of the entry"),
    MUST("field", FIELD, "the field that was opened"),
    MUST("recipient", STRING, "to whom"),
    MUST("software", STRING, "program and version"),
};

WORDS(erasure_scopes, "subject", "entry", "retention");
static const struct member erasure_members[] = {
    MUST("basis", STRING, "why"),
    MUST("by", STRING, "who ordered it"),
    MAY_OBJECTS("entries", &range, "entries whose content can no longer be opened"),
    MAY("entry_count", COUNT, "how many they are"),
    MUST("epoch", COUNT, "epoch of the keyring whose key was destroyed, with all before it"),
    MUST("epoch_now", COUNT, "epoch under which the survivors are wrapped"),
    MUST("keys", COUNT, "wrapped keys destroyed"),
    MUST_WORD("scope", erasure_scopes, "what was to be erased"),
    MUST("software", STRING, "program and version"),
    MAY_LIST("subjects", ID, "pseudonyms that name nobody any more"),
    MAY_LIST("unreachable", STRING, "what the erasure does not reach"),
};

WORDS(hold_actions, "place", "release", "blocked");
static const struct member hold_members[] = {
    MUST_WORD("action", hold_actions, "place a legal hold, release it, or: it blocked an erasure"),
    MUST("basis", STRING, "why"),
    MUST("by", STRING, "who ordered it"),
    MAY_OBJECTS("entries", &range, "entries under hold; neither these nor subjects: the whole log"),
    MUST("hold", ID, "name of the hold, the same when it is released"),
    MUST("software", STRING, "program and version"),
    MAY_LIST("subjects", ID, "pseudonyms under hold"),
};

#define KIND(name, members, says) SHAPE(name, members##_members, says)
const struct shape record_kinds[RECORD_KINDS] = {
    [RECORD_GENESIS] = KIND("genesis", genesis, "a log begins: its name and its key, always the first leaf"),
    [RECORD_KEY] = KIND("key", key, "the log's key changes, signed by the old and the new one"),
    [RECORD_MODEL] = KIND("model", model, "a model was enrolled: what its bytes are"),
    [RECORD_DATASET] = KIND("dataset", dataset, "a data set was enrolled"),
    [RECORD_TRAINING] = KIND("training", training, "a training run begins, reaches a checkpoint, ends or fails"),
    [RECORD_CALL_INTENT] = KIND("call-intent", call_intent, "a call was accepted; durable before anything is forwarded or computed"),
    [RECORD_CALL_OUTCOME] = KIND("call-outcome", call_outcome, "a call ended; durable before the end of its answer is released"),
    [RECORD_REPLAY] = KIND("replay", replay, "a logged call was executed again"),
    [RECORD_CHECK] = KIND("check", check, "a model was checked against a policy"),
    [RECORD_REPORT] = KIND("report", report, "a report was made"),
    [RECORD_DISCLOSURE] = KIND("disclosure", disclosure, "one field of one entry was opened to somebody"),
    [RECORD_ERASURE] = KIND("erasure", erasure, "keys were destroyed, and with them content"),
    [RECORD_CONFIG] = KIND("config", config, "the configuration changed"),
    [RECORD_START] = KIND("start", start, "a process took ownership of the log"),
    [RECORD_STOP] = KIND("stop", stop, "the owner closed the log"),
    [RECORD_HOLD] = KIND("hold", hold, "a legal hold was placed or released"),
    [RECORD_RESTORE] = KIND("restore", restore, "the log was restored from a backup: what came after it is lost"),
    [RECORD_REFUSED] = KIND("refused", refused, "requests were refused before they were calls; they are counted, a leaf for at most every second"),
    [RECORD_CALL_WINDOW] = KIND("call-window", call_window, "a part of a call's content became durable: of a stream before it was released, or of content too large for one leaf's entry"),
};
/* clang-format on */
