// SPDX-License-Identifier: Apache-2.0
/* fuzz_query.c -- any text as a query. Its words and needles come from the text, and the full-text
 * expression made of it is one that FTS5 runs: no character of a query is an operator. */
#include <sqlite3.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/utf8.h"
#include "memory/search/query.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* The same tokenizer and columns as a store's. */
static sqlite3_stmt *fuzz_statement(void)
{
    static sqlite3_stmt *stmt;
    sqlite3 *db;
    if (!stmt &&
        (sqlite3_open(":memory:", &db) != SQLITE_OK ||
         sqlite3_exec(db,
                      "CREATE VIRTUAL TABLE fts USING fts5(title, body, content='',"
                      " tokenize='porter unicode61 remove_diacritics 2');"
                      "INSERT INTO fts(rowid, title, body) VALUES(1, 'A title', 'some words')",
                      NULL, NULL, NULL) != SQLITE_OK ||
         sqlite3_prepare_v2(db, "SELECT rowid FROM fts WHERE fts MATCH ?", -1, &stmt, NULL) !=
             SQLITE_OK))
        abort();
    return stmt;
}

static void fuzz_match(const char *expression)
{
    sqlite3_stmt *stmt = fuzz_statement();
    int rc;
    sqlite3_bind_text(stmt, 1, expression, -1, SQLITE_STATIC);
    while ((rc = sqlite3_step(stmt)) == SQLITE_ROW)
        ;
    if (rc != SQLITE_DONE) {
        fprintf(stderr, "%s: %s\n", sqlite3_errmsg(sqlite3_db_handle(stmt)), expression);
        abort();
    }
    sqlite3_reset(stmt);
}

static void fuzz_check(const memo_query *query, memo_text text)
{
    if (query->n_words > MEMO_QUERY_MAX_WORDS || query->n_needles > MEMO_QUERY_MAX_NEEDLES ||
        (query->match == NULL) != (query->n_words == 0))
        abort();
    for (size_t i = 0; i < query->n_words; i++) {
        const char *word = query->words[i];
        if (!*word || memo_utf8_check(word, strlen(word)) != strlen(word))
            abort();
        for (size_t k = 0; k < i; k++)
            if (strcmp(word, query->words[k]) == 0)
                abort();
        fuzz_match(query->word_matches[i]);
    }
    for (size_t i = 0; i < query->n_needles; i++) {
        const memo_needle *needle = &query->needles[i];
        if (needle->n_bytes == 0 ||
            !memmem(text.bytes, text.n_bytes, needle->text, needle->n_bytes))
            abort();
    }
    if (query->match)
        fuzz_match(query->match);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    /* What is searched is known to be UTF-8 when it gets here. */
    memo_text text = {(const char *)data, memo_utf8_check((const char *)data, size)};
    memo_arena arena = {0};
    memo_query query = {0};
    memo_err err = {0};

    if (memo_query_parse(text, &arena, &query, &err))
        abort();
    fuzz_check(&query, text);
    memo_arena_fini(&arena);
    return 0;
}
