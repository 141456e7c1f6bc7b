# SPDX-License-Identifier: Apache-2.0
# Model files with a flipped bit or cut: refused, or the same bits come out. MEMO_SCALE multiplies the
# points of sources and of larger models; real models are used where they have been compiled.
use_build werror
for class in f32 int8; do
    for folder in "$PWD/build/werror/models" "$(cache_dir)/models"; do
        file=$folder/all-MiniLM-L6-v2.$class.safetensors
        "$memolith" model show "$file" >/dev/null 2>&1 || continue
        [ "$class" = f32 ] && MEMO_MODEL_F32=$file || MEMO_MODEL_INT8=$file
        break
    done
done
export MEMO_MODEL_F32="${MEMO_MODEL_F32:-}" MEMO_MODEL_INT8="${MEMO_MODEL_INT8:-}"
build/werror/tests/damage_points ${MEMO_QUICK:+--quick} --scale "${MEMO_SCALE:-1}"
