#define _POSIX_C_SOURCE 200809L

#include "output_file.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

struct output_file {
    char *path, *partial;
    FILE *stream;
    uint64_t size;
    int failure; /* errno of the first write that failed */
};

char *path_join(const char *directory, const char *name)
{
    size_t length = strlen(directory);
    return format_text("%s%s%s", directory, length && directory[length - 1] == '/' ? "" : "/", name);
}

/* Whether a file may take `path`'s place: nothing is there, or a file. */
static bool replaceable(const char *path, struct error *err)
{
    struct stat status;
    if (stat(path, &status) || S_ISREG(status.st_mode))
        return true;
    return error_set(err, "%s: cannot be written: %s", path,
                     S_ISDIR(status.st_mode) ? strerror(EISDIR) : "it is a pipe or device; name a file");
}

struct output_file *output_open(const char *path, struct error *err)
{
    if (!replaceable(path, err))
        return NULL;
    char *partial = format_text("%s.partial", path);
    FILE *stream = fopen(partial, "wb");
    if (!stream) {
        error_set(err, "%s: cannot be written: %s", path, strerror(errno));
        free(partial);
        return NULL;
    }
    struct output_file *file = allocate(sizeof *file, "an output file");
    *file = (struct output_file){.path = format_text("%s", path), .partial = partial, .stream = stream};
    return file;
}

void output_write(struct output_file *file, const void *data, size_t bytes)
{
    if (!file->failure && fwrite(data, 1, bytes, file->stream) != bytes)
        file->failure = errno ? errno : EIO;
    file->size += bytes;
}

void output_text(struct output_file *file, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    int length = vfprintf(file->stream, format, args);
    va_end(args);
    if (length >= 0)
        file->size += (uint64_t)length;
    else if (!file->failure)
        file->failure = errno ? errno : EIO;
}

uint64_t output_size(const struct output_file *file)
{
    return file->size;
}

static void output_free(struct output_file *file)
{
    free(file->path);
    free(file->partial);
    free(file);
}

char *directory_of(const char *path)
{
    const char *slash = strrchr(path, '/');
    if (!slash)
        return format_text(".");
    return format_text("%.*s", slash == path ? 1 : (int)(slash - path), path);
}

void sync_directory_of(const char *path)
{
    char *directory = directory_of(path);
    int descriptor = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (descriptor >= 0) {
        (void)fsync(descriptor);
        close(descriptor);
    }
    free(directory);
}

bool output_close(struct output_file *file, struct error *err)
{
    int failure = file->failure;
    if (!failure && (fflush(file->stream) || fsync(fileno(file->stream))))
        failure = errno;
    if (fclose(file->stream) && !failure)
        failure = errno;
    if (!failure && rename(file->partial, file->path))
        failure = errno;
    if (failure) {
        error_set(err, "%s: cannot be written: %s", file->path, strerror(failure));
        unlink(file->partial);
    } else {
        sync_directory_of(file->path);
    }
    output_free(file);
    return !failure;
}

void output_abort(struct output_file *file)
{
    if (!file)
        return;
    fclose(file->stream);
    unlink(file->partial);
    output_free(file);
}

bool output_write_file(const char *path, const void *data, size_t bytes, struct error *err)
{
    struct output_file *file = output_open(path, err);
    if (!file)
        return false;
    output_write(file, data, bytes);
    return output_close(file, err);
}

static bool make_one_directory(const char *path, struct error *err)
{
    struct stat status;
    if (mkdir(path, 0777) == 0)
        return true;
    int failure = errno;
    if (stat(path, &status) == 0) {
        if (S_ISDIR(status.st_mode))
            return true;
        return error_set(err, "%s: exists, and is no directory", path);
    }
    return error_set(err, "%s: directory cannot be made: %s", path, strerror(failure));
}

bool make_directory(const char *path, struct error *err)
{
    char *part = format_text("%s", path);
    bool made = true;
    for (char *slash = strchr(part + (part[0] == '/'), '/'); made && slash; slash = strchr(slash + 1, '/')) {
        *slash = '\0';
        made = make_one_directory(part, err);
        *slash = '/';
    }
    made = made && make_one_directory(path, err);
    free(part);
    return made;
}

/* The message names what comes first in the alphabet, whatever order the file system has. */
static bool is_empty(const char *path, DIR *directory, struct error *err)
{
    static const char checkpoint[] = "checkpoint-";
    char *first = NULL;
    bool resumable = false;
    for (struct dirent *entry; (entry = readdir(directory));) {
        const char *name = entry->d_name;
        if (!strcmp(name, ".") || !strcmp(name, ".."))
            continue;
        resumable = resumable || !strncmp(name, checkpoint, sizeof checkpoint - 1);
        if (first && strcmp(name, first) > 0)
            continue;
        free(first);
        first = format_text("%s", name);
    }
    if (!first)
        return true;
    error_set(err, "%s: already holds results ('%s'); name a new directory, or empty this one%s", path, first,
              resumable ? " (train can go on with them: --resume)" : "");
    free(first);
    return false;
}

bool output_directory(const char *path, bool resume, struct error *err)
{
    if (path[0] == '\0')
        return error_usage(err, "--output: a directory's name is expected, found nothing");
    if (!make_directory(path, err))
        return false;
    if (access(path, W_OK | X_OK))
        return error_set(err, "%s: cannot be written: %s", path, strerror(errno));
    DIR *directory = opendir(path);
    if (!directory)
        return error_set(err, "%s: cannot be read: %s", path, strerror(errno));
    bool empty = resume || is_empty(path, directory, err);
    closedir(directory);
    return empty;
}
