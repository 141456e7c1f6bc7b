// SPDX-License-Identifier: Apache-2.0
/* fuzz_compiled.c -- a compiled model with bytes changed, opened and run.
 *
 * Changed bytes alone would always end at a checksum, so the input is a list of changes to a small
 * model, and every checksum is made to agree again before it is opened: what is left is the
 * validation that may not rely on checksums. Each change is 6 bytes:
 *
 *   u32 offset (little-endian), op, value
 *
 *   op bit 7: the offset counts in the header, else in the whole file (modulo its length)
 *   op bit 6: in the first change: the model is the one of class int8
 *   op bit 5: likewise: the one of all classes mixed; neither: the one of f32
 *   op & 3    0: the byte becomes value; 1: ^= value; 2: += value; 3: the file ends here
 *
 * An odd number of bytes leaves the checksums as they are: then whatever opens must be unchanged.
 * A model that opens must run: a text gives a vector or an error with a message. */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <memolith/model.h>

#include "base/alloc.h"
#include "base/file.h"
#include "base/hash.h"
#include "model/compiled.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* The model as it was compiled, once for each class. */
typedef struct fuzz_file {
    unsigned char *bytes; /* [n] */
    size_t n;
} fuzz_file;

static memo_ctx *fuzz_ctx;
static fuzz_file fuzz_good[3];   /* f32, int8, mixed */
static unsigned char *fuzz_work; /* as long as the longer of them, 64-byte aligned */

/* Compile the command tests' model into class `cls`, with rules. */
static void fuzz_compile(memo_class cls, const char *const *set, size_t n_set, fuzz_file *good)
{
    char path[64];
    char *bytes = NULL;
    memo_err err = {0};
    memo_compile_options compile = {
        .size = sizeof compile, .overwrite = 1, .cls = cls, .set = set, .n_set = n_set};

    if (n_set) /* any text will do */
        compile.calibrate = MEMO_SOURCE_DIR "/tests/cli/tiny-model/vocab.txt";
    snprintf(path, sizeof path, "/tmp/memo-fuzz-%ld.safetensors", (long)getpid());
    if (memo_model_compile(fuzz_ctx, MEMO_SOURCE_DIR "/tests/cli/tiny-model", path, &compile, NULL,
                           &err) ||
        memo_file_slurp(path, 1 << 22, &bytes, &good->n, &err)) {
        fprintf(stderr, "fuzz_compiled: %s\n", err.message);
        abort();
    }
    unlink(path);
    good->bytes = (unsigned char *)bytes; /* for as long as the program runs */
}

static void fuzz_compiled_init(void)
{
    static const char *const mixed[] = {
        "layer.000.ffn.up.weight=int4/32",
        "layer.001.ffn.up.weight=lut4/16",
        "layer.000.ffn.down.weight=bf16",
        "layer.001.ffn.down.weight=int8/32",
        "layer.000.attention.*.weight=int8:none",
        "layer.001.attention.out.weight=lut4:none",
        "layer.001.attention.qkv.weight=int4/64:static",
        "embeddings.word=int8",
    };
    memo_ctx_options options = {.size = sizeof options, .n_threads = 1};
    size_t longest = 0;

    if (memo_ctx_new(&options, &fuzz_ctx, NULL))
        abort();
    fuzz_compile(MEMO_CLASS_F32, NULL, 0, &fuzz_good[0]);
    fuzz_compile(MEMO_CLASS_INT8, NULL, 0, &fuzz_good[1]);
    fuzz_compile(MEMO_CLASS_F16, mixed, sizeof mixed / sizeof *mixed, &fuzz_good[2]);
    for (size_t i = 0; i < 3; i++)
        longest = fuzz_good[i].n > longest ? fuzz_good[i].n : longest;
    fuzz_work = memo_aligned_alloc(longest);
    if (!fuzz_work)
        abort();
}

static size_t fuzz_header_end(size_t n)
{
    uint64_t length;

    if (n < 8)
        return n;
    memcpy(&length, fuzz_work, 8);
    return length < n - 8 ? (size_t)length + 8 : n;
}

/* Make every checksum agree with what the bytes have become, as far as there are any. */
static void fuzz_sign(size_t n)
{
    memo_safetensors *st = NULL;
    char digits[MEMO_HEADER_HASH_DIGITS + 1];
    size_t at;

    if (memo_safetensors_parse(fuzz_work, n, "work", &st, NULL) == MEMO_OK) {
        const memo_st_tensor *sums = memo_safetensors_find(st, "memolith.checksums");
        if (sums && sums->dtype == MEMO_DTYPE_U64 && sums->n_values) {
            size_t n_blocks = (size_t)sums->n_values - 1;
            uint64_t n_data = sums->begin - st->data_begin, value;
            for (size_t b = 0; b < n_blocks && b * MEMO_COMPILED_BLOCK < n_data; b++) {
                uint64_t left = n_data - b * MEMO_COMPILED_BLOCK;
                size_t length = left < MEMO_COMPILED_BLOCK ? (size_t)left : MEMO_COMPILED_BLOCK;
                value = memo_xxh64(fuzz_work + st->data_begin + b * MEMO_COMPILED_BLOCK, length, b);
                memcpy(fuzz_work + sums->begin + 8 * b, &value, 8);
            }
            value = memo_xxh64(fuzz_work + sums->begin, 8 * n_blocks, n_blocks);
            memcpy(fuzz_work + sums->begin + 8 * n_blocks, &value, 8);
        }
        memo_safetensors_free(st);
    }
    if (memo_compiled_header_hash(fuzz_work, fuzz_header_end(n), &at, digits))
        memcpy(fuzz_work + at, digits, MEMO_HEADER_HASH_DIGITS);
}

/* Apply the changes to a copy of `good`; returns the length of the file. */
static size_t fuzz_change(const fuzz_file *good, const uint8_t *data, size_t size)
{
    size_t n = good->n;

    memcpy(fuzz_work, good->bytes, n);
    size_t header = fuzz_header_end(n);
    for (size_t i = 0; i + 6 <= size && n; i += 6) {
        uint32_t offset = data[i] | (uint32_t)data[i + 1] << 8 | (uint32_t)data[i + 2] << 16 |
                          (uint32_t)data[i + 3] << 24;
        size_t span = (data[i + 4] & 0x80) && header < n ? header : n;
        unsigned char *at = fuzz_work + offset % span;
        switch (data[i + 4] & 3) {
        case 0:
            *at = data[i + 5];
            break;
        case 1:
            *at ^= data[i + 5];
            break;
        case 2:
            *at = (unsigned char)(*at + data[i + 5]);
            break;
        default:
            n = (size_t)(at - fuzz_work);
        }
    }
    return n;
}

static void fuzz_run(memo_model *model)
{
    static const char *const words[] = {"Spare key, third flower pot!", ""};
    memo_model_info info = {.size = sizeof info};
    memo_embed_result results[2] = {{.size = sizeof *results}};
    memo_err err = {0};
    memo_text texts[2];

    memo_model_get_info(model, &info, NULL);
    float *vectors = malloc(2 * info.dim * sizeof *vectors);
    for (int i = 0; i < 2; i++)
        texts[i] = (memo_text){words[i], strlen(words[i])};
    if (!vectors || (memo_model_embed(model, NULL, texts, 2, vectors, results, &err) != MEMO_OK &&
                     !err.message[0]))
        abort();
    free(vectors);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    memo_model *model = NULL;
    memo_model_options whole = {.size = sizeof whole, .verify_all = 1};
    memo_err err = {0};

    if (!fuzz_ctx)
        fuzz_compiled_init();
    int op = size >= 6 ? data[4] : 0;
    const fuzz_file *good = &fuzz_good[op & 0x40 ? 1 : op & 0x20 ? 2 : 0];
    size_t n = fuzz_change(good, data, size);
    int sign = size % 2 == 0;
    if (sign)
        fuzz_sign(n);
    if (memo_model_open_memory(fuzz_ctx, fuzz_work, n, &whole, &model, &err)) {
        if (model || !err.message[0])
            abort();
        return 0;
    }
    if (!sign && (n != good->n || memcmp(fuzz_work, good->bytes, n) != 0))
        abort();
    fuzz_run(model);
    memo_model_close(model);
    return 0;
}
