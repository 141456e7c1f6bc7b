// SPDX-License-Identifier: Apache-2.0
/* Compiling: what is reported, refused and left behind. Numbered bad inputs that stand here:
 *
 *   36   test_limits_36_nonfinite_weights
 *   95   test_limits_95_missing_and_surplus_tensors (and test_limits_config.c)
 *   111  test_limits_111_killed_at_each_call, test_limits_111_killed_on_a_full_disk */
#include "memo_test.h"

#include <errno.h>
#include <limits.h>
#include <math.h>
#include <sys/wait.h>

#include <memolith/model.h>

#include "base/file.h"
#include "bert_source.h"

typedef struct compile_env {
    memo_ctx *ctx;
    char dir[256], source[300], out[512];
} compile_env;

static int setup(void **state)
{
    compile_env *e = calloc(1, sizeof *e);
    memo_ctx_options options = {.size = sizeof options, .n_threads = 1};
    memo_err err = {0};

    memo_test_temp_dir(e->dir);
    snprintf(e->source, sizeof e->source, "%.255s/source", e->dir);
    memo_test_path(e->out, e->dir, "model.safetensors");
    mkdir(e->source, 0700);
    bert_write_model(e->source, (bert_spec){0});
    assert_memo_ok(memo_ctx_new(&options, &e->ctx, &err), err);
    *state = e;
    return 0;
}

static int teardown(void **state)
{
    compile_env *e = *state;
    memo_ctx_free(e->ctx);
    memo_test_remove_tree(e->dir);
    free(e);
    return 0;
}

static memo_compile_options defaults(void)
{
    return (memo_compile_options){.size = sizeof(memo_compile_options), .overwrite = 1};
}

/* Compile a variant of the source; the fingerprint in hex. */
static void compile_variant(compile_env *e, bert_spec spec, const char *name, char hex[65])
{
    memo_compile_options o = defaults();
    memo_compile_report *report = NULL;
    memo_err err = {0};

    o.name = name;
    bert_write_model(e->source, spec);
    assert_memo_ok(memo_model_compile(e->ctx, e->source, e->out, &o, &report, &err), err);
    memcpy(hex, report->fingerprint, 65);
    memo_compile_report_free(report);
}

static memo_status compile_poisoned(compile_env *e, bert_spec spec, memo_err *err)
{
    memo_compile_options o = defaults();
    unlink(e->out);
    bert_write_model(e->source, spec);
    memo_status status = memo_model_compile(e->ctx, e->source, e->out, &o, NULL, err);
    assert_int_equal(access(e->out, F_OK) == 0, status == MEMO_OK);
    return status;
}

static void test_model_compile_reports(void **state)
{
    compile_env *e = *state;
    memo_compile_options o = defaults();
    memo_compile_report *report = NULL;
    memo_model *model = NULL;
    memo_verify_report verified = {.size = sizeof verified};
    memo_model_info info = {.size = sizeof info};
    memo_err err = {0};
    struct stat st;

    bert_write_model(e->source, (bert_spec){.extra = "pooler.dense.bias"});
    assert_memo_ok(memo_model_compile(e->ctx, e->source, e->out, &o, &report, &err), err);
    assert_int_equal(stat(e->out, &st), 0);
    assert_int_equal(report->file_bytes, st.st_size);
    assert_int_equal(report->n_tensors, 5 + 2 * 12);
    /* Tables and two norms of the embeddings, then q k v o, two norms, up and down a layer. */
    assert_int_equal(report->n_parameters,
                     (BERT_VOCAB + 48 + 2 + 2) * 40 +
                         2 * (4 * (40 * 40 + 40) + 4 * 40 + 2 * 40 * 72 + 72 + 40));
    assert_int_equal(report->n_unused, 1);
    assert_string_equal(report->unused[0], "pooler.dense.bias");
    assert_int_equal(report->n_warnings, 1);
    assert_contains(report->warnings[0], "vocab.txt");

    assert_memo_ok(memo_model_open(e->ctx, e->out, NULL, &model, &err), err);
    memo_model_get_info(model, &info, NULL);
    assert_string_equal(info.name, "source"); /* the folder's */
    assert_string_equal(info.architecture, "bert");
    assert_string_equal(info.fingerprint, report->fingerprint);
    assert_string_equal(info.tool_version, memo_version());
    assert_int_equal(info.dim, 40);
    assert_int_equal(info.max_tokens, 48);
    assert_int_equal(info.n_special_tokens, 2);
    assert_int_equal(info.n_parameters, report->n_parameters);
    assert_contains(info.recipe_json, "\"max_tokens\":{\"value\":48,\"origin\":\"config.json\"}");
    assert_memo_ok(memo_model_verify(model, &verified, &err), err);
    assert_int_equal(verified.fingerprint_matches, 1);
    assert_int_equal(verified.n_probes, 8);
    assert_int_equal(verified.n_probe_ids_differ, 0);
    assert_true(verified.probe_max_abs_diff == 0); /* same level, same bits */
    assert_true(verified.probe_min_cosine > 0.999999);
    memo_model_close(model);
    memo_compile_report_free(report);
}

/* Every tensor of the file begins on a multiple of 64 bytes, and any safetensors reader reads it. */
static void test_model_compile_aligns_tensors(void **state)
{
    compile_env *e = *state;
    memo_compile_options o = defaults();
    memo_tensor_list *list = NULL;
    memo_err err = {0};
    int seen = 0;

    assert_memo_ok(memo_model_compile(e->ctx, e->source, e->out, &o, NULL, &err), err);
    assert_memo_ok(memo_model_inspect(e->ctx, e->out, &list, &err), err);
    assert_string_equal(list->format, "safetensors");
    for (size_t i = 0; i < list->n; i++) {
        if (strncmp(list->tensors[i].name, "memolith.pad.", 13) != 0)
            assert_int_equal(list->tensors[i].offset % 64, 0);
        if (!strcmp(list->tensors[i].name, "layer.001.attention.qkv.weight")) {
            seen = 1;
            assert_string_equal(list->tensors[i].dtype, "F32");
            assert_int_equal(list->tensors[i].n_dims, 3);
            assert_int_equal(list->tensors[i].shape[0], 8); /* 120 channels in panels of 16 */
            assert_int_equal(list->tensors[i].shape[1], 64);
            assert_int_equal(list->tensors[i].shape[2], 16);
        }
    }
    assert_int_equal(seen, 1);
    memo_tensor_list_free(list);
}

/* The fingerprint is of the content: not of names, of the prefix, of the source's dtype. */
static void test_model_compile_fingerprint(void **state)
{
    compile_env *e = *state;
    char first[65], hex[65];

    compile_variant(e, (bert_spec){0}, "one", first);
    compile_variant(e, (bert_spec){0}, "another name", hex);
    assert_string_equal(hex, first);
    compile_variant(e, (bert_spec){.prefix = "bert."}, "one", hex);
    assert_string_equal(hex, first);
    compile_variant(e, (bert_spec){.with_f64 = 1}, "one", hex);
    assert_string_equal(hex, first);
    compile_variant(e, (bert_spec){.seed = 1}, "one", hex);
    assert_string_not_equal(hex, first);
    compile_variant(e,
                    (bert_spec){.poisoned = "encoder.layer.1.output.dense.weight",
                                .poison_at = 40 * 72 - 1,
                                .poison = 0.125f},
                    "one", hex);
    assert_string_not_equal(hex, first);
    bert_write_text(e->source, "sentence_bert_config.json", "{\"max_seq_length\": 47}");
    compile_variant(e, (bert_spec){0}, "one", hex);
    assert_string_not_equal(hex, first);
}

static void check_nonfinite(compile_env *e, memo_class cls)
{
    bert_spec spec = {
        .poisoned = "encoder.layer.0.attention.self.key.weight", .poison_at = 1234, .poison = NAN};
    memo_compile_options o = defaults();
    memo_err err = {0};

    o.cls = cls;
    bert_write_model(e->source, spec);
    assert_memo_status(memo_model_compile(e->ctx, e->source, e->out, &o, NULL, &err),
                       MEMO_ERR_VALUE, err);
    assert_contains(err.message, "encoder.layer.0.attention.self.key.weight");
    assert_contains(err.message, "NaN at index 1234");
    assert_contains(err.hint, "--allow-nonfinite");
    assert_int_equal(access(e->out, F_OK), -1);
    spec.poison = -INFINITY;
    bert_write_model(e->source, spec);
    assert_memo_status(memo_model_compile(e->ctx, e->source, e->out, &o, NULL, &err),
                       MEMO_ERR_VALUE, err);
    assert_contains(err.message, "an infinity at index 1234");
    /* Allowed on request: compiles, opens, and refuses to give out what comes of it. */
    o.allow_nonfinite = 1;
    memo_model *model = NULL;
    memo_text text = MEMO_TEXT("cat");
    float vector[40];
    memo_status status = memo_model_compile(e->ctx, e->source, e->out, &o, NULL, &err);
    if (cls == MEMO_CLASS_INT8) { /* there is no scale for the bytes of such a row */
        assert_memo_status(status, MEMO_ERR_VALUE, err);
        assert_contains(err.message, "key.weight\": row 30 has no scale in class int8");
        assert_int_equal(access(e->out, F_OK), -1);
        return;
    }
    assert_memo_ok(status, err);
    assert_memo_ok(memo_model_open(e->ctx, e->out, NULL, &model, &err), err);
    assert_memo_status(memo_model_embed(model, NULL, &text, 1, vector, NULL, &err), MEMO_ERR_VALUE,
                       err);
    assert_contains(err.message, "text 0");
    assert_memo_ok(memo_model_verify(model, NULL, &err), err);
    memo_model_close(model);
    unlink(e->out);
}

static void test_limits_36_nonfinite_weights(void **state)
{
    check_nonfinite(*state, MEMO_CLASS_F32);
    check_nonfinite(*state, MEMO_CLASS_INT8);
}

static void test_limits_95_missing_and_surplus_tensors(void **state)
{
    compile_env *e = *state;
    memo_err err = {0};

    assert_memo_status(
        compile_poisoned(e, (bert_spec){.missing = "encoder.layer.1.output.LayerNorm.bias"}, &err),
        MEMO_ERR_FORMAT, err);
    assert_contains(err.message, "encoder.layer.1.output.LayerNorm.bias");
    assert_memo_status(compile_poisoned(e, (bert_spec){.extra = "encoder.layer.0.adapter"}, &err),
                       MEMO_ERR_FORMAT, err);
    assert_contains(err.message, "encoder.layer.0.adapter");
    assert_memo_ok(compile_poisoned(e, (bert_spec){.extra = "embeddings.position_ids"}, &err), err);
    assert_memo_ok(compile_poisoned(e, (bert_spec){.extra = "cls.predictions.bias"}, &err), err);
}

static void test_model_compile_protects_files(void **state)
{
    compile_env *e = *state;
    memo_compile_options o = defaults();
    memo_err err = {0};
    char weights[600], before[600];
    struct stat st;

    o.overwrite = 0;
    memo_test_write_file(e->out, "mine", 4);
    assert_memo_status(memo_model_compile(e->ctx, e->source, e->out, &o, NULL, &err),
                       MEMO_ERR_USAGE, err);
    assert_int_equal(stat(e->out, &st), 0);
    assert_int_equal(st.st_size, 4);
    /* Onto its own weights, also by another name of the same file. */
    o.overwrite = 1;
    snprintf(weights, sizeof weights, "%s/model.safetensors", e->source);
    snprintf(before, sizeof before, "%s/link", e->dir);
    assert_int_equal(link(weights, before), 0);
    assert_memo_status(memo_model_compile(e->ctx, e->source, before, &o, NULL, &err),
                       MEMO_ERR_USAGE, err);
    assert_memo_ok(memo_model_compile(e->ctx, e->source, e->out, &o, NULL, &err), err);
}

static int cancel_at(void *user, const memo_progress *progress)
{
    int *left = user;
    assert_string_equal(progress->stage, "compile");
    assert_true(progress->done <= progress->total && progress->total > 0);
    return --*left == 0;
}

static void test_model_compile_cancels(void **state)
{
    compile_env *e = *state;
    memo_compile_options o = defaults();
    memo_err err = {0};
    int left = 7;

    o.progress = cancel_at;
    o.progress_user = &left;
    assert_memo_status(memo_model_compile(e->ctx, e->source, e->out, &o, NULL, &err),
                       MEMO_ERR_CANCELLED, err);
    assert_int_equal(access(e->out, F_OK), -1);
    left = 1000;
    assert_memo_ok(memo_model_compile(e->ctx, e->source, e->out, &o, NULL, &err), err);
    assert_int_equal(1000 - left, 1 + 5 + 2 * 12 + 1); /* at the start, once a tensor, at the end */
}

/* ---- failures of the system ---------------------------------------------------------------- */

/* Call number `at` fails with EIO, or the process dies there. The disk is full from write number
 * `full` on (0: never). */
static struct {
    const memo_sys *real;
    size_t n, at, n_writes, full;
    int die;
} fault;

static int fault_now(void)
{
    if (++fault.n != fault.at)
        return 0;
    if (fault.die)
        _exit(9);
    errno = EIO;
    return 1;
}

static int fault_open(const char *path, int flags, int mode)
{
    return fault_now() ? -1 : fault.real->open(path, flags, mode);
}

static int fault_close(int fd)
{
    int failed = fault_now(), rc = fault.real->close(fd);
    if (failed)
        errno = EIO;
    return failed ? -1 : rc;
}

static ssize_t fault_pread(int fd, void *buf, size_t n, off_t offset)
{
    return fault_now() ? -1 : fault.real->pread(fd, buf, n, offset);
}

static ssize_t fault_pwrite(int fd, const void *buf, size_t n, off_t offset)
{
    if (fault_now())
        return -1;
    fault.n_writes++;
    if (fault.full && fault.n_writes >= fault.full) {
        errno = ENOSPC;
        return -1;
    }
    return fault.real->pwrite(fd, buf, n, offset);
}

static int fault_unlink(const char *path)
{
    return fault_now() ? -1 : fault.real->unlink(path);
}

static int fault_fsync(int fd)
{
    return fault_now() ? -1 : fault.real->fsync(fd);
}

static int fault_rename(const char *from, const char *to)
{
    return fault_now() ? -1 : fault.real->rename(from, to);
}

static int fault_rename_new(const char *from, const char *to)
{
    return fault_now() ? -1 : fault.real->rename_new(from, to);
}

static void *fault_mmap(void *addr, size_t n, int prot, int flags, int fd, off_t offset)
{
    return fault_now() ? (void *)-1 : fault.real->mmap(addr, n, prot, flags, fd, offset);
}

static memo_status compile_with_fault(compile_env *e, size_t at, int die, memo_err *err)
{
    static memo_sys sys;
    memo_compile_options o = defaults();

    o.overwrite = 0;
    fault.real = memo_sys_get();
    fault.n = fault.n_writes = 0;
    fault.at = at;
    fault.die = die;
    sys = *fault.real;
    sys.open = fault_open;
    sys.close = fault_close;
    sys.pread = fault_pread;
    sys.pwrite = fault_pwrite;
    sys.fsync = fault_fsync;
    sys.rename = fault_rename;
    sys.rename_new = fault_rename_new;
    sys.unlink = fault_unlink;
    sys.mmap = fault_mmap;
    memo_sys_set(&sys);
    memo_status status = memo_model_compile(e->ctx, e->source, e->out, &o, NULL, err);
    memo_sys_set(NULL);
    return status;
}

/* No file, or a whole one (when the call that failed came after the rename). */
static int none_or_whole(compile_env *e)
{
    memo_model_options check = {.size = sizeof check, .verify_all = 1};
    memo_model *model = NULL;
    memo_err err = {0};

    if (access(e->out, F_OK) != 0)
        return 0;
    assert_memo_ok(memo_model_open(e->ctx, e->out, &check, &model, &err), err);
    assert_memo_ok(memo_model_verify(model, NULL, &err), err);
    memo_model_close(model);
    unlink(e->out);
    return 1;
}

static void test_model_compile_each_failing_call(void **state)
{
    compile_env *e = *state;
    size_t n_whole = 0, at = 1;

    for (;; at++) {
        memo_err err = {0};
        int64_t live = memo_alloc_live();
        memo_status status = compile_with_fault(e, at, 0, &err);
        int reached = fault.n >= at;
        assert_int_equal(memo_alloc_live(), live);
        if (!reached) {
            assert_memo_ok(status, err);
            break;
        }
        /* Closing a file that was only read may fail without harm. */
        if (status == MEMO_OK)
            assert_int_equal(none_or_whole(e), 1);
        else
            n_whole += (size_t)none_or_whole(e);
    }
    printf("%zu calls of the system\n", at - 1);
    assert_true(at > 100);
    assert_true(n_whole <= 3); /* opening, syncing and closing the folder */
}

static void test_limits_111_killed_at_each_call(void **state)
{
    compile_env *e = *state;
    size_t step = getenv("MEMO_QUICK") ? 7 : 1;

    for (size_t at = 1;; at += step) {
        int rc;
        fflush(NULL);
        pid_t pid = fork();
        assert_true(pid >= 0);
        if (pid == 0) {
            memo_err err = {0};
            _exit(compile_with_fault(e, at, 1, &err) == MEMO_OK ? 0 : 1);
        }
        assert_int_equal(waitpid(pid, &rc, 0), pid);
        assert_true(WIFEXITED(rc));
        int whole = none_or_whole(e);
        if (WEXITSTATUS(rc) == 0) {
            assert_int_equal(whole, 1);
            break;
        }
        assert_int_equal(WEXITSTATUS(rc), 9);
    }
}

/* The disk is full from any write on, and the process dies at one of the last calls before it would
 * give up: there is nothing under the final name, then or after the failure itself. */
static void test_limits_111_killed_on_a_full_disk(void **state)
{
    compile_env *e = *state;
    size_t step = getenv("MEMO_QUICK") ? 7 : 1, n_full = 0;

    for (fault.full = 1;; fault.full += step) {
        /* What the killed ones have left is removed by the next: not by the one whose calls count. */
        size_t n_folder = (size_t)(strrchr(e->out, '/') + 1 - e->out);
        memo_replace_sweep(e->out, n_folder, strlen(e->out) - n_folder, UINT_MAX);
        memo_err err = {0};
        memo_status status = compile_with_fault(e, 0, 0, &err);
        size_t n_calls = fault.n;
        if (fault.n_writes < fault.full) {
            assert_memo_ok(status, err);
            break;
        }
        assert_memo_status(status, MEMO_ERR_IO, err);
        assert_contains(err.message, "No space left on device");
        assert_int_equal(access(e->out, F_OK), -1);
        n_full++;
        for (size_t at = n_calls; at && at + 3 > n_calls; at--) {
            int rc;
            fflush(NULL);
            pid_t pid = fork();
            assert_true(pid >= 0);
            if (pid == 0)
                _exit(compile_with_fault(e, at, 1, &err) == MEMO_OK ? 0 : 1);
            assert_int_equal(waitpid(pid, &rc, 0), pid);
            assert_true(WIFEXITED(rc) && WEXITSTATUS(rc) == 9);
            assert_int_equal(access(e->out, F_OK), -1);
        }
    }
    fault.full = 0;
    printf("a disk that is full from each of %zu writes on\n", n_full);
    assert_true(n_full > 0);
}

static memo_status compile_once(void *user, memo_err *err)
{
    compile_env *e = user;
    memo_compile_options o = defaults();
    memo_compile_report *report = NULL;
    memo_status status = memo_model_compile(e->ctx, e->source, e->out, &o, &report, err);
    memo_compile_report_free(report);
    return status;
}

static memo_status inspect_once(void *user, memo_err *err)
{
    compile_env *e = user;
    memo_tensor_list *list = NULL;
    memo_status status = memo_model_inspect(e->ctx, e->out, &list, err);
    memo_tensor_list_free(list);
    return status;
}

static void test_model_compile_each_failing_allocation(void **state)
{
    compile_env *e = *state;
    assert_true(memo_test_alloc_sweep(compile_once, e) > 100);
    assert_true(memo_test_alloc_sweep(inspect_once, e) > 10);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define IN_ENV(test) cmocka_unit_test_setup_teardown(test, setup, teardown)
        IN_ENV(test_model_compile_reports),
        IN_ENV(test_model_compile_aligns_tensors),
        IN_ENV(test_model_compile_fingerprint),
        IN_ENV(test_limits_36_nonfinite_weights),
        IN_ENV(test_limits_95_missing_and_surplus_tensors),
        IN_ENV(test_model_compile_protects_files),
        IN_ENV(test_model_compile_cancels),
        IN_ENV(test_model_compile_each_failing_call),
        IN_ENV(test_limits_111_killed_at_each_call),
        IN_ENV(test_limits_111_killed_on_a_full_disk),
        IN_ENV(test_model_compile_each_failing_allocation),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
