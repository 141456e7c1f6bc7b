// SPDX-License-Identifier: Apache-2.0
/* fuzz_source.c -- the small files of a model folder: config.json, modules.json, pooling, lengths,
 * prompts, vocabulary. The input is several files in one:
 *
 *   @config.json
 *   {"model_type": "bert", ...
 *   @1_Pooling/config.json
 *   ...
 *
 * A file that is not named is the good one of the command tests' model. What opens keeps what must
 * hold of a recipe; and nothing is opened but plain names inside the folder. */
#include <fcntl.h>

#include "fuzz_folder.h"

#include "base/alloc.h"
#include "model/compile/source.h"
#include "model/compile/weights.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char *const fuzz_names[] = {
    "config.json",
    "modules.json",
    "1_Pooling/config.json",
    "sentence_bert_config.json",
    "vocab.txt",
    "config_sentence_transformers.json",
    "tokenizer.json",
    "tokenizer_config.json",
    "model.safetensors",
    "model.safetensors.index.json",
};
enum { N_NAMES = sizeof fuzz_names / sizeof *fuzz_names };

static struct {
    char *bytes; /* NULL: the model has no such file */
    size_t n;
    int changed; /* what lies in the folder is not it */
} fuzz_good[N_NAMES];

static memo_sys fuzz_sys;
static int (*fuzz_real_open)(const char *path, int flags, int mode);

/* The folder's own names, and a pooling's config one level down: no dot name, no other folder. */
static int fuzz_open(const char *path, int flags, int mode)
{
    size_t n = strlen(fuzz_folder());
    const char *slash;

    if (strncmp(path, fuzz_folder(), n) != 0 || path[n] != '/' || path[n + 1] == '.')
        abort();
    slash = strchr(path + n + 1, '/');
    if ((flags & O_ACCMODE) != O_RDONLY || (slash && strcmp(slash, "/config.json") != 0))
        abort();
    return fuzz_real_open(path, flags, mode);
}

static void fuzz_init(void)
{
    char path[512];
    memo_err err = {0};

    mkdir(fuzz_path(path, "1_Pooling"), 0700);
    for (size_t i = 0; i < N_NAMES; i++) {
        snprintf(path, sizeof path, "%s/tests/cli/tiny-model/%s", MEMO_SOURCE_DIR, fuzz_names[i]);
        if (memo_path_exists(path) &&
            memo_file_slurp(path, 1 << 22, &fuzz_good[i].bytes, &fuzz_good[i].n, &err))
            abort();
        fuzz_good[i].changed = 1;
    }
    fuzz_sys = *memo_sys_get();
    fuzz_real_open = fuzz_sys.open;
    fuzz_sys.open = fuzz_open;
    memo_sys_set(&fuzz_sys);
}

/* The file that a line "@NAME" names, or -1. */
static int fuzz_named(const uint8_t *line, size_t n)
{
    for (int i = 0; i < N_NAMES; i++)
        if (n == strlen(fuzz_names[i]) + 1 && memcmp(line + 1, fuzz_names[i], n - 1) == 0)
            return i;
    return -1;
}

static void fuzz_put(int i, const void *bytes, size_t n)
{
    char path[512];
    fuzz_write(fuzz_path(path, fuzz_names[i]), bytes, n);
    fuzz_good[i].changed = 1;
}

static void fuzz_files(const uint8_t *data, size_t size)
{
    int current = -1;
    size_t begin = 0;
    char path[512];

    for (int i = 0; i < N_NAMES; i++) {
        if (fuzz_good[i].changed && fuzz_good[i].bytes)
            fuzz_put(i, fuzz_good[i].bytes, fuzz_good[i].n);
        else if (fuzz_good[i].changed)
            unlink(fuzz_path(path, fuzz_names[i]));
        fuzz_good[i].changed = 0;
    }
    for (size_t at = 0; at <= size;) {
        const uint8_t *nl = at < size ? memchr(data + at, '\n', size - at) : NULL;
        size_t end = nl ? (size_t)(nl - data) : size;
        int named = at < size && data[at] == '@' ? fuzz_named(data + at, end - at) : -1;
        if ((named >= 0 || at == size || !nl) && current >= 0)
            fuzz_put(current, data + begin, (named >= 0 ? at : size) - begin);
        if (named >= 0) {
            current = named;
            begin = end < size ? end + 1 : size;
        }
        if (!nl)
            break;
        at = end + 1;
    }
}

static void fuzz_check(const memo_source *source)
{
    memo_recipe again = {0};
    memo_layout layout = {0};
    memo_weight_map map = {0};
    memo_err err = {0};
    char *json = NULL;

    if (memo_recipe_check(&source->recipe, &err) ||
        memo_recipe_write(&source->recipe, &json, &err) || memo_recipe_read(json, &again, &err))
        abort();
    for (size_t f = 0; f < MEMO_RECIPE_FIELDS; f++)
        if (!source->recipe.origin[f]) /* every field knows where it is from */
            abort();
    if (memo_layout_init(&layout, &source->recipe, &err) == MEMO_OK &&
        memo_weight_map_init(&map, source, &layout, &err) && !err.message[0])
        abort();
    memo_weight_map_fini(&map);
    memo_layout_fini(&layout);
    memo_recipe_fini(&again);
    memo_free(json);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const memo_compile_options options = {.size = sizeof options};
    memo_source source = {0};
    memo_err err = {0};

    if (!fuzz_good[0].bytes)
        fuzz_init();
    fuzz_files(data, size);
    int64_t live = memo_alloc_live();
    if (memo_source_open(&source, fuzz_folder(), &options, &err) == MEMO_OK)
        fuzz_check(&source);
    else if (!err.message[0])
        abort();
    memo_source_close(&source);
    if (memo_alloc_live() != live)
        abort();
    return 0;
}
