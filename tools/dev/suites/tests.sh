# SPDX-License-Identifier: Apache-2.0
# Unit and property tests, kernels of every CPU level, fuzz seeds, tools, the command's scripts.
build_preset werror
run_ctest build/werror
