#include "posthorn/regex.h"

#include <stdlib.h>
#include <string.h>

/* Groups within groups. */
#define DEPTH_MAX  50
#define REPEAT_MAX 1000
#define RANGES_MAX 500
#define CODE_MAX   0x10ffff

struct range {
    uint32_t from, to;
};

/* A set of characters. */
struct set {
    struct range *ranges;
    size_t n;
    bool inverse;
};

enum op { OP_SET, OP_SPLIT, OP_JUMP, OP_START, OP_END, OP_WORD_EDGE, OP_NO_WORD_EDGE, OP_MATCH };

struct step {
    enum op op;
    const struct set *set;
    uint32_t to, or_to; /* OP_SPLIT: both ways; OP_JUMP: to */
};

struct ph_regex {
    struct step *steps;
    size_t n;
};

/* ---- reading the pattern into steps ---- */

struct read {
    struct ph_arena *arena;
    const char *at, *end;
    struct step *steps;
    size_t n;
    const char *fault; /* the first one */
    int depth;
};

static void refuse(struct read *r, const char *fault)
{
    if (!r->fault)
        r->fault = fault;
    r->at = r->end;
}

static bool more(const struct read *r)
{
    return r->at < r->end;
}

static bool take(struct read *r, char c)
{
    if (!more(r) || *r->at != c)
        return false;
    r->at++;
    return true;
}

static uint32_t emit(struct read *r, enum op op, const struct set *set, uint32_t to, uint32_t or_to)
{
    if (r->n == PH_REGEX_STEPS_MAX) {
        refuse(r, "the expression has too many steps");
        return 0;
    }
    r->steps[r->n] = (struct step){op, set, to, or_to};
    return (uint32_t)r->n++;
}

/* The next character of valid UTF-8. */
static uint32_t next_code(const char **at, const char *end)
{
    unsigned char c = (unsigned char)*(*at)++;
    uint32_t code = c < 0x80 ? c : c < 0xe0 ? c & 0x1f : c < 0xf0 ? c & 0x0f : c & 0x07;

    while (c >= 0x80 && *at < end && ((unsigned char)**at & 0xc0) == 0x80)
        code = code << 6 | ((unsigned char)*(*at)++ & 0x3f);
    return code;
}

static void add_range(struct read *r, struct set *set, uint32_t from, uint32_t to)
{
    if (set->n == RANGES_MAX) {
        refuse(r, "a class has too many parts");
        return;
    }
    set->ranges[set->n++] = (struct range){from, to};
}

static struct set *new_set(struct read *r, size_t room)
{
    struct set *set = ph_arena_new_of(r->arena, struct set);

    set->ranges = ph_arena_array_of(r->arena, struct range, room);
    return set;
}

static const struct range digits[] = {{'0', '9'}};
static const struct range words[] = {{'0', '9'}, {'A', 'Z'}, {'_', '_'}, {'a', 'z'}};
static const struct range spaces[] = {
    {9, 13},          {32, 32},         {0xa0, 0xa0},     {0x1680, 0x1680}, {0x2000, 0x200a},
    {0x2028, 0x2029}, {0x202f, 0x202f}, {0x205f, 0x205f}, {0x3000, 0x3000}, {0xfeff, 0xfeff}};
static const struct range line_ends[] = {{'\n', '\n'}, {'\r', '\r'}, {0x2028, 0x2029}};

/* Adds what \d, \w and \s or, in upper case, everything else. False: c is none of them. */
static bool add_class(struct read *r, struct set *set, char c)
{
    const struct range *ranges;
    size_t n;
    uint32_t from = 0;

    switch (c | 0x20) {
    case 'd':
        ranges = digits, n = sizeof digits / sizeof *digits;
        break;
    case 'w':
        ranges = words, n = sizeof words / sizeof *words;
        break;
    case 's':
        ranges = spaces, n = sizeof spaces / sizeof *spaces;
        break;
    default:
        return false;
    }
    for (size_t i = 0; i < n; i++) {
        if (c & 0x20)
            add_range(r, set, ranges[i].from, ranges[i].to);
        else if (ranges[i].from > from)
            add_range(r, set, from, ranges[i].from - 1);
        from = ranges[i].to + 1;
    }
    if (!(c & 0x20))
        add_range(r, set, from, CODE_MAX);
    return true;
}

static uint32_t read_hex(struct read *r, int n)
{
    uint32_t code = 0;

    for (int i = 0; i < n; i++) {
        char c = more(r) ? *r->at : 0;
        int digit = c >= '0' && c <= '9'                     ? c - '0'
                    : (c | 0x20) >= 'a' && (c | 0x20) <= 'f' ? (c | 0x20) - 'a' + 10
                                                             : -1;
        if (digit < 0) {
            refuse(r, "hex digits are missing");
            return 0;
        }
        code = code << 4 | (uint32_t)digit;
        r->at++;
    }
    return code;
}

/* Behind \u: four digits, perhaps of a pair, or up to six in braces. */
static uint32_t read_unicode(struct read *r)
{
    uint32_t code, low;
    int n = 0;

    if (take(r, '{')) {
        while (r->at + n < r->end && r->at[n] != '}')
            n++;
        code = n >= 1 && n <= 6 ? read_hex(r, n) : CODE_MAX + 1;
        if (!take(r, '}') || code > CODE_MAX)
            refuse(r, "\\u{…} has to hold a code point");
        return code;
    }
    code = read_hex(r, 4);
    if (code < 0xd800 || code > 0xdfff)
        return code;
    low = code < 0xdc00 && take(r, '\\') && take(r, 'u') ? read_hex(r, 4) : 0;
    if (low < 0xdc00 || low > 0xdfff)
        refuse(r, "a surrogate stands alone");
    code = 0x10000 + ((code - 0xd800) << 10) + (low - 0xdc00);
    return code;
}

/* One character behind a backslash. */
static uint32_t read_escape(struct read *r)
{
    static const char letters[] = "tnvfr", meant[] = "\t\n\v\f\r";
    char c = more(r) ? *r->at++ : 0;
    const char *letter = c ? strchr(letters, c) : NULL;

    if (letter)
        return (unsigned char)meant[letter - letters];
    if (c == 'x')
        return read_hex(r, 2);
    if (c == 'u')
        return read_unicode(r);
    if (c == 'c' && more(r) && (*r->at | 0x20) >= 'a' && (*r->at | 0x20) <= 'z')
        return (uint32_t)*r->at++ % 32;
    if (c == '0' && !(more(r) && *r->at >= '0' && *r->at <= '9'))
        return 0;
    if (c && strchr("^$\\.*+?()[]{}|/-", c))
        return (unsigned char)c;
    refuse(r, c >= '1' && c <= '9' ? "references back are not supported"
              : c == 'k'           ? "references back are not supported"
              : (c | 0x20) == 'p'  ? "\\p is not supported"
                                   : "unknown escape");
    return 0;
}

/* A member of a class: one character, or, with *is_class, a whole one that has been added. */
static uint32_t read_member(struct read *r, struct set *set, bool *is_class)
{
    *is_class = false;
    if (!take(r, '\\'))
        return next_code(&r->at, r->end);
    if (more(r) && add_class(r, set, *r->at)) {
        r->at++;
        *is_class = true;
        return 0;
    }
    return take(r, 'b') ? '\b' : read_escape(r);
}

/* Behind '['. */
static const struct set *read_set(struct read *r)
{
    struct range ranges[RANGES_MAX];
    struct set *set = new_set(r, 0);
    bool is_class, to_class;

    set->ranges = ranges;
    set->inverse = take(r, '^');
    while (more(r) && *r->at != ']') {
        uint32_t from = read_member(r, set, &is_class), to = from;
        if (r->end - r->at >= 2 && r->at[0] == '-' && r->at[1] != ']') {
            r->at++;
            to = read_member(r, set, &to_class);
            if (is_class || to_class || to < from)
                refuse(r, "a range of a class is out of order");
        }
        if (!is_class)
            add_range(r, set, from, to);
    }
    if (!take(r, ']'))
        refuse(r, "a class is not closed");
    set->ranges = (struct range *)ph_arena_copy(r->arena, ranges, set->n * sizeof *ranges);
    return set;
}

static struct set *set_of(struct read *r, uint32_t code)
{
    struct set *set = new_set(r, 1);

    add_range(r, set, code, code);
    return set;
}

static void read_choice(struct read *r);

/* Behind '('. */
static void read_group(struct read *r)
{
    if (++r->depth > DEPTH_MAX)
        refuse(r, "groups are nested too deeply");
    if (take(r, '?')) {
        if (take(r, '<')) {
            while (more(r) && *r->at != '>' && *r->at != '=' && *r->at != '!')
                r->at++;
            if (!take(r, '>'))
                refuse(r, "lookbehind is not supported");
        } else if (!take(r, ':')) {
            refuse(r, "lookahead is not supported");
        }
    }
    if (!r->fault)
        read_choice(r);
    if (!take(r, ')'))
        refuse(r, "a group is not closed");
    r->depth--;
}

/* \d and its like, \b, \B, or one character. False: it cannot be repeated. */
static bool read_backslash(struct read *r)
{
    char c = more(r) ? *r->at : 0;
    struct set *set;

    if (c == 'b' || c == 'B') {
        r->at++;
        emit(r, c == 'b' ? OP_WORD_EDGE : OP_NO_WORD_EDGE, NULL, 0, 0);
        return false;
    }
    set = new_set(r, sizeof spaces / sizeof *spaces + 1);
    if (c && add_class(r, set, c))
        r->at++;
    else
        set = set_of(r, read_escape(r));
    emit(r, OP_SET, set, 0, 0);
    return true;
}

/* False: it cannot be repeated. */
static bool read_atom(struct read *r)
{
    struct set *set;

    switch (*r->at++) {
    case '^':
        emit(r, OP_START, NULL, 0, 0);
        return false;
    case '$':
        emit(r, OP_END, NULL, 0, 0);
        return false;
    case '(':
        read_group(r);
        return true;
    case '[':
        emit(r, OP_SET, read_set(r), 0, 0);
        return true;
    case '.':
        set = new_set(r, 3);
        set->inverse = true;
        for (size_t i = 0; i < 3; i++)
            add_range(r, set, line_ends[i].from, line_ends[i].to);
        emit(r, OP_SET, set, 0, 0);
        return true;
    case '\\':
        return read_backslash(r);
    case '*':
    case '+':
    case '?':
        refuse(r, "there is nothing to repeat");
        return false;
    case '{':
    case '}':
    case ']':
        refuse(r, "{, } and ] need a backslash");
        return false;
    default:
        r->at--;
        emit(r, OP_SET, set_of(r, next_code(&r->at, r->end)), 0, 0);
        return true;
    }
}

/* Decimal digits; -1: there are none. More than REPEAT_MAX is refused. */
static int read_count(struct read *r)
{
    int n = -1;

    while (more(r) && *r->at >= '0' && *r->at <= '9') {
        n = (n < 0 ? 0 : n) * 10 + (*r->at++ - '0');
        if (n > REPEAT_MAX)
            refuse(r, "a count is too large");
    }
    return n;
}

/* The least and largest number of times; most -1: no end. False: once, as nothing is said. */
static bool read_quantifier(struct read *r, int *least, int *most)
{
    *least = 0;
    *most = -1;
    if (take(r, '+')) {
        *least = 1;
    } else if (take(r, '?')) {
        *most = 1;
    } else if (take(r, '{')) {
        *least = *most = read_count(r);
        if (take(r, ','))
            *most = read_count(r);
        if (!take(r, '}') || *least < 0 || (*most >= 0 && *most < *least))
            refuse(r, "a count has to be like {2}, {2,} or {2,5}");
    } else if (!take(r, '*')) {
        return false;
    }
    take(r, '?');
    return true;
}

/* The steps from `from` to the end; the caller frees. */
static struct step *copy_of(const struct read *r, size_t from)
{
    size_t bytes = (r->n - from) * sizeof(struct step);
    struct step *copy = ph_malloc(bytes + 1);

    memcpy(copy, r->steps + from, bytes);
    return copy;
}

/* The steps from `from` on once more, at the end. */
static void copy_steps(struct read *r, const struct step *atom, size_t n, size_t from)
{
    uint32_t by = (uint32_t)(r->n - from);

    for (size_t i = 0; i < n && !r->fault; i++)
        emit(r, atom[i].op, atom[i].set, atom[i].to + by, atom[i].or_to + by);
}

/*
 * Repeats the steps from `from` to the end, which are one atom: `least` copies in a row, then either a loop, or further
 * copies that may each be left out together with all behind it.
 */
static void repeat(struct read *r, size_t from, int least, int most)
{
    size_t n = r->n - from;
    struct step *atom = copy_of(r, from);
    uint32_t split, skips[REPEAT_MAX];
    int n_skips = 0;

    r->n = from;
    for (int i = 0; i < least && !r->fault; i++)
        copy_steps(r, atom, n, from);
    if (most < 0) {
        split = emit(r, OP_SPLIT, NULL, (uint32_t)r->n + 1, 0);
        copy_steps(r, atom, n, from);
        emit(r, OP_JUMP, NULL, split, 0);
        r->steps[split].or_to = (uint32_t)r->n;
    }
    for (int i = least; i < most && !r->fault; i++) {
        skips[n_skips++] = emit(r, OP_SPLIT, NULL, (uint32_t)r->n + 1, 0);
        copy_steps(r, atom, n, from);
    }
    for (int i = 0; i < n_skips; i++)
        r->steps[skips[i]].or_to = (uint32_t)r->n;
    free(atom);
}

static void read_row(struct read *r)
{
    int least, most;

    while (more(r) && *r->at != '|' && *r->at != ')') {
        size_t from = r->n;
        bool repeatable = read_atom(r);
        if (read_quantifier(r, &least, &most)) {
            if (!repeatable)
                refuse(r, "there is nothing to repeat");
            else
                repeat(r, from, least, most);
        }
    }
}

/* Rows between '|': each but the last begins with a split that leads to the next, and ends with a jump behind them all. */
static void read_choice(struct read *r)
{
    size_t from = r->n;
    uint32_t jumps[PH_REGEX_BYTES_MAX];
    int n_jumps = 0;

    read_row(r);
    while (!r->fault && take(r, '|')) {
        size_t n = r->n - from;
        struct step *row = copy_of(r, from);
        r->n = from;
        uint32_t split = emit(r, OP_SPLIT, NULL, (uint32_t)from + 1, 0);
        copy_steps(r, row, n, from);
        free(row);
        jumps[n_jumps++] = emit(r, OP_JUMP, NULL, 0, 0);
        r->steps[split].or_to = (uint32_t)r->n;
        from = r->n;
        read_row(r);
    }
    for (int i = 0; i < n_jumps; i++)
        r->steps[jumps[i]].to = (uint32_t)r->n;
}

static struct ph_regex *regex_of(const struct read *r)
{
    struct ph_regex *regex = ph_arena_new_of(r->arena, struct ph_regex);

    regex->n = r->n;
    regex->steps = (struct step *)ph_arena_copy(r->arena, r->steps, r->n * sizeof *r->steps);
    return regex;
}

enum ph_err ph_regex_compile(struct ph_arena *arena, struct ph_str pattern, struct ph_regex **out,
                             const char **fault)
{
    struct read r = {.arena = arena, .at = pattern.ptr, .end = pattern.ptr + pattern.len};

    if (pattern.len > PH_REGEX_BYTES_MAX) {
        *fault = "an expression has to have at most 1024 bytes";
        return PH_ERR_VALIDATION;
    }
    r.steps = ph_calloc(PH_REGEX_STEPS_MAX, sizeof *r.steps);
    read_choice(&r);
    if (more(&r))
        refuse(&r, "a group is closed that is not open");
    emit(&r, OP_MATCH, NULL, 0, 0);
    *fault = r.fault;
    if (!r.fault)
        *out = regex_of(&r);
    free(r.steps);
    return r.fault ? PH_ERR_VALIDATION : PH_OK;
}

/* ---- matching ---- */

/* The steps that wait for the next character, each at most once. */
struct ph_regex_scratch {
    uint32_t *now, *next, *stack;
    uint32_t *seen; /* by step: the position, from 1 on, at which it was added last */
    uint32_t turn;
};

struct ph_regex_scratch *ph_regex_scratch_new(struct ph_arena *arena)
{
    const size_t steps = PH_REGEX_STEPS_MAX;
    struct ph_regex_scratch *s = ph_arena_new_of(arena, struct ph_regex_scratch);

    s->now = ph_arena_array_of(arena, uint32_t, steps);
    s->next = ph_arena_array_of(arena, uint32_t, steps);
    s->seen = ph_arena_array_of(arena, uint32_t, steps);
    s->stack = ph_arena_array_of(arena, uint32_t, 2 * steps + 1);
    return s;
}

static bool in_ranges(const struct set *set, uint32_t code)
{
    for (size_t i = 0; i < set->n; i++)
        if (code >= set->ranges[i].from && code <= set->ranges[i].to)
            return true;
    return false;
}

static bool is_word(uint32_t code)
{
    return (code >= '0' && code <= '9') || (code >= 'A' && code <= 'Z') || code == '_' ||
           (code >= 'a' && code <= 'z');
}

/* Where in the text the matcher stands. */
struct place {
    bool at_start, at_end, at_word_edge;
};

/* Adds what can be reached from a step without a character. True: that is the end of the expression. */
static bool follow(const struct ph_regex *regex, struct ph_regex_scratch *s, uint32_t from,
                   const struct place *place, uint32_t *list, size_t *n, int64_t *work)
{
    size_t depth = 0;

    s->stack[depth++] = from;
    while (depth) {
        uint32_t at = s->stack[--depth];
        const struct step *step = &regex->steps[at];
        bool goes_on = false;

        --*work;
        if (s->seen[at] == s->turn)
            continue;
        s->seen[at] = s->turn;
        switch (step->op) {
        case OP_MATCH:
            return true;
        case OP_SET:
            list[(*n)++] = at;
            break;
        case OP_SPLIT:
            s->stack[depth++] = step->or_to;
            s->stack[depth++] = step->to;
            break;
        case OP_JUMP:
            s->stack[depth++] = step->to;
            break;
        case OP_START:
            goes_on = place->at_start;
            break;
        case OP_END:
            goes_on = place->at_end;
            break;
        case OP_WORD_EDGE:
            goes_on = place->at_word_edge;
            break;
        case OP_NO_WORD_EDGE:
            goes_on = !place->at_word_edge;
            break;
        }
        if (goes_on)
            s->stack[depth++] = at + 1;
    }
    return false;
}

bool ph_regex_matches(const struct ph_regex *regex, struct ph_regex_scratch *s, struct ph_str text,
                      int64_t *work)
{
    const char *at = text.ptr, *end = text.ptr + text.len;
    uint32_t *list, code = at < end ? next_code(&at, end) : 0, after;
    bool at_end = text.len == 0;
    struct place place = {true, at_end, !at_end && is_word(code)};
    size_t n_now = 0, n_next;

    memset(s->seen, 0, regex->n * sizeof *s->seen);
    *work -= (int64_t)regex->n / 16;
    for (s->turn = 1;;) { /* `at` is behind `code`, which is looked at */
        if (follow(regex, s, 0, &place, s->now, &n_now, work))
            return true;
        if (at_end || *work < 0)
            return false;
        at_end = at == end;
        after = at_end ? 0 : next_code(&at, end);
        place = (struct place){false, at_end, is_word(code) != (!at_end && is_word(after))};
        s->turn++;
        n_next = 0;
        for (size_t i = 0; i < n_now; i++) {
            const struct step *step = &regex->steps[s->now[i]];
            *work -= (int64_t)step->set->n + 1;
            if (in_ranges(step->set, code) != step->set->inverse &&
                follow(regex, s, s->now[i] + 1, &place, s->next, &n_next, work))
                return true;
        }
        list = s->now;
        s->now = s->next;
        s->next = list;
        n_now = n_next;
        code = after;
    }
}
