# SPDX-License-Identifier: Apache-2.0
# clang, warnings as errors, and its build through the same tests.
build_preset clang
run_ctest build/clang
