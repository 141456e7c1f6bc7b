// SPDX-License-Identifier: Apache-2.0
/* memory/ingest/mail.h -- a mailbox file into messages, a message into a record.
 *
 * A message begins with a line "From ..." at the start of the file or after a blank line; ">From"
 * in it is "From" (mboxrd: one ">" of any number goes). A file of one message begins with its headers, or
 * with a line "From ..." before them. */
#ifndef MEMO_MEMORY_MAIL_H
#define MEMO_MEMORY_MAIL_H

#include "base/buf.h"
#include "memory/ingest/lines.h"

typedef struct memo_mbox {
    memo_lines *lines;            /* borrowed */
    memo_buf message;             /* the one given last, from its first header on */
    uint64_t number, next_number; /* of the lines where it and the one after it begin */
    int in_message;               /* the "From " line of the next one has been read */
    int is_single;                /* the file is one message, without quotes of mboxrd */
} memo_mbox;

void memo_mbox_fini(memo_mbox *mbox);

/* Whether a file that begins with these bytes is a mailbox: a line "From ...", then a header. Prose may
 * begin with the word. */
int memo_mbox_looks_like(memo_text head);

/* The next message into mbox->message. MEMO_ERR_FORMAT: the file does not begin with a "From "
 * line, unless is_single; MEMO_ERR_LIMIT: a message or a line of it is too long. The call after goes on behind it. */
memo_status memo_mbox_next(memo_mbox *mbox, int *more, memo_err *err);

/* A message as a record: see memo_db_import(). MEMO_ERR_FORMAT: no headers, or nested too deep;
 * MEMO_ERR_UNSUPPORTED: its charset; MEMO_ERR_VALUE: nothing to read in it. */
memo_status memo_mail_record(memo_text message, const memo_import_options *options,
                             const char *source, memo_arena *arena, memo_record_in *record,
                             memo_err *err);

#endif
