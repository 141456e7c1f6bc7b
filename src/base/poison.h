// SPDX-License-Identifier: Apache-2.0
/* base/poison.h -- tell AddressSanitizer which bytes of a block nobody may touch yet.
 *
 * Without the sanitizer both macros are empty. */
#ifndef MEMO_BASE_POISON_H
#define MEMO_BASE_POISON_H

#if defined(__SANITIZE_ADDRESS__)
#define MEMO_ASAN 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define MEMO_ASAN 1
#endif
#endif

#ifdef MEMO_ASAN
#include <sanitizer/asan_interface.h>
#define MEMO_POISON(p, n)   ASAN_POISON_MEMORY_REGION(p, n)
#define MEMO_UNPOISON(p, n) ASAN_UNPOISON_MEMORY_REGION(p, n)
#define MEMO_RED_ZONE       16
#else
#define MEMO_POISON(p, n)   ((void)(p), (void)(n))
#define MEMO_UNPOISON(p, n) ((void)(p), (void)(n))
#define MEMO_RED_ZONE       0
#endif

#endif
