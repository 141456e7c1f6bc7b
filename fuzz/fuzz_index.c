// SPDX-License-Identifier: Apache-2.0
/* fuzz_index.c -- an index file that is changed beside a store that is not.
 *
 * A change is 5 bytes: u24 offset (little-endian, modulo the file's length), op, value. With an even
 * number of bytes in all, the checksums and the sum of the set are made to agree. With the checksums as
 * they were, a search gives what one without the index gives, in every bit. With agreeing ones it may
 * miss a hit (who can write the file can write the store), but each hit it gives is one of the store's,
 * with its true score. */
#include "fuzz_store.h"

#include "index/idx_file.h"
#include "memory/db.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { N_RECORDS = 40, N_QUESTIONS = 3, N_ALL = 1000 };

static const char *const fuzz_questions[N_QUESTIONS] = {"where is the key", "boiler", "anna 7"};
static char *fuzz_good; /* the index as it was made */
static unsigned char *fuzz_work;
static size_t fuzz_bytes;
static char fuzz_idx_path[520];
static memo_db *fuzz_db;
static memo_hits *fuzz_truth[N_QUESTIONS]; /* without the index, all there is */

static memo_hits *fuzz_ask(const char *question, size_t k)
{
    const memo_search_options o = {
        .size = sizeof o, .k = k, .mode = MEMO_SEARCH_DENSE, .chunks = 1};
    memo_hits *hits = NULL;
    memo_err err = {0};
    fuzz_need(memo_db_search(fuzz_db, MEMO_STR(question), &o, &hits, &err), &err);
    return hits;
}

static void fuzz_limits(size_t min_rows)
{
    memo_vector_index_drop(&fuzz_db->index);
    memo_vector_index_init(&fuzz_db->index);
    fuzz_db->index.min_rows = min_rows;
}

static void fuzz_init(void)
{
    memo_err err = {0};

    fuzz_store_begin();
    snprintf(fuzz_idx_path, sizeof fuzz_idx_path, "%s-idx", fuzz_store_path);
    fuzz_need(fuzz_open(MEMO_OPEN_CREATE, &fuzz_db, &err), &err);
    for (int i = 0; i < N_RECORDS; i++) {
        char text[80];
        memo_record_in in = {.size = sizeof in};
        snprintf(text, sizeof text, "note %d: the key of the boiler, anna and %d flowers", i,
                 i * i);
        in.text = MEMO_STR(text);
        fuzz_need(memo_db_add(fuzz_db, NULL, &in, 1, NULL, &err), &err);
    }
    fuzz_limits(SIZE_MAX);
    for (size_t i = 0; i < N_QUESTIONS; i++)
        fuzz_truth[i] = fuzz_ask(fuzz_questions[i], N_ALL);
    fuzz_limits(8);
    memo_hits_free(fuzz_ask("boiler", 3));
    fuzz_need(memo_file_slurp(fuzz_idx_path, 1 << 24, &fuzz_good, &fuzz_bytes, &err), &err);
    memo_db_close(fuzz_db);
    fuzz_need(fuzz_open(MEMO_OPEN_READ_ONLY, &fuzz_db, &err), &err);
    fuzz_work = malloc(fuzz_bytes);
    if (!fuzz_work || fuzz_bytes < 4096)
        abort();
}

static size_t fuzz_change(const uint8_t *data, size_t size)
{
    size_t n = fuzz_bytes;

    memcpy(fuzz_work, fuzz_good, n);
    for (; size >= 5 && n; data += 5, size -= 5) {
        size_t at = (data[0] | (size_t)data[1] << 8 | (size_t)data[2] << 16) % n;
        switch (data[3] & 3) {
        case 0:
            fuzz_work[at] = data[4];
            break;
        case 1:
            fuzz_work[at] ^= data[4];
            break;
        case 2: /* a number in the header or the table */
            at = at % 256 / 8 * 8;
            if (at + 8 <= n)
                memset(fuzz_work + at, data[4], 8);
            break;
        default:
            n = at;
        }
    }
    return n;
}

/* ---- checksums that agree ------------------------------------------------------------------ */

static uint64_t fuzz_u64(size_t at)
{
    uint64_t v;
    memcpy(&v, fuzz_work + at, sizeof v);
    return v;
}

static void fuzz_put(size_t at, uint64_t v)
{
    memcpy(fuzz_work + at, &v, sizeof v);
}

static void fuzz_sign_space(size_t entry, size_t n)
{
    uint64_t slots = fuzz_u64(entry + 32), codes = fuzz_u64(entry + 48), count, sum = 0;
    memo_idx_layout at;

    count = fuzz_u64(entry + 16);
    if (!memo_idx_plan((size_t)(fuzz_u64(entry + 8) & UINT32_MAX), count, &at) || slots > n ||
        at.slots_bytes > n - slots || codes > n || at.codes_bytes > n - codes)
        return;
    for (size_t i = 0; i < count; i++)
        sum += fuzz_u64((size_t)slots + at.sum + 8 * i);
    fuzz_put(entry + 24, sum);
    fuzz_put(entry + 40, memo_xxh64(fuzz_work + slots, at.slots_bytes, 0));
    fuzz_put(entry + 56, memo_xxh64(fuzz_work + codes, at.codes_bytes, 0));
}

static void fuzz_sign(size_t n)
{
    size_t n_spaces;

    if (n < MEMO_IDX_HEADER_BYTES)
        return;
    n_spaces = (size_t)(fuzz_u64(8) >> 32);
    if (n_spaces > (n - MEMO_IDX_HEADER_BYTES) / MEMO_IDX_ENTRY_BYTES)
        n_spaces = (n - MEMO_IDX_HEADER_BYTES) / MEMO_IDX_ENTRY_BYTES;
    for (size_t i = 0; i < n_spaces; i++)
        fuzz_sign_space(MEMO_IDX_HEADER_BYTES + i * MEMO_IDX_ENTRY_BYTES, n);
    fuzz_put(56, n);
    fuzz_put(64, memo_xxh64(fuzz_work + MEMO_IDX_HEADER_BYTES, n_spaces * MEMO_IDX_ENTRY_BYTES, 0));
    fuzz_put(120, memo_xxh64(fuzz_work, MEMO_IDX_HEADER_BYTES - 8, 0));
}

/* ---- the oracle ---------------------------------------------------------------------------- */

static int fuzz_is_true(const memo_hit *hit, const memo_hits *truth)
{
    for (size_t i = 0; i < truth->n; i++)
        if (strcmp(hit->id, truth->hits[i].id) == 0 && hit->chunk == truth->hits[i].chunk)
            return hit->score == truth->hits[i].score;
    return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (!fuzz_work)
        fuzz_init();
    size_t n = fuzz_change(data, size);
    int sign = size % 2 == 0;
    if (sign)
        fuzz_sign(n);
    fuzz_limits(8);
    unlink(fuzz_idx_path); /* a mapped file is replaced, never changed in place */
    fuzz_write(fuzz_idx_path, fuzz_work, n);
    for (size_t q = 0; q < N_QUESTIONS; q++) {
        size_t k = q == 0 ? N_ALL : 5;
        memo_hits *hits = fuzz_ask(fuzz_questions[q], k);
        size_t wanted = fuzz_truth[q]->n < k ? fuzz_truth[q]->n : k;
        if (!sign && hits->n != wanted)
            abort();
        for (size_t i = 0; i < hits->n; i++) {
            if (!fuzz_is_true(&hits->hits[i], fuzz_truth[q]))
                abort();
            if (!sign && strcmp(hits->hits[i].id, fuzz_truth[q]->hits[i].id) != 0)
                abort();
        }
        memo_hits_free(hits);
    }
    return 0;
}
