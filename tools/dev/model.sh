# SPDX-License-Identifier: Apache-2.0
[ $# -eq 1 ] || die "usage: ./dev model CLASS   (f32 or int8)"
build_release memolith >&2
default_model "$1"
echo "$model"
