// SPDX-License-Identifier: Apache-2.0
/* memory/ingest/mcp.h -- the file of the reference memory server of the Model Context Protocol: a JSON
 * object a line, an entity with its observations or a relation of two entities. */
#ifndef MEMO_MEMORY_MCP_H
#define MEMO_MEMORY_MCP_H

#include "base/buf.h"
#include "memory/ingest/import.h"

#define MEMO_MCP_OBSERVATION_BYTES ((size_t)64 << 10) /* it is the value of a fact */

/* One line; strings lie in the arena it was read into. */
typedef struct memo_mcp_line {
    const char *entity; /* name; NULL: a relation */
    const char *kind;   /* of the entity, or NULL */
    size_t n;           /* observations */
    const char **observations;
    const char *from, *relation, *to;
} memo_mcp_line;

/* MEMO_ERR_FORMAT: neither an entity nor a relation, or a member is missing; MEMO_ERR_LIMIT: an
 * observation is too long. */
memo_status memo_mcp_read(memo_text line, memo_arena *arena, memo_mcp_line *out, memo_err *err);

/* Whether a line of a file looks like such an entity or relation. Only MEMO_ERR_NOMEM. */
memo_status memo_mcp_looks_like(memo_text line, int *is, memo_err *err);

#define MEMO_MCP_KEY_BYTES ((size_t)33) /* with its NUL */

/* The key of an observation: the same one of the same entity is the same record. */
memo_status memo_mcp_key(const char *entity, const char *observation, memo_arena *arena,
                         const char **key, memo_err *err);

/* Forget the observations that came from a file and are not among the keys of those it has now, which are
 * sorted here: MEMO_MCP_KEY_BYTES each. (mcp_stale.c) */
memo_status memo_mcp_forget_stale(memo_import_work *w, const char *source, memo_buf *keys,
                                  memo_err *err);

/* How many steps of progress a file takes. */
memo_status memo_mcp_count(memo_import_work *w, const char *path, uint64_t *n, memo_err *err);

/* Import a file: first entities and observations, then, when those are committed, the facts;
 * what it no longer says is forgotten. */
memo_status memo_mcp_import(memo_import_work *w, const memo_walk_file *file, memo_err *err);

#endif
