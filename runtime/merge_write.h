/* The arithmetic of merging: one tensor of the merged model, computed in fp32 row by row and written in the base's dtype. */
#ifndef LORAC_MERGE_WRITE_H
#define LORAC_MERGE_WRITE_H

#include "safetensors.h"

/* One tensor of the merged model. */
struct merge_target {
    struct tensor_entry entry;       /* its name, shape and dtype in the merged file */
    const struct safetensor *source; /* of the base */
    int file;                        /* of the base, whose name it keeps */

    /* What of the adapter changes it; NULL: nothing. `full` stands instead of the base. */
    const struct safetensor *A, *B, *magnitude, *full;
    double scaling;
};

/* Appends the tensor's data to the writer: W + scaling * B * A; with a magnitude m (DoRA), each row of that times m / its norm. */
bool merge_write(struct safetensors_writer *writer, const struct merge_target *target, const struct weight_files *base,
                 const struct weight_files *adapter, struct error *err);

#endif
