// SPDX-License-Identifier: Apache-2.0
/* replay.c -- run one fuzz target over files and folders given as arguments, without libFuzzer.
 *
 * Every file is read into a heap block of exactly its size, so that a sanitizer sees the first byte
 * read past the end. Ends with "N passed, 0 failed, 0 skipped": a target that fails crashes. */
#include <dirent.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Returns 0, or -1 when the file cannot be read. */
static int replay_file(const char *path, size_t size)
{
    FILE *file = fopen(path, "rb");
    uint8_t *data = malloc(size ? size : 1);
    int status = -1;
    if (file && data && fread(data, 1, size, file) == size) {
        LLVMFuzzerTestOneInput(data, size);
        status = 0;
    } else {
        perror(path);
    }
    free(data);
    if (file)
        fclose(file);
    return status;
}

/* Returns the number of inputs run, or -1 after the first that cannot be read. */
static int replay_path(const char *path)
{
    struct stat info;
    if (stat(path, &info) != 0) {
        perror(path);
        return -1;
    }
    if (!S_ISDIR(info.st_mode))
        return replay_file(path, (size_t)info.st_size) == 0 ? 1 : -1;
    DIR *folder = opendir(path);
    if (!folder)
        return -1;
    int n = 0;
    for (struct dirent *entry = readdir(folder); entry && n >= 0; entry = readdir(folder)) {
        char inner[4096];
        if (entry->d_name[0] == '.')
            continue;
        snprintf(inner, sizeof inner, "%s/%s", path, entry->d_name);
        int more = replay_path(inner);
        n = more < 0 ? -1 : n + more;
    }
    closedir(folder);
    return n;
}

int main(int argc, char **argv)
{
    int n = 0;
    for (int i = 1; i < argc; i++) {
        int more = replay_path(argv[i]);
        if (more < 0)
            return 1;
        n += more;
    }
    if (n == 0) {
        fprintf(stderr, "replay: no input\n");
        return 1;
    }
    printf("%d passed, 0 failed, 0 skipped\n", n);
    return 0;
}
