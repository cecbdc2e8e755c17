/* The table of commands and their options, and the dispatch. */
#include "commands.h"
#include "threads.h"
#include "tokenizer_command.h"

#include <stdlib.h>
#include <string.h>

#define MODEL                                                                                                          \
    {                                                                                                                  \
        .name = "model", .type = OPTION_PATH, .required = true, .help = "the base model, a Hugging Face directory"     \
    }
#define ADAPTER                                                                                                        \
    {                                                                                                                  \
        .name = "adapter", .type = OPTION_PATH,                                                                        \
        .help = "a trained adapter (train's output); none: the base model alone"                                       \
    }
#define JSON(what)                                                                                                     \
    {                                                                                                                  \
        .name = "json", .type = OPTION_SWITCH, .help = (what)                                                          \
    }
#define MAX_SAMPLES                                                                                                    \
    {                                                                                                                  \
        .name = "max-samples", .type = OPTION_INT, .low = 0, .high = 1e18,                                             \
        .help = "take only N samples, after the shuffle (0: all)"                                                      \
    }

/* What is trained on, and in which order: train's, and preview's. */
#define TRAINING_DATA(of_seed)                                                                                         \
    {.name = "data", .type = OPTION_FILES, .required = true, .help = "training data, .json or .jsonl"}, MAX_SAMPLES,   \
        {.name = "shuffle", .type = OPTION_BOOL, .help = "in which order: seeded, or as in the files"},                \
        {.name = "seed", .type = OPTION_INT, .low = 0, .high = 9.2e18, .help = (of_seed)},                             \
        {.name = "max-length",                                                                                         \
         .type = OPTION_INT,                                                                                           \
         .low = 1,                                                                                                     \
         .high = 2e9,                                                                                                  \
         .help = "samples are cut to this many tokens"},                                                               \
    {                                                                                                                  \
        .name = "assistant-only-loss", .type = OPTION_BOOL, .help = "train on the assistant's tokens only"             \
    }

static const struct option train_options[] = {
    MODEL,
    TRAINING_DATA("of the adapter's initial weights, shuffling and dropout"),
    {.name = "output", .type = OPTION_PATH, .required = true, .help = "where the adapter, the log and checkpoints go"},
    {.name = "eval-data", .type = OPTION_FILES, .help = "data to evaluate on during and after training"},
    {.name = "init-adapter", .type = OPTION_PATH, .help = "start from this adapter, not from a fresh one"},
    {.name = "resume", .type = OPTION_SWITCH, .help = "go on from the newest checkpoint in --output"},
    {.name = "num-train-epochs", .type = OPTION_REAL, .low = 0, .high = 1e9, .help = "passes over the data"},
    {.name = "max-steps",
     .type = OPTION_INT,
     .low = -1,
     .high = 2e9,
     .help = "optimizer steps; -1: as many as the epochs have"},
    {.name = "per-device-train-batch-size",
     .type = OPTION_INT,
     .low = 1,
     .high = 2e9,
     .help = "samples in a micro-batch"},
    {.name = "gradient-accumulation-steps",
     .type = OPTION_INT,
     .low = 1,
     .high = 2e9,
     .help = "micro-batches in a step"},
    {.name = "packing", .type = OPTION_BOOL, .help = "fill micro-batches by tokens, not by samples"},
    {.name = "learning-rate", .type = OPTION_REAL, .low = 0, .high = 1e9, .help = "at the end of the warmup"},
    {.name = "lr-scheduler-type",
     .type = OPTION_CHOICE,
     .argument = "NAME",
     .choices =
         "linear|cosine|constant|constant_with_warmup|cosine_with_restarts|cosine_with_min_lr|polynomial|inverse_sqrt",
     .help = "the learning rate's course, as Transformers names it"},
    {.name = "min-lr", .type = OPTION_REAL, .low = 0, .high = 1e9, .help = "cosine_with_min_lr: the lowest rate"},
    {.name = "min-lr-rate", .type = OPTION_REAL, .low = 0, .high = 1, .help = "the same, relative to --learning-rate"},
    {.name = "num-cycles", .type = OPTION_REAL, .low = 0, .high = 1e9, .help = "cosine schedules: waves"},
    {.name = "power", .type = OPTION_REAL, .low = 0, .high = 1e9, .help = "polynomial: exponent"},
    {.name = "lr-end", .type = OPTION_REAL, .low = 0, .high = 1e9, .help = "polynomial: the last rate"},
    {.name = "timescale", .type = OPTION_REAL, .low = 0, .high = 1e9, .help = "inverse_sqrt: steps"},
    {.name = "warmup-steps", .type = OPTION_INT, .low = 0, .high = 2e9, .help = "steps until the full learning rate"},
    {.name = "warmup-ratio", .type = OPTION_REAL, .low = 0, .high = 1, .help = "the same as a part of all steps"},
    {.name = "weight-decay", .type = OPTION_REAL, .low = 0, .high = 1e9, .help = "AdamW, decoupled"},
    {.name = "adam-beta1", .type = OPTION_REAL, .low = 0, .high = 0.9999999, .help = "AdamW"},
    {.name = "adam-beta2", .type = OPTION_REAL, .low = 0, .high = 0.9999999, .help = "AdamW"},
    {.name = "adam-epsilon", .type = OPTION_REAL, .low = 0, .high = 1, .help = "AdamW"},
    {.name = "max-grad-norm",
     .type = OPTION_REAL,
     .low = 0,
     .high = 1e9,
     .help = "gradients are clipped to this norm; 0: never"},
    {.name = "logging-steps", .type = OPTION_INT, .low = 0, .high = 2e9, .help = "log every N steps"},
    {.name = "eval-steps", .type = OPTION_INT, .low = 0, .high = 2e9, .help = "evaluate every N steps; 0: at the end"},
    {.name = "save-steps", .type = OPTION_INT, .low = 0, .high = 2e9, .help = "checkpoint every N steps; 0: none"},
    {.name = "save-total-limit",
     .type = OPTION_INT,
     .low = 0,
     .high = 2e9,
     .help = "keep the newest N checkpoints; 0: all"},
    {.name = "tune",
     .type = OPTION_CHOICE,
     .choices = "auto|always|off",
     .fallback = "auto",
     .help = "use what is known of this machine's speed, and measure the rest while training; always: short operations "
             "too; no result changes"},
};

#define SAMPLING                                                                                                       \
    {.name = "max-new-tokens",                                                                                         \
     .type = OPTION_INT,                                                                                               \
     .low = 1,                                                                                                         \
     .high = 1e9,                                                                                                      \
     .fallback = "256",                                                                                                \
     .help = "stop after N tokens"},                                                                                   \
        {.name = "temperature", .type = OPTION_REAL, .low = 0, .high = 1e6, .help = "0: always the likeliest token"},  \
        {.name = "top-p",                                                                                              \
         .type = OPTION_REAL,                                                                                          \
         .low = 0,                                                                                                     \
         .high = 1,                                                                                                    \
         .help = "only the likeliest tokens of this total probability"},                                               \
        {.name = "top-k", .type = OPTION_INT, .low = 0, .high = 1e9, .help = "only the N likeliest tokens; 0: all"},   \
        {.name = "repetition-penalty",                                                                                 \
         .type = OPTION_REAL,                                                                                          \
         .low = 1e-3,                                                                                                  \
         .high = 1e6,                                                                                                  \
         .help = "above 1: discourages repetition"},                                                                   \
    {                                                                                                                  \
        .name = "seed", .type = OPTION_INT, .low = 0, .high = 9.2e18, .fallback = "42", .help = "of the sampling"      \
    }

#define TUNE                                                                                                           \
    {                                                                                                                  \
        .name = "tune", .type = OPTION_CHOICE, .choices = "auto|off", .fallback = "auto",                              \
        .help = "use what is known of this machine's speed; no result changes"                                         \
    }

static const struct option generate_options[] = {
    MODEL,
    ADAPTER,
    TUNE,
    {.name = "prompt", .type = OPTION_TEXT, .help = "a user's message, in the recipe's chat format"},
    {.name = "messages", .type = OPTION_PATH, .argument = "FILE", .help = "a conversation, a JSON array of messages"},
    {.name = "raw", .type = OPTION_TEXT, .help = "text to continue, with no chat format"},
    {.name = "prompt-ids",
     .type = OPTION_TEXT,
     .argument = "IDS",
     .help = "token ids to continue, with commas between them"},
    SAMPLING,
    JSON("text, tokens, ids, finish_reason and speeds as one JSON object"),
};

static const struct option chat_options[] = {
    MODEL,    ADAPTER,
    TUNE,     {.name = "system", .type = OPTION_TEXT, .help = "system message; none given: the recipe's"},
    SAMPLING,
};

static const struct option eval_options[] = {
    MODEL,
    ADAPTER,
    TUNE,
    {.name = "data", .type = OPTION_FILES, .required = true, .help = "data to evaluate on, .json or .jsonl"},
    MAX_SAMPLES,
    JSON("eval_loss, perplexity, token_accuracy and tokens as one JSON object"),
};

static const struct option merge_options[] = {
    MODEL,
    {.name = "adapter", .type = OPTION_PATH, .required = true, .help = "the adapter to merge into the base model"},
    {.name = "output", .type = OPTION_PATH, .required = true, .help = "where the merged model goes, a new directory"},
};

static const struct option tokenize_options[] = {
    MODEL,
    {.name = "decode", .type = OPTION_SWITCH, .help = "ids to text: stdin has one JSON array of ids a line"},
};

static const struct option preview_options[] = {
    MODEL,
    TRAINING_DATA("of the shuffling"),
    JSON("input_ids and labels, a sample a line, in the files' order: to be given as --data again"),
};

static const struct option info_options[] = {
    JSON("everything as one JSON object"),
};

static const struct option tune_options[] = {
    {.name = "output", .type = OPTION_PATH, .argument = "FILE", .help = "write it there, not where runs look for it"},
    JSON("what is in the file, in place of the table"),
};

static const struct option init_model_options[] = {
    {.name = "output", .type = OPTION_PATH, .required = true, .help = "where the model goes, a new directory"},
    {.name = "seed", .type = OPTION_INT, .low = 0, .high = 9.2e18, .fallback = "0", .help = "of the weights"},
    {.name = "dtype",
     .type = OPTION_CHOICE,
     .choices = "fp32|bf16|fp16",
     .help = "storage type; none given: the recipe's"},
};

static const struct option shared_options[] = {
    {.name = "device",
     .type = OPTION_CHOICE,
     .choices = "auto|cpu|cuda",
     .fallback = "auto",
     .help = "where to compute"},
    {.name = "isa",
     .type = OPTION_TEXT,
     .argument = "NAME",
     .help = "instruction set of the CPU; none given: the best that runs here"},
    {.name = "threads",
     .type = OPTION_INT,
     .low = 1,
     .high = MOST_THREADS,
     .help = "none given: OMP_NUM_THREADS, or one for each physical core within the affinity mask and the cgroup's CPU "
             "quota (info "
             "says how many); the environment's OMP_WAIT_POLICY (active, passive) and OMP_PROC_BIND are heeded"},
};

static int run_tokenize(const struct options *options, struct error *err)
{
    bool decode = option_bool(options, "decode");
    const struct chat_format *chat = options_program(options)->chat;
    return command_tokenize(chat, option_text(options, "model"), decode, stdin, stdout, err) ? EXIT_DONE
                                                                                             : err->exit_code;
}

#define WITH(table) (table), sizeof(table) / sizeof *(table)
const struct command commands[] = {
    {"train", "Trains an adapter on your data.", WITH(train_options), command_train},
    {"generate",
     "Answers a message, or continues a text. One of --prompt, --messages, --raw and --prompt-ids is needed.",
     WITH(generate_options), command_generate},
    {"chat", "Talks with the model in the terminal.", WITH(chat_options), command_chat},
    {"eval", "Measures loss, perplexity and token accuracy on data.", WITH(eval_options), command_eval},
    {"merge", "Writes the base model with the adapter merged in.", WITH(merge_options), command_merge},
    {"tokenize", "Reads one JSON string, or array of messages, a line from stdin; prints an array of ids for each.",
     WITH(tokenize_options), run_tokenize},
    {"preview", "Shows, token by token, what train would train on; takes those of train's options that are about data.",
     WITH(preview_options), command_preview},
    {"info", "Tells the recipe, shapes, adapter placement, memory plan and cost.", WITH(info_options), command_info},
    {"selftest", "Checks every kernel of this program against its reference, on this machine.", NULL, 0,
     command_selftest},
    {"tune", "Measures, on this machine, which variant of each kernel is the fastest, and keeps it for later runs.",
     WITH(tune_options), command_tune},
    {"init-model", "Writes a randomly initialized model of this shape, for tests and benchmarks.",
     WITH(init_model_options), command_init_model},
};
const int command_total = sizeof commands / sizeof *commands;

const struct command common_options = {.options = shared_options,
                                       .option_count = sizeof shared_options / sizeof *shared_options};

static void print_usage(FILE *out, const struct program *program)
{
    fprintf(out, "usage: %s COMMAND [options]\nfine-tunes one model shape with LoRA, and runs it; made from %s\n\n",
            program->name, program->recipe);
    for (int i = 0; i < command_total; i++)
        fprintf(out, "  %-11s %s\n", commands[i].name, commands[i].summary);
    fprintf(out, "\n%s COMMAND --help lists a command's options; %s --version tells the version.\n", program->name,
            program->name);
}

/* "init_model" and "init-model" are the same. */
static const struct command *find_command(const char *name, struct error *err)
{
    const char *names[16];
    CHECK(command_total <= 16);
    char *dashed = format_text("%s", name);
    for (char *c = dashed; *c; c++)
        *c = *c == '_' ? '-' : *c;
    const struct command *command = NULL;
    for (int i = 0; i < command_total; i++) {
        names[i] = commands[i].name;
        if (!strcmp(dashed, names[i]))
            command = &commands[i];
    }
    if (!command) {
        const char *close = closest_name(dashed, names, command_total);
        error_usage(err, "unknown command '%s'; %s%s%s--help lists them all", name, close ? "did you mean '" : "",
                    close ? close : "", close ? "'? " : "");
    }
    free(dashed);
    return command;
}

static bool asks(int argc, char **argv, int from, const char *flag)
{
    for (int i = from; i < argc; i++)
        if (!strcmp(argv[i], flag))
            return true;
    return false;
}

static int run_command(const struct program *program, int argc, char **argv, struct error *err)
{
    if (argc < 2) {
        print_usage(stderr, program);
        return EXIT_USAGE;
    }
    if (!strcmp(argv[1], "--help") || !strcmp(argv[1], "-h") || !strcmp(argv[1], "help")) {
        print_usage(stdout, program);
        return EXIT_DONE;
    }
    if (asks(argc, argv, 1, "--version")) {
        printf("%s, made by lorac %s from %s\n", program->name, LORAC_VERSION, program->recipe);
        return EXIT_DONE;
    }
    const struct command *command = find_command(argv[1], err);
    if (!command)
        return err->exit_code;
    if (asks(argc, argv, 2, "--help") || asks(argc, argv, 2, "-h")) {
        options_help(stdout, command, &common_options, program);
        return EXIT_DONE;
    }
    struct options *options = options_parse(command, &common_options, program, argc - 2, argv + 2, err);
    if (!options)
        return err->exit_code;
    int code = command->run(options, err);
    options_free(options);
    return code;
}

int run_command_line(const struct program *program, int argc, char **argv)
{
    struct error err = {.exit_code = EXIT_FAILED};
    int code = run_command(program, argc, argv, &err);
    if (code != EXIT_DONE && err.text[0])
        fprintf(stderr, "%s: %s\n", program->name, err.text);
    if ((fflush(stdout) || ferror(stdout)) && code == EXIT_DONE) {
        fprintf(stderr, "%s: standard output cannot be written\n", program->name);
        code = EXIT_FAILED;
    }
    return code;
}
