/* Loading a base model's checkpoint into a backend's memory. */
#ifndef LORAC_WEIGHTS_H
#define LORAC_WEIGHTS_H

#include "program.h"
#include "safetensors.h"

/* Checks that `directory` is a model of the compiled shape (config.json). */
bool model_check(const struct program *program, const char *directory, struct error *err);

/* Checks that the files hold every tensor of program->weights with its shape, and none that the program does not know but
 * those that model_load skips. `directory` begins the message where there are several files. */
bool model_check_tensors(const struct program *program, const struct weight_files *files, const char *directory,
                         struct error *err);

/* model_check, then every tensor of program->weights: found with its shape, converted to its memory dtype (in which no number may become infinite) and uploaded
 * in pieces of bounded size by several threads at once (pieces never overlap). A tensor that is missing, has another
 * shape or that the program does not know is an error; what is known to be harmless is skipped (rotary_emb.inv_freq,
 * lm_head of a tied model). */
bool model_load(const struct program *program, const struct backend *backend, struct device *device,
                const char *directory, struct error *err);

/* One tensor of one layer, out of the tables of program.h. */
struct placed_tensor {
    char *name; /* on disk */
    const struct tensor_spec *spec;
    size_t offset; /* bytes from the start of its region */
};

/* All tensors of the groups, in their order; *count of them. Free with placed_tensors_free. */
struct placed_tensor *placed_tensors(const struct tensor_group *groups, int group_count, int *count);
void placed_tensors_free(struct placed_tensor *tensors, int count);

/* NULL when there is none of that name. */
const struct placed_tensor *placed_find(const struct placed_tensor *tensors, int count, const char *name);

/* Elements: rows * cols, or rows. */
size_t tensor_elements(const struct tensor_spec *spec);

/* Reads the tensor and uploads it, converted to spec->dtype and turned around where spec->transposed. */
bool tensor_load(const struct weight_files *files, const struct safetensor *from, const struct placed_tensor *to,
                 const struct backend *backend, struct device *device, enum region region, struct error *err);

#endif
