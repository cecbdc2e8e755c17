#define _POSIX_C_SOURCE 200809L
#include "chat_template.h"

#include "json_file.h"
#include "output_file.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define MESSAGE(who, what)                                                                                             \
    {                                                                                                                  \
        .role = (who), .content = (what), .length = sizeof(what) - 1                                                   \
    }
static const struct chat_message PROBE[] = {
    MESSAGE("system", "Be brief."),  MESSAGE("user", "Hello?"),     MESSAGE("assistant", "Yes."),
    MESSAGE("user", "How are you?"), MESSAGE("assistant", "Well."),
};
enum { PROBE_LENGTH = sizeof PROBE / sizeof *PROBE };

uint64_t chat_template_hash(const char *text, size_t length)
{
    uint64_t hash = 0xcbf29ce484222325u;
    if (length > 0 && text[length - 1] == '\n')
        length -= length > 1 && text[length - 2] == '\r' ? 2 : 1;
    for (size_t i = 0; i < length; i++) {
        if (text[i] != '\r' || i + 1 == length || text[i + 1] != '\n')
            hash = (hash ^ (unsigned char)text[i]) * 0x100000001b3u;
    }
    return hash;
}

/* ---- the directory's template ---- */

/* A template under "chat_template": a string, or one of several, of which "default" counts. NULL: there is none, or *err says what there
 * is instead. */
static char *template_of(const cJSON *config, const char *path, struct error *err)
{
    const cJSON *found = cJSON_GetObjectItemCaseSensitive(config, "chat_template"), *one;
    const cJSON *list = cJSON_IsArray(found) ? found : NULL;
    const char *text = cJSON_GetStringValue(found);
    cJSON_ArrayForEach(one, list)
    {
        const char *name = cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(one, "name"));
        if (name && strcmp(name, "default") == 0)
            text = cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(one, "template"));
    }
    if (found && !cJSON_IsNull(found) && !text)
        error_set(err, "%s: chat_template: expected a string, or a list of templates with one named default", path);
    return text ? format_text("%s", text) : NULL;
}

/* The template's text and, in *path, the file that it is in; free() both. Where Transformers looks, in that order; NULL with a message
 * in *err where a file cannot be read, without one where there is no template. */
static char *read_template(const char *directory, char **path, struct error *err)
{
    static const char *const files[] = {"chat_template.jinja", "chat_template.json", "tokenizer_config.json"};
    char *text = NULL;
    err->text[0] = '\0';
    *path = NULL;
    for (size_t i = 0; i < sizeof files / sizeof *files && !text && !err->text[0]; i++) {
        free(*path);
        *path = path_join(directory, files[i]);
        if (access(*path, F_OK) != 0)
            continue;
        cJSON *json = NULL;
        if (i == 0)
            text = read_whole_file(*path, NULL, err);
        else if ((json = json_read(*path, err)))
            text = template_of(json, *path, err);
        cJSON_Delete(json);
    }
    return text;
}

/* ---- comparing ---- */

/* Not the first byte of a character. */
static bool is_continuation(char c)
{
    return ((unsigned char)c & 0xC0) == 0x80;
}

/* Two texts from a little before their first difference on. */
static char *excerpts(const struct text_buffer *format, const char *template)
{
    enum { BEFORE = 8, SHOWN = 32 };
    struct text_buffer shown[2] = {0};
    size_t length = strlen(template), same = 0;
    while (same < format->length && same < length && format->data[same] == template[same])
        same++;
    size_t from = same > BEFORE ? same - BEFORE : 0;
    while (from > 0 && is_continuation(template[from]))
        from--;
    const struct {
        const char *text;
        size_t length;
    } texts[] = {{template, length}, {format->data, format->length}};
    for (int i = 0; i < 2; i++) {
        size_t rest = texts[i].length - from, count = rest < SHOWN ? rest : SHOWN;
        while (count < rest && is_continuation(texts[i].text[from + count]))
            count++;
        for (size_t j = 0; j < count; j++) {
            char c = texts[i].text[from + j];
            text_buffer_append(&shown[i], c == '\n' ? "\\n" : &c, c == '\n' ? 2 : 1);
        }
        text_buffer_append(&shown[i], "", 1);
    }
    char *both = format_text("the template writes \"%s\" where the format writes \"%s\"", shown[0].data, shown[1].data);
    text_buffer_free(&shown[0]);
    text_buffer_free(&shown[1]);
    return both;
}

/* Whether the texts are the same but for how the assistant begins: some templates open its turn unasked, and Qwen3's prompt holds
 * empty thoughts where the recipe wants none. */
static bool same_text(const struct chat_format *format, const struct text_buffer *text, bool prompt, const char *wanted)
{
    size_t length = strlen(wanted), shorter = length < text->length ? length : text->length;
    if (shorter > 0 && memcmp(text->data, wanted, shorter) != 0)
        return false;
    if (prompt)
        return text->length == length || (format->think_open && text->length > length);
    return text->length <= length &&
           (text->length == length ||
            (format->generation_prompt && strcmp(wanted + text->length, format->generation_prompt) == 0));
}

/* How the format's text of PROBE[first..first + count] differs from `wanted`; NULL: not at all, or the format takes no such
 * conversation. */
static char *difference(const struct chat_format *format, int first, int count, bool prompt, const char *wanted)
{
    struct error err;
    struct text_buffer text = {0};
    char *found = NULL;
    const struct chat_conversation conversation = {.messages = PROBE + first, .count = (size_t)count};
    bool rendered = chat_format_render(format, &conversation, prompt, &text, NULL, &err);
    if (rendered && !same_text(format, &text, prompt, wanted))
        found = excerpts(&text, wanted);
    text_buffer_free(&text);
    return found;
}

static bool takes_system(const struct chat_format *format)
{
    bool takes = format->system_open;
    for (int i = 0; i < format->role_count; i++)
        takes = takes || strcmp(format->roles[i].name, "system") == 0;
    return takes;
}

char *chat_template_difference(const struct chat_format *format, const struct known_template *known)
{
    char *found = NULL;
    int first = known->system ? 0 : 1;
    if (!known->system || takes_system(format)) {
        found = difference(format, first, PROBE_LENGTH - first, false, known->conversation);
        found = found ? found : difference(format, first, PROBE_LENGTH - 1 - first, true, known->prompt);
    }
    return found || (format->own_system && known->system) ? found : difference(format, 1, 2, false, known->bare);
}

static const struct known_template *find(const char *text)
{
    uint64_t hash = chat_template_hash(text, strlen(text));
    for (int i = 0; i < known_template_count; i++) {
        for (int j = 0; j < TEMPLATE_VERSIONS; j++) {
            if (known_templates[i].hashes[j] == hash)
                return &known_templates[i];
        }
    }
    return NULL;
}

static char *warning(const struct chat_format *format, const char *path, const char *text)
{
    static const char meant[] = "; if that is meant, say other_template = true among the recipe's chat options";
    const struct known_template *known = find(text);
    if (!known)
        return format_text(
            "%s: its chat template is none of those known here, so whether the recipe's chat format '%s' "
            "agrees with it is not checked%s",
            path, format->name, meant);
    char *how = chat_template_difference(format, known);
    char *line = how ? format_text("%s: its chat template is %s's, and the recipe's chat format '%s' differs: %s%s",
                                   path, known->name, format->name, how, meant)
                     : NULL;
    free(how);
    return line;
}

char *chat_template_warning(const struct chat_format *format, const char *directory)
{
    if (!format || !format->name || format->other_template)
        return NULL;
    char *path;
    struct error err;
    char *text = read_template(directory, &path, &err);
    char *line = text ? warning(format, path, text) : NULL;
    if (!text && err.text[0])
        line = format_text("%s; whether it agrees with the recipe's chat format '%s' cannot be told", err.text,
                           format->name);
    free(text);
    free(path);
    return line;
}
