/* Trains one golden case with a program and compares with what PEFT and the Trainer gave for it.
 *
 *   check_case [--half] CASE_DIR PROGRAM WORK_DIR [TRAIN FLAG...]
 *
 * CASE_DIR holds golden.json, train.jsonl, init_adapter/ and final_adapter/; WORK_DIR is empty and receives what the
 * program writes. Compared are each step's loss, grad_norm and learning rate (5e-5 relative), the final adapter (names,
 * shapes, and at most 2e-3 of the distance it moved in L2), and greedy decoding before and after, as far as PEFT's
 * margins exceed 1e-3: closer logits may fall either way.
 * --half: the program is of a bf16 or fp16 recipe, so only losses (1 %) and learning rates are compared, and tensors' names. Prints one line a difference, exit 1 if there is any.
 */
#define _POSIX_C_SOURCE 200809L
#include <cjson/cJSON.h>
#include <fcntl.h>
#include <math.h>
#include <spawn.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>

extern char **environ;

static const double tolerance = 5e-5;      /* of a step's numbers; PEFT itself in double precision stays within 1e-5 */
static const double half_tolerance = 1e-2; /* of a loss */
static const double adapter_tolerance = 2e-3; /* of the distance moved; PEFT in double precision: 1.3e-4 */
static const double decided_margin = 1e-3;    /* between the best two logits */
static const long long end_of_sequence = 2;   /* eos_token_id of every case's model */

enum { MAX_ARGUMENTS = 64, MAX_PATH = 4096 };

struct bytes {
    char *data;
    size_t size;
};

struct check {
    const char *case_dir, *program, *work;
    char **train_flags;
    bool half;
    cJSON *golden;
    char model[MAX_PATH];
    int differences;
    double worst;
};

_Noreturn static void stop(const char *format, ...)
{
    va_list args;
    va_start(args, format);
    vfprintf(stderr, format, args);
    va_end(args);
    fputc('\n', stderr);
    exit(1);
}

static void differs(struct check *check, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    vprintf(format, args);
    va_end(args);
    putchar('\n');
    check->differences++;
}

static void join(char *path, const char *dir, const char *name)
{
    if (snprintf(path, MAX_PATH, "%s/%s", dir, name) >= MAX_PATH)
        stop("%s/%s: path is too long", dir, name);
}

static struct bytes read_file(const char *path)
{
    FILE *file = fopen(path, "rb");
    if (file == NULL)
        stop("%s: cannot be opened", path);
    struct bytes content = {NULL, 0};
    size_t room = 0, got;
    do {
        room += 1 << 20;
        content.data = realloc(content.data, room + 1);
        if (content.data == NULL)
            stop("%s: out of memory", path);
        got = fread(content.data + content.size, 1, room - content.size, file);
        content.size += got;
    } while (content.size == room);
    fclose(file);
    content.data[content.size] = '\0';
    return content;
}

static cJSON *read_json(const char *path)
{
    struct bytes text = read_file(path);
    cJSON *json = cJSON_Parse(text.data);
    free(text.data);
    if (json == NULL)
        stop("%s: is no JSON", path);
    return json;
}

static double number(const cJSON *object, const char *key)
{
    const cJSON *item = cJSON_GetObjectItemCaseSensitive(object, key);
    return cJSON_IsNumber(item) ? item->valuedouble : (double)NAN;
}

/* Runs the program with its stdout and stderr in WORK_DIR; stops where it fails. */
static void run(const struct check *check, char **arguments, const char *out)
{
    char out_path[MAX_PATH], err_path[MAX_PATH];
    join(out_path, check->work, out);
    join(err_path, check->work, "stderr");
    posix_spawn_file_actions_t files;
    posix_spawn_file_actions_init(&files);
    posix_spawn_file_actions_addopen(&files, 0, "/dev/null", O_RDONLY, 0);
    posix_spawn_file_actions_addopen(&files, 1, out_path, O_WRONLY | O_CREAT | O_TRUNC, 0644);
    posix_spawn_file_actions_addopen(&files, 2, err_path, O_WRONLY | O_CREAT | O_TRUNC, 0644);
    pid_t child;
    if (posix_spawn(&child, check->program, &files, NULL, arguments, environ) != 0)
        stop("%s: cannot be run", check->program);
    posix_spawn_file_actions_destroy(&files);
    int status = 0;
    waitpid(child, &status, 0);
    if (!WIFEXITED(status) || WEXITSTATUS(status) != 0)
        stop("%s %s failed (%s %d): %s", check->program, arguments[1], WIFEXITED(status) ? "exit" : "signal",
             WIFEXITED(status) ? WEXITSTATUS(status) : WTERMSIG(status), read_file(err_path).data);
}

/* ---- training steps ---- */

static void train(const struct check *check, char *output)
{
    char data[MAX_PATH], adapter[MAX_PATH];
    join(data, check->case_dir, "train.jsonl");
    join(adapter, check->case_dir, "init_adapter");
    char *arguments[MAX_ARGUMENTS] = {(char *)check->program,
                                      "train",
                                      "--model",
                                      (char *)check->model,
                                      "--data",
                                      data,
                                      "--output",
                                      output,
                                      "--init-adapter",
                                      adapter,
                                      "--shuffle",
                                      "false",
                                      "--logging-steps",
                                      "1",
                                      "--seed",
                                      "1"};
    int count = 16;
    for (char **flag = check->train_flags; *flag != NULL && count < MAX_ARGUMENTS - 1; flag++)
        arguments[count++] = *flag;
    run(check, arguments, "train.out");
}

static void compare_number(struct check *check, const cJSON *mine, const cJSON *expected, const char *key, double floor,
                           double limit)
{
    double got = number(mine, key), want = number(expected, key);
    double error = fabs(got - want) / fmax(fabs(want), floor);
    if (!(error <= check->worst))
        check->worst = error;
    if (!(error <= limit))
        differs(check, "step %g: %s is %.8g, expected %.8g", number(expected, "step"), key, got, want);
}

/* metrics.jsonl also has lines without a loss (evaluations); those are not steps. */
static void compare_steps(struct check *check, const char *output)
{
    char path[MAX_PATH];
    join(path, output, "metrics.jsonl");
    struct bytes text = read_file(path);
    const cJSON *expected = cJSON_GetObjectItemCaseSensitive(check->golden, "steps")->child;
    int extra = 0;
    for (char *line = strtok(text.data, "\n"); line != NULL; line = strtok(NULL, "\n")) {
        cJSON *mine = cJSON_Parse(line);
        if (mine == NULL)
            stop("%s: a line is no JSON: %s", path, line);
        if (cJSON_HasObjectItem(mine, "loss") && expected == NULL)
            extra++;
        if (cJSON_HasObjectItem(mine, "loss") && expected != NULL) {
            compare_number(check, mine, expected, "loss", 1e-3, check->half ? half_tolerance : tolerance);
            if (!check->half)
                compare_number(check, mine, expected, "grad_norm", 1e-3, tolerance);
            compare_number(check, mine, expected, "learning_rate", 1e-12, tolerance);
            expected = expected->next;
        }
        cJSON_Delete(mine);
    }
    if (extra > 0 || expected != NULL)
        differs(check, "%s steps than PEFT's %d", extra > 0 ? "more" : "fewer",
                cJSON_GetArraySize(cJSON_GetObjectItemCaseSensitive(check->golden, "steps")));
    free(text.data);
}

/* ---- adapters ---- */

struct adapter {
    struct bytes file;
    cJSON *header;
    const char *tensors; /* where data_offsets count from */
    size_t size;
};

static struct adapter read_adapter(const char *dir)
{
    char path[MAX_PATH];
    join(path, dir, "adapter_model.safetensors");
    struct adapter adapter = {.file = read_file(path)};
    uint64_t length = 0;
    if (adapter.file.size >= 8)
        memcpy(&length, adapter.file.data, 8);
    if (adapter.file.size < 8 || length > adapter.file.size - 8)
        stop("%s: is no safetensors file", path);
    adapter.header = cJSON_ParseWithLength(adapter.file.data + 8, length);
    if (adapter.header == NULL)
        stop("%s: its header is no JSON", path);
    cJSON_DeleteItemFromObjectCaseSensitive(adapter.header, "__metadata__");
    adapter.tensors = adapter.file.data + 8 + length;
    adapter.size = adapter.file.size - 8 - length;
    return adapter;
}

static void free_adapter(struct adapter *adapter)
{
    cJSON_Delete(adapter->header);
    free(adapter->file.data);
}

/* The tensor's floats and how many there are; the adapters of the cases are all F32. */
static const char *tensor_floats(const struct adapter *adapter, const cJSON *tensor, size_t *count)
{
    const cJSON *offsets = cJSON_GetObjectItemCaseSensitive(tensor, "data_offsets");
    const cJSON *dtype = cJSON_GetObjectItemCaseSensitive(tensor, "dtype");
    if (cJSON_GetArraySize(offsets) != 2 || !cJSON_IsString(dtype) || strcmp(dtype->valuestring, "F32") != 0)
        stop("%s: expected an F32 tensor with two data_offsets", tensor->string);
    double begin = cJSON_GetArrayItem(offsets, 0)->valuedouble, end = cJSON_GetArrayItem(offsets, 1)->valuedouble;
    if (!(begin >= 0 && begin <= end && end <= (double)adapter->size))
        stop("%s: data_offsets %g, %g lie outside the file", tensor->string, begin, end);
    *count = (size_t)(end - begin) / sizeof(float);
    return adapter->tensors + (size_t)begin;
}

static double squared_distance(const char *a, const char *b, size_t count)
{
    double sum = 0;
    for (size_t i = 0; i < count; i++) {
        float x, y;
        memcpy(&x, a + i * sizeof x, sizeof x);
        memcpy(&y, b + i * sizeof y, sizeof y);
        sum += ((double)x - y) * ((double)x - y);
    }
    return sum;
}

static bool same_shape(const cJSON *a, const cJSON *b)
{
    return cJSON_Compare(cJSON_GetObjectItemCaseSensitive(a, "shape"), cJSON_GetObjectItemCaseSensitive(b, "shape"),
                         true);
}

/* Returns how far `mine` is from PEFT's, as a fraction of how far PEFT's moved from where it began. */
static double compare_tensors(struct check *check, const struct adapter *mine, const struct adapter *golden,
                              const struct adapter *start)
{
    double apart = 0, moved = 0;
    for (const cJSON *want = golden->header->child; want != NULL; want = want->next) {
        const cJSON *got = cJSON_GetObjectItemCaseSensitive(mine->header, want->string);
        const cJSON *began = cJSON_GetObjectItemCaseSensitive(start->header, want->string);
        if (got == NULL || began == NULL || !same_shape(got, want)) {
            differs(check, "%s: %s", want->string, got == NULL ? "not written" : "has another shape");
            continue;
        }
        size_t count, got_count, began_count;
        const char *want_floats = tensor_floats(golden, want, &count);
        const char *got_floats = tensor_floats(mine, got, &got_count);
        const char *began_floats = tensor_floats(start, began, &began_count);
        if (got_count != count || began_count != count)
            stop("%s: data_offsets and shape disagree", want->string);
        apart += squared_distance(got_floats, want_floats, count);
        moved += squared_distance(began_floats, want_floats, count);
    }
    return sqrt(apart / fmax(moved, 1e-30));
}

static double compare_adapters(struct check *check, const char *output)
{
    char path[MAX_PATH];
    struct adapter mine = read_adapter(output);
    join(path, check->case_dir, "final_adapter");
    struct adapter golden = read_adapter(path);
    join(path, check->case_dir, "init_adapter");
    struct adapter start = read_adapter(path);
    for (const cJSON *got = mine.header->child; got != NULL; got = got->next)
        if (!cJSON_HasObjectItem(golden.header, got->string))
            differs(check, "%s: written, but PEFT has no such tensor", got->string);
    double distance = compare_tensors(check, &mine, &golden, &start);
    if (!check->half && !(distance <= adapter_tolerance))
        differs(check, "final adapter is %.3g of the distance it moved away from PEFT's", distance);
    free_adapter(&mine);
    free_adapter(&golden);
    free_adapter(&start);
    return distance;
}

/* ---- greedy decoding ---- */

/* golden.prompt as the flag's value: "1,385,328" */
static void prompt_text(char *text, size_t size, const cJSON *golden)
{
    size_t length = 0;
    const cJSON *id;
    cJSON_ArrayForEach(id, cJSON_GetObjectItemCaseSensitive(golden, "prompt")) length +=
        (size_t)snprintf(text + length, size - length, "%s%d", length > 0 ? "," : "", id->valueint);
}

static void compare_ids(struct check *check, const char *which, const cJSON *ids, const cJSON *expected,
                        const cJSON *margins)
{
    int count = cJSON_GetArraySize(expected);
    for (int i = 0; i < count && cJSON_GetArrayItem(margins, i)->valuedouble > decided_margin; i++) {
        const cJSON *got = cJSON_GetArrayItem(ids, i);
        int want = cJSON_GetArrayItem(expected, i)->valueint;
        if (got == NULL && want == end_of_sequence)
            return; /* PEFT's side was made to go on behind it */
        if (got == NULL || got->valueint != want) {
            differs(check, "%s: token %d is %d, expected %d", which, i, got == NULL ? -1 : got->valueint, want);
            return;
        }
        if (want == end_of_sequence)
            return;
    }
}

static void compare_greedy(struct check *check, const char *adapter, const char *ids_key, const char *margins_key)
{
    char prompt[1024] = "", count[16], path[MAX_PATH];
    prompt_text(prompt, sizeof prompt, check->golden);
    const cJSON *expected = cJSON_GetObjectItemCaseSensitive(check->golden, ids_key);
    snprintf(count, sizeof count, "%d", cJSON_GetArraySize(expected));
    char *arguments[] = {(char *)check->program,
                         "generate",
                         "--model",
                         (char *)check->model,
                         "--adapter",
                         (char *)adapter,
                         "--prompt-ids",
                         prompt,
                         "--max-new-tokens",
                         count,
                         "--temperature",
                         "0",
                         "--json",
                         NULL};
    run(check, arguments, ids_key);
    join(path, check->work, ids_key);
    cJSON *answer = read_json(path);
    const cJSON *ids = cJSON_GetObjectItemCaseSensitive(answer, "ids");
    if (!cJSON_IsArray(ids))
        stop("%s: generate --json gave no \"ids\"", path);
    compare_ids(check, ids_key, ids, expected, cJSON_GetObjectItemCaseSensitive(check->golden, margins_key));
    cJSON_Delete(answer);
}

int main(int argc, char **argv)
{
    bool half = argc > 1 && !strcmp(argv[1], "--half");
    argv += half;
    if (argc - half < 4)
        stop("usage: check_case [--half] CASE_DIR PROGRAM WORK_DIR [TRAIN FLAG...]");
    struct check check = {
        .case_dir = argv[1], .program = argv[2], .work = argv[3], .train_flags = argv + 4, .half = half};
    char path[MAX_PATH], output[MAX_PATH];
    join(path, check.case_dir, "golden.json");
    check.golden = read_json(path);
    const cJSON *model = cJSON_GetObjectItemCaseSensitive(check.golden, "model");
    if (!cJSON_IsString(model))
        stop("%s: names no model", path);
    join(check.model, check.case_dir, model->valuestring);
    join(output, check.work, "adapter");
    join(path, check.case_dir, "init_adapter");
    if (!half)
        compare_greedy(&check, path, "greedy_before", "margins_before");
    train(&check, output);
    compare_steps(&check, output);
    double distance = compare_adapters(&check, output);
    if (!half)
        compare_greedy(&check, output, "greedy_after", "margins_after");
    printf("%s; worst relative error of a step %.2e, adapter %.2e\n", check.differences > 0 ? "differs" : "matches",
           check.worst, distance);
    cJSON_Delete(check.golden);
    return check.differences > 0;
}
