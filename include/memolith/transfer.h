// SPDX-License-Identifier: Apache-2.0
/* memolith/transfer.h -- files, folders and other formats into a store, and out of it.
 *
 * A chapter of memory.h, which includes it. */
#ifndef MEMOLITH_TRANSFER_H
#define MEMOLITH_TRANSFER_H

#include <memolith/memory.h>

#ifdef __cplusplus
extern "C" {
#endif

/* What a file holds. */
typedef enum memo_import_format {
    MEMO_IMPORT_AUTO, /* by its name: `.ndjson` and `.jsonl`, `.csv` and `.tsv`, `.mbox`, `.eml`, and `.json` that is
                           an array of objects (in a folder: with a text); all others are text. One whose name has no dot is a mailbox when it begins with a line
                           "From ..." and a header.
                           `.zst` behind these does not count; another file that is packed by zstd
                           is NDJSON when it is named, and left out of folders; a named file
                           that is a database of SQLite is a store, one that begins {"memolith": an export.
                           Lines that begin with an entity or relation as MCP memory servers keep
                           them are MCP; a CSV of a folder whose header has no text field is text */
    MEMO_IMPORT_TEXT,   /* one record a file */
    MEMO_IMPORT_NDJSON, /* one JSON object a line */
    MEMO_IMPORT_CSV,    /* RFC 4180; the first row names the fields. Separated by commas,
                           semicolons or tabs, whichever the header has first */
    MEMO_IMPORT_MBOX,   /* mail, one record a message */
    MEMO_IMPORT_MCP,    /* entities, observations and relations of the reference memory server */
    MEMO_IMPORT_STORE,  /* another store, a backup for instance */
    MEMO_IMPORT_EML,    /* one message, as mail programs save it */
    MEMO_IMPORT_JSON,   /* an array of objects, each as a line of NDJSON would be */
} memo_import_format;

/* What takes files apart that are packed by zstd: the library itself knows no compression. */
typedef struct memo_unpacker {
    void *user;
    /* Begin with the file at `path`; *stream is given to the others. */
    memo_status (*open)(void *user, const char *path, void **stream, memo_err *err);
    /* The next bytes, at most n_bytes; *n_read 0: it ended as it should. A failure is the last call. */
    memo_status (*read)(void *stream, char *bytes, size_t n_bytes, size_t *n_read, memo_err *err);
    void (*close)(void *stream); /* in any case */
} memo_unpacker;

/* A file that an import has found, and as what. */
typedef struct memo_import_file {
    const char *path; /* as it was given, and the names below a folder */
    uint64_t n_bytes, inode;
    int64_t modified_ns; /* Unix time */
} memo_import_file;

typedef struct memo_import_options {
    size_t size;
    const char *ns;
    memo_chunking chunking;
    size_t chunk_tokens;
    size_t chunk_overlap;
    const char *key_field;      /* NDJSON, CSV; NULL: "id" or "_id" when present */
    const char *text_field;     /* NULL: "text" */
    const char *title_field;    /* NULL: "title" */
    const char *tags_field;     /* NULL: "tags" */
    const char *metadata_field; /* NULL: "metadata"; other fields are ignored. In a CSV the fields
                                   "metadata.NAME" */
    const char *created_field;  /* RFC 3339 or Unix ms; NULL: "created" */
    int skip_bad;               /* count bad lines and files instead of stopping at the first */
    memo_progress_fn progress;  /* non-zero: commit what is done and return MEMO_ERR_CANCELLED */
    void *progress_user;
    void (*on_bad)(void *user, const char *path, uint64_t line, const memo_err *why);
    void *on_bad_user;
    const char *vector_field;  /* NDJSON, external spaces: an array of numbers; NULL: none */
    memo_import_format format; /* of all files */
    int prune;   /* non-zero: forget the records whose file is gone from a folder of `paths` */
    int dry_run; /* non-zero: count only */
    int reembed; /* of exported lines: make their vectors anew */
    const memo_unpacker *unpacker; /* NULL: a packed file is MEMO_ERR_UNSUPPORTED */
    /* Asked for every file that is found, before any is read: zero leaves it out, as if it were
     * unchanged. NULL: all. */
    int (*wanted)(void *user, const memo_import_file *file);
    void *wanted_user;
    memo_links_mode links; /* as in memo_write_options; what waits is linked at the end */
    int no_extra;          /* non-zero: fields that are no part of a record are left out */
    /* Told of every file or folder that is left out and counted as skipped, in words why. */
    void (*on_skipped)(void *user, const char *path, const char *why);
    void *on_skipped_user;
} memo_import_options;

typedef struct memo_import_report {
    size_t size;
    uint64_t n_files, n_new, n_changed, n_unchanged, n_skipped, n_failed;
    uint64_t n_chunks, n_tokens;
    int64_t elapsed_ms;
    uint64_t n_removed; /* by prune, and observations that an MCP file has no more */
    uint64_t n_entities,
        n_facts;         /* of MCP files and exports: new ones, and facts with new evidence */
    uint64_t n_versions; /* of exports: new ones */
    uint64_t n_kept; /* by prune: their file cannot be found, and may be on a disk that is away */
} memo_import_report;

/* memo_db_import() -- add files, folders (recursively; dot names, links and binary files are
 * skipped, and stores) and files of many records. A text's title is its name without folder and
 * extension; that it was created, when the file was last changed before its first import.
 *
 *   paths   [n_paths]
 *   report  out, or NULL; also filled on failure: what was committed is counted, nothing else
 *
 * Idempotent: a file's key is where it lies (absolute, without links; so is the source of all that it
 * holds), whatever the working directory; a line's or row's its key_field or a hash of its content, a
 * message's its Message-ID or a hash. What a file does not say (a text has no tags and no metadata) stays as
 * the record has it. A record that was changed later than its file, and said before what the file says,
 * was edited here: it is unchanged. Commits in groups. A text is at most 64 MiB, as is a message; a
 * line or row 8 MiB (MEMO_ERR_LIMIT). Bad data is named by file and line.
 *
 * Markdown: a block between lines "---" at the very start is what the file says of itself, and no part of the
 * text: `title`, `tags` (a list, or with commas), `created` or else `date` (UTC where it names no zone); other
 * keys with a scalar or a list of scalars are metadata. A block with anything else in it (nested values, a
 * key twice, text over several lines), of more than 64 KiB, or with nothing behind it, is text. Without a title
 * there, the first heading of the first level is it.
 *
 * Of NDJSON and CSV the fields that have no meaning here become metadata of their name, as the values they
 * are in JSON and as strings in CSV, unless no_extra; a member of the metadata field with that name wins,
 * null is none. More metadata than is allowed is MEMO_ERR_LIMIT of that line.
 *
 * CSV: rows as long as the header; quotes that do not end, or stand within a field, are
 * MEMO_ERR_FORMAT; tags are separated by commas or semicolons; metadata.NAME reads as a number, true
 * or false where it is one; an empty cell is no value, a column without a name no field.
 *
 * Mail: subject is the title, Date the time of creation, From and To are metadata. The text is that
 * of the plain parts, without any that of the HTML ones, its markup removed; attachments are left out.
 * Charsets: UTF-8, US-ASCII, ISO-8859-1, windows-1252; another is MEMO_ERR_UNSUPPORTED.
 *
 * A JSON array: element after element in bounded memory, each at most 8 MiB; a bad one is named by its line and
 * its number, and spoils no other, unless the brackets themselves do not match.
 *
 * MCP: an observation becomes a record with the entity's name as its title, and a fact "observation" of
 * the entity with that record as evidence; a relation becomes a fact. Of these only observations are
 * counted as records. One that the same file had before and has no more is forgotten (n_removed), and its fact
 * with it; not when a line of the file is bad or none is an entity, not when it is pinned, was edited here, or
 * came from another file too. Entities and relations stay. Such a graph has one entity a name: one that has the
 * name or alias here already is it. It gets the kind of the file when it has none; another kind stays as it is.
 * Of several that are called so here it is the one of the file's kind, else MEMO_ERR_VALUE names them.
 *
 * A packed file of many records is unpacked while it is read, in bounded memory. All are read through
 * before the first write: when one of them cannot be unpacked to its end, nothing is imported
 * (MEMO_ERR_CORRUPT, MEMO_ERR_LIMIT, MEMO_ERR_FORMAT: the message names the line); with skip_bad it
 * counts as failed, and what stands before the damage is taken.
 *
 * Lines that memo_db_export() has written are known by their member "memolith": all that stands in them
 * is taken back. A record meets the one with its key, else with its id, and so finds itself in the
 * store it comes from; a new one keeps its id, the time of its last change and, when they were exported,
 * its versions. An entity meets the one with its id, else the oldest of its name and kind that no other
 * entity of the import has met; a fact the one with its id, else one that says the same. What is known
 * is completed: aliases, evidence, a retraction. An id that is taken elsewhere in the store is made anew.
 * dry_run looks at records only. Vectors of another model or space than the handle's are
 * MEMO_ERR_MISMATCH, unless reembed.
 *
 * A store: all of its namespaces into those of the same name, or the one of `ns` alone: records, expired
 * ones too, with vectors and versions, entities and facts, meeting what is here as exported lines do.
 * A record that is here with another text becomes what it is there, as a new version.
 * What searches have shown, and what was done with it, stays behind. It is checked to its last row
 * before anything is written: MEMO_ERR_CORRUPT when any is damaged, MEMO_ERR_UNSUPPORTED when a newer
 * program made it, MEMO_ERR_MISMATCH when its vectors are of another model, unless reembed. It must not
 * be open in this process; the store itself is MEMO_ERR_VALUE.
 *
 * prune forgets imported records whose source lies below a folder of `paths` and is no file any more. Kept
 * and counted is what may be on a disk that is away: when the nearest folder that is left is empty, or on
 * another file system than the one that was given; and all of them, when skip_bad left out a file that
 * could not be read. Of a folder given that holds no file nothing is looked for. Pinned records stay, and
 * relative sources, and of a .json file, which many a record is about, what has a key of its own. It comes
 * last; a bad line or file that skip_bad left out is on the disk and keeps its
 * records. */
MEMO_API memo_status memo_db_import(memo_db *db, const char *const *paths, size_t n_paths,
                                    const memo_import_options *options, memo_import_report *report,
                                    memo_err *err);

/* ---- export -------------------------------------------------------------------------------- */

/* Takes n_bytes, whole lines; non-zero: cannot, stop. */
typedef int (*memo_write_fn)(void *user, const char *bytes, size_t n_bytes);

typedef struct memo_export_options {
    size_t size;
    const char *ns;
    const char *where; /* filter; NULL: all */
    int vectors;       /* non-zero: with the vectors of the namespace's space */
    memo_progress_fn progress;
    void *progress_user;
    int versions; /* non-zero: with the earlier versions of each record */
} memo_export_options;

typedef struct memo_export_report {
    size_t size;
    uint64_t n_records, n_vectors, n_bytes;
    uint64_t n_damaged; /* records left out because a checksum failed */
    int64_t elapsed_ms;
    uint64_t n_versions, n_entities, n_facts;
} memo_export_report;

/* memo_db_export() -- records as NDJSON that memo_db_import() takes back, oldest first.
 *
 *   write   must not use the handle
 *   report  out, or NULL; also filled on failure
 *
 * One moment of the store, whoever writes meanwhile. A line has id, key, text, title, tags, metadata,
 * created, updated and expires (Unix ms), source, trust, pinned, tier, parent, supersedes and how it
 * was asked to be cut, defaults left out. Behind the records come lines with a `type`: "version" when
 * they are asked for; "entity" and "fact" when there is no filter, with aliases, evidence and all
 * times, retracted facts too. Expired records are not in it, nor what searches have shown and what was
 * done with it: memo_db_backup() keeps all.
 *
 * MEMO_ERR_CORRUPT: damaged records were left out, all others are written; MEMO_ERR_IO: `write` has
 * stopped. */
MEMO_API memo_status memo_db_export(memo_db *db, const memo_export_options *options,
                                    memo_write_fn write, void *user, memo_export_report *report,
                                    memo_err *err);

#ifdef __cplusplus
}
#endif

#endif
