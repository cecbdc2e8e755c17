/* Reading the small sections of tokenizer.json: typed fields, and an error for every field that is not known.
 *
 * A flag that is absent has the default that its reader names, though the library wants some of them written out: files that it
 * saved have them all, so that this matters for files written by hand alone.
 *
 * `path` names the object within the file ("pre_tokenizer.pretokenizers[0]") and begins each message.
 */
#ifndef LORAC_TOKENIZER_FIELDS_H
#define LORAC_TOKENIZER_FIELDS_H

#include "error.h"

#include <cjson/cJSON.h>

enum { LONGEST_FIELD_PATH = 256 };

/* Every key of the object must be "type" or stand in `known`, a list of names separated by blanks. */
bool fields_check_known(const cJSON *object, const char *path, const char *known, struct error *err);

/* The field as a string (borrowed); absent or of another type is an error. */
const char *field_string(const cJSON *object, const char *path, const char *name, struct error *err);

/* The same for the object's own "type". */
const char *field_type(const cJSON *object, const char *path, struct error *err);

/* A truth value; absent or null gives `otherwise`. */
bool field_bool(const cJSON *object, const char *path, const char *name, bool otherwise, bool *value,
                struct error *err);

/* A whole number of at least 0; absent is an error. */
bool field_count(const cJSON *object, const char *path, const char *name, size_t *value, struct error *err);

/* Calls `visit` for a section's object, or for each member of a Sequence in order, however nested. `members` is the name of the
 * list in a Sequence ("normalizers"). A null or absent section visits nothing. */
typedef bool field_visit(void *context, const cJSON *object, const char *type, const char *path, struct error *err);
bool fields_visit_sequence(const cJSON *section, const char *path, const char *members, field_visit *visit,
                           void *context, struct error *err);

#endif
