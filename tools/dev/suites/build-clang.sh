# SPDX-License-Identifier: Apache-2.0
# clang, warnings as errors, and its build through the same tests.
use_build clang
export_models
run_ctest build/clang
