// SPDX-License-Identifier: Apache-2.0
#include "model/weight_format.h"

#include <stdio.h>
#include <string.h>

static const char *const format_classes[MEMO_CLASSES] = {
    [MEMO_CLASS_F32] = "f32",   [MEMO_CLASS_INT8] = "int8", [MEMO_CLASS_F16] = "f16",
    [MEMO_CLASS_BF16] = "bf16", [MEMO_CLASS_INT4] = "int4", [MEMO_CLASS_LUT4] = "lut4",
};
static const char *const format_activations[] = {
    [MEMO_ACTIVATIONS_DYNAMIC] = "dynamic",
    [MEMO_ACTIVATIONS_NONE] = "none",
    [MEMO_ACTIVATIONS_STATIC] = "static",
};
#define FORMAT_ACTIVATIONS (sizeof format_activations / sizeof *format_activations)

/* The grains of each class; 0 ends a list. That of int8 begins with its silent one. */
static const size_t format_grains[MEMO_CLASSES][5] = {
    [MEMO_CLASS_INT8] = {MEMO_GRAIN_TENSOR, 32, 64, 128},
    [MEMO_CLASS_INT4] = {32, 64, 128},
    [MEMO_CLASS_LUT4] = {8, 16, 32, MEMO_GRAIN_TENSOR},
};

const char *memo_class_name(memo_class cls)
{
    return (unsigned)cls < MEMO_CLASSES ? format_classes[cls] : "unknown";
}

const char *memo_activations_name(memo_activations activations)
{
    return (unsigned)activations < FORMAT_ACTIVATIONS ? format_activations[activations] : "unknown";
}

int memo_class_is_integer(memo_class cls)
{
    return cls == MEMO_CLASS_INT8 || cls == MEMO_CLASS_INT4 || cls == MEMO_CLASS_LUT4;
}

/* Whether n bytes of text are this word. */
static int format_is_word(const char *text, size_t n, const char *word)
{
    return strlen(word) == n && memcmp(text, word, n) == 0;
}

int memo_class_find(const char *name, size_t n, memo_class *cls)
{
    for (size_t i = 0; i < MEMO_CLASSES; i++)
        if (format_is_word(name, n, format_classes[i])) {
            *cls = (memo_class)i;
            return 1;
        }
    return 0;
}

static void format_put_grain(size_t grain, char text[24])
{
    text[0] = '\0';
    if (grain == MEMO_GRAIN_TENSOR)
        snprintf(text, 24, "/tensor");
    else if (grain)
        snprintf(text, 24, "/%zu", grain);
}

void memo_weight_format_put(const memo_weight_format *format, char text[MEMO_WEIGHT_FORMAT_TEXT])
{
    char grain[24];
    int silent = format->activations == MEMO_ACTIVATIONS_DYNAMIC;

    format_put_grain(format->grain, grain);
    snprintf(text, MEMO_WEIGHT_FORMAT_TEXT, "%s%s%s%s", memo_class_name(format->cls), grain,
             silent ? "" : ":", silent ? "" : memo_activations_name(format->activations));
}

/* The text after the class, from its slash on. */
static int format_read_grain(const char *text, size_t n, memo_class cls, size_t *grain)
{
    if (cls == MEMO_CLASS_INT8 && format_is_word(text, n, "/channel")) {
        *grain = 0; /* said aloud where silence means something else */
        return 1;
    }
    for (const size_t *g = format_grains[cls]; *g; g++) {
        char word[24];
        format_put_grain(*g, word);
        if (format_is_word(text, n, word)) {
            *grain = *g;
            return 1;
        }
    }
    return 0;
}

static int format_read_activations(const char *text, size_t n, memo_activations *activations)
{
    for (size_t i = 0; i < FORMAT_ACTIVATIONS; i++)
        if (format_is_word(text, n, format_activations[i])) {
            *activations = (memo_activations)i;
            return 1;
        }
    return 0;
}

/* Bytes of text before any of these characters. */
static size_t format_span(const char *text, size_t n, const char *stops)
{
    size_t i = 0;

    while (i < n && !strchr(stops, text[i]))
        i++;
    return i;
}

int memo_weight_format_read(const char *text, size_t n, const memo_weight_format *defaults,
                            memo_weight_format *format)
{
    memo_weight_format made = {.cls = MEMO_CLASS_F32};
    size_t n_class = format_span(text, n, "/:"), n_head = format_span(text, n, ":");

    if (memchr(text, '\0', n) || !memo_class_find(text, n_class, &made.cls))
        return 0;
    if (defaults)
        made = defaults[made.cls];
    else if (made.cls == MEMO_CLASS_INT4 || made.cls == MEMO_CLASS_LUT4)
        made.grain = 0;
    if (n_head > n_class) {
        if (!format_read_grain(text + n_class, n_head - n_class, made.cls, &made.grain))
            return 0;
    } else if (!made.grain && (made.cls == MEMO_CLASS_INT4 || made.cls == MEMO_CLASS_LUT4)) {
        return 0; /* there is no such thing as a silent grain of these */
    }
    if (n_head < n &&
        (!memo_class_is_integer(made.cls) ||
         !format_read_activations(text + n_head + 1, n - n_head - 1, &made.activations)))
        return 0;
    *format = made;
    return 1;
}
