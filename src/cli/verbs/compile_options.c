// SPDX-License-Identifier: Apache-2.0
#include "cli/verbs/compile_options.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>

#include "base/alloc.h"
#include "base/error.h"
#include "base/file.h"
#include "base/machine.h"
#include "cli/json_out.h"
#include "cli/progress.h"
#include "cli/values.h"

/* ---- options ------------------------------------------------------------------------------- */

/* A choice of numbers ("32|64|128"), as a number; other words and silence are 0. */
static size_t option_number(const cli_args *args, cli_option_id id)
{
    const char *text = cli_args_text(args, id);
    return text ? (size_t)strtoul(text, NULL, 10) : 0;
}

static memo_status option_target(const char *text, memo_compile_options *options, memo_err *err)
{
    const char *equals = strchr(text, '='); /* the parser saw to it */
    size_t n = (size_t)(equals - text);
    char *end;
    double least = strtod(equals + 1, &end);

    if (end == equals + 1 || *end || strspn(equals + 1, "0123456789.") != strlen(equals + 1) ||
        !(least > 0 && least <= 1))
        return memo_fail(err, MEMO_ERR_USAGE,
                         "--target is \"%.60s\"; allowed is FIGURE=LEAST, above 0 and at most 1",
                         text);
    if (n == 3 && memcmp(text, "cos", n) == 0)
        options->target_cosine = least;
    else if (n == 5 && memcmp(text, "top10", n) == 0)
        options->target_top10 = least;
    else
        return memo_fail(err, MEMO_ERR_USAGE, "--target is \"%.60s\"; figures are cos and top10",
                         text);
    return MEMO_OK;
}

static memo_status option_targets(const cli_args *args, memo_compile_options *options,
                                  memo_err *err)
{
    const char **texts = NULL;
    size_t n = 0;
    memo_status status = cli_args_list(args, OPT_TARGET, &texts, &n, err);

    for (size_t i = 0; i < n && status == MEMO_OK; i++)
        status = option_target(texts[i], options, err);
    memo_free(texts);
    return status;
}

memo_status cli_compile_options(cli_app *app, memo_compile_options *options, const char ***set,
                                memo_err *err)
{
    /* in the order of the words of the option */
    static const memo_class classes[] = {MEMO_CLASS_F32,  MEMO_CLASS_F16,  MEMO_CLASS_BF16,
                                         MEMO_CLASS_INT8, MEMO_CLASS_INT4, MEMO_CLASS_LUT4};
    const cli_args *args = &app->args;
    uint64_t cls = cli_args_number(args, OPT_CLASS, 0);
    const char *calibrate = cli_args_text(args, OPT_CALIBRATE);
    int no_calibration = calibrate && strcmp(calibrate, "none") == 0;
    const char *share = cli_args_text(args, OPT_PALETTE_GROUP);
    size_t n_classes = sizeof classes / sizeof *classes;

    *options = (memo_compile_options){
        .size = sizeof *options,
        .cls = cls < n_classes ? classes[cls] : MEMO_CLASS_F32,
        .auto_class = cls == n_classes,
        .name = cli_args_text(args, OPT_NAME),
        .max_tokens =
            (size_t)cli_args_number(args, OPT_MAX_TOKENS, cli_args_number(args, OPT_MAX_LENGTH, 0)),
        /* the words of these stand in the order of their enums */
        .pooling = (memo_pooling)cli_args_number(args, OPT_POOLING, MEMO_POOLING_AUTO),
        .granularity = (memo_granularity)cli_args_number(args, OPT_GRANULARITY, 0),
        .scales = (memo_scales)cli_args_number(args, OPT_SCALES, 0),
        .palette = (memo_palette_kind)cli_args_number(args, OPT_PALETTE, 0),
        .activations = (memo_activations)cli_args_number(args, OPT_ACTIVATIONS, 0),
        .group = option_number(args, OPT_GROUP),
        .block = option_number(args, OPT_BLOCK_SIZE),
        .palette_group = share && strcmp(share, "tensor") == 0
                             ? MEMO_PALETTE_GROUP_TENSOR
                             : option_number(args, OPT_PALETTE_GROUP),
        .palette_bits = (unsigned)option_number(args, OPT_PALETTE_BITS),
        .palette_plain_scales = cli_args_number(args, OPT_PALETTE_SCALES, 0) == 1,
        .calibrate = no_calibration ? NULL : calibrate,
        .no_calibration = no_calibration,
        .layers_average = (size_t)cli_args_number(args, OPT_LAYERS_AVERAGE, 0),
        .dims = (size_t)cli_args_number(args, OPT_DIMS, 0),
        .allow_nonfinite = cli_args_has(args, OPT_ALLOW_NONFINITE),
        .no_report = cli_args_has(args, OPT_NO_REPORT),
        .overwrite = cli_args_has(args, OPT_FORCE),
        .progress = cli_progress_call,
        .progress_user = &app->progress,
    };
    const cli_given *tokens = cli_args_find(args, OPT_MAX_TOKENS);
    const cli_given *length = cli_args_find(args, OPT_MAX_LENGTH);
    if (tokens && length && tokens->number != length->number)
        return memo_hint(
            err,
            memo_fail(err, MEMO_ERR_USAGE,
                      "--max-tokens is %s and --max-length %s, and both are one option",
                      tokens->text, length->text),
            "give one of them");
    memo_status status = cli_args_list(args, OPT_SET, set, &options->n_set, err);
    options->set = *set;
    return status ? status : option_targets(args, options, err);
}

/* ---- what it will need --------------------------------------------------------------------- */

void cli_compile_count_matrix(cli_compile_values *values, uint64_t n_rows, uint64_t n_cols)
{
    enum { FEEDBACK = 4096 }; /* wider ones have no moments: model/compile/encode.h */

    values->n_matrix += (n_rows + 15) / 16 * 16 * ((n_cols + 63) / 64 * 64); /* panels */
    if (n_cols > FEEDBACK)
        return;
    values->n_moments += n_cols * n_cols;
    if (n_cols > values->widest)
        values->widest = n_cols;
}

/* Sixteenths of a byte that a value of a matrix takes at most, its share of the scales included. */
static uint64_t option_sixteenths(const memo_compile_options *o, memo_class cls)
{
    switch (cls) {
    case MEMO_CLASS_F32:
        break;
    case MEMO_CLASS_F16:
    case MEMO_CLASS_BF16:
        return 32;
    case MEMO_CLASS_INT8: /* a scale and a sum for each group: 8 bytes */
        return 17 +
               (o->granularity == MEMO_GRANULARITY_GROUP ? 128 / (o->group ? o->group : 64) : 0);
    case MEMO_CLASS_INT4:
    case MEMO_CLASS_LUT4:
        return 9;
    }
    return 64;
}

uint64_t cli_compile_bytes(const memo_compile_options *o, const cli_compile_values *values)
{
    /* Rules may make any of it f32. */
    int any = o->n_set > 0 || o->auto_class;
    uint64_t of_matrix = any ? 64 : option_sixteenths(o, o->cls);
    uint64_t of_word = of_matrix < 17 ? 17 : of_matrix > 17 && of_matrix < 32 ? 17 : of_matrix;

    return values->n_matrix * of_matrix / 16 + values->n_word * of_word / 16 + 4 * values->n_other;
}

/* Measuring runs the model in class f32, from a temporary unless the source is compiled, for the report
 * too (model/compile/compile_report.c); auto also makes one copy in each class to choose from. Rounding
 * to 4 bits keeps second moments of the inputs in memory and a factor of them: see
 * model/fit/calibrate.h and model/compile/encode.h. */
cli_compile_needs cli_compile_measuring(const memo_compile_options *o,
                                        const cli_compile_values *values, int from_model)
{
    enum { MOMENTS = 96 << 20, TEXTS = 16 << 20, REPORT = 64 << 20, MOST_UNASKED = 1000000000 };
    uint64_t moments = 4 * values->n_moments, factor = 4 * values->widest * values->widest;
    uint64_t n = values->n_matrix + values->n_word + values->n_other;
    int rules = o->n_set > 0; /* they may ask for anything */
    int four_bits = o->cls == MEMO_CLASS_INT4 || o->cls == MEMO_CLASS_LUT4;
    cli_compile_needs needs = {0};
    int unasked = n <= MOST_UNASKED; /* model/compile/compile_job.h */
    int report = !o->no_report && !o->allow_nonfinite && unasked;
    int moments_wanted = o->calibrate || (!o->no_calibration && unasked);

    if (o->auto_class || o->calibrate || ((four_bits || rules) && moments_wanted)) {
        needs.disk = from_model ? 0 : 4 * n;
        needs.memory = TEXTS;
    }
    if (o->auto_class || ((four_bits || rules) && moments_wanted))
        needs.memory += (moments < MOMENTS  ? moments
                         : factor > MOMENTS ? factor
                                            : MOMENTS) +
                        factor;
    if (o->auto_class)
        needs.disk += 2 * n + 2 * (n + n / 16);
    if (report && (o->auto_class || rules || o->cls != MEMO_CLASS_F32)) { /* when that is over */
        needs.disk = needs.disk || from_model ? needs.disk : 4 * n;
        needs.memory = needs.memory > REPORT ? needs.memory : REPORT;
    }
    return needs;
}

/* Free bytes where `path` is to be written; UINT64_MAX when that cannot be told. */
static uint64_t option_free_bytes(const char *path)
{
    struct statvfs fs;
    char *folder = memo_path_folder(path);
    uint64_t n = UINT64_MAX;
    if (folder && statvfs(folder, &fs) == 0 && fs.f_blocks > 0) /* 0: /proc and its like */
        n = (uint64_t)fs.f_bavail * fs.f_frsize;
    memo_free(folder);
    return n;
}

/* What it needs is said when nothing can be refused any more. */
static memo_status announce_later(cli_app *app, const char *doing, const char *from,
                                  const char *needs, memo_err *err)
{
    memo_buf line = {0};
    memo_buf_printf(&line, "%s %s %s", doing, from, needs);
    memo_status status = line.failed ? memo_fail_nomem(err, "a message", line.n)
                                     : cli_progress_notice(&app->progress, line.data, err);
    memo_buf_fini(&line);
    return status;
}

memo_status cli_compile_announce(cli_app *app, const char *doing, const char *from, const char *out,
                                 uint64_t disk, uint64_t memory, memo_err *err)
{
    uint64_t free_disk = option_free_bytes(out), free_memory = memo_memory_available();
    memo_buf line = {0};
    memo_status status = MEMO_OK;
    memo_buf_puts(&line, "needs about ");
    cli_put_bytes(&line, disk);
    memo_buf_puts(&line, " of disk and ");
    cli_put_bytes(&line, memory);
    memo_buf_puts(&line, " of memory");
    if (line.failed)
        status = memo_fail_nomem(err, "a message", line.n);
    else if (disk > free_disk)
        status =
            memo_hint(err,
                      memo_fail(err, MEMO_ERR_IO, "%s %s, and the disk of %s has %" PRIu64 " MB",
                                doing, line.data, out, free_disk / 1000000),
                      "make room there, or name a place on another disk with -o");
    else if (memory > free_memory)
        status = memo_fail(err, MEMO_ERR_NOMEM, "%s %s, and %" PRIu64 " MB are free", doing,
                           line.data, free_memory / 1000000);
    else if (app->out.format != CLI_FORMAT_QUIET)
        status = announce_later(app, doing, from, line.data, err);
    memo_buf_fini(&line);
    return status;
}

/* ---- report -------------------------------------------------------------------------------- */

/* The file that was written where `path` is a link, to be freed with free(); else NULL. */
static char *report_link_target(const char *path)
{
    struct stat st;
    return lstat(path, &st) == 0 && S_ISLNK(st.st_mode) ? realpath(path, NULL) : NULL;
}

void cli_compile_put_report(cli_app *app, const char *path, const memo_compile_report *report)
{
    memo_buf *out = &app->out.buf;
    char *file = report_link_target(path);
    if (app->out.format != CLI_FORMAT_TEXT) {
        cli_json_open(out, '{');
        cli_json_put_string(out, "path", path);
        if (file)
            cli_json_put_string(out, "file", file);
        cli_json_put_string(out, "fingerprint", report->fingerprint);
        cli_json_put_u64(out, "bytes", report->file_bytes);
        cli_json_put_u64(out, "tensors", report->n_tensors);
        cli_json_put_u64(out, "parameters", report->n_parameters);
        cli_json_key(out, "unused");
        cli_json_strings(out, report->unused, report->n_unused);
        cli_json_key(out, "warnings");
        cli_json_strings(out, report->warnings, report->n_warnings);
        memo_buf_puts(out, "}\n");
        free(file);
        return;
    }
    memo_buf_printf(out, "%s%s%s\n  fingerprint  %s\n  size         ", path, file ? " -> " : "",
                    file ? file : "", report->fingerprint);
    free(file);
    cli_put_bytes(out, report->file_bytes);
    memo_buf_puts(out, ", ");
    cli_put_grouped(out, report->n_tensors);
    memo_buf_puts(out, " tensors, ");
    cli_put_grouped(out, report->n_parameters);
    memo_buf_puts(out, " parameters\n");
    for (size_t i = 0; i < report->n_unused; i++)
        memo_buf_printf(out, "  %-12s %s\n", i ? "" : "not used", report->unused[i]);
    for (size_t i = 0; i < report->n_warnings; i++)
        memo_buf_printf(out, "  %-12s %s\n", i ? "" : "note", report->warnings[i]);
}
