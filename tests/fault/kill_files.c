// SPDX-License-Identifier: Apache-2.0
/* Workloads whose promise is "the old file or the new one": memo_replace, compiling a model, and
 * backups of a store. */
#include "kill_work.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"

static void files_die(const char *what)
{
    fprintf(stderr, "kill_points: %s: %s\n", what, strerror(errno));
    exit(2);
}

/* The whole of a file, NULL when there is none. */
static char *files_slurp(const char *path, size_t *n)
{
    FILE *f = fopen(path, "rbe");
    struct stat st;
    char *bytes = NULL;
    if (!f)
        return NULL;
    if (fstat(fileno(f), &st) != 0 || !(bytes = malloc((size_t)st.st_size + 1)))
        files_die(path);
    *n = fread(bytes, 1, (size_t)st.st_size + 1, f);
    fclose(f);
    return bytes;
}

/* Whether the file has exactly these bytes; -1 when it is not there. */
static int files_is(const char *path, const char *bytes, size_t n_bytes)
{
    size_t n;
    char *has = files_slurp(path, &n);
    int same = has && n == n_bytes && memcmp(has, bytes, n) == 0;
    int there = has != NULL;
    free(has);
    return there ? same : -1;
}

/* One killed run leaves at most the one temporary it was writing. */
static int files_check_temporaries(const char *folder, char *why)
{
    size_t n = fault_folder_count(folder, ".tmp");
    return n > 1 ? fault_fail(why, "%zu temporary files are left", n) : 0;
}

/* ---- memo_replace -------------------------------------------------------------------------- */

void kill_file_fill(char bytes[KILL_FILE_BYTES], int version)
{
    for (size_t i = 0; i < KILL_FILE_BYTES; i++)
        bytes[i] = (char)fault_mix((uint64_t)version, i / 8);
}

static memo_status files_replace(const char *path, int version, int overwrite, memo_err *err)
{
    char bytes[KILL_FILE_BYTES];
    memo_replace out;
    memo_status status = memo_replace_begin(&out, path, overwrite, err);
    kill_file_fill(bytes, version);
    for (size_t at = 0; at < KILL_FILE_BYTES && !status; at += KILL_FILE_PIECE)
        status = memo_replace_append(&out, at ? bytes + at : bytes + 1, KILL_FILE_PIECE, err);
    if (!status) /* known last, as a header is */
        status = memo_replace_write_at(&out, 0, bytes, KILL_FILE_PIECE, err);
    if (!status)
        status = memo_replace_commit(&out, err);
    memo_replace_fini(&out);
    return status;
}

memo_status kill_file_run(const kill_job *job, const char *folder, fault_progress *progress,
                          memo_err *err)
{
    char path[400];
    memo_status status = MEMO_OK;
    for (size_t i = 0; i < 3 && !status; i++) {
        snprintf(path, sizeof path, "%s/%c", folder, i < 2 ? 'a' : 'b');
        atomic_store(&progress->n_begun, i + 1);
        status = job->kind->write(path, (int)i + 1, i < 2, err);
        if (!status)
            atomic_store(&progress->n_acked, i + 1);
    }
    return status;
}

int kill_file_check(const kill_job *job, const char *folder, const fault_progress *progress,
                    char why[FAULT_WHY_BYTES])
{
    char bytes[KILL_FILE_BYTES], path[400];
    size_t acked = progress->n_acked, begun = progress->n_begun;
    int found = 0, there;
    memo_err err = {0};
    (void)job;
    snprintf(path, sizeof path, "%s/a", folder);
    for (int version = acked < 2 ? (int)acked : 2; version <= 2 && version <= (int)begun;
         version++) {
        kill_file_fill(bytes, version);
        found |= files_is(path, bytes, sizeof bytes) == 1;
    }
    if (!found)
        return fault_fail(why, "file a is neither what was acknowledged nor the next one");
    snprintf(path, sizeof path, "%s/b", folder);
    kill_file_fill(bytes, 3);
    there = files_is(path, bytes, sizeof bytes);
    if (there == 0 || (there == 1 && begun < 3) || (there < 0 && acked == 3))
        return fault_fail(why, "file b is %s", there < 0 ? "lost" : "torn");
    if (files_check_temporaries(folder, why))
        return 1;
    if (files_replace(path, 3, 1, &err) || files_is(path, bytes, sizeof bytes) != 1)
        return fault_fail(why, "file b cannot be written afterwards: %s", err.message);
    return 0;
}

static const kill_kind files_replace_kind = {
    .run = kill_file_run, .check = kill_file_check, .write = files_replace};

/* ---- compiling ----------------------------------------------------------------------------- */

static memo_status files_compile(const fault_world *world, const char *path, const char *name,
                                 memo_err *err)
{
    const memo_compile_options options = {.size = sizeof options, .name = name, .overwrite = 1};
    return memo_model_compile(world->ctx, world->source, path, &options, NULL, err);
}

static memo_status compile_run(const kill_job *job, const char *folder, fault_progress *progress,
                               memo_err *err)
{
    char path[400];
    memo_status status;
    snprintf(path, sizeof path, "%s/m.safetensors", folder);
    atomic_store(&progress->n_begun, 1);
    status = files_compile(job->world, path, "new", err);
    if (!status)
        atomic_store(&progress->n_acked, 1);
    return status;
}

/* The stored name says which one it is; opening it with every checksum that it is whole. */
static int compile_check(const kill_job *job, const char *folder, const fault_progress *progress,
                         char why[FAULT_WHY_BYTES])
{
    const memo_model_options options = {.size = sizeof options, .verify_all = 1};
    char path[400], name[32];
    memo_model *model = NULL;
    memo_model_info info = {.size = sizeof info};
    memo_err err = {0};
    snprintf(path, sizeof path, "%s/m.safetensors", folder);
    if (memo_model_open(job->world->ctx, path, &options, &model, &err))
        return fault_fail(why, "the compiled model: %s: %s", memo_status_name(err.status),
                          err.message);
    memo_model_get_info(model, &info, NULL);
    snprintf(name, sizeof name, "%s", info.name);
    memo_model_close(model);
    if (strcmp(name, "new") != 0 && (strcmp(name, "old") != 0 || progress->n_acked))
        return fault_fail(why, "the compiled model is \"%s\"", name);
    if (files_check_temporaries(folder, why))
        return 1;
    if (files_compile(job->world, path, "next", &err))
        return fault_fail(why, "compiling afterwards: %s", err.message);
    return 0;
}

static const kill_kind files_compile_kind = {.run = compile_run, .check = compile_check};

/* ---- backups ------------------------------------------------------------------------------- */

static const fault_step backup_before[] = {{FAULT_PUT, 0, 0, 12, 1}, {FAULT_PUT, 1, 0, 3, 1}};
static const fault_step backup_steps[] = {
    {FAULT_PUT, 0, 12, 4, 1}, {FAULT_BACKUP, 0, 0, 0, 0}, {FAULT_FORGET, 0, 0, 3, 0},
    {FAULT_PUT, 0, 5, 3, 2},  {FAULT_BACKUP, 0, 0, 0, 0}, {FAULT_PUT, 0, 30, 2, 1},
};

/* The states that backup.memo may hold: that of the last backup acknowledged, and of one begun. */
static int backup_check_copy(const kill_job *job, const char *path, const fault_progress *progress,
                             char *why)
{
    fault_state states[2];
    size_t n = 0;
    int must = 0, bad;
    char folder[400], to[500], found[FAULT_WHY_BYTES - 20];
    for (size_t i = 0; i < progress->n_begun; i++)
        if (job->workload.steps[i].kind == FAULT_BACKUP) {
            n = i < progress->n_acked ? 0 : n;
            must |= i < progress->n_acked;
            states[n++] = job->plan.states[job->plan.after[i]];
        }
    if (access(path, F_OK) != 0)
        return must ? fault_fail(why, "the backup is lost") : 0;
    if (n == 0)
        return fault_fail(why, "a backup nobody made");
    snprintf(folder, sizeof folder, "%s/copy-%ld", job->world->dir, (long)getpid());
    snprintf(to, sizeof to, "%s/s.memo", folder);
    mkdir(folder, 0700);
    if (rename(path, to) != 0)
        files_die(to);
    bad = fault_check(job->world, folder, &(fault_allowed){states, 0, n - 1}, NULL, why);
    fault_folder_remove(folder);
    if (bad) {
        snprintf(found, sizeof found, "%s", why);
        (void)fault_fail(why, "the backup: %s", found);
    }
    return bad;
}

static int backup_check(const kill_job *job, const char *folder, const fault_progress *progress,
                        char why[FAULT_WHY_BYTES])
{
    const fault_allowed allowed = fault_plan_allowed(&job->plan, progress);
    char path[400];
    snprintf(path, sizeof path, "%s/backup.memo", folder);
    return backup_check_copy(job, path, progress, why) || files_check_temporaries(folder, why) ||
           fault_check(job->world, folder, &allowed, NULL, why);
}

static const kill_kind files_backup_kind = {.run = kill_store_run,
                                            .check = backup_check,
                                            .step = fault_step_run,
                                            .told = fault_progress_told};

/* ---- all of them --------------------------------------------------------------------------- */

kill_job *kill_file_add(kill_jobs *jobs, fault_world *world, const char *name,
                        const kill_kind *kind)
{
    kill_job *job = kill_jobs_add(jobs, world, name, kind);
    char path[400], bytes[KILL_FILE_BYTES];
    FILE *f;
    snprintf(path, sizeof path, "%s/a", job->image);
    kill_file_fill(bytes, 0);
    f = fopen(path, "wbe");
    if (!f || fwrite(bytes, 1, sizeof bytes, f) != sizeof bytes || fclose(f) != 0)
        files_die(path);
    return job;
}

void kill_files_add(kill_jobs *jobs, fault_world *world)
{
    static const fault_workload backup = {"backup", backup_before, 2, backup_steps, 6};
    kill_job *job;
    char path[400];
    memo_err err = {0};
    (void)kill_file_add(jobs, world, "replace", &files_replace_kind);
    job = kill_jobs_add(jobs, world, "compile", &files_compile_kind);
    snprintf(path, sizeof path, "%s/m.safetensors", job->image);
    if (files_compile(world, path, "old", &err))
        files_die(err.message);
    (void)kill_jobs_add_store(jobs, world, "backup", &backup, &files_backup_kind);
}
