// SPDX-License-Identifier: Apache-2.0
/* fuzz_arguments.c -- any command line; its words are separated by NUL bytes. What is accepted is
 * within the grammar, and says the same when it is written in the other order and spelling: words
 * after `--`, options as --name=value. */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/buf.h"
#include "base/utf8.h"
#include "cli/args.h"
#include "cli/values.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { MAX_WORDS = 64 };

static void fuzz_check_given(const cli_given *given)
{
    const cli_option *option = &cli_options[given->id];
    uint64_t number = 0;
    memo_err err = {0};

    if (option->kind == CLI_FLAG) {
        if (*given->text) /* a flag takes no value */
            abort();
        return;
    }
    if (cli_value_read(option, "--x", given->text, &number, &err) || number != given->number)
        abort();
    if ((option->kind == CLI_COUNT || option->kind == CLI_SIZE) &&
        (number < option->min || number > option->max))
        abort();
    if (option->kind == CLI_COUNT) /* digits, and nothing else */
        for (const char *c = given->text; *c; c++)
            if (*c < '0' || *c > '9')
                abort();
    if ((option->kind == CLI_TEXT || option->kind == CLI_NAME) &&
        memo_utf8_check(given->text, strlen(given->text)) != strlen(given->text))
        abort();
}

/* The same again: the verb, every option as --name=value, --, every word. */
static void fuzz_check_again(const cli_args *args)
{
    char *argv[2 * MAX_WORDS + 8], verb[64];
    int argc = 0;
    cli_args again = {0};
    memo_err err = {0};
    memo_buf lines[MAX_WORDS] = {{0}};
    size_t n = 0;

    snprintf(verb, sizeof verb, "%s", args->verb->name);
    argv[argc++] = verb; /* stands for the program's name */
    for (char *part = strtok(verb, " "); part; part = strtok(NULL, " "))
        argv[argc++] = part;
    for (; n < args->n_given; n++) {
        const cli_option *option = &cli_options[args->given[n].id];
        memo_buf_printf(&lines[n], option->kind == CLI_FLAG ? "--%s" : "--%s=%s", option->name,
                        args->given[n].text);
        argv[argc++] = lines[n].data;
    }
    argv[argc++] = (char[]){"--"};
    for (size_t i = 0; i < args->n_words; i++)
        argv[argc++] = (char *)(uintptr_t)args->words[i];
    argv[argc] = NULL;
    if (cli_args_read(&again, argc, argv, &err)) {
        fprintf(stderr, "%s: %s\n", verb, err.message);
        abort();
    }
    if (again.verb != args->verb || again.n_words != args->n_words ||
        again.n_given != args->n_given)
        abort();
    for (size_t i = 0; i < args->n_words; i++)
        if (strcmp(again.words[i], args->words[i]) != 0)
            abort();
    for (size_t i = 0; i < n; i++) {
        if (again.given[i].id != args->given[i].id ||
            again.given[i].number != args->given[i].number)
            abort();
        memo_buf_fini(&lines[i]);
    }
    cli_args_fini(&again);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *argv[MAX_WORDS + 2], *text = memo_strndup((const char *)data, size);
    cli_args args = {0};
    memo_err err = {0};
    int argc = 1;

    if (!text)
        abort();
    argv[0] = (char[]){"memolith"};
    for (size_t at = 0; at < size && argc <= MAX_WORDS; at += strlen(text + at) + 1)
        argv[argc++] = text + at;
    argv[argc] = NULL;
    memo_status status = cli_args_read(&args, argc, argv, &err);
    if (status == MEMO_OK) {
        if (!args.verb || args.n_given + args.n_words > (size_t)argc)
            abort();
        for (size_t i = 0; i < args.n_given; i++)
            fuzz_check_given(&args.given[i]);
        fuzz_check_again(&args);
    } else if ((status != MEMO_ERR_USAGE && status != MEMO_ERR_VALUE) || !err.message[0]) {
        abort();
    }
    cli_args_fini(&args);
    memo_free(text);
    return 0;
}
