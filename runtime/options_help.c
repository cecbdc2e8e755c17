/* --help, and "did you mean". */
#define _POSIX_C_SOURCE 200809L

#include "options.h"
#include "train_options.h"

#include <stdlib.h>
#include <string.h>

static const char *argument_of(const struct option *option)
{
    if (option->argument)
        return option->argument;
    switch (option->type) {
    case OPTION_SWITCH:
        return "";
    case OPTION_BOOL:
        return "true|false";
    case OPTION_INT:
        return "N";
    case OPTION_REAL:
        return "X";
    case OPTION_TEXT:
        return "TEXT";
    case OPTION_PATH:
        return "DIR";
    case OPTION_FILES:
        return "FILE...";
    case OPTION_CHOICE:
        return option->choices;
    }
    return "";
}

static void print_options(FILE *out, const struct command *command, const struct program *program)
{
    for (int i = 0; i < command->option_count; i++) {
        const struct option *option = &command->options[i];
        char left[80], recipe[64] = "";
        const char *argument = argument_of(option);
        snprintf(left, sizeof left, "--%s%s%s", option->name, *argument ? " " : "", argument);
        if (!option->fallback)
            train_option_default(recipe, sizeof recipe, &program->train, option->name);
        const char *fallback = option->fallback ? option->fallback : recipe;
        fprintf(out, "  %-35s %s", left, option->help);
        if (option->required)
            fprintf(out, " (required)");
        else if (*fallback)
            fprintf(out, " (default %s)", fallback);
        fprintf(out, "\n");
    }
}

void options_help(FILE *out, const struct command *command, const struct command *common, const struct program *program)
{
    fprintf(out, "usage: %s %s [options]\n%s\n\n", program->name, command->name, command->summary);
    print_options(out, command, program);
    if (command->option_count)
        fprintf(out, "\n");
    print_options(out, common, program);
}

/* Levenshtein's distance; of long names only the first 63 characters count. */
static int edit_distance(const char *a, const char *b)
{
    int row[64], n = (int)strnlen(b, 63);
    for (int j = 0; j <= n; j++)
        row[j] = j;
    for (int i = 0; a[i] && i < 63; i++) {
        int diagonal = row[0]++;
        for (int j = 1; j <= n; j++) {
            int change = diagonal + (a[i] != b[j - 1]);
            diagonal = row[j];
            int other = (row[j] < row[j - 1] ? row[j] : row[j - 1]) + 1;
            row[j] = change < other ? change : other;
        }
    }
    return row[n];
}

const char *closest_name(const char *name, const char *const *names, int count)
{
    const char *best = NULL;
    int limit = 1 + (int)strlen(name) / 4, smallest = limit + 1;
    for (int i = 0; i < count; i++) {
        int distance = edit_distance(name, names[i]);
        if (distance < smallest) {
            smallest = distance;
            best = names[i];
        }
    }
    return best;
}
