// SPDX-License-Identifier: Apache-2.0
#include "kernel/levels.h"
const memo_kernels *const memo_kernels_avx2 = NULL;
