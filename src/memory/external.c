// SPDX-License-Identifier: Apache-2.0
/* memory/external.c -- vectors that no model of ours makes: ready ones, and those of an embedder that
 * the caller brings along.
 *
 * An embedder is a name and a promise. That it is still the model that made the store's vectors is
 * proved by what it makes of a few fixed texts (table `probes`). They are written with the first record
 * that it embeds; from then on every handle has the stored texts embedded once more, before anything
 * else, and compares. Texts are read from the store: other texts in a later version break nothing. */
#include "memory/db.h"

#include <math.h>
#include <string.h>

#include "base/alloc.h"
#include "base/error.h"
#include "base/floats.h"

#define EXTERNAL_MAX_NAME 64
#define EXTERNAL_MIN_COSINE                                                                        \
    0.99 /* other arithmetic of one model moves less, another model is far */

/* Different in topic, language and length: two models that agree on all of them are one. */
static const char *const external_probes[] = {
    "The spare key is under the third flower pot.",
    "int main(void) { return 0; }",
    "Le train de nuit pour Lisbonne part à 22 h 14.",
    "Quarterly revenue fell by four percent, while costs for storage and transport grew faster "
    "than "
    "in any year since the merger.",
};
enum { EXTERNAL_N_PROBES = sizeof external_probes / sizeof *external_probes };

/* ---- the space ----------------------------------------------------------------------------- */

static memo_status external_check_dim(size_t dim, memo_err *err)
{
    if (dim == 0)
        return memo_fail(err, MEMO_ERR_MISMATCH, "a vector of 0 dimensions; 1 to %d are possible",
                         MEMO_STORE_MAX_DIM);
    if (dim > MEMO_STORE_MAX_DIM)
        return memo_fail(err, MEMO_ERR_LIMIT, "a vector of %zu dimensions; at most %d are possible",
                         dim, MEMO_STORE_MAX_DIM);
    return MEMO_OK;
}

static memo_status external_check_name(const char *name, memo_err *err)
{
    size_t n = name ? strlen(name) : 0;

    if (n == 0)
        return memo_fail(err, MEMO_ERR_VALUE, "the external space has no name");
    if (n > EXTERNAL_MAX_NAME)
        return memo_fail(err, MEMO_ERR_LIMIT,
                         "the name of the external space has %zu bytes; at most %d are allowed", n,
                         EXTERNAL_MAX_NAME);
    for (size_t i = 0; i < n; i++)
        if (name[i] <= ' ' || name[i] > '~')
            return memo_fail(err, MEMO_ERR_VALUE,
                             "the name of the external space: byte %zu is 0x%02x; printable ASCII "
                             "without spaces is allowed",
                             i, (unsigned char)name[i]);
    return MEMO_OK;
}

/* The dimension is known: the space has an identity now. */
static memo_status external_settle(memo_db *db, size_t dim, memo_err *err)
{
    memo_buf print = {0};

    memo_buf_printf(&print, "external:%s:%zu", db->external.name, dim);
    db->space_print = memo_buf_take(&print);
    if (!db->space_print)
        return memo_fail_nomem(err, "fingerprint of a space", print.n);
    db->space.fingerprint = db->space_print;
    db->space.dim = db->external.dim = db->info.dim = dim;
    return MEMO_OK;
}

memo_status memo_external_init(memo_db *db, const memo_external_space *external, memo_err *err)
{
    memo_external_space e;
    memo_status status = memo_options_copy(&e, sizeof e, external, "memo_external_space", err);

    if (status == MEMO_OK)
        status = external_check_name(e.name, err);
    if (status == MEMO_OK && (e.dim || e.embed))
        status = external_check_dim(e.dim, err);
    if (status)
        return status;
    db->space_name = memo_strdup(e.name);
    if (!db->space_name)
        return memo_fail_nomem(err, "name of a space", strlen(e.name));
    db->external = e;
    db->external.name = db->space_name;
    db->space =
        (memo_store_space){.name = db->space_name, .model_path = "", .kind = MEMO_SPACE_EXTERNAL};
    return e.dim ? external_settle(db, e.dim, err) : MEMO_OK;
}

void memo_external_fini(memo_db *db)
{
    memo_free(db->probes);
    memo_free(db->space_print);
    memo_free(db->space_name);
}

memo_status memo_external_take_dim(memo_db *db, size_t dim, memo_err *err)
{
    memo_status status = external_check_dim(dim, err);

    if (status == MEMO_OK && db->space.dim == 0)
        status = external_settle(db, dim, err);
    if (status == MEMO_OK && dim != db->space.dim)
        status = memo_fail(err, MEMO_ERR_MISMATCH,
                           "a vector of %zu dimensions; the vectors of %s have %zu", dim,
                           db->space.name, db->space.dim);
    return status;
}

/* ---- ready vectors ------------------------------------------------------------------------- */

memo_status memo_vector_check(const memo_vector *vector, memo_err *err)
{
    int has_length = 0;
    memo_status status = external_check_dim(vector->dim, err);

    if (status)
        return status;
    if (!vector->f32 && !vector->i8)
        return memo_fail(err, MEMO_ERR_USAGE, "the vector has neither floats nor int8 values");
    if (!vector->f32 && !(isfinite(vector->scale) && vector->scale > 0))
        return memo_fail(err, MEMO_ERR_VALUE,
                         "the scale of the int8 values is %g; a finite number above 0 is needed",
                         (double)vector->scale);
    if (vector->f32 && memo_floats_have_direction(vector->f32, vector->dim))
        return MEMO_OK;
    for (size_t i = 0; i < vector->dim; i++) {
        float x = vector->f32 ? vector->f32[i] : (float)vector->i8[i] * vector->scale;
        if (!isfinite(x))
            return memo_fail(err, MEMO_ERR_VALUE, "component %zu is not finite", i);
        has_length |= x != 0;
    }
    return has_length ? MEMO_OK
                      : memo_fail(err, MEMO_ERR_VALUE,
                                  "all %zu components are 0: it has no direction", vector->dim);
}

const float *memo_vector_floats(const memo_vector *vector, float *room)
{
    if (vector->f32)
        return vector->f32;
    for (size_t i = 0; i < vector->dim; i++)
        room[i] = (float)vector->i8[i] * vector->scale;
    return room;
}

/* ---- the embedder -------------------------------------------------------------------------- */

static memo_status external_call(memo_db *db, const memo_text *texts, size_t n, memo_role role,
                                 float *vectors, memo_err *err)
{
    memo_err why = {0};
    memo_status status;

    db->in_callback = 1;
    status = db->external.embed(db->external.embed_user, texts, n, role, vectors, &why);
    db->in_callback = 0;
    if (status)
        return memo_fail(err, status, "the embedder of space %s: %s", db->space.name,
                         why.message[0] ? why.message : memo_status_text(status));
    for (size_t i = 0; i < n; i++) {
        const memo_vector made = {.f32 = vectors + i * db->space.dim, .dim = db->space.dim};
        status = memo_vector_check(&made, err);
        if (status)
            return memo_err_prefix(err, status, "text %zu: the embedder of space %s", i,
                                   db->space.name);
    }
    return MEMO_OK;
}

static double external_cosine(const float *a, const float *b, size_t dim)
{
    double ab = 0, aa = 0, bb = 0;

    for (size_t i = 0; i < dim; i++) {
        ab += (double)a[i] * b[i];
        aa += (double)a[i] * a[i];
        bb += (double)b[i] * b[i];
    }
    return aa > 0 && bb > 0 ? ab / (sqrt(aa) * sqrt(bb)) : 0;
}

static memo_status external_compare(const memo_db *db, const memo_store_probes *stored,
                                    const float *made, memo_err *err)
{
    size_t dim = db->space.dim;

    for (size_t i = 0; i < stored->n; i++) {
        double cosine = external_cosine(stored->vectors + i * dim, made + i * dim, dim);
        if (cosine >= EXTERNAL_MIN_COSINE)
            continue;
        memo_fail(err, MEMO_ERR_MISMATCH,
                  "this embedder is another one than that of space %s: for \"%.40s\" the cosine of "
                  "its vector to the stored one is %.3f; at least %.2f is needed",
                  db->space.name, stored->texts[i].bytes, cosine, EXTERNAL_MIN_COSINE);
        return memo_hint(err, MEMO_ERR_MISMATCH,
                         "use the embedder that made the vectors, or give this one a name of its "
                         "own and set it as the model of the namespace");
    }
    return MEMO_OK;
}

/* Compare with what is stored of this space, or make what will be stored. */
static memo_status external_prove(memo_db *db, memo_err *err)
{
    memo_arena arena = {0};
    memo_store_probes stored = {.n = 0};
    memo_text texts[EXTERNAL_N_PROBES];
    int64_t space = 0;
    float *made = NULL;
    size_t n;
    memo_status status = memo_store_find_space(db->store, db->space.fingerprint, &space, err);

    if (status == MEMO_OK && space)
        status = memo_store_get_probes(db->store, space, db->space.dim, &arena, &stored, err);
    if (status)
        goto done;
    for (size_t i = 0; i < EXTERNAL_N_PROBES; i++)
        texts[i] = (memo_text){external_probes[i], strlen(external_probes[i])};
    n = stored.n ? stored.n : EXTERNAL_N_PROBES;
    made = memo_reallocarray(NULL, n, db->space.dim * sizeof *made);
    if (!made) {
        status = memo_fail_nomem(err, "probe vectors", n * db->space.dim * sizeof *made);
        goto done;
    }
    status = external_call(db, stored.n ? stored.texts : texts, n, MEMO_ROLE_DOCUMENT, made, err);
    if (status == MEMO_OK)
        status = external_compare(db, &stored, made, err);
    if (status == MEMO_OK) {
        db->embedder_proved = 1;
        if (stored.n == 0) {
            db->probes = made;
            made = NULL;
        }
    }
done:
    memo_free(made);
    memo_arena_fini(&arena);
    return status;
}

memo_status memo_external_keep_probes(memo_db *db, int64_t space, memo_err *err)
{
    memo_arena arena = {0};
    memo_store_probes stored = {.n = 0};
    memo_status status;

    if (!db->probes)
        return MEMO_OK;
    status = memo_store_get_probes(db->store, space, db->space.dim, &arena, &stored, err);
    if (status == MEMO_OK && stored.n == EXTERNAL_N_PROBES)
        status = external_compare(db, &stored, db->probes, err); /* another handle was first */
    for (size_t i = 0; status == MEMO_OK && stored.n == 0 && i < EXTERNAL_N_PROBES; i++)
        status = memo_store_put_probe(db->store, space, i, external_probes[i],
                                      db->probes + i * db->space.dim, db->space.dim, err);
    memo_arena_fini(&arena);
    return status;
}

memo_status memo_db_embed(memo_db *db, const memo_embed_options *options, const memo_text *texts,
                          size_t n, float *vectors, memo_embed_result *results, memo_err *err)
{
    memo_status status;

    if (results && n)
        results->size = sizeof *results;
    if (db->model)
        return memo_model_embed(db->model, options, texts, n, vectors, results, err);
    status = db->embedder_proved ? MEMO_OK : external_prove(db, err);
    if (status == MEMO_OK)
        status = external_call(db, texts, n, options->role, vectors, err);
    if (status == MEMO_OK && options->progress) {
        const memo_progress done = {"embed", n, n, NULL};
        if (options->progress(options->progress_user, &done))
            status = memo_fail(err, MEMO_ERR_CANCELLED, "cancelled");
    }
    if (results)
        memset(results, 0, n * sizeof *results);
    return status;
}
