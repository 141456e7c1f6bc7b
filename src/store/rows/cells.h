// SPDX-License-Identifier: Apache-2.0
/* store/rows/cells.h -- a row as a list of values, whatever is wrong with it: for rows that are taken out
 * of service, and for rows read straight from a page. Knows the tables' columns by name. */
#ifndef MEMO_STORE_ROWS_CELLS_H
#define MEMO_STORE_ROWS_CELLS_H

#include "store/rows/rows.h"

#define MEMO_CELLS_MAX MEMO_ROW_N_COLUMNS

typedef enum memo_cell_kind {
    MEMO_CELL_NULL,
    MEMO_CELL_INT,
    MEMO_CELL_REAL,
    MEMO_CELL_TEXT,
    MEMO_CELL_BLOB,
} memo_cell_kind;

typedef struct memo_cell {
    memo_cell_kind kind;
    int64_t integer;
    double real;
    memo_text bytes; /* of a text or a blob, borrowed; never NULL then */
} memo_cell;

/* A table as rows of it are moved about. */
typedef struct memo_table {
    const char *area; /* "record": what a row of it is called */
    const char *name;
    const char *columns;      /* for SQL, the row id first where it is a column */
    const char *const *names; /* [n_columns] */
    size_t n_columns;
    size_t
        checksum;  /* column of memo_table_sum(); 0: the table has a struct and a sum of its own */
    int has_rowid; /* its first column is the row id */
} memo_table;

extern const memo_table memo_table_records, memo_table_versions, memo_table_chunks,
    memo_table_vectors, memo_table_namespaces, memo_table_spaces, memo_table_quarantine,
    memo_table_unknown; /* columns by position; for quarantine only */

/* Those with checksums of memo_table_sum(). */
extern const memo_table memo_table_forgotten, memo_table_links, memo_table_switches,
    memo_table_probes, memo_table_calibrations, memo_table_settings, memo_table_entities,
    memo_table_aliases, memo_table_facts, memo_table_evidence, memo_table_searches,
    memo_table_shown, memo_table_actions;
extern const memo_table *const memo_summed_tables[];
extern const size_t memo_n_summed_tables;

memo_cell memo_cell_int(int64_t v);
memo_cell memo_cell_real(double v);
memo_cell memo_cell_text(const char *bytes, size_t n_bytes); /* borrowed; NULL: null */
memo_cell memo_cell_str(const char *s);
memo_cell memo_cell_blob(const void *bytes, size_t n_bytes);

/* A text cell's bytes as a C string in the arena; NULL: out of memory. */
char *memo_cell_strdup(memo_arena *arena, const memo_cell *cell);
int memo_cell_is(const memo_cell *cell, const char *s);
/* Name a damaged row: "fact 01J...", or by its number when its id cannot be read: "fact row 7". */
void memo_damage_add_row(memo_store_damage *damage, const char *what, const memo_cell *id,
                         const memo_cell *number);

int64_t memo_table_sum(const memo_table *table, const memo_cell *cells);
/* All columns have the table's checksum. */
int memo_table_good(const memo_table *table, const memo_cell *cells);

/* memo_table_put() -- write: insert a row, or replace the one with the same primary key.
 *   cells  [n_columns]; the checksum's is filled in. A row id must be given: memo_store_next_id() */
memo_status memo_table_put(memo_sql *sql, const memo_table *table, memo_cell *cells, memo_err *err);

/* One more than the largest row id that a table with AUTOINCREMENT ever had; of records and chunks its
 * counter is ahead (rows/numbers.h). */
memo_status memo_store_next_id(memo_sql *sql, const char *table, int64_t *id, memo_err *err);

/* The first n columns of the row at which the statement stands. */
void memo_cells_take(const memo_stmt *st, memo_cell *cells, size_t n);

/* memo_cells_decode() -- the values of one record in SQLite's file format: a header of serial types,
 * then the values. Returns their number, 0 when it does not follow the format or has more than
 * `max`. Cells point into `payload`. */
size_t memo_cells_decode(const unsigned char *payload, size_t n_bytes, memo_cell *cells,
                         size_t max);

/* Whether a record of n_bytes, of which the first n_here are at `payload`, can be decoded by what its
 * header says of lengths; 1 also when the header is longer than what is here. */
int memo_cells_fit(const unsigned char *payload, size_t n_here, uint64_t n_bytes);

/* A record's row of cells in the order of MEMO_ROW_COLUMNS; a value of another type becomes 0 or an
 * absent text, which its checksum then tells. */
void memo_cells_to_row(const memo_cell *cells, memo_row *row);
void memo_cells_to_chunk(const memo_cell *cells, memo_chunk_row *chunk);

void memo_cells_bind(memo_stmt *st, const memo_cell *cells, size_t n);

/* Append the row as a JSON object {"column": value}. Text that is not UTF-8 and blobs are
 * {"hex": "..."}: every byte can be had back. */
void memo_cells_put_json(memo_buf *out, const memo_table *table, const memo_cell *cells);

/* SQLite's variable-length integer at p (at most n bytes): its length, 0 when it is cut. */
size_t memo_cells_varint(const unsigned char *p, size_t n, uint64_t *value);

#endif
