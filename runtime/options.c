#include "options.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

struct value {
    const struct option *option;
    bool given;
    const char *text; /* NULL: none */
    double real;
    long long integer;
    bool truth;
    const char **files;
    int file_count;
};

struct options {
    const struct program *program;
    int count;
    struct value *values;
};

/* Names are compared with dashes and underscores alike, up to a '=' or the end. */
static bool same_name(const char *declared, const char *given, size_t length)
{
    for (size_t i = 0; i < length; i++)
        if (declared[i] != given[i] && !(declared[i] == '-' && given[i] == '_'))
            return false;
    return declared[length] == '\0';
}

static struct value *find(const struct options *options, const char *name, size_t length)
{
    for (int i = 0; i < options->count; i++)
        if (same_name(options->values[i].option->name, name, length))
            return &options->values[i];
    return NULL;
}

/* ---- values ---- */

static bool read_truth(struct value *value, const char *text, struct error *err)
{
    static const char *const words[] = {"false", "true", "no", "yes", "0", "1"};
    for (int i = 0; i < 6; i++)
        if (!strcmp(text, words[i])) {
            value->truth = i % 2;
            return true;
        }
    return error_usage(err, "--%s: true or false is expected, found '%s'", value->option->name, text);
}

static bool check_bounds(const struct option *option, double number, const char *text, struct error *err)
{
    if (option->low == option->high || (number >= option->low && number <= option->high))
        return true;
    if (option->high >= 1e9)
        return error_usage(err, "--%s: at least %.12g is expected, found '%s'", option->name, option->low, text);
    return error_usage(err, "--%s: a number from %.12g to %.12g is expected, found '%s'", option->name, option->low,
                       option->high, text);
}

static bool read_number(struct value *value, const char *text, struct error *err)
{
    bool integer = value->option->type == OPTION_INT;
    char *end;
    errno = 0;
    value->integer = integer ? strtoll(text, &end, 10) : 0;
    value->real = integer ? (double)value->integer : strtod(text, &end);
    if (end == text || *end || errno == ERANGE || !isfinite(value->real))
        return error_usage(err, "--%s: %s is expected, found '%s'", value->option->name,
                           integer ? "a whole number" : "a number", text);
    return check_bounds(value->option, value->real, text, err);
}

/* "one of linear, cosine, ... is expected", and the closest of them. */
static bool unknown_choice(const struct option *option, const char *text, struct error *err)
{
    char *list = format_text("%s", ""), *words = format_text("%s", option->choices);
    const char *names[16];
    int count = 0;
    for (char *word = words, *end; word && count < 16; word = end) {
        end = strchr(word, '|');
        if (end)
            *end++ = '\0';
        char *longer = format_text("%s%s%s", list, count ? ", " : "", word);
        free(list);
        list = longer;
        names[count++] = word;
    }
    /* Of three letters, too many are close: "gpu" is not meant to be cpu. */
    const char *close = strlen(text) > 3 ? closest_name(text, names, count) : NULL;
    error_usage(err, "--%s: one of %s is expected, found '%s'%s%s%s", option->name, list, text,
                close ? "; did you mean " : "", close ? close : "", close ? "?" : "");
    free(list);
    free(words);
    return false;
}

static bool read_choice(const struct value *value, const char *text, struct error *err)
{
    size_t length = strlen(text);
    for (const char *choice = value->option->choices; *choice; choice += strcspn(choice, "|")) {
        choice += *choice == '|';
        if (length && strcspn(choice, "|") == length && !strncmp(choice, text, length))
            return true;
    }
    return unknown_choice(value->option, text, err);
}

static bool read_value(struct value *value, const char *text, struct error *err)
{
    value->text = text;
    switch (value->option->type) {
    case OPTION_SWITCH:
    case OPTION_BOOL:
        return read_truth(value, text, err);
    case OPTION_INT:
    case OPTION_REAL:
        return read_number(value, text, err);
    case OPTION_CHOICE:
        return read_choice(value, text, err);
    case OPTION_PATH:
        return *text || error_usage(err, "--%s: a path is expected, found nothing", value->option->name);
    case OPTION_FILES:
        value->files = reallocate(value->files, (size_t)(value->file_count + 1) * sizeof(char *), "the command line");
        value->files[value->file_count++] = text;
        return *text || error_usage(err, "--%s: a file is expected, found nothing", value->option->name);
    case OPTION_TEXT:
        return true;
    }
    return false;
}

/* ---- arguments ---- */

static bool unknown_option(const struct options *options, const char *given, size_t length, struct error *err)
{
    const char *names[128];
    int count = options->count < 128 ? options->count : 128;
    for (int i = 0; i < count; i++)
        names[i] = options->values[i].option->name;
    char *name = format_text("%.*s", (int)length, given);
    for (char *c = name; *c; c++)
        *c = *c == '_' ? '-' : *c;
    const char *close = closest_name(name, names, count);
    error_usage(err, "unknown option --%.*s; %s%s%s--help lists them all", (int)length, given,
                close ? "did you mean --" : "", close ? close : "", close ? "? " : "");
    free(name);
    return false;
}

static bool is_option(const char *argument)
{
    return argument[0] == '-' && argument[1] == '-' && argument[2];
}

/* Reads the option at arguments[*next] with what belongs to it, and moves *next behind. */
static bool read_option(struct options *options, int count, char **arguments, int *next, struct error *err)
{
    const char *given = arguments[(*next)++];
    if (!is_option(given))
        return error_usage(err, "an option is expected, found '%s'; --help lists them", given);
    given += 2;
    size_t length = strcspn(given, "=");
    struct value *value = find(options, given, length);
    if (!value)
        return unknown_option(options, given, length, err);
    enum option_type type = value->option->type;
    bool more = *next < count;
    value->given = true;
    if (given[length] == '=') {
        if (!read_value(value, given + length + 1, err))
            return false;
    } else if (type == OPTION_SWITCH || (type == OPTION_BOOL && !(more && !is_option(arguments[*next])))) {
        value->truth = true;
        return true;
    } else if (!more || (type != OPTION_TEXT && is_option(arguments[*next]))) {
        return error_usage(err, "--%s: a value is expected behind it, found %s%s", value->option->name,
                           more ? "the option " : "nothing", more ? arguments[*next] : "");
    } else if (!read_value(value, arguments[(*next)++], err)) {
        return false;
    }
    while (type == OPTION_FILES && *next < count && !is_option(arguments[*next]))
        if (!read_value(value, arguments[(*next)++], err))
            return false;
    return true;
}

static void declare(struct options *options, const struct command *command)
{
    size_t count = (size_t)options->count + (size_t)command->option_count;
    options->values = reallocate(options->values, (count + 1) * sizeof *options->values, "the command line");
    for (int i = 0; i < command->option_count; i++) {
        struct value *value = &options->values[options->count++];
        *value = (struct value){.option = &command->options[i]};
        struct error err;
        const char *fallback = command->options[i].fallback;
        CHECK(!fallback || read_value(value, fallback, &err));
    }
}

struct options *options_parse(const struct command *command, const struct command *common,
                              const struct program *program, int count, char **arguments, struct error *err)
{
    struct options *options = allocate(sizeof *options, "the command line");
    options->program = program;
    declare(options, command);
    declare(options, common);
    bool right = true;
    for (int next = 0; right && next < count;)
        right = read_option(options, count, arguments, &next, err);
    for (int i = 0; right && i < options->count; i++)
        if (options->values[i].option->required && !options->values[i].given)
            right = error_usage(err, "%s needs --%s, %s; %s %s --help lists all options", command->name,
                                options->values[i].option->name, options->values[i].option->help, program->name,
                                command->name);
    if (right)
        return options;
    options_free(options);
    return NULL;
}

void options_free(struct options *options)
{
    if (!options)
        return;
    for (int i = 0; i < options->count; i++)
        free(options->values[i].files);
    free(options->values);
    free(options);
}

/* ---- handing out ---- */

static const struct value *get(const struct options *options, const char *name)
{
    const struct value *value = find(options, name, strlen(name));
    CHECK(value);
    return value;
}

const struct program *options_program(const struct options *options)
{
    return options->program;
}

bool option_declared(const struct options *options, const char *name)
{
    return find(options, name, strlen(name));
}

bool option_given(const struct options *options, const char *name)
{
    return get(options, name)->given;
}

const char *option_text(const struct options *options, const char *name)
{
    return get(options, name)->text;
}

long long option_int(const struct options *options, const char *name)
{
    return get(options, name)->integer;
}

double option_real(const struct options *options, const char *name)
{
    return get(options, name)->real;
}

bool option_bool(const struct options *options, const char *name)
{
    return get(options, name)->truth;
}

int option_count(const struct options *options, const char *name)
{
    return get(options, name)->file_count;
}

const char *option_at(const struct options *options, const char *name, int index)
{
    const struct value *value = get(options, name);
    CHECK(index >= 0 && index < value->file_count);
    return value->files[index];
}
