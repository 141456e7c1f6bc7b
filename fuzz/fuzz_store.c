// SPDX-License-Identifier: Apache-2.0
/* fuzz_store.c -- a store file with bytes or rows changed, opened, read, searched, checked, written.
 *
 * The first byte chooses what is done to a good store of seven records:
 *
 *   0  bytes are changed and stay so
 *   1  bytes are changed, and every page gets a checksum that agrees
 *   2  rows are changed by SQL, and every row gets a checksum that agrees
 *   3  rows are changed by SQL and keep the checksums they had
 *
 * A change of bytes is 6 bytes: u32 offset (little-endian, modulo the file's length; with bit 7 of
 * op only its first 128 bytes of a page), op, value. A change of a row is 8: table, row, column,
 * kind, u32 value. In 0, 1 and 3 nothing may come back that was not stored; in 2 anything may, as
 * long as it stays in bounds. */
#include <sqlite3.h>

#include "fuzz_store.h"

#include "store/rows/rows.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static unsigned char *fuzz_good, *fuzz_work; /* [fuzz_n] the store file */
static size_t fuzz_n;

static void fuzz_init(void)
{
    static const char *const keys[] = {"key", "pot", "mail", "soon", "long", "gone", "code"};
    static const char *const texts[] = {
        "The spare key is under the third flower pot.",
        "Anna is allergic to peanuts; the boiler was serviced on 3 May.",
        "Send the parcel to Porto. K\xc3\xa4tze, \xe4\xb8\xad\xe6\x96\x87.",
        "This one expires soon.",
        "# Garden\n\nThe first part of a longer text speaks of roses and of water.\n\n"
        "## House\n\nThe second speaks of doors, of keys and of who gets into the house.\n\n"
        "The third part names ERR-4512 and nothing else that matters, again and again.",
        "This one is forgotten.",
        "ERR-4512 is a code."};
    static const char *const changed[] = {"The spare key is now in the garage."};
    const memo_forget_options forget = {.size = sizeof forget, .ids = &keys[5], .n_ids = 1};
    memo_db *db = NULL;
    memo_err err = {0};
    char *bytes = NULL;

    fuzz_store_begin();
    fuzz_need(fuzz_open(MEMO_OPEN_CREATE, &db, &err), &err);
    fuzz_add(db, keys, texts, 7);
    fuzz_add(db, keys, changed, 1);
    fuzz_need(memo_db_forget(db, &forget, NULL, NULL, &err), &err);
    memo_db_close(db);
    fuzz_need(memo_file_slurp(fuzz_store_path, 1 << 24, &bytes, &fuzz_n, &err), &err);
    fuzz_good = malloc(fuzz_n);
    fuzz_work = malloc(fuzz_n);
    if (!fuzz_good || !fuzz_work)
        abort();
    memcpy(fuzz_good, bytes, fuzz_n);
    memo_free(bytes);
}

/* ---- bytes ----------------------------------------------------------------------------------- */

static size_t fuzz_change_bytes(const uint8_t *data, size_t size)
{
    size_t n = fuzz_n;

    for (; size >= 6 && n; data += 6, size -= 6) {
        size_t at = data[0] | (size_t)data[1] << 8 | (size_t)data[2] << 16 | (size_t)data[3] << 24;
        at =
            data[4] & 0x80 ? at / 128 % (n / MEMO_PAGE_BYTES + 1) * MEMO_PAGE_BYTES + at % 128 : at;
        at %= n;
        size_t page = at / MEMO_PAGE_BYTES * MEMO_PAGE_BYTES;
        size_t other = data[5] % (n / MEMO_PAGE_BYTES + 1) * MEMO_PAGE_BYTES;
        switch (data[4] & 7) {
        case 0:
            fuzz_work[at] = data[5];
            break;
        case 1:
            fuzz_work[at] ^= data[5];
            break;
        case 2:
            fuzz_work[at] = (unsigned char)(fuzz_work[at] + data[5]);
            break;
        case 3:
            n = at;
            break;
        case 4: /* another page in this one's place */
            if (other + MEMO_PAGE_BYTES <= n && page + MEMO_PAGE_BYTES <= n)
                memcpy(fuzz_work + page, fuzz_good + other, MEMO_PAGE_BYTES);
            break;
        case 5:
            memset(fuzz_work + page, 0, n - page < MEMO_PAGE_BYTES ? n - page : MEMO_PAGE_BYTES);
            break;
        default: /* a 16-bit field of the file format */
            fuzz_work[at] = data[5];
            fuzz_work[at + 1 < n ? at + 1 : at] = data[0];
        }
    }
    return n;
}

static void fuzz_sum_pages(size_t n)
{
    for (size_t page = 0; (page + 1) * MEMO_PAGE_BYTES <= n; page++) {
        unsigned char *p = fuzz_work + page * MEMO_PAGE_BYTES;
        uint64_t sum = memo_vfs_page_sum(p, (uint32_t)page + 1);
        for (int i = 0; i < MEMO_PAGE_SUM; i++)
            p[MEMO_PAGE_BYTES - MEMO_PAGE_SUM + i] = (unsigned char)(sum >> 8 * i);
    }
}

/* ---- rows ------------------------------------------------------------------------------------ */

typedef struct fuzz_table {
    const char *name;
    const char *columns[24];
} fuzz_table;

static const fuzz_table fuzz_tables[] = {
    {"records",
     {"id",         "key",      "version",      "seq",           "created_ms", "updated_ms",
      "expires_ms", "chunking", "chunk_tokens", "chunk_overlap", "n_chunks",   "content_hash",
      "checksum",   "source",   "title",        "tags",          "metadata",   "text",
      "ns",         "parent",   "trust",        "pinned",        "tier"}},
    {"chunks", {"rid", "position", "span_begin", "span_end", "n_tokens", "checksum"}},
    {"vectors", {"cid", "space", "ns", "rid", "checksum", "vector"}},
    {"versions", {"version", "seq", "text", "title", "n_chunks", "checksum"}},
    {"spaces", {"fingerprint", "name", "model_path", "dim", "kind"}},
    {"namespaces", {"name", "space", "id"}},
    {"meta", {"uuid", "n_commits", "change_seq"}},
    {"forgotten", {"ns", "id", "key", "deleted_ms"}},
    {"fts_data", {"block", "id"}},
    {"fts_docsize", {"sz", "id"}},
    {"sqlite_sequence", {"name", "seq"}},
    {"tallies", {"what", "n", "sum", "list"}},
};

static void fuzz_change_row(sqlite3 *db, const uint8_t *d)
{
    static const char *const texts[] = {"",
                                        "x",
                                        "[\"a\",1]",
                                        "{\"a\":1,\"a\":2}",
                                        "[",
                                        "key",
                                        "CAST(x'ff80' AS TEXT)",
                                        "null",
                                        "{\"place\":[]}"};
    static const int64_t numbers[] = {
        0, -1, 1, INT64_MAX, INT64_MIN, INT32_MAX, INT32_MIN, INT64_C(1) << 32, 65537};
    const fuzz_table *t = &fuzz_tables[d[0] % (sizeof fuzz_tables / sizeof *fuzz_tables)];
    uint32_t v = d[4] | (uint32_t)d[5] << 8 | (uint32_t)d[6] << 16 | (uint32_t)d[7] << 24;
    size_t n_columns = 0;
    char *value = NULL;

    while (n_columns < 24 && t->columns[n_columns])
        n_columns++;
    const char *column = t->columns[d[2] % n_columns];
    switch (d[3] % 8) {
    case 0:
        value = sqlite3_mprintf("%d", (int)v);
        break;
    case 1:
        value = sqlite3_mprintf("%lld", (long long)numbers[v % 9]);
        break;
    case 2:
        value = v % 9 == 6 ? sqlite3_mprintf("%s", texts[6]) : sqlite3_mprintf("%Q", texts[v % 9]);
        break;
    case 3:
        value = sqlite3_mprintf("zeroblob(%u)", v % 5000);
        break;
    case 4:
        value = sqlite3_mprintf("NULL");
        break;
    case 5:
        value = sqlite3_mprintf("%s || substr('%s', 1, %u)", column, "a longer text than it was",
                                v % 26);
        break;
    case 6: /* another row's */
        value = sqlite3_mprintf("(SELECT %s FROM %s LIMIT 1 OFFSET %u)", column, t->name, v % 8);
        break;
    default: /* a blob of which four bytes are this */
        value = sqlite3_mprintf("CAST(substr(%s, 1, %u) || x'%08x' || substr(%s, %u) AS BLOB)",
                                column, v % 120, v, column, v % 120 + 5);
    }
    char *sql = sqlite3_mprintf("UPDATE OR IGNORE %s SET %s = %s WHERE rowid = "
                                "(SELECT rowid FROM %s LIMIT 1 OFFSET %u)",
                                t->name, column, value, t->name, d[1] % 12u);
    if (!value || !sql)
        abort();
    sqlite3_exec(db, sql, NULL, NULL, NULL); /* what the schema forbids does not happen */
    sqlite3_free(sql);
    sqlite3_free(value);
}

/* A statement over rows and one that stores a checksum, both borrowed. */
static void fuzz_sum_table(sqlite3 *db, const char *select, const char *update,
                           int64_t (*sum)(const memo_stmt *st))
{
    sqlite3_stmt *rows = NULL, *store = NULL;

    if (sqlite3_prepare_v2(db, select, -1, &rows, NULL) == SQLITE_OK &&
        sqlite3_prepare_v2(db, update, -1, &store, NULL) == SQLITE_OK)
        while (sqlite3_step(rows) == SQLITE_ROW) {
            const memo_stmt st = {.s = rows};
            sqlite3_bind_int64(store, 1, sum(&st));
            sqlite3_bind_value(store, 2,
                               sqlite3_column_value(rows, sqlite3_column_count(rows) - 1));
            sqlite3_step(store);
            sqlite3_reset(store);
        }
    sqlite3_finalize(rows);
    sqlite3_finalize(store);
}

static int64_t fuzz_sum_row(const memo_stmt *st)
{
    memo_row row;
    memo_row_read(st, &row);
    return memo_row_sum(&row);
}

static int64_t fuzz_sum_chunk(const memo_stmt *st)
{
    memo_chunk_row chunk;
    memo_chunk_read(st, &chunk);
    return memo_chunk_sum(&chunk);
}

static int64_t fuzz_sum_vector(const memo_stmt *st)
{
    const void *bytes = sqlite3_column_blob(st->s, 4);
    return memo_vector_sum(sqlite3_column_int64(st->s, 0), sqlite3_column_int64(st->s, 1),
                           sqlite3_column_int64(st->s, 2), sqlite3_column_int64(st->s, 3),
                           bytes ? bytes : "", (size_t)sqlite3_column_bytes(st->s, 4));
}

/* Change rows of the file on the disk; `sign`: and make the checksums agree. */
static void fuzz_change_rows(const uint8_t *data, size_t size, int sign)
{
    sqlite3 *db = NULL;

    if (sqlite3_open_v2(fuzz_store_path, &db, SQLITE_OPEN_READWRITE, MEMO_VFS_NAME) != SQLITE_OK)
        abort();
    sqlite3_exec(db, "PRAGMA ignore_check_constraints = ON; BEGIN", NULL, NULL, NULL);
    for (; size >= 8; data += 8, size -= 8)
        fuzz_change_row(db, data);
    if (sign) {
        fuzz_sum_table(db, "SELECT " MEMO_ROW_COLUMNS ", rowid FROM records",
                       "UPDATE records SET checksum = ? WHERE rowid = ?", fuzz_sum_row);
        fuzz_sum_table(db, "SELECT " MEMO_ROW_COLUMNS ", rowid FROM versions",
                       "UPDATE versions SET checksum = ? WHERE rowid = ?", fuzz_sum_row);
        fuzz_sum_table(db, "SELECT " MEMO_CHUNK_COLUMNS ", rowid FROM chunks",
                       "UPDATE chunks SET checksum = ? WHERE rowid = ?", fuzz_sum_chunk);
        fuzz_sum_table(db, "SELECT cid, space, ns, rid, vector, rowid FROM vectors",
                       "UPDATE vectors SET checksum = ? WHERE rowid = ?", fuzz_sum_vector);
    }
    if (sqlite3_exec(db, "COMMIT", NULL, NULL, NULL) != SQLITE_OK)
        abort();
    sqlite3_close(db); /* folds the log into the file, with checksums of the pages */
}

/* ---- the run --------------------------------------------------------------------------------- */

/* Writing into whatever it is works or says why not; what was acknowledged is there. */
static void fuzz_write_into(memo_db *db)
{
    static const char text[] = "A new note about the garden.", *const keys[] = {"key", "new"};
    const memo_forget_options forget = {.size = sizeof forget, .ids = keys, .n_ids = 1};
    const memo_record_in in = {.size = sizeof in, .key = keys[1], .text = {text, sizeof text - 1}};
    memo_records *record = NULL;
    memo_err err = {0};
    memo_status added = memo_db_add(db, NULL, &in, 1, NULL, &err);

    fuzz_said(added, &err);
    if (!added && memo_db_get(db, NULL, keys[1], &record, &err) == MEMO_OK &&
        strcmp(record->records[0].text.bytes, text) != 0)
        abort();
    memo_records_free(record);
    memo_err forgot = {0};
    fuzz_said(memo_db_forget(db, &forget, NULL, NULL, &forgot), &forgot);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char *const keys[] = {"key", "long", "gone", "soon"};
    memo_db *db = NULL;
    memo_err err = {0};
    size_t n;

    if (!fuzz_good)
        fuzz_init();
    if (size == 0)
        return 0;
    int kind = data[0] & 3, strict = kind != 2;
    fuzz_remove_side_files();
    memcpy(fuzz_work, fuzz_good, fuzz_n);
    n = kind < 2 ? fuzz_change_bytes(data + 1, size - 1) : fuzz_n;
    if (kind == 1)
        fuzz_sum_pages(n);
    fuzz_write(fuzz_store_path, fuzz_work, n);
    if (kind >= 2)
        fuzz_change_rows(data + 1, size - 1, kind == 2);
    memo_status status =
        fuzz_open(data[0] & 4 ? MEMO_OPEN_READ_ONLY : MEMO_OPEN_EXISTING, &db, &err);
    fuzz_said(status, &err);
    if (status)
        return 0;
    fuzz_look(db, strict);
    for (size_t i = 0; i < sizeof keys / sizeof *keys; i++)
        fuzz_get(db, keys[i], strict);
    if (!(data[0] & 4))
        fuzz_write_into(db);
    memo_db_close(db);
    return 0;
}
