# SPDX-License-Identifier: Apache-2.0
# ./dev bench [kernels|embed] [ARGUMENTS]: measured, never part of a test.
name=${1:-kernels}
[ $# -eq 0 ] || shift
case $name in
kernels)
    install_packages $need_check
    build_preset release memo_check
    build/tests/memo_check --bench "$@"
    ;;
embed)
    install_packages $need_check python3-venv
    shared=$(shared_dir)
    [ -n "$shared" ] || die "SKIPPED: the peers' scripts are not beside this checkout (MEMO_SHARED names their folder)"
    build_preset release memolith memolith_shared
    default_model int8
    int8=$model
    default_model f32
    if ! build/peers/bin/python -c 'import onnxruntime, openvino, tokenizers' 2>/dev/null; then
        say "making build/peers, a Python environment with the peers (several GB)"
        python3 -m venv build/peers
        build/peers/bin/pip install -q torch transformers onnx onnxscript onnxruntime openvino tokenizers sympy
    fi
    build/peers/bin/python bench/embed/run.py --shared "$shared" --model "$model" --int8 "$int8" \
        --library build/libmemolith.so --source "$(cache_dir)/sources/all-MiniLM-L6-v2" \
        --work build/bench "$@"
    ;;
*) die "no benchmark '$name'; known: kernels, embed" ;;
esac
