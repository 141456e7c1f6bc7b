// SPDX-License-Identifier: Apache-2.0
/* text/secrets.h -- find what should not stand in a text that others read: keys, tokens, passwords.
 *
 * Each kind has a beginning that hardly anything else has, an alphabet and a length; what follows the
 * beginning must look random (Shannon entropy of its characters), so that `AKIAXXXXXXXXXXXXXXXX` of a
 * manual is none. Card numbers must pass Luhn's check and begin as an issuer's do. A kind without a
 * beginning of its own (plain passwords, hex keys) is not looked for: it would be wrong more often than
 * right. */
#ifndef MEMO_TEXT_SECRETS_H
#define MEMO_TEXT_SECRETS_H

#include <memolith/model.h>

#define MEMO_SECRET_SHOWN 4 /* bytes of one that may be shown; they tell the kind and no more */

typedef struct memo_secret {
    const char *kind;  /* "AWS access key" */
    size_t begin, end; /* byte span in the text */
    double entropy;    /* bits a character of what looks random; 0: not measured */
} memo_secret;

/* The next one that begins at byte `at` or later; 0 when there is none. Linear in the text, any bytes. */
int memo_secret_next(memo_text text, size_t at, memo_secret *secret);

#endif
