// SPDX-License-Identifier: Apache-2.0
/* fault/alloc_seam.h -- one sequence of allocations over memolith, SQLite and jansson, in which any
 * number can be told to fail, and the count of what each of the three has not given back.
 *
 *   seam_install();                    once, before anything else of the three is used
 *   seam_arm(n, SEAM_ONCE); ... seam_stop(); seam_reached()
 *
 * Only tests do this: the library leaves the allocators of SQLite and jansson alone. Blocks are
 * malloc()'s, so a sanitizer sees them; SQLite's carry their size before them, for it asks. SQLite's
 * lookaside slots are off: every one of its allocations is one that can fail. */
#ifndef MEMO_FAULT_ALLOC_SEAM_H
#define MEMO_FAULT_ALLOC_SEAM_H

#include <execinfo.h>
#include <jansson.h>
#include <sqlite3.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <memolith/status.h>

typedef enum seam_owner { SEAM_MEMOLITH, SEAM_SQLITE, SEAM_JANSSON, SEAM_N_OWNERS } seam_owner;

static const char *const seam_names[SEAM_N_OWNERS] = {"memolith", "SQLite", "jansson"};

/* Which allocations fail, given the number n: n alone; n and all later ones; n and n + mode. */
enum { SEAM_ONCE = 0, SEAM_STICKY = -1 };

static atomic_int seam_armed, seam_trace;
static atomic_uint_fast64_t seam_seen, seam_number;
static atomic_int seam_mode;
static atomic_int_fast64_t seam_live[SEAM_N_OWNERS];

/* Start to count. n 0: nothing fails. */
static inline void seam_arm(uint64_t n, int mode)
{
    atomic_store(&seam_seen, 0);
    atomic_store(&seam_number, n);
    atomic_store(&seam_mode, mode);
    atomic_store(&seam_armed, 1);
}

/* Stop to count and to fail; any number of times. */
static inline void seam_stop(void)
{
    atomic_store(&seam_armed, 0);
}

/* Leave out a part of a run; returns what seam_resume() takes. */
static inline int seam_pause(void)
{
    return atomic_exchange(&seam_armed, 0);
}

static inline void seam_resume(int was_armed)
{
    atomic_store(&seam_armed, was_armed);
}

static inline uint64_t seam_count(void)
{
    return atomic_load(&seam_seen);
}

static inline int seam_must_fail(seam_owner owner)
{
    uint64_t number, n;
    int mode, fail;
    if (!atomic_load_explicit(&seam_armed, memory_order_relaxed))
        return 0;
    number = atomic_fetch_add(&seam_seen, 1) + 1;
    n = atomic_load(&seam_number);
    mode = atomic_load(&seam_mode);
    fail = n && (number == n || (mode == SEAM_STICKY && number > n) ||
                 (mode > 0 && number == n + (uint64_t)mode));
    if (fail && number == n && atomic_load(&seam_trace)) {
        void *stack[40];
        dprintf(2, "allocation %llu, of %s, fails here:\n", (unsigned long long)number,
                seam_names[owner]);
        backtrace_symbols_fd(stack, backtrace(stack, 40), 2);
    }
    return fail;
}

static inline void *seam_counted(seam_owner owner, void *p)
{
    if (p)
        atomic_fetch_add(&seam_live[owner], 1);
    return p;
}

/* ---- memolith ------------------------------------------------------------------------------ */

static void *seam_memo_malloc(void *user, size_t n_bytes)
{
    (void)user;
    return seam_must_fail(SEAM_MEMOLITH) ? NULL : seam_counted(SEAM_MEMOLITH, malloc(n_bytes));
}

static void *seam_memo_realloc(void *user, void *p, size_t n_bytes)
{
    (void)user;
    if (seam_must_fail(SEAM_MEMOLITH))
        return NULL;
    return p ? realloc(p, n_bytes) : seam_counted(SEAM_MEMOLITH, malloc(n_bytes));
}

static void seam_memo_free(void *user, void *p)
{
    (void)user;
    if (p)
        atomic_fetch_sub(&seam_live[SEAM_MEMOLITH], 1);
    free(p);
}

/* ---- SQLite -------------------------------------------------------------------------------- */

enum { SEAM_HEAD = 16 }; /* keeps malloc()'s alignment */

static void *seam_sql_block(void *raw, int n_bytes)
{
    if (!raw)
        return NULL;
    memcpy(raw, &n_bytes, sizeof n_bytes);
    return (char *)raw + SEAM_HEAD;
}

static void *seam_sql_malloc(int n_bytes)
{
    if (seam_must_fail(SEAM_SQLITE))
        return NULL;
    return seam_counted(SEAM_SQLITE, seam_sql_block(malloc((size_t)n_bytes + SEAM_HEAD), n_bytes));
}

static void seam_sql_free(void *p)
{
    if (!p)
        return;
    atomic_fetch_sub(&seam_live[SEAM_SQLITE], 1);
    free((char *)p - SEAM_HEAD);
}

static void *seam_sql_realloc(void *p, int n_bytes)
{
    if (seam_must_fail(SEAM_SQLITE))
        return NULL;
    return seam_sql_block(realloc((char *)p - SEAM_HEAD, (size_t)n_bytes + SEAM_HEAD), n_bytes);
}

static int seam_sql_size(void *p)
{
    int n_bytes = 0;
    if (p)
        memcpy(&n_bytes, (char *)p - SEAM_HEAD, sizeof n_bytes);
    return n_bytes;
}

static int seam_sql_round(int n_bytes)
{
    return (n_bytes + 7) & ~7;
}

static int seam_sql_init(void *user)
{
    (void)user;
    return SQLITE_OK;
}

static void seam_sql_shutdown(void *user)
{
    (void)user;
}

/* ---- jansson ------------------------------------------------------------------------------- */

static void *seam_json_malloc(size_t n_bytes)
{
    return seam_must_fail(SEAM_JANSSON) ? NULL : seam_counted(SEAM_JANSSON, malloc(n_bytes));
}

static void seam_json_free(void *p)
{
    if (p)
        atomic_fetch_sub(&seam_live[SEAM_JANSSON], 1);
    free(p);
}

/* Returns 0 when one of the three does not take it. */
static inline int seam_install(void)
{
    static const sqlite3_mem_methods methods = {
        seam_sql_malloc, seam_sql_free, seam_sql_realloc,  seam_sql_size,
        seam_sql_round,  seam_sql_init, seam_sql_shutdown, NULL};
    const memo_allocator allocator = {seam_memo_malloc, seam_memo_realloc, seam_memo_free, NULL};
    json_set_alloc_funcs(seam_json_malloc, seam_json_free);
    return sqlite3_config(SQLITE_CONFIG_MALLOC, &methods) == SQLITE_OK &&
           sqlite3_config(SQLITE_CONFIG_LOOKASIDE, 0, 0) == SQLITE_OK &&
           memo_set_allocator(&allocator, NULL) == MEMO_OK;
}

#endif
