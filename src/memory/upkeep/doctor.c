// SPDX-License-Identifier: Apache-2.0
/* memory/upkeep/doctor.c -- the store's own check, then the model against the vectors: is it the one that
 * made them, and does it still make them of the same text. */
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "base/error.h"
#include "base/grow.h"
#include "memory/db.h"
#include "memory/upkeep/findings.h"

/* CPU levels differ in the last bits, which quantization makes one step of an activation. */
#define DOCTOR_COSINE           0.99999
#define DOCTOR_COSINE_QUANTIZED 0.99
#define DOCTOR_FIRST_ROWS       64 /* chunks looked at to find one that can be embedded again */

typedef struct doctor_work {
    memo_db *db;
    memo_finding_list *list;
    int out_of_memory;
} doctor_work;

static void doctor_find(doctor_work *w, memo_finding_level level, const char *area,
                        const char *message, const char *hint)
{
    memo_finding_list_add(w->list, level, area, message, hint);
}

/* ---- one stored vector, made again --------------------------------------------------------- */

typedef struct doctor_sample {
    size_t n, dim;
    int64_t chunks[DOCTOR_FIRST_ROWS];
    float *vectors; /* [DOCTOR_FIRST_ROWS, dim] */
} doctor_sample;

static int doctor_keep_rows(void *user, const memo_store_block *block)
{
    doctor_sample *sample = user;

    for (size_t i = 0; i < block->n && sample->n < DOCTOR_FIRST_ROWS; i++) {
        memcpy(sample->vectors + sample->n * sample->dim, block->vectors + i * sample->dim,
               sample->dim * sizeof(float));
        sample->chunks[sample->n++] = block->chunks[i];
    }
    return sample->n == DOCTOR_FIRST_ROWS;
}

/* What was embedded for a chunk, when that is certain from the row alone: a title of no more bytes
 * than half the model's tokens was never cut. */
static int doctor_input(doctor_work *w, const memo_store_chunk_row *row, size_t capacity,
                        memo_buf *input)
{
    const char *title = row->damaged ? "" : row->record_info.title;

    if (row->damaged || (row->position == 0 && strlen(title) > capacity / 2))
        return 0;
    if (row->position == 0 && *title)
        memo_buf_printf(input, "%s ", title);
    memo_buf_append(input, row->text.bytes, row->text.n_bytes);
    w->out_of_memory |= input->failed;
    return !input->failed;
}

static memo_status doctor_compare(doctor_work *w, const memo_buf *input, const float *stored,
                                  memo_err *err)
{
    const memo_embed_options options = {.size = sizeof options, .role = MEMO_ROLE_DOCUMENT};
    const memo_text text = {input->data, input->n};
    size_t dim = w->db->info.dim;
    float *vector = memo_calloc(dim, sizeof *vector);
    double worst = 0, dot = 0, a = 0, b = 0, cosine;
    char message[160];
    memo_status status;

    if (!vector)
        return memo_fail_nomem(err, "vector", dim * sizeof *vector);
    status = memo_model_embed(w->db->model, &options, &text, 1, vector, NULL, err);
    for (size_t i = 0; i < dim && status == MEMO_OK; i++) {
        worst = fmax(worst, fabs((double)vector[i] - stored[i]));
        dot += (double)vector[i] * stored[i];
        a += (double)vector[i] * vector[i];
        b += (double)stored[i] * stored[i];
    }
    memo_free(vector);
    if (status)
        return status;
    cosine = a > 0 && b > 0 ? dot / sqrt(a * b) : 0;
    snprintf(message, sizeof message,
             "a stored text embedded again differs by at most %.1e from its vector, cosine %.6f",
             worst, cosine);
    if (cosine >= (w->db->info.cls == MEMO_CLASS_F32 ? DOCTOR_COSINE : DOCTOR_COSINE_QUANTIZED))
        doctor_find(w, MEMO_FINDING_OK, "model", message, "");
    else /* the vectors are whole: their checksums say so */
        doctor_find(w, MEMO_FINDING_WARN, "model", message,
                    "memolith model verify FILE   shows whether the model is damaged");
    return MEMO_OK;
}

static memo_status doctor_embed_again(doctor_work *w, const memo_store_ns *ns, memo_err *err)
{
    const memo_store_scope scope = {.ns = ns->id};
    doctor_sample sample = {.dim = w->db->info.dim};
    memo_arena arena = {0};
    memo_store_chunk_row *rows = NULL;
    memo_buf input = {0};
    size_t capacity = 0, i = 0;
    memo_status status = memo_db_capacity(w->db, &capacity, err);

    if (status)
        return status;
    sample.vectors = memo_reallocarray(NULL, DOCTOR_FIRST_ROWS, sample.dim * sizeof(float));
    if (!sample.vectors)
        return memo_fail_nomem(err, "vectors", DOCTOR_FIRST_ROWS * sample.dim * sizeof(float));
    status = memo_store_scan(w->db->store, &scope, ns->space, doctor_keep_rows, &sample, NULL, err);
    if (status == MEMO_OK && sample.n)
        status = memo_store_fetch(w->db->store, sample.chunks, sample.n, &arena, &rows, NULL, err);
    while (status == MEMO_OK && i < sample.n && !doctor_input(w, &rows[i], capacity, &input))
        i++;
    if (status == MEMO_OK && i < sample.n)
        status = doctor_compare(w, &input, sample.vectors + i * sample.dim, err);
    memo_buf_fini(&input);
    memo_arena_fini(&arena);
    memo_free(sample.vectors);
    return status;
}

/* ---- namespaces against the model ---------------------------------------------------------- */

typedef struct doctor_spaces {
    memo_arena arena;
    size_t n, cap;
    struct doctor_space {
        const char *name;
        memo_store_ns ns;
    } * list;
    int out_of_memory;
} doctor_spaces;

static int doctor_keep_ns(void *user, const char *name, const memo_store_ns *ns, uint64_t n_records)
{
    doctor_spaces *s = user;
    struct doctor_space *grown;

    if (n_records == 0 || ns->space == 0)
        return 0;
    grown = memo_grow(s->list, s->n, &s->cap, sizeof *grown);
    if (!grown) {
        s->out_of_memory = 1;
        return 1;
    }
    s->list = grown;
    s->list[s->n].name = memo_arena_strdup(&s->arena, name);
    s->list[s->n].ns = *ns;
    s->out_of_memory |= !s->list[s->n].name;
    s->n++;
    return s->out_of_memory;
}

static memo_status doctor_check_ns(doctor_work *w, const char *name, const memo_store_ns *ns,
                                   int *fits, memo_err *err)
{
    memo_err why = {0};
    char message[256];
    memo_status status =
        memo_db_check_space(w->db, name, ns, "it cannot be searched by meaning", &why);

    *fits = status == MEMO_OK;
    if (status == MEMO_ERR_MISMATCH) {
        doctor_find(w, MEMO_FINDING_WARN, "model", why.message, why.hint);
        return MEMO_OK;
    }
    if (status) {
        if (err)
            *err = why;
        return status;
    }
    snprintf(message, sizeof message, "the vectors of namespace \"%.128s\" come from this model",
             name);
    doctor_find(w, MEMO_FINDING_OK, "model", message, "");
    return MEMO_OK;
}

/* The list is made first: a callback must not call the store. */
static memo_status doctor_check_model(doctor_work *w, memo_err *err)
{
    doctor_spaces spaces = {0};
    int fits = 0, compared = 0;
    memo_status status;

    if (!w->db->model) {
        doctor_find(w, MEMO_FINDING_OK, "model", "no model was given: vectors are not compared",
                    "memolith doctor --model FILE");
        return MEMO_OK;
    }
    status = memo_store_each_ns(w->db->store, doctor_keep_ns, &spaces, err);
    if (status == MEMO_OK && spaces.out_of_memory)
        status = memo_fail_nomem(err, "namespaces", spaces.n);
    for (size_t i = 0; i < spaces.n && status == MEMO_OK; i++) {
        status = doctor_check_ns(w, spaces.list[i].name, &spaces.list[i].ns, &fits, err);
        if (status == MEMO_OK && fits && !compared) {
            status = doctor_embed_again(w, &spaces.list[i].ns, err);
            compared = 1;
        }
    }
    memo_arena_fini(&spaces.arena);
    memo_free(spaces.list);
    return status;
}

/* Namespaces on their way to another model, and how far they are. */
static memo_status doctor_check_switches(doctor_work *w, memo_err *err)
{
    memo_spaces *spaces = NULL;
    char message[512], hint[256];
    memo_status status = memo_db_get_spaces(w->db, &spaces, err);

    for (size_t i = 0; status == MEMO_OK && i < spaces->n_namespaces; i++) {
        const memo_ns_info *ns = &spaces->namespaces[i];
        if (ns->next == MEMO_NO_SPACE)
            continue;
        snprintf(
            message, sizeof message,
            "namespace \"%.128s\" is half set to %.128s: %llu of %llu chunks are embedded; until "
            "it is done searches find by its old model",
            ns->name, spaces->spaces[ns->next].name, (unsigned long long)ns->n_next,
            (unsigned long long)ns->n_chunks);
        snprintf(hint, sizeof hint, "memolith model set FILE --ns %.128s   goes on where it was",
                 ns->name);
        doctor_find(w, MEMO_FINDING_WARN, "model", message, hint);
    }
    memo_spaces_free(spaces);
    return status;
}

memo_status memo_db_doctor(memo_db *db, memo_findings **findings, memo_err *err)
{
    doctor_work w = {.db = db};
    memo_status status = memo_db_check_call(db, findings, "memo_db_doctor", err);

    if (status)
        return status;
    w.list = memo_finding_list_new();
    if (!w.list)
        return memo_fail_nomem(err, "findings", sizeof *w.list);
    status = memo_store_check(db->store, memo_finding_list_add, w.list, err);
    /* Damage that stops the model's check has been found above already. */
    if (status == MEMO_OK && w.list->findings.worst != MEMO_FINDING_BAD)
        status = doctor_check_model(&w, err);
    if (status == MEMO_OK && w.list->findings.worst != MEMO_FINDING_BAD)
        status = doctor_check_switches(&w, err);
    if (status == MEMO_OK && w.out_of_memory)
        status = memo_fail_nomem(err, "a text", 0);
    if (status == MEMO_OK)
        status = memo_finding_list_check(w.list, err);
    if (status)
        memo_findings_free(&w.list->findings);
    else
        *findings = &w.list->findings;
    return status;
}

/* ---- what it stands on --------------------------------------------------------------------- */

/* The file alone is looked at: a search does the proof, and makes it anew when it fails. */
static memo_status doctor_index(memo_db *db, memo_finding_list *list, memo_err *err)
{
    memo_idx_file file = {0};
    memo_db_stats stats;
    memo_err why = {0};
    char *path = memo_vector_index_path(memo_store_path(db->store));
    char message[200];
    memo_status status;

    if (!path)
        return memo_fail_nomem(err, "a path", 0);
    status = memo_store_get_stats(db->store, &stats, err);
    if (!status && memo_idx_open(path, &file, &why)) {
        status = why.status == MEMO_ERR_NOMEM ? why.status : MEMO_OK;
        if (status && err)
            *err = why;
        snprintf(message, sizeof message,
                 why.status == MEMO_ERR_NOTFOUND
                     ? "there is none: small stores need none, a search makes one"
                     : "it cannot be used, the next search makes it anew: %.100s",
                 why.message);
    } else if (!status) {
        snprintf(message, sizeof message, "%" PRIu64 " bytes, %s", (uint64_t)file.file.n_bytes,
                 strcmp(file.uuid, memo_store_uuid(db->store)) != 0 ? "of another store"
                 : (uint64_t)file.seq == stats.change_seq           ? "of the newest change"
                                                                    : "of an earlier change");
    }
    if (!status)
        memo_finding_list_add(list, MEMO_FINDING_OK, "index", message, "");
    memo_idx_close(&file);
    memo_free(path);
    return status;
}

memo_status memo_db_check_place(memo_db *db, memo_findings **findings, memo_err *err)
{
    memo_finding_list *list;
    memo_status status = memo_db_check_call(db, findings, "memo_db_check_place", err);

    if (status)
        return status;
    list = memo_finding_list_new();
    if (!list)
        return memo_fail_nomem(err, "findings", sizeof *list);
    status = memo_store_check_place(db->store, memo_finding_list_add, list, err);
    if (!status)
        status = doctor_index(db, list, err);
    if (!status)
        status = memo_finding_list_check(list, err);
    if (status)
        memo_findings_free(&list->findings);
    else
        *findings = &list->findings;
    return status;
}

memo_status memo_db_check_pages(const char *path, memo_findings **findings, memo_err *err)
{
    memo_finding_list *list;
    memo_status status;

    if (!path || !*path || !findings)
        return memo_fail(err, MEMO_ERR_USAGE,
                         "memo_db_check_pages: path and findings must not be NULL or empty");
    list = memo_finding_list_new();
    if (!list)
        return memo_fail_nomem(err, "findings", sizeof *list);
    status = memo_store_check_pages(path, memo_finding_list_add, list, err);
    if (status == MEMO_OK)
        status = memo_finding_list_check(list, err);
    if (status)
        memo_findings_free(&list->findings);
    else
        *findings = &list->findings;
    return status;
}
