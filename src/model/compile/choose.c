// SPDX-License-Identifier: Apache-2.0
#include "model/compile/choose.h"

#include <string.h>

#include "base/error.h"

/* ---- options ------------------------------------------------------------------------------- */

static memo_status choose_refuse(const char *option, size_t found, const char *allowed,
                                 memo_err *err)
{
    return memo_fail(err, MEMO_ERR_UNSUPPORTED, "%s %zu is not supported; supported are %s", option,
                     found, allowed);
}

static int choose_is_block(size_t n)
{
    return n == 32 || n == 64 || n == 128;
}

static memo_status choose_check_grains(const memo_compile_options *o, memo_err *err)
{
    if (o->group && !choose_is_block(o->group))
        return choose_refuse("group", o->group, "32, 64 and 128", err);
    if (o->group && o->granularity != MEMO_GRANULARITY_GROUP)
        return memo_fail(err, MEMO_ERR_USAGE, "group %zu is for granularity group", o->group);
    if (o->block && !choose_is_block(o->block))
        return choose_refuse("block-size", o->block, "32, 64 and 128", err);
    if (o->palette_group && o->palette_group != 8 && o->palette_group != 16 &&
        o->palette_group != 32 && o->palette_group != MEMO_PALETTE_GROUP_TENSOR)
        return choose_refuse("palette-group", o->palette_group, "8, 16, 32 and tensor", err);
    if (o->palette_bits && o->palette_bits != 4)
        return memo_fail(err, MEMO_ERR_UNSUPPORTED,
                         "palette-bits %u is not supported; supported is 4", o->palette_bits);
    return MEMO_OK;
}

static memo_status choose_check_auto(const memo_compile_options *o, memo_err *err)
{
    if (!(o->target_cosine >= 0 && o->target_cosine <= 1))
        return memo_fail(err, MEMO_ERR_VALUE, "target cos=%g is not between 0 and 1",
                         o->target_cosine);
    if (!(o->target_top10 >= 0 && o->target_top10 <= 1))
        return memo_fail(err, MEMO_ERR_VALUE, "target top10=%g is not between 0 and 1",
                         o->target_top10);
    if (!o->auto_class && (o->target_cosine > 0 || o->target_top10 > 0))
        return memo_fail(err, MEMO_ERR_USAGE, "a target is for class auto");
    if (o->auto_class && o->activations != MEMO_ACTIVATIONS_DYNAMIC)
        return memo_fail(err, MEMO_ERR_UNSUPPORTED,
                         "class auto measures with dynamic activations; %s is not supported",
                         memo_activations_name(o->activations));
    return MEMO_OK;
}

memo_status memo_choose_check(const memo_compile_options *o, memo_err *err)
{
    memo_status status;

    if ((unsigned)o->cls >= MEMO_CLASSES)
        return memo_fail(err, MEMO_ERR_UNSUPPORTED,
                         "class %d is not supported; supported are f32, f16, bf16, int8, int4 and "
                         "lut4",
                         (int)o->cls);
    if ((unsigned)o->granularity > MEMO_GRANULARITY_GROUP)
        return choose_refuse("granularity", (unsigned)o->granularity, "channel, tensor and group",
                             err);
    if ((unsigned)o->scales > MEMO_SCALES_SEARCH)
        return choose_refuse("scales", (unsigned)o->scales, "absmax and search", err);
    if ((unsigned)o->palette > MEMO_PALETTE_UNIFORM)
        return choose_refuse("palette", (unsigned)o->palette, "kmeans and uniform", err);
    if ((unsigned)o->activations > MEMO_ACTIVATIONS_STATIC)
        return choose_refuse("activations", (unsigned)o->activations, "dynamic, none and static",
                             err);
    if ((status = choose_check_grains(o, err)) || (status = choose_check_auto(o, err)))
        return status;
    if (o->n_set && !o->set)
        return memo_fail(err, MEMO_ERR_USAGE, "%zu rules are announced, none is given", o->n_set);
    return MEMO_OK;
}

void memo_choose_defaults(const memo_compile_options *o, memo_weight_format *formats)
{
    for (size_t i = 0; i < MEMO_CLASSES; i++)
        formats[i] = (memo_weight_format){
            .cls = (memo_class)i,
            .activations =
                memo_class_is_integer((memo_class)i) ? o->activations : MEMO_ACTIVATIONS_DYNAMIC,
        };
    if (o->granularity == MEMO_GRANULARITY_TENSOR)
        formats[MEMO_CLASS_INT8].grain = MEMO_GRAIN_TENSOR;
    if (o->granularity == MEMO_GRANULARITY_GROUP)
        formats[MEMO_CLASS_INT8].grain = o->group ? o->group : 64;
    formats[MEMO_CLASS_INT4].grain = o->block ? o->block : 32;
    formats[MEMO_CLASS_LUT4].grain = o->palette_group ? o->palette_group : 8;
}

/* ---- rules --------------------------------------------------------------------------------- */

/* Shell-like: * stands for any characters, ? for one. n bytes of pattern. Linear but for stars. */
static int choose_fits(const char *pattern, size_t n, const char *name)
{
    size_t p = 0, star = SIZE_MAX;
    const char *from = NULL;

    while (*name) {
        if (p < n && pattern[p] == '*') {
            star = p++;
            from = name;
        } else if (p < n && (pattern[p] == '?' || pattern[p] == *name)) {
            p++;
            name++;
        } else if (star != SIZE_MAX) {
            p = star + 1;
            name = ++from;
        } else {
            return 0;
        }
    }
    while (p < n && pattern[p] == '*')
        p++;
    return p == n;
}

int memo_choose_is_set(const memo_compile_options *o, const char *name)
{
    for (size_t i = 0; i < o->n_set; i++)
        if (choose_fits(o->set[i], strcspn(o->set[i], "="), name))
            return 1;
    return 0;
}

static memo_status choose_apply(memo_layout *layout, const char *rule,
                                const memo_weight_format *defaults, memo_err *err)
{
    memo_weight_format format;
    size_t n_pattern, n_fit = 0;

    if (!rule || !strchr(rule, '='))
        return memo_fail(err, MEMO_ERR_USAGE, "the rule \"%.80s\" is not PATTERN=FORMAT",
                         rule ? rule : "");
    n_pattern = strcspn(rule, "=");
    const char *text = rule + n_pattern + 1;
    if (!memo_weight_format_read(text, strlen(text), defaults, &format))
        return memo_fail(
            err, MEMO_ERR_UNSUPPORTED,
            "the rule \"%.80s\": \"%.40s\" is not supported; supported are " MEMO_WEIGHT_FORMATS,
            rule, text);
    for (size_t i = 0; i < layout->n_slots; i++) {
        memo_slot *slot = &layout->slots[i];
        if (!memo_slot_has_format(slot) || !choose_fits(rule, n_pattern, slot->name))
            continue;
        /* "*=int4" means the matrices; only a rule that names the token embeddings is refused. */
        memo_weight_format only = memo_slot_format_of(slot, &format);
        if (!memo_slot_takes(slot, &format) && !memchr(rule, '*', n_pattern))
            return memo_fail(err, MEMO_ERR_UNSUPPORTED,
                             "the rule \"%.80s\": token embeddings are f32, f16, bf16 or int8",
                             rule);
        slot->format = only;
        n_fit++;
    }
    if (!n_fit)
        return memo_hint(err,
                         memo_fail(err, MEMO_ERR_USAGE, "the rule \"%.80s\" fits no weight", rule),
                         "names are like %s and embeddings.word",
                         "layer.000.attention.qkv.weight, layer.005.ffn.down.weight");
    return MEMO_OK;
}

/* An option that changes nothing was a mistake. */
static memo_status choose_check_use(const memo_layout *layout, const memo_compile_options *o,
                                    memo_err *err)
{
    int has[MEMO_CLASSES] = {0}, is_static = 0;

    for (size_t i = 0; i < layout->n_slots; i++) {
        const memo_slot *slot = &layout->slots[i];
        if (memo_slot_has_format(slot))
            has[slot->format.cls] = 1;
        is_static |= slot->format.activations == MEMO_ACTIVATIONS_STATIC;
    }
    int integer = has[MEMO_CLASS_INT8] || has[MEMO_CLASS_INT4] || has[MEMO_CLASS_LUT4];
    const struct {
        const char *option, *class_name;
        int given, used;
    } uses[] = {
        {"granularity", "int8", o->granularity != MEMO_GRANULARITY_CHANNEL, has[MEMO_CLASS_INT8]},
        {"scales", "int8", o->scales != MEMO_SCALES_ABSMAX, has[MEMO_CLASS_INT8]},
        {"block-size", "int4", o->block != 0, has[MEMO_CLASS_INT4]},
        {"palette", "lut4", o->palette != MEMO_PALETTE_KMEANS, has[MEMO_CLASS_LUT4]},
        {"palette-group", "lut4", o->palette_group != 0, has[MEMO_CLASS_LUT4]},
        {"palette-bits", "lut4", o->palette_bits != 0, has[MEMO_CLASS_LUT4]},
        {"palette-scales", "lut4", o->palette_plain_scales != 0, has[MEMO_CLASS_LUT4]},
        {"activations", "int8, int4 or lut4", o->activations != MEMO_ACTIVATIONS_DYNAMIC, integer},
        {"calibrate", "int8, int4 or lut4", o->calibrate != NULL, integer},
    };
    for (size_t i = 0; i < sizeof uses / sizeof *uses && !o->auto_class; i++)
        if (uses[i].given && !uses[i].used)
            return memo_fail(err, MEMO_ERR_USAGE, "%s is for class %s, and no weight gets that",
                             uses[i].option, uses[i].class_name);
    if (o->no_calibration && (o->calibrate || o->auto_class))
        return memo_fail(err, MEMO_ERR_USAGE, "no calibration, and %s",
                         o->calibrate ? "texts for it" : "class auto, which needs it");
    if (is_static && !o->calibrate)
        return memo_hint(err,
                         memo_fail(err, MEMO_ERR_USAGE,
                                   "static activations need texts on which they are calibrated"),
                         "--calibrate FILE, one text a line");
    return MEMO_OK;
}

memo_status memo_choose_formats(memo_layout *layout, const memo_compile_options *o, memo_err *err)
{
    memo_weight_format defaults[MEMO_CLASSES];
    memo_status status = MEMO_OK;

    memo_choose_defaults(o, defaults);
    memo_layout_set_class(layout, &defaults[o->cls]);
    for (size_t i = 0; i < o->n_set && status == MEMO_OK; i++)
        status = choose_apply(layout, o->set[i], defaults, err);
    return status ? status : choose_check_use(layout, o, err);
}

/* ---- what may become what ------------------------------------------------------------------ */

int memo_choose_may_follow(memo_class from, memo_class to)
{
    /* Bits that are lost on the way grow with the rank. */
    static const int ranks[MEMO_CLASSES] = {
        [MEMO_CLASS_F32] = 0,  [MEMO_CLASS_F16] = 1,  [MEMO_CLASS_BF16] = 2,
        [MEMO_CLASS_INT8] = 3, [MEMO_CLASS_INT4] = 4, [MEMO_CLASS_LUT4] = 4,
    };
    return from == to || ranks[from] < ranks[to];
}
