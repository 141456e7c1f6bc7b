// SPDX-License-Identifier: Apache-2.0
/* memo_db_check_place(): what is found around a store. */
#include "db_util.h"

#include <unistd.h>

#include "memory/db.h"

static void place_expect(db_env *e, const char *area, const char *part)
{
    memo_findings *findings = NULL;
    int found = 0;

    assert_memo_ok(memo_db_check_place(e->db, &findings, &e->err), e->err);
    for (size_t i = 0; i < findings->n; i++)
        if (strcmp(findings->findings[i].area, area) == 0) {
            assert_contains(findings->findings[i].message, part);
            found++;
        }
    assert_int_equal(found, 1);
    memo_findings_free(findings);
}

static void test_place_names_who_writes(void **state)
{
    db_env *e = *state;
    memo_db *other = db_open_mode(e, NULL, MEMO_OPEN_CREATE);
    char who[40];

    place_expect(e, "lock", "nobody is writing");
    assert_memo_ok(memo_store_begin_write(other->store, &e->err), e->err);
    snprintf(who, sizeof who, "held by process %ld", (long)getpid());
    place_expect(e, "lock", who);
    memo_store_rollback(other->store);
    place_expect(e, "lock", "nobody is writing");
    memo_db_close(other);
}

static void test_place_looks_at_log_disk_and_index(void **state)
{
    db_env *e = *state;
    char path[720];

    db_add(e, "a", "tea is a drink");
    place_expect(e, "log", "bytes");
    place_expect(e, "place", "MB free");
    place_expect(e, "sqlite", "SQLite 3.");
    place_expect(e, "index", "there is none");
    snprintf(path, sizeof path, "%s-idx", e->path);
    memo_test_write_file(path, "no index", 8);
    place_expect(e, "index", "it cannot be used");
}

static memo_status place_sweep(void *user, memo_err *err)
{
    memo_findings *findings = NULL;
    memo_status status = memo_db_check_place(((db_env *)user)->db, &findings, err);

    memo_findings_free(findings);
    return status;
}

static void test_place_survives_want_of_memory(void **state)
{
    db_env *e = *state;
    assert_memo_ok(place_sweep(e, &e->err), e->err); /* statements are kept */
    assert_true(memo_test_alloc_sweep(place_sweep, e) >= 4);
    assert_memo_status(memo_db_check_place(NULL, NULL, &e->err), MEMO_ERR_USAGE, e->err);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        db_test(test_place_names_who_writes),
        db_test(test_place_looks_at_log_disk_and_index),
        db_test(test_place_survives_want_of_memory),
    };
    return cmocka_run_group_tests(tests, db_setup_group, db_teardown_group);
}
