// SPDX-License-Identifier: Apache-2.0
/* Tables as NumPy saves them: what is read, what is refused, and every truncation. */
#include "memo_test.h"

#include "format/npy.h"

#define LITERAL "{'descr': '<f4', 'fortran_order': False, 'shape': (2, 3), }"

/* A file of version 1 or 2 around a literal; returns its length. */
static size_t npy_make(unsigned char *out, int version, const char *literal, const void *values,
                       size_t n_bytes)
{
    size_t n = strlen(literal), head = version == 1 ? 10 : 12;
    memcpy(out, "\x93NUMPY", 6);
    out[6] = (unsigned char)version;
    out[7] = 0;
    for (size_t i = 8; i < head; i++)
        out[i] = (unsigned char)(n >> 8 * (i - 8));
    memcpy(out + head, literal, n);
    if (n_bytes)
        memcpy(out + head + n, values, n_bytes);
    return head + n + n_bytes;
}

static void test_npy_reads_both_types_and_versions(void **state)
{
    static const float floats[6] = {1, -2.5f, 3e-8f, 0, 1e30f, 7};
    static const double doubles[6] = {1, -2.5, 1.0 / 3, 0, 1e30, 7};
    unsigned char file[512];
    char path[512];
    float *values = NULL;
    memo_npy npy;
    memo_err err = {0};

    memo_test_path(path, *state, "a.npy");
    size_t n = npy_make(file, 1, LITERAL "   \n", floats, sizeof floats);
    memo_test_write_file(path, file, n);
    assert_memo_ok(memo_npy_load(path, 6, &npy, &values, &err), err);
    assert_int_equal(npy.n_rows, 2);
    assert_int_equal(npy.n_cols, 3);
    assert_memory_equal(values, floats, sizeof floats);
    memo_free(values);
    n = npy_make(file, 2, "{'shape':(3,2,),'fortran_order':False,'descr':'<f8'}", doubles,
                 sizeof doubles);
    memo_test_write_file(path, file, n);
    assert_memo_ok(memo_npy_load(path, 6, &npy, &values, &err), err);
    assert_int_equal(npy.n_rows, 3);
    for (size_t i = 0; i < 6; i++)
        assert_true(values[i] == (float)doubles[i]);
    memo_free(values);
    values = NULL;
    assert_memo_status(memo_npy_load(path, 5, &npy, &values, &err), MEMO_ERR_LIMIT, err);
    assert_memo_status(memo_npy_load("/nowhere/a.npy", 5, &npy, &values, &err), MEMO_ERR_IO, err);
    assert_null(values);
}

static void test_npy_refuses(void **state)
{
    static const struct {
        const char *literal;
        memo_status status;
        const char *message;
    } cases[] = {
        {"{'descr': '>f4', 'fortran_order': False, 'shape': (2, 3), }", MEMO_ERR_UNSUPPORTED,
         "another type"},
        {"{'descr': '<i4', 'fortran_order': False, 'shape': (2, 3), }", MEMO_ERR_UNSUPPORTED,
         "another type"},
        {"{'descr': '<f4', 'fortran_order': True, 'shape': (2, 3), }", MEMO_ERR_UNSUPPORTED,
         "another order"},
        {"{'descr': '<f4', 'fortran_order': False, 'shape': (6,), }", MEMO_ERR_UNSUPPORTED,
         "two dimensions"},
        {"{'descr': '<f4', 'fortran_order': False, 'shape': (), }", MEMO_ERR_UNSUPPORTED,
         "two dimensions"},
        {"{'descr': '<f4', 'fortran_order': False, 'shape': (1, 2, 3), }", MEMO_ERR_UNSUPPORTED,
         "two dimensions"},
        {"{'descr': '<f4', 'fortran_order': False, 'shape': (-2, 3), }", MEMO_ERR_UNSUPPORTED,
         "two dimensions"},
        {"{'descr': '<f4', 'fortran_order': False, 'shape': (99999999999999999999999, 3), }",
         MEMO_ERR_UNSUPPORTED, "two dimensions"},
        /* 2^62 * 3 * 4 is 2^64 * 3: no bytes, were it not seen */
        {"{'descr': '<f4', 'fortran_order': False, 'shape': (4611686018427387904, 4), }",
         MEMO_ERR_FORMAT, "does not fit"},
        {"{'descr': '<f4', 'fortran_order': False, 'shape': (0, 3), }", MEMO_ERR_FORMAT,
         "does not fit"},
        {"{'descr': '<f4', 'fortran_order': False, 'shape': (3, 3), }", MEMO_ERR_FORMAT,
         "does not fit"},
        {"{'descr': '<f8', 'fortran_order': False, 'shape': (2, 3), }", MEMO_ERR_FORMAT,
         "does not fit"},
        {"{'descr': '<f4', 'descr': '<f4', 'fortran_order': False, 'shape': (2, 3), }",
         MEMO_ERR_FORMAT, "the header"},
        {"{'descr': '<f4', 'fortran_order': False, }", MEMO_ERR_FORMAT, "the header"},
        {"{'descr': '<f4', 'fortran_order': False, 'shape': (2, 3), } x", MEMO_ERR_FORMAT,
         "the header"},
        {"{'descr': '<f4', 'fortran_order': False, 'shape': (2, 3)", MEMO_ERR_FORMAT, "the header"},
        {"['descr']", MEMO_ERR_FORMAT, "the header"},
        {"", MEMO_ERR_FORMAT, "the header"},
    };
    static const float values[6];
    unsigned char file[512];
    memo_npy npy;

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        memo_err err = {0};
        size_t n = npy_make(file, 1, cases[i].literal, values, sizeof values);
        assert_memo_status(memo_npy_parse(file, n, n, "a.npy", &npy, &err), cases[i].status, err);
        assert_contains(err.message, cases[i].message);
        assert_contains(err.message, "a.npy");
    }
}

static void test_npy_each_truncation_and_byte(void **state)
{
    static const float values[6] = {1, 2, 3, 4, 5, 6};
    unsigned char file[512];
    memo_npy npy;
    size_t n = npy_make(file, 1, LITERAL "\n", values, sizeof values);

    (void)state;
    assert_int_equal(memo_npy_parse(file, n, n, "a.npy", &npy, NULL), MEMO_OK);
    for (size_t cut = 0; cut < n; cut++)
        assert_int_equal(memo_npy_parse(file, cut, cut, "a.npy", &npy, NULL), MEMO_ERR_FORMAT);
    /* Whatever one byte of the head becomes: refused, or a table that fits the file. */
    for (size_t at = 0; at < n - sizeof values; at++)
        for (int byte = 0; byte < 256; byte++) {
            unsigned char keep = file[at];
            file[at] = (unsigned char)byte;
            if (memo_npy_parse(file, n, n, "a.npy", &npy, NULL) == MEMO_OK)
                assert_int_equal(npy.begin + npy.n_rows * npy.n_cols * npy.value_bytes, n);
            file[at] = keep;
        }
}

static memo_status load_once(void *user, memo_err *err)
{
    float *values = NULL;
    memo_npy npy;
    memo_status status = memo_npy_load(user, 6, &npy, &values, err);
    memo_free(values);
    return status;
}

static void test_npy_without_memory(void **state)
{
    static const double values[6] = {1, 2, 3, 4, 5, 6};
    unsigned char file[512];
    char path[512];
    size_t n = npy_make(file, 1, "{'descr': '<f8', 'fortran_order': False, 'shape': (2, 3), }",
                        values, sizeof values);

    memo_test_path(path, *state, "a.npy");
    memo_test_write_file(path, file, n);
    assert_true(memo_test_alloc_sweep(load_once, path) >= 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_npy_reads_both_types_and_versions, memo_test_setup_dir,
                                        memo_test_teardown_dir),
        cmocka_unit_test(test_npy_refuses),
        cmocka_unit_test(test_npy_each_truncation_and_byte),
        cmocka_unit_test_setup_teardown(test_npy_without_memory, memo_test_setup_dir,
                                        memo_test_teardown_dir),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
