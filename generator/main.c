/* lorac: reads a recipe, runs the passes and writes the program's text. */
#include "passes.h"
#include "suggest.h"

#include <stdlib.h>
#include <string.h>

#define VERSION "0.1"

static const char usage[] =
    "usage: lorac RECIPE.lua -o DIR [--set FIELD=VALUE]... [--dump=PASS]\n"
    "\n"
    "Reads a recipe and writes the text of its program, C and a README, to DIR.\n"
    "\n"
    "  -o DIR             where the program's text goes\n"
    "  --set FIELD=VALUE  changes a field of the recipe: --set lora.r=16 --set lora.target_modules=q_proj,v_proj\n"
    "  --dump=PASS        prints what a pass knows; without -o nothing is written. Passes:\n"
    "                     architecture placement graph backward schedule memory cost\n"
    "  --help, --version\n"
    "\n"
    "The recipe's fields are PEFT's and TrainingArguments' own; recipes/ has examples.\n";

/* In order; the first two run even after mistakes, to report theirs as well. */
static const struct pass {
    const char *name;
    bool (*run)(struct plan *plan, struct messages *messages);
    void (*dump)(const struct plan *plan, FILE *out);
} passes[] = {
    {"architecture", architecture_pass, architecture_dump},
    {"placement", placement_pass, placement_dump},
    {"graph", graph_pass, graph_dump},
    {"backward", backward_pass, backward_dump},
    {"schedule", schedule_pass, schedule_dump},
    {"memory", memory_pass, memory_dump},
    {"cost", cost_pass, cost_dump},
};

enum { PASSES = sizeof passes / sizeof *passes, CHECKING_PASSES = 2 };

struct command {
    const char *recipe, *output;
    const struct pass *dump;
    struct string_list overrides;
    bool finished; /* --help or --version has been answered */
};

static const struct pass *find_pass(const char *name, struct error *err)
{
    const char *names[PASSES];
    for (int i = 0; i < PASSES; i++) {
        names[i] = passes[i].name;
        if (strcmp(name, names[i]) == 0)
            return &passes[i];
    }
    const char *near = suggest(name, names, PASSES);
    error_usage(
        err,
        "lorac: --dump=%s: no such pass%s%s%s There are architecture, placement, graph, backward, schedule, memory "
        "and cost",
        name, near ? "; did you mean '" : "", near ? near : "", near ? "'?" : ".");
    return NULL;
}

/* The value of an option written "--set X" or "--set=X"; NULL where the argument is another one. *next is moved on. */
static const char *option_value(const char *option, char **arguments, int count, int *next, struct error *err)
{
    size_t length = strlen(option);
    CHECK(arguments[*next]);
    if (strncmp(arguments[*next], option, length) != 0)
        return NULL;
    if (arguments[*next][length] == '=')
        return arguments[*next] + length + 1;
    if (arguments[*next][length] != 0)
        return NULL;
    if (*next + 1 < count)
        return arguments[++*next];
    error_usage(err, "lorac: %s needs a value; see lorac --help", option);
    return NULL;
}

static bool read_argument(struct command *command, char **arguments, int count, int *next, struct error *err)
{
    const char *argument = arguments[*next], *value;
    if (strcmp(argument, "--help") == 0 || strcmp(argument, "-h") == 0) {
        command->finished = fputs(usage, stdout) >= 0;
    } else if (strcmp(argument, "--version") == 0) {
        command->finished = puts("lorac " VERSION) >= 0;
    } else if ((value = option_value("-o", arguments, count, next, err))) {
        command->output = value;
    } else if ((value = option_value("--set", arguments, count, next, err))) {
        if (strcspn(value, "=") == 0 || !strchr(value, '='))
            return error_usage(err, "lorac: --set %s: expected FIELD=VALUE, such as lora.r=16", value);
        string_list_add(&command->overrides, value);
    } else if ((value = option_value("--dump", arguments, count, next, err))) {
        command->dump = find_pass(value, err);
    } else if (err->exit_code == 0 && *argument == '-') {
        return error_usage(err, "lorac: unknown option '%s'; see lorac --help", argument);
    } else if (err->exit_code == 0 && command->recipe) {
        return error_usage(err, "lorac: one recipe at a time, not both '%s' and '%s'", command->recipe, argument);
    } else {
        command->recipe = argument;
    }
    return err->exit_code == 0;
}

static bool read_command(struct command *command, int count, char **arguments, struct error *err)
{
    for (int next = 1; next < count && !command->finished; next++) {
        if (!read_argument(command, arguments, count, &next, err))
            return false;
    }
    if (command->finished)
        return true;
    if (!command->recipe || !*command->recipe)
        return error_usage(err,
                           "lorac: which recipe? usage: lorac RECIPE.lua -o DIR [--set FIELD=VALUE]... [--dump=PASS]");
    if (command->output ? !*command->output : !command->dump)
        return error_usage(err, "lorac: -o DIR is missing: where should the program's text go?");
    return true;
}

/* Runs the passes up to the dumped one, all of them where an output is wanted. */
static bool run_passes(const struct command *command, struct plan *plan, struct messages *messages)
{
    recipe_pass(plan, command->recipe, &command->overrides, messages);
    if (plan->recipe.model.num_hidden_layers == 0)
        return false;
    for (int i = 0; i < PASSES; i++) {
        if (i >= CHECKING_PASSES && messages->count > 0)
            return false;
        if (!passes[i].run(plan, messages) && i >= CHECKING_PASSES)
            return false;
        if (command->dump == &passes[i] && !command->output)
            break;
    }
    return messages->count == 0;
}

static int generate(const struct command *command)
{
    struct plan plan = {0};
    struct messages messages = {0};
    bool done = run_passes(command, &plan, &messages);
    if (done && command->output)
        done = emit_program(&plan, command->output, &messages);
    if (done && command->dump)
        command->dump->dump(&plan, stdout);
    if (!done)
        messages_print(&messages, stderr);
    graph_plan_free(plan.graph);
    placement_free(&plan.placement);
    architecture_free(&plan.architecture);
    recipe_free(&plan.recipe);
    messages_free(&messages);
    return done ? EXIT_DONE : EXIT_FAILED;
}

int main(int count, char **arguments)
{
    struct command command = {0};
    struct error err = {0};
    int status = EXIT_DONE;
    if (!read_command(&command, count, arguments, &err)) {
        fprintf(stderr, "%s\n", err.text);
        status = err.exit_code;
    } else if (!command.finished) {
        status = generate(&command);
    }
    string_list_free(&command.overrides);
    if (fflush(stdout) != 0 && status == EXIT_DONE)
        status = EXIT_FAILED;
    return status;
}
