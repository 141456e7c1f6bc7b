// SPDX-License-Identifier: Apache-2.0
/* The tables of a store, by the version that brought them.
 *
 * Version 1
 *   meta        one row: identity, counters
 *   namespaces  name, current space
 *   spaces      one per model fingerprint, or per external space
 *   records     current version of every record; the text is stored here, once
 *   versions    earlier versions, same columns
 *   chunks      byte spans of a record's text
 *   vectors     one row per chunk and space: little-endian f32
 *   fts         full-text index over chunks, contentless, words reduced to their English stem
 *               (nDCG@10 on Cranfield 0.370 -> 0.385, on ADI 0.436 -> 0.498; words of other
 *               languages rarely end like English ones): rowid is the chunk's; the title belongs
 *               to the first chunk. A row is removed by giving FTS5 the same words again, so
 *               nothing is stored twice
 *   quarantine  damaged rows taken out of service
 *
 * Version 2
 *   forgotten   tombstones: what was forgotten, and when (in version 1 `tombstones`, without row id
 *               and checksum)
 *   tags        every tag of every record, for filters: derived from records.tags
 *   fts_parts   full-text index of runs of three characters, contentless, only over chunks that have
 *               letters of scripts written without spaces (rows/parts.h): rowid is the chunk's
 *   tallies     derived; what n, sum and list are is said by the row's number `what`, and every add
 *               changes one page for all of them:
 *                 what > 0   a space: n vectors, sum of their checksums (rows/vectors.h)
 *                 what = 0   the newest rows of sketches: n of them, in list; sum is 0 (rows/sketches.c)
 *                 what = -1  row ids that were given: n of records, sum of chunks (rows/numbers.h)
 *   sketches    hashes of a record's text by which near-duplicates are found: derived
 *   unlinked    records that have not been compared with the others yet: each record has a sketch,
 *               or is here
 *   links       one record about another: duplicate, near, echo, superseded; an echo of a record that
 *               was forgotten since is one of record 0
 *   switches    a namespace on its way to another space, and the one it came from
 *   probes      what an embedder makes of fixed texts: proof that it is still the same
 *   calibrations how likely a match is at a score, per space
 *   settings    of this store, by name: `fulltext` = plain where words are not stemmed, which is
 *               decided when the store is made and is in the text of table fts as well
 *   entities, aliases, facts, evidence   who and what, and what is known of them since when
 *   searches, shown, actions   what was searched, shown, and done with it
 *
 * `seq` is the change sequence: it grows by one with every record, fact or entity written, every
 * record forgotten and every namespace switched, so a row's seq orders changes whatever the clock
 * did. Row ids of records, chunks, entities, facts, searches and actions are never reused.
 * Checksums are XXH64 as rows.h defines them, stored as signed integers; derived tables have none,
 * the audit compares them with what they come from. Small columns come before long ones: a filter on
 * them reads no overflow page. */
#include "store/schema.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "base/arena.h"
#include "base/buf.h"
#include "base/error.h"
#include "base/file.h"
#include "base/hash.h"
#include "base/rng.h"
#include "store/disk/vfs.h"
#include "store/rows/cells.h"
#include "store/rows/migrate.h"
#include "store/upkeep/backup.h"

#define SCHEMA_RECORD_COLUMNS                                                                      \
    " ns INTEGER NOT NULL REFERENCES namespaces(id), id TEXT NOT NULL, key TEXT,"                  \
    " version INTEGER NOT NULL, seq INTEGER NOT NULL,"                                             \
    " created_ms INTEGER NOT NULL, updated_ms INTEGER NOT NULL, expires_ms INTEGER NOT NULL,"      \
    " trust INTEGER NOT NULL DEFAULT 0, pinned INTEGER NOT NULL DEFAULT 0,"                        \
    " tier INTEGER NOT NULL DEFAULT 2, parent INTEGER,"                                            \
    " chunking INTEGER NOT NULL, chunk_tokens INTEGER NOT NULL, chunk_overlap INTEGER NOT NULL,"   \
    " n_chunks INTEGER NOT NULL, content_hash INTEGER NOT NULL, checksum INTEGER NOT NULL,"        \
    " source TEXT NOT NULL, title TEXT NOT NULL, tags TEXT NOT NULL, metadata TEXT NOT NULL,"      \
    " text TEXT NOT NULL"

#define SCHEMA_FTS_STEMMED                                                                         \
    "CREATE VIRTUAL TABLE fts USING fts5(title, body, content='',"                                 \
    " tokenize='porter unicode61 remove_diacritics 2')"
#define SCHEMA_FTS_PLAIN                                                                           \
    "CREATE VIRTUAL TABLE fts USING fts5(title, body, content='',"                                 \
    " tokenize='unicode61 remove_diacritics 2')"

static const char *const schema_create_1[] = {
    "CREATE TABLE meta(one INTEGER PRIMARY KEY CHECK(one = 1), uuid TEXT NOT NULL,"
    " created_ms INTEGER NOT NULL, n_commits INTEGER NOT NULL, change_seq INTEGER NOT NULL) STRICT",

    "CREATE TABLE spaces(id INTEGER PRIMARY KEY, fingerprint TEXT NOT NULL UNIQUE,"
    " name TEXT NOT NULL, model_path TEXT NOT NULL, dim INTEGER NOT NULL, kind INTEGER NOT NULL,"
    " created_ms INTEGER NOT NULL) STRICT",

    "CREATE TABLE namespaces(id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE,"
    " space INTEGER REFERENCES spaces(id), created_ms INTEGER NOT NULL) STRICT",

    "CREATE TABLE records(rid INTEGER PRIMARY KEY AUTOINCREMENT," SCHEMA_RECORD_COLUMNS
    ", UNIQUE(id), UNIQUE(ns, key), UNIQUE(seq)) STRICT",
    "CREATE INDEX records_by_time ON records(ns, created_ms, id)",
    "CREATE INDEX records_by_expiry ON records(ns, expires_ms) WHERE expires_ms > 0",

    "CREATE TABLE versions(rid INTEGER NOT NULL," SCHEMA_RECORD_COLUMNS
    ", PRIMARY KEY(rid, version)) STRICT",

    "CREATE TABLE chunks(cid INTEGER PRIMARY KEY AUTOINCREMENT,"
    " rid INTEGER NOT NULL REFERENCES records(rid), position INTEGER NOT NULL,"
    " span_begin INTEGER NOT NULL, span_end INTEGER NOT NULL, n_tokens INTEGER NOT NULL,"
    " checksum INTEGER NOT NULL, UNIQUE(rid, position)) STRICT",

    "CREATE TABLE vectors(vid INTEGER PRIMARY KEY, cid INTEGER NOT NULL REFERENCES chunks(cid),"
    " space INTEGER NOT NULL REFERENCES spaces(id), ns INTEGER NOT NULL, rid INTEGER NOT NULL,"
    " checksum INTEGER NOT NULL, vector BLOB NOT NULL, UNIQUE(cid, space)) STRICT",
    "CREATE INDEX vectors_by_space ON vectors(space, ns, cid)",

    SCHEMA_FTS_STEMMED,

    "CREATE TABLE tombstones(seq INTEGER PRIMARY KEY, ns INTEGER NOT NULL, id TEXT NOT NULL,"
    " key TEXT, deleted_ms INTEGER NOT NULL) STRICT",

    "CREATE TABLE quarantine(qid INTEGER PRIMARY KEY, area TEXT NOT NULL, row INTEGER NOT NULL,"
    " id TEXT NOT NULL, reason TEXT NOT NULL, moved_ms INTEGER NOT NULL, content BLOB) STRICT",
};

static const char *const schema_implied_1[] = {
    "CREATE TABLE sqlite_sequence(name,seq)",
    "CREATE TABLE 'fts_data'(id INTEGER PRIMARY KEY, block BLOB)",
    "CREATE TABLE 'fts_idx'(segid, term, pgno, PRIMARY KEY(segid, term)) WITHOUT ROWID",
    "CREATE TABLE 'fts_docsize'(id INTEGER PRIMARY KEY, sz BLOB)",
    "CREATE TABLE 'fts_config'(k PRIMARY KEY, v) WITHOUT ROWID",
};

static const char *const schema_create_2[] = {
    "CREATE TABLE forgotten(seq INTEGER PRIMARY KEY, ns INTEGER NOT NULL, rid INTEGER NOT NULL,"
    " deleted_ms INTEGER NOT NULL, shredded INTEGER NOT NULL, checksum INTEGER NOT NULL,"
    " id TEXT NOT NULL, key TEXT) STRICT",

    "CREATE INDEX records_by_age ON records(ns, created_ms)",
    "CREATE TABLE tags(ns INTEGER NOT NULL, tag TEXT NOT NULL, rid INTEGER NOT NULL,"
    " PRIMARY KEY(ns, tag, rid)) STRICT, WITHOUT ROWID",
    "CREATE VIRTUAL TABLE fts_parts USING fts5(title, body, content='', tokenize='ascii')",
    "CREATE TABLE tallies(what INTEGER PRIMARY KEY, n INTEGER NOT NULL, sum INTEGER NOT NULL,"
    " list BLOB) STRICT",
    "CREATE TABLE sketches(hash INTEGER NOT NULL, rid INTEGER NOT NULL, PRIMARY KEY(hash, rid))"
    " STRICT, WITHOUT ROWID",
    "CREATE INDEX sketches_by_record ON sketches(rid)",
    "CREATE TABLE unlinked(rid INTEGER PRIMARY KEY) STRICT",
    "CREATE TABLE links(rid INTEGER NOT NULL, other INTEGER NOT NULL, kind INTEGER NOT NULL,"
    " made_ms INTEGER NOT NULL, score REAL NOT NULL,"
    " checksum INTEGER NOT NULL, PRIMARY KEY(rid, other, kind)) STRICT, WITHOUT ROWID",
    "CREATE INDEX links_by_other ON links(other)",

    "CREATE TABLE switches(ns INTEGER PRIMARY KEY REFERENCES namespaces(id),"
    " since_seq INTEGER NOT NULL, next INTEGER REFERENCES spaces(id),"
    " previous INTEGER REFERENCES spaces(id), checksum INTEGER NOT NULL) STRICT",
    "CREATE TABLE probes(space INTEGER NOT NULL REFERENCES spaces(id), position INTEGER NOT NULL,"
    " checksum INTEGER NOT NULL, text TEXT NOT NULL, vector BLOB NOT NULL,"
    " PRIMARY KEY(space, position)) STRICT",
    "CREATE TABLE calibrations(space INTEGER PRIMARY KEY REFERENCES spaces(id),"
    " slope REAL NOT NULL, offset REAL NOT NULL, error REAL NOT NULL, n_pairs INTEGER NOT NULL,"
    " made_ms INTEGER NOT NULL, checksum INTEGER NOT NULL, origin TEXT NOT NULL) STRICT",
    "CREATE TABLE settings(name TEXT PRIMARY KEY, value TEXT NOT NULL, checksum INTEGER NOT NULL)"
    " STRICT",

    "CREATE TABLE entities(eid INTEGER PRIMARY KEY AUTOINCREMENT,"
    " ns INTEGER NOT NULL REFERENCES namespaces(id), id TEXT NOT NULL UNIQUE,"
    " seq INTEGER NOT NULL UNIQUE, created_ms INTEGER NOT NULL, updated_ms INTEGER NOT NULL,"
    " checksum INTEGER NOT NULL, kind TEXT NOT NULL, name TEXT NOT NULL, metadata TEXT NOT NULL)"
    " STRICT",
    "CREATE TABLE aliases(ns INTEGER NOT NULL, folded TEXT NOT NULL,"
    " eid INTEGER NOT NULL REFERENCES entities(eid), checksum INTEGER NOT NULL,"
    " alias TEXT NOT NULL, PRIMARY KEY(ns, folded, eid)) STRICT",
    "CREATE INDEX aliases_by_entity ON aliases(eid)",
    "CREATE TABLE facts(fid INTEGER PRIMARY KEY AUTOINCREMENT,"
    " ns INTEGER NOT NULL REFERENCES namespaces(id), id TEXT NOT NULL UNIQUE,"
    " seq INTEGER NOT NULL UNIQUE, subject INTEGER NOT NULL REFERENCES entities(eid),"
    " object INTEGER REFERENCES entities(eid), valid_from_ms INTEGER NOT NULL,"
    " valid_to_ms INTEGER NOT NULL, recorded_ms INTEGER NOT NULL, closed_ms INTEGER NOT NULL,"
    " retracted_ms INTEGER NOT NULL, confidence REAL NOT NULL, checksum INTEGER NOT NULL,"
    " relation TEXT NOT NULL, value TEXT NOT NULL, reason TEXT NOT NULL) STRICT",
    "CREATE INDEX facts_by_subject ON facts(subject, relation)",
    "CREATE INDEX facts_by_object ON facts(object, relation) WHERE object IS NOT NULL",
    "CREATE TABLE evidence(fid INTEGER NOT NULL REFERENCES facts(fid), rid INTEGER NOT NULL,"
    " span_begin INTEGER NOT NULL, span_end INTEGER NOT NULL, version INTEGER NOT NULL,"
    " checksum INTEGER NOT NULL, PRIMARY KEY(fid, rid, span_begin, span_end)) STRICT",
    "CREATE INDEX evidence_by_record ON evidence(rid)",

    "CREATE TABLE searches(sid INTEGER PRIMARY KEY AUTOINCREMENT,"
    " ns INTEGER NOT NULL REFERENCES namespaces(id), id TEXT NOT NULL UNIQUE,"
    " at_ms INTEGER NOT NULL, mode INTEGER NOT NULL, class INTEGER NOT NULL,"
    " space INTEGER NOT NULL, checksum INTEGER NOT NULL, actor TEXT NOT NULL,"
    " surface TEXT NOT NULL, filter TEXT NOT NULL, query TEXT NOT NULL) STRICT",
    "CREATE TABLE shown(sid INTEGER NOT NULL REFERENCES searches(sid), position INTEGER NOT NULL,"
    " rid INTEGER NOT NULL, cid INTEGER NOT NULL, checksum INTEGER NOT NULL,"
    " features BLOB NOT NULL, PRIMARY KEY(sid, position)) STRICT, WITHOUT ROWID",
    "CREATE INDEX shown_by_record ON shown(rid)",
    "CREATE TABLE actions(aid INTEGER PRIMARY KEY AUTOINCREMENT,"
    " ns INTEGER NOT NULL REFERENCES namespaces(id), id TEXT NOT NULL UNIQUE, sid INTEGER,"
    " kind INTEGER NOT NULL, rid INTEGER NOT NULL, other INTEGER, version INTEGER NOT NULL,"
    " before_ms INTEGER NOT NULL, at_ms INTEGER NOT NULL, undone_ms INTEGER NOT NULL,"
    " checksum INTEGER NOT NULL, actor TEXT NOT NULL, detail TEXT NOT NULL) STRICT",
    "CREATE INDEX actions_by_search ON actions(sid) WHERE sid IS NOT NULL",
    "CREATE INDEX actions_by_record ON actions(rid)",
};

static const char *const schema_implied_2[] = {
    "CREATE TABLE 'fts_parts_data'(id INTEGER PRIMARY KEY, block BLOB)",
    "CREATE TABLE 'fts_parts_idx'(segid, term, pgno, PRIMARY KEY(segid, term)) WITHOUT ROWID",
    "CREATE TABLE 'fts_parts_docsize'(id INTEGER PRIMARY KEY, sz BLOB)",
    "CREATE TABLE 'fts_parts_config'(k PRIMARY KEY, v) WITHOUT ROWID",
};

/* `vectors` is read in the order of its chunks, by the index that makes them unique: one that leads
 * with the space costs a page and a search more with every vector. Records of one moment are told
 * apart by their row id, which is in every index without taking space. */
static const char *const schema_drop_2[] = {"TABLE tombstones", "INDEX vectors_by_space",
                                            "INDEX records_by_time"};

#define SCHEMA_COUNT(a) (sizeof(a) / sizeof *(a))

const memo_schema_step memo_schema_steps[] = {
    {.create = schema_create_1,
     .n_create = SCHEMA_COUNT(schema_create_1),
     .implied = schema_implied_1,
     .n_implied = SCHEMA_COUNT(schema_implied_1)},
    {.create = schema_create_2,
     .n_create = SCHEMA_COUNT(schema_create_2),
     .implied = schema_implied_2,
     .n_implied = SCHEMA_COUNT(schema_implied_2),
     .drop = schema_drop_2,
     .n_drop = SCHEMA_COUNT(schema_drop_2),
     .fill = memo_migrate_2},
};
const size_t memo_schema_n_steps = SCHEMA_COUNT(memo_schema_steps);

/* ---- header -------------------------------------------------------------------------------- */

static uint32_t schema_be32(const unsigned char *p)
{
    return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

memo_status memo_schema_fail_version(const char *path, int64_t version, size_t n_steps,
                                     memo_err *err)
{
    memo_fail(err, MEMO_ERR_UNSUPPORTED,
              "%s: schema version %" PRId64 "; this library (%s) knows versions up to %zu", path,
              version, memo_version(), n_steps);
    return memo_hint(err, MEMO_ERR_UNSUPPORTED,
                     "open it with the newer memolith that wrote it, or update this one");
}

/* A changed byte in the version must not be taken for a newer program. */
static int schema_header_page_good(memo_sql *sql)
{
    unsigned char page[MEMO_PAGE_BYTES];
    int n_read = 0;
    return memo_vfs_raw_read(sql->db, 0, page, sizeof page, &n_read, NULL) || n_read == 0 ||
           memo_vfs_page_good(page, 1);
}

memo_status memo_schema_check_header(memo_sql *sql, size_t n_steps, int64_t *version, memo_err *err)
{
    unsigned char head[100];
    uint32_t page_bytes, application, user;
    int n_read = 0;
    int64_t n_bytes = memo_vfs_file_bytes(sql->db);
    memo_status status;
    if (n_bytes < 0)
        return memo_fail(err, MEMO_ERR_IO, "%s: its size cannot be told", sql->path);
    if (n_bytes == 0) {
        *version = 0;
        return MEMO_OK;
    }
    status = memo_vfs_raw_read(sql->db, 0, head, sizeof head, &n_read, err);
    if (status)
        return status;
    if (n_read == 0 || memcmp(head, "SQLite format 3", 16) != 0)
        return memo_fail(err, MEMO_ERR_CORRUPT, "%s: not a memolith store: no SQLite header",
                         sql->path);
    page_bytes = (uint32_t)head[16] << 8 | head[17];
    user = schema_be32(head + 60);
    application = schema_be32(head + 68);
    if (application != MEMO_SCHEMA_APPLICATION_ID)
        return memo_fail(err, MEMO_ERR_CORRUPT,
                         "%s: not a memolith store: a SQLite file with application id 0x%08" PRIx32
                         " instead of 0x%08x",
                         sql->path, application, (unsigned)MEMO_SCHEMA_APPLICATION_ID);
    if (page_bytes != MEMO_PAGE_BYTES || head[20] != MEMO_PAGE_SUM)
        return memo_fail(err, MEMO_ERR_CORRUPT,
                         "%s: damaged header: pages of %" PRIu32 " bytes with %d reserved; a store "
                         "has %d with %d",
                         sql->path, page_bytes, head[20], MEMO_PAGE_BYTES, MEMO_PAGE_SUM);
    if (user == 0)
        return memo_fail(err, MEMO_ERR_CORRUPT, "%s: damaged header: schema version 0", sql->path);
    if (user > n_steps && schema_header_page_good(sql))
        return memo_schema_fail_version(sql->path, user, n_steps, err);
    if (user > n_steps)
        return memo_fail(err, MEMO_ERR_CORRUPT, "%s: damaged header: schema version %" PRIu32,
                         sql->path, user);
    *version = user;
    return MEMO_OK;
}

/* ---- whitelist ----------------------------------------------------------------------------- */

/* The expected text at position i of all steps below `version`, or NULL at the end. */
static const char *schema_expected(const memo_schema_step *steps, int64_t version, size_t i)
{
    for (int64_t v = 0; v < version; v++) {
        if (i < steps[v].n_create)
            return steps[v].create[i];
        i -= steps[v].n_create;
        if (i < steps[v].n_implied)
            return steps[v].implied[i];
        i -= steps[v].n_implied;
    }
    return NULL;
}

/* What a later step drops is expected no more. */
static int schema_is_dropped(const memo_schema_step *steps, int64_t version, const char *text)
{
    for (int64_t v = 0; v < version; v++)
        for (size_t i = 0; i < steps[v].n_drop; i++) {
            size_t n = strlen(steps[v].drop[i]);
            if (strncmp(text, "CREATE ", 7) == 0 && strncmp(text + 7, steps[v].drop[i], n) == 0 &&
                (text[7 + n] == '(' || text[7 + n] == ' '))
                return 1;
        }
    return 0;
}

static int schema_knows(const memo_schema_step *steps, int64_t version, memo_text text)
{
    const char *expected;
    if (strcmp(text.bytes, SCHEMA_FTS_PLAIN) == 0)
        return 1; /* in the place of the other: a name stands once */
    for (size_t i = 0; (expected = schema_expected(steps, version, i)) != NULL; i++)
        if (strlen(expected) == text.n_bytes && memcmp(expected, text.bytes, text.n_bytes) == 0)
            return !schema_is_dropped(steps, version, expected);
    return 0;
}

memo_status memo_schema_check(memo_sql *sql, const memo_schema_step *steps, int64_t version,
                              memo_err *err)
{
    size_t n_expected = 0, n_found = 0;
    int row;
    memo_status status;
    memo_stmt st =
        memo_stmt_once(sql, "SELECT type, name, sql FROM sqlite_schema", "read its schema");
    for (size_t i = 0; schema_expected(steps, version, i); i++)
        n_expected += !schema_is_dropped(steps, version, schema_expected(steps, version, i));
    while (!(status = memo_stmt_step(&st, &row, err)) && row) {
        memo_text type = memo_stmt_col_text(&st, 0), name = memo_stmt_col_text(&st, 1);
        memo_text text = memo_stmt_col_text(&st, 2);
        int own_index = !text.bytes && type.bytes && strcmp(type.bytes, "index") == 0 &&
                        name.bytes && strncmp(name.bytes, "sqlite_autoindex_", 17) == 0;
        if (own_index)
            continue;
        if (!text.bytes || !schema_knows(steps, version, text)) {
            status =
                memo_fail(err, MEMO_ERR_CORRUPT, "%s: unexpected schema object: %s \"%s\"",
                          sql->path, type.bytes ? type.bytes : "?", name.bytes ? name.bytes : "?");
            memo_hint(err, status,
                      "somebody changed the file with another program; restore a backup");
            break;
        }
        n_found++;
    }
    memo_stmt_done(&st);
    if (!status && n_found != n_expected)
        status = memo_fail(err, MEMO_ERR_CORRUPT,
                           "%s: %zu schema objects instead of the %zu of version %" PRId64,
                           sql->path, n_found, n_expected, version);
    return status;
}

/* ---- making and upgrading ------------------------------------------------------------------ */

static memo_status schema_run_step(memo_sql *sql, const memo_schema_step *step, memo_err *err)
{
    memo_status status = MEMO_OK;
    char text[64];
    for (size_t i = 0; !status && i < step->n_create; i++)
        status = memo_sql_exec(sql, step->create[i], "make its tables", err);
    if (!status && step->fill)
        status = step->fill(sql, err);
    for (size_t i = 0; !status && i < step->n_drop; i++) {
        snprintf(text, sizeof text, "DROP %s", step->drop[i]);
        status = memo_sql_exec(sql, text, "drop what is old", err);
    }
    return status;
}

static memo_status schema_run_steps(memo_sql *sql, const memo_schema_step *steps, size_t n_steps,
                                    int64_t from, memo_err *err)
{
    char set_version[64];
    for (size_t v = (size_t)from; v < n_steps; v++) {
        memo_status status = schema_run_step(sql, &steps[v], err);
        if (status)
            return status;
    }
    snprintf(set_version, sizeof set_version, "PRAGMA user_version = %zu", n_steps);
    return memo_sql_exec(sql, set_version, "set its version", err);
}

static memo_status schema_insert_meta(memo_sql *sql, int64_t now_ms, memo_err *err)
{
    unsigned char bytes[16];
    char uuid[33];
    memo_stmt st;
    memo_status status = memo_random_bytes(bytes, sizeof bytes, err);
    if (status)
        return status;
    memo_hex(bytes, sizeof bytes, uuid);
    st = memo_stmt_once(sql, "INSERT INTO meta VALUES(1, ?, ?, 0, 0)", "write its identity");
    memo_stmt_str(&st, uuid);
    memo_stmt_int(&st, now_ms);
    return memo_stmt_run(&st, err);
}

static memo_status schema_make_plain(memo_sql *sql, memo_err *err)
{
    return memo_sql_exec(sql, "DROP TABLE fts; " SCHEMA_FTS_PLAIN, "make its full-text index", err);
}

static memo_status schema_set_plain(memo_sql *sql, memo_err *err)
{
    memo_cell cells[] = {memo_cell_str("fulltext"), memo_cell_str("plain"), memo_cell_int(0)};
    memo_status status = schema_make_plain(sql, err);
    return status ? status : memo_table_put(sql, &memo_table_settings, cells, err);
}

memo_status memo_schema_settle_fulltext(memo_sql *sql, memo_err *err)
{
    int64_t plain = 0;
    memo_status status = memo_sql_int(
        sql, "SELECT count(*) FROM settings WHERE name = 'fulltext' AND value = 'plain'", &plain,
        err);
    return status || !plain ? status : schema_make_plain(sql, err);
}

/* Made with a rollback journal: the file comes into being whole or stays empty, and an empty file
 * never has a write-ahead log (SQLite would throw that away). */
memo_status memo_schema_create(memo_sql *sql, int64_t now_ms, memo_fulltext fulltext, memo_err *err)
{
    char text[256];
    int reserve = MEMO_PAGE_SUM;
    memo_status status;
    (void)sqlite3_file_control(sql->db, "main", SQLITE_FCNTL_RESERVE_BYTES, &reserve);
    snprintf(text, sizeof text,
             "PRAGMA page_size = %d; PRAGMA encoding = 'UTF-8'; PRAGMA auto_vacuum = NONE;"
             "PRAGMA synchronous = FULL; PRAGMA journal_mode = DELETE; BEGIN EXCLUSIVE;"
             "PRAGMA application_id = %d;",
             MEMO_PAGE_BYTES, MEMO_SCHEMA_APPLICATION_ID);
    status = memo_sql_exec(sql, text, "make it", err);
    if (!status)
        status = schema_run_steps(sql, memo_schema_steps, memo_schema_n_steps, 0, err);
    if (!status)
        status = schema_insert_meta(sql, now_ms, err);
    if (!status && fulltext == MEMO_FULLTEXT_PLAIN)
        status = schema_set_plain(sql, err);
    if (!status)
        status = memo_sql_exec(sql, "COMMIT", "make it", err);
    if (status)
        (void)sqlite3_exec(sql->db, "ROLLBACK", NULL, NULL, NULL);
    return status;
}

/* An older copy is not lost to a failed new one, and the upgrade begins when this one is durable. */
static memo_status schema_backup(memo_sql *sql, int64_t version, memo_err *err)
{
    memo_buf name = {0};
    memo_replace out = {.fd = -1};
    memo_status status;
    memo_buf_printf(&name, "%s.v%" PRId64 ".bak", sql->path, version);
    status = name.failed ? memo_fail_nomem(err, "the name of the backup", strlen(sql->path))
                         : memo_replace_begin_like(&out, name.data, sql->path, 1, err);
    if (!status)
        status = memo_copy_pages(sql, out.tmp_path, NULL, err);
    if (!status)
        status = memo_replace_commit(&out, err);
    memo_replace_fini(&out);
    memo_buf_fini(&name);
    return status;
}

memo_status memo_schema_upgrade(memo_sql *sql, const memo_schema_step *steps, size_t n_steps,
                                int64_t version, memo_err *err)
{
    memo_status status = schema_backup(sql, version, err);
    if (!status)
        status = memo_sql_exec(sql, "BEGIN IMMEDIATE", "upgrade it", err);
    if (status)
        return status;
    status = schema_run_steps(sql, steps, n_steps, version, err);
    if (!status)
        status = memo_sql_exec(sql, "COMMIT", "upgrade it", err);
    if (status)
        (void)sqlite3_exec(sql->db, "ROLLBACK", NULL, NULL, NULL);
    return status;
}
