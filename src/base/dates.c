// SPDX-License-Identifier: Apache-2.0
#include "base/dates.h"

#include <inttypes.h>
#include <stdio.h>

typedef struct date_reader {
    const char *s;
    size_t n, at;
} date_reader;

/* Exactly `width` digits of at most `max`. */
static int date_number(date_reader *r, size_t width, int max, int *out)
{
    int value = 0;

    if (r->n - r->at < width)
        return 0;
    for (size_t i = 0; i < width; i++) {
        char c = r->s[r->at + i];
        if (c < '0' || c > '9')
            return 0;
        value = value * 10 + (c - '0');
    }
    r->at += width;
    *out = value;
    return value <= max;
}

static int date_mark(date_reader *r, char a, char b)
{
    if (r->at == r->n || (r->s[r->at] != a && r->s[r->at] != b))
        return 0;
    r->at++;
    return 1;
}

/* Days from 1970-01-01 in the proleptic Gregorian calendar: years begin in March, so that the leap
 * day is the last, and repeat every 400. */
static int64_t date_days(int year, int month, int day)
{
    int64_t y = month <= 2 ? year - 1 : year;
    int64_t era = (y >= 0 ? y : y - 399) / 400;
    int64_t of_era = y - era * 400;
    int64_t of_year = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1;

    return era * 146097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719468;
}

static int date_in_month(int year, int month, int day)
{
    static const int days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    int leap = month == 2 && year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);

    return month >= 1 && day >= 1 && day <= days[month - 1] + leap;
}

/* ".25" as 250; digits after the third are dropped. */
static int date_fraction(date_reader *r, int *ms)
{
    int scale = 100;
    size_t begin;

    *ms = 0;
    if (!date_mark(r, '.', '.'))
        return 1;
    begin = r->at;
    for (; r->at < r->n && r->s[r->at] >= '0' && r->s[r->at] <= '9'; r->at++, scale /= 10)
        *ms += scale * (r->s[r->at] - '0');
    return r->at > begin;
}

/* Minutes east of UTC. */
static int date_zone(date_reader *r, int *minutes)
{
    int hour = 0, minute = 0, west;

    *minutes = 0;
    if (date_mark(r, 'Z', 'z'))
        return 1;
    west = r->at < r->n && r->s[r->at] == '-';
    if (!date_mark(r, '+', '-') || !date_number(r, 2, 23, &hour) || !date_mark(r, ':', ':') ||
        !date_number(r, 2, 59, &minute))
        return 0;
    *minutes = (hour * 60 + minute) * (west ? -1 : 1);
    return 1;
}

int memo_date_parse(const char *s, size_t n_bytes, int64_t *ms)
{
    date_reader r = {s, n_bytes, 0};
    int year, month, day, hour = 0, minute = 0, second = 0, fraction = 0, east = 0;

    if (!date_number(&r, 4, 9999, &year) || !date_mark(&r, '-', '-') ||
        !date_number(&r, 2, 12, &month) || !date_mark(&r, '-', '-') ||
        !date_number(&r, 2, 31, &day) || !date_in_month(year, month, day))
        return 0;
    if (r.at < r.n &&
        ((!date_mark(&r, 'T', 't') && !date_mark(&r, ' ', ' ')) || !date_number(&r, 2, 23, &hour) ||
         !date_mark(&r, ':', ':') || !date_number(&r, 2, 59, &minute) || !date_mark(&r, ':', ':') ||
         !date_number(&r, 2, 60, &second) || !date_fraction(&r, &fraction) ||
         !date_zone(&r, &east) || r.at != r.n))
        return 0;
    *ms = ((date_days(year, month, day) * 24 + hour) * 60 + minute - east) * 60000 + second * 1000 +
          fraction;
    return 1;
}

/* The day of the Gregorian calendar, counted from 1970-01-01: the year is taken to begin in March,
 * so that the leap day is its last (Howard Hinnant, "chrono-compatible low-level date algorithms"). */
static void date_civil(int64_t days, int64_t *year, unsigned *month, unsigned *day)
{
    days += 719468;
    int64_t era = (days >= 0 ? days : days - 146096) / 146097;
    int64_t day_of_era = days - era * 146097;
    int64_t year_of_era =
        (day_of_era - day_of_era / 1460 + day_of_era / 36524 - day_of_era / 146096) / 365;
    int64_t day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    int64_t shifted = (5 * day_of_year + 2) / 153; /* 0: March */
    *day = (unsigned)(day_of_year - (153 * shifted + 2) / 5 + 1);
    *month = (unsigned)(shifted < 10 ? shifted + 3 : shifted - 9);
    *year = year_of_era + era * 400 + (*month <= 2);
}

void memo_date_format(int64_t unix_ms, int with_time, char out[MEMO_DATE_BYTES])
{
    int64_t days = unix_ms / 86400000, rest = unix_ms % 86400000, year;
    unsigned month, day;
    if (rest < 0) {
        rest += 86400000;
        days--;
    }
    date_civil(days, &year, &month, &day);
    int n = snprintf(out, MEMO_DATE_BYTES, "%04" PRId64 "-%02u-%02u", year, month, day);
    if (with_time && n > 0 && n < MEMO_DATE_BYTES) {
        unsigned ms = (unsigned)rest;
        snprintf(out + n, MEMO_DATE_BYTES - (size_t)n, "T%02u:%02u:%02u.%03uZ", ms / 3600000,
                 ms / 60000 % 60, ms / 1000 % 60, ms % 1000);
    }
}
