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
    CLI_DATE, /* YYYY-MM-DD, RFC 3339 (without a zone: UTC), now or now-7d; the number is Unix ms */
    CLI_EXPIRY, /* a CLI_DATE, or "never": 0 */
    CLI_PAIR,   /* NAME=VALUE */
    CLI_CHUNK,  /* none, md, code, plain or auto, with :TOKENS or :TOKENS/OVERLAP */
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
    X(SLOW_MS, "slow-ms", 0, CLI_COUNT, "N", 0, 86400000, "`0`, every search",                     \
      "which searches --latency-log tells of: those that take at least this many milliseconds")    \
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
    X(MIN_SCORE, "min-score", 0, CLI_NAME, 0, "SCORE", 0, 0,                                       \
      "hide hits below it, and say how many (default none)")                                       \
    X(DIVERSITY, "diversity", 0, CLI_COUNT, 0, "PERCENT", 1, 100,                                  \
      "prefer hits that are unlike those before them (MMR; default 0)")                            \
    X(DROP_DUPLICATES, "drop-duplicates", 0, CLI_FLAG, 0, "", 0, 0,                                \
      "hide hits that repeat a better one, and say how many")                                      \
    X(RECENCY, "recency", 0, CLI_COUNT, 0, "PERCENT", 0, 1000,                                     \
      "weight of how new a record is, beside 100 of the other lanes (default 50 when the query "   \
      "says latest, recent, today ..., else 0)")                                                   \
    X(HALF_LIFE, "half-life", 0, CLI_COUNT, 0, "DAYS", 1, 100000,                                  \
      "after which newness counts half (default 30)")                                              \
    X(PAIRS, "pairs", 0, CLI_PATH, 0, "FILE|-", 0, 0,                                              \
      "NDJSON lines with a (a query), b (a document) and match (true or false)")                   \
    X(OUTPUT, "output", 'o', CLI_CHOICE, 0, "text|json|ndjson|quiet", 0, 0,                        \
      "how the answer is written: the context alone, or an object with its text, its passages "    \
      "and "                                                                                       \
      "what was left out (default text)")                                                          \
    X(BUDGET, "budget", 0, CLI_COUNT, 0, "N", 1, 10000000, "most tokens of the context")           \
    X(FORMAT_CONTEXT, "format", 0, CLI_CHOICE, 0, "md|json", 0, 0,                                 \
      "how the context itself is written (default md)")                                            \
    X(TOKENIZER, "tokenizer", 0, CLI_PATH, 0, "FILE", 0, 0,                                        \
      "the compiled model whose tokens are counted (default: the one that searches)")              \
    X(FULLTEXT, "fulltext", 0, CLI_CHOICE, 0, "stemmed|plain", 0, 0,                               \
      "of a store that is made now: index words by their English stem, or as they are written "    \
      "(default stemmed)")                                                                         \
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
    X(TRUST, "trust", 0, CLI_CHOICE, 0, "unknown|trusted|untrusted", 0, 0,                         \
      "how far its words are believed (default unknown)")                                          \
    X(PIN, "pin", 0, CLI_CHOICE, 0, "yes|no", 0, 0,                                                \
      "yes: it does not expire, and a filter does not forget it (default no)")                     \
    X(TIER, "tier", 0, CLI_CHOICE, 0, "rest|goals|hot", 0, 0,                                      \
      "0 goals, 1 hot, 2 the rest (default rest)")                                                 \
    X(PARENT, "parent", 0, CLI_TEXT, 0, "ID", 0, 0,                                                \
      "the record that it is a part of; \"\": none any more")                                      \
    X(SUPERSEDES, "supersedes", 0, CLI_NAME, 0, "ID", 0, 0,                                        \
      "the record whose place it takes; that one stays and is marked")                             \
    X(LINKS, "links", 0, CLI_CHOICE, 0, "off|exact|near", 0, 0,                                    \
      "link it to records that say the same, or nearly so (default what the store says: near)")    \
    X(LINK, "link", 0, CLI_FLAG, 0, "", 0, 0,                                                      \
      "first compare and link the records that have not been compared yet")                        \
    X(CREATED, "created", 0, CLI_DATE, 0, "DATE", 0, 0, "when it came to be (default now)")        \
    X(EXPIRES, "expires", 0, CLI_EXPIRY, 0, "DATE|never", 0, 0, "hidden from then on")             \
    X(FILE, "file", 0, CLI_PATH, 0, "FILE", 0, 0, "take the text from a file")                     \
    X(SOURCE, "source", 0, CLI_TEXT, 0, "SOURCE", 0, 0, "where it came from")                      \
    X(SOURCE_FOLDER, "source", 0, CLI_PATH, 0, "FOLDER", 0, 0,                                     \
      "say whether this folder is still what the model was compiled from")                         \
    X(CHUNK, "chunk", 0, CLI_CHUNK, 0, "none|md|code|plain|auto[:TOKENS[/OVERLAP]]", 0, 0,         \
      "how texts are cut for the model (default auto: Markdown and code by file name; 400/60)")    \
    X(KEY_FIELD, "key-field", 0, CLI_NAME, 0, "FIELD", 0, 0,                                       \
      "NDJSON or CSV field with the key (default id or _id)")                                      \
    X(TEXT_FIELD, "text-field", 0, CLI_NAME, 0, "FIELD", 0, 0,                                     \
      "NDJSON or CSV field with the text (default text)")                                          \
    X(TITLE_FIELD, "title-field", 0, CLI_NAME, 0, "FIELD", 0, 0,                                   \
      "NDJSON or CSV field with the title (default title)")                                        \
    X(TAGS_FIELD, "tags-field", 0, CLI_NAME, 0, "FIELD", 0, 0,                                     \
      "NDJSON or CSV field with the tags (default tags)")                                          \
    X(METADATA_FIELD, "metadata-field", 0, CLI_NAME, 0, "FIELD", 0, 0,                             \
      "NDJSON or CSV field with the metadata object (default metadata)")                           \
    X(NO_EXTRA, "no-extra", 0, CLI_FLAG, 0, "", 0, 0,                                              \
      "leave out NDJSON or CSV fields that are no part of a record, else metadata")                \
    X(CREATED_FIELD, "created-field", 0, CLI_NAME, 0, "FIELD", 0, 0,                               \
      "NDJSON or CSV field with the date, RFC 3339 or Unix ms (default created)")                  \
    X(VECTOR_FIELD, "vector-field", 0, CLI_NAME, 0, "FIELD", 0, 0,                                 \
      "NDJSON field with a ready vector, an array of numbers; with --space")                       \
    X(SPACE, "space", 0, CLI_NAME, 0, "NAME", 0, 0,                                                \
      "vectors are brought, not made here: the name of what made them, e.g. openai/ada-3")         \
    X(VECTOR, "vector", 0, CLI_TEXT, 0, "FILE|JSON", 0, 0,                                         \
      "the vector: *.npy, *.json or [0.1, -2, ...]")                                               \
    X(ALL, "all", 0, CLI_FLAG, 0, "", 0, 0, "every namespace")                                     \
    X(DROP_PREVIOUS, "drop-previous", 0, CLI_FLAG, 0, "", 0, 0,                                    \
      "do not keep the old model's vectors: no way back")                                          \
    X(AS, "as", 0, CLI_CHOICE, 0, "auto|text|ndjson|csv|mbox|mcp|eml|json", 0, 0,                  \
      "what the files hold (default auto: by name; all others are text)")                          \
    X(PRUNE, "prune", 0, CLI_FLAG, 0, "", 0, 0,                                                    \
      "forget the records whose file is gone from a folder")                                       \
    X(REEMBED, "reembed", 0, CLI_FLAG, 0, "", 0, 0,                                                \
      "make the vectors of exported lines anew, whatever they come with")                          \
    X(WATCH, "watch", 0, CLI_FLAG, 0, "", 0, 0,                                                    \
      "go on: import what is new or changes in the folders, until it is interrupted")              \
    X(WATCH_POLL, "watch-poll", 0, CLI_COUNT, 0, "SECONDS", 1, 86400,                              \
      "the same, looking that often instead of waiting for the system to tell")                    \
    X(MAX_UNPACKED, "max-unpacked", 0, CLI_SIZE, 0, "SIZE", 1, UINT64_C(1) << 50,                  \
      "what a file packed by zstd may unpack to (default 256M or 100 times its size)")             \
    X(VECTORS, "vectors", 0, CLI_FLAG, 0, "", 0, 0, "with the vectors")                            \
    X(ALL_VERSIONS, "versions", 0, CLI_FLAG, 0, "", 0, 0,                                          \
      "with the earlier versions of each record")                                                  \
    X(ZSTD, "zstd", 0, CLI_FLAG, 0, "", 0, 0, "pack it, as a FILE does that ends in .zst")         \
    X(LEVEL, "level", 0, CLI_COUNT, 0, "N", 1, 19, "how hard to pack (default 3)")                 \
    X(SKIP_BAD, "skip-bad", 0, CLI_FLAG, 0, "", 0, 0,                                              \
      "name bad lines and files and go on instead of stopping at the first")                       \
    X(AFTER, "after", 0, CLI_NAME, 0, "CURSOR", 0, 0, "go on after an earlier list's `next`")      \
    X(OLDEST_FIRST, "oldest-first", 0, CLI_FLAG, 0, "", 0, 0, "by creation, oldest first")         \
    X(AS_OF, "as-of", 0, CLI_DATE, 0, "DATE", 0, 0,                                                \
      "as it was at that moment; what was forgotten since is in no past")                          \
    X(BEFORE, "before", 0, CLI_COUNT, 0, "N", 1, INT64_MAX, "only versions below N")               \
    X(VERSIONS, "limit", 'k', CLI_COUNT, 0, "N", 1, 1000, "versions wanted (default 100)")         \
    X(DIFF, "diff", 0, CLI_FLAG, 0, "", 0, 0, "show what each version changed, line by line")      \
    X(VERSION, "version", 0, CLI_COUNT, 0, "N", 1, INT64_MAX, "the version to bring back")         \
    X(SINCE, "since", 0, CLI_TEXT, 0, "CURSOR", 0, 0,                                              \
      "go on after this cursor, which ended an earlier output (default: from the beginning)")      \
    X(CHANGES_LIMIT, "limit", 'k', CLI_COUNT, 0, "N", 1, 1000000000,                               \
      "changes wanted (default all)")                                                              \
    X(EXPIRED, "expired", 0, CLI_FLAG, 0, "", 0, 0, "forget what has expired")                     \
    X(PINNED, "pinned", 0, CLI_FLAG, 0, "", 0, 0, "pinned records, too")                           \
    X(SHRED, "shred", 0, CLI_FLAG, 0, "", 0, 0,                                                    \
      "leave nothing in the store's files, and prove it; without ID: of all that was forgotten")   \
    X(BACKUPS, "backups", 0, CLI_FLAG, 0, "", 0, 0,                                                \
      "with --shred: delete the copies beside the store that upgrades and repairs have left")      \
    X(PROVE_GONE, "prove-gone", 0, CLI_NAME, 1, "ID", 0, 0,                                        \
      "look for traces of a forgotten record; repeat for more")                                    \
    X(TEXT_FILE, "text-file", 0, CLI_PATH, 1, "FILE", 0, 0,                                        \
      "with --prove-gone: a text whose words must be nowhere in the store; repeat for more")       \
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
    X(KIND, "kind", 0, CLI_NAME, 0, "KIND", 0, 0, "person, place ...: what sort of entity it is")  \
    X(ALIAS, "alias", 0, CLI_NAME, 1, "NAME", 0, 0, "another name; repeat for more")               \
    X(DISTINCT, "distinct", 0, CLI_FLAG, 0, "", 0, 0,                                              \
      "a new one, even when one of this name and kind is known")                                   \
    X(ADD_ALIAS, "add", 0, CLI_NAME, 1, "NAME", 0, 0, "another name; repeat for more")             \
    X(REMOVE_ALIAS, "remove", 0, CLI_NAME, 1, "NAME", 0, 0,                                        \
      "a name that is not its own; repeat for more")                                               \
    X(ENTITY_NAME, "name", 0, CLI_NAME, 0, "NAME", 0, 0, "those with this name or alias")          \
    X(ENTITY_LIMIT, "limit", 'k', CLI_COUNT, 0, "N", 1, 1000, "entities wanted (default 20)")      \
    X(VALUE, "value", 0, CLI_TEXT, 0, "TEXT", 0, 0, "a value in the place of an object")           \
    X(FROM, "from", 0, CLI_DATE, 0, "DATE", 0, 0, "it holds from then on (default since ever)")    \
    X(TO, "to", 0, CLI_DATE, 0, "DATE", 0, 0, "it held until then (default it still does)")        \
    X(NO_FROM, "no-from", 0, CLI_FLAG, 0, "", 0, 0, "it holds since ever")                         \
    X(NO_TO, "no-to", 0, CLI_FLAG, 0, "", 0, 0, "it still holds")                                  \
    X(CONFIDENCE, "confidence", 0, CLI_NAME, 0, "C", 0, 0, "above 0, at most 1 (default 1)")       \
    X(EVIDENCE, "evidence", 0, CLI_NAME, 1, "ID[:BEGIN-END]", 0, 0,                                \
      "the record that says so, and which bytes of its text; repeat for more")                     \
    X(FUNCTIONAL, "functional", 0, CLI_FLAG, 0, "", 0, 0,                                          \
      "one object at a time: what held so far ends where this begins")                             \
    X(EXISTING, "existing", 0, CLI_FLAG, 0, "", 0, 0, "do not make entities of unknown names")     \
    X(REASON, "reason", 0, CLI_TEXT, 0, "TEXT", 0, 0, "why it is taken back")                      \
    X(SUBJECT, "subject", 0, CLI_NAME, 0, "ENTITY", 0, 0, "facts of this entity")                  \
    X(RELATION, "relation", 0, CLI_NAME, 0, "RELATION", 0, 0, "facts with this relation")          \
    X(OBJECT, "object", 0, CLI_NAME, 0, "ENTITY", 0, 0, "facts that lead to this entity")          \
    X(ABOUT, "about", 0, CLI_NAME, 0, "ENTITY", 0, 0, "facts of which it is subject or object")    \
    X(RECORD, "record", 0, CLI_NAME, 0, "ID", 0, 0, "facts with evidence in this record")          \
    X(VALID_AT, "valid-at", 0, CLI_DATE, 0, "DATE", 0, 0,                                          \
      "facts that held then (default now, or the moment of --as-of)")                              \
    X(FACT_AS_OF, "as-of", 0, CLI_DATE, 0, "DATE", 0, 0, "as this store believed then")            \
    X(ANY_TIME, "any-time", 0, CLI_FLAG, 0, "", 0, 0, "whenever they hold")                        \
    X(RETRACTED, "retracted", 0, CLI_FLAG, 0, "", 0, 0, "retracted facts, too")                    \
    X(MIN_CONFIDENCE, "min-confidence", 0, CLI_NAME, 0, "C", 0, 0, "facts at least this sure")     \
    X(FACT_LIMIT, "limit", 'k', CLI_COUNT, 0, "N", 1, 1000, "facts wanted (default 100)")          \
    X(ACCEPT, "accept", 0, CLI_NAME, 1, "ID", 0, 0, "it was what was looked for")                  \
    X(CITE, "cite", 0, CLI_NAME, 1, "ID", 0, 0, "it was used in an answer")                        \
    X(COPIED, "copy", 0, CLI_NAME, 1, "ID", 0, 0, "its text was taken along")                      \
    X(OPENED, "open", 0, CLI_NAME, 1, "ID", 0, 0, "it was looked at")                              \
    X(EDITED, "edit", 0, CLI_NAME, 1, "ID", 0, 0, "it was changed")                                \
    X(DISMISS, "dismiss", 0, CLI_NAME, 1, "ID", 0, 0, "it was not what was looked for")            \
    X(CONFIRM, "confirm", 0, CLI_NAME, 1, "ID", 0, 0, "what it says is right")                     \
    X(REJECT_PAIR, "reject-pair", 0, CLI_PAIR, 1, "ID=OTHER", 0, 0,                                \
      "the two have nothing to do with each other")                                                \
    X(MERGE, "merge", 0, CLI_PAIR, 1, "ID=OTHER", 0, 0, "OTHER is the same: hide it")              \
    X(DETACH, "detach", 0, CLI_PAIR, 1, "ID=OTHER", 0, 0, "ID does not belong to OTHER")           \
    X(HIDE, "delete", 0, CLI_NAME, 1, "ID", 0, 0, "it is not wanted any more: hide it")            \
    X(UNDO, "undo", 0, CLI_NAME, 0, "ACTION", 0, 0, "take an action back")                         \
    X(LIST_ACTIONS, "list", 0, CLI_FLAG, 0, "", 0, 0, "show actions, newest first")                \
    X(LIST_SEARCHES, "searches", 0, CLI_FLAG, 0, "", 0, 0,                                         \
      "show searches, what they showed and what was done with it, newest first")                   \
    X(ON_RECORD, "record", 0, CLI_NAME, 0, "ID", 0, 0,                                             \
      "with --list: those on this record; with --searches: those that showed it")                  \
    X(SINCE_DATE, "since", 0, CLI_DATE, 0, "DATE", 0, 0, "with a list: those done then or later")  \
    X(UNTIL_DATE, "until", 0, CLI_DATE, 0, "DATE", 0, 0, "with a list: those done before")         \
    X(ACTION_LIMIT, "limit", 'k', CLI_COUNT, 0, "N", 1, 1000,                                      \
      "actions wanted (default 100), or searches (20)")                                            \
    X(ACTOR, "actor", 0, CLI_NAME, 0, "WHO", 0, 0, "who asks or acts")                             \
    X(SURFACE, "surface", 0, CLI_NAME, 0, "WHERE", 0, 0, "where it is asked, e.g. chat")           \
    X(DETAIL, "detail", 0, CLI_TEXT, 0, "TEXT", 0, 0, "what else is to be kept with the action")   \
    X(NO_LOG, "no-log", 0, CLI_FLAG, 0, "", 0, 0, "keep nothing of this search")                   \
    X(LATENCY_LOG, "latency-log", 0, CLI_PATH, 0, "FILE", 0, 0,                                    \
      "append a JSON line for each search that takes at least --slow-ms")                          \
    X(FAIL_ON, "fail-on", 0, CLI_CHOICE, 1,                                                        \
      "secret|echo|duplicate|near|untrusted|dangling|oversized|stale|unused", 0, 0,                \
      "end with exit status 6 when there is such a finding; repeat for more")                      \
    X(STALE_DAYS, "stale-days", 0, CLI_COUNT, 0, "N", 1, 36500,                                    \
      "stale is what was neither written nor shown for N days (default 365)")                      \
    X(UNUSED_DAYS, "unused-days", 0, CLI_COUNT, 0, "N", 1, 36500,                                  \
      "unused is what no search of the last N days has shown (default 30)")                        \
    X(OVERSIZED, "oversized", 0, CLI_SIZE, 0, "SIZE", 1, UINT64_C(1) << 40,                        \
      "oversized is a text of more than SIZE (default 1M)")                                        \
    X(SOURCES, "sources", 0, CLI_FLAG, 0, "", 0, 0, "look whether source files are still there")   \
    X(FINDINGS_LIMIT, "limit", 'k', CLI_COUNT, 0, "N", 1, 1000000,                                 \
      "findings of each kind that are shown (default 1,000); all are counted")                     \
    X(LATENCY, "latency", 0, CLI_FLAG, 0, "", 0, 0, "how long each stage of a search takes")       \
    X(RETRIEVAL, "retrieval", 0, CLI_FLAG, 0, "", 0, 0,                                            \
      "how well meaning, words and both find what is wanted")                                      \
    X(QRELS, "qrels", 0, CLI_PATH, 0, "FILE", 0, 0,                                                \
      "which records answer a query: lines of QUERY, RECORD (id or key) and GAIN with tabs")       \
    X(BENCH_LIMIT, "limit", 'n', CLI_COUNT, 0, "N", 1, 1000000,                                    \
      "queries used (default 200, with --queries all)")                                            \
    X(MODELS, "models", 0, CLI_FLAG, 0, "", 0, 0, "compiled models")                               \
    X(SOURCE_FOLDERS, "sources", 0, CLI_FLAG, 0, "", 0, 0, "published folders they are made from") \
    X(INDEX_FILE, "index", 0, CLI_FLAG, 0, "", 0, 0, "the index beside the store")                 \
    X(ALL_CACHE, "all", 0, CLI_FLAG, 0, "", 0, 0, "all of these, and leftovers")                   \
    X(FORCE_CLEAR, "force", 0, CLI_FLAG, 0, "", 0, 0,                                              \
      "models as well whose source is not in the cache")                                           \
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
