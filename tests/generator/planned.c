#define _POSIX_C_SOURCE 200809L /* mkstemp, open_memstream */
#include "planned.h"
#include "passes.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const char shown[] = "recipe.lua";

void planned_open_file(struct planned *planned, const char *path, const struct string_list *overrides)
{
    *planned = (struct planned){.whole = false};
    recipe_pass(&planned->plan, path, overrides, &planned->messages);
    if (planned->plan.recipe.model.num_hidden_layers > 0) {
        architecture_pass(&planned->plan, &planned->messages);
        placement_pass(&planned->plan, &planned->messages);
    }
    planned->whole = planned->messages.count == 0;
}

/* Replaces `path` at the beginning of each message. */
static void hide_path(struct messages *messages, const char *path)
{
    size_t length = strlen(path);
    for (int i = 0; i < messages->count; i++) {
        if (strncmp(messages->lines[i], path, length) != 0)
            continue;
        char *line = format_text("%s%s", shown, messages->lines[i] + length);
        free(messages->lines[i]);
        messages->lines[i] = line;
    }
}

void planned_open(struct planned *planned, const char *text, const char *const *overrides)
{
    char path[] = "/tmp/lorac_recipe_XXXXXX";
    struct string_list list = {0};
    for (int i = 0; overrides && overrides[i]; i++)
        string_list_add(&list, overrides[i]);
    int file = mkstemp(path);
    CHECK(file >= 0 && write(file, text, strlen(text)) == (ssize_t)strlen(text) && close(file) == 0);
    planned_open_file(planned, path, &list);
    CHECK(unlink(path) == 0);
    hide_path(&planned->messages, path);
    string_list_free(&list);
}

void planned_close(struct planned *planned)
{
    graph_plan_free(planned->plan.graph);
    placement_free(&planned->plan.placement);
    architecture_free(&planned->plan.architecture);
    recipe_free(&planned->plan.recipe);
    messages_free(&planned->messages);
}

char *planned_messages(struct planned *planned)
{
    char *text = NULL;
    size_t length = 0;
    FILE *out = open_memstream(&text, &length);
    CHECK(out);
    messages_print(&planned->messages, out);
    CHECK(fclose(out) == 0);
    return text;
}

char *recipe_with_lora(const char *lora)
{
    return format_text("return { model = require \"models.stories260K\", lora = %s }", lora);
}
