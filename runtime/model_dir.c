#define _POSIX_C_SOURCE 200809L

#include "model_dir.h"

#include "json_file.h"
#include "output_file.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

bool is_weight_file(const char *name)
{
    static const char *const endings[] = {".safetensors", ".safetensors.index.json",
                                          ".bin",         ".bin.index.json",
                                          ".pt",          ".pth",
                                          ".gguf",        ".h5",
                                          ".msgpack",     ".onnx",
                                          ".partial"};
    size_t length = strlen(name);
    for (size_t i = 0; i < sizeof endings / sizeof *endings; i++) {
        size_t tail = strlen(endings[i]);
        if (length >= tail && !strcmp(name + length - tail, endings[i]))
            return true;
    }
    return name[0] == '.';
}

static bool copy_file(const char *from, const char *to, struct error *err)
{
    size_t size;
    char *content = read_whole_file(from, &size, err);
    bool copied = content && output_write_file(to, content, size, err);
    free(content);
    return copied;
}

static bool is_regular(const char *path)
{
    struct stat status;
    return stat(path, &status) == 0 && S_ISREG(status.st_mode);
}

bool copy_other_files(const char *from, const char *to, struct error *err)
{
    DIR *directory = opendir(from);
    if (!directory)
        return error_set(err, "%s: cannot be read: %s", from, strerror(errno));
    bool copied = true;
    for (struct dirent *entry; copied && (entry = readdir(directory));) {
        if (is_weight_file(entry->d_name))
            continue;
        char *source = path_join(from, entry->d_name), *target = path_join(to, entry->d_name);
        copied = !is_regular(source) || copy_file(source, target, err);
        free(source);
        free(target);
    }
    closedir(directory);
    return copied;
}

bool untie_config(const char *directory, struct error *err)
{
    char *path = path_join(directory, "config.json");
    cJSON *config = json_read(path, err);
    cJSON_DeleteItemFromObjectCaseSensitive(config, "tie_word_embeddings");
    bool written =
        config && cJSON_AddBoolToObject(config, "tie_word_embeddings", false) && json_write(path, config, err);
    cJSON_Delete(config);
    free(path);
    return written;
}

void discard_directory(const char *path)
{
    DIR *directory = opendir(path);
    if (!directory)
        return;
    for (struct dirent *entry; (entry = readdir(directory));) {
        char *file = path_join(path, entry->d_name);
        if (is_regular(file))
            unlink(file);
        free(file);
    }
    closedir(directory);
    rmdir(path);
}
