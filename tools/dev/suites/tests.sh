# SPDX-License-Identifier: Apache-2.0
# Unit and property tests, kernels of every CPU level, fuzz seeds, tools, the command's scripts.
use_build werror
default_model f32
MEMO_MODEL_F32=$PWD/$model
export MEMO_MODEL_F32
run_ctest build/werror
