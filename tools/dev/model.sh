# SPDX-License-Identifier: Apache-2.0
# ./dev model CLASS: the path of the default model, compiled to CLASS.
case "$# ${1:-}" in
"1 -h" | "1 --help")
    echo "usage: ./dev model CLASS   (one of: $model_classes)"
    exit 0
    ;;
esac
if [ $# -ne 1 ]; then
    say "usage: ./dev model CLASS   (one of: $model_classes)"
    exit 2
fi
cache_dir >/dev/null # before the build, which takes longer than its refusal
check_class "$1"
build_release memolith >&2
default_model "$1"
echo "$model"
