// SPDX-License-Identifier: Apache-2.0
/* The safetensors writer, read back by the reader. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/alloc.h"
#include "format/safetensors.h"

static char folder[] = "/tmp/memo-stw-XXXXXX";
static char target[64];

static const uint64_t shape_a[] = {3, 5}, shape_b[] = {0, 7}, shape_c[] = {65}, shape_d[] = {16};
static const memo_st_spec specs[] = {
    {"a.weight", MEMO_DTYPE_F32, 2, shape_a},    {"empty", MEMO_DTYPE_F32, 2, shape_b},
    {"b \"quoted\"", MEMO_DTYPE_U8, 1, shape_c}, {"scalar", MEMO_DTYPE_F64, 0, NULL},
    {"c", MEMO_DTYPE_F32, 1, shape_d},           {"last", MEMO_DTYPE_I8, 1, shape_c},
};
static const size_t sizes[] = {60, 0, 65, 8, 64, 65};
enum { N_SPECS = 6 };

/* Byte j of tensor i. */
static unsigned char content(size_t i, size_t j)
{
    return (unsigned char)(i * 37 + j * 11 + 5);
}

/* Writes the six tensors in pieces of `step` bytes; `late` is set at the end. */
static memo_status write_file(size_t step, const char *late, memo_err *err)
{
    memo_replace out = {0};
    memo_st_writer *writer = NULL;
    unsigned char bytes[128];
    memo_status status = memo_replace_begin(&out, target, 1, err);

    if (!status)
        status = memo_st_writer_new(&out, specs, N_SPECS, 100, &writer, err);
    if (!status)
        status = memo_st_writer_set(writer, "memolith.late", "?", err);
    for (size_t i = 0; i < N_SPECS && !status; i++) {
        for (size_t j = 0; j < sizes[i]; j++)
            bytes[j] = content(i, j);
        for (size_t j = 0; j < sizes[i] && !status; j += step)
            status = memo_st_writer_append(writer, i, bytes + j,
                                           sizes[i] - j < step ? sizes[i] - j : step, err);
    }
    if (!status)
        status = memo_st_writer_set(writer, "memolith.late", late, err);
    if (!status)
        status = memo_st_writer_set(writer, "other \"key\"", "\xC3\xA9\n", err);
    if (!status)
        status = memo_st_writer_finish(writer, err);
    if (!status)
        status = memo_replace_commit(&out, err);
    memo_st_writer_free(writer);
    memo_replace_fini(&out);
    return status;
}

static void test_safetensors_write_round_trips(void **state)
{
    (void)state;
    for (size_t step = 1; step < 130; step += 16) {
        memo_err err = {0};
        memo_map map = {0};
        memo_safetensors *st = NULL;
        if (write_file(step, "forty-two", &err) || memo_map_open(&map, target, &err) ||
            memo_safetensors_parse(map.data, map.n_bytes, target, &st, &err))
            fail_msg("%s", err.message);
        assert_int_equal(st->data_begin % MEMO_SAFETENSORS_ALIGN, 0);
        for (size_t i = 0; i < N_SPECS; i++) {
            const memo_st_tensor *t = memo_safetensors_find(st, specs[i].name);
            assert_non_null(t);
            assert_int_equal(t->dtype, specs[i].dtype);
            assert_int_equal(t->n_dims, specs[i].n_dims);
            for (size_t d = 0; d < t->n_dims; d++)
                assert_int_equal(t->shape[d], specs[i].shape[d]);
            assert_int_equal(t->begin % MEMO_SAFETENSORS_ALIGN, 0);
            assert_int_equal(t->end - t->begin, sizes[i]);
            for (size_t j = 0; j < sizes[i]; j++)
                assert_int_equal(map.data[t->begin + j], content(i, j));
        }
        size_t n_pads = 0;
        for (size_t i = 0; i < st->n_tensors; i++) {
            const memo_st_tensor *t = &st->tensors[i];
            if (strncmp(t->name, MEMO_SAFETENSORS_PAD_PREFIX, strlen(MEMO_SAFETENSORS_PAD_PREFIX)))
                continue;
            n_pads++;
            for (uint64_t j = t->begin; j < t->end; j++)
                assert_int_equal(map.data[j], 0);
        }
        assert_int_equal(n_pads, 3); /* after 60, 65 and 8 bytes */
        assert_int_equal(st->n_tensors, N_SPECS + n_pads);
        assert_string_equal(memo_safetensors_metadata(st, "memolith.late"), "forty-two");
        assert_string_equal(memo_safetensors_metadata(st, "other \"key\""), "\xC3\xA9\n");
        memo_safetensors_free(st);
        memo_map_close(&map);
    }
}

/* Appended across several of the pieces that are handed to the system, and flushed inside one. */
static void test_safetensors_write_large_data(void **state)
{
    enum { N_BYTES = 700001, STEP = 70001 };
    static unsigned char bytes[N_BYTES];
    static const uint64_t shape = N_BYTES;
    const memo_st_spec large = {"large", MEMO_DTYPE_U8, 1, &shape};
    memo_replace out = {0};
    memo_st_writer *writer = NULL;
    memo_map map = {0};

    (void)state;
    for (size_t i = 0; i < N_BYTES; i++)
        bytes[i] = content(i >> 8, i);
    assert_int_equal(memo_replace_begin(&out, target, 1, NULL), MEMO_OK);
    assert_int_equal(memo_st_writer_new(&out, &large, 1, 0, &writer, NULL), MEMO_OK);
    size_t begin = (size_t)memo_st_writer_offset(writer, 0);
    for (size_t i = 0; i < N_BYTES; i += STEP) {
        size_t n = N_BYTES - i < STEP ? N_BYTES - i : STEP;
        assert_int_equal(memo_st_writer_append(writer, 0, bytes + i, n, NULL), MEMO_OK);
        if (i == 3 * STEP) {
            assert_int_equal(memo_st_writer_flush(writer, NULL), MEMO_OK);
            assert_int_equal(memo_map_open(&map, out.tmp_path, NULL), MEMO_OK);
            assert_int_equal(map.n_bytes, begin + i + n);
            assert_memory_equal(map.data + begin, bytes, i + n);
            memo_map_close(&map);
        }
    }
    assert_int_equal(memo_st_writer_finish(writer, NULL), MEMO_OK);
    assert_int_equal(memo_replace_commit(&out, NULL), MEMO_OK);
    assert_int_equal(memo_map_open(&map, target, NULL), MEMO_OK);
    assert_int_equal(map.n_bytes, begin + N_BYTES);
    assert_memory_equal(map.data + begin, bytes, N_BYTES);
    memo_map_close(&map);
    memo_st_writer_free(writer);
    memo_replace_fini(&out);
}

static void test_safetensors_write_nothing(void **state)
{
    memo_replace out = {0};
    memo_st_writer *writer = NULL;
    memo_file file = {0};
    memo_safetensors *st = NULL;

    (void)state;
    assert_int_equal(memo_replace_begin(&out, target, 1, NULL), MEMO_OK);
    assert_int_equal(memo_st_writer_new(&out, NULL, 0, 0, &writer, NULL), MEMO_OK);
    assert_int_equal(memo_st_writer_finish(writer, NULL), MEMO_OK);
    assert_int_equal(memo_replace_commit(&out, NULL), MEMO_OK);
    memo_st_writer_free(writer);
    memo_replace_fini(&out);
    assert_int_equal(memo_file_open(&file, target, NULL), MEMO_OK);
    assert_int_equal(memo_safetensors_read(&file, &st, NULL), MEMO_OK);
    assert_int_equal(st->n_tensors, 0);
    memo_safetensors_free(st);
    memo_file_close(&file);
}

/* The room asked for is the room there is: exactly the pairs fit, with the documented 6 each. */
static void test_safetensors_write_metadata_room(void **state)
{
    (void)state;
    for (size_t extra = 0; extra < 200; extra += 199) {
        memo_replace out = {0};
        memo_st_writer *writer = NULL;
        char value[201] = {0};
        memset(value, 'v', 10 + extra / 2);
        assert_int_equal(memo_replace_begin(&out, target, 1, NULL), MEMO_OK);
        assert_int_equal(memo_st_writer_new(&out, NULL, 0, 3 + 10 + 6, &writer, NULL), MEMO_OK);
        assert_int_equal(memo_st_writer_set(writer, "key", value, NULL), MEMO_OK);
        assert_int_equal(memo_st_writer_finish(writer, NULL), extra ? MEMO_ERR_LIMIT : MEMO_OK);
        memo_st_writer_free(writer);
        memo_replace_fini(&out);
    }
}

static void test_safetensors_write_refuses_misuse(void **state)
{
    static const uint64_t one[] = {1}, huge[] = {UINT64_C(1) << 40, UINT64_C(1) << 40};
    const memo_st_spec bad[][2] = {
        {{"x", MEMO_DTYPE_U8, 1, one}, {"x", MEMO_DTYPE_U8, 1, one}},
        {{"__metadata__", MEMO_DTYPE_U8, 1, one}, {"x", MEMO_DTYPE_U8, 1, one}},
        {{"memolith.pad.0", MEMO_DTYPE_U8, 1, one}, {"x", MEMO_DTYPE_U8, 1, one}},
        {{"\xFF", MEMO_DTYPE_U8, 1, one}, {"x", MEMO_DTYPE_U8, 1, one}},
        {{"y", MEMO_DTYPE_COUNT, 1, one}, {"x", MEMO_DTYPE_U8, 1, one}},
        {{"y", MEMO_DTYPE_F4, 1, one}, {"x", MEMO_DTYPE_U8, 1, one}},
        {{"y", MEMO_DTYPE_F64, 2, huge}, {"x", MEMO_DTYPE_U8, 1, one}},
    };
    memo_replace out = {0};
    memo_st_writer *writer = NULL;

    (void)state;
    assert_int_equal(memo_replace_begin(&out, target, 1, NULL), MEMO_OK);
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        assert_int_equal(memo_st_writer_new(&out, bad[i], 2, 0, &writer, NULL), MEMO_ERR_USAGE);
    assert_int_equal(out.n_bytes, 0);

    assert_int_equal(memo_st_writer_new(&out, specs, N_SPECS, 0, &writer, NULL), MEMO_OK);
    assert_int_equal(memo_st_writer_append(writer, N_SPECS, "x", 1, NULL), MEMO_ERR_USAGE);
    assert_int_equal(memo_st_writer_append(writer, 0, "x", 1, NULL), MEMO_OK);
    assert_int_equal(memo_st_writer_append(writer, 1, "x", 0, NULL), MEMO_ERR_USAGE); /* 0 short */
    assert_int_equal(memo_st_writer_finish(writer, NULL), MEMO_ERR_USAGE);
    char rest[60] = {0};
    assert_int_equal(memo_st_writer_append(writer, 0, rest, 60, NULL), MEMO_ERR_USAGE);
    assert_int_equal(memo_st_writer_append(writer, 0, rest, 59, NULL), MEMO_OK);
    assert_int_equal(memo_st_writer_append(writer, 2, rest, 1, NULL), MEMO_OK); /* 1 is empty */
    assert_int_equal(memo_st_writer_flush(writer, NULL), MEMO_OK);
    assert_int_equal(out.n_bytes, memo_st_writer_offset(writer, 2) + 1);
    assert_int_equal(memo_st_writer_append(writer, 0, rest, 0, NULL), MEMO_ERR_USAGE);
    memo_st_writer_free(writer);
    memo_replace_fini(&out);
    memo_st_writer_free(NULL);
}

static void test_safetensors_write_every_allocation_can_fail(void **state)
{
    int64_t live = memo_alloc_live();

    (void)state;
    for (int sticky = 0; sticky < 2; sticky++) {
        memo_status status = MEMO_ERR_NOMEM;
        for (uint64_t n = 1; status; n++) {
            memo_alloc_fail_at(n, sticky);
            status = write_file(50, "late", NULL);
            memo_alloc_fail_at(0, 0);
            assert_true(status == MEMO_OK || status == MEMO_ERR_NOMEM);
            assert_true(n < 200);
            assert_int_equal(memo_alloc_live(), live);
        }
    }
}

static int make_folder(void **state)
{
    (void)state;
    if (!mkdtemp(folder))
        return -1;
    snprintf(target, sizeof target, "%s/out.safetensors", folder);
    return 0;
}

static int remove_folder(void **state)
{
    (void)state;
    unlink(target);
    return rmdir(folder);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_safetensors_write_round_trips),
        cmocka_unit_test(test_safetensors_write_large_data),
        cmocka_unit_test(test_safetensors_write_nothing),
        cmocka_unit_test(test_safetensors_write_metadata_room),
        cmocka_unit_test(test_safetensors_write_refuses_misuse),
        cmocka_unit_test(test_safetensors_write_every_allocation_can_fail),
    };
    return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
