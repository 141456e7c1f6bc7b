# SPDX-License-Identifier: Apache-2.0
# A program of somebody else against an installed tree: CMake package and pkg-config, static and
# shared; the tree is moved first, because people do that.
use_build werror
default_model f32
out=$PWD/build/install
rm -rf "$out"
mkdir -p "$out"
cmake --install build/werror --prefix "$out/first" >/dev/null
mv "$out/first" "$out/prefix"
cmake -S tests/install -B "$out/consumer" -G Ninja -DCMAKE_PREFIX_PATH="$out/prefix"
cmake --build "$out/consumer"
"$out/consumer/consumer_static" "$model"
"$out/consumer/consumer_shared" "$model"
folder=$(dirname "$(find "$out/prefix" -name memolith.pc)")
PKG_CONFIG_PATH=$folder
export PKG_CONFIG_PATH
gcc -std=c11 tests/install/consumer.c -o "$out/pc_shared" $(pkg-config --cflags --libs memolith)
LD_LIBRARY_PATH=$(pkg-config --variable=libdir memolith) "$out/pc_shared" "$model"
gcc -std=c11 tests/install/consumer.c -o "$out/pc_static" $(pkg-config --cflags memolith) \
    "$(pkg-config --variable=libdir memolith)/libmemolith.a" \
    $(pkg-config --static --libs memolith | sed 's/-lmemolith//')
"$out/pc_static" "$model"
"$out/prefix/bin/memolith" model show "$model"
echo "5 passed, 0 failed, 0 skipped"
