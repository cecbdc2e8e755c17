#define _POSIX_C_SOURCE 200809L
#include "adapter_check.h"

#include "adapter.h"
#include "json_file.h"
#include "module_match.h"
#include "output_file.h"
#include "weights.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* ---- what each module got ---- */

/* r or lora_alpha, which PEFT both sets to 8 where they are left out. */
static bool read_number(double *value, const char *path, const cJSON *json, const char *field, struct error *err)
{
    const cJSON *item = cJSON_GetObjectItemCaseSensitive(json, field);
    *value = item ? cJSON_GetNumberValue(item) : 8;
    return *value > 0 || error_set(err, "%s: %s: a number above 0 is expected", path, field);
}

/* The value of the pattern's first key that means the module; *value stays where there is none. */
static bool apply_pattern(double *value, const char *path, const cJSON *json, const char *field, const char *module,
                          struct error *err)
{
    const cJSON *patterns = cJSON_GetObjectItemCaseSensitive(json, field);
    bool matches = false;
    for (const cJSON *key = patterns ? patterns->child : NULL; key && !matches; key = key->next) {
        char why[128];
        struct regex *regex = key->string ? regex_compile(key->string, true, why, sizeof why) : NULL;
        if (!regex || !(cJSON_GetNumberValue(key) > 0)) {
            regex_free(regex);
            return error_set(err, "%s: %s: names or regular expressions, each with a number above 0, are expected",
                             path, field);
        }
        matches = regex_matches(regex, module);
        if (matches)
            *value = cJSON_GetNumberValue(key);
        regex_free(regex);
    }
    return true;
}

/* Whether the module of a compiled lora_A got the rank and the scaling that the config gives it. */
static bool same_module(bool *same, const char *path, const cJSON *found, const struct placed_tensor *lora_A,
                        struct error *err)
{
    double r, alpha;
    char *module = adapter_base_tensor(lora_A->name);
    module[strlen(module) - strlen(".weight")] = '\0';
    bool read = read_number(&r, path, found, "r", err) && read_number(&alpha, path, found, "lora_alpha", err) &&
                apply_pattern(&r, path, found, "rank_pattern", module, err) &&
                apply_pattern(&alpha, path, found, "alpha_pattern", module, err);
    free(module);
    if (!read)
        return false;
    bool root = cJSON_IsTrue(cJSON_GetObjectItemCaseSensitive(found, "use_rslora"));
    double scaling = alpha / (root ? sqrt(r) : r), compiled = lora_A->spec->scaling;
    *same = r == lora_A->spec->rows && fabs(scaling - compiled) <= 1e-12 * compiled;
    return true;
}

/* The first compiled lora_A whose module the config gives something else; NULL where there is none. */
static bool find_other(const struct placed_tensor **other, const char *path, const cJSON *found,
                       const struct placed_tensor *tensors, int count, struct error *err)
{
    *other = NULL;
    for (int i = 0; i < count && !*other; i++) {
        bool same = true;
        if (adapter_kind(tensors[i].name) == ADAPTER_A && !same_module(&same, path, found, &tensors[i], err))
            return false;
        if (!same)
            *other = &tensors[i];
    }
    return true;
}

/* ---- field by field ---- */

static bool check_number(const char *path, const cJSON *found, const cJSON *compiled, const char *field,
                         struct error *err)
{
    double value = 0, wanted = cJSON_GetNumberValue(cJSON_GetObjectItemCaseSensitive(compiled, field));
    if (!read_number(&value, path, found, field, err))
        return false;
    if (value == wanted)
        return true;
    return error_set(
        err,
        "%s: adapter was trained with %s = %g, this program is compiled for %s = %g: make the program again "
        "with set=\"lora.%s=%g\"",
        path, field, value, field, wanted, field, value);
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

/* Says which field makes the modules differ. */
static bool refuse_modules(const char *path, const cJSON *found, const cJSON *compiled,
                           const struct placed_tensor *other, struct error *err)
{
    if (check_collection(path, found, compiled, "rank_pattern", err) &&
        check_collection(path, found, compiled, "alpha_pattern", err) &&
        check_number(path, found, compiled, "r", err) && check_number(path, found, compiled, "lora_alpha", err) &&
        check_truth(path, found, compiled, "use_rslora", err))
        error_set(err, "%s: adapter's patterns give '%s' another rank or scaling than this program is compiled for",
                  path, other->name);
    return false;
}

static bool check_modules(const struct program *program, const char *path, const cJSON *found, const cJSON *compiled,
                          struct error *err)
{
    int count;
    const struct placed_tensor *other;
    struct placed_tensor *tensors = placed_tensors(program->adapters, program->adapter_groups, &count);
    bool right = find_other(&other, path, found, tensors, count, err) &&
                 (!other || refuse_modules(path, found, compiled, other, err));
    placed_tensors_free(tensors, count);
    return right;
}

bool adapter_check_config(const struct program *program, const char *directory, struct error *err)
{
    char *path = path_join(directory, "adapter_config.json");
    if (access(path, F_OK)) {
        free(path);
        return error_set(err, "%s: no adapter here: adapter_config.json cannot be read: %s", directory,
                         strerror(errno));
    }
    cJSON *found = json_read(path, err), *compiled = cJSON_Parse(program->adapter_config);
    CHECK(compiled);
    bool right = found && check_unsupported(path, found, err) && check_modules(program, path, found, compiled, err) &&
                 check_truth(path, found, compiled, "use_dora", err) &&
                 check_modules_to_save(path, found, compiled, err);
    cJSON_Delete(found);
    cJSON_Delete(compiled);
    free(path);
    return right;
}
