// SPDX-License-Identifier: Apache-2.0
#include "memo_test.h"

#include <time.h>

#include "base/dates.h"

static void check(const char *text, int64_t wanted)
{
    int64_t ms = -1;
    if (!memo_date_parse(text, strlen(text), &ms))
        fail_msg("%s is not read", text);
    if (ms != wanted)
        fail_msg("%s: %lld, not %lld", text, (long long)ms, (long long)wanted);
}

static void test_dates_reads_days_and_instants(void **state)
{
    (void)state;
    check("1970-01-01", 0);
    check("2025-07-01", 1751328000000);
    check("1969-12-31T23:59:59Z", -1000);
    check("2025-07-01T12:30:00.25+02:00", 1751365800250);
    check("2025-07-01 10:30:00z", 1751365800000);
    check("2025-07-01t08:30:00.123987-02:00", 1751365800123);
    check("2016-12-31T23:59:60Z", 1483228800000);
    check("2000-02-29", 951782400000);
    check("0000-01-01", -62167219200000);
}

/* Every day of 800 years against the C library's calendar. */
static void test_dates_agrees_with_timegm(void **state)
{
    (void)state;
    for (int64_t day = -135140; day < 160000; day++) {
        time_t t = (time_t)(day * 86400);
        struct tm tm;
        char text[32];
        gmtime_r(&t, &tm);
        strftime(text, sizeof text, "%Y-%m-%d", &tm);
        check(text, day * 86400000);
    }
}

static void test_dates_refuses_the_rest(void **state)
{
    static const char *const wrong[] = {
        "",
        "2025",
        "2025-7-01",
        "2025-13-01",
        "2025-00-10",
        "2025-02-29",
        "1900-02-29",
        "2025-04-31",
        "2025-07-00",
        "2025-07-01T",
        "2025-07-01T10:00:00",
        "2025-07-01T24:00:00Z",
        "2025-07-01T10:60:00Z",
        "2025-07-01T10:00:61Z",
        "2025-07-01T10:00:00.Z",
        "2025-07-01T10:00:00+25:00",
        "2025-07-01T10:00:00+0200",
        "2025-07-01T10:00:00Zx",
        "2025-07-01x",
        " 2025-07-01",
    };
    (void)state;
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        int64_t ms = 7;
        if (memo_date_parse(wrong[i], strlen(wrong[i]), &ms) || ms != 7)
            fail_msg("\"%s\" is read as %lld", wrong[i], (long long)ms);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_dates_reads_days_and_instants),
        cmocka_unit_test(test_dates_agrees_with_timegm),
        cmocka_unit_test(test_dates_refuses_the_rest),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
