// SPDX-License-Identifier: Apache-2.0
#include "model/compile/choose.h"

#include <string.h>

#include "base/error.h"
#include "model/fit/auto_class.h"

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
        return memo_hint(
            err, memo_fail(err, MEMO_ERR_USAGE, "group %zu is for --granularity group", o->group),
            "add that, or leave --group out");
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
        return memo_hint(err,
                         memo_fail(err, MEMO_ERR_USAGE,
                                   "the rule \"%.80s\": \"%.40s\" is not supported; supported "
                                   "are " MEMO_WEIGHT_FORMATS,
                                   rule, text),
                         "e.g. %.*s=int8/64", (int)(n_pattern < 80 ? n_pattern : 80), rule);
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

memo_status memo_choose_formats(memo_layout *layout, const memo_compile_options *o,
                                const memo_layout *from, memo_err *err)
{
    memo_weight_format defaults[MEMO_CLASSES];
    memo_status status = MEMO_OK;

    memo_choose_defaults(o, defaults);
    memo_layout_set_class(layout, &defaults[o->auto_class ? MEMO_CLASS_F32 : o->cls]);
    for (size_t i = 0; o->auto_class && from && i < layout->n_slots; i++)
        layout->slots[i].format = from->slots[i].format;
    for (size_t i = 0; i < o->n_set && status == MEMO_OK; i++)
        status = choose_apply(layout, o->set[i], defaults, err);
    return status;
}

/* ---- options that would change nothing ----------------------------------------------------- */

/* What the weights that are made, not copied, have a use for. */
typedef struct choose_uses {
    int int8, int4, lut4; /* matrices of these classes */
    int search;           /* scales that can be searched for, those of token embeddings too */
    int searched_matrix;  /* such scales of a matrix */
    int activations;      /* an integer matrix, also one that is copied */
    int is_static;        /* a range that must be measured */
} choose_uses;

/*   had  the format in the compiled source, or NULL */
static void choose_note(choose_uses *uses, const memo_slot *slot, const memo_weight_format *format,
                        const memo_weight_format *had)
{
    int made = !had || !memo_choose_keeps(had, format);

    uses->search |= made && format->cls == MEMO_CLASS_INT8 && format->grain != MEMO_GRAIN_TENSOR;
    if (!slot->packed)
        return;
    uses->int8 |= made && format->cls == MEMO_CLASS_INT8;
    uses->int4 |= made && format->cls == MEMO_CLASS_INT4;
    uses->lut4 |= made && format->cls == MEMO_CLASS_LUT4;
    uses->searched_matrix |=
        made && format->cls == MEMO_CLASS_INT8 && format->grain != MEMO_GRAIN_TENSOR;
    uses->activations |= memo_class_is_integer(format->cls);
    uses->is_static |= format->activations == MEMO_ACTIVATIONS_STATIC &&
                       (made || had->activations != MEMO_ACTIVATIONS_STATIC);
}

/* Under auto the options of its candidates are of use, whatever rules leave to it. */
static choose_uses choose_find_uses(const memo_layout *layout, const memo_compile_options *o,
                                    const memo_layout *from)
{
    memo_weight_format defaults[MEMO_CLASSES];
    choose_uses uses = {0};

    memo_choose_defaults(o, defaults);
    for (size_t i = 0; i < layout->n_slots; i++) {
        const memo_slot *slot = &layout->slots[i];
        const memo_weight_format *had = from ? &from->slots[i].format : NULL;
        if (!memo_slot_has_format(slot))
            continue;
        choose_note(&uses, slot, &slot->format, had);
        for (size_t c = 0; o->auto_class && c < MEMO_AUTO_CLASSES; c++) {
            memo_weight_format may = memo_slot_format_of(slot, &defaults[memo_auto_classes[c]]);
            choose_note(&uses, slot, &may, had);
        }
    }
    return uses;
}

memo_status memo_choose_check_use(const memo_layout *layout, const memo_compile_options *o,
                                  const memo_layout *from, memo_err *err)
{
    choose_uses found = choose_find_uses(layout, o, from);
    int search = o->scales == MEMO_SCALES_SEARCH;
    const struct {
        const char *option, *what;
        int given, used;
    } uses[] = {
        {"granularity", "class int8", o->granularity != MEMO_GRANULARITY_CHANNEL, found.int8},
        {"scales", "class int8, by channel or group", search, found.search},
        {"block-size", "class int4", o->block != 0, found.int4},
        {"palette", "class lut4", o->palette != MEMO_PALETTE_KMEANS, found.lut4},
        {"palette-group", "class lut4", o->palette_group != 0, found.lut4},
        {"palette-bits", "class lut4", o->palette_bits != 0, found.lut4},
        {"palette-scales", "class lut4", o->palette_plain_scales != 0, found.lut4},
        {"activations", "class int8, int4 or lut4", o->activations != MEMO_ACTIVATIONS_DYNAMIC,
         found.activations},
        {"calibrate", "class int4 or lut4, int8 with scales search, and static activations",
         o->calibrate != NULL,
         found.int4 || found.lut4 || found.is_static || (search && found.searched_matrix)},
    };
    for (size_t i = 0; i < sizeof uses / sizeof *uses; i++)
        if (uses[i].given && !uses[i].used)
            return memo_fail(err, MEMO_ERR_USAGE, "%s is for %s, and no weight gets that",
                             uses[i].option, uses[i].what);
    if (o->no_calibration && (o->calibrate || o->auto_class))
        return memo_fail(err, MEMO_ERR_USAGE, "no calibration, and %s",
                         o->calibrate ? "texts for it" : "class auto, which needs it");
    if (found.is_static && !o->calibrate)
        return memo_hint(err,
                         memo_fail(err, MEMO_ERR_USAGE,
                                   "static activations need texts on which they are calibrated"),
                         "--calibrate FILE, one text a line");
    return MEMO_OK;
}

/* ---- what may become what ------------------------------------------------------------------ */

int memo_choose_keeps(const memo_weight_format *from, const memo_weight_format *to)
{
    return from->cls == to->cls && from->grain == to->grain;
}

int memo_choose_may_follow(const memo_weight_format *from, const memo_weight_format *to)
{
    /* Bits that are lost on the way grow with the rank. */
    static const int ranks[MEMO_CLASSES] = {
        [MEMO_CLASS_F32] = 0,  [MEMO_CLASS_F16] = 1,  [MEMO_CLASS_BF16] = 2,
        [MEMO_CLASS_INT8] = 3, [MEMO_CLASS_INT4] = 4, [MEMO_CLASS_LUT4] = 4,
    };
    return memo_choose_keeps(from, to) || ranks[from->cls] < ranks[to->cls];
}
