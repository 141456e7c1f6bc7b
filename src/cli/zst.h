// SPDX-License-Identifier: Apache-2.0
/* cli/zst.h -- files packed by zstd: import reads them, export writes them.
 *
 * The library knows no compression; this is the only file of the command that calls libzstd. Built
 * without it, every call is MEMO_ERR_UNSUPPORTED saying what to install.
 *
 * What is read is not trusted. A few kilobytes can stand for gigabytes, so a file may expand to
 * CLI_ZST_MOST_BYTES or to CLI_ZST_MOST_TIMES its own size, whichever is more, unless the user allows
 * another size; a frame may ask for a window of 128 MiB at most. Each is MEMO_ERR_LIMIT. What does not
 * unpack, does not match its checksum or ends in the middle of a frame is MEMO_ERR_CORRUPT, and
 * the message says how far it was read. */
#ifndef MEMO_CLI_ZST_H
#define MEMO_CLI_ZST_H

#include <memolith/memory.h>

#define CLI_ZST_MOST_BYTES ((uint64_t)256 << 20)
#define CLI_ZST_MOST_TIMES 100 /* text packs to a quarter, logs to a fiftieth */
#define CLI_ZST_WINDOW_LOG 27
#define CLI_ZST_LEVEL      3
#define CLI_ZST_MOST_LEVEL 19

/* Unpacks for memo_db_import(); *most_bytes is what one file may expand to, 0: as said above. Both must
 * live as long as the import. */
void cli_zst_unpacker(memo_unpacker *unpacker, uint64_t *most_bytes);

typedef struct cli_zst_packer cli_zst_packer;

/* memo_write_fn takes what comes out; what it returns that is not zero makes the call MEMO_ERR_IO. */
memo_status cli_zst_pack_open(cli_zst_packer **packer, int level, memo_write_fn write, void *user,
                              memo_err *err);
memo_status cli_zst_pack(cli_zst_packer *packer, const char *bytes, size_t n_bytes, memo_err *err);
/* The end of the frame, with a checksum of all of it. *n_written: bytes that came out in all. */
memo_status cli_zst_pack_end(cli_zst_packer *packer, uint64_t *n_written, memo_err *err);
void cli_zst_pack_close(cli_zst_packer *packer); /* NULL: nothing */

#endif
