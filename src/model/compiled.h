// SPDX-License-Identifier: Apache-2.0
/* model/compiled.h -- the container of a compiled model: an ordinary safetensors file.
 *
 *   header    the tensors, and __metadata__:
 *               memolith.format        version of this container, "1"
 *               memolith.layout        version of the packing of the weights, "1" or "2"
 *               memolith.class         "f32", "int8", ...: of the model as a whole
 *               memolith.weights       JSON, {"layer.000.ffn.up.weight": "int8/64", ...}: the format
 *                                      (model/weight_format.h) of each weight that has a choice.
 *                                      Layout "2" only: "1" is all f32, or all int8 by channel
 *               memolith.name          "all-MiniLM-L6-v2"
 *               memolith.recipe        JSON, model/recipe.h
 *               memolith.fingerprint   SHA-256 of the logical content, 64 hex digits
 *               memolith.tool          version that wrote it
 *               memolith.source        SHA-256 of the files it was made from, 64 hex digits; may
 *                                      be missing
 *               memolith.header_xxh64  16 hex digits over the header, see below
 *   weights   in the order and the shapes of model/layout.h
 *   memolith.tokenizer          U8  flat tables, text/tokenizer.h
 *   memolith.probe.texts        U8  eight texts, each ended by a NUL
 *   memolith.probe.cu_seqlens   U32 [9] where the ids of each text begin
 *   memolith.probe.ids          U32 ids, special tokens included
 *   memolith.probe.vectors      F32 [8, dim] as computed when it was compiled
 *   memolith.report             U8  JSON, model/verify/fidelity_json.h: what the classes cost, then NULs,
 *                                   at least one. May be missing, or empty
 *   memolith.checksums          U64 [n_blocks + 1], the last tensor
 *
 * Every tensor starts on a multiple of 64 bytes. Against damage: checksums[i] is XXH64 (seed i) of
 * the i-th 64 KiB of the data section, up to where memolith.checksums begins; its last entry is
 * XXH64 (seed n_blocks) of the entries before it; memolith.header_xxh64 is XXH64 of the bytes after
 * its 16 digits up to the end of the header, seeded with XXH64 (seed 0) of the bytes before them,
 * from the start of the file. So every byte of the file lies under exactly one checksum.
 *
 * Checksums find damage, not malice: nothing is believed because a checksum agrees. Opening holds
 * every tensor that is used against the type and shape that the recipe asks for. */
#ifndef MEMO_MODEL_COMPILED_H
#define MEMO_MODEL_COMPILED_H

#include <stdatomic.h>

#include "base/pool.h"
#include "format/safetensors.h"
#include "model/layout.h"

#define MEMO_COMPILED_FORMAT "1"
#define MEMO_COMPILED_LAYOUT "1" /* memo_layout_is_plain() */
#define MEMO_COMPILED_MIXED  "2" /* memolith.weights says what is what */
#define MEMO_COMPILED_BLOCK  65536u
#define MEMO_COMPILED_PROBES 8u

#define MEMO_KEY_FORMAT      "memolith.format"
#define MEMO_KEY_LAYOUT      "memolith.layout"
#define MEMO_KEY_CLASS       "memolith.class"
#define MEMO_KEY_WEIGHTS     "memolith.weights"
#define MEMO_KEY_NAME        "memolith.name"
#define MEMO_KEY_RECIPE      "memolith.recipe"
#define MEMO_KEY_FINGERPRINT "memolith.fingerprint"
#define MEMO_KEY_TOOL        "memolith.tool"
#define MEMO_KEY_SOURCE      "memolith.source"
#define MEMO_KEY_HEADER_HASH "memolith.header_xxh64"

#define MEMO_HEADER_HASH_DIGITS 16

/* The tensors after the weights, in file order. */
typedef enum memo_extra {
    MEMO_EXTRA_TOKENIZER,
    MEMO_EXTRA_PROBE_TEXTS,
    MEMO_EXTRA_PROBE_CU_SEQLENS,
    MEMO_EXTRA_PROBE_IDS,
    MEMO_EXTRA_PROBE_VECTORS,
    MEMO_EXTRA_REPORT,
    MEMO_EXTRA_CHECKSUMS,
    MEMO_EXTRAS
} memo_extra;

/* Name and dtype of an extra tensor; shapes depend on the model. */
extern const memo_st_spec memo_extra_specs[MEMO_EXTRAS];

/* A validated view of a compiled file. Immutable but for `seen`; any thread. */
typedef struct memo_compiled {
    const unsigned char *bytes; /* [n_bytes] borrowed, 64-byte aligned */
    size_t n_bytes;
    memo_safetensors *st;
    memo_class cls;
    memo_recipe recipe;
    memo_layout layout;
    const memo_st_tensor **tensors;                               /* [layout.n_stored] */
    const memo_st_tensor *extra[MEMO_EXTRAS];                     /* the report's may be NULL */
    const char *metadata_name, *recipe_json, *fingerprint, *tool; /* in st */
    const char *weights_json;                                     /* in st; NULL: layout "1" */
    const char *source;                                           /* in st, or NULL */
    const char *report_json;                                      /* in bytes, or NULL */
    const uint64_t *sums;                                         /* [n_blocks + 1] in bytes */
    size_t n_blocks;
    atomic_uchar *seen; /* [n_blocks] non-zero once the block's checksum agreed */
} memo_compiled;

/* Digits of the header's checksum: their offset in the header and what they must be. Returns 0 when
 * there is no such field. n_bytes: from the start of the file to the end of the header. */
int memo_compiled_header_hash(const void *header, size_t n_bytes, size_t *at,
                              char digits[MEMO_HEADER_HASH_DIGITS + 1]);

/* memo_compiled_open() -- validate the header, every extent, and the checksums of the tables that
 * opening a model reads (all but the weights).
 *
 * `what` names the file in messages. MEMO_ERR_CORRUPT: a checksum differs; MEMO_ERR_UNSUPPORTED:
 * another version, or a class that this build does not know; MEMO_ERR_FORMAT: anything else.
 * `compiled` is zeroed by the caller and must be released also on failure. */
memo_status memo_compiled_open(memo_compiled *compiled, const void *bytes, size_t n_bytes,
                               const char *what, memo_err *err);
void memo_compiled_close(memo_compiled *compiled);

/* Check the blocks of [begin, end), offsets in the file, that were not seen before.
 * MEMO_ERR_CORRUPT naming the tensor. */
memo_status memo_compiled_check(memo_compiled *compiled, uint64_t begin, uint64_t end,
                                memo_err *err);
/* The same over the threads of a pool, for large ranges; `again`: also blocks seen before. */
memo_status memo_compiled_check_all(memo_compiled *compiled, uint64_t begin, uint64_t end,
                                    memo_pool *pool, int again, memo_err *err);

/* First byte of a tensor. */
static inline const void *memo_compiled_data(const memo_compiled *compiled,
                                             const memo_st_tensor *tensor)
{
    return compiled->bytes + tensor->begin;
}
/* First bytes of the tensors of one weight: data [MEMO_STORED_KINDS], NULL for those it lacks. */
void memo_compiled_slot(const memo_compiled *compiled, const memo_slot *slot, const void **data);

#endif
