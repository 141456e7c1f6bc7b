// SPDX-License-Identifier: Apache-2.0
/* fault/power_shared.h -- counters and sets of hashes that several processes fill. */
#ifndef MEMO_TESTS_POWER_SHARED_H
#define MEMO_TESTS_POWER_SHARED_H

#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

typedef enum power_set { POWER_SET_STATES, POWER_SET_CHECKED, POWER_N_SETS } power_set;

typedef struct power_shared {
    _Atomic uint64_t n_states, n_checked, n_again; /* so far */
    size_t n_slots;                                /* of each set, a power of two */
    _Atomic uint64_t slots[];
} power_shared;

/* Room for n_hashes in each set, in memory that forked processes share. */
power_shared *power_shared_new(uint64_t n_hashes);
/* 1 when the hash was not in the set before; it is now. */
int power_shared_meet(power_shared *shared, power_set set, uint64_t hash);

#endif
