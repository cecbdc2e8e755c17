/* The bytes of a data file from its start to its end, unpacked on the way where it is compressed with gzip or zstd. Which it is tell
 * its first bytes, not its name. Several members (gzip) or frames (zstd) in a row are one text; zeros behind gzip's last are padding.
 *
 * Memory: 256 KiB of packed bytes, and what the format's window takes: 32 KiB for gzip, up to 128 MiB for zstd (frames that were
 * made with --long=28 and more are refused).
 */
#ifndef LORAC_DATA_STREAM_H
#define LORAC_DATA_STREAM_H

#include "error.h"

struct unpacker; /* data_stream.c */

struct data_stream {
    const char *path; /* the caller's */
    int file;         /* -1: not open */
    char *packed;     /* bytes of the file, read and not yet handed on: [begin, end) */
    size_t begin, end;
    bool file_ended;
    struct unpacker *unpacker; /* NULL: the file is plain */
};

/* False when the file cannot be read, is no regular file, or begins as a format that is packed otherwise. data_stream_close in
 * every case. */
bool data_stream_open(struct data_stream *stream, const char *path, struct error *err);
void data_stream_close(struct data_stream *stream);

/* Writes the next bytes, at most `size` (> 0), to `out`. *got is 0 at the end only. False when reading fails, or when what is packed
 * is broken or ends early. */
bool data_stream_read(struct data_stream *stream, char *out, size_t size, size_t *got, struct error *err);

#endif
