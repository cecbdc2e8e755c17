/* A tokenizer whose ids can be read: one token an ASCII character, its code the id, but for the first five. Its post-processor puts
 * <s> in front.
 */
#ifndef LORAC_FAKE_TOKENIZER_H
#define LORAC_FAKE_TOKENIZER_H

enum {
    FAKE_BOS = 1,
    FAKE_EOS = 2,
    FAKE_START = 3,
    FAKE_END = 4,
    FAKE_TOKENS = 128
}; /* <s> </s> <|im_start|> <|im_end|> */

/* Writes tokenizer.json and tokenizer_config.json. */
void fake_tokenizer_write(const char *directory);

/* directory/name with that content. */
void fake_file_write(const char *directory, const char *name, const char *text);

#endif
