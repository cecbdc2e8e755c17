/* Command-line options: what the commands of a program take is declared in tables (commands.c), and this file reads
 * argv by such a table, prints its --help, and hands out the values.
 *
 * `--flag value` and `--flag=value` are the same, and so are dashes and underscores in names. A switch takes no value;
 * a truth value may leave it out (true). Options of type FILES take all arguments up to the next option and may be
 * repeated; of others the last one counts. There are no positional arguments.
 */
#ifndef LORAC_OPTIONS_H
#define LORAC_OPTIONS_H

#include "error.h"
#include "program.h"

#include <stdio.h>

enum option_type {
    OPTION_SWITCH, /* --resume; --resume=false takes it back */
    OPTION_BOOL,   /* --shuffle true|false */
    OPTION_INT,
    OPTION_REAL,
    OPTION_TEXT,
    OPTION_PATH,
    OPTION_FILES,
    OPTION_CHOICE, /* one of `choices` */
};

struct option {
    const char *name; /* without the leading dashes: "max-steps" */
    enum option_type type;
    const char *argument; /* in --help: "N", "DIR"; NULL: what the type suggests */
    const char
        *fallback; /* the value when it is not given; NULL: none (or the recipe's, where train_options.h knows one) */
    const char *help;
    const char *choices; /* "auto|cpu|cuda" */
    double low, high;    /* bounds of a number, both included; low == high: any */
    bool required;
};

struct options;

/* A command's exit code (enum exit_code). When it is not EXIT_DONE and err->text is filled, main prints that as one
 * line. */
typedef int command_function(const struct options *options, struct error *err);

struct command {
    const char *name;
    const char *summary;
    const struct option *options;
    int option_count;
    command_function *run;
};

/* Reads the arguments behind the command's name. NULL and *err (usage) when they are wrong; options_free() the result.
 * The options of `common` (option_count of them) are accepted by every command. */
struct options *options_parse(const struct command *command, const struct command *common,
                              const struct program *program, int count, char **arguments, struct error *err);
void options_free(struct options *options);

/* Prints the command's options and their defaults. */
void options_help(FILE *out, const struct command *command, const struct command *common,
                  const struct program *program);

/* The program whose command line this is. Commands use this rather than the global, so that tests can bring their own.
 */
const struct program *options_program(const struct options *options);

/* Whether the command's table has such an option. */
bool option_declared(const struct options *options, const char *name);

/* Whether the user gave it (a fallback does not count). A name that no table declares is a bug: CHECK. */
bool option_given(const struct options *options, const char *name);

/* Values: the user's, otherwise the fallback, otherwise NULL, 0 or false. Text belongs to argv. option_text serves
 * TEXT, PATH and CHOICE. */
const char *option_text(const struct options *options, const char *name);
long long option_int(const struct options *options, const char *name);
double option_real(const struct options *options, const char *name);
bool option_bool(const struct options *options, const char *name); /* SWITCH and BOOL */

/* FILES: how many, and each. */
int option_count(const struct options *options, const char *name);
const char *option_at(const struct options *options, const char *name, int index);

/* The entry of `names` closest to `name` by edit distance, NULL if none is close: for "did you mean". */
const char *closest_name(const char *name, const char *const *names, int count);

#endif
