// SPDX-License-Identifier: Apache-2.0
/* A context, a tiny model, and what every record holds. */
#include "fault.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tiny_model.h"

#define WORLD_NOW INT64_C(1750000000000)

static int64_t world_clock(void *user)
{
    return ((fault_world *)user)->now_ms;
}

static void world_need(memo_status status, const memo_err *err)
{
    if (status == MEMO_OK)
        return;
    fprintf(stderr, "fault: %s: %s\n", memo_status_name(status), err->message);
    exit(2);
}

void fault_world_init(fault_world *world, uint64_t seed)
{
    memo_ctx_options options = {
        .size = sizeof options, .n_threads = 1, .clock_ms = world_clock, .clock_user = world};
    memo_model_info info = {.size = sizeof info};
    memo_err err = {0};
    *world = (fault_world){.seed = seed, .now_ms = WORLD_NOW};
    fault_folder_make(world->dir);
    world_need(memo_ctx_new(&options, &world->ctx, &err), &err);
    world->model = tiny_model_open(world->ctx, world->dir, 1, &err);
    snprintf(world->source, sizeof world->source, "%s/tiny-1", world->dir);
    memo_model_get_info(world->model, &info, NULL);
    world->dim = info.dim;
}

void fault_world_fini(fault_world *world)
{
    for (int ns = 0; ns < FAULT_N_NS; ns++)
        for (int key = 0; key < FAULT_N_KEYS; key++)
            for (int version = 0; version < FAULT_N_VERSIONS; version++)
                free(world->vectors[ns][key][version]);
    memo_model_close(world->model);
    memo_ctx_free(world->ctx);
    fault_folder_remove(world->dir);
}

/* ---- what a record holds ------------------------------------------------------------------- */

static uint64_t world_number(uint64_t seed, int ns, int key, int version)
{
    return fault_mix(seed, (uint64_t)(((ns * FAULT_N_KEYS) + key) * FAULT_N_VERSIONS + version));
}

void fault_key(int key, char out[16])
{
    snprintf(out, 16, "k%03d", key);
}

const char *fault_ns(int ns)
{
    static const char *const names[FAULT_N_NS] = {NULL, "second", "third"};
    return names[ns];
}

/* Letters only, so that it is one word for the full-text index. */
void fault_word(int ns, int key, int version, char out[32])
{
    int n = (ns * FAULT_N_KEYS + key) * FAULT_N_VERSIONS + version;
    size_t at = (size_t)snprintf(out, 32, "qz");
    for (int i = 0; i < 4; i++, n /= 20)
        out[at++] = "bcdfghjklmnpqrtvwxyz"[n % 20];
    out[at] = '\0';
}

void fault_title(int ns, int key, int version, char out[64])
{
    snprintf(out, 64, "note %d of %d", key, ns * FAULT_N_VERSIONS + version);
}

void fault_metadata(int ns, int key, int version, char out[64])
{
    snprintf(out, 64, "{\"k\":%d,\"n\":%d,\"v\":%d}", key, ns, version);
}

void fault_text(uint64_t seed, int ns, int key, int version, char out[FAULT_TEXT_BYTES])
{
    static const char *const words[] = {
        "the",    "key", "is",  "under", "a",  "flower", "pot",   "spare", "boiler",
        "garden", "was", "and", "of",    "to", "in",     "about", "anna",  "note",
    };
    uint64_t x = world_number(seed, ns, key, version);
    int several = x % 8 == 0;
    size_t n_words = several ? 90 + x / 8 % 60 : 8 + x / 8 % 20;
    char word[32];
    size_t at;
    fault_word(ns, key, version, word);
    at = (size_t)snprintf(out, FAULT_TEXT_BYTES, "%s", word);
    for (size_t i = 0; i < n_words; i++)
        at += (size_t)snprintf(out + at, FAULT_TEXT_BYTES - at, " %s%s",
                               words[fault_mix(x, i) % (sizeof words / sizeof *words)],
                               fault_mix(x, i + 1000) % 9 == 0 ? "." : "");
}

const float *fault_vector(fault_world *world, int ns, int key, int version)
{
    float **slot = &world->vectors[ns][key][version];
    const memo_embed_options options = {.size = sizeof options, .role = MEMO_ROLE_DOCUMENT};
    char input[64 + 1 + FAULT_TEXT_BYTES];
    memo_embed_result result = {.size = sizeof result};
    memo_err err = {0};
    size_t at;
    if (*slot)
        return *slot;
    if (world_number(world->seed, ns, key, version) % 8 == 0)
        return NULL;
    fault_title(ns, key, version, input);
    at = strlen(input);
    input[at++] = ' ';
    fault_text(world->seed, ns, key, version, input + at);
    *slot = malloc(world->dim * sizeof **slot);
    if (!*slot)
        exit(2);
    world_need(memo_model_embed(world->model, &options, &(memo_text){input, strlen(input)}, 1,
                                *slot, &result, &err),
               &err);
    if (result.truncated) {
        fprintf(stderr, "fault: the text of a record of one chunk does not fit the model\n");
        exit(2);
    }
    return *slot;
}
