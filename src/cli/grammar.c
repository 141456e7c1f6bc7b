// SPDX-License-Identifier: Apache-2.0
#include "cli/grammar.h"

#include <string.h>

#include "cli/verbs/verbs.h"

#define GRAMMAR_SETTING(id, name, letter, kind, value, min, max, fallback, help)                   \
    [OPT_##id] = {name, letter, kind, 0, value, min, max, fallback, help},
#define GRAMMAR_OPTION(id, name, letter, kind, many, value, min, max, help)                        \
    [OPT_##id] = {name, letter, kind, many, value, min, max, NULL, help},

const cli_option cli_options[CLI_N_OPTIONS] = {CLI_SETTINGS(GRAMMAR_SETTING)
                                                   CLI_PLAIN_OPTIONS(GRAMMAR_OPTION)};

/* Settings of a verb that computes, of one that also keeps, and what every verb has. */
#define GRAMMAR_COMPUTE OPT_CPU, OPT_THREADS, OPT_MEM_LIMIT, OPT_LOG
#define GRAMMAR_MODEL   OPT_MODEL, OPT_CACHE_DIR, OPT_PORTABLE, GRAMMAR_COMPUTE
#define GRAMMAR_STORE   OPT_DB, OPT_NS
#define GRAMMAR_COMMON  OPT_FORMAT, OPT_HELP
/* What a record is to its owner. */
#define GRAMMAR_MARKS OPT_TRUST, OPT_PIN, OPT_TIER, OPT_PARENT, OPT_SUPERSEDES
/* How weights are stored. */
#define GRAMMAR_FORMATS                                                                            \
    OPT_GRANULARITY, OPT_GROUP, OPT_SCALES, OPT_BLOCK_SIZE, OPT_PALETTE, OPT_PALETTE_GROUP,        \
        OPT_PALETTE_BITS, OPT_PALETTE_SCALES, OPT_ACTIVATIONS, OPT_CALIBRATE, OPT_SET, OPT_TARGET

enum { GRAMMAR_MANY = 1 << 20 };

const cli_verb cli_verbs[] = {
    {"add",
     cli_verb_add,
     "TEXT...",
     CLI_TEXT,
     0,
     GRAMMAR_MANY,
     1,
     "memolith add 'the spare key is under the third flower pot' --tag house",
     "remember a text",
     "The words are joined by spaces; - reads the text from stdin. Prints the id of the record.\n"
     "When the command has ended well, the record is on the disk.",
     {OPT_KEY, OPT_TITLE, OPT_TAG, OPT_META, OPT_CREATED, OPT_EXPIRES, OPT_FILE, OPT_SOURCE,
      OPT_VECTOR, OPT_SPACE, GRAMMAR_MARKS, OPT_LINKS, OPT_ACTOR, OPT_CHUNK, OPT_FULLTEXT,
      GRAMMAR_STORE, GRAMMAR_MODEL, GRAMMAR_COMMON}},
    {"search",
     cli_verb_search,
     "QUERY...",
     CLI_TEXT,
     0,
     GRAMMAR_MANY,
     0,
     "memolith search 'I am locked out, who has a key' -k 3",
     "find what is near a question: by meaning, by words, by identifiers",
     "The words are joined by spaces; - reads the query from stdin. A filter narrows what is\n"
     "searched; its fields are id key title text source tags created updated expires version "
     "trust\n"
     "tier pinned echo parent meta.NAME, its operators = != < <= > >= in (a, b), between a and b,\n"
     "exists, prefix 's', contains 's', joined by and, or, not; or the same as JSON:\n"
     "'{\"tags\": \"gift\", \"created\": {\">=\": \"now-7d\"}}'. trust is 'trusted', 'untrusted' "
     "or\n"
     "'unknown', tier 'goals', 'hot' or 'rest', pinned true or false. != leaves out the records\n"
     "without the field (of tags: those that have the tag); comparisons of text are exact in case.",
     {OPT_LIMIT,           OPT_WHERE,   OPT_MODE,      OPT_CHUNKS,    OPT_MIN_SCORE, OPT_DIVERSITY,
      OPT_DROP_DUPLICATES, OPT_RECENCY, OPT_HALF_LIFE, OPT_EXPLAIN,   OPT_QUERIES,   OPT_VECTOR,
      OPT_VECTOR_FIELD,    OPT_SPACE,   OPT_ACTOR,     OPT_SURFACE,   OPT_NO_LOG,    OPT_SLOW_MS,
      OPT_LATENCY_LOG,     OPT_AS_OF,   GRAMMAR_STORE, GRAMMAR_MODEL, GRAMMAR_COMMON}},
    {"context",
     cli_verb_context,
     "QUERY...",
     CLI_TEXT,
     0,
     GRAMMAR_MANY,
     1,
     "memolith context 'what does Anna eat' --budget 800",
     "pack what is relevant to a question for a prompt of limited size",
     "Whole chunks by their value per token, neighbours as one passage, repetitions left out. "
     "Each\n"
     "passage has a heading with its id; its lines are quoted with >, so that a text cannot pass "
     "for a\n"
     "heading. The text has never more than N tokens, counted as the tokenizer counts them.",
     {OPT_BUDGET, OPT_FORMAT_CONTEXT, OPT_TOKENIZER, OPT_WHERE, OPT_MODE, OPT_AS_OF, OPT_ACTOR,
      OPT_SURFACE, OPT_NO_LOG, OPT_OUTPUT, GRAMMAR_STORE, GRAMMAR_MODEL, OPT_HELP}},
    {"calibrate",
     cli_verb_calibrate,
     "",
     CLI_TEXT,
     0,
     0,
     1,
     "memolith calibrate --pairs questions.ndjson",
     "find out how likely a match is at a score of this model",
     "Then search shows a probability for each hit, and says when nothing is an answer. Without\n"
     "--pairs the store's own records are taken: what begins a text and its rest belong together, "
     "the\n"
     "rest of another one does not. Half of the pairs are held out to measure the error.",
     {OPT_PAIRS, GRAMMAR_STORE, GRAMMAR_MODEL, GRAMMAR_COMMON}},
    {"import",
     cli_verb_import,
     "PATH...",
     CLI_PATH,
     1,
     GRAMMAR_MANY,
     1,
     "memolith import notes/ articles.ndjson",
     "remember files, folders, NDJSON, JSON, CSV, mail, MCP memories and other stores",
     "Folders are walked; dot names, links and binary files are left out. A file's key is its "
     "path,\n"
     "a line's key its key field, so importing again changes only what has changed. When it is\n"
     "interrupted, what was counted is kept. Files of many records may be packed by zstd. A store, "
     "a\n"
     "backup for instance, is checked to its last row, then merged: all of its namespaces, or "
     "--ns.\n"
     "Front matter and the first heading of Markdown are read. An observation that an MCP file has "
     "no\n"
     "more is forgotten.\n"
     "With --watch it goes on; each round that changed something is a line of its counts, bad "
     "files "
     "are\n"
     "named and left out, and what is gone is forgotten with --prune alone.",
     {OPT_AS,         OPT_PRUNE,          OPT_DRY_RUN,       OPT_REEMBED,
      OPT_CHUNK,      OPT_KEY_FIELD,      OPT_TEXT_FIELD,    OPT_TITLE_FIELD,
      OPT_TAGS_FIELD, OPT_METADATA_FIELD, OPT_CREATED_FIELD, OPT_VECTOR_FIELD,
      OPT_SPACE,      OPT_LINKS,          OPT_FULLTEXT,      OPT_SKIP_BAD,
      OPT_NO_EXTRA,   OPT_MAX_UNPACKED,   OPT_WATCH,         OPT_WATCH_POLL,
      GRAMMAR_STORE,  GRAMMAR_MODEL,      GRAMMAR_COMMON}},
    {"get",
     cli_verb_get,
     "ID",
     CLI_NAME,
     1,
     1,
     0,
     "memolith get 01JCAW5M8Q3V9Z7T2K4N6P8R0S",
     "show one record, by its id or key",
     NULL,
     {OPT_AS_OF, GRAMMAR_STORE, OPT_LOG, GRAMMAR_COMMON}},
    {"list",
     cli_verb_list,
     "",
     CLI_TEXT,
     0,
     0,
     0,
     "memolith list --where \"tags = 'house'\" -k 50",
     "show records, newest first",
     NULL,
     {OPT_LIST_LIMIT, OPT_WHERE, OPT_AFTER, OPT_OLDEST_FIRST, OPT_AS_OF, GRAMMAR_STORE, OPT_LOG,
      GRAMMAR_COMMON}},
    {"edit",
     cli_verb_edit,
     "ID [TEXT...]",
     CLI_NAME,
     1,
     GRAMMAR_MANY,
     1,
     "memolith edit 01JCAW5M8Q3V9Z7T2K4N6P8R0S --meta room=garden --tag house",
     "change a record; the version before it is kept",
     "What is not named stays. --meta changes single names, NAME=null removes one; --tag replaces\n"
     "all tags. The words after ID, joined by spaces, or --text are the new text; - reads it from "
     "stdin.",
     {OPT_TEXT, OPT_TITLE, OPT_TAG, OPT_CLEAR_TAGS, OPT_META, OPT_EXPIRES, OPT_SOURCE, OPT_VECTOR,
      OPT_SPACE, GRAMMAR_MARKS, OPT_LINKS, OPT_ACTOR, GRAMMAR_STORE, GRAMMAR_MODEL,
      GRAMMAR_COMMON}},
    {"history",
     cli_verb_history,
     "ID",
     CLI_NAME,
     1,
     1,
     0,
     "memolith history 01JCAW5M8Q3V9Z7T2K4N6P8R0S --diff",
     "show the versions of a record, newest first",
     NULL,
     {OPT_VERSIONS, OPT_BEFORE, OPT_DIFF, GRAMMAR_STORE, OPT_LOG, GRAMMAR_COMMON}},
    {"restore",
     cli_verb_restore,
     "ID",
     CLI_NAME,
     1,
     1,
     1,
     "memolith restore 01JCAW5M8Q3V9Z7T2K4N6P8R0S --version 2",
     "bring an earlier version back, as a new one",
     "The version before stays in the history. Of a forgotten record nothing can be restored. A\n"
     "model is needed when text or title differ.",
     {OPT_VERSION, GRAMMAR_STORE, GRAMMAR_MODEL, GRAMMAR_COMMON}},
    {"changes",
     cli_verb_changes,
     "",
     CLI_TEXT,
     0,
     0,
     0,
     "memolith changes --since \"$(cat cursor)\" -o ndjson",
     "show what was added, changed and forgotten since a cursor",
     "In the order in which it happened, each record once with its last change; what is applied "
     "twice\n"
     "does no harm. The last line of ndjson is {\"next\": CURSOR}: keep it for the next time. "
     "Without\n"
     "--ns the changes of all namespaces.",
     {OPT_SINCE, OPT_CHANGES_LIMIT, GRAMMAR_STORE, OPT_LOG, GRAMMAR_COMMON}},
    {"forget",
     cli_verb_forget,
     "ID...",
     CLI_NAME,
     0,
     GRAMMAR_MANY,
     0,
     "memolith forget --where \"tags = 'draft' and updated < now-30d\" --dry-run",
     "delete records: text, vectors and all versions",
     "By ids or keys, or by a filter. A filter spares pinned records, and it needs --yes (or\n"
     "--dry-run, which only counts); nothing is ever asked. --shred writes the file anew without\n"
     "what was deleted and looks through every byte for its words: exit status 6 when one is\n"
     "left. memolith doctor --prove-gone ID --text-file FILE looks again later.",
     {OPT_WHERE, OPT_EXPIRED, OPT_PINNED, OPT_DRY_RUN, OPT_YES, OPT_SHRED, OPT_BACKUPS,
      GRAMMAR_STORE, OPT_LOG, GRAMMAR_COMMON}},
    {"entity add",
     cli_verb_entity_add,
     "NAME...",
     CLI_NAME,
     1,
     GRAMMAR_MANY,
     0,
     "memolith entity add Anna Schmidt --kind person --alias Anni",
     "make somebody or something known by name",
     "The words are joined by spaces. One of this name and kind is completed. Names are compared\n"
     "without case, width and white space.",
     {OPT_KIND, OPT_ALIAS, OPT_META, OPT_DISTINCT, GRAMMAR_STORE, OPT_LOG, GRAMMAR_COMMON}},
    {"entity alias",
     cli_verb_entity_alias,
     "ENTITY",
     CLI_NAME,
     1,
     1,
     0,
     "memolith entity alias 'Anna Schmidt' --add Annie --remove Anni",
     "give an entity other names, or take them away",
     "ENTITY is an id, a name or an alias, here and wherever an entity is asked for.",
     {OPT_ADD_ALIAS, OPT_REMOVE_ALIAS, GRAMMAR_STORE, OPT_LOG, GRAMMAR_COMMON}},
    {"entity merge",
     cli_verb_entity_merge,
     "INTO FROM",
     CLI_NAME,
     2,
     2,
     0,
     "memolith entity merge 'Anna Schmidt' 'A. Schmidt'",
     "two are one: names and facts of FROM become INTO's",
     "This is not undone: a fact tells no more whose it was.",
     {GRAMMAR_STORE, OPT_LOG, GRAMMAR_COMMON}},
    {"entity get",
     cli_verb_entity_get,
     "ENTITY",
     CLI_NAME,
     1,
     1,
     0,
     "memolith entity get anni",
     "show one entity, by its id, name or alias",
     NULL,
     {GRAMMAR_STORE, OPT_LOG, GRAMMAR_COMMON}},
    {"entity list",
     cli_verb_entity_list,
     "",
     CLI_TEXT,
     0,
     0,
     0,
     "memolith entity list --kind person",
     "show entities, oldest first",
     NULL,
     {OPT_KIND, OPT_ENTITY_NAME, OPT_ENTITY_LIMIT, OPT_AFTER, GRAMMAR_STORE, OPT_LOG,
      GRAMMAR_COMMON}},
    {"entity forget",
     cli_verb_entity_forget,
     "ENTITY",
     CLI_NAME,
     1,
     1,
     0,
     "memolith entity forget 'Anna Schmidt' --dry-run",
     "delete an entity and every fact about it",
     NULL,
     {OPT_DRY_RUN, GRAMMAR_STORE, OPT_LOG, GRAMMAR_COMMON}},
    {"fact add",
     cli_verb_fact_add,
     "SUBJECT RELATION [OBJECT]",
     CLI_NAME,
     2,
     3,
     0,
     "memolith fact add 'Anna Schmidt' works_at Initech --from 2024-03-01 --functional",
     "record what is so, since when, and who says so",
     "The object is an entity, or a value with --value. Entities are made of names that are not "
     "known\n"
     "yet. Nothing is overwritten: what was believed before can still be asked for.",
     {OPT_VALUE, OPT_FROM, OPT_TO, OPT_CONFIDENCE, OPT_EVIDENCE, OPT_FUNCTIONAL, OPT_EXISTING,
      GRAMMAR_STORE, OPT_LOG, GRAMMAR_COMMON}},
    {"fact retract",
     cli_verb_fact_retract,
     "ID",
     CLI_NAME,
     1,
     1,
     0,
     "memolith fact retract 01JCAW5M8Q3V9Z7T2K4N6P8R0S --reason 'a mistake'",
     "take a fact back",
     NULL,
     {OPT_REASON, GRAMMAR_STORE, OPT_LOG, GRAMMAR_COMMON}},
    {"fact replace",
     cli_verb_fact_replace,
     "ID [OBJECT]",
     CLI_NAME,
     1,
     2,
     0,
     "memolith fact replace 01JCAW5M8Q3V9Z7T2K4N6P8R0S --value '4 May' --reason 'a slip'",
     "take a fact back and record another one in its place",
     "What is not named stays: object or value, --from, --to, --confidence, evidence. --no-from "
     "and\n"
     "--no-to take a time away.",
     {OPT_VALUE, OPT_FROM, OPT_TO, OPT_NO_FROM, OPT_NO_TO, OPT_CONFIDENCE, OPT_EVIDENCE,
      OPT_FUNCTIONAL, OPT_EXISTING, OPT_REASON, GRAMMAR_STORE, OPT_LOG, GRAMMAR_COMMON}},
    {"fact query",
     cli_verb_fact_query,
     "",
     CLI_TEXT,
     0,
     0,
     0,
     "memolith fact query --about anni --valid-at 2024-01-01",
     "show facts: those that hold now, or at another time",
     NULL,
     {OPT_SUBJECT, OPT_RELATION, OPT_OBJECT, OPT_VALUE, OPT_ABOUT, OPT_RECORD, OPT_VALID_AT,
      OPT_ANY_TIME, OPT_FACT_AS_OF, OPT_RETRACTED, OPT_MIN_CONFIDENCE, OPT_FACT_LIMIT, OPT_AFTER,
      GRAMMAR_STORE, OPT_LOG, GRAMMAR_COMMON}},
    {"fact history",
     cli_verb_fact_history,
     "ID",
     CLI_NAME,
     1,
     1,
     0,
     "memolith fact history 01JCAW5M8Q3V9Z7T2K4N6P8R0S",
     "show everything recorded for the subject and relation of a fact",
     NULL,
     {OPT_FACT_LIMIT, OPT_AFTER, GRAMMAR_STORE, OPT_LOG, GRAMMAR_COMMON}},
    {"feedback",
     cli_verb_feedback,
     "[SEARCH_ID]",
     CLI_NAME,
     0,
     1,
     1,
     "memolith feedback 01JCAW5M8Q3V9Z7T2K4N6P8R0S --accept spare-key",
     "say what was done with results of a search; list it, take it back",
     "SEARCH_ID is in the -o json of a search. ID is a record's id or key. delete and merge hide "
     "a\n"
     "record until they are undone, or what stayed of a merge is forgotten; memolith forget ID\n"
     "deletes it, export leaves it out.",
     {OPT_ACCEPT,        OPT_CITE,      OPT_COPIED,      OPT_OPENED,     OPT_EDITED,
      OPT_DISMISS,       OPT_CONFIRM,   OPT_REJECT_PAIR, OPT_MERGE,      OPT_DETACH,
      OPT_HIDE,          OPT_ACTOR,     OPT_DETAIL,      OPT_UNDO,       OPT_LIST_ACTIONS,
      OPT_LIST_SEARCHES, OPT_ON_RECORD, OPT_SINCE_DATE,  OPT_UNTIL_DATE, OPT_ACTION_LIMIT,
      OPT_AFTER,         GRAMMAR_STORE, GRAMMAR_MODEL,   GRAMMAR_COMMON}},
    {"embed",
     cli_verb_embed,
     "TEXT...",
     CLI_TEXT,
     0,
     GRAMMAR_MANY,
     1,
     "memolith embed 'a cat sat down' 'the kitten is sitting'",
     "turn texts into vectors",
     "Each TEXT is one text; - reads one from stdin. With --ndjson the texts are the lines of a "
     "file,\n"
     "of any length: they are worked through in batches. npy is one array [n, dim] of f32 in the\n"
     "order of the texts.",
     {OPT_NDJSON, OPT_ROLE, OPT_OVERLONG, OPT_REPLACE_INVALID, OPT_SAFE_SPECIALS, OPT_OUT_VECTORS,
      OPT_FORCE, OPT_FORMAT_EMBED, GRAMMAR_MODEL, OPT_HELP}},
    {"tokenize",
     cli_verb_tokenize,
     "TEXT...",
     CLI_TEXT,
     0,
     GRAMMAR_MANY,
     0,
     "memolith tokenize 'unbelievable'",
     "show the tokens that the model sees",
     "Each TEXT is one text; - reads one from stdin. Offsets are byte spans of the text; special\n"
     "tokens have the span [0,0]. Nothing is truncated.",
     {OPT_NDJSON, OPT_REPLACE_INVALID, OPT_SAFE_SPECIALS, GRAMMAR_MODEL, GRAMMAR_COMMON}},
    {"model compile",
     cli_verb_model_compile,
     "FOLDER",
     CLI_PATH,
     1,
     1,
     1,
     "memolith model compile all-MiniLM-L6-v2/ -o minilm.f32.safetensors",
     "turn a published model folder into one file that runs",
     "FOLDER holds config.json, tokenizer.json (or vocab.txt) and model.safetensors as published.\n"
     "FORMAT of --set is CLASS[/GRAIN][:ACTIVATIONS]: f32, f16, bf16, int8, int8/channel,\n"
     "int8/tensor, int8/64, int4/32, lut4/16, lut4/tensor, each of the integer ones also with\n"
     ":dynamic, :none or :static. Names of weights: memolith model show.",
     {OPT_OUT, OPT_CLASS, GRAMMAR_FORMATS, OPT_NAME, OPT_MAX_TOKENS, OPT_MAX_LENGTH, OPT_POOLING,
      OPT_LAYERS_AVERAGE, OPT_DIMS, OPT_ALLOW_NONFINITE, OPT_NO_REPORT, OPT_FORCE, GRAMMAR_COMPUTE,
      OPT_FORMAT_LONG, OPT_HELP}},
    {"model compress",
     cli_verb_model_compress,
     "FILE",
     CLI_PATH,
     1,
     1,
     1,
     "memolith model compress minilm.f32.safetensors -o minilm.lut4.safetensors --class lut4",
     "turn a compiled model into a smaller one",
     "Recipe and tokenizer stay, the fingerprint is new. From class f32 the result is that of\n"
     "model compile. A weight that has lost bits already goes to fewer only.",
     {OPT_OUT, OPT_CLASS, GRAMMAR_FORMATS, OPT_NAME, OPT_NO_REPORT, OPT_FORCE, GRAMMAR_COMPUTE,
      OPT_FORMAT_LONG, OPT_HELP}},
    {"model show",
     cli_verb_model_show,
     "[FILE]",
     CLI_PATH,
     0,
     1,
     0,
     "memolith model show minilm.f32.safetensors",
     "show a compiled model: recipe with origins, weights, report, tensors, fingerprint",
     "The report says what the class costs, measured when the model was compiled: as model verify\n"
     "--against writes it, on 64 texts of our own.",
     {OPT_SOURCE_FOLDER, GRAMMAR_MODEL, GRAMMAR_COMMON}},
    {"model list",
     cli_verb_model_list,
     "",
     CLI_TEXT,
     0,
     0,
     0,
     "memolith model list",
     "list the models of the cache folder, and what the store holds of which",
     "A namespace has the vectors of one model, its current one. It may also have those of the "
     "one\n"
     "before, to which model rollback goes back, and of one that is being set.",
     {OPT_DB, OPT_CACHE_DIR, GRAMMAR_COMPUTE, GRAMMAR_COMMON}},
    {"model set",
     cli_verb_model_set,
     "[FILE]",
     CLI_PATH,
     0,
     1,
     0,
     "memolith model set minilm.int8.safetensors --ns work",
     "give a namespace another model, while it is in use",
     "Every text is embedded anew. Others search and add with the old model meanwhile; at the end "
     "the\n"
     "namespace is switched at once. When it is interrupted, the same command goes on where it "
     "was.",
     {OPT_ALL, OPT_DROP_PREVIOUS, GRAMMAR_STORE, GRAMMAR_MODEL, GRAMMAR_COMMON}},
    {"model rollback",
     cli_verb_model_rollback,
     "[FILE]",
     CLI_PATH,
     0,
     1,
     0,
     "memolith model rollback --ns work",
     "go back to the model that a namespace had before",
     "FILE, the old model, is needed only when records were written since and it is not in the\n"
     "cache folder, where it is found by its fingerprint.",
     {OPT_ALL, OPT_DROP_PREVIOUS, GRAMMAR_STORE, GRAMMAR_MODEL, GRAMMAR_COMMON}},
    {"model inspect",
     cli_verb_model_inspect,
     "FILE",
     CLI_PATH,
     1,
     1,
     0,
     "memolith model inspect model.safetensors",
     "list the tensors of any model file, or name what is wrong with it",
     NULL,
     {OPT_LOG, GRAMMAR_COMMON}},
    {"model verify",
     cli_verb_model_verify,
     "[FILE]",
     CLI_PATH,
     0,
     1,
     1,
     "memolith model verify minilm.int8.safetensors --against all-MiniLM-L6-v2/ --gate cos=0.997",
     "prove a compiled model whole, and measure what its class costs",
     "Checksums, fingerprint and self-test first. With --against and --golden the loss: per "
     "tensor\n"
     "the signal-to-noise ratio in dB (gate snr), per layer the cosine of the states (layer), end\n"
     "to end the cosines of the vectors: mean (cos), 1st percentile (cos-p01), least (cos-min);\n"
     "which share of the 10 nearest texts stays (top10), and the rank correlation of all\n"
     "similarities (spearman). A folder is compiled to class f32 in TMPDIR for it. Exit status 6\n"
     "when a gate is not reached.",
     {OPT_AGAINST, OPT_GOLDEN, OPT_GATE, GRAMMAR_MODEL, GRAMMAR_COMMON}},
    {"model bench",
     cli_verb_model_bench,
     "[FILE]",
     CLI_PATH,
     0,
     1,
     1,
     "memolith model bench minilm.int8.safetensors --threads 2",
     "measure a compiled model on this machine: speed, latency, load time, memory",
     "Texts a second and tokens a second by length and batch, the latency of one short text (half\n"
     "of the calls take less than p50), the time to the first vector, the most memory. Times are\n"
     "wall times with tokenization: what else runs on the machine is in them. A figure that one "
     "call\n"
     "alone takes long for takes that one call, whatever --seconds says.",
     {OPT_TEXTS, OPT_SECONDS, GRAMMAR_MODEL, GRAMMAR_COMMON}},
    {"export",
     cli_verb_export,
     "FILE|-",
     CLI_PATH,
     1,
     1,
     1,
     "memolith export work.ndjson",
     "write records, entities and facts as NDJSON, which import takes back",
     "One moment of the store: records oldest first, their earlier versions when asked for, then\n"
     "entities and facts, unless there is a filter. Expired records, and what searches have shown, "
     "are\n"
     "not in it: backup keeps all. FILE is written under a temporary name, synced and renamed.",
     {OPT_WHERE, OPT_VECTORS, OPT_ALL_VERSIONS, OPT_ZSTD, OPT_LEVEL, OPT_FORCE, GRAMMAR_STORE,
      OPT_LOG, GRAMMAR_COMMON}},
    {"backup",
     cli_verb_backup,
     "OUT",
     CLI_PATH,
     1,
     1,
     1,
     "memolith backup -f work.memo work-2026-11-21.memo",
     "copy the store to another file, whole and checked, while others write",
     "OUT is one moment of the store. It is written under a temporary name, read back (every page "
     "and\n"
     "row), synced and renamed. A damaged store is refused (CORRUPT). To restore, use OUT: it is "
     "a\n"
     "store like any other.",
     {OPT_FORCE, OPT_DB, OPT_LOG, GRAMMAR_COMMON}},
    {"audit",
     cli_verb_audit,
     "",
     CLI_TEXT,
     0,
     0,
     1,
     "memolith audit --fail-on secret",
     "find what a store would be better without: secrets, duplicates, echoes, stale records",
     "Reads only, but for --link. Kinds: secret (keys, tokens, card numbers; never printed), echo "
     "(written after "
     "what\n"
     "it repeats had been shown), duplicate, near (80 % of its word triples in an older record),\n"
     "untrusted, dangling (with --sources), oversized, stale, unused (no kept search has shown "
     "it).\n"
     "Ends with 0 whatever is found, unless --fail-on.",
     {OPT_FAIL_ON, OPT_LINK, OPT_STALE_DAYS, OPT_UNUSED_DAYS, OPT_OVERSIZED, OPT_SOURCES,
      OPT_FINDINGS_LIMIT, GRAMMAR_STORE, GRAMMAR_COMPUTE, GRAMMAR_COMMON}},
    {"bench",
     cli_verb_bench,
     "",
     CLI_TEXT,
     0,
     0,
     1,
     "memolith bench --latency -n 500",
     "measure searches of your own store: how long they take, how well they find",
     "--queries is NDJSON with _id and text. Without it the queries are the titles (else the "
     "first\n"
     "words) of the newest records, at most 1,000, which favours words. Times are wall times: "
     "what\n"
     "else runs is in them.",
     {OPT_LATENCY, OPT_RETRIEVAL, OPT_QUERIES, OPT_QRELS, OPT_BENCH_LIMIT, GRAMMAR_STORE,
      GRAMMAR_MODEL, GRAMMAR_COMMON}},
    {"cache list",
     cli_verb_cache_list,
     "",
     CLI_TEXT,
     0,
     0,
     0,
     "memolith cache list",
     "show what lies in the cache folder, and the index beside the store",
     "Models with class, size, fingerprint and last use; the folders they were made from; "
     "leftovers.\n"
     "Nothing there is the only copy of anything.",
     {OPT_CACHE_DIR, OPT_DB, OPT_LOG, GRAMMAR_COMMON}},
    {"cache clear",
     cli_verb_cache_clear,
     "",
     CLI_TEXT,
     0,
     0,
     0,
     "memolith cache clear --models --dry-run",
     "remove what can be made again",
     "A model whose source is not in the cache stays, unless --force.",
     {OPT_MODELS, OPT_SOURCE_FOLDERS, OPT_INDEX_FILE, OPT_ALL_CACHE, OPT_FORCE_CLEAR, OPT_DRY_RUN,
      OPT_CACHE_DIR, OPT_DB, OPT_LOG, GRAMMAR_COMMON}},
    {"doctor",
     cli_verb_doctor,
     "",
     CLI_TEXT,
     0,
     0,
     0,
     "memolith doctor --repair -f work.memo",
     "check settings, machine, model and store; repair a damaged store",
     "Reads only, but for --repair. Ends with the status of the worst finding: VERIFY for the "
     "model,\n"
     "CORRUPT for the store. --repair needs the store for itself; it keeps the file as it was "
     "under\n"
     "FILE.before-repair-N and ends with 0 when the store is sound again. With a model, texts "
     "that\n"
     "lost their vectors are embedded again; --dry-run only says what would be done.",
     {OPT_VERIFY, OPT_REPAIR, OPT_QUARANTINE, OPT_DRY_RUN, OPT_PROVE_GONE, OPT_TEXT_FILE, OPT_ENV,
      GRAMMAR_STORE, GRAMMAR_MODEL, GRAMMAR_COMMON}},
    {"help",
     cli_verb_help,
     "[VERB]",
     CLI_NAME,
     0,
     2,
     0,
     "memolith help search",
     "explain a verb; --json writes the whole grammar",
     NULL,
     {OPT_JSON, OPT_SETTINGS_MARKDOWN, OPT_HELP}},
    {"version",
     cli_verb_version,
     "",
     CLI_TEXT,
     0,
     0,
     0,
     "memolith version",
     "show the version",
     NULL,
     {GRAMMAR_COMMON}},
    {0},
};

const cli_verb *cli_verb_find(const char *name)
{
    for (const cli_verb *verb = cli_verbs; verb->name; verb++)
        if (strcmp(verb->name, name) == 0)
            return verb;
    return NULL;
}

int cli_verb_is_group(const char *name)
{
    size_t n = strlen(name);
    for (const cli_verb *verb = cli_verbs; verb->name && n > 0; verb++)
        if (strncmp(verb->name, name, n) == 0 && verb->name[n] == ' ')
            return 1;
    return 0;
}

const char *cli_status_name(memo_status status)
{
    const char *name = memo_status_name(status);
    return strncmp(name, "ERR_", 4) == 0 ? name + 4 : name;
}

/* ---- nearest name -------------------------------------------------------------------------- */

enum { GRAMMAR_NAME_BYTES = 40 };

/* Edit distance with swaps of neighbours (optimal string alignment), or SIZE_MAX for long names. */
static size_t grammar_distance(const char *a, const char *b)
{
    size_t n = strlen(a), m = strlen(b);
    size_t d[GRAMMAR_NAME_BYTES + 1][GRAMMAR_NAME_BYTES + 1];
    if (n > GRAMMAR_NAME_BYTES || m > GRAMMAR_NAME_BYTES)
        return SIZE_MAX;
    for (size_t i = 0; i <= n; i++)
        d[i][0] = i;
    for (size_t j = 0; j <= m; j++)
        d[0][j] = j;
    for (size_t i = 1; i <= n; i++)
        for (size_t j = 1; j <= m; j++) {
            size_t best = d[i - 1][j - 1] + (a[i - 1] != b[j - 1]);
            if (d[i - 1][j] + 1 < best)
                best = d[i - 1][j] + 1;
            if (d[i][j - 1] + 1 < best)
                best = d[i][j - 1] + 1;
            if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] &&
                d[i - 2][j - 2] + 1 < best)
                best = d[i - 2][j - 2] + 1;
            d[i][j] = best;
        }
    return d[n][m];
}

const char *cli_nearest(const char *name, size_t n, const char *(*candidate)(const void *, size_t),
                        const void *user)
{
    size_t n_name = strlen(name), best = n_name < 3 ? 1 : n_name / 3 + 1;
    const char *found = NULL;
    for (size_t i = 0; i < n && n_name > 0; i++) {
        const char *other = candidate(user, i);
        size_t distance = other ? grammar_distance(name, other) : SIZE_MAX;
        if (distance < best) {
            best = distance;
            found = other;
        }
    }
    return found;
}

static const char *grammar_verb_name(const void *user, size_t i)
{
    return ((const cli_verb *)user)[i].name;
}

const char *cli_nearest_verb(const char *name)
{
    /* What the same thing is called elsewhere. */
    static const char *const others[][2] = {
        {"find", "search"},
        {"query", "search"},
        {"ask", "search"},
        {"rm", "forget"},
        {"delete", "forget"},
        {"remove", "forget"},
        {"ls", "list"},
        {"show", "get"},
        {"cat", "get"},
        {"insert", "add"},
        {"put", "add"},
        {"remember", "add"},
        {"load", "import"},
        {"ingest", "import"},
        {"update", "edit"},
        {"encode", "embed"},
        {"check", "doctor"},
        {"repair", "doctor"},
        {"copy", "backup"},
        {"dump", "export"},
        {"compile", "model compile"},
        {"convert", "model compile"},
        {"compress", "model compress"},
        {"quantize", "model compress"},
        {"inspect", "model inspect"},
        {"verify", "model verify"},
        {"benchmark", "bench"},
    };
    for (size_t i = 0; i < sizeof others / sizeof others[0]; i++)
        if (strcmp(others[i][0], name) == 0)
            return others[i][1];
    size_t n = sizeof cli_verbs / sizeof cli_verbs[0] - 1;
    return cli_nearest(name, n, grammar_verb_name, cli_verbs);
}
