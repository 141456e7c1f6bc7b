// SPDX-License-Identifier: Apache-2.0
/* Many processes on one store: every add arrives once, a kill loses nothing acknowledged. MEMO_SCALE
 * multiplies rounds and kills. */
#include "store_util.h"

#include <signal.h>
#include <sys/wait.h>
#include <time.h>

#include "base/rng.h"

enum { WRITERS = 8, ADDS = 20, ROUNDS = 3, KILLS = 25, KILLED_WRITERS = 3 };

static size_t scaled(size_t n)
{
    const char *scale = getenv("MEMO_SCALE");
    return n * (scale ? strtoul(scale, NULL, 10) : 1);
}

/* One add as the command does it: open, write, close. Returns 0, or -1 with a message. */
static int add_once(util_env *env, const char *key, int keep_open, memo_store **kept)
{
    memo_store_options options = {.mode = MEMO_OPEN_CREATE, .busy_timeout_ms = 60000};
    memo_store_space space = {.fingerprint = "f", .dim = UTIL_DIM, .kind = MEMO_SPACE_MODEL};
    memo_store *store = *kept;
    memo_store_ns ns;
    memo_add_result result = {.size = sizeof result};
    memo_err err = {0};
    int64_t id;
    memo_status status = MEMO_OK;
    if (!store)
        status = memo_store_open(env->ctx, env->path, &options, &store, &err);
    if (!status)
        status = memo_store_begin_write(store, &err);
    if (!status)
        status = memo_store_make_ns(store, "default", &ns, &err);
    if (!status)
        status = memo_store_make_space(store, &space, &id, &err);
    if (!status)
        status = util_put(store, ns.id, key, key, 1, &result, &err);
    if (!status)
        status = memo_store_commit(store, &err);
    if (status)
        fprintf(stderr, "%s: %s: %s\n", key, memo_status_name(status), err.message);
    *kept = keep_open ? store : NULL;
    if (!keep_open)
        memo_store_close(store);
    return status ? -1 : 0;
}

static void run_writer(util_env *env, unsigned writer)
{
    memo_store *store = NULL;
    for (unsigned i = 0; i < ADDS; i++) {
        char key[32];
        snprintf(key, sizeof key, "writer-%u-%u", writer, i);
        if (add_once(env, key, writer % 2, &store)) /* half of them keep the store open */
            _exit(1);
    }
    memo_store_close(store);
    _exit(0);
}

/* Reads while the others write: whole records, never fewer than before. */
static void run_reader(util_env *env)
{
    memo_store_options options = {.mode = MEMO_OPEN_READ_ONLY};
    memo_store_scope scope = {.ns = 1};
    uint64_t n = 0, before = 0, n_chunks;
    memo_err err = {0};
    while (n < WRITERS * ADDS) {
        memo_store *store = NULL;
        memo_status status = memo_store_open(env->ctx, env->path, &options, &store, &err);
        for (int i = 0; !status && i < 20; i++) {
            status = memo_store_count(store, &scope, &n, &n_chunks, &err);
            if (n < before || n != n_chunks)
                _exit(2);
            before = n;
        }
        memo_store_close(store);
        if (status && status != MEMO_ERR_NOTFOUND) {
            fprintf(stderr, "reader: %s: %s\n", memo_status_name(status), err.message);
            _exit(1);
        }
    }
    _exit(0);
}

static void forget_files(util_env *env)
{
    static const char *const suffixes[] = {"", "-wal", "-shm", "-lock", "-journal"};
    for (int i = 0; i < 5; i++) {
        char path[128];
        snprintf(path, sizeof path, "%s%s", env->path, suffixes[i]);
        unlink(path);
    }
}

static void test_processes_every_add_arrives(void **state)
{
    util_env *env = *state;
    for (size_t round = 0; round < scaled(ROUNDS); round++) {
        pid_t pids[WRITERS + 1];
        memo_store *store;
        forget_files(env);
        memo_store_close(util_open(env, MEMO_OPEN_CREATE)); /* so that the reader finds a file */
        for (unsigned i = 0; i <= WRITERS; i++) {
            pids[i] = fork();
            assert_true(pids[i] >= 0);
            if (pids[i] == 0 && i < WRITERS)
                run_writer(env, i);
            if (pids[i] == 0)
                run_reader(env);
        }
        for (unsigned i = 0; i <= WRITERS; i++) {
            int exit_status;
            assert_int_equal(waitpid(pids[i], &exit_status, 0), pids[i]);
            assert_int_equal(exit_status, 0);
        }
        store = util_open(env, MEMO_OPEN_EXISTING);
        assert_int_equal(util_count(store), WRITERS * ADDS);
        util_check_clean(store);
        memo_store_close(store);
    }
}

/* Add until killed; every acknowledged number goes down the pipe. */
static void run_until_killed(util_env *env, unsigned writer, unsigned first, int pipe_fd)
{
    memo_store *store = NULL;
    for (unsigned i = first;; i++) {
        char key[32];
        unsigned acknowledged[2] = {writer, i};
        snprintf(key, sizeof key, "killed-%u-%u", writer, i);
        if (add_once(env, key, writer != 0, &store))
            _exit(1);
        if (write(pipe_fd, acknowledged, sizeof acknowledged) != sizeof acknowledged)
            _exit(1);
    }
}

static void check_present(util_env *env, const unsigned *last)
{
    memo_store *store = util_open(env, MEMO_OPEN_EXISTING);
    memo_store_ns ns;
    memo_arena arena = {0};
    util_check_clean(store);
    if (memo_store_find_ns(store, "default", &ns, NULL) == MEMO_OK) {
        for (unsigned w = 0; w < KILLED_WRITERS; w++) {
            for (unsigned i = 1; i <= last[w]; i++) {
                char key[32];
                memo_record record;
                snprintf(key, sizeof key, "killed-%u-%u", w, i);
                util_ok(memo_store_get(store, ns.id, key, &arena, &record, err));
                assert_string_equal(record.text.bytes, key);
            }
        }
    }
    memo_arena_fini(&arena);
    memo_store_close(store);
}

static void test_processes_kill_loses_nothing_acknowledged(void **state)
{
    util_env *env = *state;
    const char *seed_text = getenv("MEMO_SEED");
    uint64_t seed = seed_text ? strtoull(seed_text, NULL, 10) : 1;
    unsigned last[KILLED_WRITERS] = {0}, total = 0;
    memo_rng rng;
    memo_rng_init(&rng, seed);
    print_message("seed %llu; again: MEMO_SEED=%llu build/tests/test_store_processes\n",
                  (unsigned long long)seed, (unsigned long long)seed);
    for (size_t kill_number = 0; kill_number < scaled(KILLS); kill_number++) {
        pid_t pids[KILLED_WRITERS];
        int pipe_fds[2];
        unsigned acknowledged[2];
        struct timespec nap = {0, (long)(1000000 + memo_rng_below(&rng, 60000000))};
        assert_int_equal(pipe(pipe_fds), 0);
        for (unsigned w = 0; w < KILLED_WRITERS; w++) {
            pids[w] = fork();
            assert_true(pids[w] >= 0);
            if (pids[w] == 0)
                run_until_killed(env, w, last[w] + 1, pipe_fds[1]);
        }
        nanosleep(&nap, NULL);
        for (unsigned w = 0; w < KILLED_WRITERS; w++)
            kill(pids[w], SIGKILL);
        for (unsigned w = 0; w < KILLED_WRITERS; w++) {
            int exit_status;
            assert_int_equal(waitpid(pids[w], &exit_status, 0), pids[w]);
            assert_true(WIFSIGNALED(exit_status));
        }
        close(pipe_fds[1]);
        while (read(pipe_fds[0], acknowledged, sizeof acknowledged) == sizeof acknowledged) {
            last[acknowledged[0]] = acknowledged[1];
            total++;
        }
        close(pipe_fds[0]);
        if (access(env->path, F_OK) == 0 && total)
            check_present(env, last);
    }
    print_message("%u adds acknowledged before %zu kills\n", total, scaled(KILLS));
    assert_true(total > KILLS);
}

int main(void)
{
#define CASE(f) cmocka_unit_test_setup_teardown(f, util_setup, util_teardown)
    const struct CMUnitTest tests[] = {
        CASE(test_processes_every_add_arrives),
        CASE(test_processes_kill_loses_nothing_acknowledged),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
