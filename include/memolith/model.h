// SPDX-License-Identifier: Apache-2.0
/* memolith/model.h -- compile an embedding model once, then turn text into vectors.
 *
 * A *source* is a model as its publisher ships it (a folder with config.json, tokenizer.json,
 * model.safetensors ...). memo_model_compile() turns it into one *compiled model*: a safetensors
 * file with packed weights, tokenizer tables, the recipe (how texts become vectors) and self-test
 * probes. memo_model_open() maps that file; memo_model_embed() runs it.
 *
 * Same compiled model, same CPU level, same text: the same bits, whatever the batch, its order, the
 * number of threads or the neighbouring texts. memo_model_options.portable makes most classes equal
 * across levels too.
 *
 * Example: print the similarity of two sentences.
 *
 * @example model_embed
 *   memo_ctx *ctx = NULL;
 *   memo_model *model = NULL;
 *   memo_err err = {0};
 *   if (memo_ctx_new(NULL, &ctx, &err) == MEMO_OK &&
 *       memo_model_open(ctx, path, NULL, &model, &err) == MEMO_OK) {
 *       memo_text texts[2] = {MEMO_TEXT("a cat sat down"), MEMO_TEXT("the kitten is sitting")};
 *       memo_model_info info = {.size = sizeof info};
 *       memo_model_get_info(model, &info, NULL);
 *       float *v = malloc(2 * info.dim * sizeof *v);
 *       if (v && memo_model_embed(model, NULL, texts, 2, v, NULL, &err) == MEMO_OK) {
 *           double dot = 0;
 *           for (size_t i = 0; i < info.dim; i++)
 *               dot += (double)v[i] * v[info.dim + i];
 *           printf("similarity %.4f\n", dot);
 *       }
 *       free(v);
 *   }
 *   if (err.status)
 *       fprintf(stderr, "%s\n", err.message);
 *   memo_model_close(model);
 *   memo_ctx_free(ctx);
 * @end
 */
#ifndef MEMOLITH_MODEL_H
#define MEMOLITH_MODEL_H

#include <stdint.h>

#include <memolith/status.h>

#ifdef __cplusplus
extern "C" {
#endif

/* A borrowed piece of UTF-8; may hold NUL bytes. */
typedef struct memo_text {
    const char *bytes;
    size_t n_bytes;
} memo_text;

#define MEMO_TEXT(literal)                                                                         \
    {                                                                                              \
        (literal), sizeof(literal) - 1                                                             \
    }

/* Storage class of a compiled model's matrices. Also called precision, or quantization. What is
 * small (biases, norms, positions) stays f32; the token embeddings are stored as the class for f32,
 * f16 and bf16, and as int8 by the row in the classes of bytes and less. */
typedef enum memo_class {
    MEMO_CLASS_F32,
    MEMO_CLASS_INT8, /* bytes with a scale per row (per channel), group of inputs, or tensor; integer
                        arithmetic; a quarter of the size */
    MEMO_CLASS_F16,  /* IEEE half precision, rounded to nearest even */
    MEMO_CLASS_BF16, /* the upper half of a float, rounded to nearest even */
    MEMO_CLASS_INT4, /* 4-bit integers with a multiplier per block of inputs (per block) */
    MEMO_CLASS_LUT4, /* 4-bit indices into palettes of 16 (palettized, clustered) */
} memo_class;

MEMO_API const char *memo_class_name(memo_class cls); /* "f32", "int8", "f16", ... */

/* What becomes of the input of a matrix of an integer class (W8A8, W8A16, W4A16 elsewhere). */
typedef enum memo_activations {
    MEMO_ACTIVATIONS_DYNAMIC, /* quantized, each token by its own range (W8A8, nothing calibrated) */
    MEMO_ACTIVATIONS_NONE,    /* stays a float, the weights become floats in the kernel (W8A16) */
    MEMO_ACTIVATIONS_STATIC,  /* quantized by one range, measured on texts when it was compiled */
} memo_activations;

/* ---- open ---------------------------------------------------------------------------------- */

/* memo_model -- a compiled model, mapped. Threads: any thread may embed with one model at once;
 * each call takes its scratch from its own allocation. */
typedef struct memo_model memo_model;

typedef struct memo_model_options {
    size_t size;
    int verify_all; /* non-zero: check every checksum now (reads the whole file) instead of at first
                       use */
    int portable; /* non-zero: attention in f32 in every class, so that vectors have the same bits on
                       all CPUs but level ref (class bf16: where products of bf16 are equal). Slower
                       where the CPU multiplies bf16 fast. */
} memo_model_options;

/* memo_model_open() -- map a compiled model.
 *
 *   path     a file made by memo_model_compile()
 *   model    out; close with memo_model_close() before the context is freed
 *
 * Checks the header, the tokenizer tables and every extent; weight checksums (XXH64 per 64 KiB) are
 * checked when first used. Replace a file in use by renaming over it: cutting it short while it is
 * mapped ends the process with SIGBUS. MEMO_ERR_FORMAT: not a compiled model or hostile;
 * MEMO_ERR_CORRUPT: a checksum differs; MEMO_ERR_UNSUPPORTED: made by another format version.
 * Cost: about 1 ms. */
MEMO_API memo_status memo_model_open(memo_ctx *ctx, const char *path,
                                     const memo_model_options *options, memo_model **model,
                                     memo_err *err);

/* memo_model_open_memory() -- run a compiled model from the caller's bytes.
 *
 *   bytes    [n_bytes], 64-byte aligned (else MEMO_ERR_VALUE), borrowed until memo_model_close() */
MEMO_API memo_status memo_model_open_memory(memo_ctx *ctx, const void *bytes, size_t n_bytes,
                                            const memo_model_options *options, memo_model **model,
                                            memo_err *err);

MEMO_API void memo_model_close(memo_model *model);

/* Facts about an open model; strings live as long as the model. */
typedef struct memo_model_info {
    size_t size;
    const char *name;         /* "all-MiniLM-L6-v2" */
    const char *architecture; /* "bert" */
    memo_class cls;
    char fingerprint[65];    /* SHA-256 of the logical content, hex */
    size_t dim;              /* length of a vector */
    size_t max_tokens;       /* per text, special tokens included */
    size_t n_special_tokens; /* how many of them a single text always carries */
    size_t n_layers;
    size_t hidden_size;
    uint64_t n_parameters;
    uint64_t file_bytes;
    const char *recipe_json;  /* every recipe field with its value and origin */
    const char *report_json;  /* what the classes cost, see memo_model_get_report(); NULL: none */
    const char *tool_version; /* of the memolith that compiled it */
    char source_hash[65];     /* SHA-256 of the files it was compiled from, hex; "": not recorded */
} memo_model_info;

MEMO_API memo_status memo_model_get_info(const memo_model *model, memo_model_info *info,
                                         memo_err *err);

/* One matrix, or the token embeddings, as an open model stores it. */
typedef struct memo_weight_info {
    size_t size;
    const char *name; /* "layer.000.attention.qkv.weight" */
    /* CLASS[/GRAIN][:ACTIVATIONS], where silence is the usual: "f32", "f16", "bf16"; "int8" (a
     * scale for each row), "int8/tensor", "int8/64" (for each group of 64 inputs); "int4/32" (a
     * multiplier for each block of 32 inputs); "lut4/16" (a palette for 16 rows), "lut4/tensor";
     * ":none" and ":static" for other activations than dynamic ones. */
    char format[32];
    memo_class cls;
    memo_activations activations; /* of the integer classes */
    size_t n_rows, n_cols;
    uint64_t n_bytes; /* in the file, scales and the like included */
} memo_weight_info;

/* memo_model_get_weight() -- the weights that have a choice of formats, counted from 0, in file order.
 *
 * MEMO_ERR_NOTFOUND behind the last one. */
MEMO_API memo_status memo_model_get_weight(const memo_model *model, size_t index,
                                           memo_weight_info *info, memo_err *err);

/* ---- embed --------------------------------------------------------------------------------- */

/* What a text is for; models with prompts prepend the fitting one. */
typedef enum memo_role {
    MEMO_ROLE_DOCUMENT,
    MEMO_ROLE_QUERY,
    MEMO_ROLE_NONE, /* no prompt */
} memo_role;

/* What happens to a text of more than max_tokens tokens. Every result says how many were seen. */
typedef enum memo_overlong {
    MEMO_OVERLONG_HEAD,  /* keep the first tokens */
    MEMO_OVERLONG_TAIL,  /* keep the last tokens */
    MEMO_OVERLONG_ERROR, /* MEMO_ERR_LIMIT naming the text */
    MEMO_OVERLONG_CHUNK, /* split with overlap, mean weighted by tokens, renormalized */
} memo_overlong;

typedef struct memo_embed_options {
    size_t size;
    memo_role role;
    memo_overlong overlong;
    size_t max_tokens;        /* lower the model's maximum; 0: the model's */
    size_t chunk_overlap;     /* tokens shared by neighbours under MEMO_OVERLONG_CHUNK; 0: 15 % */
    int replace_invalid_utf8; /* non-zero: U+FFFD instead of MEMO_ERR_VALUE with the offset */
    int safe_specials;        /* non-zero: special tokens typed in a text are read as plain text */
    unsigned n_threads;       /* 0: the context's */
    int64_t deadline_ms;      /* from now, 0: none; MEMO_ERR_DEADLINE when it passes */
    /* `done` of `total` texts; non-zero cancels (MEMO_ERR_CANCELLED). Called on the calling thread
     * before each layer of some hundred tokens, also inside one long text: at least every 100 ms. */
    memo_progress_fn progress;
    void *progress_user;
    size_t *failed; /* out, or NULL: the text that a failure is about, counted from 0, which the
                       message calls "text N"; SIZE_MAX: none, or a failure that is about no text */
} memo_embed_options;

typedef struct memo_embed_result {
    size_t size;
    size_t n_tokens_seen;  /* special tokens included */
    size_t n_tokens_total; /* of the whole text */
    int truncated;         /* n_tokens_seen < n_tokens_total */
    memo_cpu cpu;          /* level that computed it */
} memo_embed_result;

/* memo_model_embed() -- turn texts into vectors.
 *
 *   texts    [n_texts] borrowed; invalid UTF-8 is MEMO_ERR_VALUE naming text and byte offset
 *   vectors  [n_texts, dim] f32 out, in the order of the texts; unit length when the recipe
 *            normalizes. Written only on MEMO_OK.
 *   results  [n_texts] out, or NULL; `size` of the first one is the caller's, and the stride
 *
 * The empty text gives the vector of the special tokens. A vector is always finite with a norm.
 * Texts are packed without padding; scratch is allocated once and bounded by memo_model_plan().
 * n_texts 0 is MEMO_OK. Fails as a whole: MEMO_ERR_LIMIT when the plan exceeds the context's
 * memory limit, MEMO_ERR_CORRUPT when a weight block fails its checksum at first use. */
MEMO_API memo_status memo_model_embed(memo_model *model, const memo_embed_options *options,
                                      const memo_text *texts, size_t n_texts, float *vectors,
                                      memo_embed_result *results, memo_err *err);

typedef struct memo_plan {
    size_t size;
    uint64_t scratch_bytes; /* most that memo_model_embed() allocates for such a batch */
    uint64_t mapped_bytes;  /* of the compiled model */
    unsigned n_threads;     /* that will take part */
} memo_plan;

/* memo_model_plan() -- bytes an embed call will need, before it is made.
 *
 *   longest_bytes  bytes of the longest text; n_texts texts; n_threads 0: the context's
 *
 * An upper bound for every rule but MEMO_OVERLONG_CHUNK, which may need a larger window; and for
 * every text but one with thousands of combining marks in a row, which are sorted in memory. */
MEMO_API memo_status memo_model_plan(const memo_model *model, size_t longest_bytes, size_t n_texts,
                                     unsigned n_threads, memo_plan *plan, memo_err *err);

/* ---- tokenize ------------------------------------------------------------------------------ */

/* Ids of one text as the model sees it: special tokens included, nothing truncated. Offsets are
 * byte spans of the original text; special tokens have the empty span {0, 0}. */
typedef struct memo_tokens {
    size_t n;
    const uint32_t *ids;
    const size_t (*offsets)[2]; /* [n][begin, end) */
} memo_tokens;

typedef struct memo_tokenize_options {
    size_t size;
    int no_special_tokens; /* non-zero: only the text's own tokens */
    int replace_invalid_utf8;
    int safe_specials;
} memo_tokenize_options;

MEMO_API memo_status memo_model_tokenize(const memo_model *model, memo_text text,
                                         const memo_tokenize_options *options, memo_tokens **tokens,
                                         memo_err *err);
MEMO_API void memo_tokens_free(memo_tokens *tokens);

/* The token with this id, as it stands in the vocabulary ("##ing"), or NULL. Not NUL-terminated. */
MEMO_API const char *memo_model_token(const memo_model *model, uint32_t id, size_t *n_bytes);

/* ---- compile ------------------------------------------------------------------------------- */

typedef enum memo_pooling {
    MEMO_POOLING_AUTO, /* what the publisher's files say */
    MEMO_POOLING_MEAN,
    MEMO_POOLING_CLS,
    MEMO_POOLING_LAST,
} memo_pooling;

/* How many weights of class int8 share a scale. */
typedef enum memo_granularity {
    MEMO_GRANULARITY_CHANNEL, /* one output channel: a row */
    MEMO_GRANULARITY_TENSOR,
    MEMO_GRANULARITY_GROUP, /* `group` inputs of a row */
} memo_granularity;

typedef enum memo_scales {
    MEMO_SCALES_ABSMAX, /* the largest value is the largest byte */
    MEMO_SCALES_SEARCH, /* least squared error: large values may be clipped */
} memo_scales;

typedef enum memo_palette_kind {
    MEMO_PALETTE_KMEANS, /* clustered: the 16 values of least squared error */
    MEMO_PALETTE_UNIFORM,
} memo_palette_kind;

#define MEMO_PALETTE_GROUP_TENSOR SIZE_MAX

typedef struct memo_compile_options {
    size_t size;
    memo_class cls;
    const char *name;     /* stored name; NULL: the last part of the folder's path */
    size_t max_tokens;    /* override the recipe; 0: the publisher's */
    memo_pooling pooling; /* override the recipe */
    int allow_nonfinite;  /* keep NaN and infinite weights instead of MEMO_ERR_VALUE (class f32: a
                             row of bytes would have no scale) */
    int overwrite;        /* replace an existing output; else MEMO_ERR_USAGE */
    memo_progress_fn progress;
    void *progress_user;

    /* Class int8. */
    memo_granularity granularity;
    size_t group; /* 32, 64 or 128 with MEMO_GRANULARITY_GROUP (0: 64), else 0 */
    memo_scales scales;
    /* Class int4. */
    size_t block; /* inputs of a multiplier: 32, 64 or 128; 0: 32 */
    /* Class lut4. */
    memo_palette_kind palette;
    size_t palette_group;     /* rows of a palette: 8, 16, 32, MEMO_PALETTE_GROUP_TENSOR; 0: 8 */
    unsigned palette_bits;    /* 4; 0: 4 */
    int palette_plain_scales; /* non-zero: one scale for the matrix instead of one per channel */

    /* All integer classes. */
    memo_activations activations;
    /* Text file, one text a line, on which inputs are measured: the ranges of static activations,
     * and which inputs of a matrix matter, for the searches of int8, int4 and lut4. At most 1,024
     * lines are used. NULL: no static activations; int4 and lut4 measure on 512 texts of our own, in
     * models of up to a billion parameters. */
    const char *calibrate;

    /* Mixed: "PATTERN=FORMAT", FORMAT being CLASS[/GRAIN][:ACTIVATIONS] as memo_model_get_weight()
     * shows it, e.g. "layer.*.ffn.down.weight=int8/64:none". PATTERN is a name of a matrix, or
     * "embeddings.word"; * stands for any characters, ? for one. The last that fits counts; one
     * that fits no weight is MEMO_ERR_USAGE. */
    const char *const *set; /* [n_set] */
    size_t n_set;

    /* Non-zero: `cls` is not looked at; each matrix gets the cheapest class with which the vectors
     * of our own texts stay near those of the source: mean cosine and share of the 10 nearest texts
     * of at least the targets (0: 0.999 and 0.97). */
    int auto_class;
    double target_cosine, target_top10;

    size_t layers_average; /* mean of the states of the last N layers, then pooling; 0: the last */
    size_t dims;           /* only the first N dimensions (Matryoshka), renormalized; 0: all */

    int no_report;      /* non-zero: what the classes cost is not measured */
    int no_calibration; /* non-zero: int4 and lut4 are rounded without measuring, faster and less
                           exact; without `calibrate` and auto_class */
} memo_compile_options;

/* What compiling did; strings are valid until memo_compile_report_free(). */
typedef struct memo_compile_report {
    char fingerprint[65];
    uint64_t file_bytes;
    uint64_t n_tensors;
    uint64_t n_parameters;
    size_t n_unused;           /* source tensors the recipe does not need */
    const char *const *unused; /* [n_unused] their names */
    size_t n_warnings;
    const char *const *warnings; /* [n_warnings], e.g. "tokenizer.json truncates at 128; ..." */
} memo_compile_report;

/* memo_model_compile() -- turn a published model folder into one compiled file.
 *
 *   source   folder; see docs/COMING_FROM.md for the layouts that are read
 *   out      written under a temporary name in the same folder, synced, renamed: after a kill
 *            either the old file, the new one, or none is there, never a part
 *   report   out or NULL; free with memo_compile_report_free()
 *
 * In every class but f32 the result is measured beside class f32, a temporary file in the folder of
 * `out`, and carries the report: see memo_model_get_report(). Left out with no_report, with
 * allow_nonfinite, and above a billion parameters.
 *
 * Nothing in the source is trusted and nothing is executed. Peak memory does not grow with the
 * weights: they are read 16 output rows at a time. */
MEMO_API memo_status memo_model_compile(memo_ctx *ctx, const char *source, const char *out,
                                        const memo_compile_options *options,
                                        memo_compile_report **report, memo_err *err);
MEMO_API void memo_compile_report_free(memo_compile_report *report);

/* memo_model_compress() -- turn one compiled model into a smaller one.
 *
 *   source   a file made by memo_model_compile(); its checksums are checked first
 *   out, report  as above
 *
 * Recipe and tokenizer are the source's (max_tokens, pooling, layers_average and dims are
 * MEMO_ERR_USAGE), the weights get the class of the options; each must come from a class that is
 * more exact, or keep class and grain, and is then copied (else MEMO_ERR_UNSUPPORTED). From class f32 the result has the
 * fingerprint that compiling the folder would give. The report is beside the source. */
MEMO_API memo_status memo_model_compress(memo_ctx *ctx, const char *source, const char *out,
                                         const memo_compile_options *options,
                                         memo_compile_report **report, memo_err *err);

/* ---- look inside --------------------------------------------------------------------------- */

typedef struct memo_tensor_info {
    const char *name;
    const char *dtype; /* "F32", "I64", ... as the file spells it */
    size_t n_dims;
    const uint64_t *shape; /* [n_dims] */
    uint64_t n_bytes;
    uint64_t offset; /* from the start of the file */
} memo_tensor_info;

typedef struct memo_tensor_list {
    const char *format; /* "safetensors" */
    size_t n;
    const memo_tensor_info *tensors; /* [n] in file order */
    size_t n_metadata;
    const char *const *metadata; /* [2 * n_metadata] key, value, ... */
} memo_tensor_list;

/* memo_model_inspect() -- list the tensors of any model file that can be read; nothing is trusted. */
MEMO_API memo_status memo_model_inspect(memo_ctx *ctx, const char *path, memo_tensor_list **list,
                                        memo_err *err);
MEMO_API void memo_tensor_list_free(memo_tensor_list *list);

/* Whether a source is still what a model was compiled from. */
typedef struct memo_source_check {
    size_t size;
    char recorded[65]; /* when it was compiled; "": by a version that did not record it */
    char found[65];    /* now */
    int matches;
} memo_source_check;

/* memo_model_check_source() -- compare a source folder with what an open model was compiled from.
 *
 * SHA-256 over the files that compiling reads, names included. A difference is MEMO_OK and says so
 * in `check`; a folder that cannot be compiled any more, with the pooling and the maximum length
 * that were options of the model's compile, gives the error that compiling would.
 * Cost: reads the source's weights once. */
MEMO_API memo_status memo_model_check_source(const memo_model *model, const char *folder,
                                             memo_source_check *check, memo_err *err);

typedef struct memo_verify_report {
    size_t size;
    uint64_t n_blocks_checked; /* XXH64 blocks */
    int fingerprint_matches;
    size_t n_probes;
    size_t n_probe_ids_differ;
    double probe_max_abs_diff;
    double probe_min_cosine;
} memo_verify_report;

/* memo_model_verify() -- prove an open model whole: every checksum, the fingerprint recomputed from
 * the unpacked weights, and the stored probe texts run again.
 *
 * MEMO_ERR_CORRUPT: a checksum or the fingerprint differs; MEMO_ERR_VERIFY: a probe's ids differ or
 * a vector is further from the stored one than levels differ: by 1e-5 in classes f32 and f16, by a
 * cosine of 0.9999 in bf16, of 0.99 in the others. `report` is filled in those two cases also. Cost:
 * reads the whole file. */
MEMO_API memo_status memo_model_verify(memo_model *model, memo_verify_report *report,
                                       memo_err *err);

/* ---- fidelity ------------------------------------------------------------------------------ */

/* How well a weight that a class stores with loss keeps the reference's. */
typedef struct memo_tensor_fidelity {
    const char *name; /* "layer.000.attention.qkv.weight" */
    memo_class cls;
    size_t n_rows, n_cols;
    double snr_db;        /* 10 log10(sum w^2 / sum (w' - w)^2); INFINITY: no difference */
    double max_abs_error; /* largest |w' - w| */
    double largest;       /* largest |w| */
} memo_tensor_fidelity;

/* How near the states after one layer are to the reference's, over the tokens of several texts. The
 * errors of the layers before are in it: it is the distance so far, not that of one layer. */
typedef struct memo_layer_fidelity {
    double cosine_mean, cosine_min; /* of one token's state */
    double relative_error;          /* |x' - x| / |x| over all of them */
} memo_layer_fidelity;

/* How near vectors are to other vectors of the same texts. n_texts 0: not measured. */
typedef struct memo_texts_fidelity {
    size_t n_texts;
    double cosine_mean, cosine_min;
    double cosine_p01;      /* 1st percentile: at most 1 % of the texts are below it */
    size_t worst;           /* index of the text with the least cosine */
    const char *worst_text; /* its first characters */
    /* Over the first 1,024 texts: which share of each text's 10 nearest others stays among them,
     * and the rank correlation of all similarities. */
    double top10_overlap, spearman;
} memo_texts_fidelity;

typedef struct memo_fidelity_report {
    size_t n_tensors;                    /* weights whose values are not equal in every bit */
    const memo_tensor_fidelity *tensors; /* [n_tensors] in file order */
    size_t n_equal;                      /* the other weights */
    size_t n_layers;                     /* 0 without a reference */
    const memo_layer_fidelity *layers;   /* [n_layers] first the embeddings, then each layer */
    size_t n_layer_texts;                /* over which they were measured */
    memo_texts_fidelity against;         /* beside the reference's vectors */
    memo_texts_fidelity golden;          /* beside the golden ones */
    char reference[65];                  /* fingerprint of the reference; "": none */
    memo_class reference_class;
} memo_fidelity_report;

typedef struct memo_fidelity_options {
    size_t size;
    /* The reference, open: as a rule the same model in class f32. NULL: none. */
    memo_model *against;
    /* Folder with texts and their vectors by another implementation, or NULL:
     *   texts.jsonl    a line {"text": ..., "prefix": ...} for each text; the prefix, which may be
     *                  missing, is put before it
     *   emb_f64.npy    [n, dim] of <f4 or <f8 in the same order; else emb_f32.npy
     * With a tokens.jsonl in it, that has the lines: {"i": ..., "prefix": ...}, where i is the line
     * of the text in the texts.jsonl of the folder above. 2 to 10,000 texts. */
    const char *golden;
    memo_progress_fn progress;
    void *progress_user;
} memo_fidelity_options;

/* memo_model_fidelity() -- measure what a model's class costs: per tensor, per layer, end to end.
 *
 *   options  names a reference, golden vectors, or both (else MEMO_ERR_USAGE)
 *   report   out; free with memo_fidelity_free()
 *
 * With a reference: every weight beside the reference's, the states of up to 64 texts after every
 * layer (their first 256 tokens), and the vectors of all texts: the golden ones when there are any,
 * else 64 of our own in several languages. With golden vectors: the model's beside those.
 * No prompt is put before a text.
 *
 * MEMO_ERR_MISMATCH: the reference is another network or has another tokenizer, or the golden
 * vectors another length; MEMO_ERR_FORMAT, MEMO_ERR_VALUE: the golden folder; MEMO_ERR_CORRUPT: a
 * checksum differs. Nothing is judged here: see memo_fidelity_gate().
 * Cost: reads both files once and embeds every text twice; memory grows with the texts. */
MEMO_API memo_status memo_model_fidelity(memo_model *model, const memo_fidelity_options *options,
                                         memo_fidelity_report **report, memo_err *err);
MEMO_API void memo_fidelity_free(memo_fidelity_report *report);

/* memo_model_get_report() -- the report that a model carries since it was compiled or compressed.
 *
 *   report  out; free with memo_fidelity_free(). NULL: it carries none
 *
 * What memo_model_fidelity() measured beside the model that it was made from (reference), over 64
 * texts of our own. It is no part of the fingerprint, and its figures are shown, never used. */
MEMO_API memo_status memo_model_get_report(const memo_model *model, memo_fidelity_report **report,
                                           memo_err *err);

/* memo_fidelity_gate() -- hold one figure of a report against the least that is wanted.
 *
 *   figure  "cos", "cos-p01", "cos-min", "top10" or "spearman": end to end, the lesser of both
 *           comparisons when both were made; "layer": the least cosine_mean of a layer; "snr": the
 *           least snr_db of a tensor
 *   found   out, or NULL: the figure; written also on MEMO_ERR_VERIFY
 *
 * MEMO_ERR_VERIFY when the figure is less or not a number; MEMO_ERR_USAGE for another name, or a
 * figure that was not measured. */
MEMO_API memo_status memo_fidelity_gate(const memo_fidelity_report *report, const char *figure,
                                        double least, double *found, memo_err *err);

#ifdef __cplusplus
}
#endif

#endif
