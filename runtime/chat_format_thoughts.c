/* Thoughts: taken out of a message, left out of earlier turns, put in front of the answer in the last. */
#include "chat_format_internal.h"

#include <string.h>

static bool is_newline(uint32_t code_point)
{
    return code_point == '\n';
}

static const char *find(struct part part, const char *wanted)
{
    size_t n = strlen(wanted);
    for (size_t i = 0; i + n <= part.length; i++) {
        if (memcmp(part.text + i, wanted, n) == 0) {
            return part.text + i;
        }
    }
    return NULL;
}

static const char *find_last(struct part part, const char *wanted)
{
    size_t n = strlen(wanted);
    for (size_t i = part.length; i >= n; i--) {
        if (memcmp(part.text + i - n, wanted, n) == 0) {
            return part.text + i - n;
        }
    }
    return NULL;
}

static struct part between(const char *begin, const char *end)
{
    return (struct part){begin, (size_t)(end - begin)};
}

size_t chat_last_question(const struct chat_message *messages, size_t count)
{
    static const char open[] = "<tool_response>", close[] = "</tool_response>";
    for (size_t i = count; i-- > 0;) {
        const struct chat_message *m = &messages[i];
        bool is_result = m->length >= sizeof close - 1 && memcmp(m->content, open, sizeof open - 1) == 0 &&
                         memcmp(m->content + m->length - (sizeof close - 1), close, sizeof close - 1) == 0;
        if (chat_is_role(m, "user") && !is_result) {
            return i;
        }
    }
    return count - 1;
}

/* Takes an answer apart: thoughts up to the first close (from the last open before it on), the rest behind the last close. */
static void separate_thoughts(const struct chat_format *format, const struct chat_message *message,
                              struct part *thoughts, struct part *answer)
{
    *answer = (struct part){message->content, message->length};
    *thoughts = (struct part){"", 0};
    if (message->thoughts) {
        *thoughts = (struct part){message->thoughts, message->thoughts_length};
        return;
    }
    const char *end = message->content + message->length;
    const char *first = find(*answer, format->think_close), *last = find_last(*answer, format->think_close);
    if (!first) {
        return;
    }
    *thoughts = chat_trim(between(message->content, first), is_newline, false, true);
    const char *open = find_last(*thoughts, format->think_open);
    if (open) {
        *thoughts = between(open + strlen(format->think_open), thoughts->text + thoughts->length);
    }
    *thoughts = chat_trim(*thoughts, is_newline, true, false);
    *answer = chat_trim(between(last + strlen(format->think_close), end), is_newline, true, false);
}

bool chat_render_thinking(struct rendering *r, size_t index)
{
    const struct chat_format *format = r->format;
    struct part thoughts, answer;
    separate_thoughts(format, &r->messages[index], &thoughts, &answer);
    bool has_answer = answer.length > 0;
    if (index > r->last_question && (index + 1 == r->count || thoughts.length > 0)) {
        thoughts = chat_trim(thoughts, is_newline, true, true);
        answer = chat_trim(answer, is_newline, true, false);
        chat_append(r->text, format->think_open);
        chat_append(r->text, "\n");
        text_buffer_append(r->text, thoughts.text, thoughts.length);
        chat_append(r->text, "\n");
        chat_append(r->text, format->think_close);
        chat_append(r->text, "\n\n");
    }
    text_buffer_append(r->text, answer.text, answer.length);
    return has_answer;
}
