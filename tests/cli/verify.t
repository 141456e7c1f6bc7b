What a class costs: model verify beside a reference and golden vectors. Figures depend on the CPU level in their last digits, so they are replaced or held against bounds.

## against a compiled model
$ memolith model compile "$TINY" -o tiny.int8.safetensors --class int8 --name tiny --format quiet
$ memolith model verify tiny.int8.safetensors --against model.safetensors | sed -E 's/-?[0-9]+\.[0-9]+(e-[0-9]+)?/N/g; s/N +/N /g; s/worst text.*/worst text/'
> tiny.int8.safetensors
>   checksums    2 blocks
>   fingerprint  matches
>   self-test    8 texts, 0 with other ids, largest difference <small>, least cosine <one>
> against model.safetensors
>   tensors      20 equal in every bit, 9 with loss
>      N dB  error at most N of N int8  [158, 32]  embeddings.word
>      N dB  error at most N of N int8  [32, 32]  layer.000.attention.out.weight
>      N dB  error at most N of N int8  [96, 32]  layer.000.attention.qkv.weight
>      N dB  error at most N of N int8  [32, 40]  layer.000.ffn.down.weight
>      N dB  error at most N of N int8  [40, 32]  layer.000.ffn.up.weight
>      N dB  error at most N of N int8  [32, 32]  layer.001.attention.out.weight
>      N dB  error at most N of N int8  [96, 32]  layer.001.attention.qkv.weight
>      N dB  error at most N of N int8  [32, 40]  layer.001.ffn.down.weight
>      N dB  error at most N of N int8  [40, 32]  layer.001.ffn.up.weight
>   states       of 64 texts
>     embeddings  cosine N, least N, relative error N
>     layer 0     cosine N, least N, relative error N
>     layer 1     cosine N, least N, relative error N
>   vectors      of 64 texts: cosine N, 1st percentile N, least N
>     top-10 overlap N, rank correlation of similarities N
>     worst text
$ memolith model verify tiny.int8.safetensors --against model.safetensors -o json > report; $PYTHON -c 'import json; r = json.load(open("report")); a = r["against"]; print(sorted(r)); print(sorted(a), a["texts"], len(r["layers"]), len(r["tensors"]), r["tensors_equal"], r["gates"]); print(0.998 < a["cosine_mean"] < 1, 0.99 < a["cosine_min"] <= a["cosine_p01"], a["spearman"] > 0.99, min(t["snr_db"] for t in r["tensors"]) > 30)'
> ['against', 'blocks_checked', 'fingerprint_matches', 'gates', 'layer_texts', 'layers', 'probe_ids_differ', 'probe_max_abs_diff', 'probe_min_cosine', 'probes', 'tensors', 'tensors_equal']
> ['cosine_mean', 'cosine_min', 'cosine_p01', 'path', 'spearman', 'texts', 'top10_overlap', 'worst', 'worst_text'] 64 3 9 20 []
> True True True True
$ memolith model verify --against model.safetensors -o json | $PYTHON -c 'import json, sys; r = json.load(sys.stdin); print(r["tensors"], r["tensors_equal"], r["layers"][2]["relative_error"], r["against"]["top10_overlap"])'
> [] 29 0 1
$ memolith model verify tiny.int8.safetensors --against tiny.int8.safetensors --gate snr=30 | grep -E 'bit|dB|gate'
>   tensors      29 equal in every bit, 0 with loss
> gate snr       inf, at least 30: ok

## against a model of other dimensions
$ memolith model compile "$TINY" -o short.safetensors --dims 8 --name tiny --format quiet
$ memolith model verify short.safetensors --against model.safetensors --gate cos=0.999999 -o json | $PYTHON -c 'import json, sys; r = json.load(sys.stdin); print(r["against"]["texts"], r["against"]["top10_overlap"], r["gates"][0]["passed"])'
> 64 1 True
$ memolith model verify --against short.safetensors -o quiet
! error[MISMATCH]: the reference's vectors have 8 dimensions, the model's have 32
? 4

## the report that a model carries
$ memolith model compile "$TINY" -o tiny.int8.safetensors --class int8 --name tiny --format quiet
$ memolith model show tiny.int8.safetensors | sed -n '/^report/,/^tensors/p' | sed -E 's/-?[0-9]+\.[0-9]+(e-[0-9]+)?/N/g; s/N +/N /g; s/worst text.*/worst text/'
> report against class f32, <sha256>
>   tensors      20 equal in every bit, 9 with loss
>      N dB  error at most N of N int8  [158, 32]  embeddings.word
>      N dB  error at most N of N int8  [32, 32]  layer.000.attention.out.weight
>      N dB  error at most N of N int8  [96, 32]  layer.000.attention.qkv.weight
>      N dB  error at most N of N int8  [32, 40]  layer.000.ffn.down.weight
>      N dB  error at most N of N int8  [40, 32]  layer.000.ffn.up.weight
>      N dB  error at most N of N int8  [32, 32]  layer.001.attention.out.weight
>      N dB  error at most N of N int8  [96, 32]  layer.001.attention.qkv.weight
>      N dB  error at most N of N int8  [32, 40]  layer.001.ffn.down.weight
>      N dB  error at most N of N int8  [40, 32]  layer.001.ffn.up.weight
>   states       of 64 texts
>     embeddings  cosine N, least N, relative error N
>     layer 0     cosine N, least N, relative error N
>     layer 1     cosine N, least N, relative error N
>   vectors      of 64 texts: cosine N, 1st percentile N, least N
>     top-10 overlap N, rank correlation of similarities N
>     worst text
> tensors (65)
$ memolith model show tiny.int8.safetensors -o json >shown; memolith model verify tiny.int8.safetensors --against "$TINY" --portable yes -o json >measured; $PYTHON -c 'import json; a = json.load(open("shown"))["report"]; b = json.load(open("measured")); print(sorted(a), a["reference_class"]); c = b["against"]; near = lambda x, y: abs(x - y) <= 1e-8 * abs(y); print(all(near(a["against"][k], c[k]) for k in c if k not in ("path", "worst_text"))); print(all(near(x["snr_db"], y["snr_db"]) and x["name"] == y["name"] for x, y in zip(a["tensors"], b["tensors"])), len(a["tensors"]) == len(b["tensors"]))'
> ['against', 'layer_texts', 'layers', 'reference', 'reference_class', 'tensors', 'tensors_equal', 'version'] f32
> True
> True True
$ memolith model compile "$TINY" -o plain.safetensors --class int8 --name tiny --no-report --format quiet; memolith model show plain.safetensors | grep -E '^report'; memolith model show plain.safetensors -o json | grep -o '"report":null'
> report: none
> "report":null
$ memolith model show plain.safetensors | grep fingerprint >a; memolith model show tiny.int8.safetensors | grep fingerprint >b; cmp a b && echo equal
> equal
$ memolith model compress model.safetensors -o small.safetensors --class bf16 --format quiet; memolith model show small.safetensors | grep -E '^report|equal'
> report against class f32, <sha256>
>   tensors      21 equal in every bit, 8 with loss

## vectors that are equal on every level
$ memolith model compile "$TINY" -o tiny.int8.safetensors --class int8 --name tiny --format quiet
$ for level in avx2 auto; do memolith embed 'a cat sat down' 'tea' --model tiny.int8.safetensors --portable yes --cpu $level -o npy >$level.npy || echo no level $level; done; [ ! -s avx2.npy ] || cmp avx2.npy auto.npy
$ MEMOLITH_PORTABLE=maybe memolith embed tea
! error[USAGE]: MEMOLITH_PORTABLE is "maybe"; allowed is no|yes
? 2
$ memolith doctor --env --portable yes | grep PORTABLE
> MEMOLITH_PORTABLE    yes  (flag)

## against the published folder, with gates
$ memolith model compile "$TINY" -o tiny.int8.safetensors --class int8 --name tiny --format quiet
$ memolith model verify tiny.int8.safetensors --against "$TINY" --gate cos=0.99 --gate snr=30 | grep -E '^gate' | sed -E 's/ [0-9]+\.[0-9]+,/ N,/'
> gate cos       N, at least 0.99: ok
> gate snr       N, at least 30: ok
$ memolith model verify tiny.int8.safetensors --against "$TINY" --gate cos=2
! error[USAGE]: --gate cos=2: cos is never above 1
!   fix: --gate cos=0.99, or any other from -1 to 1
? 2
$ mkdir tmp; TMPDIR=$PWD/tmp memolith model verify tiny.int8.safetensors --against "$TINY" --gate layer=0.9999999 --format quiet 2>message; echo $?; sed -E 's/is [0-9.]+/is N/' message; ls tmp
> 6
> error[VERIFY]: 1 of 1 gates: layer is N, at least 0.9999999 is wanted

## a poor model does not pass
$ cp -r "$TINY" poor; chmod -R u+w poor; $PYTHON $HELPERS/spoil_weight.py poor/model.safetensors encoder.layer.1.output.dense.weight 300; memolith model compile poor -o poor.safetensors --class int8 --name tiny --format quiet
$ memolith model verify poor.safetensors --format quiet && echo whole
> whole
$ memolith model verify poor.safetensors --against "$TINY" --gate cos=0.99 --gate snr=30 --gate layer=0.99 --gate top10=0.1 > out 2>message; echo $?; grep '^gate' out | sed -E 's/ -?[0-9]+\.[0-9]+(e-[0-9]+)?,/ N,/'; sed -E 's/is -?[0-9.]+/is N/g' message
> 6
> gate cos       N, at least 0.99: FAILED
> gate snr       N, at least 30: FAILED
> gate layer     N, at least 0.99: FAILED
> gate top10     N, at least 0.1: ok
> warning: <tests>/tiny-model is not what the model was compiled from, or has changed since
> error[VERIFY]: 3 of 4 gates: cos is N, at least 0.99 is wanted; snr is N, at least 30 is wanted; layer is N, at least 0.99 is wanted
$ memolith model verify poor.safetensors --against "$TINY" -o json --gate snr=30 2>/dev/null | $PYTHON -c 'import json, sys; r = json.load(sys.stdin); t = min(r["tensors"], key=lambda t: t["snr_db"]); print(t["name"], t["snr_db"] < 0, [g["passed"] for g in r["gates"]])'
> layer.001.ffn.down.weight True [False]

## golden vectors
$ mkdir golden; printf '{"text":"tea"}\n{"text":"the spare key"}\n{"prefix":"the ","text":"garden door"}\n' > golden/texts.jsonl; printf '{"text":"tea"}\n{"text":"the spare key"}\n{"text":"the garden door"}\n' | memolith embed --ndjson - --role none -o npy > golden/emb_f32.npy
$ memolith model verify --golden golden --gate cos-min=0.99999 | sed '1,4d; s/worst text.*/worst text/; s/min  .*, at/min N, at/'
> golden golden
>   vectors      of 3 texts: cosine 1.00000, 1st percentile 1.00000, least 1.00000
>     top-10 overlap 1.0000, rank correlation of similarities 1.00000
>     worst text
> gate cos-min N, at least 0.99999: ok
$ memolith model verify --golden golden --gate snr=1
! error[USAGE]: snr is measured beside a reference, and there is none
? 2
$ rm golden/emb_f32.npy; memolith model verify --golden golden --format quiet
! error[IO]: golden/emb_f32.npy: cannot open: No such file or directory
? 1
$ memolith model verify --golden nowhere --format quiet
! error[IO]: nowhere/texts.jsonl: cannot open: No such file or directory
? 1

## wrong gates
$ memolith model verify --gate cos=0.9
! error[USAGE]: --gate needs --against or --golden
? 2
$ memolith model verify --against model.safetensors --gate cosine=0.9
! error[USAGE]: "cosine" is no figure; allowed are cos, cos-p01, cos-min, top10, spearman, layer and snr
? 2
$ memolith model verify --against model.safetensors --gate cos=high
! error[USAGE]: --gate is "cos=high"; allowed is FIGURE=LEAST
!   fix: --gate cos=0.997
? 2
$ memolith model verify --against model.safetensors --gate cos=0x1
! error[USAGE]: --gate is "cos=0x1"; allowed is FIGURE=LEAST
!   fix: --gate cos=0.997
? 2
$ memolith model verify --against model.safetensors --gate cos
! error[USAGE]: --gate is "cos"; allowed is NAME=VALUE
? 2
$ memolith model verify --against nothing.safetensors
> <folder>/model.safetensors
>   checksums    3 blocks
>   fingerprint  matches
>   self-test    8 texts, 0 with other ids, largest difference <small>, least cosine <one>
! error[NOTFOUND]: nothing.safetensors: there is no such model
!   fix: ./dev model CLASS or memolith model compile makes one
? 3
$ memolith model compile "$TINY" -o short.safetensors --max-tokens 16 --format quiet; memolith model verify short.safetensors --against model.safetensors --format quiet

## a model by its name in the cache folder
$ mkdir -p cache/models; memolith model compile "$TINY" -o cache/models/small.int8.safetensors --class int8 --name small --format quiet; memolith model compile "$TINY" -o cache/models/small.f32.safetensors --name small --format quiet
$ memolith model show small.int8 --cache-dir cache | head -1; memolith model show small --cache-dir cache | head -1; memolith model show --model small.int8 --cache-dir cache | head -1
> small (bert, class int8, made by memolith <version>)
> small (bert, class f32, made by memolith <version>)
> small (bert, class int8, made by memolith <version>)
$ memolith model verify small.int8 --cache-dir cache | head -1
> cache/models/small.int8.safetensors
$ memolith model show small.int4 --cache-dir cache
! error[NOTFOUND]: small.int4: there is no such model
!   fix: there are small.f32, small.int8; ./dev model CLASS or memolith model compile makes one
? 3
$ cp model.safetensors small.int8; memolith model show small.int8 --cache-dir cache | head -1
> tiny (bert, class f32, made by memolith <version>)
