// SPDX-License-Identifier: Apache-2.0
/* base/dates.h -- instants as people write them. */
#ifndef MEMO_BASE_DATES_H
#define MEMO_BASE_DATES_H

#include <stddef.h>
#include <stdint.h>

/* memo_date_parse() -- 'YYYY-MM-DD' (midnight UTC) or RFC 3339 ('2025-07-01T12:30:00.25+02:00', also
 * with a space for the T) as Unix milliseconds; parts of a millisecond are dropped.
 *
 * Returns 1 and writes *ms, or 0 for anything else: a day that the month does not have, hour 24, a
 * time without its zone, trailing bytes. A leap second (:60) counts as the second after. */
int memo_date_parse(const char *s, size_t n_bytes, int64_t *ms);

#define MEMO_DATE_BYTES 40
/* "2025-07-01" or, with_time, "2025-07-01T09:30:00.000Z". */
void memo_date_format(int64_t unix_ms, int with_time, char out[MEMO_DATE_BYTES]);

#endif
