// SPDX-License-Identifier: Apache-2.0
/* memolith/status.h -- status codes, errors, the allocator and the context every other call needs.
 *
 * Conventions that hold in all of memolith's headers:
 *
 *   - Everything that can fail returns memo_status. Results come through out-parameters, which are
 *     written only when MEMO_OK is returned. The last parameter is a caller-owned memo_err that may
 *     be NULL; on failure it receives a message saying what was found, what was allowed and what to
 *     do next.
 *   - Options structs begin with `size`: set it to sizeof(the struct). Zero in every other field
 *     means the documented default. A NULL options pointer means all defaults. A size that this
 *     library does not know (newer header, older library, with non-zero bytes in the unknown part)
 *     is MEMO_ERR_UNSUPPORTED.
 *   - Structs that a caller allocates and a call fills begin with `size` as well, set in the same way
 *     before the call: the library writes that many bytes and not one more, whatever its own version
 *     of the struct holds, and leaves `size` as it is; members that it does not know become 0. Below
 *     sizeof(size_t) or above 4 KiB is MEMO_ERR_USAGE, before anything is done. Of an array the first
 *     element's `size` counts for all, and is the stride.
 *   - Structs that the library allocates, or lends to a callback, have no `size`: reach them by the
 *     pointer that was given, do not copy or allocate one. They may get members at their end. An
 *     array in them has elements as long as in the header that was compiled: what can be an element,
 *     and the small structs that a caller gives without a `size` (memo_text, memo_vector, memo_pair,
 *     memo_err ...), stay as they are for as long as the library's ABI version, the number in the
 *     name of the shared library (libmemolith.so.0), stays.
 *   - Inputs are borrowed for the duration of the call. Results own their memory until their
 *     ..._free() or ..._close() call; those take NULL.
 *   - Strings are UTF-8 with explicit lengths where they may hold a NUL, else NUL-terminated.
 *   - The library never prints, exits, aborts, installs signal handlers or reads the environment.
 *   - A handle, or an argument not said to be optional, that is NULL is MEMO_ERR_USAGE; functions
 *     that free or close take NULL, those that only tell something give zero or "" for it.
 *   - Callbacks return: leaving one by longjmp() or an exception is undefined. Those for the log and
 *     the clock must not call memolith.
 *   - Threads: each type says "one thread at a time", "many readers" or "any thread".
 */
#ifndef MEMOLITH_STATUS_H
#define MEMOLITH_STATUS_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#if defined(__GNUC__)
#define MEMO_API               __attribute__((visibility("default")))
#define MEMO_PRINTF(fmt, args) __attribute__((format(printf, fmt, args)))
#else
#define MEMO_API
#define MEMO_PRINTF(fmt, args)
#endif

#define MEMO_VERSION_MAJOR 0
#define MEMO_VERSION_MINOR 1
#define MEMO_VERSION_PATCH 0

/* The one list of status codes: X(name, exit code, HTTP status, text). Names, texts and both
 * mappings are generated from it. New codes are added at the end. */
#define MEMO_STATUS_MAP(X)                                                                         \
    X(OK, 0, 200, "ok")                                                                            \
    X(ERR_USAGE, 2, 400, "wrong use of a command or call")                                         \
    X(ERR_NOTFOUND, 3, 404, "no such thing")                                                       \
    X(ERR_MISMATCH, 4, 409, "model or dimension does not match")                                   \
    X(ERR_BUSY, 5, 503, "another writer holds the store")                                          \
    X(ERR_VERIFY, 6, 422, "verification failed")                                                   \
    X(ERR_CORRUPT, 7, 500, "stored data is damaged")                                               \
    X(ERR_OFFLINE, 8, 503, "needs the network")                                                    \
    X(ERR_FORMAT, 1, 400, "input does not follow its format")                                      \
    X(ERR_LIMIT, 1, 413, "input exceeds a limit")                                                  \
    X(ERR_VALUE, 1, 422, "value out of range")                                                     \
    X(ERR_UNSUPPORTED, 1, 501, "not supported")                                                    \
    X(ERR_AUTH, 1, 401, "not authorised")                                                          \
    X(ERR_IO, 1, 500, "input or output failed")                                                    \
    X(ERR_NOMEM, 1, 500, "out of memory")                                                          \
    X(ERR_CANCELLED, 1, 499, "cancelled")                                                          \
    X(ERR_DEADLINE, 1, 504, "deadline passed")

typedef enum memo_status {
#define MEMO_STATUS_ENUM(name, exit_code, http, text) MEMO_##name,
    MEMO_STATUS_MAP(MEMO_STATUS_ENUM)
#undef MEMO_STATUS_ENUM
} memo_status;

/* "OK", "ERR_BUSY" without the MEMO_ prefix; "unknown" for a number outside the list. */
MEMO_API const char *memo_status_name(memo_status status);
MEMO_API const char *memo_status_text(memo_status status);
MEMO_API int memo_status_exit_code(memo_status status);
MEMO_API int memo_status_http(memo_status status);

/* "major.minor.patch" of the library that runs (the macros say which header was compiled). */
MEMO_API const char *memo_version(void);

/* A failure, in the caller's storage. `message` is UTF-8, one or more lines, never cut inside a
 * character; `hint` is the next command or call to try, or "". Zero it before the first use. */
typedef struct memo_err {
    memo_status status;
    char message[512];
    char hint[256];
} memo_err;

/* memo_allocator -- replace malloc for all of memolith, process-wide.
 *
 * Set once, before any other call; changing it later is MEMO_ERR_USAGE. `realloc` must accept NULL
 * and `free` must accept NULL. A NULL return is reported as MEMO_ERR_NOMEM by the call that needed
 * the memory. SQLite and jansson keep their own allocators. */
typedef struct memo_allocator {
    void *(*malloc)(void *user, size_t n_bytes);
    void *(*realloc)(void *user, void *p, size_t n_bytes);
    void (*free)(void *user, void *p);
    void *user;
} memo_allocator;

MEMO_API memo_status memo_set_allocator(const memo_allocator *allocator, memo_err *err);

typedef enum memo_log_level {
    MEMO_LOG_ERROR,
    MEMO_LOG_WARN,
    MEMO_LOG_INFO,
    MEMO_LOG_DEBUG,
} memo_log_level;

/* Instruction-set levels, lowest first within a family: X(name, spelling). A level includes the
 * ones before it of its family. MEMO_CPU_AUTO is the best this CPU has. */
#define MEMO_CPU_MAP(X)                                                                            \
    X(AUTO, "auto")                                                                                \
    X(REF, "ref")               /* plain C, any CPU */                                             \
    X(AVX2, "avx2")             /* with FMA, BMI2, F16C */                                         \
    X(AVX512, "avx512")         /* F, BW, DQ, VL, CD */                                            \
    X(AVX512VNNI, "avx512vnni") /* int8 dot products */                                            \
    X(AVX512BF16, "avx512bf16") /* bfloat16 dot products */                                        \
    X(AMX, "amx")               /* int8 and bfloat16 tiles */                                      \
    X(NEON, "neon")             /* every 64-bit ARM */                                             \
    X(NEON_DOT, "neon_dot")     /* sdot */                                                         \
    X(NEON_I8MM, "neon_i8mm")   /* smmla */

typedef enum memo_cpu {
#define MEMO_CPU_ENUM(name, spelling) MEMO_CPU_##name,
    MEMO_CPU_MAP(MEMO_CPU_ENUM)
#undef MEMO_CPU_ENUM
} memo_cpu;

/* State of a long call, given to a progress callback. `total` is 0 while it is unknown. */
typedef struct memo_progress {
    const char *stage; /* static string: "compile", "import", ... */
    uint64_t done;
    uint64_t total;
    const char *item; /* what is being worked on, or NULL; valid during the callback */
} memo_progress;

/* Returns non-zero to cancel: the call then ends with MEMO_ERR_CANCELLED at the next safe point,
 * with nothing half-written. Called on the thread that made the call. */
typedef int (*memo_progress_fn)(void *user, const memo_progress *progress);

/* memo_ctx -- log, clock, CPU level, memory limit and the only thread pool.
 *
 * Every open takes one and keeps a reference; free it after everything opened with it is closed.
 * Threads: any thread. */
typedef struct memo_ctx memo_ctx;

typedef struct memo_ctx_options {
    size_t size;
    unsigned n_threads;       /* workers including the caller; 0: what affinity and cgroup allow */
    memo_cpu cpu;             /* level to use; one this CPU lacks is MEMO_ERR_UNSUPPORTED */
    uint64_t mem_limit_bytes; /* largest scratch one call may plan; 0: half of what is available */
    void (*log)(void *user, memo_log_level level, const char *message); /* NULL: no log */
    void *log_user;
    int64_t (*clock_ms)(void *user); /* wall clock in Unix ms; NULL: the system's */
    void *clock_user;
} memo_ctx_options;

MEMO_API memo_status memo_ctx_new(const memo_ctx_options *options, memo_ctx **ctx, memo_err *err);
MEMO_API void memo_ctx_free(memo_ctx *ctx);

/* The level that kernels run at, and its name ("avx512"). */
MEMO_API memo_cpu memo_ctx_cpu(const memo_ctx *ctx);
MEMO_API const char *memo_cpu_name(memo_cpu cpu);
MEMO_API unsigned memo_ctx_n_threads(const memo_ctx *ctx);

#ifdef __cplusplus
}
#endif

#endif
