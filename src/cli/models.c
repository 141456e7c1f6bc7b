// SPDX-License-Identifier: Apache-2.0
#include "cli/models.h"

#include <dirent.h>
#include <string.h>

#include "base/alloc.h"
#include "base/error.h"
#include "base/file.h"
#include "base/json.h"

enum { MODELS_HEADER_BYTES = 16 << 20 }; /* longer headers are of no model of ours */

/* Whether the file's header has this fingerprint: 8 bytes of length, then JSON. */
static int models_is(const char *path, const char *fingerprint)
{
    unsigned char length[8];
    memo_err why = {0};
    memo_file file = {0};
    json_t *header = NULL;
    const char *has = NULL;
    char *text = NULL;
    uint64_t n = 0;

    if (memo_file_open(&file, path, &why) == MEMO_OK &&
        memo_file_read(&file, 0, length, sizeof length, &why) == MEMO_OK) {
        for (int i = 7; i >= 0; i--)
            n = n << 8 | length[i];
        text = n && n <= MODELS_HEADER_BYTES ? memo_malloc((size_t)n) : NULL;
    }
    if (text && memo_file_read(&file, 8, text, (size_t)n, &why) == MEMO_OK &&
        memo_json_parse(text, (size_t)n, &memo_json_header_limits, path, &header, &why) == MEMO_OK)
        has = json_string_value(
            json_object_get(json_object_get(header, "__metadata__"), "memolith.fingerprint"));
    int is = has && strcmp(has, fingerprint) == 0;
    json_decref(header);
    memo_free(text);
    memo_file_close(&file);
    return is;
}

static int models_is_name(const char *name)
{
    static const char end[] = ".safetensors";
    size_t n = strlen(name), tail = sizeof end - 1;
    return name[0] != '.' && n > tail && strcmp(name + n - tail, end) == 0;
}

memo_status cli_models_find(const char *folder, const char *fingerprint, const char *first,
                            char **path, memo_err *err)
{
    DIR *dir;
    memo_status status = MEMO_OK;

    *path = NULL;
    if (first && models_is(first, fingerprint)) {
        *path = memo_strdup(first);
        return *path ? MEMO_OK : memo_fail_nomem(err, "a path", strlen(first));
    }
    dir = opendir(folder);
    for (struct dirent *entry; dir && status == MEMO_OK && !*path && (entry = readdir(dir));) {
        char *candidate;
        if (!models_is_name(entry->d_name))
            continue;
        candidate = memo_path_join(folder, entry->d_name);
        if (!candidate)
            status = memo_fail_nomem(err, "a path", strlen(folder));
        else if (models_is(candidate, fingerprint))
            *path = candidate;
        else
            memo_free(candidate);
    }
    if (dir)
        closedir(dir);
    return status;
}

int cli_models_has_other(const char *folder, const char *path)
{
    const char *slash = path ? strrchr(path, '/') : NULL, *name = slash ? slash + 1 : path;
    DIR *dir = opendir(folder);
    int has = 0;
    for (struct dirent *entry; dir && !has && (entry = readdir(dir));)
        has = models_is_name(entry->d_name) && !(name && strcmp(entry->d_name, name) == 0);
    if (dir)
        closedir(dir);
    return has;
}
