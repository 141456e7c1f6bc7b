// SPDX-License-Identifier: Apache-2.0
/* The mark of the last acknowledged change: a log that gives less is damaged, an older file put in
 * place by hand is not, and a mark that cannot be believed says nothing. */
#include "store_util.h"

#include "store/disk/mark.h"

/* A store as a kill leaves it: one record in the file, two in the log. */
typedef struct killed {
    unsigned char *file, *log, *lock;
    size_t n_file, n_log, n_lock;
} killed;

static void side(const util_env *env, const char *suffix, char out[128])
{
    snprintf(out, 128, "%s%s", env->path, suffix);
}

static killed kill_store(util_env *env)
{
    char log[128], lock[128], shm[128];
    killed k;
    side(env, "-wal", log);
    side(env, "-lock", lock);
    side(env, "-shm", shm);
    memo_store *store = util_open(env, MEMO_OPEN_CREATE);
    util_add(store, "0", "the text of record 0", 0);
    memo_store_close(store);
    store = util_open(env, MEMO_OPEN_CREATE);
    util_add(store, "1", "the text of record 1", 1);
    util_add(store, "2", "the text of record 2", 2);
    k.file = util_slurp(env->path, &k.n_file);
    k.log = util_slurp(log, &k.n_log);
    k.lock = util_slurp(lock, &k.n_lock);
    memo_store_close(store);
    unlink(shm);
    return k;
}

/* Any part may be left out: its file is removed. */
static void put_back(util_env *env, const killed *k)
{
    static const char *const suffixes[] = {"", "-wal", "-lock", "-shm"};
    const unsigned char *const bytes[] = {k->file, k->log, k->lock, NULL};
    const size_t sizes[] = {k->n_file, k->n_log, k->n_lock, 0};
    for (size_t i = 0; i < 4; i++) {
        char path[128];
        side(env, suffixes[i], path);
        unlink(path);
        if (sizes[i])
            util_spill(path, bytes[i], sizes[i]);
    }
}

static void free_killed(killed *k)
{
    free(k->file);
    free(k->log);
    free(k->lock);
}

static memo_status try_open(util_env *env, memo_open_mode mode, uint64_t *n, memo_err *err)
{
    memo_store_options options = {.mode = mode};
    memo_store *store = NULL;
    memo_status status = memo_store_open(env->ctx, env->path, &options, &store, err);
    if (!status)
        *n = util_count(store);
    memo_store_close(store);
    return status;
}

static void test_mark_finds_a_flip_in_an_acknowledged_commit(void **state)
{
    util_env *env = *state;
    killed k = kill_store(env), flipped = k;
    uint64_t n = 0;
    flipped.log = malloc(k.n_log);
    for (size_t at = 0; at < k.n_log; at += at < 64 ? 1 : 1013) {
        memcpy(flipped.log, k.log, k.n_log);
        flipped.log[at] ^= 1;
        for (int mode = MEMO_OPEN_EXISTING; mode <= MEMO_OPEN_READ_ONLY; mode++) {
            memo_err err = {0};
            put_back(env, &flipped);
            memo_status status = try_open(env, (memo_open_mode)mode, &n, &err);
            if (status != MEMO_ERR_CORRUPT && !(status == MEMO_OK && n == 3))
                fail_msg("byte %zu, mode %d: %s %s, %d records", at, mode, memo_status_name(status),
                         err.message, (int)n);
        }
    }
    /* The last commit: what is before it can be had, when that is asked for. */
    memcpy(flipped.log, k.log, k.n_log);
    flipped.log[k.n_log - 100] ^= 1;
    put_back(env, &flipped);
    util_fails(MEMO_ERR_CORRUPT, "was acknowledged", try_open(env, MEMO_OPEN_EXISTING, &n, err));
    flipped.n_lock = 0;
    put_back(env, &flipped);
    util_ok(try_open(env, MEMO_OPEN_EXISTING, &n, err));
    assert_int_equal(n, 2);
    free(flipped.log);
    free_killed(&k);
}

static int64_t mark_of(util_env *env)
{
    char lock[128];
    memo_mark mark;
    side(env, "-lock", lock);
    memo_mark_read(lock, &mark);
    return mark.change;
}

static void test_mark_lets_an_older_file_be_put_back(void **state)
{
    util_env *env = *state;
    killed k = kill_store(env), older = k;
    char log[128];
    uint64_t n = 0;
    older.n_log = 0;
    for (int mode = MEMO_OPEN_EXISTING; mode <= MEMO_OPEN_READ_ONLY; mode++) {
        put_back(env, &older);
        util_ok(try_open(env, (memo_open_mode)mode, &n, err));
        assert_int_equal(n, 1);
    }
    /* The mark is still there to be seen; the first change sets it back, before the log has a page:
     * a kill right after is no loss. */
    put_back(env, &older);
    util_ok(try_open(env, MEMO_OPEN_EXISTING, &n, err));
    assert_int_equal(mark_of(env), 3);
    memo_store_options options = {.mode = MEMO_OPEN_EXISTING};
    memo_store *store = NULL;
    memo_store_ns ns;
    util_ok(memo_store_open(env->ctx, env->path, &options, &store, err));
    util_ok(memo_store_begin_write(store, err));
    util_ok(memo_store_make_ns(store, "other", &ns, err));
    assert_int_equal(mark_of(env), 1);
    memo_store_close(store);
    side(env, "-wal", log);
    util_spill(log, k.log, 20000); /* a log cut in its first commit */
    util_ok(try_open(env, MEMO_OPEN_EXISTING, &n, err));
    assert_int_equal(n, 1);
    free_killed(&k);
}

static void test_mark_that_is_damaged_says_nothing(void **state)
{
    util_env *env = *state;
    killed k = kill_store(env), other = k;
    uint64_t n = 0;
    for (size_t bit = 0; bit < 8 * k.n_lock; bit++) {
        other.lock = memcpy(malloc(k.n_lock), k.lock, k.n_lock);
        other.lock[bit / 8] ^= (unsigned char)(1 << bit % 8);
        put_back(env, &other);
        util_ok(try_open(env, MEMO_OPEN_READ_ONLY, &n, err));
        assert_int_equal(n, 3);
        free(other.lock);
    }
    for (size_t cut = 1; cut < k.n_lock; cut++) {
        other = k;
        other.n_lock = cut;
        put_back(env, &other);
        util_ok(try_open(env, MEMO_OPEN_EXISTING, &n, err));
        assert_int_equal(n, 3);
    }
    free_killed(&k);
}

static void test_mark_of_another_store_says_nothing(void **state)
{
    util_env *env = *state;
    memo_mark ahead = {.change = 1000, .uuid = "00000000000000000000000000000000"}, found;
    memo_lock lock;
    uint64_t n = 0;
    killed k = kill_store(env);
    put_back(env, &k);
    util_ok(memo_lock_init(&lock, env->path, err));
    util_ok(memo_lock_take(&lock, 0, err));
    memo_mark_write(&lock, &ahead, 1);
    memo_mark_read(lock.path, &found);
    assert_int_equal(found.change, 1000);
    assert_string_equal(found.uuid, ahead.uuid);
    memo_lock_fini(&lock);
    util_ok(try_open(env, MEMO_OPEN_EXISTING, &n, err));
    assert_int_equal(n, 3);
    free_killed(&k);
}

int main(void)
{
#define CASE(f) cmocka_unit_test_setup_teardown(f, util_setup, util_teardown)
    const struct CMUnitTest tests[] = {
        CASE(test_mark_finds_a_flip_in_an_acknowledged_commit),
        CASE(test_mark_lets_an_older_file_be_put_back),
        CASE(test_mark_that_is_damaged_says_nothing),
        CASE(test_mark_of_another_store_says_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
