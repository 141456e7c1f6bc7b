// SPDX-License-Identifier: Apache-2.0
/* memolith/upkeep.h -- keep a store whole: backup, health, audit, repair; and make records gone for good.
 *
 * A chapter of memory.h, which includes it. */
#ifndef MEMOLITH_UPKEEP_H
#define MEMOLITH_UPKEEP_H

#include <memolith/memory.h>

#ifdef __cplusplus
extern "C" {
#endif

/* ---- backup -------------------------------------------------------------------------------- */

typedef struct memo_backup_options {
    size_t size;
    int overwrite;             /* non-zero: replace an existing file at the target */
    memo_progress_fn progress; /* stage "copy", counts pages */
    void *progress_user;
} memo_backup_options;

typedef struct memo_backup_report {
    size_t size;
    uint64_t n_records, n_chunks, n_vectors; /* read back from the copy */
    uint64_t change_seq;                     /* the moment that was copied */
    uint64_t n_pages, n_bytes;
    int64_t elapsed_ms;
} memo_backup_report;

/* memo_db_backup() -- write a copy of the store as it is now to another file.
 *
 *   path    of the copy; its folder must exist. An existing file is MEMO_ERR_USAGE, unless
 *           `overwrite`; the store itself, also under another name, always is, and so is a target
 *           beside which a `-wal` holds changes. One that somebody has open is MEMO_ERR_BUSY
 *   report  out, or NULL
 *
 * The copy is one moment of the store: everything committed before the call is in it, nothing of a
 * batch only in part, whatever others write meanwhile; they are not held up. It is written under a
 * temporary name, read back (every page, every row), synced and renamed: on MEMO_OK it is whole and
 * durable, on any failure the target is what it was. MEMO_ERR_CORRUPT: the store is damaged and
 * nothing was written; MEMO_ERR_IO: the disk is full, the folder cannot be written. Works on a store
 * opened for reading.
 *
 * To restore, use the copy: open it where it lies, or move it to the store's name while no program
 * has the store open and after removing the `-wal` and `-shm` of the old one. Copying a store in use
 * by other means may tear it. Source: SQLite's online backup. */
MEMO_API memo_status memo_db_backup(memo_db *db, const char *path,
                                    const memo_backup_options *options, memo_backup_report *report,
                                    memo_err *err);

/* ---- health -------------------------------------------------------------------------------- */

typedef enum memo_finding_level {
    MEMO_FINDING_OK,
    MEMO_FINDING_WARN,
    MEMO_FINDING_BAD
} memo_finding_level;

typedef struct memo_finding {
    memo_finding_level level;
    const char *area; /* "file", "pages", "schema", "records", "vectors", "fulltext", "model",
                         "tables" (all other rows), "gone" */
    const char *message;
    const char *hint; /* next command, or "" */
} memo_finding;

typedef struct memo_findings {
    size_t n;
    const memo_finding *findings;
    memo_finding_level worst;
} memo_findings;

/* memo_db_doctor() -- check a store and everything in it: page checksums, SQLite's integrity check,
 * schema whitelist, every record, chunk and vector checksum, full-text rows against texts, model
 * against vectors. Reads only. MEMO_OK even when something is wrong: see findings->worst. */
MEMO_API memo_status memo_db_doctor(memo_db *db, memo_findings **findings, memo_err *err);
MEMO_API void memo_findings_free(memo_findings *findings);

/* memo_db_check_place() -- what a store stands on, at this moment: file system and free room, length of
 * the write-ahead log, who writes, the index beside it, SQLite. Reads only. Findings as above, areas
 * "place", "log", "lock", "index", "sqlite". */
MEMO_API memo_status memo_db_check_place(memo_db *db, memo_findings **findings, memo_err *err);

/* memo_db_check_pages() -- check the pages of a store that cannot be opened, past SQLite.
 *
 * Names every page whose checksum does not match, and a size that is not whole pages. Reads only;
 * knows nothing of what is in a page. Findings as above. */
MEMO_API memo_status memo_db_check_pages(const char *path, memo_findings **findings, memo_err *err);

/* ---- audit --------------------------------------------------------------------------------- */

/* What a store might be better without. A record is at most one of the first four of its kind of
 * likeness: an echo, a duplicate or near. */
typedef enum memo_audit_kind {
    MEMO_AUDIT_SECRET, /* a key, token, password in a URL or card number stands in it */
    MEMO_AUDIT_ECHO,   /* says what another record says that had been shown before it was written */
    MEMO_AUDIT_DUPLICATE, /* has the very text of an older record */
    MEMO_AUDIT_NEAR,      /* shares 80 % or more of its word triples with an older record */
    MEMO_AUDIT_UNTRUSTED, /* is marked so */
    MEMO_AUDIT_DANGLING,  /* its source file is gone; only with `sources` */
    MEMO_AUDIT_OVERSIZED,
    MEMO_AUDIT_STALE,  /* neither written nor shown for long; pinned ones and goals never are */
    MEMO_AUDIT_UNUSED, /* no search that is kept has shown it, and all of them came after it */
    MEMO_AUDIT_N_KINDS,
} memo_audit_kind;

MEMO_API const char *memo_audit_kind_name(memo_audit_kind kind); /* "secret" */

typedef struct memo_audit_finding {
    memo_audit_kind kind;
    const char *id;
    const char *key;   /* or NULL */
    const char *other; /* id of the record that it is like, or NULL */
    double score;      /* likeness 0-1; entropy in bits a character; bytes; days */
    const char *why;   /* of a secret its kind, its place and its first 4 characters, never more */
    const char *hint;  /* next command */
} memo_audit_finding;

typedef struct memo_audit_options {
    size_t size;
    const char *ns;
    int64_t stale_days;        /* 0: 365 */
    size_t oversized_bytes;    /* text of more than that; 0: 1 MiB */
    int sources;               /* non-zero: look whether source files are there */
    size_t limit;              /* findings of each kind that are given, 0: 1,000; all are counted */
    memo_progress_fn progress; /* stage "audit", counts records */
    void *progress_user;
    int64_t unused_days; /* there for at least so long, as are searches, and never shown; 0: 30 */
} memo_audit_options;

typedef struct memo_audit {
    size_t n;
    const memo_audit_finding *findings; /* [n] by kind, then oldest record first */
    uint64_t counts[MEMO_AUDIT_N_KINDS];
    uint64_t n_records; /* looked at: the live ones of the namespace */
    uint64_t n_damaged; /* left out because their checksum failed */
    int64_t
        searches_from_ms; /* when the oldest search that is kept was made; 0: none is, and nothing
                                 is known of use */
} memo_audit;

/* memo_db_audit() -- look through a namespace for what its owner should know. Reads only, at one
 * moment; the same store at the same time gives the same findings.
 *
 *   audit  out, free with memo_audit_free()
 *
 * MEMO_OK also when something was found. Near-duplicates are proved by comparing their words; one of
 * some 4,600 pairs that share just 80 % is missed. Cost: each text is read and cut into words once, and
 * once more with the record that it is like; 450 bytes of memory a record. No vector is needed.
 * MEMO_ERR_NOTFOUND: no such namespace; MEMO_ERR_CANCELLED. */
MEMO_API memo_status memo_db_audit(memo_db *db, const memo_audit_options *options,
                                   memo_audit **audit, memo_err *err);
MEMO_API void memo_audit_free(memo_audit *audit);

/* ---- repair -------------------------------------------------------------------------------- */

typedef enum memo_repair_way {
    MEMO_REPAIR_NOTHING, /* nothing was wrong; nothing was written */
    MEMO_REPAIR_ROWS,    /* pages are right: rows, words, counters or the file's length
                            were put in order */
    MEMO_REPAIR_PAGES,   /* pages had no valid checksum, but what is in them passes every other
                            check (another SQLite program wrote the file): they got fresh ones */
    MEMO_REPAIR_REBUILT, /* a new store of all the rows that can be read */
} memo_repair_way;

typedef struct memo_repair_options {
    size_t size;
    memo_model *model;       /* embeds again the texts whose vectors are lost; NULL: they stay
                                without, found by their words only */
    int64_t busy_timeout_ms; /* as in memo_db_options */
    int dry_run;             /* do it all on a copy that is thrown away: say what would be done */
} memo_repair_options;

typedef struct memo_repair_report {
    memo_repair_way way;
    uint64_t n_kept;        /* records served now */
    uint64_t n_quarantined; /* rows moved there by this repair (records and what belongs to them) */
    uint64_t n_quarantined_records;
    uint64_t n_lost;          /* records that are known to have been there, of which nothing is left
                                 but the id or a part */
    uint64_t n_lost_versions; /* earlier versions of kept records that could not be read */
    uint64_t n_lost_changes;  /* acknowledged changes that neither the file nor its log gives */
    uint64_t n_bad_pages, n_pages;
    uint64_t n_reembedded; /* records whose vectors were made again */
    uint64_t n_unembedded; /* records that lack a vector still */
    const char *original;  /* where the file as it was has been kept; NULL: nothing changed */
    const memo_findings *findings; /* what was found and done, in order */
} memo_repair_report;

/* memo_db_repair() -- make a damaged store whole again, without throwing anything away.
 *
 *   path    of a store that nobody has open, this process included
 *   report  out, free with memo_repair_report_free()
 *
 * Works on a copy, under the writer lock: rows whose checksum fails, and what belongs to them, go
 * to the quarantine with the reason and their bytes (memo_db_quarantine()); the full text is made
 * again from the texts; where pages are damaged beyond that, every row that can still be read goes
 * into a new file. Then the file as it was, byte for byte with its `-wal`, is kept as
 * `<store>.before-repair-<N>`, and the new one takes its name. Interrupted at any moment it leaves
 * the old store or the new one, and never the new one alone. At last `model` embeds again what lost
 * its vectors. A second repair finds nothing to do.
 *
 * MEMO_OK when it was done, also when nothing was wrong: the report says what was lost, and why
 * vectors were not made again. Any failure leaves the store as it was: MEMO_ERR_BUSY (somebody has
 * it open), MEMO_ERR_IO, MEMO_ERR_NOTFOUND, MEMO_ERR_UNSUPPORTED (a newer schema), MEMO_ERR_CORRUPT
 * (it is no store, or not one row is left; a log beside it belongs to another store); only
 * MEMO_ERR_NOMEM may also come when it has been repaired. Disk: twice the file's size.
 */
MEMO_API memo_status memo_db_repair(memo_ctx *ctx, const char *path,
                                    const memo_repair_options *options, memo_repair_report **report,
                                    memo_err *err);
MEMO_API void memo_repair_report_free(memo_repair_report *report);

/* A row that was taken out of service. Strings are borrowed for the call. */
typedef struct memo_quarantined {
    int64_t number;   /* of the entry */
    const char *area; /* "record", "version", "chunk", "vector" ... */
    int64_t row;      /* its row id */
    const char *id;   /* of the record it is or belongs to, "" when that is not known */
    const char *reason;
    int64_t moved_ms;
    const char *content; /* the row as a JSON object of its columns; bytes that are no text are
                            {"hex": "..."} */
} memo_quarantined;

/* memo_db_quarantine() -- give each row in quarantine, oldest first; non-zero from `fn` stops.
 * memo_db_forget() by id deletes a record's rows there, too. `fn` must not use the handle. */
MEMO_API memo_status memo_db_quarantine(memo_db *db,
                                        int (*fn)(void *user, const memo_quarantined *row),
                                        void *user, memo_err *err);

/* ---- gone for good ------------------------------------------------------------------------- */

typedef struct memo_shred_options {
    size_t size;
    const char *ns;
    const char *const *ids; /* [n_ids] ids or keys */
    size_t n_ids;
    int backups; /* non-zero: delete the copies that migrations and repairs left beside the store */
} memo_shred_options;

typedef struct memo_shred_report {
    uint64_t n_forgotten; /* records whose rows were deleted by this call */
    uint64_t n_finished;  /* that were forgotten before, or by a call that was interrupted */
    uint64_t n_absent;
    uint64_t n_bytes;              /* of the store file that were looked through */
    uint64_t n_words, n_pieces;    /* looked for: words, stretches of 32 bytes */
    uint64_t n_shared;             /* that stand in other records, too, and prove nothing */
    uint64_t n_found;              /* that are still there: 0, else see findings */
    const memo_findings *findings; /* what was found and what lies beside the store */
} memo_shred_report;

/* memo_db_shred() -- forget records so that nothing of them is left in the store's files, and prove
 * it. NULL for ids with n_ids 0: what was forgotten before, in all namespaces, and not shredded; of its
 * words there is nothing to look for any more (memo_db_prove_gone() does, who has the text).
 *
 *   1. their rows are deleted, pages overwritten, and a tombstone says that they are being shredded:
 *      versions, vectors, links, evidence, every search that showed them, what is in quarantine. A
 *      tombstone keeps the id, not the key
 *   2. the full-text indexes are merged, the file is written anew (VACUUM), the log emptied, caches
 *      beside it are removed
 *   3. every byte of the file is looked through for the words and pieces of the texts, titles, tags
 *      and metadata they had; each word is searched in the full text. Those that other records hold
 *      as well prove nothing and are counted
 *   4. the tombstone says that it is done
 *
 * Interrupted before 1 has ended, nothing has happened; later, the next call finishes it (doctor
 * says so). MEMO_OK also when something was found: see n_found. MEMO_ERR_BUSY: another program has
 * the store open and keeps its log from being emptied; what is deleted stays so, call again.
 *
 * Out of reach: backups elsewhere, snapshots of file systems, blocks that a disk has remapped. Copies
 * beside the store (`.vN.bak`, `.before-repair-N`) are named, and deleted with `backups`.
 * Memory: about the file's size. */
MEMO_API memo_status memo_db_shred(memo_db *db, const memo_shred_options *options,
                                   memo_shred_report **report, memo_err *err);
MEMO_API void memo_shred_report_free(memo_shred_report *report);

typedef struct memo_prove_options {
    size_t size;
    const char *ns;
    const char *const *ids; /* [n_ids] ids of forgotten records */
    size_t n_ids;
    const memo_text *texts; /* [n_texts] what must be gone */
    size_t n_texts;
} memo_prove_options;

/* memo_db_prove_gone() -- look for what must not be there. Reads only.
 *
 * Of each id: no row of any table refers to it but its tombstone (one that was forgotten and not
 * shredded is a warning: bytes of it may be left). Of each text: as step 3 of memo_db_shred(). What
 * is found is a bad finding; n_found counts them. MEMO_ERR_NOTFOUND: no tombstone has that id. */
MEMO_API memo_status memo_db_prove_gone(memo_db *db, const memo_prove_options *options,
                                        memo_shred_report **report, memo_err *err);

#ifdef __cplusplus
}
#endif

#endif
