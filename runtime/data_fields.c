#include "data_fields.h"

#define MEMBER(name)                                                                                                   \
    {                                                                                                                  \
#        name, offsetof(struct data_fields, name)                                                                      \
    }
static const struct {
    const char *name;
    size_t offset;
} MEMBERS[] = {
    MEMBER(instruction),
    MEMBER(input),
    MEMBER(output),
    MEMBER(system),
    MEMBER(history),
    MEMBER(messages),
    MEMBER(conversations),
    MEMBER(prompt),
    MEMBER(completion),
    MEMBER(text),
    MEMBER(input_ids),
    MEMBER(labels),
    MEMBER(role),
    MEMBER(content),
    MEMBER(from),
    MEMBER(value),
    MEMBER(train),
    MEMBER(weight),
    MEMBER(reasoning_content),
};
enum { COUNT = sizeof MEMBERS / sizeof *MEMBERS };
_Static_assert(COUNT * sizeof(const char *) == sizeof(struct data_fields), "every member has its line");

const char *data_field_name(int index)
{
    return index < COUNT ? MEMBERS[index].name : NULL;
}

void data_fields_complete(struct data_fields *fields)
{
    for (int i = 0; i < COUNT; i++) {
        const char **name = (const char **)((char *)fields + MEMBERS[i].offset);
        *name = *name ? *name : MEMBERS[i].name;
    }
}
