// SPDX-License-Identifier: Apache-2.0
/* Where and by whom a store is not opened or used.
 *
 *   130  network file systems    test_lock.c
 *   131  after a fork            test_store_open.c */
#include "db_util.h"

#include <sys/sysmacros.h>
#include <sys/wait.h>

#include "store/disk/lock.h"

/* ---- 130 ----------------------------------------------------------------------------------- */

/* The system's list of mounts, but that the folder's is of another type. */
static void places_mount(db_env *e, const char *type, char mounts[720])
{
    char line[256];
    struct stat st;
    assert_int_equal(stat(e->dir, &st), 0);
    snprintf(mounts, 720, "%s/mountinfo", e->dir);
    snprintf(line, sizeof line, "36 35 %u:%u / /mnt rw,noatime - %s server:/x rw\n",
             major(st.st_dev), minor(st.st_dev), type);
    memo_test_write_file(mounts, line, strlen(line));
    memo_lock_mounts = mounts;
}

static memo_status places_open(db_env *e, const char *path, memo_open_mode mode, int allow)
{
    const memo_db_options options = {
        .size = sizeof options, .mode = mode, .allow_network_fs = allow};
    memo_db *db = NULL;
    memo_status status = memo_db_open(e->ctx, path, &options, &db, &e->err);
    memo_db_close(db);
    return status;
}

static void test_limits_130_network_file_systems(void **state)
{
    static const char *const remote[] = {"nfs4", "cifs", "smb3", "9p", "fuse.sshfs"};
    static const memo_open_mode modes[] = {MEMO_OPEN_CREATE, MEMO_OPEN_EXISTING,
                                           MEMO_OPEN_READ_ONLY};
    db_env *e = *state;
    const char *mounts_before = memo_lock_mounts;
    char mounts[720], fresh[720];
    db_add(e, "a", "a cat");
    memo_db_close(e->db);
    e->db = NULL;
    snprintf(fresh, sizeof fresh, "%s/fresh.memo", e->dir);
    for (size_t i = 0; i < sizeof remote / sizeof *remote; i++) {
        places_mount(e, remote[i], mounts);
        for (size_t m = 0; m < 3; m++) {
            assert_memo_status(places_open(e, e->path, modes[m], 0), MEMO_ERR_UNSUPPORTED, e->err);
            assert_contains(e->err.message, "lies on a network file system");
            assert_contains(e->err.message, remote[i]);
            assert_memo_ok(places_open(e, e->path, modes[m], 1), e->err);
        }
        assert_memo_status(places_open(e, fresh, MEMO_OPEN_CREATE, 0), MEMO_ERR_UNSUPPORTED,
                           e->err);
        assert_int_equal(access(fresh, F_OK), -1); /* and nothing was made */
    }
    places_mount(e, "ext4", mounts);
    assert_memo_ok(places_open(e, e->path, MEMO_OPEN_EXISTING, 0), e->err);
    memo_lock_mounts = mounts_before;
}

/* ---- 131 ----------------------------------------------------------------------------------- */

static int places_no_row(void *user, const memo_quarantined *row)
{
    (void)user, (void)row;
    return 0;
}

/* Every way into a handle; 0, or the number of the first that was not refused. */
static int places_use(db_env *e)
{
    const char *ids[] = {"a"};
    const memo_text texts[] = {MEMO_STR("cat")}, query = MEMO_STR("cat");
    const memo_forget_options forget = {.size = sizeof forget, .ids = ids, .n_ids = 1};
    const memo_shred_options shred = {.size = sizeof shred, .ids = ids, .n_ids = 1};
    const memo_prove_options prove = {.size = sizeof prove, .texts = texts, .n_texts = 1};
    const memo_text changed = MEMO_STR("a dog");
    const memo_record_edit edit = {.size = sizeof edit, .text = &changed};
    const memo_record_in in = db_record("b", "a dog");
    memo_records *records = NULL;
    memo_changes *changes = NULL;
    memo_shred_report *report = NULL;
    memo_findings *findings = NULL;
    memo_hits *hits = NULL;
    memo_db_stats stats = {.size = sizeof stats};
    char copy[720];
    snprintf(copy, sizeof copy, "%s.copy", e->path);
    const memo_status got[] = {
        memo_db_add(e->db, NULL, &in, 1, NULL, NULL),
        memo_db_edit(e->db, NULL, "a", &edit, NULL, NULL),
        memo_db_forget(e->db, &forget, NULL, NULL, NULL),
        memo_db_get(e->db, NULL, "a", &records, NULL),
        memo_db_list(e->db, NULL, &records, NULL),
        memo_db_search(e->db, query, NULL, &hits, NULL),
        memo_db_history(e->db, NULL, "a", &records, NULL),
        memo_db_restore(e->db, NULL, "a", 1, NULL, NULL),
        memo_db_get_as_of(e->db, NULL, "a", DB_NOW, &records, NULL),
        memo_db_changes(e->db, NULL, &changes, NULL),
        memo_db_shred(e->db, &shred, &report, NULL),
        memo_db_prove_gone(e->db, &prove, &report, NULL),
        memo_db_get_stats(e->db, &stats, NULL),
        memo_db_doctor(e->db, &findings, NULL),
        memo_db_quarantine(e->db, places_no_row, NULL, NULL),
        memo_db_backup(e->db, copy, NULL, NULL, NULL),
    };
    for (size_t i = 0; i < sizeof got / sizeof *got; i++)
        if (got[i] != MEMO_ERR_USAGE)
            return (int)i + 1;
    return 0;
}

static void test_limits_131_used_after_fork(void **state)
{
    db_env *e = *state;
    int how = 0;
    pid_t pid;
    db_add(e, "a", "a cat");
    pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        int refused = places_use(e);
        memo_db_close(e->db); /* safe, and takes nothing from the parent */
        _exit(refused);
    }
    assert_int_equal(waitpid(pid, &how, 0), pid);
    assert_true(WIFEXITED(how));
    assert_int_equal(WEXITSTATUS(how), 0);
    db_add(e, "b", "a dog");
    memo_db_close(e->db);
    e->db = NULL;
    assert_int_equal(places_use(e), 0); /* a handle that is NULL */
    memo_db_close(NULL);
    db_reopen(e, e->model);
    memo_records *r = NULL;
    assert_memo_ok(memo_db_list(e->db, NULL, &r, &e->err), e->err);
    assert_int_equal(r->n, 2);
    memo_records_free(r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        db_test(test_limits_130_network_file_systems),
        db_test(test_limits_131_used_after_fork),
    };
    return cmocka_run_group_tests(tests, db_setup_group, db_teardown_group);
}
