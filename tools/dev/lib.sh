# SPDX-License-Identifier: Apache-2.0
# Shared by the parts of ./dev; sourced with the repository as the working directory.

say() { printf '%s\n' "dev: $*" >&2; }
die() {
    say "$@"
    exit 1
}

# What each job needs, as Debian package names.
need_build="gcc libc6-dev cmake ninja-build pkg-config libsqlite3-dev libjansson-dev libutf8proc-dev libxxhash-dev libssl-dev"
need_model="$need_build python3 ca-certificates"
need_check="$need_model libcmocka-dev clang clang-format clang-tidy libclang-rt-14-dev g++ binutils xz-utils git valgrind procps"

# Install the packages among "$@" that are missing; touches the network only when one is.
install_packages() {
    if ! command -v dpkg-query >/dev/null 2>&1; then
        command -v cmake >/dev/null 2>&1 && command -v ninja >/dev/null 2>&1 &&
            command -v pkg-config >/dev/null 2>&1 &&
            pkg-config --exists sqlite3 jansson libutf8proc libxxhash libcrypto && return 0
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

# configure and build one preset: build_preset NAME [TARGET...]
build_preset() {
    preset=$1
    shift
    dir=build/$preset
    [ "$preset" = release ] && dir=build
    mkdir -p build/logs
    if ! { cmake --preset "$preset" && cmake --build "$dir" ${1:+--target "$@"}; } >"build/logs/$preset.log" 2>&1; then
        grep -E -A12 'error:|warning:|FAILED|CMake Error' "build/logs/$preset.log" | head -n 60 >&2
        die "build of '$preset' failed; the whole log is build/logs/$preset.log"
    fi
}

build_release() {
    install_packages $need_build
    build_preset release "$@"
}

cache_dir() {
    if [ -n "${MEMOLITH_CACHE_DIR:-}" ]; then
        echo "$MEMOLITH_CACHE_DIR"
    elif [ -n "${XDG_CACHE_HOME:-}" ]; then
        echo "$XDG_CACHE_HOME/memolith"
    else
        echo "${HOME:?HOME is not set; set MEMOLITH_CACHE_DIR}/.cache/memolith"
    fi
}

# Folder of the golden and evaluation data, or nothing.
shared_dir() {
    d=${MEMO_SHARED:-$PWD/../shared}
    [ -d "$d/data" ] && (cd "$d" && pwd)
    return 0
}

# Compile the default model to class $1 if that is not done, set $model to its path.
default_model() {
    class=$1
    case $class in
    f32) ;;
    *) die "model class '$class' is not known; known: f32" ;;
    esac
    model=$(cache_dir)/models/all-MiniLM-L6-v2.$class.safetensors
    [ -x build/memolith ] || build_release memolith
    if [ -f "$model" ] && build/memolith model show "$model" >/dev/null 2>&1; then
        return 0
    fi
    install_packages $need_model
    source=$(python3 tools/fetch_model.py) || exit 1
    mkdir -p "$(dirname "$model")"
    build/memolith model compile "$source" -o "$model" --class "$class" --name all-MiniLM-L6-v2 --force >&2 ||
        die "compiling the model failed"
}
