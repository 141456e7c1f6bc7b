// SPDX-License-Identifier: Apache-2.0
/* fuzz_folder.h -- a folder of its own for a target that needs files: in memory where the system
 * has such a place, removed when the program ends, and never synced. */
#ifndef MEMO_FUZZ_FOLDER_H
#define MEMO_FUZZ_FOLDER_H

#include <ftw.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"

static char fuzz_folder_path[64];

static inline int fuzz_remove_one(const char *path, const struct stat *st, int kind,
                                  struct FTW *ftw)
{
    (void)st, (void)kind, (void)ftw;
    return remove(path);
}

static inline void fuzz_remove_folder(void)
{
    nftw(fuzz_folder_path, fuzz_remove_one, 8, FTW_DEPTH | FTW_PHYS);
}

static inline int fuzz_no_sync(int fd)
{
    (void)fd;
    return 0;
}

static inline const char *fuzz_folder(void)
{
    static memo_sys sys;
    if (!fuzz_folder_path[0]) {
        strcpy(fuzz_folder_path, access("/dev/shm", W_OK) == 0 ? "/dev/shm/memo-fuzz.XXXXXX"
                                                               : "/tmp/memo-fuzz.XXXXXX");
        if (!mkdtemp(fuzz_folder_path) || atexit(fuzz_remove_folder))
            abort();
        sys = *memo_sys_get();
        sys.fsync = fuzz_no_sync;
        memo_sys_set(&sys);
    }
    return fuzz_folder_path;
}

static inline const char *fuzz_path(char out[512], const char *name)
{
    snprintf(out, 512, "%s/%s", fuzz_folder(), name);
    return out;
}

static inline void fuzz_write(const char *path, const void *bytes, size_t n)
{
    FILE *f = fopen(path, "wbe");
    if (!f || (n && fwrite(bytes, 1, n, f) != n) || fclose(f))
        abort();
}

#endif
