// SPDX-License-Identifier: Apache-2.0
#include "index/idx_file.h"

#include <errno.h>
#include <string.h>

#include "base/alloc.h"
#include "base/checked.h"
#include "base/error.h"
#include "base/hash.h"

const unsigned char memo_idx_magic[8] = {'M', 'E', 'M', 'O', 'I', 'D', 'X', '1'};

enum { IDX_VERSION = 1 };

/* ---- layout -------------------------------------------------------------------------------- */

/* Room for n items in a section, appended to *bytes; where it begins goes to *at. */
static int idx_place(uint64_t n, size_t item_bytes, size_t *bytes, size_t *at)
{
    size_t n_bytes = 0, end = 0;
    if (n > SIZE_MAX || !memo_mul_size((size_t)n, item_bytes, &n_bytes) ||
        !memo_add_size(*bytes, n_bytes, &end) || end > SIZE_MAX / 2)
        return 0;
    *at = *bytes;
    *bytes = memo_round_up(end, MEMO_IDX_ALIGN);
    return 1;
}

int memo_idx_plan(size_t dim, uint64_t n, memo_idx_layout *layout)
{
    size_t chunk, at, bytes = 0, codes = 0, vectors = 0;
    uint64_t m;
    if (dim == 0 || dim > MEMO_IDX_MAX_DIM || n > SIZE_MAX / 2)
        return 0;
    m = memo_block_count((size_t)n) * (uint64_t)MEMO_BLOCK;
    *layout = (memo_idx_layout){0};
    if (!idx_place(n, 8, &bytes, &chunk) || !idx_place(n, 8, &bytes, &layout->record) ||
        !idx_place(n, 8, &bytes, &layout->ns) || !idx_place(n, 8, &bytes, &layout->sum) ||
        !idx_place(m, 4, &bytes, &layout->scale) || !idx_place(m, 4, &bytes, &layout->error) ||
        !idx_place(m, 4, &bytes, &layout->w_sum) ||
        !idx_place(m / MEMO_BLOCK, memo_block_bytes(dim), &codes, &at) ||
        !idx_place(n, dim * sizeof(float), &vectors, &at))
        return 0;
    layout->slots_bytes = bytes;
    layout->codes_bytes = codes;
    layout->vectors_bytes = vectors;
    return 1;
}

/* ---- reading ------------------------------------------------------------------------------- */

static uint64_t idx_u64(const unsigned char *p)
{
    uint64_t v;
    memcpy(&v, p, sizeof v);
    return v;
}

static uint32_t idx_u32(const unsigned char *p)
{
    uint32_t v;
    memcpy(&v, p, sizeof v);
    return v;
}

static memo_status idx_fail(const memo_idx_file *f, const char *what, memo_err *err)
{
    return memo_fail(err, MEMO_ERR_CORRUPT, "%s: no index of this version: %s", f->file.path, what);
}

/* A section of n bytes at `at` lies in the file, aligned, behind the table. */
static int idx_section_fits(const memo_idx_file *f, uint64_t at, size_t n_bytes)
{
    uint64_t end = 0;
    return at % MEMO_IDX_ALIGN == 0 && at >= MEMO_IDX_HEADER_BYTES &&
           memo_add_u64(at, n_bytes, &end) && end <= f->map.n_bytes;
}

/* What no writer writes, and what arithmetic on would not show: an error that is negative or NaN
 * would hide a vector. */
static int idx_slots_sane(const memo_idx_space *space)
{
    uint64_t sum = 0;
    for (size_t i = 0; i < space->blocks.n; i++) {
        if (!(space->blocks.error[i] >= 0))
            return 0;
        if (i && (space->ns[i] < space->ns[i - 1] ||
                  (space->ns[i] == space->ns[i - 1] && space->chunks[i] <= space->chunks[i - 1])))
            return 0;
        sum += space->sums[i];
    }
    return sum == space->set_sum;
}

static void idx_point(memo_idx_space *space, const unsigned char *slots, const memo_idx_layout *at)
{
    const void *chunks = slots, *records = slots + at->record, *ns = slots + at->ns;
    const void *sums = slots + at->sum, *scale = slots + at->scale, *error = slots + at->error;
    const void *w_sum = slots + at->w_sum;
    space->chunks = chunks;
    space->records = records;
    space->ns = ns;
    space->sums = sums;
    space->blocks.scale = scale;
    space->blocks.error = error;
    space->blocks.w_sum = w_sum;
}

static memo_status idx_read_space(const memo_idx_file *f, const unsigned char *entry,
                                  memo_idx_space *space, memo_err *err)
{
    uint64_t n = idx_u64(entry + 16), slots = idx_u64(entry + 32), codes = idx_u64(entry + 48);
    memo_idx_layout at;

    *space = (memo_idx_space){.id = (int64_t)idx_u64(entry),
                              .blocks = {.dim = idx_u32(entry + 8)},
                              .set_sum = idx_u64(entry + 24),
                              .codes_sum = idx_u64(entry + 56),
                              .vectors_at = idx_u64(entry + 64)};
    if (!memo_idx_plan(space->blocks.dim, n, &at))
        return idx_fail(f, "a space of impossible size", err);
    if (!idx_section_fits(f, slots, at.slots_bytes) ||
        !idx_section_fits(f, codes, at.codes_bytes) ||
        !idx_section_fits(f, space->vectors_at, at.vectors_bytes))
        return idx_fail(f, "a section behind its end", err);
    if (memo_xxh64(f->map.data + slots, at.slots_bytes, 0) != idx_u64(entry + 40))
        return idx_fail(f, "the checksum of its slots does not match", err);
    space->blocks.n = (size_t)n;
    space->blocks.codes = (const int8_t *)(f->map.data + codes);
    idx_point(space, f->map.data + slots, &at);
    return idx_slots_sane(space) ? MEMO_OK : idx_fail(f, "slots that nobody wrote", err);
}

static memo_status idx_read_header(memo_idx_file *f, memo_err *err)
{
    const unsigned char *head = f->map.data, *table;
    size_t n_spaces, table_bytes;

    if (f->map.n_bytes < MEMO_IDX_HEADER_BYTES || memcmp(head, memo_idx_magic, 8) != 0)
        return idx_fail(f, "no header", err);
    table = head + MEMO_IDX_HEADER_BYTES;
    if (memo_xxh64(head, MEMO_IDX_HEADER_BYTES - 8, 0) != idx_u64(head + 120))
        return idx_fail(f, "the checksum of its header does not match", err);
    n_spaces = idx_u32(head + 12);
    table_bytes = n_spaces * MEMO_IDX_ENTRY_BYTES;
    if (idx_u32(head + 8) != IDX_VERSION || n_spaces > MEMO_IDX_MAX_SPACES ||
        idx_u64(head + 56) != f->map.n_bytes ||
        table_bytes > f->map.n_bytes - MEMO_IDX_HEADER_BYTES)
        return idx_fail(f, "another version or size", err);
    if (memo_xxh64(table, table_bytes, 0) != idx_u64(head + 64))
        return idx_fail(f, "the checksum of its spaces does not match", err);
    memcpy(f->uuid, head + 16, MEMO_IDX_UUID_CHARS);
    f->seq = (int64_t)idx_u64(head + 48);
    f->spaces = memo_calloc(n_spaces ? n_spaces : 1, sizeof *f->spaces);
    if (!f->spaces)
        return memo_fail_nomem(err, "spaces of an index", n_spaces * sizeof *f->spaces);
    for (; f->n_spaces < n_spaces; f->n_spaces++) {
        memo_status status = idx_read_space(f, table + f->n_spaces * MEMO_IDX_ENTRY_BYTES,
                                            &f->spaces[f->n_spaces], err);
        if (status)
            return status;
    }
    return MEMO_OK;
}

memo_status memo_idx_open(const char *path, memo_idx_file *file, memo_err *err)
{
    memo_status status;

    *file = (memo_idx_file){0};
    if (!memo_path_exists(path))
        return memo_fail(err, MEMO_ERR_NOTFOUND, "%s: no such index", path);
    status = memo_file_open(&file->file, path, err);
    if (!status)
        status = memo_map_file(&file->map, &file->file, err);
    if (!status)
        status = idx_read_header(file, err);
    if (status)
        memo_idx_close(file);
    return status;
}

void memo_idx_close(memo_idx_file *file)
{
    memo_free(file->spaces);
    memo_map_close(&file->map);
    memo_file_close(&file->file);
    *file = (memo_idx_file){0};
}

memo_idx_space *memo_idx_find(const memo_idx_file *file, int64_t id)
{
    for (size_t i = 0; i < file->n_spaces; i++)
        if (file->spaces[i].id == id)
            return &file->spaces[i];
    return NULL;
}

memo_status memo_idx_check_codes(const memo_idx_file *file, memo_idx_space *space, memo_err *err)
{
    size_t n_bytes = memo_block_count(space->blocks.n) * memo_block_bytes(space->blocks.dim);

    if (space->codes_checked)
        return MEMO_OK;
    if (memo_xxh64(space->blocks.codes, n_bytes, 0) != space->codes_sum)
        return idx_fail(file, "the checksum of its codes does not match", err);
    space->codes_checked = 1;
    return MEMO_OK;
}

memo_status memo_idx_read_vector(const memo_idx_file *file, const memo_idx_space *space,
                                 size_t slot, float *vector, memo_err *err)
{
    size_t n_bytes = space->blocks.dim * sizeof *vector;
    return memo_file_read(&file->file, space->vectors_at + (uint64_t)slot * n_bytes, vector,
                          n_bytes, err);
}
