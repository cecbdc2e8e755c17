/* The names under which data files hold what the known forms (dataset_format.h) call "messages", "role" and so on. A recipe maps
 * those that a data set names otherwise:
 *
 *     train = { data_fields = { messages = "dialog", role = "speaker", content = "text" } }
 *
 * A mapped field is looked for under its new name only.
 */
#ifndef LORAC_DATA_FIELDS_H
#define LORAC_DATA_FIELDS_H

#include <stddef.h>

/* NULL: the field's own name, as the member is called. */
struct data_fields {
    const char *instruction, *input, *output, *system, *history; /* of a sample */
    const char *messages, *conversations;
    const char *prompt, *completion, *text;
    const char *input_ids, *labels;
    const char *role, *content, *from, *value; /* of a message */
    const char *train, *weight, *reasoning_content;
};

/* The name of member `index` (from 0), or NULL behind the last. */
const char *data_field_name(int index);

/* Puts each field's own name where there is NULL. */
void data_fields_complete(struct data_fields *fields);

#endif
