/* Added tokens: words that are recognised in the text before it is normalized (or, those marked `normalized`, right after), and
 * never reach the model.
 *
 * At each place the longest wins, leftmost first. Patterns lie in a trie; a table of first bytes skips what starts none.
 */
#ifndef LORAC_TOKENIZER_ADDED_H
#define LORAC_TOKENIZER_ADDED_H

#include "error.h"
#include "unicode.h"

struct added_token {
    int32_t id;
    char *content; /* as the file spells it; owned */
    size_t length;
    bool special, lstrip, rstrip, single_word, normalized;
    bool was_normalized; /* in tokenizer.json, whatever a configuration has made of it */
    bool in_model;       /* the model's vocabulary has it too */
    /* What it decodes to, where normalization changed what it matches (or would have, by tokenizer.json alone): that, not its
     * content, and it then is not skipped as a special token (both as the library does). NULL otherwise; owned. */
    char *decoded;
    size_t decoded_length;
};

struct trie_node {
    int32_t child, sibling; /* -1: none */
    int32_t token;          /* index of the token whose pattern ends here, or -1 */
    unsigned char byte;
};

/* Zero-initialize. */
struct added_matcher {
    struct trie_node *node;
    int32_t count, capacity;
    int32_t root[256]; /* node + 1; 0: no pattern starts with this byte */
    int only_first;    /* the byte that all patterns start with, or -1 */
};

struct added_tokens {
    struct added_token *token;
    int32_t count, capacity;
    int32_t *of_id; /* [ids] index + 1 of the token with this id; 0: none */
    int32_t ids;
    struct added_matcher raw, normalized; /* against the text as it is; against the normalized text */
};

/* Appends a token, whose id no other has; content is copied. */
void added_tokens_push(struct added_tokens *added, const struct added_token *token);

/* The token of an id (-1: of none), or NULL; until the next is appended. */
struct added_token *added_tokens_find(const struct added_tokens *added, int32_t id);

/* Makes `pattern` (a token's content, normalized where that applies) a match for token `index`. Returns the token that it was a match
 * for until now, or -1. */
int32_t added_matcher_insert(struct added_matcher *matcher, const char *pattern, size_t length, int32_t index);

/* A walk over a text: [begin, end) is the token last found, spaces that it strips included; text before `begin` from `covered` on
 * is not a token. Zero-initialize. */
struct added_match {
    size_t covered, begin, end;
    size_t scan; /* where matching goes on */
    int32_t index;
};

/* Moves to the next added token; false when the rest of the text, from match->end on, holds none. */
bool added_tokens_next(const struct added_tokens *added, const struct added_matcher *matcher, const char *text,
                       size_t length, struct added_match *match);

void added_tokens_free(struct added_tokens *added);

#endif
