# SPDX-License-Identifier: Apache-2.0
[ $# -eq 1 ] || die "usage: ./dev model CLASS   ($model_classes)"
build_release memolith >&2
default_model "$1"
echo "$model"
