// SPDX-License-Identifier: Apache-2.0
/* fuzz_wal.c -- a store whose write-ahead log is changed. The log holds four commits: three batches
 * of two records each, then a new version of the first record.
 *
 * A change is 6 bytes: u32 offset (little-endian, modulo the log's length; with bit 7 of op in the
 * header of a frame), op, value. With an even number of bytes the log's checksums are made to agree.
 * What is read is what was stored. With the checksums as they were it is also a state that was
 * committed: whole batches, none without those before it. */
#include "fuzz_store.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { WAL_HEAD = 32, WAL_FRAME = 24, N_BATCHES = 3 };
#define WAL_STEP ((size_t)WAL_FRAME + MEMO_PAGE_BYTES)

static char *fuzz_base, *fuzz_log; /* the file and its log when all was committed */
static size_t fuzz_base_bytes, fuzz_log_bytes;
static unsigned char *fuzz_work; /* [fuzz_log_bytes] */
static char fuzz_log_path[520];

static const char *const fuzz_keys[2 * N_BATCHES] = {"a1", "b1", "a2", "b2", "a3", "b3"};

static void fuzz_init(void)
{
    static const char *const texts[] = {"The spare key is under the third flower pot.",
                                        "Anna is allergic to peanuts.",
                                        "The boiler was serviced on 3 May.",
                                        "ERR-4512 is a code.",
                                        "How to get into the house.",
                                        "The last of them."};
    static const char *const first[] = {"before"}, *const before[] = {"A record of the file."};
    static const char *const changed[] = {"The spare key is now in the garage."};
    memo_db *db = NULL;
    memo_err err = {0};

    fuzz_store_begin();
    snprintf(fuzz_log_path, sizeof fuzz_log_path, "%s-wal", fuzz_store_path);
    fuzz_need(fuzz_open(MEMO_OPEN_CREATE, &db, &err), &err);
    fuzz_add(db, first, before, 1);
    memo_db_close(db);
    db = NULL;
    fuzz_need(fuzz_open(MEMO_OPEN_EXISTING, &db, &err), &err);
    for (size_t i = 0; i < N_BATCHES; i++)
        fuzz_add(db, fuzz_keys + 2 * i, texts + 2 * i, 2);
    fuzz_add(db, fuzz_keys, changed, 1);
    fuzz_need(memo_file_slurp(fuzz_store_path, 1 << 24, &fuzz_base, &fuzz_base_bytes, &err), &err);
    fuzz_need(memo_file_slurp(fuzz_log_path, 1 << 24, &fuzz_log, &fuzz_log_bytes, &err), &err);
    memo_db_close(db);
    fuzz_work = malloc(fuzz_log_bytes);
    if (!fuzz_work || fuzz_log_bytes < WAL_HEAD + 4 * WAL_STEP)
        abort();
}

static size_t fuzz_change(const uint8_t *data, size_t size)
{
    size_t n = fuzz_log_bytes;

    memcpy(fuzz_work, fuzz_log, n);
    for (; size >= 6 && n; data += 6, size -= 6) {
        size_t at = data[0] | (size_t)data[1] << 8 | (size_t)data[2] << 16 | (size_t)data[3] << 24;
        if (data[4] & 0x80)
            at = WAL_HEAD + at / WAL_FRAME % (n / WAL_STEP + 1) * WAL_STEP + at % WAL_FRAME;
        at %= n;
        switch (data[4] & 3) {
        case 0:
            fuzz_work[at] = data[5];
            break;
        case 1:
            fuzz_work[at] ^= data[5];
            break;
        case 2: /* a frame over another one */
            if (at >= WAL_HEAD && WAL_HEAD + (data[5] + 1) * WAL_STEP <= fuzz_log_bytes) {
                size_t frame = WAL_HEAD + (at - WAL_HEAD) / WAL_STEP * WAL_STEP;
                size_t left = n - frame < WAL_STEP ? n - frame : WAL_STEP;
                memcpy(fuzz_work + frame, fuzz_log + WAL_HEAD + data[5] * WAL_STEP, left);
            }
            break;
        default:
            n = at;
        }
    }
    return n;
}

/* ---- SQLite's checksums of a log, as its file format describes them ---------------------------- */

static uint32_t fuzz_word(const unsigned char *p, int big)
{
    return big ? (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3]
               : (uint32_t)p[3] << 24 | (uint32_t)p[2] << 16 | (uint32_t)p[1] << 8 | p[0];
}

static void fuzz_sum(const unsigned char *p, size_t n, int big, uint32_t s[2])
{
    for (size_t i = 0; i + 8 <= n; i += 8) {
        s[0] += fuzz_word(p + i, big) + s[1];
        s[1] += fuzz_word(p + i + 4, big) + s[0];
    }
}

static void fuzz_put_sum(unsigned char *p, const uint32_t s[2])
{
    for (int i = 0; i < 8; i++)
        p[i] = (unsigned char)(s[i / 4] >> (24 - 8 * (i % 4)));
}

static void fuzz_sign(size_t n)
{
    uint32_t sum[2] = {0, 0};

    if (n < WAL_HEAD)
        return;
    int big = fuzz_work[3] & 1;
    fuzz_sum(fuzz_work, 24, big, sum);
    fuzz_put_sum(fuzz_work + 24, sum);
    for (size_t at = WAL_HEAD; at + WAL_STEP <= n; at += WAL_STEP) {
        unsigned char *frame = fuzz_work + at;
        memcpy(frame + 8, fuzz_work + 16, 8); /* salts */
        fuzz_sum(frame, 8, big, sum);
        fuzz_sum(frame + WAL_FRAME, MEMO_PAGE_BYTES, big, sum);
        fuzz_put_sum(frame + 16, sum);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    memo_db *db = NULL;
    memo_err err = {0};
    int whole = 1;

    if (!fuzz_work)
        fuzz_init();
    size_t n = fuzz_change(data, size);
    int sign = size % 2 == 0;
    if (sign)
        fuzz_sign(n);
    fuzz_remove_side_files();
    fuzz_write(fuzz_store_path, fuzz_base, fuzz_base_bytes);
    fuzz_write(fuzz_log_path, fuzz_work, n);
    memo_status status = fuzz_open(MEMO_OPEN_EXISTING, &db, &err);
    fuzz_said(status, &err);
    if (status) {
        if (!sign) /* a log cut or torn anywhere is what a crash leaves: it always opens */
            abort();
        return 0;
    }
    if (!fuzz_get(db, "before", 1) && !sign)
        abort();
    for (size_t i = 0; i < N_BATCHES; i++) {
        int a = fuzz_get(db, fuzz_keys[2 * i], 1), b = fuzz_get(db, fuzz_keys[2 * i + 1], 1);
        if (!sign && (a != b || (a && !whole)))
            abort();
        whole = a && b;
    }
    fuzz_look(db, 1);
    memo_db_close(db);
    return 0;
}
