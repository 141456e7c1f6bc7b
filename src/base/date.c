// SPDX-License-Identifier: Apache-2.0
#include "base/date.h"

/* Read exactly n digits. */
static int date_digits(const char *s, int n, int64_t *out)
{
    *out = 0;
    for (int i = 0; i < n; i++) {
        if (s[i] < '0' || s[i] > '9')
            return 0;
        *out = *out * 10 + (s[i] - '0');
    }
    return 1;
}

/* Days from 1970-01-01. Years begin in March here, so that the leap day is the last one; an era is
 * 400 years of 146,097 days. */
static int64_t date_days(int64_t year, int64_t month, int64_t day)
{
    int64_t y = month <= 2 ? year - 1 : year;
    int64_t era = (y >= 0 ? y : y - 399) / 400;
    int64_t of_era = y - era * 400;
    int64_t of_year = (153 * (month > 2 ? month - 3 : month + 9) + 2) / 5 + day - 1;
    return era * 146097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719468;
}

static int date_day(const char *s, size_t n, int64_t *days)
{
    static const int lengths[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    int64_t year, month, day, length;
    if (n < 10 || !date_digits(s, 4, &year) || s[4] != '-' || !date_digits(s + 5, 2, &month) ||
        s[7] != '-' || !date_digits(s + 8, 2, &day) || month < 1 || month > 12 || day < 1)
        return 0;
    length = lengths[month - 1];
    if (month == 2 && year % 4 == 0 && (year % 100 != 0 || year % 400 == 0))
        length = 29;
    *days = date_days(year, month, day);
    return day <= length;
}

/* "Z" or "+02:00" at the end of the text. */
static int date_zone(const char *s, size_t n, int64_t *minutes)
{
    int64_t h, m;
    *minutes = 0;
    if (n == 1)
        return *s == 'Z' || *s == 'z';
    if (n != 6 || (*s != '+' && *s != '-') || !date_digits(s + 1, 2, &h) || s[3] != ':' ||
        !date_digits(s + 4, 2, &m) || h > 23 || m > 59)
        return 0;
    *minutes = (*s == '-' ? -1 : 1) * (h * 60 + m);
    return 1;
}

int memo_date_parse(const char *s, size_t n, int64_t *ms)
{
    int64_t days, hour, minute, second = 0, fraction = 0, zone, unit = 100;
    size_t at = 16;
    if (!date_day(s, n, &days))
        return 0;
    if (n == 10) {
        *ms = days * 86400000;
        return 1;
    }
    if (n < 17 || (s[10] != 'T' && s[10] != 't' && s[10] != ' ') ||
        !date_digits(s + 11, 2, &hour) || s[13] != ':' || !date_digits(s + 14, 2, &minute) ||
        hour > 23 || minute > 59)
        return 0;
    if (s[at] == ':') {
        if (n < at + 4 || !date_digits(s + at + 1, 2, &second) || second > 60)
            return 0;
        at += 3;
        if (s[at] == '.') {
            size_t first = ++at;
            for (; at < n && s[at] >= '0' && s[at] <= '9'; at++, unit /= 10)
                fraction += unit * (s[at] - '0');
            if (at == first)
                return 0;
        }
    }
    if (!date_zone(s + at, n - at, &zone))
        return 0;
    *ms = (((days * 24 + hour) * 60 + minute - zone) * 60 + second) * 1000 + fraction;
    return 1;
}
