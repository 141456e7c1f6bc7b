// SPDX-License-Identifier: Apache-2.0
/* What deeds must leave is learned without harm; what they have left is compared with it. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/file.h"
#include "fault_deeds.h"
#include "store/disk/vfs.h"

enum { PLAN_MAX_SNAPS = 64, PLAN_MAX_FILE = 1 << 26 };

static void plan_die(const fault_deeds *deeds, size_t number, const char *why)
{
    fprintf(stderr, "fault: %s, deed %zu: %s\n", deeds->name, number, why);
    exit(2);
}

/* ---- doing them ---------------------------------------------------------------------------- */

static memo_status plan_do(fault_session *s, const fault_deeds *deeds, size_t i, memo_err *err)
{
    const fault_deed *deed = &deeds->deeds[i];
    memo_status status = fault_session_open(s, err);
    s->world->now_ms = FAULT_DEEDS_MS + 1000 * (int64_t)i;
    if (status)
        return status;
    return deed->run ? deed->run(s, deed, err) : fault_step_run(s, &deed->step, err);
}

memo_status fault_deeds_run(fault_world *world, const fault_deeds *deeds, const char *folder,
                            fault_told_fn told, void *user, memo_err *err)
{
    fault_session session;
    memo_status status = MEMO_OK;
    fault_session_init(&session, world, folder);
    for (size_t i = 0; i < deeds->n && !status; i++) {
        told(user, i + 1, 0);
        status = plan_do(&session, deeds, i, err);
        if (!status)
            told(user, i + 1, 1);
    }
    fault_session_close(&session);
    return status;
}

memo_status fault_deeds_run_instead(fault_world *world, const fault_deeds *deeds,
                                    const char *folder, fault_deed_fn right, fault_deed_fn wrong,
                                    fault_told_fn told, void *user, memo_err *err)
{
    fault_deeds list = *deeds;
    fault_deed *changed = calloc(list.n, sizeof *changed);
    memo_status status;
    if (!changed)
        exit(2);
    for (size_t i = 0; i < list.n; i++) {
        changed[i] = list.deeds[i];
        if (changed[i].run == right)
            changed[i].run = wrong;
    }
    list.deeds = changed;
    status = fault_deeds_run(world, &list, folder, told, user, err);
    free(changed);
    return status;
}

/* ---- learning ------------------------------------------------------------------------------ */

/* The store before each commit of a deed, as a process that is killed then would leave it. */
static struct plan_watch {
    const char *dir, *folder;
    size_t n;
} plan_watch;

static void plan_snap_folder(const char *dir, size_t i, char out[300])
{
    snprintf(out, 300, "%.200s/snap-%zu", dir, i);
}

/* The header of a log's frame tells the size of the database when it ends a commit. */
static void plan_watch_log(void *user, memo_vfs_op op, const char *path, int64_t offset,
                           const void *bytes, int amount, int rc)
{
    static const char zeros[4];
    size_t n = path ? strlen(path) : 0;
    char to[300];
    (void)user, (void)rc;
    if (op != MEMO_VFS_WRITE || amount != 24 || offset < 32 || n < 4 ||
        strcmp(path + n - 4, "-wal") != 0 || memcmp((const char *)bytes + 4, zeros, 4) == 0 ||
        plan_watch.n == PLAN_MAX_SNAPS)
        return;
    plan_snap_folder(plan_watch.dir, plan_watch.n++, to);
    fault_folder_copy(plan_watch.folder, to);
}

/* A picture of the store in a folder, or of the open one. memo_buf_fini() it. */
static int plan_look(fault_world *world, const char *folder, fault_session *open, memo_buf *out)
{
    fault_session session;
    memo_err err = {0};
    int bad = 0;
    fault_session_init(&session, world, folder);
    if (!open && fault_session_open(&session, &err)) {
        memo_buf_printf(out, "it does not open: %s\n", err.message);
        bad = 1;
    } else {
        fault_picture(world, open ? open->db : session.db, out);
    }
    fault_session_close(&session);
    return bad;
}

/* Returns whether it is another one than the last. */
static int plan_push(fault_deed_plan *plan, memo_buf *picture)
{
    int is_new =
        plan->n_states == 0 || strcmp(plan->states[plan->n_states - 1], picture->data) != 0;
    if (is_new && plan->n_states == plan->cap) {
        plan->cap = plan->cap ? 2 * plan->cap : 32;
        plan->states = realloc(plan->states, plan->cap * sizeof *plan->states);
    }
    if (is_new && (!plan->states || !(plan->states[plan->n_states++] = strdup(picture->data))))
        exit(2);
    return is_new;
}

static int plan_check_gone(const fault_deed_plan *plan, const char *folder, size_t i,
                           char why[FAULT_WHY_BYTES]);

/* What will be looked for can be found before, or the search proves nothing. */
static void plan_see_it_go(const fault_deed_plan *plan, size_t i, int gone)
{
    char why[FAULT_WHY_BYTES] = "";
    if (plan_check_gone(plan, plan_watch.folder, i, why) == gone)
        plan_die(plan->deeds, i + 1, gone ? why : "what is to be gone is not there");
}

static void plan_learn_one(fault_deed_plan *plan, fault_session *s, size_t i, memo_buf *picture)
{
    const fault_deed *deed = &plan->deeds->deeds[i];
    size_t before = plan->n_states, most = deed->n_commits ? (size_t)deed->n_commits : 1;
    char snap[300];
    memo_err err = {0};
    memo_status status;
    plan_see_it_go(plan, i, !deed->shreds);
    plan_watch.n = 0;
    memo_vfs_set_after_hook(plan_watch_log, NULL);
    status = plan_do(s, plan->deeds, i, &err);
    memo_vfs_set_after_hook(NULL, NULL);
    if (status)
        plan_die(plan->deeds, i + 1, err.message);
    if (plan_watch.n == PLAN_MAX_SNAPS)
        plan_die(plan->deeds, i + 1, "too many commits");
    plan_see_it_go(plan, i, 1);
    for (size_t k = 0; k < plan_watch.n; k++) {
        plan_snap_folder(plan->world->dir, k, snap);
        if (plan_look(plan->world, snap, NULL, picture))
            plan_die(plan->deeds, i + 1, picture->data);
        (void)plan_push(plan, picture);
        fault_folder_remove(snap);
    }
    (void)plan_look(plan->world, "", s, picture);
    (void)plan_push(plan, picture);
    if (plan->n_states == before)
        plan_die(plan->deeds, i + 1, "it changes nothing");
    if (plan->n_states - before > most)
        plan_die(plan->deeds, i + 1, "it takes more commits than it may");
    plan->after[i] = plan->n_states - 1;
}

void fault_deed_plan_init(fault_deed_plan *plan, fault_world *world, const fault_deeds *deeds,
                          const char *image)
{
    char folder[300];
    fault_session session;
    memo_buf picture = {0};
    memo_err err = {0};
    *plan = (fault_deed_plan){.world = world, .deeds = deeds};
    plan->after = calloc(deeds->n, sizeof *plan->after);
    snprintf(folder, sizeof folder, "%s/learn", world->dir);
    fault_folder_copy(image, folder);
    plan_watch.dir = world->dir;
    plan_watch.folder = folder;
    fault_session_init(&session, world, folder);
    if (!plan->after || fault_session_open(&session, &err))
        plan_die(deeds, 0, err.message);
    (void)plan_look(world, "", &session, &picture);
    (void)plan_push(plan, &picture);
    for (size_t i = 0; i < deeds->n; i++)
        plan_learn_one(plan, &session, i, &picture);
    fault_session_close(&session);
    fault_folder_remove(folder);
    for (size_t i = 0; i < plan->n_states; i++)
        if (strstr(plan->states[i], "doctor: ") || strstr(plan->states[i], "_ERR_"))
            plan_die(deeds, 0, plan->states[i]);
    memo_buf_fini(&picture);
}

void fault_deed_plan_fini(fault_deed_plan *plan)
{
    for (size_t i = 0; i < plan->n_states; i++)
        free(plan->states[i]);
    free(plan->states);
    free(plan->after);
    *plan = (fault_deed_plan){0};
}

/* ---- what must be gone --------------------------------------------------------------------- */

static int plan_find(const char *bytes, size_t n, const void *needle, size_t n_needle)
{
    const char *at = bytes;
    while (n_needle && (at = memchr(at, *(const char *)needle, (size_t)(bytes + n - at))) != NULL) {
        if ((size_t)(bytes + n - at) >= n_needle && memcmp(at, needle, n_needle) == 0)
            return 1;
        at++;
    }
    return 0;
}

/* The word that each version of a record had, and its vector. */
static int plan_find_record(fault_world *world, int key, const char *bytes, size_t n)
{
    for (int version = 1; version <= 2; version++) {
        const float *vector = fault_vector(world, 0, key, version);
        char word[32];
        fault_word(0, key, version, word);
        if (plan_find(bytes, n, word, strlen(word)) ||
            (vector && plan_find(bytes, n, vector, 8 * sizeof *vector)))
            return 1;
    }
    return 0;
}

typedef struct plan_search {
    fault_world *world;
    const fault_deed *deed;
    char *why;
    int bad;
} plan_search;

static void plan_search_file(const char *folder, const char *name, void *user)
{
    plan_search *p = user;
    char path[600], *bytes = NULL;
    size_t n = 0;
    memo_err err = {0};
    snprintf(path, sizeof path, "%.300s/%.255s", folder, name);
    if (p->bad)
        return;
    if (memo_file_slurp(path, PLAN_MAX_FILE, &bytes, &n, &err))
        p->bad = fault_fail(p->why, "%s", err.message);
    for (int i = 0; i < p->deed->step.n && !p->bad; i++)
        if (plan_find_record(p->world, p->deed->step.first + i, bytes, n))
            p->bad = fault_fail(p->why, "k%03d was shredded, and its word or vector stands in %s",
                                p->deed->step.first + i, name);
    memo_free(bytes);
}

/* Of deed number i, when it shreds. */
static int plan_check_gone(const fault_deed_plan *plan, const char *folder, size_t i,
                           char why[FAULT_WHY_BYTES])
{
    plan_search search = {.world = plan->world, .deed = &plan->deeds->deeds[i], .why = why};
    if (search.deed->shreds)
        fault_folder_each(folder, plan_search_file, &search);
    return search.bad;
}

static int plan_check_all_gone(const fault_deed_plan *plan, const char *folder, size_t n_acked,
                               char why[FAULT_WHY_BYTES])
{
    int bad = 0;
    for (size_t i = 0; i < n_acked && !bad; i++)
        bad = plan_check_gone(plan, folder, i, why);
    return bad;
}

/* ---- comparison ---------------------------------------------------------------------------- */

static size_t plan_line(const char *text)
{
    return strcspn(text, "\n");
}

/* The first line in which a picture differs from what was acknowledged. */
static void plan_say(const char *want, const char *got, char why[FAULT_WHY_BYTES])
{
    while (*want && plan_line(want) == plan_line(got) && strncmp(want, got, plan_line(want)) == 0) {
        want += plan_line(want) + 1;
        got += plan_line(got) + (got[plan_line(got)] == '\n');
    }
    (void)fault_fail(why,
                     "it differs from what was acknowledged, and not as the deed that had begun "
                     "allows: \"%.*s\" instead of \"%.*s\"",
                     (int)(plan_line(got) < 180 ? plan_line(got) : 180), got,
                     (int)(plan_line(want) < 180 ? plan_line(want) : 180), want);
}

static fault_verdict plan_compare(const fault_deed_plan *plan, const char *got, size_t first,
                                  size_t last, char why[FAULT_WHY_BYTES])
{
    for (size_t i = first; i <= last; i++)
        if (strcmp(plan->states[i], got) == 0)
            return FAULT_FINE;
    plan_say(plan->states[first], got, why);
    for (size_t i = 0; i < first; i++)
        if (strcmp(plan->states[i], got) == 0)
            return FAULT_LOST;
    return FAULT_BROKEN;
}

/* ---- going on ------------------------------------------------------------------------------ */

static int plan_add(fault_session *s, char why[FAULT_WHY_BYTES])
{
    const memo_record_in in = {
        .size = sizeof in, .key = "added-after", .text = MEMO_TEXT("the note of the key")};
    memo_records *record = NULL;
    memo_err err = {0};
    memo_status status = memo_db_add(s->db, NULL, &in, 1, NULL, &err);
    fault_session_close(s);
    if (!status)
        status = fault_session_open(s, &err);
    if (!status)
        status = memo_db_get(s->db, NULL, "added-after", &record, &err);
    memo_records_free(record);
    return status ? fault_fail(why, "a new record: %s", err.message) : 0;
}

/* Equal but for the searches: equal scores are in the order of ids, which records have that came at the
 * same millisecond from two processes in no order. */
static int plan_same_rows(const char *a, const char *b)
{
    static const char search[] = "\nthe spare key", rest[] = "\nentities: ";
    const char *end_a = strstr(a, search), *end_b = strstr(b, search);
    const char *rest_a = strstr(a, rest), *rest_b = strstr(b, rest);
    return end_a && end_b && rest_a && rest_b && end_a - a == end_b - b &&
           memcmp(a, b, (size_t)(end_a - a)) == 0 && strcmp(rest_a, rest_b) == 0;
}

/* The deed that was cut short, once more. */
static int plan_again(const fault_deed_plan *plan, fault_session *s, size_t i, memo_buf *picture,
                      char why[FAULT_WHY_BYTES])
{
    memo_err err = {0};
    if (plan_do(s, plan->deeds, i, &err))
        return fault_fail(why, "done once more: %s", err.message);
    fault_picture(plan->world, s->db, picture);
    if (plan->deeds->deeds[i].partly && plan_same_rows(picture->data, plan->states[plan->after[i]]))
        return 0;
    return plan_compare(plan, picture->data, plan->after[i], plan->after[i], why) != FAULT_FINE;
}

static fault_verdict plan_go_on(const fault_deed_plan *plan, const char *folder, fault_session *s,
                                const fault_progress *progress, memo_buf *picture,
                                char why[FAULT_WHY_BYTES])
{
    size_t n_acked = progress->n_acked, n_begun = progress->n_begun;
    size_t n_again = n_begun > n_acked && plan->deeds->deeds[n_begun - 1].again ? n_begun : n_acked;
    int bad = n_again > n_acked && plan_again(plan, s, n_begun - 1, picture, why);
    bad = bad || plan_check_all_gone(plan, folder, n_again, why) || plan_add(s, why);
    return bad ? FAULT_BROKEN : FAULT_FINE;
}

/* Of a deed that has failed: each record of the list is that of one of the two states, and none that
 * was there before is missing. */
static int plan_is_part(const char *got, const char *before, const char *after)
{
    const char *begin = strstr(got, "\nlist: "), *end = strstr(got, "\nk000: ");
    size_t n_got = 0, n_before = 0;
    if (!begin || !end)
        return 0;
    for (const char *at = strchr(begin + 1, '\n') + 1; at < end; at += plan_line(at) + 1) {
        char line[1024];
        if (strncmp(at, "  ", 2) != 0)
            continue;
        snprintf(line, sizeof line, "%.*s\n", (int)plan_line(at), at);
        n_got++;
        n_before += strstr(before, line) != NULL;
        if (!strstr(before, line) && !strstr(after, line))
            return 0;
    }
    return n_before == (size_t)atoi(strstr(before, "\nlist: ") + 7) && !strstr(got, "doctor: ") &&
           n_got > 0;
}

static fault_verdict plan_judge(const fault_deed_plan *plan, const fault_progress *progress,
                                const char *picture, char why[FAULT_WHY_BYTES])
{
    size_t n_acked = progress->n_acked, n_begun = progress->n_begun;
    size_t first = n_acked ? plan->after[n_acked - 1] : 0;
    size_t last = n_begun ? plan->after[n_begun - 1] : 0;
    fault_verdict verdict = plan_compare(plan, picture, first, last, why);
    if (verdict == FAULT_FINE || !progress->refused || !plan->deeds->deeds[n_begun - 1].partly)
        return verdict;
    return plan_is_part(picture, plan->states[first], plan->states[last]) ? FAULT_FINE : verdict;
}

fault_verdict fault_deeds_check(const fault_deed_plan *plan, const char *folder,
                                const fault_progress *progress, char why[FAULT_WHY_BYTES])
{
    fault_session session;
    memo_buf picture = {0};
    memo_err err = {0};
    fault_verdict verdict;
    why[0] = '\0';
    if (plan_check_all_gone(plan, folder, progress->n_acked, why))
        return FAULT_BROKEN;
    fault_session_init(&session, plan->world, folder);
    plan->world->now_ms = FAULT_DEEDS_MS + 1000 * (int64_t)plan->deeds->n;
    if (fault_session_open(&session, &err)) {
        (void)fault_fail(why, "the store does not open: %s", err.message);
        return FAULT_BROKEN;
    }
    fault_picture(plan->world, session.db, &picture);
    verdict = plan_judge(plan, progress, picture.data, why);
    if (verdict == FAULT_FINE)
        verdict = plan_go_on(plan, folder, &session, progress, &picture, why);
    fault_session_close(&session);
    memo_buf_fini(&picture);
    return verdict;
}
