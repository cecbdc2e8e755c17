#define _POSIX_C_SOURCE 200809L
#include "data_stream.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>
#include <zstd.h>

enum { PACKED = 256 << 10 };

struct unpacker {
    z_stream gzip;
    ZSTD_DStream *zstd; /* NULL: gzip */
    bool between;       /* nothing of the next member or frame has been read */
};

static bool open_file(struct data_stream *stream, struct error *err)
{
    stream->file = open(stream->path, O_RDONLY | O_CLOEXEC | O_NONBLOCK); /* a pipe must not keep us waiting */
    if (stream->file < 0)
        return error_set(err, "%s: cannot open: %s", stream->path, strerror(errno));
    struct stat status;
    if (fstat(stream->file, &status) != 0)
        return error_set(err, "%s: cannot read: %s", stream->path, strerror(errno));
    if (S_ISREG(status.st_mode))
        return true;
    return error_set(err, "%s: expected a file of JSON, found %s", stream->path,
                     S_ISDIR(status.st_mode) ? "a directory" : "a pipe or device; save its content as a file first");
}

/* Reads more of the file behind what `packed` holds. */
static bool fill(struct data_stream *stream, struct error *err)
{
    memmove(stream->packed, stream->packed + stream->begin, stream->end - stream->begin);
    stream->end -= stream->begin;
    stream->begin = 0;
    while (stream->end < PACKED && !stream->file_ended) {
        ssize_t got = read(stream->file, stream->packed + stream->end, PACKED - stream->end);
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return error_set(err, "%s: cannot read: %s", stream->path, strerror(errno));
        stream->file_ended = got == 0;
        stream->end += (size_t)got;
    }
    return true;
}

static bool begins_with(const struct data_stream *stream, const char *magic, size_t size)
{
    return stream->end - stream->begin >= size && memcmp(stream->packed + stream->begin, magic, size) == 0;
}

static bool is_zstd(const struct data_stream *stream)
{
    if (begins_with(stream, "\x28\xb5\x2f\xfd", 4))
        return true;
    /* A skippable frame (RFC 8878, 3.1.2), which some tools write first. */
    return stream->end >= 4 && (stream->packed[0] & 0xf0) == 0x50 && memcmp(stream->packed + 1, "\x2a\x4d\x18", 3) == 0;
}

/* Formats that would only be found to be broken JSON. */
static bool refuse_others(const struct data_stream *stream, struct error *err)
{
    static const struct {
        const char *magic;
        size_t size;
        const char *name;
    } OTHERS[] = {
        {"BZh", 3, "bzip2 data"},
        {"\xfd"
         "7zXZ",
         5, "xz data"},
        {"PK\3\4", 4, "a zip archive"},
        {"7z\xbc\xaf", 4, "a 7z archive"},
        {"PAR1", 4, "a Parquet file"},
        {"ARROW1", 6, "an Arrow file"},
    };
    for (size_t i = 0; i < sizeof OTHERS / sizeof *OTHERS; i++) {
        if (begins_with(stream, OTHERS[i].magic, OTHERS[i].size))
            return error_set(err, "%s: expected JSON, plain or compressed with gzip or zstd; found %s", stream->path,
                             OTHERS[i].name);
    }
    return true;
}

static bool begin_unpacking(struct data_stream *stream, bool zstd, struct error *err)
{
    stream->unpacker = allocate(sizeof *stream->unpacker, "an unpacker");
    stream->unpacker->between = true;
    if (zstd)
        stream->unpacker->zstd = ZSTD_createDStream();
    if (zstd ? stream->unpacker->zstd != NULL : inflateInit2(&stream->unpacker->gzip, MAX_WBITS + 16) == Z_OK)
        return true;
    return error_set(err, "%s: there is no memory to unpack it", stream->path);
}

bool data_stream_open(struct data_stream *stream, const char *path, struct error *err)
{
    *stream = (struct data_stream){.path = path, .file = -1};
    if (!open_file(stream, err))
        return false;
    stream->packed = allocate(PACKED, "a data file");
    if (!fill(stream, err) || !refuse_others(stream, err))
        return false;
    bool zstd = is_zstd(stream);
    return (!zstd && !begins_with(stream, "\x1f\x8b", 2)) || begin_unpacking(stream, zstd, err);
}

void data_stream_close(struct data_stream *stream)
{
    if (stream->file >= 0)
        close(stream->file);
    if (stream->unpacker && !stream->unpacker->zstd)
        inflateEnd(&stream->unpacker->gzip);
    if (stream->unpacker)
        ZSTD_freeDStream(stream->unpacker->zstd);
    free(stream->unpacker);
    free(stream->packed);
    *stream = (struct data_stream){.file = -1};
}

static bool broken(const struct data_stream *stream, const char *reason, struct error *err)
{
    return error_set(err, "%s: broken %s data: %s", stream->path, stream->unpacker->zstd ? "zstd" : "gzip", reason);
}

/* One call of zlib: unpacks some of what there is into out[size]. */
static bool unpack_gzip(struct data_stream *stream, char *out, size_t size, size_t *got, struct error *err)
{
    z_stream *gzip = &stream->unpacker->gzip;
    uInt available = (uInt)(stream->end - stream->begin), room = size > PACKED ? PACKED : (uInt)size;
    gzip->next_in = (Bytef *)stream->packed + stream->begin;
    gzip->avail_in = available;
    gzip->next_out = (Bytef *)out;
    gzip->avail_out = room;
    int result = inflate(gzip, Z_NO_FLUSH);
    stream->begin += available - gzip->avail_in;
    *got = room - gzip->avail_out;
    stream->unpacker->between = result == Z_STREAM_END;
    if (result == Z_STREAM_END)
        result = inflateReset(gzip);
    if (result == Z_NEED_DICT)
        return broken(stream, "it wants a dictionary", err);
    return result == Z_OK || result == Z_BUF_ERROR || broken(stream, gzip->msg ? gzip->msg : "no gzip header", err);
}

static bool unpack_zstd(struct data_stream *stream, char *out, size_t size, size_t *got, struct error *err)
{
    ZSTD_inBuffer in = {stream->packed + stream->begin, stream->end - stream->begin, 0};
    ZSTD_outBuffer to = {out, size, 0};
    size_t left = ZSTD_decompressStream(stream->unpacker->zstd, &to, &in);
    if (ZSTD_isError(left))
        return broken(stream, ZSTD_getErrorName(left), err);
    stream->begin += in.pos;
    *got = to.pos;
    stream->unpacker->between = left == 0;
    return true;
}

/* Between two members of gzip: whether only zeros follow, as tapes and some tools leave them. */
static bool skip_padding(struct data_stream *stream)
{
    if (stream->unpacker->zstd || !stream->unpacker->between)
        return false;
    while (stream->begin < stream->end && stream->packed[stream->begin] == 0)
        stream->begin++;
    return stream->begin == stream->end;
}

static bool unpack(struct data_stream *stream, char *out, size_t size, size_t *got, struct error *err)
{
    for (;;) {
        if (stream->begin == stream->end && !stream->file_ended && !fill(stream, err))
            return false;
        bool ended = stream->begin == stream->end || skip_padding(stream);
        if (ended && stream->file_ended && stream->unpacker->between)
            return true;
        if (ended && !stream->file_ended)
            continue;
        bool ok = stream->unpacker->zstd ? unpack_zstd(stream, out, size, got, err)
                                         : unpack_gzip(stream, out, size, got, err);
        if (!ok || *got > 0)
            return ok;
        if (ended && !stream->unpacker->between)
            return broken(stream, "it ends early; is the file truncated?", err);
    }
}

static bool copy(struct data_stream *stream, char *out, size_t size, size_t *got, struct error *err)
{
    if (stream->begin == stream->end && !stream->file_ended && !fill(stream, err))
        return false;
    size_t there = stream->end - stream->begin;
    *got = there < size ? there : size;
    memcpy(out, stream->packed + stream->begin, *got);
    stream->begin += *got;
    return true;
}

bool data_stream_read(struct data_stream *stream, char *out, size_t size, size_t *got, struct error *err)
{
    *got = 0;
    return stream->unpacker ? unpack(stream, out, size, got, err) : copy(stream, out, size, got, err);
}
