/* The program's commands. Each takes its parsed options and returns an exit code; see options.h for how values are read
 * and how messages travel (fill *err, return err->exit_code).
 *
 * Options that every command has: --device (auto|cpu|cuda), --isa, --threads, --help, --version. commands.c declares
 * the rest.
 */
#ifndef LORAC_COMMANDS_H
#define LORAC_COMMANDS_H

#include "options.h"

#define LORAC_VERSION "0.1"

/* trainer side */
command_function command_train, command_eval, command_generate, command_chat, command_preview;

/* storage side */
command_function command_merge, command_init_model, command_info, command_selftest, command_tune;

extern const struct command commands[];
extern const int command_total;
extern const struct command common_options; /* name NULL */

/* Reads argv, dispatches, prints what went wrong; returns the process's exit code. */
int run_command_line(const struct program *program, int argc, char **argv);

#endif
