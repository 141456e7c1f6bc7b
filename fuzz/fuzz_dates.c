// SPDX-License-Identifier: Apache-2.0
/* fuzz_dates.c -- any bytes as a date. What is accepted has the shape of one, and is the instant
 * that counting days one year and month at a time gives. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/dates.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static int64_t fuzz_number(const uint8_t *s, size_t n)
{
    int64_t v = 0;
    for (size_t i = 0; i < n; i++) {
        if (s[i] < '0' || s[i] > '9')
            abort();
        v = v * 10 + (s[i] - '0');
    }
    return v;
}

static int fuzz_is_leap(int64_t year)
{
    return (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
}

static int64_t fuzz_days(int64_t year, int64_t month, int64_t day)
{
    static const int lengths[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    int64_t days = 0;

    if (month < 1 || month > 12 || day < 1 ||
        day > lengths[month - 1] + (month == 2 && fuzz_is_leap(year)))
        abort();
    for (int64_t y = 1970; y < year; y++)
        days += 365 + fuzz_is_leap(y);
    for (int64_t y = year; y < 1970; y++)
        days -= 365 + fuzz_is_leap(y);
    for (int64_t m = 1; m < month; m++)
        days += lengths[m - 1] + (m == 2 && fuzz_is_leap(year));
    return days + day - 1;
}

/* Milliseconds of the time of day with its zone, "T12:30:00.25+02:00". */
static int64_t fuzz_time(const uint8_t *s, size_t n)
{
    if (n < 10 || !strchr("Tt ", s[0]) || s[3] != ':' || s[6] != ':')
        abort();
    int64_t minutes = fuzz_number(s + 1, 2) * 60 + fuzz_number(s + 4, 2);
    int64_t ms = (minutes * 60 + fuzz_number(s + 7, 2)) * 1000;
    size_t at = 9;

    if (s[at] == '.') {
        int64_t unit = 100;
        for (at++; at < n && s[at] >= '0' && s[at] <= '9'; at++, unit /= 10)
            ms += unit * (s[at] - '0');
    }
    if (n - at == 1 && (s[at] == 'Z' || s[at] == 'z'))
        return ms;
    if (n - at != 6 || s[at + 3] != ':' || (s[at] != '+' && s[at] != '-'))
        abort();
    int64_t east = fuzz_number(s + at + 1, 2) * 60 + fuzz_number(s + at + 4, 2);
    return ms - (s[at] == '-' ? -east : east) * 60000;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    int64_t ms = 0;

    if (!memo_date_parse((const char *)data, size, &ms))
        return 0;
    if (size < 10 || data[4] != '-' || data[7] != '-')
        abort();
    int64_t wanted =
        fuzz_days(fuzz_number(data, 4), fuzz_number(data + 5, 2), fuzz_number(data + 8, 2)) *
        86400000;
    if (size > 10)
        wanted += fuzz_time(data + 10, size - 10);
    if (ms != wanted)
        abort();
    return 0;
}
