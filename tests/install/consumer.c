// SPDX-License-Identifier: Apache-2.0
/* consumer.c -- fails unless headers and library are of one version and the model opens. */
#include <stdio.h>
#include <string.h>

#include <memolith/memolith.h>

int main(int argc, char **argv)
{
    char header[32];
    memo_ctx *ctx = NULL;
    memo_model *model = NULL;
    memo_err err = {0};
    snprintf(header, sizeof header, "%d.%d.%d", MEMO_VERSION_MAJOR, MEMO_VERSION_MINOR,
             MEMO_VERSION_PATCH);
    if (argc != 2 || strcmp(header, memo_version()) != 0) {
        fprintf(stderr, "header %s, library %s\n", header, memo_version());
        return 1;
    }
    if (memo_ctx_new(NULL, &ctx, &err) == MEMO_OK &&
        memo_model_open(ctx, argv[1], NULL, &model, &err) == MEMO_OK)
        printf("memolith %s opened the model\n", memo_version());
    if (err.status)
        fprintf(stderr, "%s\n", err.message);
    memo_model_close(model);
    memo_ctx_free(ctx);
    return err.status ? 1 : 0;
}
