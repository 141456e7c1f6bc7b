// SPDX-License-Identifier: Apache-2.0
#include "power_shared.h"

#include "fault.h"
#include "power_log.h"

power_shared *power_shared_new(uint64_t n_hashes)
{
    size_t n = 1024;
    while (n < 2 * n_hashes)
        n *= 2;
    power_shared *shared = fault_shared(sizeof(power_shared) + POWER_N_SETS * n * sizeof(uint64_t));
    shared->n_slots = n;
    return shared;
}

int power_shared_meet(power_shared *shared, power_set set, uint64_t hash)
{
    size_t mask = shared->n_slots - 1, at = (size_t)hash & mask;
    _Atomic uint64_t *slots = shared->slots + (size_t)set * shared->n_slots;
    hash = hash ? hash : 1; /* 0 is an empty slot */
    for (size_t i = 0; i <= mask; i++, at = (at + 1) & mask) {
        uint64_t there = 0;
        if (atomic_compare_exchange_strong(&slots[at], &there, hash))
            return 1;
        if (there == hash)
            return 0;
    }
    power_die("more than %zu states", shared->n_slots);
}
