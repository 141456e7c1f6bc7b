// SPDX-License-Identifier: Apache-2.0
/* The safetensors reader: what it accepts, damage, memory, and files of other people. Each way a
 * header can be wrong stands in test_limits_safetensors.c. */
#include "safetensors_sample.h"

static const char two_tensors[] =
    "{\"__metadata__\":{\"format\":\"pt\",\"k\\u00e9y\":\"v\\n\"},"
    "\"b\":{\"dtype\":\"F32\",\"shape\":[2,3],\"data_offsets\":[2,26]},"
    "\"a\":{\"data_offsets\":[0,2],\"shape\":[],\"dtype\":\"BF16\"}}";

static void test_safetensors_reads_tensors_and_metadata(void **state)
{
    memo_safetensors *st = NULL;
    memo_err err = {0};

    (void)state;
    assert_int_equal(st_sample_parse(two_tensors, 26, &st, &err), MEMO_OK);
    st_sample_check(st, 8 + strlen(two_tensors) + 26);
    assert_int_equal(st->n_tensors, 2);
    assert_string_equal(st->tensors[0].name, "a"); /* order of the data, not of the header */
    assert_int_equal(st->tensors[0].dtype, MEMO_DTYPE_BF16);
    assert_int_equal(st->tensors[0].n_dims, 0);
    assert_int_equal(st->tensors[0].n_values, 1);
    assert_int_equal(st->tensors[1].shape[0], 2);
    assert_int_equal(st->tensors[1].shape[1], 3);
    assert_string_equal(memo_safetensors_metadata(st, "format"), "pt");
    assert_string_equal(memo_safetensors_metadata(st, "k\xC3\xA9y"), "v\n");
    assert_null(memo_safetensors_metadata(st, "absent"));
    assert_null(memo_safetensors_find(st, "absent"));
    memo_safetensors_free(st);
    memo_safetensors_free(NULL);
}

static void test_safetensors_every_dtype(void **state)
{
    (void)state;
    for (int d = 0; d < MEMO_DTYPE_COUNT; d++) {
        unsigned bits = memo_dtype_bits((memo_dtype)d);
        char header[200];
        memo_safetensors *st = NULL;
        /* 4 values of any dtype are whole bytes; 1 value of a sub-byte dtype is not. */
        snprintf(header, sizeof header,
                 "{\"t\":{\"dtype\":\"%s\",\"shape\":[4],\"data_offsets\":[0,%u]}}",
                 memo_dtype_name((memo_dtype)d), bits / 2);
        assert_int_equal(st_sample_parse(header, bits / 2, &st, NULL), MEMO_OK);
        assert_int_equal(st->tensors[0].dtype, d);
        memo_safetensors_free(st);
        snprintf(header, sizeof header,
                 "{\"t\":{\"dtype\":\"%s\",\"shape\":[1],\"data_offsets\":[0,%u]}}",
                 memo_dtype_name((memo_dtype)d), (bits + 7) / 8);
        if (bits < 8) {
            assert_int_equal(st_sample_parse(header, 1, &st, NULL), MEMO_ERR_FORMAT);
        } else {
            assert_int_equal(st_sample_parse(header, bits / 8, &st, NULL), MEMO_OK);
            memo_safetensors_free(st);
        }
    }
}

static void test_safetensors_accepts_what_the_format_allows(void **state)
{
    static const struct {
        const char *header;
        size_t data;
    } cases[] = {
        {"{}", 0},
        {" {\n} \t\r\n", 0},
        {"{\"__metadata__\":{}}", 0},
        {"  {\"a\" : { \"dtype\" : \"U8\" , \"shape\" : [ 1 ] , \"data_offsets\" : [ 0 , 1 ] } }  ",
         1},
        {"{\"z\":{\"dtype\":\"F32\",\"shape\":[0,5],\"data_offsets\":[0,0]}}", 0},
        {"{\"\":{\"dtype\":\"U8\",\"shape\":[1],\"data_offsets\":[0,1]}}", 1},
        /* zero-size tensors sharing an offset with each other and with a real one */
        {"{\"x\":{\"dtype\":\"U8\",\"shape\":[0],\"data_offsets\":[1,1]},"
         "\"y\":{\"dtype\":\"U8\",\"shape\":[0],\"data_offsets\":[1,1]},"
         "\"a\":{\"dtype\":\"U8\",\"shape\":[1],\"data_offsets\":[0,1]},"
         "\"b\":{\"dtype\":\"U8\",\"shape\":[2],\"data_offsets\":[1,3]}}",
         3},
        {"{\"\\ud83d\\ude00\\\"\\\\\\/\\b\\f\\n\\r\\t\":"
         "{\"dtype\":\"U8\",\"shape\":[1],\"data_offsets\":[0,1]}}",
         1},
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        memo_safetensors *st = NULL;
        memo_err err = {0};
        memo_status status = st_sample_parse(cases[i].header, cases[i].data, &st, &err);
        if (status)
            fail_msg("%s: %s", cases[i].header, err.message);
        st_sample_check(st, 8 + strlen(cases[i].header) + cases[i].data);
        memo_safetensors_free(st);
    }
}

/* Every truncation of a sample is refused; every single changed bit is refused or still tiles. */
static void test_safetensors_truncations_and_bit_flips(void **state)
{
    st_sample s = st_sample_make(two_tensors, strlen(two_tensors), 26);
    memo_safetensors *st = NULL;
    int64_t live = memo_alloc_live();

    (void)state;
    for (size_t n = 0; n < s.n; n++) {
        unsigned char *cut = malloc(n ? n : 1); /* its own block: a read beyond it is seen */
        assert_non_null(cut);
        memcpy(cut, s.bytes, n);
        assert_int_equal(memo_safetensors_parse(cut, n, "cut", &st, NULL), MEMO_ERR_FORMAT);
        free(cut);
    }
    for (size_t bit = 0; bit < s.n * 8; bit++) {
        s.bytes[bit / 8] ^= (unsigned char)(1u << bit % 8);
        if (memo_safetensors_parse(s.bytes, s.n, "flip", &st, NULL) == MEMO_OK) {
            st_sample_check(st, s.n);
            memo_safetensors_free(st);
        }
        s.bytes[bit / 8] ^= (unsigned char)(1u << bit % 8);
    }
    free(s.bytes);
    assert_int_equal(memo_alloc_live(), live);
}

/* -- bounded memory --------------------------------------------------------------------------- */

static size_t counted_bytes;

static void *counting_malloc(void *user, size_t n)
{
    (void)user;
    counted_bytes += n;
    return malloc(n);
}

static void *counting_realloc(void *user, void *p, size_t n)
{
    (void)user;
    counted_bytes += n;
    return realloc(p, n);
}

static void counting_free(void *user, void *p)
{
    (void)user;
    free(p);
}

/* The three forms of header that need most memory for their bytes. */
static void test_safetensors_memory_is_bounded(void **state)
{
    enum { N = 60000 };
    char *headers[3] = {NULL, malloc(N * 90), malloc(N * 10)};
    st_sample many = st_sample_many(N);
    memo_safetensors *st = NULL;
    size_t at = 0;

    (void)state;
    at = (size_t)sprintf(headers[2], "{\"__metadata__\":{");
    for (int i = 0; i < N; i++)
        at += (size_t)sprintf(headers[2] + at, "%s\"%x\":\"\"", i ? "," : "", (unsigned)i);
    sprintf(headers[2] + at, "}}");
    at = (size_t)sprintf(headers[1], "{");
    for (int i = 0; i < N / 40; i++) {
        at += (size_t)sprintf(headers[1] + at, "%s\"%x\":{\"dtype\":\"U8\",\"shape\":[0",
                              i ? "," : "", (unsigned)i);
        for (unsigned d = 1; d < MEMO_SAFETENSORS_MAX_DIMS; d++)
            at += (size_t)sprintf(headers[1] + at, ",1");
        at += (size_t)sprintf(headers[1] + at, "],\"data_offsets\":[0,0]}");
    }
    sprintf(headers[1] + at, "}");
    for (int i = 0; i < 3; i++) {
        st_sample s = i ? st_sample_make(headers[i], strlen(headers[i]), 0) : many;
        size_t header_bytes = i ? strlen(headers[i]) : s.n - 8 - N;
        counted_bytes = 0;
        assert_int_equal(memo_safetensors_parse(s.bytes, s.n, "memory", &st, NULL), MEMO_OK);
        if (counted_bytes > 16 * header_bytes + (1u << 20))
            fail_msg("header %d of %zu bytes: %zu bytes allocated", i, header_bytes, counted_bytes);
        memo_safetensors_free(st);
        free(s.bytes);
        free(headers[i]);
    }
}

static void test_safetensors_every_allocation_can_fail(void **state)
{
    int64_t live = memo_alloc_live();

    (void)state;
    for (int sticky = 0; sticky < 2; sticky++) {
        memo_status status = MEMO_ERR_NOMEM;
        for (uint64_t n = 1; status; n++) {
            memo_safetensors *st = NULL;
            memo_alloc_fail_at(n, sticky);
            status = st_sample_parse(two_tensors, 26, &st, NULL);
            memo_alloc_fail_at(0, 0);
            assert_true(status == MEMO_OK || status == MEMO_ERR_NOMEM);
            assert_true(n < 100);
            if (status)
                assert_null(st);
            memo_safetensors_free(st);
            assert_int_equal(memo_alloc_live(), live);
        }
    }
}

/* -- files ------------------------------------------------------------------------------------ */

static void test_safetensors_reads_a_file(void **state)
{
    char path[] = "/tmp/memo-st-XXXXXX";
    int fd = mkstemp(path);
    st_sample s = st_sample_make(two_tensors, strlen(two_tensors), 26);
    memo_file file = {0};
    memo_safetensors *st = NULL;
    memo_err err = {0};

    (void)state;
    assert_true(fd >= 0);
    for (size_t n = 0; n <= s.n; n += n < 12 || n + 12 > s.n ? 1 : 7) {
        assert_int_equal(ftruncate(fd, 0), 0);
        assert_int_equal(pwrite(fd, s.bytes, n, 0), n);
        assert_int_equal(memo_file_open(&file, path, &err), MEMO_OK);
        memo_status status = memo_safetensors_read(&file, &st, &err);
        memo_file_close(&file);
        assert_int_equal(status, n == s.n ? MEMO_OK : MEMO_ERR_FORMAT);
        if (n < s.n)
            assert_non_null(strstr(err.message, path));
    }
    st_sample_check(st, s.n);
    memo_safetensors_free(st);
    close(fd);
    unlink(path);
    free(s.bytes);
}

/* The collection of valid and broken files that lies beside the source tree, where it is there. */
static void test_safetensors_malformed_collection(void **state)
{
    const char *shared = getenv("MEMO_SHARED");
    char path[1024], line[1024], command[2048];
    int n = 0;

    (void)state;
    snprintf(path, sizeof path, "%s/data/malformed/MANIFEST.tsv",
             shared ? shared : MEMO_SOURCE_DIR "/../shared");
    FILE *manifest = fopen(path, "r");
    if (!manifest) {
        print_message("SKIPPED: %s is not there\n", path);
        skip();
    }
    while (fgets(line, sizeof line, manifest)) {
        char name[200], expectation[40];
        if (sscanf(line, "safetensors/%199s %39s", name, expectation) != 2)
            continue;
        static unsigned char bytes[1 << 20];
        snprintf(command, sizeof command, "tar -xJOf '%.*s/model_files.tar.xz' 'safetensors/%s'",
                 (int)(strrchr(path, '/') - path), path, name);
        FILE *pipe = popen(command, "r");
        assert_non_null(pipe);
        size_t n_bytes = fread(bytes, 1, sizeof bytes, pipe);
        assert_int_equal(pclose(pipe), 0);
        memo_safetensors *st = NULL;
        memo_err err = {0};
        memo_status status = memo_safetensors_parse(bytes, n_bytes, name, &st, &err);
        if ((status == MEMO_OK) != (strcmp(expectation, "accept") == 0))
            fail_msg("%s: expected %s, got %s %s", name, expectation, memo_status_name(status),
                     err.message);
        if (status == MEMO_OK)
            st_sample_check(st, n_bytes);
        memo_safetensors_free(st);
        n++;
    }
    fclose(manifest);
    assert_int_equal(n, 21);
}

/* One file of JSONTestSuite: as a whole header, and, where it is a list of one string, that string
 * as a metadata value. Returns 1 when the second was tried. */
static int try_json_file(const char *name, const char *json, size_t n)
{
    memo_safetensors *st = NULL;
    st_sample whole = st_sample_make(json, n, 0);
    memo_status status = memo_safetensors_parse(whole.bytes, whole.n, name, &st, NULL);

    free(whole.bytes);
    if (name[0] == 'n')
        assert_int_not_equal(status, MEMO_OK);
    if (status == MEMO_OK)
        memo_safetensors_free(st);
    if (strncmp(name + 1, "_string_", 8) != 0 || n < 2 || json[0] != '[' || json[n - 1] != ']')
        return 0;
    static const char before[] = "{\"__metadata__\":{\"a\":", after[] = "}}";
    char *header = malloc(n + sizeof before + sizeof after);
    size_t at = sizeof before - 1;
    memcpy(header, before, at);
    memcpy(header + at, json + 1, n - 2);
    memcpy(header + at + n - 2, after, 2);
    st_sample wrapped = st_sample_make(header, at + n, 0);
    memo_err err = {0};
    status = memo_safetensors_parse(wrapped.bytes, wrapped.n, name, &st, &err);
    free(header);
    free(wrapped.bytes);
    if (name[0] == 'n' && status == MEMO_OK)
        fail_msg("%s is accepted", name);
    /* A NUL is the one thing that valid JSON may hold and a header of ours may not. */
    if (name[0] == 'y' && status && !strstr(err.message, "NUL"))
        fail_msg("%s is refused: %s", name, err.message);
    if (status == MEMO_OK)
        memo_safetensors_free(st);
    return 1;
}

static void test_safetensors_json_test_suite(void **state)
{
    static char json[1 << 20];
    const char *shared = getenv("MEMO_SHARED");
    char archive[1024], command[4096], folder[] = "/tmp/memo-json-XXXXXX";
    int n_files = 0, n_strings = 0;

    (void)state;
    snprintf(archive, sizeof archive, "%s/data/malformed/json_test_suite.tar.xz",
             shared ? shared : MEMO_SOURCE_DIR "/../shared");
    if (access(archive, R_OK) != 0) {
        print_message("SKIPPED: %s is not there\n", archive);
        skip();
    }
    assert_non_null(mkdtemp(folder));
    snprintf(command, sizeof command, "tar -xJf '%s' -C %s && ls %s/test_parsing", archive, folder,
             folder);
    FILE *list = popen(command, "r");
    assert_non_null(list);
    for (char name[256]; fgets(name, sizeof name, list); n_files++) {
        char path[512];
        name[strcspn(name, "\n")] = '\0';
        snprintf(path, sizeof path, "%s/test_parsing/%s", folder, name);
        FILE *file = fopen(path, "rb");
        assert_non_null(file);
        size_t n = fread(json, 1, sizeof json, file);
        fclose(file);
        n_strings += try_json_file(name, json, n);
    }
    assert_int_equal(pclose(list), 0);
    snprintf(command, sizeof command, "rm -r %s", folder);
    assert_int_equal(system(command), 0);
    assert_int_equal(n_files, 318);
    assert_true(n_strings > 60);
}

int main(void)
{
    const memo_allocator counting = {counting_malloc, counting_realloc, counting_free, NULL};
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_safetensors_reads_tensors_and_metadata),
        cmocka_unit_test(test_safetensors_every_dtype),
        cmocka_unit_test(test_safetensors_accepts_what_the_format_allows),
        cmocka_unit_test(test_safetensors_truncations_and_bit_flips),
        cmocka_unit_test(test_safetensors_memory_is_bounded),
        cmocka_unit_test(test_safetensors_every_allocation_can_fail),
        cmocka_unit_test(test_safetensors_reads_a_file),
        cmocka_unit_test(test_safetensors_malformed_collection),
        cmocka_unit_test(test_safetensors_json_test_suite),
    };

    if (memo_set_allocator(&counting, NULL))
        return 1;
    return cmocka_run_group_tests(tests, NULL, NULL);
}
