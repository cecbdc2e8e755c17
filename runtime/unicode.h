/* UTF-8 text: decoding, validation, character classes, and a growing buffer to write text into.
 *
 * A code point is a uint32_t in 0..0x10FFFF without the surrogates. Text is bytes plus a length in bytes, and may hold NULs; it
 * need not end in one. Classes come from utf8proc (its Unicode version decides), white space from the Unicode property list.
 */
#ifndef LORAC_UNICODE_H
#define LORAC_UNICODE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Bytes under construction. Zero-initialize; text_buffer_free returns it to that state. `data` is NULL while capacity is 0. */
struct text_buffer {
    char *data;
    size_t length, capacity; /* bytes */
};

void text_buffer_reserve(struct text_buffer *buffer, size_t extra);
void text_buffer_append(struct text_buffer *buffer, const char *text, size_t length);
void text_buffer_append_string(struct text_buffer *buffer, const char *text);
void text_buffer_append_code_point(struct text_buffer *buffer, uint32_t code_point);
void text_buffer_free(struct text_buffer *buffer);

/* Decodes one code point of valid UTF-8 at *position (< length) and moves *position behind it. */
uint32_t utf8_next(const char *text, size_t *position);

/* The start of the code point before `position` (> 0) in valid UTF-8. */
size_t utf8_previous(const char *text, size_t position);

/* Writes the 1 to 4 bytes of a code point, returns how many. */
size_t utf8_encode(uint32_t code_point, char out[4]);

/* The offset of the first byte that is not part of well-formed UTF-8 (overlong forms and surrogates are not), or `length`. */
size_t utf8_valid_length(const char *text, size_t length);

/* Appends `text` with U+FFFD for each maximal part of an ill-formed sequence (Unicode 3.9, "U+FFFD Substitution of Maximal
 * Subparts", which is what Rust's from_utf8_lossy does). */
void utf8_append_lossy(struct text_buffer *out, const char *text, size_t length);

/* Is the code point in one of these ranges, which are in order? */
struct code_range {
    uint32_t first, last;
};
bool code_ranges_have(const struct code_range *ranges, size_t count, uint32_t code_point);

/* The property White_Space: what Rust's char::is_whitespace and `\s` of Oniguruma match. */
bool unicode_is_white_space(uint32_t code_point);

/* What Python's str.strip() removes: White_Space and the separators U+001C to U+001F. */
bool unicode_is_python_space(uint32_t code_point);

/* General category Nd, Nl or No of Unicode 17: Rust's char::is_numeric. */
bool unicode_is_numeric(uint32_t code_point);

/* ASCII punctuation and symbols, and every general category P* of Unicode 8, as in the crate that the tokenizers library asks. */
bool unicode_is_punctuation(uint32_t code_point);

/* General category Cc, Cf, Zl or Zp: what terminals obey or hide (controls, marks of direction, invisible signs), but not the two
 * joiners, without which words of some scripts and emoji fall apart. */
bool unicode_is_control(uint32_t code_point);

/* `\w` of Rust's regex: Alphabetic, Mark, Nd, Pc and the two joiners. */
bool unicode_is_word(uint32_t code_point);

#endif
