// SPDX-License-Identifier: Apache-2.0
/* memolith/links.h -- which records say the same, and which only repeat what the store has said.
 *
 * A chapter of memory.h, which includes it.
 *
 * A record is compared with the others of its namespace when it is written. One that says the same as
 * another, or nearly, is linked to it: nothing is dropped, and nothing is ranked by it. Likeness is
 * told by words: two texts are near when four of five runs of three words (in scripts written without
 * spaces: characters) are in both, whatever case and punctuation. Candidates come from an index of
 * four hashes a text and are then compared word by word, so a link is always true; of pairs that share
 * just 80 % about one in 600 is missed. Titles are not compared.
 *
 * The *echo guard*: an agent that searches and then stores what it found makes a store agree with
 * itself. A text of which 80 % of the runs stand in passages that searches of the last minutes have
 * shown is marked as an echo of the record it has most of. Searches of all programs count once they are in the file
 * (feedback.h), those of this handle at once; searches that are not logged do not. A record
 * that is marked as trusted is no echo, a new version of the shown record itself neither.
 *
 * When: in the transaction of the write. Records with ready vectors that come more than 32 at a time
 * are not held up by it: they wait, and so do records of stores that are older than links; memo_db_link()
 * compares those, memo_db_import() does it at its end. */
#ifndef MEMOLITH_LINKS_H
#define MEMOLITH_LINKS_H

#include <memolith/memory.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef enum memo_link_kind {
    MEMO_LINK_DUPLICATE = 1, /* its text is the other's, byte for byte */
    MEMO_LINK_ECHO = 2, /* it was written after the store had shown the other, and repeats it */
    MEMO_LINK_SUPERSEDES = 3, /* it takes the place of the other */
    MEMO_LINK_NEAR = 4,       /* it says nearly what the other says */
} memo_link_kind;

/* "duplicate", "echo", "supersedes", "near" */
MEMO_API const char *memo_link_kind_name(memo_link_kind kind);

typedef struct memo_link {
    memo_link_kind kind;
    int incoming;   /* 0: this record says it of the other; 1: the other says it of this one */
    const char *id; /* of the other; "" when it has been forgotten (only of an echo) */
    double score; /* near: share of all runs of words that both have; echo: of its own that had been
                       shown; else 1 */
    int64_t made_ms;
} memo_link;

/* Links with the memory that holds them; free with memo_links_free(). */
typedef struct memo_links {
    size_t n;
    const memo_link *links; /* [n] newest first */
    size_t n_damaged;       /* left out because their checksum failed */
} memo_links;

/* memo_db_links() -- the links of one record, by its id or key, in both directions. The shorter form is in
 * memo_record (`echo`, `duplicate_of`, `supersedes`), and a filter may say `echo = true`. MEMO_ERR_NOTFOUND. */
MEMO_API memo_status memo_db_links(memo_db *db, const char *ns, const char *id, memo_links **links,
                                   memo_err *err);
MEMO_API void memo_links_free(memo_links *links);

typedef struct memo_link_options {
    size_t size;
    memo_progress_fn progress; /* stage "link", counts records */
    void *progress_user;
} memo_link_options;

typedef struct memo_link_report {
    size_t size;
    uint64_t n_compared; /* records that had waited */
    uint64_t n_linked;   /* of these, those that are like an older one */
} memo_link_report;

/* memo_db_link() -- compare the records of all namespaces that wait for it, in groups of 256 that are
 * committed each. Cost: about 50 microseconds for a text of 100 words. MEMO_ERR_CANCELLED: by the
 * progress function; what is done stays. MEMO_ERR_USAGE: opened read-only. */
MEMO_API memo_status memo_db_link(memo_db *db, const memo_link_options *options,
                                  memo_link_report *report, memo_err *err);

/* What is linked by writes that do not say it themselves; stored in the file, for all who open it. */
typedef struct memo_link_settings {
    size_t size;
    memo_links_mode mode; /* MEMO_LINKS_AS_STORED: near */
    int64_t echo_ms;      /* for how long what was shown counts; 0: ten minutes; negative: never */
} memo_link_settings;

MEMO_API memo_status memo_db_set_links(memo_db *db, const memo_link_settings *settings,
                                       memo_err *err);
MEMO_API memo_status memo_db_get_links(memo_db *db, memo_link_settings *settings, memo_err *err);

#ifdef __cplusplus
}
#endif

#endif
