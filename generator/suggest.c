#include "suggest.h"
#include "../runtime/error.h"

#include <ctype.h>
#include <stdbool.h>
#include <stddef.h>
#include <string.h>

enum { LONGEST = 63 };

static int smaller(int a, int b)
{
    return a < b ? a : b;
}

static bool same(char a, char b)
{
    return tolower((unsigned char)a) == tolower((unsigned char)b);
}

/* Damerau and Levenshtein's distance (optimal string alignment), row by row. */
static int edit_distance(const char *a, const char *b)
{
    int rows = (int)strlen(a), columns = (int)strlen(b);
    if (rows > LONGEST || columns > LONGEST)
        return LONGEST + 1;
    int d[LONGEST + 1][LONGEST + 1];
    for (int i = 0; i <= rows; i++)
        d[i][0] = i;
    for (int j = 0; j <= columns; j++)
        d[0][j] = j;
    for (int i = 1; i <= rows; i++) {
        for (int j = 1; j <= columns; j++) {
            int replace = d[i - 1][j - 1] + !same(a[i - 1], b[j - 1]);
            d[i][j] = smaller(replace, 1 + smaller(d[i - 1][j], d[i][j - 1]));
            if (i > 1 && j > 1 && same(a[i - 1], b[j - 2]) && same(a[i - 2], b[j - 1]))
                d[i][j] = smaller(d[i][j], d[i - 2][j - 2] + 1);
        }
    }
    return d[rows][columns];
}

/* The shortest name that ends in '_' and `name`. */
static const char *longer_name(const char *name, const char *const *names, int count)
{
    size_t length = strlen(name), shortest = LONGEST;
    const char *found = NULL;
    for (int i = 0; i < count; i++) {
        CHECK(names[i]);
        size_t whole = strlen(names[i]);
        bool ends =
            whole > length && names[i][whole - length - 1] == '_' && strcmp(names[i] + whole - length, name) == 0;
        if (ends && length > 0 && whole < shortest) {
            found = names[i];
            shortest = whole;
        }
    }
    return found;
}

const char *suggest(const char *name, const char *const *names, int count)
{
    int length = (int)strlen(name), best = length / 3 > 1 ? length / 3 : 1;
    const char *nearest = NULL;
    for (int i = 0; i < count; i++) {
        int distance = edit_distance(name, names[i]);
        if (distance < best + (nearest == NULL)) {
            best = distance;
            nearest = names[i];
        }
    }
    return nearest ? nearest : longer_name(name, names, count);
}
