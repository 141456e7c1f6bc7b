// SPDX-License-Identifier: Apache-2.0
/* The context, and what it asks of the machine: processor levels, processors, memory. */
#include "memo_test.h"

#include <sched.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>

#include "base/cpu.h"
#include "base/ctx.h"
#include "base/file.h"
#include "kernel/kernels.h"

static void test_ctx_defaults(void **state)
{
    (void)state;
    memo_ctx *ctx = NULL;
    memo_err err = {0};
    assert_memo_ok(memo_ctx_new(NULL, &ctx, &err), err);
    assert_int_equal(memo_ctx_n_threads(ctx), memo_cpu_count());
    assert_int_equal(memo_ctx_cpu(ctx), memo_cpu_best());
    assert_true(ctx->mem_limit_bytes > 1 << 20);
    assert_true(memo_now_ms(ctx) > 1600000000000); /* September 2020 */
    memo_log(ctx, MEMO_LOG_ERROR, "nobody listens");
    memo_ctx_free(ctx);
    memo_ctx_free(NULL);
}

static void test_ctx_options_are_checked(void **state)
{
    (void)state;
    memo_ctx *ctx = NULL;
    memo_err err = {0};
    memo_ctx_options o = {.size = sizeof o, .n_threads = 1025};
    assert_memo_status(memo_ctx_new(&o, &ctx, &err), MEMO_ERR_LIMIT, err);
    assert_contains(err.message, "1025 threads; at most 1024");
    o = (memo_ctx_options){.size = sizeof o, .cpu = (memo_cpu)99};
    assert_memo_status(memo_ctx_new(&o, &ctx, &err), MEMO_ERR_USAGE, err);
    o = (memo_ctx_options){.size = 0};
    assert_memo_status(memo_ctx_new(&o, &ctx, &err), MEMO_ERR_USAGE, err);
    assert_null(ctx);
}

static void test_ctx_takes_limits_from_options(void **state)
{
    (void)state;
    memo_ctx *ctx = NULL;
    memo_err err = {0};
    memo_ctx_options o = {
        .size = sizeof o, .n_threads = 3, .cpu = MEMO_CPU_REF, .mem_limit_bytes = 12345};
    assert_memo_ok(memo_ctx_new(&o, &ctx, &err), err);
    assert_int_equal(memo_ctx_n_threads(ctx), 3);
    assert_int_equal(memo_ctx_cpu(ctx), MEMO_CPU_REF);
    assert_int_equal(ctx->mem_limit_bytes, 12345);
    memo_ctx_free(ctx);
}

static void test_ctx_refuses_a_level_that_is_missing(void **state)
{
    (void)state;
    memo_err err = {0};
    size_t n_missing = 0;
    for (memo_cpu cpu = MEMO_CPU_REF; cpu < MEMO_CPU_COUNT; cpu++) {
        memo_ctx *ctx = NULL;
        memo_ctx_options o = {.size = sizeof o, .n_threads = 1, .cpu = cpu};
        memo_status wanted = memo_cpu_has(cpu) ? MEMO_OK : MEMO_ERR_UNSUPPORTED;
        assert_memo_status(memo_ctx_new(&o, &ctx, &err), wanted, err);
        n_missing += wanted != MEMO_OK;
        if (wanted != MEMO_OK)
            assert_contains(err.message, memo_cpu_name(cpu));
        memo_ctx_free(ctx);
    }
    if (!n_missing)
        memo_test_skip("this processor has every level");
}

static void test_cpu_cap_is_the_best_that_is_not_above(void **state)
{
    (void)state;
    size_t n_kept = 0, n_foreign = 0;
    assert_int_equal(memo_cpu_cap(MEMO_CPU_AUTO), MEMO_CPU_AUTO);
    for (memo_cpu cpu = MEMO_CPU_REF; cpu < MEMO_CPU_COUNT; cpu++) {
        int is_x86 = cpu >= MEMO_CPU_AVX2 && cpu <= MEMO_CPU_AMX;
        int best_is_x86 = memo_cpu_best() >= MEMO_CPU_AVX2 && memo_cpu_best() <= MEMO_CPU_AMX;
        memo_cpu cap = memo_cpu_cap(cpu), best = MEMO_CPU_REF;
        if (memo_cpu_best() == MEMO_CPU_REF && cpu != MEMO_CPU_REF)
            continue; /* nothing here tells which architecture it is */
        if (cpu != MEMO_CPU_REF && is_x86 != best_is_x86) {
            assert_int_equal(cap, cpu);
            n_foreign++;
            continue;
        }
        for (memo_cpu lower = MEMO_CPU_REF; lower <= cpu; lower++)
            if (memo_cpu_has(lower))
                best = lower;
        assert_int_equal(cap, best);
        n_kept += cap == cpu;
    }
    assert_true(n_kept > 0 && (n_foreign > 0 || memo_cpu_best() == MEMO_CPU_REF));
}

static void keep_log(void *user, memo_log_level level, const char *message)
{
    snprintf(user, 64, "%d %s", (int)level, message);
}

static int64_t fixed_clock(void *user)
{
    return *(int64_t *)user;
}

static void test_ctx_log_and_clock_are_the_callers(void **state)
{
    (void)state;
    char kept[64] = "";
    int64_t now = -42;
    memo_ctx *ctx = NULL;
    memo_err err = {0};
    memo_ctx_options o = {.size = sizeof o,
                          .n_threads = 1,
                          .log = keep_log,
                          .log_user = kept,
                          .clock_ms = fixed_clock,
                          .clock_user = &now};
    assert_memo_ok(memo_ctx_new(&o, &ctx, &err), err);
    memo_log(ctx, MEMO_LOG_WARN, "%d of %s", 3, "four");
    assert_string_equal(kept, "1 3 of four");
    assert_int_equal(memo_now_ms(ctx), -42);
    memo_ctx_free(ctx);
}

typedef struct progress_seen {
    memo_progress last;
    int answer;
} progress_seen;

static int keep_progress(void *user, const memo_progress *progress)
{
    ((progress_seen *)user)->last = *progress;
    return ((progress_seen *)user)->answer;
}

static void test_ctx_progress_can_cancel(void **state)
{
    (void)state;
    memo_err err = {0};
    progress_seen seen = {.answer = 0};
    assert_memo_ok(memo_progress_call(NULL, NULL, "s", 1, 2, NULL, &err), err);
    assert_memo_ok(memo_progress_call(keep_progress, &seen, "compile", 1, 2, "layer", &err), err);
    assert_string_equal(seen.last.stage, "compile");
    assert_int_equal(seen.last.done, 1);
    assert_int_equal(seen.last.total, 2);
    assert_string_equal(seen.last.item, "layer");
    seen.answer = 1;
    assert_memo_status(memo_progress_call(keep_progress, &seen, "compile", 2, 2, NULL, &err),
                       MEMO_ERR_CANCELLED, err);
    assert_contains(err.message, "compile");
}

static void test_ctx_deadlines(void **state)
{
    (void)state;
    assert_int_equal(memo_deadline_passed(memo_deadline_in(0)), 0);
    assert_int_equal(memo_deadline_passed(memo_deadline_in(-1)), 1);
    assert_int_equal(memo_deadline_passed(memo_deadline_in(INT64_MIN)), 1);
    assert_int_equal(memo_deadline_passed(memo_deadline_in(3600000)), 0);
    assert_int_equal(memo_deadline_passed(memo_deadline_in(INT64_MAX)), 0);
    memo_deadline soon = memo_deadline_in(5);
    double start = memo_monotonic_ms();
    while (!memo_deadline_passed(soon) && memo_monotonic_ms() < start + 10000)
        ;
    assert_int_equal(memo_deadline_passed(soon), 1);
    assert_true(memo_monotonic_ms() >= start + 4.9);
}

static memo_status sweep_ctx(void *user, memo_err *err)
{
    (void)user;
    memo_ctx *ctx = NULL;
    memo_ctx_options o = {.size = sizeof o, .n_threads = 2};
    memo_status status = memo_ctx_new(&o, &ctx, err);
    memo_ctx_free(ctx);
    return status;
}

static void test_ctx_survives_allocation_failures(void **state)
{
    (void)state;
    assert_int_equal(memo_test_alloc_sweep(sweep_ctx, NULL), 4);
}

/* The kernel's own list of what it found and enabled is the independent witness. */
static int cpuinfo_has_all(const char *flags, const char *wanted)
{
    char copy[256];
    snprintf(copy, sizeof copy, "%s", wanted);
    for (char *rest = copy, *flag; (flag = strtok_r(rest, " ", &rest));) {
        char word[64];
        snprintf(word, sizeof word, " %s ", flag);
        if (!strstr(flags, word))
            return 0;
    }
    return 1;
}

static void test_cpu_levels_agree_with_the_kernel(void **state)
{
    (void)state;
    static char line[16384];
    int found = 0;
    const char *preload = getenv("LD_PRELOAD");
    if (preload && strstr(preload, "vgpreload"))
        memo_test_skip("valgrind has a processor of its own");
    FILE *f = fopen("/proc/cpuinfo", "re");
    while (f && !found && fgets(line, sizeof line, f))
        found = strncmp(line, "flags", 5) == 0;
    if (f)
        fclose(f);
    if (!found)
        memo_test_skip("/proc/cpuinfo has no flags");
    line[strcspn(line, "\n")] = ' ';
    static const char *const flags[] = {
        [MEMO_CPU_AVX2] = "avx avx2 fma f16c bmi2",
        [MEMO_CPU_AVX512] = "avx512f avx512bw avx512dq avx512vl avx512cd",
        [MEMO_CPU_AVX512VNNI] = "avx512_vnni",
        [MEMO_CPU_AVX512BF16] = "avx512_bf16",
        [MEMO_CPU_AMX] = "amx_tile amx_int8 amx_bf16",
    };
    memo_cpu best = MEMO_CPU_REF;
    int here = 1;
    assert_int_equal(memo_cpu_has(MEMO_CPU_REF), 1);
    for (memo_cpu cpu = MEMO_CPU_AVX2; cpu <= MEMO_CPU_AMX; cpu++) {
        here = here && cpuinfo_has_all(line, flags[cpu]);
        assert_int_equal(memo_cpu_has(cpu), here);
        best = here ? cpu : best;
    }
    assert_int_equal(memo_cpu_best(), best);
}

/* Words of a Sapphire Rapids, less what each case takes away. */
static void test_cpu_levels_of_x86_words(void **state)
{
    (void)state;
    const memo_cpu_leaves spr = {
        .leaf1_c = 0x7ffefbff,
        .leaf7_b = 0xf1bf07ab,
        .leaf7_c = 0x1b415f6e,
        .leaf7_d = 0xffc14410,
        .leaf7_1_a = 0x1c30,
        .xcr0 = 0x602e7,
    };
    static const struct {
        unsigned leaf1_c, leaf7_b, leaf7_c, leaf7_d, leaf7_1_a;
        uint64_t xcr0;
        memo_cpu best;
    } less[] = {
        {.best = MEMO_CPU_AMX},
        {.leaf7_d = 1u << 22, .best = MEMO_CPU_AVX512BF16}, /* AMX-BF16 */
        {.leaf7_d = 1u << 24, .best = MEMO_CPU_AVX512BF16}, /* AMX-TILE */
        {.leaf7_d = 1u << 25, .best = MEMO_CPU_AVX512BF16}, /* AMX-INT8 */
        {.xcr0 = 1u << 17, .best = MEMO_CPU_AVX512BF16},    /* XTILECFG not saved */
        {.xcr0 = 1u << 18, .best = MEMO_CPU_AVX512BF16},    /* XTILEDATA not saved */
        {.leaf7_1_a = 1u << 5, .best = MEMO_CPU_AVX512VNNI},
        {.leaf7_c = 1u << 11, .best = MEMO_CPU_AVX512},
        {.leaf7_b = 1u << 16, .best = MEMO_CPU_AVX2}, /* F */
        {.leaf7_b = 1u << 17, .best = MEMO_CPU_AVX2}, /* DQ */
        {.leaf7_b = 1u << 28, .best = MEMO_CPU_AVX2}, /* CD */
        {.leaf7_b = 1u << 30, .best = MEMO_CPU_AVX2}, /* BW */
        {.leaf7_b = 1u << 31, .best = MEMO_CPU_AVX2}, /* VL */
        {.xcr0 = 1u << 5, .best = MEMO_CPU_AVX2},     /* mask registers not saved */
        {.xcr0 = 1u << 7, .best = MEMO_CPU_AVX2},     /* upper half of the registers not saved */
        {.leaf7_b = 1u << 5, .best = MEMO_CPU_REF},   /* AVX2 */
        {.leaf7_b = 1u << 8, .best = MEMO_CPU_REF},   /* BMI2 */
        {.leaf1_c = 1u << 12, .best = MEMO_CPU_REF},  /* FMA */
        {.leaf1_c = 1u << 27, .best = MEMO_CPU_REF},  /* OSXSAVE */
        {.leaf1_c = 1u << 28, .best = MEMO_CPU_REF},  /* AVX */
        {.leaf1_c = 1u << 29, .best = MEMO_CPU_REF},  /* F16C */
        {.xcr0 = 1u << 2, .best = MEMO_CPU_REF},
    };
    for (size_t i = 0; i < sizeof less / sizeof *less; i++) {
        memo_cpu_leaves l = spr;
        l.leaf1_c &= ~less[i].leaf1_c;
        l.leaf7_b &= ~less[i].leaf7_b;
        l.leaf7_c &= ~less[i].leaf7_c;
        l.leaf7_d &= ~less[i].leaf7_d;
        l.leaf7_1_a &= ~less[i].leaf7_1_a;
        l.xcr0 &= ~less[i].xcr0;
        unsigned levels = memo_cpu_levels_x86(&l);
        for (memo_cpu cpu = MEMO_CPU_REF; cpu < MEMO_CPU_COUNT; cpu++)
            assert_int_equal(levels >> cpu & 1, cpu <= less[i].best);
    }
}

/* Families are told by the vendor; what is unknown gets the sure thing. */
static void test_cpu_favours_bf16_by_family(void **state)
{
    (void)state;
    assert_true(memo_cpu_favours_bf16_x86("AuthenticAMD"));
    assert_false(memo_cpu_favours_bf16_x86("GenuineIntel"));
    assert_false(memo_cpu_favours_bf16_x86("something el"));
    const memo_kernels *kernels = memo_kernels_for(MEMO_CPU_AVX512BF16);
    if (kernels)
        assert_int_equal(kernels->bf16_inputs, memo_cpu_favours_bf16());
}

static void test_cpu_names(void **state)
{
    (void)state;
    char brand[64];
    assert_string_equal(memo_cpu_name(MEMO_CPU_AUTO), "auto");
    assert_string_equal(memo_cpu_name(MEMO_CPU_AVX512), "avx512");
    assert_string_equal(memo_cpu_name((memo_cpu)99), "unknown");
    assert_int_equal(memo_cpu_has(MEMO_CPU_AUTO), 0);
    assert_int_equal(memo_cpu_has((memo_cpu)99), 0);
    memo_cpu_brand(brand);
    assert_true(strlen(brand) > 0 && strlen(brand) < 64 && brand[0] != ' ');
}

/* Run fn in a child, so that limits it sets end with it; its result must be true. */
static void assert_in_child(int (*fn)(void))
{
    pid_t child = fork();
    if (child == 0)
        _exit(fn() ? 0 : 1);
    int wait_status = -1;
    assert_int_equal(waitpid(child, &wait_status, 0), child);
    assert_int_equal(wait_status, 0);
}

#ifdef __linux__
static int one_processor_is_counted(void)
{
    cpu_set_t set, one;
    if (sched_getaffinity(0, sizeof set, &set) != 0)
        return 0;
    CPU_ZERO(&one);
    for (int i = 0; i < CPU_SETSIZE && CPU_COUNT(&one) == 0; i++)
        if (CPU_ISSET(i, &set))
            CPU_SET(i, &one);
    return sched_setaffinity(0, sizeof one, &one) == 0 && memo_cpu_count() == 1;
}
#endif

static void test_machine_counts_processors_of_the_affinity_mask(void **state)
{
    (void)state;
#ifdef __linux__
    assert_in_child(one_processor_is_counted);
#else
    memo_test_skip("this system has no affinity masks");
#endif
}

static int rlimit_is_seen(void)
{
    const struct rlimit limit = {123 << 20, 123 << 20};
    if (memo_memory_available() <= limit.rlim_cur) /* a machine this small proves nothing */
        return 1;
    return setrlimit(RLIMIT_AS, &limit) == 0 && memo_memory_available() == limit.rlim_cur;
}

static void test_machine_memory_respects_the_rlimit(void **state)
{
    (void)state;
    assert_true(memo_memory_available() > 0);
    uint64_t all = (uint64_t)sysconf(_SC_PHYS_PAGES) * (uint64_t)sysconf(_SC_PAGESIZE);
    assert_true(memo_memory_available() <= all); /* known even without /proc */
    if (MEMO_TEST_SANITIZED)
        memo_test_skip("sanitizers need more address space than the test allows");
    assert_in_child(rlimit_is_seen);
}

static void write_text(const char *root, const char *folder, const char *name, const char *text)
{
    char dir[512], path[1024];
    memo_err err = {0};
    snprintf(dir, sizeof dir, "%s/%s", root, folder);
    assert_memo_ok(memo_mkdirs(dir, &err), err);
    snprintf(path, sizeof path, "%s/%s", dir, name);
    memo_test_write_file(path, text, strlen(text));
}

static void test_machine_without_control_groups_has_no_limit(void **state)
{
    assert_true(memo_cgroup_memory(*state) == UINT64_MAX);
    assert_true(memo_cgroup_millicpus(*state) == UINT64_MAX);
    write_text(*state, "proc/self", "cgroup", "0::/app\nnonsense\n:\n");
    assert_true(memo_cgroup_memory(*state) == UINT64_MAX);
    assert_true(memo_cgroup_millicpus(*state) == UINT64_MAX);
}

static void test_machine_reads_version_2_groups(void **state)
{
    write_text(*state, "proc/self", "cgroup", "0::/user/app\n");
    write_text(*state, "sys/fs/cgroup/user/app", "memory.max", "max\n");
    write_text(*state, "sys/fs/cgroup/user/app", "cpu.max", "max 100000\n");
    assert_true(memo_cgroup_memory(*state) == UINT64_MAX);
    assert_true(memo_cgroup_millicpus(*state) == UINT64_MAX);
    write_text(*state, "sys/fs/cgroup/user", "memory.max", "5000\n"); /* an ancestor's counts */
    write_text(*state, "sys/fs/cgroup/user", "cpu.max", "150000 100000\n");
    assert_int_equal(memo_cgroup_memory(*state), 5000);
    assert_int_equal(memo_cgroup_millicpus(*state), 1500);
    write_text(*state, "sys/fs/cgroup/user/app", "memory.max", "4000\n");
    write_text(*state, "sys/fs/cgroup", "cpu.max", "20000 100000\n"); /* a container's root */
    assert_int_equal(memo_cgroup_memory(*state), 4000);
    assert_int_equal(memo_cgroup_millicpus(*state), 200);
    write_text(*state, "sys/fs/cgroup", "cpu.max", "20000 0\n");
    assert_int_equal(memo_cgroup_millicpus(*state), 1500);
}

static void test_machine_reads_version_1_groups(void **state)
{
    write_text(*state, "proc/self", "cgroup",
               "9:name=systemd:/x\n4:hugetlb,memory:/pod\n1:cpu,cpuacct:/pod\n0::/\n");
    write_text(*state, "sys/fs/cgroup/hugetlb,memory", "memory.limit_in_bytes",
               "7000\n"); /* no /pod here */
    write_text(*state, "sys/fs/cgroup/cpu,cpuacct/pod", "cpu.cfs_quota_us", "250000\n");
    write_text(*state, "sys/fs/cgroup/cpu,cpuacct/pod", "cpu.cfs_period_us", "100000\n");
    write_text(*state, "sys/fs/cgroup/cpu,cpuacct", "cpu.cfs_quota_us", "-1\n");
    write_text(*state, "sys/fs/cgroup/cpu,cpuacct", "cpu.cfs_period_us", "100000\n");
    assert_int_equal(memo_cgroup_memory(*state), 7000);
    assert_int_equal(memo_cgroup_millicpus(*state), 2500);
}

/* The resident memory follows what is used, the peak stays. */
static void test_machine_tells_resident_memory(void **state)
{
    size_t n = (size_t)64 << 20;
    uint64_t before = memo_memory_resident(), peak;
    char *block = mmap(NULL, n, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    (void)state;
    assert_true(before > 0 && block != MAP_FAILED);
    memset(block, 1, n);
    assert_true(memo_memory_resident() > before + n / 2);
    peak = memo_memory_peak();
    assert_true(peak >= before + n / 2);
    munmap(block, n);
#ifdef __linux__
    assert_true(memo_memory_resident() < before + n / 2);
#endif
    assert_true(memo_memory_peak() > before + n / 2); /* Linux counts in steps, not to the page */
}

int main(void)
{
#define CTX_TEST_DIR(name)                                                                         \
    cmocka_unit_test_setup_teardown(name, memo_test_setup_dir, memo_test_teardown_dir)
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_ctx_defaults),
        cmocka_unit_test(test_ctx_options_are_checked),
        cmocka_unit_test(test_ctx_takes_limits_from_options),
        cmocka_unit_test(test_ctx_refuses_a_level_that_is_missing),
        cmocka_unit_test(test_cpu_cap_is_the_best_that_is_not_above),
        cmocka_unit_test(test_ctx_log_and_clock_are_the_callers),
        cmocka_unit_test(test_ctx_progress_can_cancel),
        cmocka_unit_test(test_ctx_deadlines),
        cmocka_unit_test(test_ctx_survives_allocation_failures),
        cmocka_unit_test(test_cpu_levels_agree_with_the_kernel),
        cmocka_unit_test(test_cpu_levels_of_x86_words),
        cmocka_unit_test(test_cpu_favours_bf16_by_family),
        cmocka_unit_test(test_cpu_names),
        cmocka_unit_test(test_machine_counts_processors_of_the_affinity_mask),
        cmocka_unit_test(test_machine_memory_respects_the_rlimit),
        cmocka_unit_test(test_machine_tells_resident_memory),
        CTX_TEST_DIR(test_machine_without_control_groups_has_no_limit),
        CTX_TEST_DIR(test_machine_reads_version_2_groups),
        CTX_TEST_DIR(test_machine_reads_version_1_groups),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
