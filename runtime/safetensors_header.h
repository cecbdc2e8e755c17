/* Reading and judging a safetensors header; part of safetensors.c. */
#ifndef LORAC_SAFETENSORS_HEADER_H
#define LORAC_SAFETENSORS_HEADER_H

#include "safetensors.h"

/* Reads the header of the set's file number `file`, which is file_size bytes long, and appends its tensors. */
bool safetensors_read_header(struct weight_files *files, int file, uint64_t file_size, struct error *err);

#endif
