# SPDX-License-Identifier: Apache-2.0
# ./dev bench [kernels|embed|tokenizer|store|soak] [ARGUMENTS]: measured, never part of a test. docs/PERFORMANCE.md
# says what each means; --write docs/PERFORMANCE.md replaces its tables.

# The Python environment with the peers, made once: everything in it is a peer's or draws a chart.
bench_peers() {
    peers=$PWD/build/peers/bin/python
    "$peers" -c "import $1" 2>/dev/null && return 0
    say "making build/peers, a Python environment with the peers (several GB)"
    install_packages python3-venv
    python3 -m venv build/peers
    build/peers/bin/pip install -q matplotlib numpy onnx onnxruntime onnxscript openvino nncf ctranslate2 \
        chromadb duckdb lancedb pysqlite3-binary sqlite-vec zvec \
        nanotoken sympy tokenizers tokie torch transformers || die "pip could not install the peers"
}

# What the peers read: their scripts, the texts and the published model.
bench_sources() {
    shared=$(shared_dir)
    [ -n "$shared" ] || die "SKIPPED: the peers' scripts are not beside this checkout (MEMO_SHARED names their folder)"
    source=$(python3 tools/fetch_model.py) || exit 1
}

bench_usage() {
    cat <<'USAGE'
usage: ./dev bench [NAME] [ARGUMENTS]
  kernels     every kernel of every CPU level, alone (default)
  embed       whole models, beside onnxruntime and openvino (installs them: several GB)
  tokenizer   the tokenizer, beside other tokenizers (installs them)
  store       the memory engine, beside other stores (installs them)
  soak        a million short texts through one process
./dev bench NAME --help lists the arguments of one, where it has any.
USAGE
}

name=${1:-kernels}
[ $# -eq 0 ] || shift
case $name in
kernels | embed | tokenizer | store | soak) ;;
-h | --help | help)
    bench_usage
    exit 0
    ;;
*)
    say "no benchmark '$name'; known: kernels, embed, tokenizer, store, soak"
    exit 2
    ;;
esac
case "$name $* " in
kernels\ *--help* | embed\ *--help* | tokenizer\ *--help* | store\ *--help*)
    install_packages python3
    python3 "$(ls bench/"$name"/run.py bench/"$name"/"$name"_bench.py 2>/dev/null | head -n 1)" --help
    exit 0
    ;;
esac
install_packages $need_check
case $name in
kernels)
    build_preset release memo_check
    python3 bench/kernels/run.py --program build/tests/memo_check --work build/bench/work "$@"
    ;;
embed)
    build_preset release memolith bench_embed bench_load bench_tokenizer
    bench_sources
    model_options=
    for class in f32 f16 bf16 int8 int4 lut4; do
        if file=$(default_model "$class" && echo "$model"); then
            model_options="$model_options --model $class=$file"
        else
            say "class $class is left out"
        fi
    done
    bench_peers onnxruntime,openvino,tokenizers,matplotlib
    "$peers" bench/embed/run.py --shared "$shared" --source "$source" --work build/bench/work \
        --programs build/bench $model_options "$@"
    ;;
tokenizer)
    build_preset release memolith bench_tokenizer
    bench_sources
    default_model int8
    bench_peers tokie,nanotoken,tokenizers
    "$peers" bench/tokenizer/tokenizer_bench.py --program build/bench/bench_tokenizer --model "$model" \
        --tokenizer-json "$source/tokenizer.json" --data "$shared/data" --work build/bench/work "$@"
    ;;
store)
    build_preset release memolith bench_store bench_ingest
    shared=$(shared_dir)
    [ -n "$shared" ] || die "SKIPPED: the peers' scripts are not beside this checkout (MEMO_SHARED names their folder)"
    default_model int8
    bench_peers numpy,sqlite_vec,lancedb,zvec
    "$peers" bench/store/run.py --shared "$shared" --work build/bench/store-work --programs build/bench \
        --model "$model" "$@"
    ;;
soak) # a million short texts; ./dev check soak is its first five thousand
    build_preset release memolith soak_points
    default_model int8
    build/tests/soak_points "$model" --texts 1000000 "$@"
    ;;
esac
