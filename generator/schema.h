/* What a recipe may say: every field with its type, range and default, which is the peer's (PEFT's LoraConfig, Transformers'
 * TrainingArguments, TRL's max_length). Reading reports every mistake and leaves the default in its place, so that later passes
 * can go on looking for theirs.
 */
#ifndef LORAC_SCHEMA_H
#define LORAC_SCHEMA_H

#include "plan.h"

struct schema_field;

/* Reads `value` (never NULL) of `field` into its place in *recipe, or adds a mistake. */
typedef void schema_reader(const struct schema_field *field, const cJSON *value, struct recipe *recipe,
                           struct messages *messages);

struct schema_field {
    const char *path; /* "lora.r" */
    schema_reader *read;
    size_t offset;              /* of its place in struct recipe */
    double low, high;           /* of numbers; high 0: no limit */
    bool above_low, below_high; /* the limits themselves are not allowed */
    double fallback;            /* of numbers and booleans */
    const char *const *choices; /* of strings, up to a NULL; the first is the default */
};

/* The field of that path, or NULL. */
const struct schema_field *schema_find(const char *path);

/* Fills *recipe (whose path, lines and overrides are set) from the table that the recipe returned. */
bool schema_read(struct recipe *recipe, const cJSON *table, struct messages *messages);

/* ---- readers, schema_readers.c ---- */

schema_reader read_section, read_model, read_chat, read_int, read_long, read_number, read_bool, read_choice, read_fixed;
schema_reader read_target_modules, read_exclude_modules, read_names, read_pattern, read_layers, read_init,
    read_checkpointing;
schema_reader read_bytes, read_four_bits, read_warmup, read_max_steps, read_data_fields;

/* "the string 'x'", "0.5", "a table" (free() it). */
char *schema_describe(const cJSON *value);

/* A copy of a chat format's table with every field checked, or NULL after adding all mistakes (schema_chat.c). */
cJSON *schema_chat(const cJSON *given, const struct recipe *recipe, struct messages *messages);

#endif
