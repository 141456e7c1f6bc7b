// SPDX-License-Identifier: Apache-2.0
#include "memory/upkeep/findings.h"

#include "base/alloc.h"
#include "base/error.h"
#include "base/grow.h"

void memo_finding_list_add(void *user, memo_finding_level level, const char *area,
                           const char *message, const char *hint)
{
    memo_finding_list *l = user;
    memo_finding finding = {.level = level,
                            .area = memo_arena_strdup(&l->arena, area),
                            .message = memo_arena_strdup(&l->arena, message),
                            .hint = memo_arena_strdup(&l->arena, hint ? hint : "")};
    memo_finding *grown = memo_grow(l->list, l->findings.n, &l->cap, sizeof *grown);
    if (!grown) {
        l->out_of_memory = 1;
        return;
    }
    l->findings.findings = l->list = grown;
    l->out_of_memory |= !finding.area || !finding.message || !finding.hint;
    l->list[l->findings.n++] = finding;
    if (level > l->findings.worst)
        l->findings.worst = level;
}

memo_status memo_finding_list_check(const memo_finding_list *list, memo_err *err)
{
    return list->out_of_memory ? memo_fail_nomem(err, "findings", list->findings.n) : MEMO_OK;
}

void memo_finding_list_fini(memo_finding_list *list)
{
    memo_arena_fini(&list->arena);
    memo_free(list->list);
    *list = (memo_finding_list){.cap = 0};
}

memo_finding_list *memo_finding_list_new(void)
{
    return memo_calloc(1, sizeof(memo_finding_list));
}

void memo_findings_free(memo_findings *findings)
{
    memo_finding_list *list = (memo_finding_list *)findings;
    if (!list)
        return;
    memo_finding_list_fini(list);
    memo_free(list);
}
