Models: compile, look inside, embed, tokenize.

## compile
$ memolith model compile "$TINY" -o out.safetensors
> out.safetensors
>   fingerprint  <sha256>
>   size         175.8 kB, 29 tensors, 21,200 parameters
>   note         there is no tokenizer.json: the tokenizer is made from vocab.txt, lower case (tokenizer_config.json)
! compiling <tests>/tiny-model needs about 662.3 kB of disk and 50.3 MB of memory
! licence: there is no LICENSE file in <tests>/tiny-model; the publisher's terms hold for the compiled file too
$ memolith model compile "$TINY" -o again.safetensors --format json
> {"path":"again.safetensors","fingerprint":"<sha256>","bytes":175840,"tensors":29,"parameters":21200,"unused":[],"warnings":["there is no tokenizer.json: the tokenizer is made from vocab.txt, lower case (tokenizer_config.json)"]}
! compiling <tests>/tiny-model needs about 662.3 kB of disk and 50.3 MB of memory
! licence: there is no LICENSE file in <tests>/tiny-model; the publisher's terms hold for the compiled file too
$ cmp out.safetensors again.safetensors
$ memolith model compile "$TINY"
! error[USAGE]: model compile needs -o FILE
!   fix: memolith model compile all-MiniLM-L6-v2/ -o minilm.f32.safetensors
? 2
$ memolith model compile "$TINY" -o x.safetensors --class int7
! error[USAGE]: --class is "int7"; allowed is f32|f16|bf16|int8|int4|lut4|auto
? 2
$ memolith model compile "$TINY" -o x.safetensors --max-tokens 2
! error[USAGE]: --max-tokens is "2"; allowed is a whole number from 3 to 1,048,576
!   fix: the nearest that is allowed is 3
? 2
$ memolith model compile "$TINY" -o x.safetensors --pooling cls --name 'a b' --max-tokens 16 --format quiet
$ memolith model show x.safetensors | grep -E '^a b|max_tokens|pooling'
> a b (bert, class f32, made by memolith <version>)
>   max_tokens             16  (option)
>   pooling                "cls"  (option)
$ cp -r "$TINY" source; chmod -R u+w source; echo terms > source/LICENSE; memolith model compile source -o y.safetensors --format json > report
! compiling source needs about 662.3 kB of disk and 50.3 MB of memory
! licence: the compiled file falls under LICENSE of source; keep it with the file
$ ls
> again.safetensors
> home
> model.safetensors
> out.safetensors
> report
> source
> x.safetensors
> y.safetensors

## compile to a link writes the file that it leads to
$ mkdir real; touch real/m; ln -s real/m link; memolith model compile "$TINY" -o link --force --format json | grep -o '"path.*fingerprint"'; readlink link; memolith model show real/m | wc -l
> "path":"link","file":"<folder>/real/m","fingerprint"
> real/m
> 76
! compiling <tests>/tiny-model needs about 662.3 kB of disk and 50.3 MB of memory
! licence: there is no LICENSE file in <tests>/tiny-model; the publisher's terms hold for the compiled file too
$ memolith model compile "$TINY" -o link --force | head -n 1
> link -> <folder>/real/m
! compiling <tests>/tiny-model needs about 662.3 kB of disk and 50.3 MB of memory
! licence: there is no LICENSE file in <tests>/tiny-model; the publisher's terms hold for the compiled file too
$ ln -s nowhere loose; memolith model compile "$TINY" -o loose --force
! compiling <tests>/tiny-model needs about 662.3 kB of disk and 50.3 MB of memory
! error[IO]: loose: a link to a file that does not exist
!   fix: remove the link, or make the file that it names first
? 1

## what it needs is said once nothing can be refused any more
$ memolith model compile "$TINY" -o x.safetensors --dims 33
! error[VALUE]: recipe: 33 dimensions, but the model's vectors have 32
!   fix: --dims from 1 to 32
? 1
$ memolith model compile "$TINY" -o x.safetensors --layers-average 9
! error[VALUE]: recipe: a mean of the last 9 layers, but the model has 2
!   fix: --layers-average from 1 to 2
? 1
$ memolith model compile "$TINY" -o x.safetensors --max-length 1000
! error[VALUE]: recipe: a maximum of 1000 tokens, but the model has 64 positions
!   fix: --max-tokens from 3 to 64
? 1
$ memolith model compile "$TINY" -o x.safetensors --dims 0
! error[USAGE]: --dims is "0"; allowed is a whole number from 1 to 65,536
!   fix: the nearest that is allowed is 1
? 2
$ memolith model compile "$TINY" -o x.safetensors --max-length 10 --max-tokens 11
! error[USAGE]: --max-tokens is 11 and --max-length 10, and both are one option
!   fix: give one of them
? 2
$ memolith model compile "$TINY" -o x.safetensors --class int8 --group 64
! error[USAGE]: group 64 is for --granularity group
!   fix: add that, or leave --group out
? 2
$ memolith model compile "$TINY" -o /proc/x
! compiling <tests>/tiny-model needs about 662.3 kB of disk and 50.3 MB of memory
! error[IO]: /proc/x: cannot create a temporary file beside it: No such file or directory
!   fix: make the folder first, or name another
? 1
$ memolith model bench model.safetensors --texts bad.txt
! error[NOTFOUND]: bad.txt: there is no such file
? 3
$ printf 'tea\n\377\n' > bad.txt; memolith model bench model.safetensors --texts bad.txt
! error[VALUE]: bad.txt: line 2: invalid UTF-8 at byte 0
? 1

## class int8
$ memolith model compile "$TINY" -o tiny.int8.safetensors --class int8 --name tiny
> tiny.int8.safetensors
>   fingerprint  <sha256>
>   size         89.9 kB, 46 tensors, 21,200 parameters
>   note         there is no tokenizer.json: the tokenizer is made from vocab.txt, lower case (tokenizer_config.json)
! compiling <tests>/tiny-model needs about 707.3 kB of disk and 117.4 MB of memory
! licence: there is no LICENSE file in <tests>/tiny-model; the publisher's terms hold for the compiled file too
$ memolith model show tiny.int8.safetensors | grep -v dB | grep -E 'class|fingerprint|word|layer.000.attention.qkv'
> tiny (bert, class int8, made by memolith <version>)
>   fingerprint            <sha256>
>   int8          [158, 32]  5,688 bytes  embeddings.word
>   int8          [96, 32]  6,912 bytes  layer.000.attention.qkv.weight
> report against class f32, <sha256>
>   I8    [158, 32]  5,056 bytes at 15616  embeddings.word
>   F32   [158]  632 bytes at 20672  embeddings.word.scale
>   F32   [96]  384 bytes at 24000  layer.000.attention.qkv.bias
>   I8    [6, 16, 64]  6,144 bytes at 24384  layer.000.attention.qkv.weight
>   F32   [96]  384 bytes at 30528  layer.000.attention.qkv.weight.scale
>   I32   [96]  384 bytes at 30912  layer.000.attention.qkv.weight.sum
$ memolith model show tiny.int8.safetensors -o json | $PYTHON -c 'import json, sys; m = json.load(sys.stdin); print(m["class"], m["fingerprint"], {t["dtype"] for t in m["tensors"] if t["name"].endswith(".weight") and len(t["shape"]) == 3})'
> int8 <sha256> {'I8'}
$ memolith model verify tiny.int8.safetensors
> tiny.int8.safetensors
>   checksums    2 blocks
>   fingerprint  matches
>   self-test    8 texts, 0 with other ids, largest difference <small>, least cosine <one>
$ memolith embed 'the spare key' --model tiny.int8.safetensors -o json | $PYTHON -c 'import json, sys; v = json.loads(sys.stdin.read()); print(len(v["vector"]), round(sum(x * x for x in v["vector"]), 5))'
> 32 1.0
# A store keeps the vectors of the two classes apart.
$ memolith add tea -o quiet && memolith add coffee --model tiny.int8.safetensors
! error[MISMATCH]: namespace "default" holds 1 vectors from tiny.f32@4bd40f01; this model is tiny.int8@0800b8c1 (same 32 dimensions, different weights).
!   Scores across the two would be meaningless, so nothing was written.
!   fix: memolith model set FILE --ns default   (embeds it anew while it is in use)   or   another namespace: --ns other   or   --model FILE of tiny.f32@4bd40f01
? 4
$ memolith search tea --model tiny.int8.safetensors
! error[MISMATCH]: namespace "default" holds 1 vectors from tiny.f32@4bd40f01; this model is tiny.int8@0800b8c1 (same 32 dimensions, different weights).
!   Scores across the two would be meaningless, so nothing was searched.
!   fix: memolith model set FILE --ns default   (embeds it anew while it is in use)   or   another namespace: --ns other   or   --model FILE of tiny.f32@4bd40f01
? 4

## classes mixed, and a compiled model made smaller
$ memolith model compile "$TINY" -o mixed.safetensors --class bf16 --set 'layer.*=int8' --set 'layer.000.ffn.*.weight=lut4/16:none' --set 'embeddings.word=f16' --name tiny --calibrate "$TINY/vocab.txt" | tail -n +3
>   size         92.4 kB, 47 tensors, 21,200 parameters
>   note         there is no tokenizer.json: the tokenizer is made from vocab.txt, lower case (tokenizer_config.json)
! compiling <tests>/tiny-model needs about 800.4 kB of disk and 117.4 MB of memory
! licence: there is no LICENSE file in <tests>/tiny-model; the publisher's terms hold for the compiled file too
$ memolith model show mixed.safetensors | sed -n '/^weights/,/^report/p'
> weights
>   f16           [158, 32]  10,112 bytes  embeddings.word
>   int8          [32, 32]  2,304 bytes  layer.000.attention.out.weight
>   int8          [96, 32]  6,912 bytes  layer.000.attention.qkv.weight
>   lut4/16:none  [32, 40]  1,344 bytes  layer.000.ffn.down.weight
>   lut4/16:none  [40, 32]  1,952 bytes  layer.000.ffn.up.weight
>   int8          [32, 32]  2,304 bytes  layer.001.attention.out.weight
>   int8          [96, 32]  6,912 bytes  layer.001.attention.qkv.weight
>   int8          [32, 40]  2,304 bytes  layer.001.ffn.down.weight
>   int8          [40, 32]  3,392 bytes  layer.001.ffn.up.weight
> report against class f32, <sha256>
$ memolith model show mixed.safetensors -o json | $PYTHON -c 'import json, sys; w = json.load(sys.stdin)["weights"]; print(w[0]["class"], w[3])'
> f16 {'name': 'layer.000.ffn.down.weight', 'format': 'lut4/16:none', 'class': 'lut4', 'activations': 'none', 'rows': 32, 'columns': 40, 'bytes': 1344}
$ memolith model compile "$TINY" -o tiny.safetensors --name tiny >tiny.out 2>&1; memolith model compile "$TINY" -o tiny.int8.safetensors --class int8 --name tiny >>tiny.out 2>&1
$ memolith model compress tiny.safetensors -o small.safetensors --class int8
> small.safetensors
>   fingerprint  <sha256>
>   size         89.9 kB, 46 tensors, 21,200 parameters
! compressing tiny.safetensors needs about 213.9 kB of disk and 100.7 MB of memory
$ memolith model show small.safetensors | grep fingerprint >a; memolith model show tiny.int8.safetensors | grep fingerprint >b; cmp a b && echo equal
> equal
$ memolith model compress small.safetensors -o again.safetensors --class f16
! error[UNSUPPORTED]: embeddings.word is stored as int8, from which f16 cannot be made without a second loss
!   fix: from the published folder: memolith model compile FOLDER --class f16
? 1
$ memolith model compress small.safetensors -o small.safetensors --class int4
! error[USAGE]: small.safetensors is the model that is to be compressed
? 2
$ memolith model compress small.safetensors -o again.safetensors
! error[USAGE]: model compress needs --class or --set
!   fix: memolith model compress minilm.f32.safetensors -o minilm.lut4.safetensors --class lut4
? 2
$ memolith model compile "$TINY" -o x.safetensors --force --set 'layer.9*=int8'
! error[USAGE]: the rule "layer.9*=int8" fits no weight
!   fix: names are like layer.000.attention.qkv.weight, layer.005.ffn.down.weight and embeddings.word
? 2
$ memolith model compile "$TINY" -o x.safetensors --force --set 'layer.*=int5'
! error[USAGE]: the rule "layer.*=int5": "int5" is not supported; supported are f32, f16, bf16, int8, int8/tensor, int8/32, int8/64, int8/128, int4/32, int4/64, int4/128, lut4/8, lut4/16, lut4/32 and lut4/tensor, the integer ones also with :none or :static
!   fix: e.g. layer.*=int8/64
? 2
$ memolith model compile "$TINY" -o x.safetensors --force --class int8 --palette kmeans --palette-group 8
! error[USAGE]: palette-group is for class lut4, and no weight gets that
? 2
$ memolith model compile "$TINY" -o x.safetensors --force --class lut4 --palette-bits 6
! error[USAGE]: --palette-bits is "6"; allowed is 4
? 2
$ memolith model compile "$TINY" -o x.safetensors --force --class int8 --activations static
! error[USAGE]: static activations need texts on which they are calibrated
!   fix: --calibrate FILE, one text a line
? 2
$ memolith model compile "$TINY" -o x.safetensors --force --class auto --target cos=2
! error[USAGE]: --target is "cos=2"; allowed is FIGURE=LEAST, above 0 and at most 1
? 2
$ memolith model compile "$TINY" -o x.safetensors --force --class auto --target cos=0.9 --target top10=0.5 2>&1 | grep -o 'class auto: matrices 8 lut4'
> class auto: matrices 8 lut4
$ memolith model compile "$TINY" -o x.safetensors --force --dims 8 --layers-average 2 --max-length 16 >x.out 2>&1; memolith model show x.safetensors | grep -E 'dims|layers_average|max_tokens|vector'
>   vector                 8 dimensions
>   max_tokens             16  (option)
>   layers_average         2  (option)
>   dims                   8  (option)
>   F32   [8, 8]  256 bytes at 174016  memolith.probe.vectors

## show, inspect and verify
$ memolith model show
> tiny (bert, class f32, made by memolith <version>)
>   fingerprint            <sha256>
>   source                 <sha256>
>   vector                 32 dimensions
>   layers                 2 of 32
>   parameters             21,200
>   file                   175,840 bytes
> recipe
>   architecture           "bert"  (config.json)
>   n_layers               2  (config.json)
>   hidden_size            32  (config.json)
>   n_heads                4  (config.json)
>   intermediate_size      40  (config.json)
>   vocab_size             158  (config.json)
>   n_positions            64  (config.json)
>   n_token_types          2  (config.json)
>   activation             "gelu_erf"  (config.json)
>   norm_eps               1e-12  (config.json)
>   max_tokens             64  (sentence_bert_config.json)
>   pooling                "mean"  (1_Pooling/config.json)
>   normalize              true  (modules.json)
>   prompt_query           ""  (default)
>   prompt_document        ""  (default)
> weights
>   f32           [158, 32]  20,224 bytes  embeddings.word
>   f32           [32, 32]  8,192 bytes  layer.000.attention.out.weight
>   f32           [96, 32]  24,576 bytes  layer.000.attention.qkv.weight
>   f32           [32, 40]  8,192 bytes  layer.000.ffn.down.weight
>   f32           [40, 32]  12,288 bytes  layer.000.ffn.up.weight
>   f32           [32, 32]  8,192 bytes  layer.001.attention.out.weight
>   f32           [96, 32]  24,576 bytes  layer.001.attention.qkv.weight
>   f32           [32, 40]  8,192 bytes  layer.001.ffn.down.weight
>   f32           [40, 32]  12,288 bytes  layer.001.ffn.up.weight
> report: none
> tensors (41)
>   F32   [32]  128 bytes at 4864  embeddings.norm.bias
>   F32   [32]  128 bytes at 4992  embeddings.norm.weight
>   F32   [64, 32]  8,192 bytes at 5120  embeddings.position
>   F32   [2, 32]  256 bytes at 13312  embeddings.token_type
>   F32   [158, 32]  20,224 bytes at 13568  embeddings.word
>   F32   [32]  128 bytes at 33792  layer.000.attention.norm.bias
>   F32   [32]  128 bytes at 33920  layer.000.attention.norm.weight
>   F32   [32]  128 bytes at 34048  layer.000.attention.out.bias
>   F32   [2, 64, 16]  8,192 bytes at 34176  layer.000.attention.out.weight
>   F32   [96]  384 bytes at 42368  layer.000.attention.qkv.bias
>   F32   [6, 64, 16]  24,576 bytes at 42752  layer.000.attention.qkv.weight
>   F32   [32]  128 bytes at 67328  layer.000.ffn.down.bias
>   F32   [2, 64, 16]  8,192 bytes at 67456  layer.000.ffn.down.weight
>   F32   [32]  128 bytes at 75648  layer.000.ffn.norm.bias
>   F32   [32]  128 bytes at 75776  layer.000.ffn.norm.weight
>   F32   [40]  160 bytes at 75904  layer.000.ffn.up.bias
>   U8    [32]  32 bytes at 76064  memolith.pad.16
>   F32   [3, 64, 16]  12,288 bytes at 76096  layer.000.ffn.up.weight
>   F32   [32]  128 bytes at 88384  layer.001.attention.norm.bias
>   F32   [32]  128 bytes at 88512  layer.001.attention.norm.weight
>   F32   [32]  128 bytes at 88640  layer.001.attention.out.bias
>   F32   [2, 64, 16]  8,192 bytes at 88768  layer.001.attention.out.weight
>   F32   [96]  384 bytes at 96960  layer.001.attention.qkv.bias
>   F32   [6, 64, 16]  24,576 bytes at 97344  layer.001.attention.qkv.weight
>   F32   [32]  128 bytes at 121920  layer.001.ffn.down.bias
>   F32   [2, 64, 16]  8,192 bytes at 122048  layer.001.ffn.down.weight
>   F32   [32]  128 bytes at 130240  layer.001.ffn.norm.bias
>   F32   [32]  128 bytes at 130368  layer.001.ffn.norm.weight
>   F32   [40]  160 bytes at 130496  layer.001.ffn.up.bias
>   U8    [32]  32 bytes at 130656  memolith.pad.28
>   F32   [3, 64, 16]  12,288 bytes at 130688  layer.001.ffn.up.weight
>   U8    [29576]  29,576 bytes at 142976  memolith.tokenizer
>   U8    [56]  56 bytes at 172552  memolith.pad.30
>   U8    [892]  892 bytes at 172608  memolith.probe.texts
>   U8    [4]  4 bytes at 173500  memolith.pad.31
>   U32   [9]  36 bytes at 173504  memolith.probe.cu_seqlens
>   U8    [28]  28 bytes at 173540  memolith.pad.32
>   U32   [293]  1,172 bytes at 173568  memolith.probe.ids
>   U8    [44]  44 bytes at 174740  memolith.pad.33
>   F32   [8, 32]  1,024 bytes at 174784  memolith.probe.vectors
>   U64   [4]  32 bytes at 175808  memolith.checksums
$ memolith model show -o json | $PYTHON -c 'import json, sys; m = json.load(sys.stdin); print(sorted(m)); print(m["dim"], m["layers"], len(m["tensors"]), m["recipe"]["pooling"])'
> ['architecture', 'bytes', 'class', 'dim', 'fingerprint', 'format', 'hidden_size', 'layers', 'made_by', 'max_tokens', 'metadata', 'name', 'parameters', 'recipe', 'report', 'source', 'special_tokens', 'tensors', 'weights']
> 32 2 41 {'value': 'mean', 'origin': '1_Pooling/config.json'}
$ memolith model inspect "$TINY/model.safetensors" | head -4
> <tests>/tiny-model/model.safetensors: safetensors, 37 tensors
>   format = pt
>   F32   [158, 32]  20,224 bytes at 3816  embeddings.word_embeddings.weight
>   F32   [64, 32]  8,192 bytes at 24040  embeddings.position_embeddings.weight
$ memolith model inspect "$TINY/model.safetensors" -o json | $PYTHON -c 'import json, sys; m = json.load(sys.stdin); print(m["format"], m["metadata"], len(m["tensors"]), m["tensors"][0])'
> safetensors {'format': 'pt'} 37 {'name': 'embeddings.word_embeddings.weight', 'dtype': 'F32', 'shape': [158, 32], 'bytes': 20224, 'offset': 3816}
$ memolith model verify
> <folder>/model.safetensors
>   checksums    3 blocks
>   fingerprint  matches
>   self-test    8 texts, 0 with other ids, largest difference <small>, least cosine <one>
$ memolith model verify -o json
> {"blocks_checked":3,"fingerprint_matches":true,"probes":8,"probe_ids_differ":0,"probe_max_abs_diff":0,"probe_min_cosine":1}
$ memolith model show "$TINY/model.safetensors"
! error[FORMAT]: <tests>/tiny-model/model.safetensors: not a compiled model: it has no memolith.format
!   fix: a published model is compiled with: memolith model compile FOLDER -o FILE
? 1
$ memolith model verify x --model y
! error[USAGE]: --model and "x" both name a model
? 2
$ echo 'not a model' > x; memolith model inspect x
! error[FORMAT]: x: header length 8029109312199880558 at byte 0, but the file has 4 bytes after it
? 1
$ printf '1234567' > x; memolith model inspect x
! error[FORMAT]: x: 7 bytes are shorter than 8, the length of the header's length
? 1

## a changed byte
$ $PYTHON -c 'd = bytearray(open("model.safetensors", "rb").read()); d[len(d) // 2] ^= 1; open("bad.safetensors", "wb").write(d)'
$ memolith model verify bad.safetensors
! error[CORRUPT]: the compiled model is damaged at bytes 70400 to 135936 (layer.000.ffn.down.weight to layer.001.ffn.up.weight): a checksum differs
!   fix: compile the model again
? 7
$ memolith model verify bad.safetensors -o json
! {"error":{"name":"CORRUPT","exit":7,"message":"the compiled model is damaged at bytes 70400 to 135936 (layer.000.ffn.down.weight to layer.001.ffn.up.weight): a checksum differs","fix":"compile the model again"}}
? 7

## embed
$ memolith embed 'tea' 'the cat' | wc
>       2      64     815
$ memolith embed 'tea' -o json | $PYTHON -c 'import json, sys; v = json.loads(sys.stdin.read()); print(sorted(v), len(v["vector"]), v["tokens"], v["total"], v["truncated"], round(sum(x * x for x in v["vector"]), 5))'
> ['tokens', 'total', 'truncated', 'vector'] 32 3 3 False 1.0
$ printf 'tea \377' | memolith embed - -o quiet
! error[VALUE]: text 1: invalid UTF-8 at byte 4 of 5
? 1
$ printf 'tea \377' | memolith embed - --replace-invalid-utf8 > a; memolith embed 'tea �' | cmp - a && echo same
> same
$ memolith embed '[SEP]' -o json | grep -o '"tokens".*'; memolith embed '[SEP]' -o json --safe-specials | grep -o '"tokens".*'
> "tokens":3,"total":3,"truncated":false}
> "tokens":7,"total":7,"truncated":false}
$ memolith embed "$(seq 100 | tr '\n' ' ')" -o json | grep -o '"tokens".*'
> "tokens":64,"total":194,"truncated":true}
! warning: 1 of 1 texts are longer than the model takes and were cut (--overlong), the first in text 1
$ memolith embed "$(seq 100 | tr '\n' ' ')" --overlong error
! error[LIMIT]: text 1 has 194 tokens, at most 64 are allowed
!   fix: keep its first or last tokens, or split it (--overlong head|tail|chunk)
? 1
$ printf 'tea' | memolith embed - > a; memolith embed tea | cmp - a && memolith embed tea --role query | cmp - a && memolith embed tea --threads 1 | cmp - a && echo same
> same
$ memolith embed
! error[USAGE]: embed needs TEXT, - or --ndjson FILE
!   fix: memolith embed 'a cat sat down' 'the kitten is sitting'
? 2
$ memolith embed tea --ndjson x
! error[USAGE]: --ndjson and "tea" both give texts
? 2
$ memolith embed tea --role poet
! error[USAGE]: --role is "poet"; allowed is document|query|none
? 2
$ memolith embed '' | wc -w
> 32

## embed NDJSON
$ for i in $(seq 700); do printf '{"text":"the cat number %s sat"}\n\n' $i; done > t.ndjson; printf '{"text":"the end"}' >> t.ndjson
$ memolith embed --ndjson t.ndjson -o npy > file.npy; memolith embed --ndjson - -o npy < t.ndjson | cmp - file.npy && head -c 10 file.npy | od -An -tx1
>  93 4e 55 4d 50 59 01 00 76 00
$ head -c 128 file.npy | tail -c 118
> {'descr': '<f4', 'fortran_order': False, 'shape': (701, 32), }
$ memolith embed --ndjson t.ndjson -o json > lines; wc -l < lines; memolith embed --ndjson - -o json < t.ndjson | cmp - lines
> 701
$ $PYTHON -c 'import json, struct; d = open("file.npy", "rb").read()[128:]; v = [x for l in open("lines") for x in json.loads(l)["vector"]]; print(len(d) == 4 * len(v), struct.pack("<%df" % len(v), *v) == d)'
> True True
$ printf '' | memolith embed --ndjson - -o npy | wc -c
> 128
$ printf '{"text":"a"}\n{"txt":"b"}\n' | memolith embed --ndjson - -o quiet
! error[FORMAT]: stdin: line 2: "text" is missing
? 1
$ printf '{"text":7}\n' | memolith embed --ndjson - -o quiet
! error[FORMAT]: stdin: line 1: "text" is not a string
? 1
$ printf '{"text":"a"}{' | memolith embed --ndjson - -o quiet
! error[FORMAT]: stdin: line 1: column 13: the end of the text expected near '{'
? 1
$ printf '{"text":"a","text":"b"}' | memolith embed --ndjson - -o quiet
! error[FORMAT]: stdin: line 1: column 13: duplicate name in one object near '"text":"b"}'
? 1
$ printf '{"text":"a\\u0000b"}\n' | memolith embed --ndjson - | wc -w
> 32
$ (printf '{"text":"'; head -c 9000000 /dev/zero | tr '\0' a; printf '"}') | memolith embed --ndjson - -o quiet
! error[LIMIT]: stdin: line 1 has more than 8388608 bytes
? 1
$ TMPDIR=/nowhere memolith embed --ndjson - -o npy < t.ndjson | wc -c
> 0
! error[IO]: /nowhere: cannot create a temporary file: No such file or directory

## embed names the line of the file, not the place in a batch
$ for i in $(seq 600); do printf '{"text":"tea"}\n\n'; done > t.ndjson; printf '{"text":"%s"}\n' "$(seq 100 | tr '\n' ' ')" >> t.ndjson
$ memolith embed --ndjson t.ndjson --overlong error -o quiet
! error[LIMIT]: t.ndjson: line 1201 has 194 tokens, at most 64 are allowed
!   fix: keep its first or last tokens, or split it (--overlong head|tail|chunk)
? 1
$ memolith embed --ndjson - -o quiet < t.ndjson
! warning: 1 of 601 texts are longer than the model takes and were cut (--overlong), the first in line 1201
$ memolith embed --ndjson t.ndjson -o ndjson 2> said | tail -n 2 | grep -o '"tokens".*'
> "tokens":3,"total":3,"truncated":false,"line":1199}
> "tokens":64,"total":194,"truncated":true,"line":1201}

## embed --out writes all or nothing
$ for i in $(seq 2000); do printf '{"text":"tea"}\n'; done > t.ndjson; memolith embed --ndjson t.ndjson -o npy > a.npy; memolith embed --ndjson t.ndjson -o npy --out b.npy; cmp a.npy b.npy && echo same
> same
$ memolith embed tea --out b.npy
! error[USAGE]: b.npy: exists already
!   fix: --force replaces it
? 2
$ memolith embed tea --out b.npy --force; memolith embed tea | cmp - b.npy && echo same
> same
$ memolith embed tea --out c -o quiet
! error[USAGE]: --out wants the vectors and -o quiet none
? 2
$ printf '{"text":7}\n' >> t.ndjson; memolith embed --ndjson t.ndjson -o npy --out c.npy
! error[FORMAT]: t.ndjson: line 2001: "text" is not a string
? 1
$ ls -A
> a.npy
> b.npy
> home
> model.safetensors
> t.ndjson

## an array that breaks off on stdout is said to be incomplete
$ for i in $(seq 2000); do printf '{"text":"tea"}\n'; done > t.ndjson; printf '{"text":7}\n' >> t.ndjson; memolith embed --ndjson t.ndjson -o npy > part.npy
! warning: the array on stdout is incomplete: fewer rows than its header says (--out FILE writes all or nothing)
! error[FORMAT]: t.ndjson: line 2001: "text" is not a string
? 1
$ printf '{"text":7}\n' | memolith embed --ndjson - -o npy | wc -c
> 0
! error[FORMAT]: stdin: line 1: "text" is not a string

## embed stops within a text
$ $PYTHON $HELPERS/stop_embed.py SIGINT
> still at work
> exit 1, CANCELLED, 0 bytes of output
> at once

## limits 108: a model that is cut short while it is mapped
$ cp model.safetensors short.safetensors; $PYTHON $HELPERS/cut_model.py short.safetensors
> exit 1, 0 bytes of output
> error[IO]: a file that is mapped was cut short, or its disk failed, while it was read
>   fix: memolith model verify FILE   (make the model again if it says so)
$ cp model.safetensors short.safetensors; $PYTHON $HELPERS/cut_model.py short.safetensors -o json
> exit 1, 0 bytes of output
> {"error":{"name":"IO","exit":1,"message":"a file that is mapped was cut short, or its disk failed, while it was read","fix":"memolith model verify FILE"}}

## tokenize
$ memolith tokenize 'The spare key, Zürich'
>        2  [CLS]
>      111  the  0-3
>      130  spare  4-9
>      131  key  10-13
>       16  ,  13-14
>       68  z  15-16
>      103  ##u  16-18
>      100  ##r  18-19
>       91  ##i  19-20
>       85  ##c  20-21
>       90  ##h  21-22
>        3  [SEP]
$ memolith tokenize 'The cat' 'tea' -o json
> {"ids":[2,111,145,3],"offsets":[[0,0],[0,3],[4,7],[0,0]]}
> {"ids":[2,147,3],"offsets":[[0,0],[0,3],[0,0]]}
$ printf '{"text":"The cat"}\n{"text":""}\n' | memolith tokenize --ndjson - -o json
> {"ids":[2,111,145,3],"offsets":[[0,0],[0,3],[4,7],[0,0]]}
> {"ids":[2,3],"offsets":[[0,0],[0,0]]}

## doctor
$ memolith doctor
> ok    machine   <machine>
> ok    model     tiny 4bd40f019c27ba49, 3 blocks whole, self-test of 8 texts passed (difference <small>)
> ok    store     there is no store at <folder>/home/.local/share/memolith/default.memo yet
$ memolith add tea -o quiet; memolith doctor
> ok    machine   <machine>
> ok    model     tiny 4bd40f019c27ba49, 3 blocks whole, self-test of 8 texts passed (difference <small>)
> ok    store     1 record, 1 chunk, 1 vector, 565.2 kB, schema 2
> ok    place     on a local file system, <n> MB free
> ok    log       the write-ahead log has <n> bytes
> ok    sqlite    SQLite <version>, 16384 KiB of page cache
> ok    lock      nobody is writing
> ok    index     there is none: small stores need none, a search makes one
> ok    pages     69 pages of 8192 bytes: structure and checksums are right
> ok    schema    version 2, nothing foreign in it
> ok    records   1 records and versions, all checksums match
> ok    tables    0 rows of other tables, all checksums match
> ok    vectors   1 vectors, all checksums match
> ok    fulltext  rows compared; FTS5's own check needs a store opened for writing
> ok    model     the vectors of namespace "default" come from this model
> ok    model     a stored text embedded again differs by at most 0.0e+00 from its vector, cosine 1.000000
$ memolith doctor -o json | $PYTHON -c 'import json, sys; d = json.load(sys.stdin); print(d["worst"], sorted({f["area"] for f in d["findings"]}))'
> ok ['fulltext', 'index', 'lock', 'log', 'machine', 'model', 'pages', 'place', 'records', 'schema', 'sqlite', 'store', 'tables', 'vectors']
$ memolith doctor -f nowhere.memo
> ok    machine   <machine>
> ok    model     tiny 4bd40f019c27ba49, 3 blocks whole, self-test of 8 texts passed (difference <small>)
> bad   store     there is no store at nowhere.memo yet
>       fix: memolith add 'something to remember'   or   memolith import FOLDER   or   -f FILE for another store
! error[NOTFOUND]: 1 of 3 findings is bad
? 3
$ $PYTHON -c 'd = bytearray(open("model.safetensors", "rb").read()); d[len(d) // 2] ^= 1; open("bad.safetensors", "wb").write(d)'; memolith doctor --model bad.safetensors
> ok    machine   <machine>
> bad   model     the compiled model is damaged at bytes 70400 to 135936 (layer.000.ffn.down.weight to layer.001.ffn.up.weight): a checksum differs
>       fix: compile the model again
> ok    store     1 record, 1 chunk, 1 vector, 565.2 kB, schema 2
> ok    place     on a local file system, <n> MB free
> ok    log       the write-ahead log has <n> bytes
> ok    sqlite    SQLite <version>, 16384 KiB of page cache
> ok    lock      nobody is writing
> ok    index     there is none: small stores need none, a search makes one
> ok    pages     69 pages of 8192 bytes: structure and checksums are right
> ok    schema    version 2, nothing foreign in it
> ok    records   1 records and versions, all checksums match
> ok    tables    0 rows of other tables, all checksums match
> ok    vectors   1 vectors, all checksums match
> ok    fulltext  rows compared; FTS5's own check needs a store opened for writing
> ok    model     no model was given: vectors are not compared
>       fix: memolith doctor --model FILE
! error[CORRUPT]: 1 of 15 findings is bad
? 7

## limits 109: a source that has changed since it was compiled is named with both hashes
$ cp -r "$TINY" source; chmod -R u+w source; memolith model compile source -o m.safetensors --name tiny --format quiet; memolith model show m.safetensors --source source | grep -E '^tiny|source'
> tiny (bert, class f32, made by memolith <version>)
>   source                 <sha256>
$ echo 'not read when compiling' > source/README.md; memolith model show m.safetensors --source source --format quiet
$ printf ' ' >> source/config.json; memolith model show m.safetensors --source source --format quiet
! warning: source has changed: the model was compiled from <sha256>, the folder is now <sha256>; compile it again
$ rm source/config.json; memolith model show m.safetensors --source source --format quiet
! error[IO]: source/config.json: cannot open: No such file or directory
!   fix: a model folder holds config.json, tokenizer.json or vocab.txt, and model.safetensors
? 1

## limits 101: what no file says has its documented default, shown with its origin
$ cp -r "$TINY" source; chmod -R u+w source; rm source/modules.json source/1_Pooling/config.json; memolith model compile source -o m.safetensors --format quiet; memolith model show m.safetensors | grep -E 'pooling|normalize'
>   pooling                "mean"  (default)
>   normalize              true  (default)

## limits 36: weights that are not finite
$ cp -r "$TINY" source; chmod -R u+w source; $PYTHON -c 'f = open("source/model.safetensors", "r+b"); f.seek(-4, 2); f.write(bytes([0, 0, 192, 127]))'
$ memolith model compile source -o m.safetensors --format quiet
! error[VALUE]: model.safetensors: tensor "encoder.layer.1.output.LayerNorm.bias" holds NaN at index 31
!   fix: the file is damaged or was saved during training; --allow-nonfinite keeps such weights
? 1
$ memolith model compile source -o m.safetensors --format quiet --class int8
! error[VALUE]: model.safetensors: tensor "encoder.layer.1.output.LayerNorm.bias" holds NaN at index 31
!   fix: the file is damaged or was saved during training; --allow-nonfinite keeps such weights
? 1
$ memolith model compile source -o m.safetensors --format quiet --allow-nonfinite
$ ls
> home
> m.safetensors
> model.safetensors
> source
$ memolith embed tea --model m.safetensors
! error[VALUE]: text 1: its vector is not finite or has no length; the model's weights cannot represent it
? 1

## bench
$ memolith model bench --seconds 1 --threads 1 | sed -E 's/[0-9]+\.[0-9]+/N/g; s/machine .*, level [a-z0-9_]+/machine M, level L/; s/\([0-9]+ calls\)/(N calls)/; s/^( +[0-9]+ +[0-9]+) +N +[0-9]+ +N$/\1 N N N/'
> <folder>/model.safetensors: tiny (bert, class f32)
>   machine M, level L, 1 thread
>   load     open N ms, first vector N ms; again N ms, N ms
>   latency  p50 N ms, p90 N ms, p99 N ms of one text of 8 tokens (N calls)
>   memory   N MB resident at most, the model's file mapped: N kB
>   tokens  batch     texts/s     tokens/s     ms a call
>        8      1 N N N
>        8      8 N N N
>        8     32 N N N
>       32      1 N N N
>       32      8 N N N
>       32     32 N N N
>       64      1 N N N
>       64      8 N N N
>       64     32 N N N
$ memolith model bench --seconds 1 --threads 2 -o json > report; $PYTHON -c 'import json; r = json.load(open("report")); print(sorted(r)); print(sorted(r["figures"][0])); print([(x["tokens"], x["batch"]) for x in r["figures"]], r["class"], r["threads"])'
> ['again_first_vector_ms', 'again_open_ms', 'class', 'figures', 'file_bytes', 'fingerprint', 'first_vector_ms', 'level', 'machine', 'model', 'open_ms', 'path', 'peak_bytes', 'threads']
> ['batch', 'calls', 'p50_ms', 'p90_ms', 'p99_ms', 'texts_s', 'tokens', 'tokens_s']
> [(8, 1), (8, 8), (8, 32), (32, 1), (32, 8), (32, 32), (64, 1), (64, 8), (64, 32)] f32 2
$ $PYTHON -c 'import json; r = json.load(open("report")); print([x for x in r["figures"] if not (x["calls"] > 0 and 0 < x["p50_ms"] <= x["p90_ms"] <= x["p99_ms"] and abs(x["tokens_s"] / x["texts_s"] - x["tokens"]) < 1e-3 * x["tokens"])], r["peak_bytes"] > r["file_bytes"], min(r["open_ms"], r["first_vector_ms"], r["again_open_ms"], r["again_first_vector_ms"]) > 0)'
> [] True True
# Texts of one's own: batches as large as there are texts.
$ seq 40 > texts; memolith model bench --texts texts --seconds 1 -o json | $PYTHON -c 'import json, sys; print([(x["batch"], "tokens" in x) for x in json.load(sys.stdin)["figures"]])'
> [(1, False), (8, False), (32, False)]
$ printf 'the spare key\n\ntea\n' | memolith model bench --texts - --seconds 1 -o quiet
$ : > empty; memolith model bench --texts empty
! error[VALUE]: empty holds no text
? 1
$ memolith model bench --texts nowhere
! error[NOTFOUND]: nowhere: there is no such file
? 3
$ memolith model bench --seconds 0
! error[USAGE]: --seconds is "0"; allowed is a whole number from 1 to 3,600
!   fix: the nearest that is allowed is 1
? 2
$ memolith model bench nowhere.safetensors
! error[NOTFOUND]: nowhere.safetensors: there is no such model
!   fix: ./dev model CLASS or memolith model compile makes one
? 3
$ memolith benchmark
! error[USAGE]: there is no verb "benchmark"
!   fix: memolith bench?   (memolith help lists the verbs)
? 2
