// SPDX-License-Identifier: Apache-2.0
/* base/machine.h -- how much of this machine the process may use: processors and memory, after
 * affinity, control groups and resource limits. */
#ifndef MEMO_BASE_MACHINE_H
#define MEMO_BASE_MACHINE_H

#include <stdint.h>

/* Processors this process may use: affinity mask and cgroup quota (rounded up), at least 1. */
unsigned memo_cpu_count(void);

/* Least of MemAvailable (without /proc: all memory), the cgroup limit and the address-space rlimit;
 * UINT64_MAX if none is known. */
uint64_t memo_memory_available(void);

/* Most memory that this process ever had resident, mapped files included; 0: not known. On Linux
 * VmHWM: ru_maxrss would also count what the process was before its exec. */
uint64_t memo_memory_peak(void);

/* What it has resident now; the peak where only that is known. */
uint64_t memo_memory_resident(void);

/* What the control groups of this process allow, the strictest of the group and its ancestors, for
 * version 1 and 2 hierarchies; UINT64_MAX for no limit. `root` is "" but for tests, which put a tree
 * of their own before /proc and /sys. The quota is in thousandths of a processor. */
uint64_t memo_cgroup_memory(const char *root);
uint64_t memo_cgroup_millicpus(const char *root);

#endif
