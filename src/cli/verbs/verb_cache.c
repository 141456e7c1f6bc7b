// SPDX-License-Identifier: Apache-2.0
/* cache list, cache clear: compiled models, the folders they were made from, leftovers of interrupted
 * work, and the index beside the store. All of it can be made or fetched again, which clear keeps true:
 * a model goes only when what it was made from is there and stays. */
#include <dirent.h>
#include <errno.h>
#include <ftw.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/error.h"
#include "base/file.h"
#include "cli/app.h"
#include "cli/json_out.h"
#include "cli/values.h"
#include "cli/verbs/verbs.h"

enum { CACHE_LEFT_SECONDS = 3600, CACHE_FOLDERS = 16 };

typedef enum cache_kind { CACHE_MODEL, CACHE_SOURCE, CACHE_INDEX, CACHE_LEFTOVER } cache_kind;

static const char *const cache_kinds[] = {"model", "source", "index", "leftover"};

typedef struct cache_item {
    cache_kind kind;
    char *path;
    uint64_t n_bytes;
    int64_t used_ms; /* last read or written, as far as the file system notes it */
    /* Of a model that can be opened; "" else. */
    char name[80], cls[8], fingerprint[65];
    char bad[160];    /* why it cannot be opened */
    int broken;       /* nothing can open it */
    int needed;       /* the store has vectors of it */
    int has_source;   /* its source is in the cache */
    const char *kept; /* why clear leaves it; NULL: it goes */
} cache_item;

typedef struct cache_state {
    cli_app *app;
    size_t n, cap;
    cache_item *items;
} cache_state;

static void cache_fini(cache_state *c)
{
    for (size_t i = 0; i < c->n; i++)
        memo_free(c->items[i].path);
    memo_free(c->items);
}

/* ---- what lies there ----------------------------------------------------------------------- */

static uint64_t cache_tree_bytes; /* nftw() has no user pointer */

static int cache_tree_add(const char *path, const struct stat *st, int type, struct FTW *at)
{
    (void)path, (void)at;
    if (type == FTW_F)
        cache_tree_bytes += (uint64_t)st->st_size;
    return 0;
}

static uint64_t cache_bytes(const char *path, const struct stat *st)
{
    if (!S_ISDIR(st->st_mode))
        return (uint64_t)st->st_size;
    cache_tree_bytes = 0;
    (void)nftw(path, cache_tree_add, CACHE_FOLDERS, FTW_PHYS);
    return cache_tree_bytes;
}

/* Takes the path. What is gone by now is no item. */
static memo_status cache_add(cache_state *c, cache_kind kind, char *path, memo_err *err)
{
    struct stat st;
    int64_t used;
    if (!path)
        return memo_fail_nomem(err, "a path", 0);
    if (lstat(path, &st) != 0) {
        memo_free(path);
        return MEMO_OK;
    }
    if (c->n == c->cap) {
        size_t cap = c->cap ? 2 * c->cap : 16;
        cache_item *grown = memo_reallocarray(c->items, cap, sizeof *grown);
        if (!grown) {
            memo_free(path);
            return memo_fail_nomem(err, "what is in the cache", cap * sizeof *grown);
        }
        c->items = grown;
        c->cap = cap;
    }
    used = st.st_atime > st.st_mtime ? st.st_atime : st.st_mtime;
    c->items[c->n++] = (cache_item){
        .kind = kind, .path = path, .n_bytes = cache_bytes(path, &st), .used_ms = used * 1000};
    return MEMO_OK;
}

/* Hidden names that end in .tmp are of base/file.h; other hidden ones are locks. */
static memo_status cache_add_entry(cache_state *c, cache_kind kind, const char *folder,
                                   const char *name, memo_err *err)
{
    size_t n = strlen(name);
    int is_tmp = n > 4 && strcmp(name + n - 4, ".tmp") == 0;
    if (name[0] == '.' && !is_tmp)
        return MEMO_OK;
    return cache_add(c, name[0] == '.' ? CACHE_LEFTOVER : kind, memo_path_join(folder, name), err);
}

static memo_status cache_add_folder(cache_state *c, cache_kind kind, const char *name,
                                    memo_err *err)
{
    const char *cache = c->app->settings.values[OPT_CACHE_DIR].text;
    char *folder = cache ? memo_path_join(cache, name) : NULL;
    DIR *dir = folder ? opendir(folder) : NULL;
    memo_status status = MEMO_OK;
    if (cache && !folder)
        status = memo_fail_nomem(err, "a path", 0);
    for (struct dirent *e; dir && status == MEMO_OK && (e = readdir(dir));)
        status = cache_add_entry(c, kind, folder, e->d_name, err);
    if (dir)
        closedir(dir);
    memo_free(folder);
    return status;
}

static memo_status cache_add_index(cache_state *c, memo_err *err)
{
    const char *store;
    char *real;
    memo_buf path = {0};
    memo_status status = cli_settings_path(&c->app->settings, OPT_DB, &store, err);
    if (status)
        return status;
    real = realpath(store, NULL); /* the index lies beside the file that a link leads to */
    memo_buf_printf(&path, "%s-idx", real ? real : store);
    free(real);
    return cache_add(c, CACHE_INDEX, memo_buf_take(&path), err);
}

static int cache_compare(const void *pa, const void *pb)
{
    const cache_item *a = pa, *b = pb;
    return a->kind != b->kind ? (int)a->kind - (int)b->kind : strcmp(a->path, b->path);
}

/* ---- what models are and who needs them ---------------------------------------------------- */

static void cache_look_into(cache_state *c, cache_item *item)
{
    const memo_model_options options = cli_app_model_options(c->app);
    const char *cache = c->app->settings.values[OPT_CACHE_DIR].text;
    memo_model *model = NULL;
    memo_model_info info = {.size = sizeof info};
    memo_buf source = {0};
    memo_err why = {0};
    memo_status status = memo_model_open(c->app->ctx, item->path, &options, &model, &why);
    if (status) { /* for want of memory, of rights, of a newer program it is no less a model */
        item->broken = status == MEMO_ERR_FORMAT || status == MEMO_ERR_CORRUPT;
        snprintf(item->bad, sizeof item->bad, "%.159s", why.message);
        return;
    }
    memo_model_get_info(model, &info, NULL);
    snprintf(item->name, sizeof item->name, "%.79s", info.name);
    snprintf(item->cls, sizeof item->cls, "%.7s", memo_class_name(info.cls));
    memcpy(item->fingerprint, info.fingerprint, sizeof item->fingerprint);
    memo_model_close(model);
    memo_buf_printf(&source, "%s/sources/%s", cache, item->name);
    item->has_source = item->name[0] && !strchr(item->name, '/') && item->name[0] != '.' &&
                       !source.failed && access(source.data, F_OK) == 0;
    memo_buf_fini(&source);
}

/* A store that is not there, or cannot be opened, needs nothing that is known. */
static void cache_ask_store(cache_state *c)
{
    memo_err why = {0};
    memo_spaces *spaces = NULL;
    if (cli_app_store(c->app, MEMO_OPEN_READ_ONLY, &why) ||
        memo_db_get_spaces(c->app->db, &spaces, &why)) {
        if (why.status != MEMO_ERR_NOTFOUND)
            cli_warn("the store was not asked which models it needs: %s", why.message);
        return;
    }
    for (size_t s = 0; s < spaces->n; s++)
        for (size_t i = 0; i < c->n; i++)
            c->items[i].needed |=
                c->items[i].kind == CACHE_MODEL && c->items[i].fingerprint[0] &&
                strcmp(c->items[i].fingerprint, spaces->spaces[s].fingerprint) == 0;
    memo_spaces_free(spaces);
}

static memo_status cache_look(cache_state *c, memo_err *err)
{
    memo_status status = cli_app_ctx(c->app, err);
    if (status == MEMO_OK)
        status = cache_add_folder(c, CACHE_MODEL, "models", err);
    if (status == MEMO_OK)
        status = cache_add_folder(c, CACHE_SOURCE, "sources", err);
    if (status == MEMO_OK)
        status = cache_add_index(c, err);
    if (status)
        return status;
    if (c->n)
        qsort(c->items, c->n, sizeof *c->items, cache_compare);
    for (size_t i = 0; i < c->n; i++)
        if (c->items[i].kind == CACHE_MODEL)
            cache_look_into(c, &c->items[i]);
    cache_ask_store(c);
    return MEMO_OK;
}

/* ---- output -------------------------------------------------------------------------------- */

static void cache_put_text(memo_buf *out, const cache_item *item, const char *verdict)
{
    char date[CLI_DATE_BYTES];
    cli_date_format(item->used_ms, 0, date);
    memo_buf_printf(out, "%-8s  %s  %s  ", cache_kinds[item->kind], date, item->path);
    cli_put_bytes(out, item->n_bytes);
    if (item->cls[0])
        memo_buf_printf(out, "  %s %.12s", item->cls, item->fingerprint);
    if (item->bad[0])
        memo_buf_printf(out, "  unusable: %s", item->bad);
    if (item->needed)
        memo_buf_puts(out, "  used by the store");
    if (verdict)
        memo_buf_printf(out, "  %s", verdict);
    memo_buf_putc(out, '\n');
}

static void cache_put_json(memo_buf *out, const cache_item *item, const char *verdict)
{
    cli_json_open(out, '{');
    cli_json_put_string(out, "kind", cache_kinds[item->kind]);
    cli_json_put_string(out, "path", item->path);
    cli_json_put_u64(out, "bytes", item->n_bytes);
    cli_json_key(out, "last_used");
    cli_json_date(out, item->used_ms);
    if (item->kind == CACHE_MODEL) {
        cli_json_put_string(out, "class", item->cls[0] ? item->cls : NULL);
        cli_json_put_string(out, "fingerprint", item->fingerprint[0] ? item->fingerprint : NULL);
        cli_json_put_string(out, "unusable", item->bad[0] ? item->bad : NULL);
        cli_json_key(out, "used_by_store");
        cli_json_bool(out, item->needed);
        cli_json_key(out, "has_source");
        cli_json_bool(out, item->has_source);
    }
    if (verdict)
        cli_json_put_string(out, "outcome", verdict);
    cli_json_close(out, '}');
}

static void cache_put(cli_out *out, const cache_item *item, const char *verdict)
{
    if (out->format == CLI_FORMAT_TEXT)
        cache_put_text(&out->buf, item, verdict);
    else
        cache_put_json(&out->buf, item, verdict);
    if (out->format == CLI_FORMAT_NDJSON)
        memo_buf_putc(&out->buf, '\n');
}

static void cache_put_begin(cli_out *out)
{
    if (out->format == CLI_FORMAT_JSON) {
        cli_json_open(&out->buf, '{');
        cli_json_key(&out->buf, "items");
        cli_json_open(&out->buf, '[');
    }
}

static void cache_put_end(cli_out *out, const char *key, const char *words, uint64_t n_bytes)
{
    if (out->format == CLI_FORMAT_JSON) {
        cli_json_close(&out->buf, ']');
        cli_json_put_u64(&out->buf, key, n_bytes);
        memo_buf_puts(&out->buf, "}\n");
    } else if (out->format == CLI_FORMAT_TEXT) {
        cli_put_bytes(&out->buf, n_bytes);
        memo_buf_printf(&out->buf, " %s\n", words);
    }
}

memo_status cli_verb_cache_list(cli_app *app, memo_err *err)
{
    cache_state c = {.app = app};
    uint64_t n_bytes = 0;
    memo_status status = cache_look(&c, err);
    if (status == MEMO_OK) {
        cache_put_begin(&app->out);
        for (size_t i = 0; i < c.n; i++) {
            cache_put(&app->out, &c.items[i], NULL);
            n_bytes += c.items[i].n_bytes;
        }
        cache_put_end(&app->out, "bytes", "in all", n_bytes);
    }
    cache_fini(&c);
    return status;
}

/* ---- clear --------------------------------------------------------------------------------- */

static int cache_is_asked(const cli_args *args, cache_kind kind)
{
    static const int options[] = {OPT_MODELS, OPT_SOURCE_FOLDERS, OPT_INDEX_FILE, OPT_NONE};
    return cli_args_has(args, OPT_ALL_CACHE) ||
           (options[kind] != OPT_NONE && cli_args_has(args, (cli_option_id)options[kind]));
}

/* Set why an item that was asked for stays. */
static void cache_judge(const cli_args *args, cache_item *item)
{
    int stays = item->has_source && !cache_is_asked(args, CACHE_SOURCE);
    if (item->kind == CACHE_LEFTOVER &&
        item->used_ms / 1000 > (int64_t)time(NULL) - CACHE_LEFT_SECONDS)
        item->kept = "kept: somebody may be at work on it";
    else if (item->kind == CACHE_MODEL && !stays && !item->broken &&
             !cli_args_has(args, OPT_FORCE_CLEAR))
        item->kept = item->has_source ? "kept: its source would go, too; --force"
                                      : "kept: its source is not in the cache; --force";
}

static int cache_tree_remove(const char *path, const struct stat *st, int type, struct FTW *at)
{
    (void)st, (void)type, (void)at;
    return remove(path) == 0 || errno == ENOENT ? 0 : -1;
}

static memo_status cache_remove(const char *path, memo_err *err)
{
    if (nftw(path, cache_tree_remove, CACHE_FOLDERS, FTW_DEPTH | FTW_PHYS) == 0 || errno == ENOENT)
        return MEMO_OK;
    return memo_fail_errno(err, errno, path, "remove it");
}

static memo_status cache_clear(cache_state *c, memo_err *err)
{
    cli_app *app = c->app;
    int dry_run = cli_args_has(&app->args, OPT_DRY_RUN);
    uint64_t n_bytes = 0;
    memo_status status = MEMO_OK;
    cache_put_begin(&app->out);
    for (size_t i = 0; i < c->n && status == MEMO_OK; i++) {
        cache_item *item = &c->items[i];
        if (!cache_is_asked(&app->args, item->kind))
            continue;
        cache_judge(&app->args, item);
        if (!item->kept && !dry_run)
            status = cache_remove(item->path, err);
        if (!item->kept && status == MEMO_OK)
            n_bytes += item->n_bytes;
        if (status == MEMO_OK)
            cache_put(&app->out, item,
                      item->kept ? item->kept
                      : dry_run  ? "would be removed"
                                 : "removed");
    }
    cache_put_end(&app->out, dry_run ? "would_go_bytes" : "removed_bytes",
                  dry_run ? "would go" : "removed", n_bytes);
    return status;
}

memo_status cli_verb_cache_clear(cli_app *app, memo_err *err)
{
    static const cli_option_id what[] = {OPT_MODELS, OPT_SOURCE_FOLDERS, OPT_INDEX_FILE,
                                         OPT_ALL_CACHE};
    cache_state c = {.app = app};
    size_t n = 0;
    memo_status status;
    for (size_t i = 0; i < sizeof what / sizeof *what; i++)
        n += cli_args_has(&app->args, what[i]) != 0;
    if (n == 0) {
        memo_fail(err, MEMO_ERR_USAGE, "cache clear needs --models, --sources, --index or --all");
        return memo_hint(err, MEMO_ERR_USAGE,
                         "memolith cache clear --all --dry-run   shows what "
                         "would go");
    }
    status = cache_look(&c, err);
    if (status == MEMO_OK)
        status = cache_clear(&c, err);
    cache_fini(&c);
    return status;
}
