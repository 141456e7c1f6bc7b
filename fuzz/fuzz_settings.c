// SPDX-License-Identifier: Apache-2.0
/* fuzz_settings.c -- any bytes as the configuration file, next to an environment and a command line
 * that set nothing. What is accepted are the lines of a naive reading, each with a value that the
 * command line would take as well. */
#include "fuzz_folder.h"

#include "base/alloc.h"
#include "cli/settings.h"
#include "cli/values.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static int fuzz_is_blank(char c)
{
    return c == ' ' || c == '\t' || c == '\r';
}

/* The value of a key in an accepted file, trimmed, or 0. */
static int fuzz_lookup(const char *text, size_t size, const char *key, const char **value,
                       size_t *n_value)
{
    size_t n_key = strlen(key);
    for (size_t at = 0; at < size;) {
        const char *nl = memchr(text + at, '\n', size - at);
        size_t end = nl ? (size_t)(nl - text) : size, next = end + 1, from = at;
        while (from < end && fuzz_is_blank(text[from]))
            from++;
        while (end > from && fuzz_is_blank(text[end - 1]))
            end--;
        at = next;
        if (end - from < n_key || memcmp(text + from, key, n_key) != 0)
            continue;
        from += n_key;
        while (from < end && fuzz_is_blank(text[from]))
            from++;
        if (from == end || text[from++] != '=')
            continue;
        while (from < end && fuzz_is_blank(text[from]))
            from++;
        *value = text + from;
        *n_value = end - from;
        return 1;
    }
    return 0;
}

static void fuzz_check(const cli_settings *settings, const char *text, size_t size)
{
    for (int id = 1; id <= CLI_LAST_SETTING; id++) {
        const cli_setting *setting = &settings->values[id];
        const char *value = NULL;
        size_t n = 0;
        uint64_t number = 0;
        memo_err err = {0};
        int there = fuzz_lookup(text, size, cli_options[id].name, &value, &n);
        if (setting->origin != (there ? CLI_FROM_FILE : CLI_FROM_DEFAULT))
            abort();
        if (there && (strlen(setting->text) != n || memcmp(setting->text, value, n) != 0 ||
                      cli_value_read(&cli_options[id], "x", setting->text, &number, &err) ||
                      number != setting->number))
            abort();
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static char path[512];
    const cli_args args = {0};
    cli_settings settings = {0};
    memo_err err = {0};

    if (!path[0]) {
        extern char **environ;
        char *none[] = {NULL};
        environ = none; /* no MEMOLITH_... of whoever runs this */
        mkdir(fuzz_path(path, "memolith"), 0700);
        setenv("XDG_CONFIG_HOME", fuzz_folder(), 1);
        setenv("HOME", fuzz_folder(), 1);
        fuzz_path(path, "memolith/config");
    }
    fuzz_write(path, data, size);
    memo_status status = cli_settings_load(&settings, &args, &err);
    if (status == MEMO_OK)
        fuzz_check(&settings, (const char *)data, size);
    else if (!err.message[0])
        abort();
    cli_settings_fini(&settings);
    return 0;
}
