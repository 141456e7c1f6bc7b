// SPDX-License-Identifier: Apache-2.0
/* Mapped files: pages that are given back come again with what the file holds. */
#include "memo_test.h"

#include "base/file.h"

/* Pages of files that this process holds. */
static uint64_t map_resident_kb(void)
{
    char line[128];
    unsigned long long kb = 0;
    FILE *f = fopen("/proc/self/status", "r");
    while (f && fgets(line, sizeof line, f))
        sscanf(line, "RssFile: %llu", &kb);
    if (f)
        fclose(f);
    return kb;
}

static uint64_t map_sum(const memo_map *map)
{
    uint64_t sum = 0;
    for (size_t i = 0; i < map->n_bytes; i++)
        sum += map->data[i] * (uint64_t)(i % 251 + 1);
    return sum;
}

static void test_map_release_gives_pages_back(void **state)
{
    enum { BYTES = 8 << 20 };
    char path[512];
    char *bytes = malloc(BYTES);
    memo_err err = {0};
    memo_map map;

    for (size_t i = 0; bytes && i < BYTES; i++)
        bytes[i] = (char)(i * 2654435761u >> 13);
    memo_test_write_file(memo_test_path(path, *state, "f"), bytes, BYTES);
    free(bytes);
    assert_memo_ok(memo_map_open(&map, path, &err), err);
    uint64_t sum = map_sum(&map), full = map_resident_kb();
    if (full < BYTES >> 10) { /* an old kernel, or pages of another kind */
        memo_map_close(&map);
        skip();
    }
    memo_map_release(&map, 1, BYTES - 1); /* not the pages at both ends: they hold other bytes */
    assert_true(map_resident_kb() + (BYTES >> 10) * 7 / 8 < full);
    assert_true(map_sum(&map) == sum);
    full = map_resident_kb();
    memo_map_release(&map, 100, 200);
    memo_map_release(&map, BYTES, BYTES);
    assert_true(map_resident_kb() + 64 > full);
    memo_map_close(&map);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_map_release_gives_pages_back, memo_test_setup_dir,
                                        memo_test_teardown_dir),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
