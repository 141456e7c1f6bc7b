# SPDX-License-Identifier: Apache-2.0
# Unit and property tests, kernels of every CPU level, fuzz seeds, tools, the command's scripts.
use_build werror
export_models
run_ctest build/werror
