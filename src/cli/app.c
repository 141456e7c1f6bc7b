// SPDX-License-Identifier: Apache-2.0
#include "cli/app.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/cpu.h"
#include "base/error.h"
#include "base/file.h"
#include "base/machine.h"
#include "cli/limits.h"
#include "cli/models.h"

enum { APP_HINT_NAMES = 160 }; /* bytes of names that a hint has room for */

void cli_app_fini(cli_app *app)
{
    memo_db_close(app->db);
    if (app->latency_file > 0)
        close(app->latency_file);
    memo_model_close(app->model);
    memo_free(app->model_path);
    cli_progress_fini(&app->progress);
    memo_ctx_free(app->ctx);
    cli_settings_fini(&app->settings);
    cli_out_fini(&app->out);
    cli_args_fini(&app->args);
}

memo_status cli_app_settings(cli_app *app, memo_err *err)
{
    if (app->has_settings)
        return MEMO_OK;
    app->has_settings = 1;
    return cli_settings_load(&app->settings, &app->args, err);
}

/* ---- context and model --------------------------------------------------------------------- */

static void app_log(void *user, memo_log_level level, const char *message)
{
    static const char *const names[] = {"error", "warn", "info", "debug"};
    cli_app *app = user;
    const cli_setting *limit = &app->settings.values[OPT_LOG];
    if ((uint64_t)level > (limit->text ? limit->number : MEMO_LOG_WARN))
        return;
    cli_progress_clear(&app->progress);
    cli_say("%s: %s", names[level], message);
}

memo_status cli_app_ctx(cli_app *app, memo_err *err)
{
    if (app->ctx)
        return MEMO_OK;
    memo_status status = cli_app_settings(app, err);
    if (status)
        return status;
    const cli_setting *values = app->settings.values;
    uint64_t mem_limit = values[OPT_MEM_LIMIT].number;
    if (!mem_limit)
        mem_limit = memo_memory_available() / 2; /* UINT64_MAX when nobody knows */
    memo_ctx_options options = {
        .size = sizeof options,
        .n_threads = (unsigned)values[OPT_THREADS].number,
        /* the words stand in the order of memo_cpu */
        .cpu = memo_cpu_cap((memo_cpu)values[OPT_CPU].number),
        .mem_limit_bytes = mem_limit,
        .log = app_log,
        .log_user = app,
    };
    status = memo_ctx_new(&options, &app->ctx, err);
    if (status == MEMO_OK)
        cli_limits_set(mem_limit, memo_ctx_n_threads(app->ctx));
    return status;
}

static memo_status app_no_default_model(const char *path, memo_err *err)
{
    memo_fail(err, MEMO_ERR_NOTFOUND,
              "there is no model: none is named, and the default one is not at %s", path);
    return memo_hint(
        err, MEMO_ERR_NOTFOUND,
        "./dev model f32   (in the repository: fetches and compiles it)   or   memolith "
        "model compile FOLDER -o FILE, then --model FILE");
}

/* A word that is no file may name a model of the cache folder: with its class, or in class f32. */
static memo_status app_find_model(cli_app *app, const char **path, memo_err *err)
{
    static const char *const ends[] = {".safetensors", ".f32.safetensors"};
    const char *cache = app->settings.values[OPT_CACHE_DIR].text;

    if (!cache || strchr(*path, '/') || memo_path_exists(*path))
        return MEMO_OK;
    for (size_t i = 0; i < sizeof ends / sizeof *ends; i++) {
        memo_buf found = {0};
        memo_buf_printf(&found, "%s/models/%s%s", cache, *path, ends[i]);
        if (found.failed) {
            memo_buf_fini(&found);
            return memo_fail_nomem(err, "a path", 0);
        }
        if (memo_path_exists(found.data)) {
            *path = app->model_path = memo_buf_take(&found);
            return MEMO_OK;
        }
        memo_buf_fini(&found);
    }
    return MEMO_OK; /* opening it says that it is not there */
}

memo_model_options cli_app_model_options(const cli_app *app)
{
    return (memo_model_options){
        .size = sizeof(memo_model_options),
        .portable = app->settings.values[OPT_PORTABLE].number == 1, /* "no|yes" */
    };
}

memo_status cli_app_there(const char *path, const char *what, memo_err *err)
{
    return memo_path_exists(path)
               ? MEMO_OK
               : memo_fail(err, MEMO_ERR_NOTFOUND, "%s: there is no such %s", path, what);
}

static int app_compare_names(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

/* Names of the models in the cache folder, without their end; a few, for they go into a hint. */
static void app_put_models(const cli_app *app, memo_buf *out)
{
    enum { MOST = 64 };
    static const char end[] = ".safetensors";
    const char *cache = app->settings.values[OPT_CACHE_DIR].text;
    char *folder = cache ? memo_path_join(cache, "models") : NULL, *names[MOST];
    DIR *dir = folder ? opendir(folder) : NULL;
    size_t n = 0;
    for (struct dirent *entry; dir && n < MOST && (entry = readdir(dir));) {
        size_t length = strlen(entry->d_name), tail = sizeof end - 1;
        if (entry->d_name[0] != '.' && length > tail &&
            strcmp(entry->d_name + length - tail, end) == 0 &&
            (names[n] = memo_strndup(entry->d_name, length - tail)))
            n++;
    }
    if (dir)
        closedir(dir);
    qsort(names, n, sizeof *names, app_compare_names);
    for (size_t i = 0; i < n; i++) {
        if (out->n + strlen(names[i]) < APP_HINT_NAMES)
            memo_buf_printf(out, "%s%s", out->n ? ", " : "", names[i]);
        memo_free(names[i]);
    }
    memo_free(folder);
}

memo_status cli_app_model_there(cli_app *app, const char *path, memo_err *err)
{
    memo_buf names = {0};
    memo_status status = cli_app_there(path, "model", err);
    if (status) {
        app_put_models(app, &names);
        memo_hint(err, status, "%s%s%s./dev model CLASS or memolith model compile makes one",
                  names.n ? "there are " : "", names.n ? names.data : "", names.n ? "; " : "");
    }
    memo_buf_fini(&names);
    return status;
}

static memo_status app_open_model(cli_app *app, const char *path, memo_err *err)
{
    const memo_model_options options = cli_app_model_options(app);
    memo_status status = cli_app_model_there(app, path, err);
    return status ? status : memo_model_open(app->ctx, path, &options, &app->model, err);
}

static int app_takes(const cli_app *app, cli_option_id id)
{
    const unsigned char *options = app->args.verb->options;
    size_t i = 0;
    while (options[i] != OPT_NONE && options[i] != id)
        i++;
    return options[i] == id;
}

/* What the store says of the namespace's model; "" when it says nothing. */
static void app_read_fingerprint(cli_app *app, const char *path, int previous,
                                 char fingerprint[MEMO_FINGERPRINT_BYTES])
{
    const memo_db_options options = {.size = sizeof options, .mode = MEMO_OPEN_READ_ONLY};
    memo_err why = {0};
    memo_db *db = NULL;
    *fingerprint = '\0';
    if (memo_db_open(app->ctx, path, &options, &db, &why) == MEMO_OK)
        (void)memo_db_get_model(db, cli_app_ns(app), previous, fingerprint, &why);
    memo_db_close(db);
}

/* The model of the cache folder that made the namespace's vectors; *path NULL: none. */
static memo_status app_model_of_store(cli_app *app, const char *folder, int previous, char **path,
                                      memo_err *err)
{
    char fingerprint[MEMO_FINGERPRINT_BYTES];
    const char *store = app->settings.values[OPT_DB].text;
    memo_status status;
    *path = NULL;
    if (!store || !memo_path_exists(store))
        return MEMO_OK;
    status = cli_app_ctx(app, err);
    if (status)
        return status;
    app_read_fingerprint(app, store, previous, fingerprint);
    return *fingerprint ? cli_models_find(folder, fingerprint, app->settings.values[OPT_MODEL].text,
                                          path, err)
                        : MEMO_OK;
}

memo_status cli_app_find_model(cli_app *app, memo_err *err)
{
    cli_setting *model = &app->settings.values[OPT_MODEL];
    const char *cache = app->settings.values[OPT_CACHE_DIR].text;
    char *folder, *path = NULL;
    memo_status status = MEMO_OK;

    if (model->origin != CLI_FROM_DEFAULT || !cache || !app_takes(app, OPT_DB))
        return MEMO_OK;
    folder = memo_path_join(cache, "models");
    if (!folder)
        return memo_fail_nomem(err, "a path", 0);
    if (cli_models_has_other(folder, model->text)) /* else there is no choice */
        status = app_model_of_store(app, folder, 0, &path, err);
    memo_free(folder);
    if (path && !(model->text && strcmp(path, model->text) == 0)) {
        memo_free(model->text);
        *model = (cli_setting){.text = path, .origin = CLI_FROM_STORE};
        path = NULL;
    }
    memo_free(path);
    return status;
}

memo_status cli_app_previous_model(cli_app *app, memo_err *err)
{
    const char *cache;
    char *folder, *path = NULL;
    memo_status status = cli_app_ctx(app, err);

    cache = app->settings.values[OPT_CACHE_DIR].text;
    if (status || !cache)
        return status;
    folder = memo_path_join(cache, "models");
    status =
        folder ? app_model_of_store(app, folder, 1, &path, err) : memo_fail_nomem(err, "a path", 0);
    if (status == MEMO_OK && path)
        status = app_open_model(app, path, err);
    memo_free(folder);
    memo_free(path);
    return status;
}

memo_status cli_app_model(cli_app *app, const char *path, memo_err *err)
{
    memo_status status = cli_app_ctx(app, err);
    if (status || app->model)
        return status;
    if (!path) {
        status = cli_app_find_model(app, err);
        if (status)
            return status;
        status = cli_settings_path(&app->settings, OPT_MODEL, &path, err);
        if (status)
            return status;
        if (app->settings.values[OPT_MODEL].origin == CLI_FROM_DEFAULT && !memo_path_exists(path))
            return app_no_default_model(path, err);
    }
    status = app_find_model(app, &path, err);
    return status ? status : app_open_model(app, path, err);
}

memo_status cli_app_named_model(cli_app *app, const char **path, memo_err *err)
{
    *path = app->args.n_words > 0 ? app->args.words[0] : NULL;
    if (*path && cli_args_has(&app->args, OPT_MODEL))
        return memo_fail(err, MEMO_ERR_USAGE, "--model and \"%s\" both name a model", *path);
    memo_status status = cli_app_model(app, *path, err);
    if (status == MEMO_OK && !*path)
        status = cli_settings_path(&app->settings, OPT_MODEL, path, err);
    if (app->model_path)
        *path = app->model_path;
    return status;
}

/* ---- store --------------------------------------------------------------------------------- */

const char *cli_app_ns(const cli_app *app)
{
    return cli_args_text(&app->args, OPT_NS);
}

memo_status cli_app_store_exists(cli_app *app, memo_err *err)
{
    const char *path;
    memo_status status = cli_app_settings(app, err);
    if (status == MEMO_OK)
        status = cli_settings_path(&app->settings, OPT_DB, &path, err);
    if (status || memo_path_exists(path))
        return status;
    memo_fail(err, MEMO_ERR_NOTFOUND, "there is no store at %s yet", path);
    return memo_hint(err, MEMO_ERR_NOTFOUND,
                     "memolith add 'something to remember'   or   memolith import FOLDER   or   -f "
                     "FILE for another store");
}

/* The default store's folder is ours to make; a folder that the user named is not. */
static memo_status app_make_default_folder(const cli_app *app, const char *path, memo_err *err)
{
    if (app->settings.values[OPT_DB].origin != CLI_FROM_DEFAULT)
        return MEMO_OK;
    char *folder = memo_path_folder(path);
    memo_status status = folder ? memo_mkdirs(folder, err) : memo_fail_nomem(err, "a path", 0);
    memo_free(folder);
    return status;
}

/* One write a line, so that lines of several processes do not mix. */
static void app_tell_latency(void *user, const char *line)
{
    cli_app *app = user;
    memo_buf text = {0};
    if (!app->latency_file) {
        cli_progress_clear(&app->progress);
        cli_say("%s", line);
        return;
    }
    memo_buf_printf(&text, "%s\n", line);
    if (text.failed || write(app->latency_file, text.data, text.n) != (ssize_t)text.n)
        cli_warn("--latency-log: a line is missing");
    memo_buf_fini(&text);
}

/* Told when a file or a time is named. */
static memo_status app_latency(cli_app *app, memo_db_options *options, memo_err *err)
{
    const char *path = cli_args_text(&app->args, OPT_LATENCY_LOG);
    const cli_setting *slow = &app->settings.values[OPT_SLOW_MS];
    if (!path && !slow->text)
        return MEMO_OK;
    if (path && !app->latency_file) {
        int file = open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0666);
        if (file < 0)
            return memo_fail_errno(err, errno, path, "open");
        app->latency_file = file;
    }
    options->latency = app_tell_latency;
    options->latency_user = app;
    options->slow_ms = slow->text ? (double)slow->number : 0;
    return MEMO_OK;
}

static memo_status app_open_at(cli_app *app, const char *path, memo_open_mode mode, int is_search,
                               memo_err *err)
{
    memo_status status = MEMO_OK;
    const memo_external_space space = {.size = sizeof space,
                                       .name = cli_args_text(&app->args, OPT_SPACE)};
    memo_db_options options = {.size = sizeof options,
                               .mode = mode,
                               .model = app->model,
                               .external = space.name ? &space : NULL,
                               /* the words of --fulltext stand in the order of memo_fulltext */
                               .fulltext = (memo_fulltext)cli_args_number(&app->args, OPT_FULLTEXT,
                                                                          MEMO_FULLTEXT_STEMMED)};
    if (is_search) {
        options.busy_timeout_ms = mode == MEMO_OPEN_READ_ONLY ? 0 : -1;
        status = app_latency(app, &options, err);
    }
    return status ? status : memo_db_open(app->ctx, path, &options, &app->db, err);
}

static memo_status app_open_store(cli_app *app, memo_open_mode mode, int is_search, memo_err *err)
{
    const char *path;
    memo_status status = cli_app_ctx(app, err);
    if (status == MEMO_OK)
        status = cli_settings_path(&app->settings, OPT_DB, &path, err);
    if (status == MEMO_OK)
        status = mode == MEMO_OPEN_CREATE ? app_make_default_folder(app, path, err)
                                          : cli_app_store_exists(app, err);
    return status ? status : app_open_at(app, path, mode, is_search, err);
}

memo_status cli_app_new_store(cli_app *app, const char *path, memo_err *err)
{
    memo_status status = cli_app_ctx(app, err);
    return status ? status : app_open_at(app, path, MEMO_OPEN_CREATE, 0, err);
}

memo_status cli_app_store(cli_app *app, memo_open_mode mode, memo_err *err)
{
    return app_open_store(app, mode, 0, err);
}

memo_status cli_app_search_store(cli_app *app, memo_err *err)
{
    memo_err writing = {0};
    if (!cli_args_has(&app->args, OPT_NO_LOG) &&
        app_open_store(app, MEMO_OPEN_EXISTING, 1, &writing) == MEMO_OK)
        return MEMO_OK;
    return app_open_store(app, MEMO_OPEN_READ_ONLY, 1, err);
}

/* ---- stdin --------------------------------------------------------------------------------- */

memo_status cli_app_stdin(const cli_app *app, const char *what, memo_err *err)
{
    if (app->stdin_closed)
        return memo_fail(err, MEMO_ERR_USAGE, "%s would come from stdin, which is closed", what);
    if (isatty(STDIN_FILENO))
        return memo_hint(
            err,
            memo_fail(err, MEMO_ERR_USAGE, "%s would come from stdin, which is a terminal", what),
            "write < FILE behind the command, or a pipe before it");
    return MEMO_OK;
}

memo_status cli_app_read_stdin(const cli_app *app, size_t max_bytes, memo_buf *out, memo_err *err)
{
    enum { BLOCK = 64 << 10 };
    memo_status status = cli_app_stdin(app, "the text", err);
    size_t start = out->n;
    while (status == MEMO_OK) {
        char *room = memo_buf_reserve(out, BLOCK);
        if (!room)
            return memo_fail_nomem(err, "stdin", BLOCK);
        ssize_t n = read(STDIN_FILENO, room, BLOCK);
        if (n == 0) {
            room[0] = '\0';
            break;
        }
        if (n > 0)
            out->n += (size_t)n;
        else if (errno != EINTR)
            status = memo_fail_errno(err, errno, "stdin", "read");
        else if (cli_cancelled())
            status = memo_fail(err, MEMO_ERR_CANCELLED, "cancelled while reading stdin");
        if (out->n - start > max_bytes)
            status = memo_fail(err, MEMO_ERR_LIMIT, "stdin holds more than %zu bytes", max_bytes);
    }
    return status;
}
