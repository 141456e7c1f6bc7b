# SPDX-License-Identifier: Apache-2.0
# Shared by the parts of ./dev; sourced with the repository as the working directory.

say() { printf '%s\n' "dev: $*" >&2; }
die() {
    say "$@"
    exit 1
}

# What the library is linked with, as pkg-config names.
requires="sqlite3 jansson libutf8proc libxxhash libcrypto"

# What each job needs, as Debian package names.
need_build="gcc libc6-dev cmake ninja-build pkg-config libsqlite3-dev libjansson-dev libutf8proc-dev libxxhash-dev libssl-dev libzstd-dev"
need_model="$need_build python3 ca-certificates"
need_check="$need_model zlib1g-dev libcmocka-dev clang clang-format clang-tidy g++ binutils xz-utils git valgrind procps gcc-aarch64-linux-gnu libc6-dev-arm64-cross qemu-user"

# Install the packages among "$@" that are missing; touches the network only when one is.
install_packages() {
    if ! command -v dpkg-query >/dev/null 2>&1; then
        command -v cmake >/dev/null 2>&1 && command -v ninja >/dev/null 2>&1 &&
            command -v pkg-config >/dev/null 2>&1 &&
            pkg-config --exists $requires && return 0
        say "this system has no apt; please install what these Debian packages hold, then run again:"
        die "  $*"
    fi
    missing=
    for package in "$@"; do
        case $(dpkg-query -W -f '${Status}' "$package" 2>/dev/null) in
        *" installed") ;;
        *) missing="$missing $package" ;;
        esac
    done
    [ -n "$missing" ] || return 0
    sudo=
    if [ "$(id -u)" -ne 0 ]; then
        command -v sudo >/dev/null 2>&1 || die "not root and no sudo; as root run: apt-get install$missing"
        sudo=sudo
        [ -t 0 ] || sudo='sudo -n'
    fi
    say "installing$missing"
    log=$(mktemp)
    if ! { $sudo apt-get update -qq && $sudo env DEBIAN_FRONTEND=noninteractive \
        apt-get install -y -qq --no-install-recommends $missing; } >"$log" 2>&1 </dev/null; then
        tail -n 15 "$log" >&2
        rm -f "$log"
        die "apt-get could not install them; with a network, run again or install by hand:$missing"
    fi
    rm -f "$log"
}

# Layout and clang-tidy's checks differ between versions: is tool $1 the version they are pinned to?
# If not, say so as a skipped test.
llvm_pinned=14
is_pinned() {
    major=$("$1" --version | sed -n 's/.*version \([0-9]*\).*/\1/p' | head -n 1)
    [ "$major" = "$llvm_pinned" ] && return 0
    echo "SKIPPED $1: this is version $major, the sources are checked with $llvm_pinned"
    echo "0 passed, 0 failed, 1 skipped"
    return 1
}

# Say how far the build that writes log $1 is, every few seconds, until killed. Nothing of it holds
# the caller's descriptors but stderr, and it ends with the caller.
watch_build() {
    while sleep 5 </dev/null >/dev/null 2>&1 && kill -0 $$ 2>/dev/null; do
        step=$(sed -n 's|^\[\([0-9]*/[0-9]*\)\] .*|\1|p' "$1" | tail -n 1)
        say "building: ${step:-configuring}"
    done
}

# configure and build one preset: build_preset NAME [TARGET...]
build_preset() {
    preset=$1
    shift
    dir=build/$preset
    [ "$preset" = release ] && dir=build
    [ "$preset" = fuzz ] && dir=build/libfuzzer # build/fuzz holds the replay programs of release
    mkdir -p build/logs
    : >"build/logs/$preset.log"
    watch_build "build/logs/$preset.log" >/dev/null &
    watcher=$!
    built=0
    { cmake --preset "$preset" && cmake --build "$dir" ${1:+--target "$@"}; } >"build/logs/$preset.log" 2>&1 || built=$?
    kill "$watcher" 2>/dev/null || true
    wait "$watcher" 2>/dev/null || true
    if [ "$built" -ne 0 ]; then
        grep -E -A12 'error:|warning:|FAILED|CMake Error' "build/logs/$preset.log" | head -n 60 >&2
        die "build of '$preset' failed; the whole log is build/logs/$preset.log"
    fi
}

build_release() {
    install_packages $need_build
    build_preset release "$@"
}

# The fuzz targets, for libFuzzer: build/libfuzzer/fuzz/.
build_fuzz() {
    install_packages $need_check
    runtime=libclang-rt-$(clang -dumpversion | cut -d. -f1)-dev # a package of its own where it exists
    ! apt-cache show "$runtime" >/dev/null 2>&1 || install_packages "$runtime"
    build_preset fuzz
}

# Run targets, one on each core, and count: run_fuzz SECONDS CORPUS PROGRAM...
run_fuzz() {
    n_seconds=$1 corpus=$2
    shift 2
    mkdir -p build/logs
    lines=build/logs/fuzz.txt
    printf '%s\n' "$@" | xargs -P "$(nproc)" -n 1 sh tools/dev/fuzz_one.sh "$n_seconds" "$corpus" \
        >"$lines" 2>&1 || true
    cat "$lines"
    good=$(grep -c ' ok$' "$lines") || true
    echo "$good passed, $(($# - good)) failed, 0 skipped"
    [ "$good" -eq $# ]
}

cache_dir() {
    if [ -n "${MEMOLITH_CACHE_DIR:-}" ]; then
        echo "$MEMOLITH_CACHE_DIR"
    elif [ -n "${XDG_CACHE_HOME:-}" ]; then
        echo "$XDG_CACHE_HOME/memolith"
    else
        [ -n "${HOME:-}" ] || die "HOME is not set, so there is no folder for models: set MEMOLITH_CACHE_DIR"
        echo "$HOME/.cache/memolith"
    fi
}

# Folder of the golden and evaluation data, or nothing.
shared_dir() {
    d=${MEMO_SHARED:-$PWD/../shared}
    [ -d "$d/data" ] && (cd "$d" && pwd)
    return 0
}

# The command that the functions below run, and where they keep what it compiled.
memolith=build/memolith
models=

# Build preset $1 and use its command, with models of its own.
use_build() {
    build_preset "$1"
    [ "$1" = release ] && return 0
    memolith=build/$1/memolith
    models=build/$1/models
}

model_classes="f32 f16 bf16 int8 int4 lut4 auto"

check_class() {
    case " $model_classes " in
    *" $1 "*) ;;
    *)
        say "there is no model class '$1'; known: $model_classes"
        exit 2
        ;;
    esac
}

# Compile the default model to class $1 unless that is done, set $model to its path. Made again when
# this build cannot read it, or is newer.
default_model() {
    check_class "$1"
    if [ -z "$models" ]; then
        models=$(cache_dir) || exit 1
        models=$models/models
    fi
    model=$models/all-MiniLM-L6-v2.$1.safetensors
    if [ -n "$(find "$model" -newer "$memolith" 2>/dev/null)" ] && "$memolith" model show "$model" >/dev/null 2>&1; then
        return 0
    fi
    install_packages $need_model
    source=$(python3 tools/fetch_model.py) || exit 1
    mkdir -p "$models"
    "$memolith" model compile "$source" -o "$model" --class "$1" --name all-MiniLM-L6-v2 --force >&2 ||
        die "compiling the model failed"
}

# The default model in every class, compiled by the build in use, for the tests that want real weights.
export_models() {
    default_model f32
    MEMO_MODEL_F32=$PWD/$model
    default_model int8
    MEMO_MODEL_INT8=$PWD/$model
    export MEMO_MODEL_F32 MEMO_MODEL_INT8
}

# All tests of a build folder, with counts of single tests: run_ctest DIR [CTEST OPTION...]
run_ctest() {
    dir=$1
    shift
    status=0
    ctest --test-dir "$dir" -j "$(nproc)" --output-on-failure --no-tests=error --timeout 600 \
        --test-output-size-passed 4000000 --test-output-size-failed 4000000 \
        --output-junit "$PWD/$dir/junit.xml" "$@" || status=$?
    python3 tools/count_tests.py "$dir/junit.xml"
    return "$status"
}

# A golden suite on folder $2, by default the data beside this checkout: run_golden models|tokenizer|attention [DIR]
run_golden() {
    data=$(shared_dir)/data
    needs=models
    [ "$1" = attention ] && needs=attention
    if [ -z "${2:-}" ] && [ ! -d "$data/$needs" ]; then
        echo "SKIPPED golden $1: no golden data beside this checkout (MEMO_SHARED names their folder)"
        echo "0 passed, 0 failed, 1 skipped"
        return 0
    fi
    programs=$(dirname "$memolith")/tests
    case $1 in
    models)
        (default_model int4) & # rounding to 4 bits takes half a minute: beside the others
        for class in f32 int8 f16 bf16 lut4; do
            default_model "$class"
        done
        wait
        default_model int4
        of=$models/all-MiniLM-L6-v2
        "$programs/golden_models" "$of.f32.safetensors" "$of.int8.safetensors" \
            "${2:-$data/models}" "$of.f16.safetensors" "$of.bf16.safetensors" \
            "$of.int4.safetensors" "$of.lut4.safetensors"
        ;;
    tokenizer)
        if [ -n "${2:-}" ]; then
            "$programs/golden_tokenizer" "$2"
        else
            "$programs/golden_tokenizer" "$data/tokenizer" "$data/models"
        fi
        ;;
    attention)
        folder=${2:-$data/attention}
        onnx=$(mktemp -d)
        status=0
        { tar -xJf "$folder/onnx_attention_reference.tar.xz" -C "$onnx" &&
            "$programs/golden_attention" "$folder" "$onnx"; } || status=$?
        rm -rf "$onnx"
        return "$status"
        ;;
    esac
}
