# SPDX-License-Identifier: Apache-2.0
# clang, warnings as errors, and its build through the same tests.
use_build clang
default_model f32
MEMO_MODEL_F32=$PWD/$model
export MEMO_MODEL_F32
run_ctest build/clang
