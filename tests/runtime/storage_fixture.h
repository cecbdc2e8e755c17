/* A small Llama-shaped program whose backend only remembers, for tests of loading, saving and merging; and temporary files.
 *
 * Two layers with q_proj [8][8], v_proj [4][8] and an input norm [8], an embedding [16][8], and a head [16][8] unless tied.
 * Trained: q_proj and v_proj of layer 1 with r = 2, alpha = 6 (scaling 3), lora_B turned around in memory; with DoRA their
 * magnitudes; with whole tensors the head or the embedding.
 */
#ifndef LORAC_STORAGE_FIXTURE_H
#define LORAC_STORAGE_FIXTURE_H

#include "program.h"
#include "safetensors.h"

enum fixture_flags { FIXTURE_TIED = 1, FIXTURE_DORA = 2, FIXTURE_HEAD = 4, FIXTURE_EMBEDDING = 8, FIXTURE_BF16 = 16 };

struct fixture_program {
    struct program program;
    struct tensor_group weights[3], adapters[3];
    struct tensor_spec layer[3], embedding, head, lora[6], full[2];
    const struct backend *backends[1];
};

/* Fills *fixture; its parts point into each other. */
void fixture_program(struct fixture_program *fixture, int flags);

extern const struct backend fixture_backend;
struct device *fixture_open(void);
const void *fixture_region(const struct device *device, enum region region);

/* A fresh directory; fixture_remove deletes it with all that is in it, and frees the name. */
char *fixture_directory(void);
void fixture_remove(char *directory);

/* A directory with a random model of the fixture's shape in model/. */
struct fixture_ground {
    struct fixture_program fixture;
    const struct program *program;
    char *directory, *model, *adapter;
    struct device *device;
};
void fixture_begin(struct fixture_ground *ground, int flags);
void fixture_end(struct fixture_ground *ground);

/* Runs the program's command line in this process, standard output and error going nowhere; returns the exit code. The
 * arguments end with NULL. */
int fixture_run(const struct program *program, const char *command, ...);

/* Reads a whole tensor of a file as floats; free() it. */
float *fixture_tensor(const char *directory, const char *file, const char *name);

void fixture_assert_same_files(const char *path, const char *expected);

#endif
