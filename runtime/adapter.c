/* Reading adapters; adapter_init.c makes fresh ones, adapter_save.c writes. */
#define _POSIX_C_SOURCE 200809L

#include "adapter.h"

#include "json_file.h"
#include "output_file.h"
#include "weights.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const char peft_prefix[] = "base_model.model.";

static const struct {
    const char *ending;
    enum adapter_kind kind;
} kinds[] = {
    {".lora_A.weight", ADAPTER_A}, {".lora_B.weight", ADAPTER_B}, {".lora_magnitude_vector", ADAPTER_MAGNITUDE}};

/* Where the ending begins that makes a name one of `kinds`; NULL for whole tensors. */
static const char *find_ending(const char *name, enum adapter_kind *kind)
{
    size_t length = strlen(name);
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
        size_t tail = strlen(kinds[i].ending);
        if (length > tail && !strcmp(name + length - tail, kinds[i].ending)) {
            *kind = kinds[i].kind;
            return name + length - tail;
        }
    }
    *kind = ADAPTER_FULL;
    return NULL;
}

enum adapter_kind adapter_kind(const char *name)
{
    enum adapter_kind kind;
    find_ending(name, &kind);
    return kind;
}

char *adapter_base_tensor(const char *name)
{
    enum adapter_kind kind;
    const char *ending = find_ending(name, &kind);
    if (!strncmp(name, peft_prefix, sizeof peft_prefix - 1))
        name += sizeof peft_prefix - 1;
    return ending ? format_text("%.*s.weight", (int)(ending - name), name) : format_text("%s", name);
}

/* ---- adapter_config.json against the compiled one ---- */

static bool check_number(const char *path, const cJSON *found, const cJSON *compiled, const char *field,
                         struct error *err)
{
    const cJSON *value = cJSON_GetObjectItemCaseSensitive(found, field);
    double wanted = cJSON_GetNumberValue(cJSON_GetObjectItemCaseSensitive(compiled, field));
    if (!cJSON_IsNumber(value))
        return error_set(err, "%s: a number '%s' is expected, there is none", path, field);
    if (value->valuedouble == wanted)
        return true;
    return error_set(
        err,
        "%s: adapter was trained with %s = %g, this program is compiled for %s = %g: make the program again "
        "with set=\"lora.%s=%g\"",
        path, field, value->valuedouble, field, wanted, field, value->valuedouble);
}

static bool check_truth(const char *path, const cJSON *found, const cJSON *compiled, const char *field,
                        struct error *err)
{
    bool value = cJSON_IsTrue(cJSON_GetObjectItemCaseSensitive(found, field));
    bool wanted = cJSON_IsTrue(cJSON_GetObjectItemCaseSensitive(compiled, field));
    if (value == wanted)
        return true;
    return error_set(
        err,
        "%s: adapter was trained with %s = %s, this program is compiled for %s = %s: make the program again "
        "with set=\"lora.%s=%s\"",
        path, field, value ? "true" : "false", field, wanted ? "true" : "false", field, value ? "true" : "false");
}

static bool empty(const cJSON *json)
{
    return !json || cJSON_IsNull(json) || ((cJSON_IsObject(json) || cJSON_IsArray(json)) && !json->child);
}

/* Patterns and lists: equal, or both left empty. */
static bool check_collection(const char *path, const cJSON *found, const cJSON *compiled, const char *field,
                             struct error *err)
{
    const cJSON *value = cJSON_GetObjectItemCaseSensitive(found, field);
    const cJSON *wanted = cJSON_GetObjectItemCaseSensitive(compiled, field);
    if ((empty(value) && empty(wanted)) || cJSON_Compare(value, wanted, true))
        return true;
    char *value_text = value ? cJSON_PrintUnformatted(value) : NULL, *wanted_text = NULL;
    wanted_text = wanted ? cJSON_PrintUnformatted(wanted) : NULL;
    error_set(err, "%s: adapter was trained with %s = %.200s, this program is compiled for %s = %.200s", path, field,
              value_text ? value_text : "null", field, wanted_text ? wanted_text : "null");
    cJSON_free(value_text);
    cJSON_free(wanted_text);
    return false;
}

/* modules_to_save is a set: PEFT writes it in any order. */
static bool check_modules_to_save(const char *path, const cJSON *found, const cJSON *compiled, struct error *err)
{
    static const char field[] = "modules_to_save";
    const cJSON *value = cJSON_GetObjectItemCaseSensitive(found, field);
    const cJSON *wanted = cJSON_GetObjectItemCaseSensitive(compiled, field);
    bool equal = cJSON_GetArraySize(value) == cJSON_GetArraySize(wanted);
    for (const cJSON *module = value ? value->child : NULL; module && equal; module = module->next) {
        equal = false;
        for (const cJSON *other = wanted ? wanted->child : NULL; other && !equal; other = other->next)
            equal = cJSON_Compare(module, other, true);
    }
    return equal || check_collection(path, found, compiled, field, err);
}

/* What this program never does, so that only the peer's default fits. */
static bool check_unsupported(const char *path, const cJSON *found, struct error *err)
{
    static const char *const switches[] = {"fan_in_fan_out", "lora_bias", "use_qalora"};
    static const char *const objects[] = {"layer_replication", "trainable_token_indices", "target_parameters",
                                          "alora_invocation_tokens"};
    const char *type = cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(found, "peft_type"));
    if (!type || strcmp(type, "LORA"))
        return error_set(err, "%s: peft_type \"LORA\" is expected, found '%.40s'", path, type ? type : "(none)");
    const char *bias = cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(found, "bias"));
    if (bias && strcmp(bias, "none"))
        return error_set(err, "%s: bias \"none\" is expected, found '%.40s'", path, bias);
    for (size_t i = 0; i < sizeof switches / sizeof *switches; i++)
        if (cJSON_IsTrue(cJSON_GetObjectItemCaseSensitive(found, switches[i])))
            return error_set(err, "%s: %s = true cannot be loaded", path, switches[i]);
    for (size_t i = 0; i < sizeof objects / sizeof *objects; i++)
        if (!empty(cJSON_GetObjectItemCaseSensitive(found, objects[i])))
            return error_set(err, "%s: %s cannot be loaded", path, objects[i]);
    return true;
}

static bool check_config(const struct program *program, const char *directory, struct error *err)
{
    char *path = path_join(directory, "adapter_config.json");
    if (access(path, F_OK)) {
        free(path);
        return error_set(err, "%s: no adapter here: adapter_config.json cannot be read: %s", directory,
                         strerror(errno));
    }
    cJSON *found = json_read(path, err), *compiled = cJSON_Parse(program->adapter_config);
    CHECK(compiled);
    bool right = found && check_unsupported(path, found, err) && check_number(path, found, compiled, "r", err) &&
                 check_number(path, found, compiled, "lora_alpha", err) &&
                 check_truth(path, found, compiled, "use_rslora", err) &&
                 check_truth(path, found, compiled, "use_dora", err) &&
                 check_collection(path, found, compiled, "rank_pattern", err) &&
                 check_collection(path, found, compiled, "alpha_pattern", err) &&
                 check_modules_to_save(path, found, compiled, err);
    cJSON_Delete(found);
    cJSON_Delete(compiled);
    free(path);
    return right;
}

/* ---- the tensors ---- */

/* PEFT adds copies of the embeddings' frozen weights when an embedding or head is a target, which nothing trains. */
static bool frozen_copy(const char *name)
{
    return strstr(name, ".base_layer.") || !strcmp(name, "base_model.model.lm_head.weight") ||
           !strcmp(name, "base_model.model.model.embed_tokens.weight");
}

static bool check_tensors(const struct program *program, const struct weight_files *files, struct error *err)
{
    int count;
    struct placed_tensor *wanted = placed_tensors(program->adapters, program->adapter_groups, &count);
    bool right = true;
    for (int i = 0; i < count && right; i++) {
        const struct safetensor *tensor = weight_files_find(files, wanted[i].name);
        right = tensor ? safetensor_expect(files, tensor, wanted[i].spec->rows, wanted[i].spec->cols, err)
                       : error_set(err,
                                   "%s: tensor '%s' is missing; this program trains it, the adapter has other "
                                   "target_modules or layers: make the program again with the adapter's",
                                   files->paths[0], wanted[i].name);
    }
    for (int i = 0; i < files->tensor_count && right; i++) {
        const char *name = files->tensors[i].name;
        if (!placed_find(wanted, count, name) && !frozen_copy(name))
            right =
                error_set(err,
                          "%s: tensor '%.120s' is not trained by this program; the adapter has other target_modules or "
                          "layers: make the program again with the adapter's",
                          files->paths[0], name);
    }
    placed_tensors_free(wanted, count);
    return right;
}

struct weight_files *adapter_open(const struct program *program, const char *directory, struct error *err)
{
    if (!check_config(program, directory, err))
        return NULL;
    char *path = path_join(directory, "adapter_model.safetensors");
    char *pickled = path_join(directory, "adapter_model.bin");
    struct weight_files *files = NULL;
    if (access(path, F_OK) && access(pickled, F_OK) == 0)
        error_set(err, "%s: cannot be loaded; save the adapter with safe_serialization=True", pickled);
    else
        files = weight_files_open_one(path, err);
    if (files && !check_tensors(program, files, err)) {
        weight_files_close(files);
        files = NULL;
    }
    free(path);
    free(pickled);
    return files;
}

bool adapter_load(const struct program *program, const struct backend *backend, struct device *device,
                  const char *directory, struct error *err)
{
    struct weight_files *files = adapter_open(program, directory, err);
    if (!files)
        return false;
    int count;
    struct placed_tensor *tensors = placed_tensors(program->adapters, program->adapter_groups, &count);
    bool loaded = true;
    for (int i = 0; i < count && loaded; i++)
        loaded = tensor_load(files, weight_files_find(files, tensors[i].name), &tensors[i], backend, device,
                             REGION_ADAPTERS, err);
    placed_tensors_free(tensors, count);
    weight_files_close(files);
    return loaded;
}
