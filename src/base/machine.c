// SPDX-License-Identifier: Apache-2.0
/* Control groups. /proc/self/cgroup names the group in each hierarchy: "0::/a/b" is version 2,
 * "7:cpu,cpuacct:/a/b" version 1. Inside a container the path may not be visible under
 * /sys/fs/cgroup; walking up to the root of the mount then finds the container's own limit. */
#include "base/machine.h"

#include <inttypes.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

/* A decimal number at *s, which moves behind it; UINT64_MAX for "max", "-1" and what overflows. */
static uint64_t machine_number(const char **s)
{
    uint64_t x = 0;
    const char *c = *s + strspn(*s, " \t");
    if (*c < '0' || *c > '9') {
        *s = c + strcspn(c, " \t\n");
        return UINT64_MAX;
    }
    for (; *c >= '0' && *c <= '9'; c++)
        x = x > (UINT64_MAX - 9) / 10 ? UINT64_MAX : x * 10 + (uint64_t)(*c - '0');
    *s = c;
    return x;
}

/* The first line of a small file of the system; 0 when there is none. */
static int machine_line(const char *path, char *line, int cap)
{
    FILE *f = fopen(path, "re");
    if (!f)
        return 0;
    int ok = fgets(line, cap, f) != NULL;
    fclose(f);
    return ok;
}

/* The limit in the files of one group folder; UINT64_MAX for none. */
typedef uint64_t (*cgroup_read_fn)(const char *folder, int version);

static uint64_t cgroup_read_memory(const char *folder, int version)
{
    char path[1200], line[64];
    snprintf(path, sizeof path, "%s/%s", folder,
             version == 2 ? "memory.max" : "memory.limit_in_bytes");
    const char *at = line;
    return machine_line(path, line, sizeof line) ? machine_number(&at) : UINT64_MAX;
}

static uint64_t cgroup_read_millicpus(const char *folder, int version)
{
    char path[1200], line[64];
    const char *at = line;
    uint64_t quota, period;
    if (version == 2) { /* "QUOTA PERIOD" */
        snprintf(path, sizeof path, "%s/cpu.max", folder);
        if (!machine_line(path, line, sizeof line))
            return UINT64_MAX;
        quota = machine_number(&at);
        period = machine_number(&at);
    } else {
        snprintf(path, sizeof path, "%s/cpu.cfs_quota_us", folder);
        if (!machine_line(path, line, sizeof line))
            return UINT64_MAX;
        quota = machine_number(&at);
        at = line;
        snprintf(path, sizeof path, "%s/cpu.cfs_period_us", folder);
        period = machine_line(path, line, sizeof line) ? machine_number(&at) : UINT64_MAX;
    }
    if (period == 0 || period == UINT64_MAX || quota > UINT64_MAX / 1000)
        return UINT64_MAX;
    return quota * 1000 / period;
}

/* The strictest limit from the group up to the root of its mount. */
static uint64_t cgroup_walk(const char *mount, char *group, int version, cgroup_read_fn read_limit)
{
    char folder[1100];
    uint64_t least = UINT64_MAX;
    for (;;) {
        snprintf(folder, sizeof folder, "%s%s", mount, group);
        uint64_t limit = read_limit(folder, version);
        if (limit < least)
            least = limit;
        char *slash = strrchr(group, '/');
        if (!slash)
            return least;
        *slash = '\0';
    }
}

/* Whether `name` is one of the comma-separated controllers. */
static int cgroup_lists(const char *controllers, const char *name)
{
    size_t n = strlen(name);
    for (const char *c = controllers; c; c = strchr(c, ',')) {
        c += *c == ',';
        if (strncmp(c, name, n) == 0 && (c[n] == ',' || c[n] == '\0'))
            return 1;
    }
    return 0;
}

static uint64_t cgroup_least(const char *root, const char *controller, cgroup_read_fn read_limit)
{
    char path[256], line[1024], mount[512];
    uint64_t least = UINT64_MAX;
    snprintf(path, sizeof path, "%s/proc/self/cgroup", root);
    FILE *f = fopen(path, "re");
    if (!f)
        return least;
    while (fgets(line, sizeof line, f)) {
        line[strcspn(line, "\n")] = '\0';
        char *controllers = strchr(line, ':');
        char *group = controllers ? strchr(controllers + 1, ':') : NULL;
        if (!group)
            continue;
        *group++ = '\0';
        controllers++;
        int version = *controllers ? 1 : 2;
        if (version == 1 && !cgroup_lists(controllers, controller))
            continue;
        snprintf(mount, sizeof mount, "%s/sys/fs/cgroup%s%s", root, version == 1 ? "/" : "",
                 controllers);
        uint64_t limit = cgroup_walk(mount, group, version, read_limit);
        if (limit < least)
            least = limit;
    }
    fclose(f);
    return least;
}

uint64_t memo_cgroup_memory(const char *root)
{
    return cgroup_least(root, "memory", cgroup_read_memory);
}

uint64_t memo_cgroup_millicpus(const char *root)
{
    return cgroup_least(root, "cpu", cgroup_read_millicpus);
}

static unsigned cpu_count_of_affinity(void)
{
#ifdef __linux__
    /* The kernel refuses a set smaller than its own: grow until it fits. */
    for (int n_cpus = 1024; n_cpus <= 1 << 20; n_cpus *= 4) {
        cpu_set_t *set = CPU_ALLOC(n_cpus);
        size_t n_bytes = CPU_ALLOC_SIZE(n_cpus);
        if (!set)
            break;
        int rc = sched_getaffinity(0, n_bytes, set);
        int count = rc == 0 ? CPU_COUNT_S(n_bytes, set) : 0;
        CPU_FREE(set);
        if (count > 0)
            return (unsigned)count;
    }
#endif
    long online = sysconf(_SC_NPROCESSORS_ONLN);
    return online > 0 ? (unsigned)online : 1;
}

unsigned memo_cpu_count(void)
{
    unsigned count = cpu_count_of_affinity();
    uint64_t quota = memo_cgroup_millicpus("");
    if (quota < (uint64_t)count * 1000)
        count = quota > 0 ? (unsigned)((quota + 999) / 1000) : 1;
    return count;
}

static uint64_t memory_of_meminfo(void)
{
    char line[256];
    uint64_t kib = UINT64_MAX;
    FILE *f = fopen("/proc/meminfo", "re");
    if (!f)
        return UINT64_MAX;
    while (kib == UINT64_MAX && fgets(line, sizeof line, f)) {
        if (strncmp(line, "MemAvailable:", 13) == 0) {
            const char *at = line + 13;
            kib = machine_number(&at);
        }
    }
    fclose(f);
    return kib > UINT64_MAX / 1024 ? UINT64_MAX : kib * 1024;
}

/* All memory of the machine. */
static uint64_t memory_physical(void)
{
#ifdef _SC_PHYS_PAGES
    long pages = sysconf(_SC_PHYS_PAGES), page_bytes = sysconf(_SC_PAGESIZE);
    if (pages > 0 && page_bytes > 0)
        return (uint64_t)pages * (uint64_t)page_bytes;
#endif
    return UINT64_MAX;
}

uint64_t memo_memory_available(void)
{
    uint64_t available = memory_physical(); /* all there is to know where /proc is not */
    uint64_t meminfo = memory_of_meminfo();
    uint64_t group = memo_cgroup_memory("");
    struct rlimit limit;
    if (meminfo < available)
        available = meminfo;
    if (group < available)
        available = group;
    if (getrlimit(RLIMIT_AS, &limit) == 0 && limit.rlim_cur != RLIM_INFINITY &&
        (uint64_t)limit.rlim_cur < available)
        available = (uint64_t)limit.rlim_cur;
    return available;
}

/* A line of what Linux says of this process, in bytes; 0 where it says nothing. */
static uint64_t memory_of_status(const char *name)
{
    char line[256];
    FILE *f = fopen("/proc/self/status", "re");
    uint64_t kib = 0;
    while (f && fgets(line, sizeof line, f))
        if (strncmp(line, name, strlen(name)) == 0)
            kib = strtoull(line + strlen(name), NULL, 10);
    if (f)
        fclose(f);
    return kib * 1024;
}

uint64_t memo_memory_resident(void)
{
    uint64_t now = memory_of_status("VmRSS:");
    return now ? now : memo_memory_peak();
}

uint64_t memo_memory_peak(void)
{
    struct rusage usage;
    uint64_t peak = memory_of_status("VmHWM:");
    if (peak)
        return peak;
    if (getrusage(RUSAGE_SELF, &usage) != 0)
        return 0;
#if defined(__APPLE__)
    return (uint64_t)usage.ru_maxrss; /* bytes there */
#else
    return (uint64_t)usage.ru_maxrss * 1024;
#endif
}
