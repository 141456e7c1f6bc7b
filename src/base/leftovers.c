// SPDX-License-Identifier: Apache-2.0
/* Temporary files of base/file.h whose process died before it could rename or remove them.
 *
 * A process number alone says too little where containers share a folder, so whoever makes a temporary
 * holds a lock on it as well: of its open file description, on a byte that no file has, where it stands
 * in the way neither of SQLite nor of other descriptors of the process. What nobody holds and whose
 * process is gone is left over at once. (Closed before the rename, as a descriptor closed later would
 * take SQLite's locks on the new file with it, a temporary is nobody's for a moment: a sweep from another
 * container would have to meet it, and the commit would fail and say so.) Where such locks are missing, and for the side files of a
 * temporary, which have none, nobody must have written for an hour: a copy under way is written or
 * checked all the time. */
#include "base/file.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

enum { LEFTOVER_SECONDS = 3600 };

int memo_replace_lock(int fd)
{
#ifdef F_OFD_SETLK
    struct flock lock = {
        .l_type = F_WRLCK,
        .l_whence = SEEK_SET,
        .l_start = sizeof(off_t) > 4 ? (off_t)(INT64_MAX - 1) : INT32_MAX - 1,
        .l_len = 1,
    };
    return fcntl(fd, F_OFD_SETLK, &lock) == 0;
#else
    (void)fd;
    return 0;
#endif
}

/* A number of at most ten digits behind *at, which goes behind it; -1: there is none. */
static long long leftover_number(const char **at)
{
    size_t n = strspn(*at, "0123456789");
    long long number = n > 0 && n <= 10 ? strtoll(*at, NULL, 10) : -1;
    *at += n;
    return number;
}

/* Whether `rest`, behind ".NAME.", is "PID-N.tmp" or a side file of that ("-wal"), and of a process
 * that is gone. `next` is the number of this process's next temporary: it made none from there on. */
static int leftover_is_dead(const char *rest, unsigned next)
{
    static const char tail[] = ".tmp";
    long long pid = leftover_number(&rest), number;
    if (pid <= 0 || (pid_t)pid != pid || *rest++ != '-')
        return 0;
    number = leftover_number(&rest);
    if (number < 0 || strncmp(rest, tail, sizeof tail - 1) != 0)
        return 0;
    rest += sizeof tail - 1;
    if (*rest && *rest != '-')
        return 0;
    if ((pid_t)pid == getpid())
        return number >= next;
    return kill((pid_t)pid, 0) != 0 && errno == ESRCH;
}

/* Remove a leftover, unless it is somebody's whose number means another process here. */
static void leftover_remove(const char *path)
{
    size_t n = strlen(path);
    struct stat st;
    if (lstat(path, &st) != 0 || !S_ISREG(st.st_mode))
        return;
    int is_side = strcmp(path + n - 4, ".tmp") != 0;
    int fd = is_side ? -1 : memo_sys_open(path, O_WRONLY | O_NOFOLLOW | O_NONBLOCK, 0);
    if ((fd >= 0 && memo_replace_lock(fd)) || st.st_mtime < time(NULL) - LEFTOVER_SECONDS)
        (void)memo_sys_get()->unlink(path);
    if (fd >= 0)
        memo_sys_get()->close(fd);
}

void memo_replace_sweep(const char *path, size_t n_folder, size_t n_name, unsigned next)
{
    char found_path[PATH_MAX + NAME_MAX + 1]; /* no memory: a want of it must not go unsaid */
    DIR *dir;
    if (n_folder >= PATH_MAX)
        return;
    memcpy(found_path, path, n_folder);
    strcpy(found_path + n_folder, n_folder ? "" : ".");
    dir = opendir(found_path);
    for (struct dirent *entry; dir && (entry = readdir(dir));) {
        const char *found = entry->d_name;
        size_t n = strlen(found);
        if (found[0] != '.' || strncmp(found + 1, path + n_folder, n_name) != 0 ||
            found[1 + n_name] != '.' || n > NAME_MAX || !leftover_is_dead(found + n_name + 2, next))
            continue;
        memcpy(found_path + n_folder, found, n + 1);
        leftover_remove(found_path);
    }
    if (dir)
        closedir(dir);
}
