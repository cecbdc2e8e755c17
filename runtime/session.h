/* What the commands that compute have in common: the backend chosen, the model directory checked, its tokenizer read, the weights
 * and an adapter loaded, and what the tuning file says of this machine.
 */
#ifndef LORAC_SESSION_H
#define LORAC_SESSION_H

#include "options.h"
#include "threads.h"
#include "tokenizer.h"

struct session {
    const struct program *program;
    const struct backend *backend;
    const char *model;           /* --model */
    struct tokenizer *tokenizer; /* NULL: the directory has no tokenizer.json; token ids still work */
    struct device *device;       /* NULL until session_load */
    struct thread_choice threads;
    struct tuning *tuning; /* NULL: with --tune off */
    char *tuning_file;     /* where it is kept; NULL: nowhere */
    int tuning_known;      /* operations that the file had measured */
};

/* Chooses the backend, reads what is known of its speed where the command has --tune and it is not off, checks --model and reads its
 * tokenizer; quick. session_close it in every case. */
bool session_begin(struct session *session, const struct options *options, struct error *err);

/* Opens the device and loads the weights, with a hint on stderr where the number of threads deserves one; an adapter's place is made where with_adapters says so, and left empty. */
bool session_load(struct session *session, enum device_use use, bool with_adapters, struct error *err);

/* session_load, and the adapter that --adapter names, if it does. */
bool session_load_adapter(struct session *session, const struct options *options, enum device_use use,
                          struct error *err);

/* Keeps what has been measured since session_begin in the tuning file, and says so on stderr, in one line. A file that cannot be
 * written is said too, and is no failure: the next run measures again. */
void session_keep_tuning(const struct session *session);

/* Warns on stderr, in one line, where the model's own chat template is not what the program's chat format renders. */
void session_check_template(const struct session *session);

void session_close(struct session *session);

#endif
