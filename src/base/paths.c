// SPDX-License-Identifier: Apache-2.0
/* The half of base/file.h that is about names and folders. */
#include "base/file.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/checked.h"
#include "base/error.h"

char *memo_path_join(const char *folder, const char *name)
{
    size_t a = strlen(folder), b = strlen(name), n = 0;
    if (!memo_add_size(a, b, &n) || !memo_add_size(n, 2, &n))
        return NULL;
    char *path = memo_malloc(n);
    if (!path)
        return NULL;
    memcpy(path, folder, a);
    if (a > 0 && folder[a - 1] != '/')
        path[a++] = '/';
    memcpy(path + a, name, b + 1);
    return path;
}

char *memo_path_folder(const char *path)
{
    size_t n = strlen(path);
    while (n > 1 && path[n - 1] == '/') /* slashes after the last name */
        n--;
    while (n > 0 && path[n - 1] != '/')
        n--;
    if (n == 0)
        return memo_strdup(".");
    while (n > 1 && path[n - 1] == '/')
        n--;
    return memo_strndup(path, n);
}

int memo_path_exists(const char *path)
{
    struct stat st;
    return stat(path, &st) == 0 || (errno != ENOENT && errno != ENOTDIR);
}

int memo_same_file(const char *a, const char *b)
{
    struct stat sa, sb;
    return stat(a, &sa) == 0 && stat(b, &sb) == 0 && sa.st_dev == sb.st_dev &&
           sa.st_ino == sb.st_ino;
}

memo_status memo_sync_folder(const char *path, memo_err *err)
{
    int fd = memo_sys_open(path, O_RDONLY | O_DIRECTORY, 0);
    if (fd < 0)
        return memo_fail_errno(err, errno, path, "open the folder");
    memo_status status = MEMO_OK;
    /* EINVAL: a file system that has nothing to sync for folders. */
    if (memo_sys_fsync(fd) != 0 && errno != EINVAL)
        status = memo_fail_errno(err, errno, path, "sync the folder");
    memo_sys_get()->close(fd);
    return status;
}

static memo_status make_one_folder(const char *path, memo_err *err)
{
    struct stat st;
    if (stat(path, &st) == 0) {
        if (S_ISDIR(st.st_mode))
            return MEMO_OK;
        return memo_fail(err, MEMO_ERR_IO, "%s: exists and is not a folder", path);
    }
    if (memo_sys_get()->mkdir(path, 0700) != 0) {
        int e = errno; /* another process may just have made it */
        if (e == EEXIST && stat(path, &st) == 0 && S_ISDIR(st.st_mode))
            return MEMO_OK;
        return memo_fail_errno(err, e, path, "make the folder");
    }
    char *parent = memo_path_folder(path);
    if (!parent)
        return memo_fail_nomem(err, "a folder name", strlen(path) + 1);
    memo_status status = memo_sync_folder(parent, err);
    memo_free(parent);
    return status;
}

memo_status memo_mkdirs(const char *path, memo_err *err)
{
    if (!*path)
        return memo_fail(err, MEMO_ERR_USAGE, "the name of the folder to make is empty");
    char *copy = memo_strdup(path);
    if (!copy)
        return memo_fail_nomem(err, "a folder name", strlen(path) + 1);
    memo_status status = MEMO_OK;
    for (char *c = copy + 1; status == MEMO_OK && *c; c++) {
        if (*c != '/')
            continue;
        *c = '\0';
        status = make_one_folder(copy, err);
        *c = '/';
    }
    if (status == MEMO_OK)
        status = make_one_folder(copy, err);
    memo_free(copy);
    return status;
}
