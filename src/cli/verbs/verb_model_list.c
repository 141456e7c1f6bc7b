// SPDX-License-Identifier: Apache-2.0
/* model list: the models of the cache folder, and what the store holds of which. */
#include <dirent.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/alloc.h"
#include "base/error.h"
#include "base/file.h"
#include "cli/app.h"
#include "cli/json_out.h"
#include "cli/values.h"
#include "cli/verbs/verbs.h"

static const char model_list_end[] = ".safetensors";

typedef struct model_list_files {
    char *folder; /* NULL: none is known */
    size_t n, cap;
    char **names; /* [n] without their end, by name */
} model_list_files;

static void model_list_fini(model_list_files *files)
{
    for (size_t i = 0; i < files->n; i++)
        memo_free(files->names[i]);
    memo_free(files->names);
    memo_free(files->folder);
}

static int model_list_compare(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

static memo_status model_list_keep(model_list_files *files, const char *name, memo_err *err)
{
    size_t n = strlen(name), tail = sizeof model_list_end - 1;

    if (name[0] == '.' || n <= tail || strcmp(name + n - tail, model_list_end) != 0)
        return MEMO_OK;
    if (files->n == files->cap) {
        size_t cap = files->cap ? 2 * files->cap : 16;
        char **grown = memo_reallocarray(files->names, cap, sizeof *grown);
        if (!grown)
            return memo_fail_nomem(err, "a list of models", cap * sizeof *grown);
        files->names = grown;
        files->cap = cap;
    }
    files->names[files->n] = memo_strndup(name, n - tail);
    return files->names[files->n++] ? MEMO_OK : memo_fail_nomem(err, "a name", n);
}

/* A folder that is not there holds no models. */
static memo_status model_list_find(const cli_app *app, model_list_files *files, memo_err *err)
{
    const char *cache = app->settings.values[OPT_CACHE_DIR].text;
    memo_status status = MEMO_OK;
    DIR *dir;

    if (!cache)
        return MEMO_OK;
    files->folder = memo_path_join(cache, "models");
    if (!files->folder)
        return memo_fail_nomem(err, "a path", 0);
    dir = opendir(files->folder);
    for (struct dirent *e; dir && status == MEMO_OK && (e = readdir(dir));)
        status = model_list_keep(files, e->d_name, err);
    if (dir)
        closedir(dir);
    if (files->n)
        qsort(files->names, files->n, sizeof *files->names, model_list_compare);
    return status;
}

static uint64_t model_list_bytes(const model_list_files *files, size_t i)
{
    memo_buf path = {0};
    struct stat st = {0};

    memo_buf_printf(&path, "%s/%s%s", files->folder, files->names[i], model_list_end);
    if (path.failed || stat(path.data, &st) != 0)
        st.st_size = 0;
    memo_buf_fini(&path);
    return (uint64_t)st.st_size;
}

/* ---- for people ---------------------------------------------------------------------------- */

static void model_list_put_space(memo_buf *out, const memo_spaces *spaces, size_t i)
{
    const memo_space_info *space = &spaces->spaces[i];
    memo_buf_printf(out, "%s", space->name);
    if (!space->external)
        memo_buf_printf(out, "@%.8s", space->fingerprint);
}

static void model_list_put_ns(memo_buf *out, const memo_spaces *spaces, const memo_ns_info *ns)
{
    memo_buf_printf(out, "  %s: ", ns->name);
    cli_put_grouped(out, ns->n_records);
    memo_buf_printf(out, " record%s", ns->n_records == 1 ? "" : "s");
    if (ns->current != MEMO_NO_SPACE) {
        memo_buf_puts(out, ", ");
        cli_put_grouped(out, ns->n_current);
        memo_buf_puts(out, " of ");
        cli_put_grouped(out, ns->n_chunks);
        memo_buf_printf(out, " chunk%s in ", ns->n_chunks == 1 ? "" : "s");
        model_list_put_space(out, spaces, ns->current);
    }
    if (ns->previous != MEMO_NO_SPACE) {
        memo_buf_puts(out, ", before in ");
        model_list_put_space(out, spaces, ns->previous);
    }
    if (ns->next != MEMO_NO_SPACE) {
        memo_buf_puts(out, ", half set: ");
        cli_put_grouped(out, ns->n_next);
        memo_buf_puts(out, " in ");
        model_list_put_space(out, spaces, ns->next);
    }
    memo_buf_putc(out, '\n');
}

static void model_list_put_text(memo_buf *out, const model_list_files *files,
                                const memo_spaces *spaces)
{
    if (files->n)
        memo_buf_printf(out, "models in %s\n", files->folder);
    for (size_t i = 0; i < files->n; i++) {
        memo_buf_printf(out, "  %s  ", files->names[i]);
        cli_put_bytes(out, model_list_bytes(files, i));
        memo_buf_putc(out, '\n');
    }
    if (!spaces)
        return;
    memo_buf_puts(out, "spaces of the store\n");
    for (size_t i = 0; i < spaces->n; i++) {
        memo_buf_puts(out, "  ");
        model_list_put_space(out, spaces, i);
        memo_buf_printf(out, "%s, %zu dimensions, ",
                        spaces->spaces[i].external ? " (external)" : "", spaces->spaces[i].dim);
        cli_put_grouped(out, spaces->spaces[i].n_vectors);
        memo_buf_printf(out, " vector%s\n", spaces->spaces[i].n_vectors == 1 ? "" : "s");
    }
    memo_buf_puts(out, "namespaces\n");
    for (size_t i = 0; i < spaces->n_namespaces; i++)
        model_list_put_ns(out, spaces, &spaces->namespaces[i]);
}

/* ---- for programs -------------------------------------------------------------------------- */

static void model_list_json_place(memo_buf *out, const char *key, const memo_spaces *spaces,
                                  size_t i)
{
    cli_json_put_string(out, key, i == MEMO_NO_SPACE ? NULL : spaces->spaces[i].fingerprint);
}

static void model_list_json_space(memo_buf *out, const memo_space_info *space)
{
    cli_json_open(out, '{');
    cli_json_put_string(out, "name", space->name);
    cli_json_put_string(out, "fingerprint", space->fingerprint);
    cli_json_put_u64(out, "dim", space->dim);
    cli_json_key(out, "external");
    cli_json_bool(out, space->external);
    cli_json_put_u64(out, "vectors", space->n_vectors);
    cli_json_close(out, '}');
}

static void model_list_json_ns(memo_buf *out, const memo_spaces *spaces, const memo_ns_info *ns)
{
    cli_json_open(out, '{');
    cli_json_put_string(out, "ns", ns->name);
    cli_json_put_u64(out, "records", ns->n_records);
    cli_json_put_u64(out, "chunks", ns->n_chunks);
    model_list_json_place(out, "current", spaces, ns->current);
    model_list_json_place(out, "previous", spaces, ns->previous);
    model_list_json_place(out, "next", spaces, ns->next);
    cli_json_put_u64(out, "embedded", ns->n_current);
    cli_json_put_u64(out, "embedded_next", ns->n_next);
    cli_json_close(out, '}');
}

static void model_list_put_json(memo_buf *out, const model_list_files *files,
                                const memo_spaces *spaces)
{
    cli_json_open(out, '{');
    cli_json_key(out, "models");
    cli_json_open(out, '[');
    for (size_t i = 0; i < files->n; i++) {
        cli_json_open(out, '{');
        cli_json_put_string(out, "name", files->names[i]);
        cli_json_put_u64(out, "bytes", model_list_bytes(files, i));
        cli_json_close(out, '}');
    }
    cli_json_close(out, ']');
    cli_json_key(out, "spaces");
    cli_json_open(out, '[');
    for (size_t i = 0; spaces && i < spaces->n; i++)
        model_list_json_space(out, &spaces->spaces[i]);
    cli_json_close(out, ']');
    cli_json_key(out, "namespaces");
    cli_json_open(out, '[');
    for (size_t i = 0; spaces && i < spaces->n_namespaces; i++)
        model_list_json_ns(out, spaces, &spaces->namespaces[i]);
    cli_json_close(out, ']');
    memo_buf_puts(out, "}\n");
}

memo_status cli_verb_model_list(cli_app *app, memo_err *err)
{
    model_list_files files = {.n = 0};
    memo_spaces *spaces = NULL;
    memo_err absent = {0};
    memo_status status = cli_app_ctx(app, err);

    if (status == MEMO_OK)
        status = model_list_find(app, &files, err);
    if (status == MEMO_OK && cli_app_store_exists(app, &absent) == MEMO_OK) {
        status = cli_app_store(app, MEMO_OPEN_READ_ONLY, err);
        if (status == MEMO_OK)
            status = memo_db_get_spaces(app->db, &spaces, err);
    }
    if (status == MEMO_OK && app->out.format == CLI_FORMAT_TEXT)
        model_list_put_text(&app->out.buf, &files, spaces);
    else if (status == MEMO_OK)
        model_list_put_json(&app->out.buf, &files, spaces);
    memo_spaces_free(spaces);
    model_list_fini(&files);
    return status;
}
