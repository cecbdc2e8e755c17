/* A program's entry: everything is in commands.c and in what the recipe was compiled to. */
#include "commands.h"

extern const struct program program;

int main(int argc, char **argv)
{
    return run_command_line(&program, argc, argv);
}
