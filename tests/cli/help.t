What the command says about itself.

## help
$ memolith help | head -3
> memolith add 'the spare key is under the third flower pot'
> memolith search 'I am locked out, who has a key'
>
$ memolith --help | head -1
> memolith add 'the spare key is under the third flower pot'
$ memolith -h | head -1
> memolith add 'the spare key is under the third flower pot'
$ memolith help search
> memolith search 'I am locked out, who has a key' -k 3
>
> memolith search: find what is near a question: by meaning, by words, by identifiers.
> The words are joined by spaces; - reads the query from stdin. A filter narrows what is
> searched; its fields are id key title text source tags created updated expires version trust
> tier pinned echo parent meta.NAME, its operators = != < <= > >= in (a, b), between a and b,
> exists, prefix 's', contains 's', joined by and, or, not; or the same as JSON:
> '{"tags": "gift", "created": {">=": "now-7d"}}'. trust is 'trusted', 'untrusted' or
> 'unknown', tier 'goals', 'hot' or 'rest', pinned true or false. != leaves out the records
> without the field (of tags: those that have the tag); comparisons of text are exact in case.
>
> usage: memolith search QUERY... [options]
>
> options:
>   -k, --limit N               hits wanted (default 10), 1 to 1,000
>       --where FILTER          only records that match, e.g. "tags = 'gift' and created >= now-7d"
>       --mode hybrid|dense|lexical
>                               by meaning and words, by meaning, or by words (default hybrid)
>       --chunks                show every matching chunk of a record
>       --min-score SCORE       hide hits below it, and say how many (default none)
>       --diversity PERCENT     prefer hits that are unlike those before them (MMR; default 0), 1 to 100
>       --drop-duplicates       hide hits that repeat a better one, and say how many
>       --recency PERCENT       weight of how new a record is, beside 100 of the other lanes (default 50 when the query says latest, recent, today ..., else 0), 0 to 1,000
>       --half-life DAYS        after which newness counts half (default 30), 1 to 100,000
>       --explain               show each lane's rank, score and share, the matched words and the timings
>       --queries FILE|-        run many: NDJSON lines with _id and text; one JSON line comes out for each
>       --vector FILE|JSON      the vector: *.npy, *.json or [0.1, -2, ...]
>       --vector-field FIELD    NDJSON field with a ready vector, an array of numbers; with --space
>       --space NAME            vectors are brought, not made here: the name of what made them, e.g. openai/ada-3
>       --actor WHO             who asks or acts
>       --surface WHERE         where it is asked, e.g. chat
>       --no-log                keep nothing of this search
>       --latency-log FILE      append a JSON line for each search that takes at least --slow-ms
>       --as-of DATE            as it was at that moment; what was forgotten since is in no past
>       --ns NAME               namespace (default "default")
>   -o, --format text|json|ndjson|quiet
>                               how results are written (default text)
>   -h, --help                  explain the verb
>
> settings, also from the environment and the configuration file (see memolith doctor --env):
>       --slow-ms N             which searches --latency-log tells of: those that take at least this many milliseconds, 0 to 86,400,000
>   -f, --db FILE               the store, one file
>       --model FILE|NAME       the compiled model that turns text into vectors, or its name in the cache folder (all-MiniLM-L6-v2.int8)
>       --cache-dir FOLDER      where models lie; nothing in it is the only copy of anything
>       --portable no|yes       attention in f32 in every class: the same vectors on every CPU from avx2 on, at some cost in speed (class bf16: where products of bf16 are equal)
>       --cpu auto|ref|avx2|avx512|avx512vnni|avx512bf16|amx|neon|neon_dot|neon_i8mm
>                               highest instruction-set level to use; of this architecture's, the best that is here and not above it
>       --threads N             threads that compute, the calling one included, 1 to 256
>       --mem-limit SIZE        largest working memory that one call may plan; bounds SQLite and the process too
>       --log error|warn|info|debug
>                               least severe message that is written to stderr
$ memolith search --help | head -1
> memolith search 'I am locked out, who has a key' -k 3
$ memolith help model
> memolith model compile all-MiniLM-L6-v2/ -o minilm.f32.safetensors
>
>   model compile   turn a published model folder into one file that runs
>   model compress  turn a compiled model into a smaller one
>   model show      show a compiled model: recipe with origins, weights, report, tensors, fingerprint
>   model list      list the models of the cache folder, and what the store holds of which
>   model set       give a namespace another model, while it is in use
>   model rollback  go back to the model that a namespace had before
>   model inspect   list the tensors of any model file, or name what is wrong with it
>   model verify    prove a compiled model whole, and measure what its class costs
>   model bench     measure a compiled model on this machine: speed, latency, load time, memory
>
> memolith help model VERB explains one.
$ memolith help model compile
> memolith model compile all-MiniLM-L6-v2/ -o minilm.f32.safetensors
>
> memolith model compile: turn a published model folder into one file that runs.
> FOLDER holds config.json, tokenizer.json (or vocab.txt) and model.safetensors as published.
> FORMAT of --set is CLASS[/GRAIN][:ACTIVATIONS]: f32, f16, bf16, int8, int8/channel,
> int8/tensor, int8/64, int4/32, lut4/16, lut4/tensor, each of the integer ones also with
> :dynamic, :none or :static. Names of weights: memolith model show.
>
> usage: memolith model compile FOLDER [options]
>
> options:
>   -o, --out FILE              the compiled model to write
>       --class f32|f16|bf16|int8|int4|lut4|auto
>                               how weights are stored (precision, quantization): f32 as published; f16, bf16 half the size; int8 bytes with a scale per channel; int4 4-bit integers per block; lut4 palettized 4-bit (k-means); auto the cheapest for each matrix (default f32)
>       --granularity channel|tensor|group
>                               int8: a scale per channel (row), per tensor, or per group of inputs (default channel)
>       --group 32|64|128       int8 by group: inputs that share a scale (default 64)
>       --scales absmax|search  int8: scales from the largest value, or by a search for the least squared error, which may clip it (default absmax)
>       --block-size 32|64|128  int4: inputs of a block with a multiplier of its own (per-block; default 32)
>       --palette kmeans|uniform
>                               lut4: clustered palettes (k-means, least squared error) or evenly spaced ones (default kmeans)
>       --palette-group 8|16|32|tensor
>                               lut4: channels that share a palette (grouped channels; default 8)
>       --palette-bits 4        lut4: bits of an index (4)
>       --palette-scales channel|tensor
>                               lut4: a scale per channel beside the palette, or one for the matrix (default channel)
>       --activations dynamic|none|static
>                               int8, int4, lut4: inputs quantized token by token (W8A8), not at all (W8A16, W4A16), or by ranges from --calibrate (default dynamic)
>       --calibrate FILE|none   texts, one a line, on which inputs are measured (calibration): the ranges of static activations, and which inputs matter to a search; int4 and lut4 take 512 of our own up to a billion parameters; none: not at all
>       --set PATTERN=FORMAT    mixed: another format for the weights whose name fits, e.g. 'layer.*.ffn.down.weight=int8/64:none'; repeat for more, the last that fits counts
>       --target FIGURE=LEAST   auto: cos (mean cosine, default 0.999) and top10 (neighbours kept, default 0.97) of our texts beside the source
>       --name NAME             stored name (default the publisher's)
>       --max-tokens N          most tokens of a text (default the publisher's), 3 to 1,048,576
>       --max-length N          the same as --max-tokens, 3 to 1,048,576
>       --pooling auto|mean|cls|last
>                               how token states become one vector (default auto: the publisher's)
>       --layers-average N      mean of the states of the last N layers, then pooling (default 1: the last), 1 to 999
>       --dims N                keep the first N dimensions of a vector (Matryoshka) and renormalize (default all), 1 to 65,536
>       --allow-nonfinite       keep weights that are NaN or infinite
>       --no-report             do not measure what the class costs (every class but f32 carries a report: `model show`)
>       --force                 replace an existing output
>       --format text|json|ndjson|quiet
>                               how the report is written (default text)
>   -h, --help                  explain the verb
>
> settings, also from the environment and the configuration file (see memolith doctor --env):
>       --cpu auto|ref|avx2|avx512|avx512vnni|avx512bf16|amx|neon|neon_dot|neon_i8mm
>                               highest instruction-set level to use; of this architecture's, the best that is here and not above it
>       --threads N             threads that compute, the calling one included, 1 to 256
>       --mem-limit SIZE        largest working memory that one call may plan; bounds SQLite and the process too
>       --log error|warn|info|debug
>                               least severe message that is written to stderr
$ memolith help serch
! error[USAGE]: there is no verb "serch"
!   fix: memolith help search?
? 2

## help of every verb begins with an example
$ memolith help --json | $PYTHON -c 'import json, subprocess, sys; [print(v["name"]) for v in json.load(sys.stdin)["verbs"] if not subprocess.run(["memolith", "help", *v["name"].split()], capture_output=True, text=True).stdout.startswith(v["example"] + "\n")]'

## the grammar as JSON
$ memolith help --json | $PYTHON -c 'import json, sys; g = json.load(sys.stdin); print(sorted(g), len(g["statuses"])); print(*[v["name"] for v in g["verbs"]], sep="\n"); print(*[o["name"] for v in g["verbs"] if v["name"] == "search" for o in v["options"]])'
> ['program', 'statuses', 'verbs', 'version'] 17
> add
> search
> context
> calibrate
> import
> get
> list
> edit
> history
> restore
> changes
> forget
> entity add
> entity alias
> entity merge
> entity get
> entity list
> entity forget
> fact add
> fact retract
> fact replace
> fact query
> fact history
> feedback
> embed
> tokenize
> model compile
> model compress
> model show
> model list
> model set
> model rollback
> model inspect
> model verify
> model bench
> export
> backup
> audit
> bench
> cache list
> cache clear
> doctor
> help
> version
> limit where mode chunks min-score diversity drop-duplicates recency half-life explain queries vector vector-field space actor surface no-log slow-ms latency-log as-of db ns model cache-dir portable cpu threads mem-limit log format help

## version
$ memolith version | sed 's/[0-9.]*$/N/'
> memolith N
$ memolith --version -o json | sed 's/[0-9][0-9.]*/N/'
> {"program":"memolith","version":"N"}
