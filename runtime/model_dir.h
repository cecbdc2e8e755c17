/* The files of a Hugging Face model directory besides its weights. */
#ifndef LORAC_MODEL_DIR_H
#define LORAC_MODEL_DIR_H

#include "error.h"

/* Whether a file name belongs to weights in any format (*.safetensors and their index, *.bin, *.gguf, ...) or is hidden. */
bool is_weight_file(const char *name);

/* Copies every top-level file of `from` that is no weight file (tokenizer, configs, chat template, licence) to `to`. */
bool copy_other_files(const char *from, const char *to, struct error *err);

/* Sets "tie_word_embeddings": false in directory/config.json. */
bool untie_config(const char *directory, struct error *err);

/* Removes the files in a directory that this process made and failed to fill, and the directory itself. */
void discard_directory(const char *directory);

#endif
