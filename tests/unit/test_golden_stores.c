// SPDX-License-Identifier: Apache-2.0
/* Stores of old schemas and of this one, kept in tests/golden/stores with what they must list: each is migrated, and
 * every record, version and tombstone is what it was. So it is when the migration is cut short at any
 * call, and a damaged one is migrated honestly or refused. */
#include "db_util.h"

#include <sys/wait.h>

#include "base/dates.h"
#include "base/file.h"
#include "base/json.h"
#include "base/rng.h"
#include "store/disk/vfs.h"

#define GOLDEN MEMO_SOURCE_DIR "/tests/golden/stores/"

typedef struct golden {
    db_env *e;
    char *bytes; /* of the store as it was made */
    size_t n;
    char *lines; /* what it lists */
    size_t n_lines;
    size_t n_changes; /* in its feed */
} golden;

static golden golden_read(db_env *e, int schema)
{
    golden g = {.e = e, .n_changes = schema == 1 ? 7 : 14};
    char path[512];
    snprintf(path, sizeof path, GOLDEN "v%d.memo", schema);
    assert_memo_ok(memo_file_slurp(path, 1 << 24, &g.bytes, &g.n, &e->err), e->err);
    snprintf(path, sizeof path, GOLDEN "v%d.ndjson", schema);
    assert_memo_ok(memo_file_slurp(path, 1 << 20, &g.lines, &g.n_lines, &e->err), e->err);
    memo_db_close(e->db);
    e->db = NULL;
    return g;
}

static void golden_free(golden *g)
{
    memo_free(g->bytes);
    memo_free(g->lines);
}

/* The store as it was made, or damaged, and nothing beside it. */
static void golden_place(const golden *g, const char *bytes)
{
    static const char *const sides[] = {"-wal", "-shm", "-lock", "-idx", ".v1.bak", ".v1.bak.part"};
    for (size_t i = 0; i < sizeof sides / sizeof *sides; i++) {
        char path[740];
        snprintf(path, sizeof path, "%s%s", g->e->path, sides[i]);
        unlink(path);
    }
    memo_test_write_file(g->e->path, bytes, g->n);
}

static memo_status golden_open(golden *g, memo_open_mode mode)
{
    const memo_db_options options = {.size = sizeof options, .mode = mode};
    return memo_db_open(g->e->ctx, g->e->path, &options, &g->e->db, &g->e->err);
}

static const char *golden_str(const json_t *line, const char *name)
{
    const json_t *value = json_object_get(line, name);
    return json_is_string(value) ? json_string_value(value) : "";
}

static int64_t golden_date(const json_t *line, const char *name)
{
    const char *text = golden_str(line, name);
    int64_t ms = 0;
    if (*text)
        assert_true(memo_date_parse(text, strlen(text), &ms));
    return ms;
}

/* Every field of a record is that of its line. */
static void golden_compare(const json_t *line, const memo_record *r)
{
    const json_t *tags = json_object_get(line, "tags");
    char *metadata = json_dumps(json_object_get(line, "metadata"), JSON_COMPACT | JSON_SORT_KEYS);
    assert_string_equal(golden_str(line, "id"), r->id);
    assert_string_equal(golden_str(line, "key"), r->key);
    assert_string_equal(golden_str(line, "text"), r->text.bytes);
    assert_string_equal(golden_str(line, "title"), r->title);
    assert_string_equal(golden_str(line, "source"), r->source);
    assert_string_equal(golden_str(line, "ns"), r->ns);
    assert_string_equal(metadata, r->metadata_json);
    assert_int_equal(golden_date(line, "created"), r->created_ms);
    assert_int_equal(golden_date(line, "updated"), r->updated_ms);
    assert_int_equal(golden_date(line, "expires"), r->expires_ms);
    assert_int_equal(json_integer_value(json_object_get(line, "version")), r->version);
    assert_int_equal(json_array_size(tags), r->n_tags);
    for (size_t i = 0; i < r->n_tags; i++)
        assert_string_equal(json_string_value(json_array_get(tags, i)), r->tags[i]);
    assert_int_equal(r->tier, 2); /* what version 1 did not know */
    assert_int_equal(r->trust, 0);
    assert_int_equal(r->pinned, 0);
    free(metadata);
}

/* Each line's record is there as it was; how many there are. */
static size_t golden_check_records(golden *g)
{
    size_t n = 0;
    for (char *at = g->lines; *at;) {
        size_t n_line = strcspn(at, "\n");
        json_t *line = NULL;
        memo_records *r = NULL;
        memo_status status;
        assert_memo_ok(
            memo_json_parse(at, n_line, &memo_json_request_limits, "line", &line, &g->e->err),
            g->e->err);
        status =
            memo_db_get(g->e->db, golden_str(line, "ns"), golden_str(line, "key"), &r, &g->e->err);
        assert_memo_ok(status, g->e->err);
        golden_compare(line, &r->records[0]);
        n++;
        memo_records_free(r);
        json_decref(line);
        at += n_line + (at[n_line] == '\n');
    }
    return n;
}

static size_t golden_matches(golden *g, const char *ns, const char *where)
{
    const memo_list_options o = {.size = sizeof o, .ns = ns, .where = where};
    memo_records *r = NULL;
    size_t n;
    assert_memo_ok(memo_db_list(g->e->db, &o, &r, &g->e->err), g->e->err);
    n = r->n;
    memo_records_free(r);
    return n;
}

static void golden_check_history(golden *g)
{
    static const char *const texts[] = {"tea is in the blue tin", "tea is in the red tin",
                                        "tea is in the tin"};
    memo_records *r = NULL;
    memo_changes *c = NULL;
    size_t n_forgotten = 0;
    assert_memo_ok(memo_db_history(g->e->db, NULL, "tea", &r, &g->e->err), g->e->err);
    assert_int_equal(r->n, 3);
    for (size_t i = 0; i < 3; i++)
        assert_string_equal(r->records[i].text.bytes, texts[i]);
    memo_records_free(r);
    assert_memo_ok(memo_db_changes(g->e->db, NULL, &c, &g->e->err), g->e->err);
    assert_int_equal(c->n, g->n_changes);
    assert_int_equal(c->n_damaged, 0);
    for (size_t i = 0; i < c->n; i++)
        n_forgotten += c->changes[i].key && c->changes[i].kind == MEMO_CHANGE_FORGOTTEN &&
                       strncmp(c->changes[i].key, "lost", 4) == 0;
    assert_int_equal(n_forgotten, 2);
    memo_changes_free(c);
}

static void golden_check_words(golden *g, const char *ns, const char *query, size_t n)
{
    const memo_search_options o = {.size = sizeof o, .ns = ns, .mode = MEMO_SEARCH_LEXICAL};
    memo_hits *h = NULL;
    assert_memo_ok(memo_db_search(g->e->db, MEMO_STR(query), &o, &h, &g->e->err), g->e->err);
    assert_int_equal(h->n, n);
    memo_hits_free(h);
}

/* All of it, of a store that was not damaged. */
static void golden_check_all(golden *g)
{
    memo_findings *f = NULL;
    memo_db_stats stats = {.size = sizeof stats};
    assert_int_equal(golden_check_records(g), 5);
    golden_check_history(g);
    assert_int_equal(golden_matches(g, NULL, "tags = 'house'"), 1);
    assert_int_equal(golden_matches(g, NULL, "tags = 'drink'"), 1);
    assert_int_equal(golden_matches(g, "other", "tags = 'drink' and meta.f < 0"), 1);
    assert_int_equal(golden_matches(g, NULL, "not tags exists"), 1);
    golden_check_words(g, NULL, "flower", 1);
    golden_check_words(g, "other", "茶壺", 1);
    assert_memo_ok(memo_db_get_stats(g->e->db, &stats, &g->e->err), g->e->err);
    assert_int_equal(stats.schema_version, 2);
    assert_int_equal(stats.n_tombstones, 2);
    assert_int_equal(stats.n_versions, 2);
    assert_memo_ok(memo_db_doctor(g->e->db, &f, &g->e->err), g->e->err);
    for (size_t i = 0; i < f->n; i++)
        if (f->findings[i].level == MEMO_FINDING_BAD)
            fail_msg("%s", f->findings[i].message);
    memo_findings_free(f);
}

static void test_golden_v1_migrates(void **state)
{
    golden g = golden_read(*state, 1);
    char backup[740];
    char *bytes = NULL;
    size_t n = 0;
    golden_place(&g, g.bytes);
    assert_memo_status(golden_open(&g, MEMO_OPEN_READ_ONLY), MEMO_ERR_UNSUPPORTED, g.e->err);
    assert_contains(g.e->err.message, "open it once for writing");
    assert_memo_ok(golden_open(&g, MEMO_OPEN_EXISTING), g.e->err);
    golden_check_all(&g);
    memo_db_close(g.e->db);
    assert_memo_ok(golden_open(&g, MEMO_OPEN_READ_ONLY), g.e->err);
    golden_check_all(&g);
    memo_db_close(g.e->db);

    /* the copy that was made before: a whole store of version 1, page for page */
    snprintf(backup, sizeof backup, "%s.v1.bak", g.e->path);
    assert_memo_ok(memo_file_slurp(backup, 1 << 24, &bytes, &n, &g.e->err), g.e->err);
    assert_int_equal(n, g.n);
    assert_memory_equal(bytes + MEMO_PAGE_BYTES, g.bytes + MEMO_PAGE_BYTES, n - MEMO_PAGE_BYTES);
    for (uint32_t page = 0; page < n / MEMO_PAGE_BYTES; page++)
        assert_true(memo_vfs_page_good(bytes + (size_t)page * MEMO_PAGE_BYTES, page + 1));
    memcpy(g.bytes, bytes, n);
    memo_free(bytes);
    golden_place(&g, g.bytes);
    assert_memo_ok(golden_open(&g, MEMO_OPEN_EXISTING), g.e->err);
    golden_check_all(&g);
    golden_free(&g);
}

/* ---- of this schema -------------------------------------------------------------------------- */

static void golden_check_facts(golden *g)
{
    const memo_fact_query q = {.size = sizeof q, .about = "Anni", .any_time = 1, .retracted = 1};
    memo_facts *f = NULL;
    assert_memo_ok(memo_db_fact_query(g->e->db, &q, &f, &g->e->err), g->e->err);
    assert_int_equal(f->n, 4);
    assert_int_equal(f->n_damaged, 0);
    for (size_t i = 0; i < f->n; i++)
        assert_string_equal(f->facts[i].subject_name, "Anna Schmidt");
    assert_string_equal(f->facts[0].value, "tea");
    assert_string_equal(f->facts[0].evidence[0].excerpt, "tea is in the blue tin");
    assert_string_equal(f->facts[1].object_name, "Porto");
    assert_int_equal(f->facts[1].valid_to_ms, f->facts[2].valid_from_ms);
    assert_int_not_equal(f->facts[1].closed_ms, 0);
    assert_string_equal(f->facts[2].object_name, "Lisbon");
    assert_true(f->facts[2].confidence == 0.5);
    assert_string_equal(f->facts[3].evidence[0].excerpt, "spare");
    assert_string_equal(f->facts[3].reason, "it was borrowed");
    assert_int_not_equal(f->facts[3].retracted_ms, 0);
    memo_facts_free(f);
}

static void golden_check_rest(golden *g)
{
    memo_entities *entities = NULL;
    memo_actions *a = NULL;
    assert_memo_ok(memo_db_entity_get(g->e->db, NULL, "anni", &entities, &g->e->err), g->e->err);
    assert_string_equal(entities->entities[0].kind, "person");
    assert_string_equal(entities->entities[0].metadata_json, "{\"room\":\"kitchen\"}");
    assert_string_equal(entities->entities[0].aliases[0], "Anni");
    memo_entities_free(entities);
    assert_memo_ok(memo_db_actions(g->e->db, NULL, &a, &g->e->err), g->e->err);
    assert_int_equal(a->n, 1);
    assert_int_equal(a->actions[0].kind, MEMO_ACTION_ACCEPT);
    assert_string_equal(a->actions[0].actor, "anna");
    assert_string_equal(a->actions[0].detail, "as it was");
    memo_actions_free(a);
}

/* Opened as it is, for reading and for writing; nothing is migrated, and it takes a change. */
static void test_golden_v2_opens(void **state)
{
    static const memo_open_mode modes[] = {MEMO_OPEN_READ_ONLY, MEMO_OPEN_EXISTING};
    golden g = golden_read(*state, 2);
    char backup[740];
    snprintf(backup, sizeof backup, "%s.v2.bak", g.e->path);
    golden_place(&g, g.bytes);
    for (size_t i = 0; i < 2; i++) {
        assert_memo_ok(golden_open(&g, modes[i]), g.e->err);
        golden_check_all(&g);
        golden_check_facts(&g);
        golden_check_rest(&g);
        if (modes[i] == MEMO_OPEN_EXISTING)
            assert_memo_ok(memo_db_entity_merge(g.e->db, NULL, "Lisbon", "Porto", NULL, &g.e->err),
                           g.e->err);
        memo_db_close(g.e->db);
        g.e->db = NULL;
    }
    assert_false(memo_path_exists(backup));
    golden_free(&g);
}

/* ---- cut short ----------------------------------------------------------------------------- */

static int golden_left; /* calls that change a file until the process ends */

static void golden_strike(void)
{
    if (golden_left-- == 0)
        _exit(9);
}

static int golden_hook(void *user, memo_vfs_op op, const char *path, int64_t offset, int amount,
                       int *n_bytes)
{
    (void)user, (void)path, (void)offset, (void)amount, (void)n_bytes;
    if (op == MEMO_VFS_WRITE || op == MEMO_VFS_SYNC || op == MEMO_VFS_TRUNCATE ||
        op == MEMO_VFS_DELETE)
        golden_strike();
    return SQLITE_OK;
}

static memo_sys golden_real;

static int golden_fsync(int fd)
{
    golden_strike();
    return golden_real.fsync(fd);
}

static int golden_rename(const char *from, const char *to)
{
    golden_strike();
    return golden_real.rename(from, to);
}

static int golden_killed_at(golden *g, int point)
{
    int how = 0;
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        memo_sys sys = golden_real = *memo_sys_get();
        sys.fsync = golden_fsync;
        sys.rename = golden_rename;
        memo_sys_set(&sys);
        memo_vfs_set_hook(golden_hook, NULL);
        golden_left = point;
        if (golden_open(g, MEMO_OPEN_EXISTING))
            _exit(1);
        _exit(0);
    }
    assert_int_equal(waitpid(pid, &how, 0), pid);
    assert_true(WIFEXITED(how) && WEXITSTATUS(how) != 1);
    return WEXITSTATUS(how) == 9;
}

static void test_golden_v1_migration_killed_at_each_call(void **state)
{
    golden g = golden_read(*state, 1);
    int n_old = 0, n_new = 0, killed = 1;
    for (int point = 0; killed; point++) {
        golden_place(&g, g.bytes);
        killed = golden_killed_at(&g, point);
        if (golden_open(&g, MEMO_OPEN_READ_ONLY) == MEMO_OK) {
            n_new += killed;
            memo_db_close(g.e->db);
        } else { /* old, and whole */
            assert_int_equal(g.e->err.status, MEMO_ERR_UNSUPPORTED);
            n_old++;
        }
        assert_memo_ok(golden_open(&g, MEMO_OPEN_EXISTING), g.e->err);
        golden_check_all(&g);
        memo_db_close(g.e->db);
        g.e->db = NULL;
    }
    printf("migration killed at %d points: %d left the old store, %d the new one\n", n_old + n_new,
           n_old, n_new);
    assert_true(n_old > 40 && n_new > 0);
    golden_free(&g);
}

/* ---- damaged ------------------------------------------------------------------------------- */

/* What lies in the folder, but for the store, its side files and the original that a repair keeps. */
static void golden_nothing_else(golden *g)
{
    char command[800];
    snprintf(
        command, sizeof command,
        "ls -A '%s' | grep -v '^test.memo\\(-.*\\)\\?$\\|^test.memo.before-repair-\\|^test.memo"
        ".v1.bak$' | grep memo",
        g->e->dir);
    assert_int_not_equal(system(command), 0);
}

/* It is repaired into a store of this version; what is lost is told, what is served is right. */
static size_t golden_repaired(golden *g)
{
    const memo_repair_options o = {.size = sizeof o, .busy_timeout_ms = -1};
    memo_repair_report *r = NULL;
    char command[800];
    size_t n;
    assert_memo_ok(memo_db_repair(g->e->ctx, g->e->path, &o, &r, &g->e->err), g->e->err);
    assert_int_not_equal(r->way, MEMO_REPAIR_NOTHING);
    assert_memo_ok(golden_open(g, MEMO_OPEN_EXISTING), g->e->err);
    n = r->n_kept;
    memo_repair_report_free(r);
    golden_nothing_else(g);
    if (n == 5)
        assert_int_equal(golden_check_records(g), 5);
    memo_db_close(g->e->db);
    g->e->db = NULL;
    snprintf(command, sizeof command, "rm -f '%s'.before-repair-*", g->e->path);
    assert_int_equal(system(command), 0);
    return n;
}

/* The copy before the migration reads every page: one bit anywhere is noticed there at the latest. */
static void test_golden_v1_damaged(void **state)
{
    enum { FLIPS = 400, REPAIRED = 10 };
    golden g = golden_read(*state, 1);
    char *bytes = malloc(g.n);
    const char *seed = getenv("MEMO_SEED");
    memo_rng rng;
    size_t n_kept = 0;
    memo_rng_init(&rng, seed ? strtoull(seed, NULL, 10) : 1);
    for (int i = 0; i < FLIPS; i++) {
        uint64_t bit = memo_rng_below(&rng, g.n * 8);
        memcpy(bytes, g.bytes, g.n);
        bytes[bit / 8] = (char)(bytes[bit / 8] ^ 1 << bit % 8);
        golden_place(&g, bytes);
        memo_status status = golden_open(&g, MEMO_OPEN_EXISTING);
        if (status != MEMO_ERR_CORRUPT && status != MEMO_ERR_UNSUPPORTED)
            fail_msg("bit %d: %s %s", (int)bit, memo_status_name(status), g.e->err.message);
        if (status == MEMO_ERR_CORRUPT && i % (FLIPS / REPAIRED) == 0 && bit >= 800)
            n_kept += golden_repaired(&g);
    }
    printf("seed %s: %d flips, all refused with a reason; %d repairs kept %d records of %d\n",
           seed ? seed : "1", FLIPS, REPAIRED, (int)n_kept, 5 * REPAIRED);
    assert_true(n_kept >= 4 * REPAIRED);
    free(bytes);
    golden_free(&g);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        db_test(test_golden_v1_migrates),
        db_test(test_golden_v2_opens),
        db_test(test_golden_v1_migration_killed_at_each_call),
        db_test(test_golden_v1_damaged),
    };
    return cmocka_run_group_tests(tests, db_setup_group, db_teardown_group);
}
