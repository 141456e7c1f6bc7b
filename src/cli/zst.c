// SPDX-License-Identifier: Apache-2.0
#include "cli/zst.h"

#include "base/error.h"

#ifdef MEMO_HAVE_ZSTD

#include <inttypes.h>
#include <string.h>
#include <zstd.h>
#include <zstd_errors.h>

#include "base/alloc.h"
#include "base/file.h"

#define ZST_BYTES ((size_t)128 << 10) /* read or written at a time */

/* ---- unpacking ----------------------------------------------------------------------------- */

typedef struct zst_stream {
    memo_file file;
    ZSTD_DCtx *ctx;
    ZSTD_inBuffer in;
    uint64_t offset;     /* in the file, behind the buffer */
    uint64_t n_unpacked; /* so far */
    uint64_t most_bytes;
    int in_frame;
    char buffer[ZST_BYTES];
} zst_stream;

static void zst_close(void *stream)
{
    zst_stream *s = stream;

    if (!s)
        return;
    ZSTD_freeDCtx(s->ctx);
    memo_file_close(&s->file);
    memo_free(s);
}

static memo_status zst_fill(zst_stream *s, memo_err *err)
{
    uint64_t left = s->file.n_bytes - s->offset;
    size_t n = left < ZST_BYTES ? (size_t)left : ZST_BYTES;
    memo_status status = n ? memo_file_read(&s->file, s->offset, s->buffer, n, err) : MEMO_OK;

    if (status == MEMO_OK) {
        s->in = (ZSTD_inBuffer){s->buffer, n, 0};
        s->offset += n;
    }
    return status;
}

static memo_status zst_fail_bomb(const zst_stream *s, memo_err *err)
{
    memo_fail(err, MEMO_ERR_LIMIT,
              "its %" PRIu64 " bytes unpack to more than %" PRIu64 ", the most that is allowed",
              s->file.n_bytes, s->most_bytes);
    return memo_hint(err, MEMO_ERR_LIMIT, "--max-unpacked SIZE if it is meant to be that large");
}

static memo_status zst_fail(const zst_stream *s, size_t code, memo_err *err)
{
    if (ZSTD_getErrorCode(code) == ZSTD_error_memory_allocation)
        return memo_fail_nomem(err, "unpacking", ZST_BYTES);
    if (ZSTD_getErrorCode(code) == ZSTD_error_frameParameter_windowTooLarge)
        return memo_fail(err, MEMO_ERR_LIMIT,
                         "packed with a window of more than %d MiB, the most that is allowed",
                         1 << (CLI_ZST_WINDOW_LOG - 20));
    memo_fail(err, MEMO_ERR_CORRUPT, "damaged behind %" PRIu64 " unpacked bytes: %s", s->n_unpacked,
              ZSTD_getErrorName(code));
    return memo_hint(err, MEMO_ERR_CORRUPT,
                     "export it again; --skip-bad takes what stands before the damage");
}

static memo_status zst_fail_short(const zst_stream *s, memo_err *err)
{
    memo_fail(err, MEMO_ERR_CORRUPT,
              "cut off: %" PRIu64 " bytes unpack to %" PRIu64
              ", and the end of the frame is missing",
              s->file.n_bytes, s->n_unpacked);
    return memo_hint(err, MEMO_ERR_CORRUPT,
                     "copy it again; --skip-bad takes what stands before the damage");
}

static memo_status zst_open(void *user, const char *path, void **stream, memo_err *err)
{
    const uint64_t *most_bytes = user;
    zst_stream *s = memo_calloc(1, sizeof *s);
    unsigned long long n_content;
    memo_status status;

    if (!s)
        return memo_fail_nomem(err, "unpacking", sizeof *s);
    status = memo_file_open(&s->file, path, err);
    if (status == MEMO_OK) {
        uint64_t by_size = s->file.n_bytes < UINT64_MAX / CLI_ZST_MOST_TIMES
                               ? s->file.n_bytes * CLI_ZST_MOST_TIMES
                               : UINT64_MAX;
        s->most_bytes = *most_bytes                    ? *most_bytes
                        : by_size > CLI_ZST_MOST_BYTES ? by_size
                                                       : CLI_ZST_MOST_BYTES;
        s->ctx = ZSTD_createDCtx();
        if (!s->ctx)
            status = memo_fail_nomem(err, "unpacking", ZST_BYTES);
    }
    if (status == MEMO_OK) {
        (void)ZSTD_DCtx_setParameter(s->ctx, ZSTD_d_windowLogMax, CLI_ZST_WINDOW_LOG);
        status = zst_fill(s, err);
    }
    if (status == MEMO_OK) {
        n_content = ZSTD_getFrameContentSize(s->buffer, s->in.size);
        if (n_content < ZSTD_CONTENTSIZE_ERROR && n_content > s->most_bytes)
            status = zst_fail_bomb(s, err);
    }
    if (status) {
        zst_close(s);
        return status;
    }
    *stream = s;
    return MEMO_OK;
}

static memo_status zst_read(void *stream, char *bytes, size_t n_bytes, size_t *n_read,
                            memo_err *err)
{
    zst_stream *s = stream;
    ZSTD_outBuffer out = {bytes, n_bytes, 0};

    *n_read = 0;
    while (out.pos == 0) {
        size_t code;
        memo_status status = s->in.pos == s->in.size ? zst_fill(s, err) : MEMO_OK;
        int at_end = s->in.pos == s->in.size;
        if (status)
            return status;
        if (at_end && !s->in_frame)
            return MEMO_OK;
        code = ZSTD_decompressStream(s->ctx, &out, &s->in);
        if (ZSTD_isError(code))
            return zst_fail(s, code, err);
        s->in_frame = code != 0;
        if (at_end && s->in_frame && out.pos == 0)
            return zst_fail_short(s, err);
    }
    if (out.pos > s->most_bytes - s->n_unpacked)
        return zst_fail_bomb(s, err);
    s->n_unpacked += out.pos;
    *n_read = out.pos;
    return MEMO_OK;
}

/* ---- packing ------------------------------------------------------------------------------- */

struct cli_zst_packer {
    ZSTD_CCtx *ctx;
    memo_write_fn write;
    void *user;
    uint64_t n_written;
    char buffer[ZST_BYTES];
};

memo_status cli_zst_pack_open(cli_zst_packer **packer, int level, memo_write_fn write, void *user,
                              memo_err *err)
{
    cli_zst_packer *p = memo_calloc(1, sizeof *p);

    if (!p)
        return memo_fail_nomem(err, "packing", sizeof *p);
    p->write = write;
    p->user = user;
    p->ctx = ZSTD_createCCtx();
    if (!p->ctx) {
        memo_free(p);
        return memo_fail_nomem(err, "packing", ZST_BYTES);
    }
    (void)ZSTD_CCtx_setParameter(p->ctx, ZSTD_c_compressionLevel, level);
    (void)ZSTD_CCtx_setParameter(p->ctx, ZSTD_c_checksumFlag, 1);
    *packer = p;
    return MEMO_OK;
}

static memo_status zst_run(cli_zst_packer *p, ZSTD_inBuffer *in, ZSTD_EndDirective how,
                           memo_err *err)
{
    size_t left;

    do {
        ZSTD_outBuffer out = {p->buffer, sizeof p->buffer, 0};
        left = ZSTD_compressStream2(p->ctx, &out, in, how);
        if (ZSTD_isError(left))
            return memo_fail_nomem(err, "packing", ZST_BYTES); /* nothing else can fail here */
        if (out.pos && p->write(p->user, p->buffer, out.pos))
            return memo_fail(err, MEMO_ERR_IO, "what was packed could not be written");
        p->n_written += out.pos;
    } while (how == ZSTD_e_end ? left != 0 : in->pos < in->size);
    return MEMO_OK;
}

memo_status cli_zst_pack(cli_zst_packer *packer, const char *bytes, size_t n_bytes, memo_err *err)
{
    ZSTD_inBuffer in = {bytes, n_bytes, 0};

    return zst_run(packer, &in, ZSTD_e_continue, err);
}

memo_status cli_zst_pack_end(cli_zst_packer *packer, uint64_t *n_written, memo_err *err)
{
    ZSTD_inBuffer in = {NULL, 0, 0};
    memo_status status = zst_run(packer, &in, ZSTD_e_end, err);

    *n_written = packer->n_written;
    return status;
}

void cli_zst_pack_close(cli_zst_packer *packer)
{
    if (packer)
        ZSTD_freeCCtx(packer->ctx);
    memo_free(packer);
}

#else /* without libzstd */

static memo_status zst_fail_without(memo_err *err)
{
    memo_fail(err, MEMO_ERR_UNSUPPORTED, "this memolith was built without zstd");
    return memo_hint(err, MEMO_ERR_UNSUPPORTED,
                     "install libzstd-dev and build again, or use the program zstd beside it");
}

static memo_status zst_open(void *user, const char *path, void **stream, memo_err *err)
{
    (void)user;
    (void)path;
    (void)stream;
    return zst_fail_without(err);
}

static memo_status zst_read(void *stream, char *bytes, size_t n_bytes, size_t *n_read,
                            memo_err *err)
{
    (void)stream;
    (void)bytes;
    (void)n_bytes;
    (void)n_read;
    return zst_fail_without(err);
}

static void zst_close(void *stream)
{
    (void)stream;
}

memo_status cli_zst_pack_open(cli_zst_packer **packer, int level, memo_write_fn write, void *user,
                              memo_err *err)
{
    (void)packer;
    (void)level;
    (void)write;
    (void)user;
    return zst_fail_without(err);
}

memo_status cli_zst_pack(cli_zst_packer *packer, const char *bytes, size_t n_bytes, memo_err *err)
{
    (void)packer;
    (void)bytes;
    (void)n_bytes;
    return zst_fail_without(err);
}

memo_status cli_zst_pack_end(cli_zst_packer *packer, uint64_t *n_written, memo_err *err)
{
    (void)packer;
    (void)n_written;
    return zst_fail_without(err);
}

void cli_zst_pack_close(cli_zst_packer *packer)
{
    (void)packer;
}

#endif

void cli_zst_unpacker(memo_unpacker *unpacker, uint64_t *most_bytes)
{
    *unpacker = (memo_unpacker){most_bytes, zst_open, zst_read, zst_close};
}
