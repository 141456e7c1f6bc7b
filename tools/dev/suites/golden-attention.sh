# SPDX-License-Identifier: Apache-2.0
use_build werror
run_golden attention
