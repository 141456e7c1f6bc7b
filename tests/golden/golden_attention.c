// SPDX-License-Identifier: Apache-2.0
/* The attention core against the values of other implementations, at every level of this CPU and in
 * both precisions.
 *
 *     golden_attention FOLDER ONNX_FOLDER
 *
 * FOLDER has golden/ (float64 by PyTorch; its README is the contract), zerfoo_golden/ and the index of
 * the ONNX cases, ONNX_FOLDER their unpacked archive. The core is self-attention: queries that are
 * fewer than the keys are put at their positions among rows of zeros, a batch that is padded is
 * packed, heads of two widths are filled up with zeros. What the core cannot express is skipped by
 * name. Then calls that are wrong on purpose, most of which must be noticed. */
#include <dirent.h>

#include "base/alloc.h"
#include "base/cpu.h"
#include "golden/arrays.h"
#include "nn/attention.h"

static size_t n_passed, n_failed, n_skipped;

/* Per tensor ||a - b|| / ||b||, as the golden data suggests: 4 times what PyTorch's float32 has, at
 * least the first; bf16; and bf16 where scores are of 60 and more, which its rounding moves by 0.2. */
#define L2_F32       1e-6
#define L2_BF16      8e-3
#define L2_BF16_HUGE 1e-1

typedef struct golden_case {
    char name[128];
    npy q, k, v, want;
    int merged; /* [batch, rows, heads * width], else [batch, heads, rows, width] */
    size_t n_batch, n_heads, n_kv_heads, n_queries, n_keys, dim, value_dim;
    size_t offset; /* position of query 0 among the keys */
    float scale;   /* 0: the default */
    int causal;    /* this and window: as in memo_attention */
    size_t window;
    npy docs;           /* of every token, ascending; none: a sequence per batch */
    npy lengths;        /* [n_batch] keys; what lies behind is padding; none: all */
    double l2, l2_bf16; /* allowed */
    double atol, rtol;  /* and |a - b| <= atol + rtol |b| of every element, in f32 */
} golden_case;

/* What a call has wrong on purpose. */
typedef enum attention_mistake {
    MISTAKE_NONE,
    MISTAKE_SCALE,     /* by 1 % */
    MISTAKE_CAUSAL,    /* the other way */
    MISTAKE_WINDOW,    /* one key more to each side */
    MISTAKE_NEIGHBOUR, /* the last token of the first sequence goes to the second */
    MISTAKE_COUNT
} attention_mistake;

static const char *const mistake_names[MISTAKE_COUNT] = {"none", "scale", "causal", "window",
                                                         "neighbour"};

/* Of one source: what fits, the greatest errors per precision, and mistakes made and noticed. */
typedef struct source_sum {
    size_t n_cases;
    double worst[2];
} source_sum;

static size_t n_made[MISTAKE_COUNT], n_noticed[MISTAKE_COUNT];

static void skip(const char *name, const char *reason)
{
    n_skipped++;
    printf("SKIPPED %s: %s\n", name, reason);
}

static void fail(const char *name, const char *reason)
{
    n_failed++;
    printf("FAILED %s: %s\n", name, reason);
}

static void free_case(golden_case *c)
{
    npy *arrays[] = {&c->q, &c->k, &c->v, &c->want, &c->docs, &c->lengths};
    for (size_t i = 0; i < sizeof arrays / sizeof *arrays; i++)
        free(arrays[i]->data);
}

/* ---- one call ------------------------------------------------------------------------------ */

/* The packed batch of a case; q, k and v are views of one matrix. */
typedef struct packed {
    size_t n_seqs, n_tokens, width;
    size_t *cu_seqlens, *begin; /* begin: token 0 of each batch */
    float *qkv, *out, *scratch;
} packed;

static size_t case_length(const golden_case *c, size_t batch)
{
    return c->lengths.data ? (size_t)c->lengths.data[batch] : c->n_keys;
}

/* Row `row` of a head in an array of the file's layout. */
static const float *case_row(const golden_case *c, const npy *a, size_t n_heads, const size_t at[3])
{
    size_t n_rows = a->n_values / (c->n_batch * n_heads);
    size_t width = a == &c->v || a == &c->want ? c->value_dim : c->dim;
    n_rows /= width;
    size_t batch = at[0], head = at[1], row = at[2];
    size_t index = c->merged ? (batch * n_rows + row) * n_heads + head
                             : (batch * n_heads + head) * n_rows + row;
    return a->data + index * width;
}

static void pack_rows(const golden_case *c, const packed *p, const npy *a, size_t n_heads,
                      size_t first_column)
{
    size_t n_rows = a == &c->q ? c->n_queries : c->n_keys, offset = a == &c->q ? c->offset : 0;
    size_t ld = (c->n_heads + 2 * c->n_kv_heads) * p->width;
    size_t width = a == &c->v ? c->value_dim : c->dim;

    for (size_t b = 0; b < c->n_batch; b++)
        for (size_t h = 0; h < n_heads; h++)
            for (size_t i = 0; i < n_rows && offset + i < case_length(c, b); i++)
                memcpy(p->qkv + (p->begin[b] + offset + i) * ld + first_column + h * p->width,
                       case_row(c, a, n_heads, (size_t[3]){b, h, i}), width * sizeof(float));
}

static packed pack_case(const golden_case *c)
{
    packed p = {.width = c->dim > c->value_dim ? c->dim : c->value_dim};
    size_t most = c->n_batch + c->docs.n_values;

    p.cu_seqlens = need(calloc(most + 2, sizeof *p.cu_seqlens));
    p.begin = need(calloc(c->n_batch, sizeof *p.begin));
    for (size_t b = 0; b < c->n_batch; b++) {
        p.begin[b] = p.n_tokens;
        p.n_tokens += case_length(c, b);
        for (size_t i = 1; i < c->docs.n_values; i++)
            if (c->docs.data[i] != c->docs.data[i - 1])
                p.cu_seqlens[++p.n_seqs] = i;
        p.cu_seqlens[++p.n_seqs] = p.n_tokens;
    }
    size_t ld = (c->n_heads + 2 * c->n_kv_heads) * p.width;
    p.qkv = need(calloc(p.n_tokens * ld, sizeof *p.qkv));
    p.out = need(calloc(p.n_tokens * c->n_heads * p.width, sizeof *p.out));
    p.scratch =
        need(memo_aligned_alloc(memo_attention_scratch(p.n_tokens, p.width) * sizeof *p.out));
    pack_rows(c, &p, &c->q, c->n_heads, 0);
    pack_rows(c, &p, &c->k, c->n_kv_heads, c->n_heads * p.width);
    pack_rows(c, &p, &c->v, c->n_kv_heads, (c->n_heads + c->n_kv_heads) * p.width);
    return p;
}

static void free_packed(packed *p)
{
    free(p->cu_seqlens);
    free(p->begin);
    free(p->qkv);
    free(p->out);
    memo_aligned_free(p->scratch);
}

/* ||out - want|| / ||want|| over all rows that are tokens; *within: each element is, too. */
static double compare(const golden_case *c, const packed *p, int *within)
{
    double wrong = 0, all = 0;

    *within = 1;
    for (size_t b = 0; b < c->n_batch; b++)
        for (size_t h = 0; h < c->n_heads; h++)
            for (size_t i = 0; i < c->n_queries && c->offset + i < case_length(c, b); i++) {
                const float *want = case_row(c, &c->want, c->n_heads, (size_t[3]){b, h, i});
                const float *out =
                    p->out + ((p->begin[b] + c->offset + i) * c->n_heads + h) * p->width;
                for (size_t d = 0; d < c->value_dim; d++) {
                    double diff = fabs((double)out[d] - (double)want[d]),
                           size = fabs((double)want[d]);
                    wrong += diff * diff;
                    all += size * size;
                    *within &= diff <= c->atol + c->rtol * size;
                }
            }
    return sqrt(wrong / all);
}

static double run_case(const memo_kernels *kernels, memo_precision precision, const golden_case *c,
                       attention_mistake mistake, int *within)
{
    packed p = pack_case(c);
    size_t ld = (c->n_heads + 2 * c->n_kv_heads) * p.width;
    memo_attention a = {
        .n_seqs = p.n_seqs,
        .cu_seqlens = p.cu_seqlens,
        .n_heads = c->n_heads,
        .n_kv_heads = c->n_kv_heads,
        .head_dim = p.width,
        .scale = c->scale,
        .causal = c->causal,
        .window = c->window,
        .precision = precision,
        .q = {p.qkv, ld},
        .k = {p.qkv + c->n_heads * p.width, ld},
        .v = {p.qkv + (c->n_heads + c->n_kv_heads) * p.width, ld},
        .out = {p.out, c->n_heads * p.width},
    };

    if (a.scale == 0 && (p.width != c->dim || mistake == MISTAKE_SCALE))
        a.scale = (float)(1 / sqrt((double)c->dim));
    if (mistake == MISTAKE_SCALE)
        a.scale *= 1.01f;
    a.causal ^= mistake == MISTAKE_CAUSAL;
    a.window += mistake == MISTAKE_WINDOW;
    if (mistake == MISTAKE_NEIGHBOUR)
        p.cu_seqlens[1]--;
    memo_attention_run(kernels, &a, p.scratch);
    double error = compare(c, &p, within);
    free_packed(&p);
    return error;
}

/* ---- a case -------------------------------------------------------------------------------- */

static void check_mistakes(const golden_case *c)
{
    const memo_kernels *kernels = memo_kernels_for(MEMO_CPU_REF);
    for (attention_mistake m = MISTAKE_SCALE; m < MISTAKE_COUNT; m++) {
        int within;
        if ((m == MISTAKE_WINDOW && !c->window) ||
            (m == MISTAKE_NEIGHBOUR && c->n_batch == 1 && !c->docs.data))
            continue;
        n_made[m]++;
        n_noticed[m] += !(run_case(kernels, MEMO_PRECISION_F32, c, m, &within) <= c->l2);
    }
}

static void check_case(const golden_case *c, source_sum *sum)
{
    char detail[256];

    sum->n_cases++;
    for (memo_cpu cpu = MEMO_CPU_REF; cpu < MEMO_CPU_COUNT; cpu++) {
        const memo_kernels *kernels = memo_kernels_for(cpu);
        for (int bf16 = 0; kernels && bf16 <= (kernels->bf16_inputs != 0); bf16++) {
            int within;
            double allowed = bf16 ? c->l2_bf16 : c->l2;
            double error = run_case(kernels, bf16 ? MEMO_PRECISION_BF16 : MEMO_PRECISION_F32, c,
                                    MISTAKE_NONE, &within);
            sum->worst[bf16] = fmax(sum->worst[bf16], error);
            if (error <= allowed && (within || bf16)) {
                n_passed++;
                continue;
            }
            snprintf(detail, sizeof detail, "level %s, %s: off by %.3g, allowed %.3g%s",
                     memo_cpu_name(cpu), bf16 ? "bf16" : "f32", error, allowed,
                     within ? "" : "; elements off by more than their own bound");
            fail(c->name, detail);
        }
    }
    check_mistakes(c);
}

/* The sizes that follow from the arrays; merged ones have theirs from n_heads and n_kv_heads. */
static int shape_case(golden_case *c)
{
    size_t nq = c->q.n_dims, nk = c->k.n_dims, nv = c->v.n_dims;

    if (c->merged ? nq < 2 || nk != nq || nv != nq : nq != 4 || nk != 4 || nv != 4)
        return 0;
    c->n_batch = nq > 2 ? c->q.shape[0] : 1;
    if (!c->merged) {
        c->n_heads = c->q.shape[1];
        c->n_kv_heads = c->k.shape[1];
    }
    c->n_queries = c->q.shape[nq - 2];
    c->n_keys = c->k.shape[nk - 2];
    c->dim = c->q.shape[nq - 1] / (c->merged ? c->n_heads : 1);
    c->value_dim = c->v.shape[nv - 1] / (c->merged ? c->n_kv_heads : 1);
    return c->want.n_values == c->n_batch * c->n_heads * c->n_queries * c->value_dim &&
           c->q.n_values == c->n_batch * c->n_heads * c->n_queries * c->dim &&
           c->k.n_values == c->n_batch * c->n_kv_heads * c->n_keys * c->dim &&
           c->v.n_values == c->n_batch * c->n_kv_heads * c->n_keys * c->value_dim &&
           (!c->docs.data || (c->n_batch == 1 && c->docs.n_values == c->n_keys)) &&
           (!c->lengths.data || c->lengths.n_values == c->n_batch);
}

/* ---- golden/ ------------------------------------------------------------------------------- */

/* A number or, as 0 or 1, a truth; 0 when absent. */
static double param(const json_t *params, const char *key)
{
    const json_t *value = json_object_get(params, key);
    return json_is_true(value) ? 1 : json_number_value(value);
}

/* Why the core has no call for this, or NULL. */
static const char *golden_reason(const json_t *p)
{
    static const char *const features[][2] = {
        {"mask", "a mask tensor"},
        {"key_mask", "a mask of keys"},
        {"bias", "a bias of the scores"},
        {"alibi", "ALiBi"},
        {"softcap", "a soft cap of the scores"},
        {"sink", "a sink"},
        {"ssmax", "scores scaled by the number of keys"},
    };
    for (size_t i = 0; i < sizeof features / sizeof *features; i++)
        if (param(p, features[i][0]) != 0)
            return features[i][1];
    if (param(p, "query_offset") < 0 || param(p, "query_offset") + param(p, "Sq") > param(p, "Sk"))
        return "more queries than keys";
    if (param(p, "window") == 1 || (json_object_get(p, "band") && param(p, "band") == 0))
        return "a window of a token itself alone";
    return NULL;
}

static int golden_load(golden_case *c, const tensor_file *f, const json_t *golden)
{
    const json_t *p = json_object_get(golden, "params");
    const json_t *torch = json_object_get(golden, "torch_f32_rel_l2");
    double window = param(p, "window"), band = param(p, "band");

    c->offset = (size_t)param(p, "query_offset");
    c->scale = (float)param(p, "scale");
    c->causal = param(p, "causal") != 0;
    c->window = window > 0 ? (size_t)window - 1 : band > 0 ? (size_t)band : 0; /* W counts itself */
    c->l2 = fmax(4 * param(torch, "y"), L2_F32);
    c->l2_bf16 = strstr(c->name, "large_logits") ? L2_BF16_HUGE : L2_BF16;
    c->atol = INFINITY;
    return tensor_file_array(f, "q", &c->q) && tensor_file_array(f, "k", &c->k) &&
           tensor_file_array(f, "v", &c->v) && tensor_file_array(f, "y", &c->want) &&
           (param(p, "docs") == 0 || tensor_file_array(f, "k_doc", &c->docs)) &&
           (param(p, "kv_len") == 0 || tensor_file_array(f, "kv_len", &c->lengths)) &&
           shape_case(c);
}

static void run_golden(const char *folder, const char *name, source_sum *sum)
{
    golden_case c = {0};
    tensor_file f;
    char path[PATH_BYTES];
    json_t *golden = NULL;

    snprintf(c.name, sizeof c.name, "%.*s", (int)strcspn(name, "."), name);
    if (tensor_file_read(&f, join(path, folder, name))) {
        const json_t *meta = json_object_get(f.header, "__metadata__");
        const char *text = json_string_value(json_object_get(meta, "golden"));
        golden = text ? json_loads(text, 0, NULL) : NULL;
    }
    const char *reason = golden_reason(json_object_get(golden, "params"));
    if (!golden)
        fail(c.name, "not to be read");
    else if (reason)
        skip(c.name, reason);
    else if (golden_load(&c, &f, golden))
        check_case(&c, sum);
    else
        fail(c.name, "arrays that do not fit each other");
    json_decref(golden);
    tensor_file_free(&f);
    free_case(&c);
}

/* The families of the core; the others are of whole layers. */
static int is_core(const struct dirent *e)
{
    static const char *const families[] = {"sdpa__", "window__", "gqa_core__", "ssmax__",
                                           "alibi__"};
    for (size_t i = 0; i < sizeof families / sizeof *families; i++)
        if (!strncmp(e->d_name, families[i], strlen(families[i])))
            return 1;
    return 0;
}

static void run_golden_folder(const char *folder, source_sum *sum)
{
    struct dirent **entries = NULL;
    int n = scandir(folder, &entries, is_core, alphasort);

    for (int i = 0; i < n; i++) {
        run_golden(folder, entries[i]->d_name, sum);
        free(entries[i]);
    }
    free(entries);
}

/* ---- zerfoo_golden/ ------------------------------------------------------------------------ */

static void run_zerfoo(const char *folder, const char *name, source_sum *sum)
{
    char path[PATH_BYTES];
    golden_case c = {.merged = 1, .l2 = L2_F32, .l2_bf16 = L2_BF16};
    json_t *json = json_load_file(join(path, folder, name), 0, NULL);
    double n_heads = param(json, "n_heads");

    snprintf(c.name, sizeof c.name, "%.*s", (int)strcspn(name, "."), name);
    c.n_heads = c.n_kv_heads = n_heads > 0 ? (size_t)n_heads : 1;
    c.causal = param(json, "causal") != 0;
    c.atol = param(json, "tolerance");
    if (json && array_from_json(&c.q, json, "query", "query_shape") &&
        array_from_json(&c.k, json, "key", "key_shape") &&
        array_from_json(&c.v, json, "value", "value_shape") &&
        array_from_json(&c.want, json, "expected_output", "output_shape") && shape_case(&c))
        check_case(&c, sum);
    else
        fail(c.name, "not to be read, or arrays that do not fit each other");
    json_decref(json);
    free_case(&c);
}

static void run_zerfoo_folder(const char *folder, source_sum *sum)
{
    run_zerfoo(folder, "attention_sdpa_bidirectional.json", sum);
    run_zerfoo(folder, "attention_sdpa_causal.json", sum);
    run_zerfoo(folder, "attention_multi_head.json", sum);
    skip("attention_gqa", "a layer with projections and rotary positions");
}

/* ---- ONNX ---------------------------------------------------------------------------------- */

static const char *onnx_reason(const json_t *entry)
{
    const json_t *attrs = json_object_get(entry, "attrs"), *value;
    const json_t *q = json_object_get(json_object_get(entry, "inputs"), "Q");
    const char *type = json_string_value(json_array_get(q, 0));
    size_t i;

    json_array_foreach(json_object_get(entry, "node_inputs"), i, value)
    {
        const char *input = json_string_value(value);
        if (i == 3 && *input)
            return "a mask tensor";
        if (i > 3 && *input)
            return i == 6 ? "a padded cache" : "a cache";
    }
    if (!type || strcmp(type, "float32"))
        return "float16";
    if (param(attrs, "softcap") != 0)
        return "a soft cap of the scores";
    const json_t *left = json_object_get(attrs, "left_window_size");
    const json_t *right = json_object_get(attrs, "right_window_size");
    double before = left ? json_number_value(left) : -1;
    double behind = right ? json_number_value(right) : -1;
    if (before == 0 || behind == 0 || (before != behind && param(attrs, "is_causal") == 0))
        return "a window of two widths, or of a token itself alone";
    return NULL;
}

static int onnx_load(golden_case *c, const char *folder, const json_t *attrs)
{
    char inner[PATH_BYTES], path[PATH_BYTES], set[PATH_BYTES];
    double window = param(attrs, "left_window_size"), n_heads = param(attrs, "q_num_heads");

    c->merged = n_heads > 0;
    c->n_heads = (size_t)n_heads;
    c->n_kv_heads = (size_t)param(attrs, "kv_num_heads");
    c->scale = (float)param(attrs, "scale");
    c->causal = param(attrs, "is_causal") != 0;
    c->window = window > 0 ? (size_t)window : 0;
    c->l2 = L2_F32;
    c->l2_bf16 = L2_BF16;
    c->rtol = 1e-3; /* these two are upstream's own */
    c->atol = 1e-7;
    join(set, join(inner, folder, c->name), "test_data_set_0");
    return proto_read(join(path, set, "input_0.pb"), &c->q) &&
           proto_read(join(path, set, "input_1.pb"), &c->k) &&
           proto_read(join(path, set, "input_2.pb"), &c->v) &&
           proto_read(join(path, set, "output_0.pb"), &c->want) && shape_case(c) &&
           c->n_queries <= c->n_keys;
}

static void run_onnx(const char *index, const char *folder, source_sum *sum)
{
    FILE *f = fopen(index, "r");
    char *line = NULL;
    size_t cap = 0;

    while (f && getline(&line, &cap, f) > 0) {
        json_t *entry = json_loads(line, 0, NULL);
        const char *op = json_string_value(json_object_get(entry, "op"));
        const char *name = json_string_value(json_object_get(entry, "name"));
        if (op && name && !strcmp(op, "Attention")) {
            golden_case c = {0};
            const char *reason = onnx_reason(entry);
            snprintf(c.name, sizeof c.name, "%s", name);
            if (reason)
                skip(name, reason);
            else if (onnx_load(&c, folder, json_object_get(entry, "attrs")))
                check_case(&c, sum);
            else
                fail(name, "not to be read, or arrays that do not fit each other");
            free_case(&c);
        }
        json_decref(entry);
    }
    free(line);
    if (f)
        fclose(f);
}

int main(int argc, char **argv)
{
    static const char *const sources[] = {"golden", "zerfoo_golden", "ONNX"};
    source_sum sums[3] = {0};
    char path[PATH_BYTES];

    if (argc != 3) {
        fprintf(stderr, "usage: golden_attention FOLDER ONNX_FOLDER\n");
        return 2;
    }
    run_golden_folder(join(path, argv[1], sources[0]), &sums[0]);
    run_zerfoo_folder(join(path, argv[1], sources[1]), &sums[1]);
    run_onnx(join(path, argv[1], "onnx_attention_reference.index.jsonl"), argv[2], &sums[2]);
    for (size_t i = 0; i < 3; i++) {
        printf("%s: %zu cases; worst relative error f32 %.2g, bf16 %.2g\n", sources[i],
               sums[i].n_cases, sums[i].worst[0], sums[i].worst[1]);
        if (sums[i].n_cases == 0)
            fail(sources[i], "no case was found");
    }
    for (int m = MISTAKE_SCALE; m < MISTAKE_COUNT; m++) {
        printf("wrong on purpose, %s: %zu of %zu calls noticed\n", mistake_names[m], n_noticed[m],
               n_made[m]);
        if (2 * n_noticed[m] <= n_made[m])
            fail(mistake_names[m], "calls that are wrong on purpose go unnoticed");
        else
            n_passed++;
    }
    printf("%zu passed, %zu failed, %zu skipped\n", n_passed, n_failed, n_skipped);
    return n_failed != 0;
}
