// SPDX-License-Identifier: Apache-2.0
/* fault/power_disk.h -- what a power loss may leave on the disk.
 *
 * The model is what POSIX promises and no more:
 *   - fsync(file) makes the file's content and size durable, not its name
 *   - fsync(folder) makes the names durable: creations, renames and removals since the last one
 *   - anything else may be there or not, in any order. A write is kept by sectors of 512 bytes (or
 *     blocks of 4096): all, none, the first, the last, any mix. A dropped write inside a file that
 *     grew leaves zeros or, as some file systems do, old rubbish; the size may have grown without
 *     the data, and the data be there without the size (then it is lost)
 *   - a rename happens or not; a sector is whole; bytes of it outside a write keep their value
 *   - of the marks in a lock file, which are not synced, only the last three may be missing
 *
 * State number 0, 1, 2 ... of a point is a function of the record, the point, the seed and the
 * number: first nothing and everything, then by turns systematic ones (each pending call dropped,
 * kept, torn alone, every prefix) and random mixes without end. */
#ifndef MEMO_TESTS_POWER_DISK_H
#define MEMO_TESTS_POWER_DISK_H

#include "power_log.h"

typedef struct power_name {
    char name[POWER_NAME_BYTES];
    int file;
} power_name;

typedef struct power_content {
    unsigned char *bytes; /* [n_bytes] durable */
    size_t n_bytes;
    size_t most;  /* size of the largest file that the pending calls can make of it */
    size_t whole; /* size when all of them are kept */
} power_content;

/* The disk after the first `point` events of a record. */
typedef struct power_disk {
    const power_log *log;
    size_t point;
    power_content *contents; /* [log->n_files] */
    power_name *names;       /* [n_names] durable */
    size_t n_names;
    size_t *pending; /* [n_pending] events that are not durable, in order */
    size_t n_pending;
} power_disk;

void power_disk_init(power_disk *disk, const power_log *log, size_t point);
void power_disk_fini(power_disk *disk);

/* The files after a power loss at this point. */
void power_disk_state(const power_disk *disk, uint64_t seed, size_t state, power_files *out);

/* State that keeps everything: what a reader without a power loss sees. */
#define POWER_STATE_ALL 1

#endif
