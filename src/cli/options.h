// SPDX-License-Identifier: Apache-2.0
/* cli/options.h -- the one list of settings and options.
 *
 * The parser, `help VERB`, `help --json`, the environment names, the configuration file's keys,
 * `doctor --env` and docs/SETTINGS.md are all made from these two lists. A verb names the options
 * it takes (grammar.c); an option has one meaning wherever it stands. */
#ifndef MEMO_CLI_OPTIONS_H
#define MEMO_CLI_OPTIONS_H

#include <stdint.h>

typedef enum cli_kind {
    CLI_FLAG,   /* takes no value */
    CLI_TEXT,   /* UTF-8, may be empty */
    CLI_NAME,   /* UTF-8, not empty: an id, a key, a namespace, a field */
    CLI_PATH,   /* any bytes, not empty */
    CLI_COUNT,  /* digits only, min..max */
    CLI_SIZE,   /* digits and K, M, G or T (powers of 1,024), min..max bytes */
    CLI_CHOICE, /* one of the words in `value`, separated by | */
    CLI_DATE,   /* YYYY-MM-DD or RFC 3339 with its zone; the number is Unix ms */
    CLI_EXPIRY, /* a CLI_DATE, or "never": 0 */
    CLI_PAIR,   /* NAME=VALUE */
    CLI_CHUNK,  /* none, md, plain or auto, with :TOKENS or :TOKENS/OVERLAP */
} cli_kind;

/* X(ID, name, letter, kind, value, min, max, default, help)
 *
 * A setting is the flag --name, the environment variable MEMOLITH_NAME and the key `name` of the
 * configuration file, in this order of precedence. `default` is what the documents say; paths are
 * computed in settings.c. */
#define CLI_SETTINGS(X)                                                                            \
    X(DB, "db", 'f', CLI_PATH, "FILE", 0, 0, "`default.memo` in the user's data folder",           \
      "the store, one file")                                                                       \
    X(MODEL, "model", 0, CLI_PATH, "FILE|NAME", 0, 0,                                              \
      "`models/all-MiniLM-L6-v2.f32.safetensors` in the cache folder",                             \
      "the compiled model that turns text into vectors, or its name in the cache folder "          \
      "(all-MiniLM-L6-v2.int8)")                                                                   \
    X(CACHE_DIR, "cache-dir", 0, CLI_PATH, "FOLDER", 0, 0,                                         \
      "`memolith` in the user's cache folder",                                                     \
      "where models lie; nothing in it is the only copy of anything")                              \
    X(CPU, "cpu", 0, CLI_CHOICE,                                                                   \
      "auto|ref|avx2|avx512|avx512vnni|avx512bf16|amx|neon|neon_dot|neon_i8mm", 0, 0,              \
      "`auto`, the best this CPU has",                                                             \
      "highest instruction-set level to use; of this architecture's, the best that is here and "   \
      "not above "                                                                                 \
      "it")                                                                                        \
    X(THREADS, "threads", 0, CLI_COUNT, "N", 1, 256, "what affinity and cgroup allow",             \
      "threads that compute, the calling one included")                                            \
    X(MEM_LIMIT, "mem-limit", 0, CLI_SIZE, "SIZE", 1 << 20, UINT64_C(1) << 46,                     \
      "half of what is available",                                                                 \
      "largest working memory that one call may plan; bounds SQLite and the process too")          \
    X(PORTABLE, "portable", 0, CLI_CHOICE, "no|yes", 0, 0, "`no`",                                 \
      "attention in f32 in every class: the same vectors on every CPU from avx2 on, at some cost " \
      "in speed (class bf16: where products of bf16 are equal)")                                   \
    X(LOG, "log", 0, CLI_CHOICE, "error|warn|info|debug", 0, 0, "`warn`",                          \
      "least severe message that is written to stderr")

/* X(ID, name, letter, kind, many, value, min, max, help); many: may be given several times */
#define CLI_PLAIN_OPTIONS(X)                                                                       \
    X(FORMAT, "format", 'o', CLI_CHOICE, 0, "text|json|ndjson|quiet", 0, 0,                        \
      "how results are written (default text)")                                                    \
    X(FORMAT_EMBED, "format", 'o', CLI_CHOICE, 0, "text|json|ndjson|quiet|npy", 0, 0,              \
      "how vectors are written: json and ndjson both one object a line with vector, tokens, "      \
      "total, truncated and, of --ndjson, line; npy one array (default text)")                     \
    X(FORMAT_LONG, "format", 0, CLI_CHOICE, 0, "text|json|ndjson|quiet", 0, 0,                     \
      "how the report is written (default text)")                                                  \
    X(HELP, "help", 'h', CLI_FLAG, 0, "", 0, 0, "explain the verb")                                \
    X(NS, "ns", 0, CLI_NAME, 0, "NAME", 0, 0, "namespace (default \"default\")")                   \
    X(LIMIT, "limit", 'k', CLI_COUNT, 0, "N", 1, 1000, "hits wanted (default 10)")                 \
    X(LIST_LIMIT, "limit", 'k', CLI_COUNT, 0, "N", 1, 1000000000, "records wanted (default 20)")   \
    X(WHERE, "where", 0, CLI_TEXT, 0, "FILTER", 0, 0,                                              \
      "only records that match, e.g. \"tags = 'gift' and created >= now-7d\"")                     \
    X(MODE, "mode", 0, CLI_CHOICE, 0, "hybrid|dense|lexical", 0, 0,                                \
      "by meaning and words, by meaning, or by words (default hybrid)")                            \
    X(CHUNKS, "chunks", 0, CLI_FLAG, 0, "", 0, 0, "show every matching chunk of a record")         \
    X(EXPLAIN, "explain", 0, CLI_FLAG, 0, "", 0, 0,                                                \
      "show each lane's rank, score and share, the matched words and the timings")                 \
    X(QUERIES, "queries", 0, CLI_PATH, 0, "FILE|-", 0, 0,                                          \
      "run many: NDJSON lines with _id and text; one JSON line comes out for each")                \
    X(KEY, "key", 0, CLI_NAME, 0, "KEY", 0, 0,                                                     \
      "a name of your own; a record with this key is replaced")                                    \
    X(TITLE, "title", 0, CLI_TEXT, 0, "TITLE", 0, 0, "title, searched with the text")              \
    X(TEXT, "text", 0, CLI_TEXT, 0, "TEXT|-", 0, 0, "the new text; - reads stdin")                 \
    X(TAG, "tag", 0, CLI_NAME, 1, "TAG", 0, 0, "a tag; repeat for more")                           \
    X(CLEAR_TAGS, "clear-tags", 0, CLI_FLAG, 0, "", 0, 0, "remove all tags")                       \
    X(META, "meta", 0, CLI_PAIR, 1, "NAME=VALUE", 0, 0,                                            \
      "metadata; numbers, true, false and null are read as such; repeat for more")                 \
    X(CREATED, "created", 0, CLI_DATE, 0, "DATE", 0, 0, "when it came to be (default now)")        \
    X(EXPIRES, "expires", 0, CLI_EXPIRY, 0, "DATE|never", 0, 0, "hidden from then on")             \
    X(FILE, "file", 0, CLI_PATH, 0, "FILE", 0, 0, "take the text from a file")                     \
    X(SOURCE, "source", 0, CLI_TEXT, 0, "SOURCE", 0, 0, "where it came from")                      \
    X(SOURCE_FOLDER, "source", 0, CLI_PATH, 0, "FOLDER", 0, 0,                                     \
      "say whether this folder is still what the model was compiled from")                         \
    X(CHUNK, "chunk", 0, CLI_CHUNK, 0, "none|md|plain|auto[:TOKENS[/OVERLAP]]", 0, 0,              \
      "how texts are cut for the model (default auto: Markdown by file name; 400/60)")             \
    X(KEY_FIELD, "key-field", 0, CLI_NAME, 0, "FIELD", 0, 0,                                       \
      "NDJSON field with the key (default id or _id)")                                             \
    X(TEXT_FIELD, "text-field", 0, CLI_NAME, 0, "FIELD", 0, 0,                                     \
      "NDJSON field with the text (default text)")                                                 \
    X(TITLE_FIELD, "title-field", 0, CLI_NAME, 0, "FIELD", 0, 0,                                   \
      "NDJSON field with the title (default title)")                                               \
    X(TAGS_FIELD, "tags-field", 0, CLI_NAME, 0, "FIELD", 0, 0,                                     \
      "NDJSON field with the tags (default tags)")                                                 \
    X(METADATA_FIELD, "metadata-field", 0, CLI_NAME, 0, "FIELD", 0, 0,                             \
      "NDJSON field with the metadata object (default metadata)")                                  \
    X(CREATED_FIELD, "created-field", 0, CLI_NAME, 0, "FIELD", 0, 0,                               \
      "NDJSON field with the date, RFC 3339 or Unix ms (default created)")                         \
    X(SKIP_BAD, "skip-bad", 0, CLI_FLAG, 0, "", 0, 0,                                              \
      "name bad lines and files and go on instead of stopping at the first")                       \
    X(AFTER, "after", 0, CLI_NAME, 0, "CURSOR", 0, 0, "go on after an earlier list's `next`")      \
    X(OLDEST_FIRST, "oldest-first", 0, CLI_FLAG, 0, "", 0, 0, "by creation, oldest first")         \
    X(DRY_RUN, "dry-run", 0, CLI_FLAG, 0, "", 0, 0, "count, change nothing")                       \
    X(YES, "yes", 0, CLI_FLAG, 0, "", 0, 0, "really forget what --where matches")                  \
    X(NDJSON, "ndjson", 0, CLI_PATH, 0, "FILE|-", 0, 0, "one JSON object with `text` a line")      \
    X(ROLE, "role", 0, CLI_CHOICE, 0, "document|query|none", 0, 0,                                 \
      "which of the model's prompts is put before the text (default document)")                    \
    X(OVERLONG, "overlong", 0, CLI_CHOICE, 0, "head|tail|error|chunk", 0, 0,                       \
      "what happens to a text longer than the model takes (default head)")                         \
    X(OUT_VECTORS, "out", 0, CLI_PATH, 0, "FILE", 0, 0,                                            \
      "write to FILE instead of stdout: the whole result, or no file at all")                      \
    X(REPLACE_INVALID, "replace-invalid-utf8", 0, CLI_FLAG, 0, "", 0, 0,                           \
      "read bytes that are not UTF-8 as U+FFFD instead of refusing the text")                      \
    X(SAFE_SPECIALS, "safe-specials", 0, CLI_FLAG, 0, "", 0, 0,                                    \
      "read special tokens typed in a text, like [SEP], as plain text")                            \
    X(OUT, "out", 'o', CLI_PATH, 0, "FILE", 0, 0, "the compiled model to write")                   \
    X(CLASS, "class", 0, CLI_CHOICE, 0, "f32|f16|bf16|int8|int4|lut4|auto", 0, 0,                  \
      "how weights are stored (precision, quantization): f32 as published; f16, bf16 half the "    \
      "size; int8 bytes with a scale per channel; int4 4-bit integers per block; lut4 palettized " \
      "4-bit (k-means); auto the cheapest for each matrix (default f32)")                          \
    X(GRANULARITY, "granularity", 0, CLI_CHOICE, 0, "channel|tensor|group", 0, 0,                  \
      "int8: a scale per channel (row), per tensor, or per group of inputs (default channel)")     \
    X(GROUP, "group", 0, CLI_CHOICE, 0, "32|64|128", 0, 0,                                         \
      "int8 by group: inputs that share a scale (default 64)")                                     \
    X(SCALES, "scales", 0, CLI_CHOICE, 0, "absmax|search", 0, 0,                                   \
      "int8: scales from the largest value, or by a search for the least squared error, which "    \
      "may clip it (default absmax)")                                                              \
    X(BLOCK_SIZE, "block-size", 0, CLI_CHOICE, 0, "32|64|128", 0, 0,                               \
      "int4: inputs of a block with a multiplier of its own (per-block; default 32)")              \
    X(PALETTE, "palette", 0, CLI_CHOICE, 0, "kmeans|uniform", 0, 0,                                \
      "lut4: clustered palettes (k-means, least squared error) or evenly spaced ones (default "    \
      "kmeans)")                                                                                   \
    X(PALETTE_GROUP, "palette-group", 0, CLI_CHOICE, 0, "8|16|32|tensor", 0, 0,                    \
      "lut4: channels that share a palette (grouped channels; default 8)")                         \
    X(PALETTE_BITS, "palette-bits", 0, CLI_CHOICE, 0, "4", 0, 0, "lut4: bits of an index (4)")     \
    X(PALETTE_SCALES, "palette-scales", 0, CLI_CHOICE, 0, "channel|tensor", 0, 0,                  \
      "lut4: a scale per channel beside the palette, or one for the matrix (default channel)")     \
    X(ACTIVATIONS, "activations", 0, CLI_CHOICE, 0, "dynamic|none|static", 0, 0,                   \
      "int8, int4, lut4: inputs quantized token by token (W8A8), not at all (W8A16, W4A16), or "   \
      "by ranges from --calibrate (default dynamic)")                                              \
    X(CALIBRATE, "calibrate", 0, CLI_PATH, 0, "FILE|none", 0, 0,                                   \
      "texts, one a line, on which inputs are measured (calibration): the ranges of static "       \
      "activations, and which inputs matter to a search; int4 and lut4 take 512 of our own up to " \
      "a billion parameters; none: not at all")                                                    \
    X(SET, "set", 0, CLI_PAIR, 1, "PATTERN=FORMAT", 0, 0,                                          \
      "mixed: another format for the weights whose name fits, e.g. "                               \
      "'layer.*.ffn.down.weight=int8/64:none'; repeat for more, the last that fits counts")        \
    X(TARGET, "target", 0, CLI_PAIR, 1, "FIGURE=LEAST", 0, 0,                                      \
      "auto: cos (mean cosine, default 0.999) and top10 (neighbours kept, default 0.97) of our "   \
      "texts beside the source")                                                                   \
    X(LAYERS_AVERAGE, "layers-average", 0, CLI_COUNT, 0, "N", 1, 999,                              \
      "mean of the states of the last N layers, then pooling (default 1: the last)")               \
    X(MAX_LENGTH, "max-length", 0, CLI_COUNT, 0, "N", 3, 1048576, "the same as --max-tokens")      \
    X(DIMS, "dims", 0, CLI_COUNT, 0, "N", 1, 65536,                                                \
      "keep the first N dimensions of a vector (Matryoshka) and renormalize (default all)")        \
    X(NAME, "name", 0, CLI_NAME, 0, "NAME", 0, 0, "stored name (default the publisher's)")         \
    X(MAX_TOKENS, "max-tokens", 0, CLI_COUNT, 0, "N", 3, 1048576,                                  \
      "most tokens of a text (default the publisher's)")                                           \
    X(POOLING, "pooling", 0, CLI_CHOICE, 0, "auto|mean|cls|last", 0, 0,                            \
      "how token states become one vector (default auto: the publisher's)")                        \
    X(ALLOW_NONFINITE, "allow-nonfinite", 0, CLI_FLAG, 0, "", 0, 0,                                \
      "keep weights that are NaN or infinite")                                                     \
    X(NO_REPORT, "no-report", 0, CLI_FLAG, 0, "", 0, 0,                                            \
      "do not measure what the class costs (every class but f32 carries a report: `model show`)")  \
    X(AGAINST, "against", 0, CLI_PATH, 0, "FILE|FOLDER", 0, 0,                                     \
      "a compiled model, or the published folder, to measure tensors, layers and vectors against") \
    X(GOLDEN, "golden", 0, CLI_PATH, 0, "FOLDER", 0, 0,                                            \
      "texts (texts.jsonl) and vectors (emb_f64.npy) by another implementation")                   \
    X(GATE, "gate", 0, CLI_PAIR, 1, "FIGURE=LEAST", 0, 0,                                          \
      "fail when a figure is less: cos, cos-p01, cos-min, top10, spearman, layer, snr; repeat "    \
      "for more")                                                                                  \
    X(FORCE, "force", 0, CLI_FLAG, 0, "", 0, 0, "replace an existing output")                      \
    X(TEXTS, "texts", 0, CLI_PATH, 0, "FILE|-", 0, 0,                                              \
      "measure with these texts, one a line (default: made ones of several lengths)")              \
    X(SECONDS, "seconds", 0, CLI_COUNT, 0, "N", 1, 3600, "how long to measure (default 10)")       \
    X(ENV, "env", 0, CLI_FLAG, 0, "", 0, 0, "show every setting with its value and origin")        \
    X(VERIFY, "verify", 0, CLI_FLAG, 0, "", 0, 0,                                                  \
      "check the store alone: every page, row, vector and word")                                   \
    X(REPAIR, "repair", 0, CLI_FLAG, 0, "", 0, 0,                                                  \
      "move what is damaged to quarantine, keep the original file")                                \
    X(QUARANTINE, "quarantine", 0, CLI_FLAG, 0, "", 0, 0, "show the rows that were moved there")   \
    X(JSON, "json", 0, CLI_FLAG, 0, "", 0, 0, "write the whole grammar as JSON")                   \
    X(SETTINGS_MARKDOWN, "settings-markdown", 0, CLI_FLAG, 0, "", 0, 0, "write docs/SETTINGS.md")

typedef enum cli_option_id {
    OPT_NONE, /* ends a verb's list */
#define CLI_SETTING_ID(id, ...) OPT_##id,
    CLI_SETTINGS(CLI_SETTING_ID)
#undef CLI_SETTING_ID
        CLI_END_OF_SETTINGS,
    CLI_LAST_SETTING = CLI_END_OF_SETTINGS - 1,
#define CLI_OPTION_ID(id, ...) OPT_##id,
    CLI_PLAIN_OPTIONS(CLI_OPTION_ID)
#undef CLI_OPTION_ID
        CLI_N_OPTIONS,
} cli_option_id;

typedef struct cli_option {
    const char *name;
    char letter; /* 0: none */
    cli_kind kind;
    int many;
    const char *value; /* placeholder; for CLI_CHOICE the allowed words */
    uint64_t min, max;
    const char *fallback; /* of a setting: its default in words; else NULL */
    const char *help;
} cli_option;

extern const cli_option cli_options[CLI_N_OPTIONS]; /* by cli_option_id */

#endif
