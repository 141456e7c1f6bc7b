// SPDX-License-Identifier: Apache-2.0
/* base/date.h -- dates as texts and as Unix milliseconds (proleptic Gregorian calendar, UTC). */
#ifndef MEMO_BASE_DATE_H
#define MEMO_BASE_DATE_H

#include <stddef.h>
#include <stdint.h>

/* Read 'YYYY-MM-DD' (midnight UTC) or an RFC 3339 instant ('2025-07-01T12:30:00.5+02:00'; a space
 * may stand for the T, seconds may be left out). The whole text must be one. Returns 1 and writes
 * *ms, or returns 0. Fractions beyond milliseconds are cut; second 60 is the next minute's 0. */
int memo_date_parse(const char *s, size_t n, int64_t *ms);

#endif
