#include "tokenizer_added.h"

#include <stdlib.h>
#include <string.h>

static void reserve_id(struct added_tokens *added, int32_t id)
{
    if (id < added->ids) {
        return;
    }
    int32_t ids = id + id / 4 + 64;
    added->of_id = reallocate(added->of_id, (size_t)ids * sizeof *added->of_id, "the added tokens");
    memset(added->of_id + added->ids, 0, (size_t)(ids - added->ids) * sizeof *added->of_id);
    added->ids = ids;
}

void added_tokens_push(struct added_tokens *added, const struct added_token *token)
{
    if (added->count == added->capacity) {
        added->capacity = added->capacity ? 2 * added->capacity : 64;
        added->token = reallocate(added->token, (size_t)added->capacity * sizeof *added->token, "the added tokens");
    }
    struct added_token *to = &added->token[added->count++];
    *to = *token;
    reserve_id(added, token->id);
    added->of_id[token->id] = added->count;
    to->content = allocate(token->length + 1, "an added token");
    memcpy(to->content, token->content, token->length);
}

struct added_token *added_tokens_find(const struct added_tokens *added, int32_t id)
{
    int32_t place = id >= 0 && id < added->ids ? added->of_id[id] : 0;
    return place > 0 ? &added->token[place - 1] : NULL;
}

static int32_t new_node(struct added_matcher *m, unsigned char byte)
{
    if (m->count == m->capacity) {
        m->capacity = m->capacity ? 2 * m->capacity : 64;
        m->node = reallocate(m->node, (size_t)m->capacity * sizeof *m->node, "the added tokens");
    }
    m->node[m->count] = (struct trie_node){.child = -1, .sibling = -1, .token = -1, .byte = byte};
    return m->count++;
}

static int32_t find_child(const struct added_matcher *m, int32_t node, unsigned char byte)
{
    int32_t child = m->node[node].child;
    while (child >= 0 && m->node[child].byte != byte) {
        child = m->node[child].sibling;
    }
    return child;
}

int32_t added_matcher_insert(struct added_matcher *m, const char *pattern, size_t length, int32_t index)
{
    if (length == 0) {
        return -1;
    }
    unsigned char first = (unsigned char)pattern[0];
    m->only_first = m->count == 0 || m->only_first == first ? first : -1;
    if (!m->root[first]) {
        m->root[first] = new_node(m, first) + 1;
    }
    int32_t node = m->root[first] - 1;
    for (size_t i = 1; i < length; i++) {
        unsigned char byte = (unsigned char)pattern[i];
        int32_t child = find_child(m, node, byte);
        if (child < 0) {
            child = new_node(m, byte);
            m->node[child].sibling = m->node[node].child;
            m->node[node].child = child;
        }
        node = child;
    }
    int32_t before = m->node[node].token;
    m->node[node].token = index;
    return before;
}

/* The longest pattern at `position`: its token and end, or -1. */
static int32_t longest_at(const struct added_matcher *m, const char *text, size_t length, size_t position, size_t *end)
{
    int32_t found = -1;
    int32_t node = m->root[(unsigned char)text[position]] - 1;
    while (node >= 0) {
        position++;
        if (m->node[node].token >= 0) {
            found = m->node[node].token;
            *end = position;
        }
        node = position < length ? find_child(m, node, (unsigned char)text[position]) : -1;
    }
    return found;
}

static bool leftmost_longest(const struct added_matcher *m, const char *text, size_t length, struct added_match *match,
                             size_t *begin, size_t *end)
{
    for (size_t i = match->scan; i < length; i++) {
        if (m->only_first >= 0) {
            const char *found = memchr(text + i, m->only_first, length - i);
            if (!found) {
                return false;
            }
            i = (size_t)(found - text);
        }
        int32_t index = longest_at(m, text, length, i, end);
        if (index >= 0) {
            match->index = index;
            *begin = i;
            return true;
        }
    }
    return false;
}

static bool is_single_word(const char *text, size_t length, size_t begin, size_t end)
{
    size_t before = begin > 0 ? utf8_previous(text, begin) : 0;
    bool word_before = begin > 0 && unicode_is_word(utf8_next(text, &before));
    bool word_after = end < length && unicode_is_word(utf8_next(text, &(size_t){end}));
    return !word_before && !word_after;
}

static size_t skip_space_back(const char *text, size_t position)
{
    while (position > 0) {
        size_t previous = utf8_previous(text, position), next = previous;
        if (!unicode_is_white_space(utf8_next(text, &next))) {
            break;
        }
        position = previous;
    }
    return position;
}

static size_t skip_space(const char *text, size_t length, size_t position)
{
    while (position < length) {
        size_t next = position;
        if (!unicode_is_white_space(utf8_next(text, &next))) {
            break;
        }
        position = next;
    }
    return position;
}

bool added_tokens_next(const struct added_tokens *added, const struct added_matcher *matcher, const char *text,
                       size_t length, struct added_match *match)
{
    match->covered = match->end;
    size_t begin, end;
    while (matcher->count > 0 && leftmost_longest(matcher, text, length, match, &begin, &end)) {
        const struct added_token *token = &added->token[match->index];
        match->scan = end;
        if (token->single_word && !is_single_word(text, length, begin, end)) {
            continue;
        }
        if (token->lstrip) {
            begin = skip_space_back(text, begin);
            begin = begin < match->covered ? match->covered : begin;
        }
        if (token->rstrip) {
            end = skip_space(text, length, end);
        }
        if (begin >= end) {
            continue; /* a token of blanks, all of which the one before it has stripped */
        }
        match->begin = begin;
        match->end = end;
        return true;
    }
    return false;
}

void added_tokens_free(struct added_tokens *added)
{
    for (int32_t i = 0; i < added->count; i++) {
        free(added->token[i].content);
        free(added->token[i].decoded);
    }
    free(added->token);
    free(added->of_id);
    free(added->raw.node);
    free(added->normalized.node);
    *added = (struct added_tokens){0};
}
