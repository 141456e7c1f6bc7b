// SPDX-License-Identifier: Apache-2.0
/* unit/filter_text.h -- filters of any size, for tests of their limits. free() what is returned. */
#ifndef MEMO_FILTER_TEXT_H
#define MEMO_FILTER_TEXT_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* "id exists" joined n times by "and". */
static inline char *filter_chain(size_t n)
{
    char *text = malloc(n * 16 + 1), *p = text;
    for (size_t i = 0; i < n; i++)
        p += sprintf(p, "%sid exists", i ? " and " : "");
    return text;
}

/* "id exists" between `depth` times what opens and what closes. */
static inline char *filter_nested(const char *open, size_t depth, const char *close)
{
    char *text = malloc(depth * (strlen(open) + strlen(close)) + 32), *p = text;
    for (size_t i = 0; i < depth; i++)
        p += sprintf(p, "%s", open);
    p += sprintf(p, "id exists");
    for (size_t i = 0; i < depth; i++)
        p += sprintf(p, "%s", close);
    return text;
}

/* "meta.x in (0,1,2 ...)" */
static inline char *filter_list(size_t n)
{
    char *text = malloc(n * 12 + 32), *p = text + sprintf(text, "meta.x in (");
    for (size_t i = 0; i < n; i++)
        p += sprintf(p, "%s%zu", i ? "," : "", i);
    strcpy(p, ")");
    return text;
}

/* The same three in JSON. */
static inline char *json_chain(size_t n)
{
    char *text = malloc(n * 32 + 32), *p = text + sprintf(text, "{\"and\":[");
    for (size_t i = 0; i < n; i++)
        p += sprintf(p, "%s{\"id\":{\"exists\":true}}", i ? "," : "");
    strcpy(p, "]}");
    return text;
}

static inline char *json_nested(size_t depth)
{
    char *text = malloc(depth * 12 + 32), *p = text;
    for (size_t i = 0; i < depth; i++)
        p += sprintf(p, "{\"and\":[");
    p += sprintf(p, "{\"id\":{\"exists\":true}}");
    for (size_t i = 0; i < depth; i++)
        p += sprintf(p, "]}");
    return text;
}

static inline char *json_list(size_t n)
{
    char *text = malloc(n * 12 + 32), *p = text + sprintf(text, "{\"meta.x\":{\"in\":[");
    for (size_t i = 0; i < n; i++)
        p += sprintf(p, "%s%zu", i ? "," : "", i);
    strcpy(p, "]}}");
    return text;
}

#endif
