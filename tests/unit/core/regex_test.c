#include "posthorn/regex.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#define COUNT_OF(array) (sizeof(array) / sizeof((array)[0]))

static int64_t work;

static bool matches(const char *pattern, struct ph_str text)
{
    struct ph_arena *arena = ph_arena_new();
    struct ph_regex *regex;
    const char *fault;
    bool found;

    if (ph_regex_compile(arena, ph_str_of(pattern), &regex, &fault) != PH_OK)
        fail_msg("%s: %s", pattern, fault);
    work = 1000000;
    found = ph_regex_matches(regex, ph_regex_scratch_new(arena), text, &work);
    ph_arena_free(arena);
    return found;
}

static void texts_match_or_do_not(void **state)
{
    static const struct {
        const char *pattern;
        const char *good[6], *bad[6];
    } cases[] = {
        {"", {"", "x"}, {NULL}},
        {"abc", {"abc", "xabcx"}, {"", "ab", "abd", "ABC"}},
        {"^abc$", {"abc"}, {"xabc", "abcx", "abc\n"}},
        {"^$", {""}, {"x"}},
        {"a|bc|d", {"a", "bc", "xd"}, {"b", "c", ""}},
        {"^(a|b)*c$", {"c", "abbac"}, {"abd", "ab"}},
        {"^(?:ab)+$", {"ab", "abab"}, {"", "aba"}},
        {"^(?<year>\\d{4})-\\d\\d$", {"2026-11"}, {"226-11", "2026-1", "2026-111"}},
        {"^a{2}$", {"aa"}, {"a", "aaa"}},
        {"^a{2,}$", {"aa", "aaaaa"}, {"a", ""}},
        {"^a{0,2}$", {"", "a", "aa"}, {"aaa"}},
        {"^a{1,3}?b$", {"ab", "aaab"}, {"b", "aaaab"}},
        {"^(ab?){2}c$", {"aac", "ababc", "abac"}, {"ac", "abc"}},
        {"^x(|y)$", {"x", "xy"}, {"xyy"}},
        {"^(a*)*b$", {"b", "aab"}, {"a"}},
        {"^(|a)+$", {"", "aa"}, {"b"}},
        {"^[a-c_]+$", {"abc_"}, {"", "d", "A"}},
        {"^[^a-c]$", {"d", "\xc3\xa4", "\n"}, {"a", "dd"}},
        {"^[\\]\\-x]$", {"]", "-", "x"}, {"y"}},
        {"^[-a]$", {"-", "a"}, {"b"}},
        {"^[a-]$", {"-", "a"}, {"b"}},
        {"^[\\d.]+$", {"1.2"}, {"1,2"}},
        {"^[\\D]$", {"a"}, {"1"}},
        {"^\\D\\W\\S$", {"a-b"}, {"1-b", "aab", "a- "}},
        {"^\\w+$", {"aZ_9"}, {"\xc3\xa4", "-", ""}},
        {"^\\s$", {" ", "\t", "\n", "\xc2\xa0", "\xe2\x80\xa8", "\xef\xbb\xbf"}, {"x"}},
        {"^.$", {"a", "\xc3\xa4", "\xf0\x9f\x98\x80"}, {"", "\n", "\r", "ab"}},
        {"\\bfoo\\b", {"foo", "a foo.", "foo-x"}, {"foox", "xfoo", "_foo"}},
        {"\\Boo", {"foo"}, {"oo"}},
        {"\\b", {"a", "-a"}, {"", "-"}},
        {"^\\u00e4\\x41\\u{1F600}\\ud83d\\ude00$",
         {"\xc3\xa4"
          "A\xf0\x9f\x98\x80\xf0\x9f\x98\x80"},
         {"A"}},
        {"^\\t\\n\\v\\f\\r\\cJ\\/\\.$", {"\t\n\v\f\r\n/."}, {"x"}},
        {"^[\\b]$", {"\b"}, {"b"}},
        {"^[\xc3\xa4-\xc3\xb6]$", {"\xc3\xa5"}, {"a"}},
        {"^(([^<>()\\[\\]\\\\.,;:\\s@\"]+(\\.[^<>()\\[\\]\\\\.,;:\\s@\"]+)*))@([a-z-]+\\.)+[a-z]{2,"
         "}$",
         {"a.b@c.de", "x@y-z.org"},
         {"a@b", "@c.de", "a b@c.de"}},
    };
    (void)state;

    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        for (size_t j = 0; j < 6 && cases[i].good[j]; j++)
            if (!matches(cases[i].pattern, ph_str_of(cases[i].good[j])))
                fail_msg("%s does not match '%s'", cases[i].pattern, cases[i].good[j]);
        for (size_t j = 0; j < 6 && cases[i].bad[j]; j++)
            if (matches(cases[i].pattern, ph_str_of(cases[i].bad[j])))
                fail_msg("%s matches '%s'", cases[i].pattern, cases[i].bad[j]);
    }
    assert_true(matches("^a\\0b$", (struct ph_str){"a\0b", 3}));
}

static void what_is_not_supported_is_refused(void **state)
{
    static const char *const cases[][2] = {
        {"(?=a)", "lookahead"},
        {"(?!a)", "lookahead"},
        {"(?<=a)", "lookbehind"},
        {"(?<!a)", "lookbehind"},
        {"(a)\\1", "references"},
        {"\\k<a>", "references"},
        {"\\p{L}", "\\p is not"},
        {"\\a", "unknown escape"},
        {"\\", "unknown escape"},
        {"(a", "a group is not closed"},
        {"a)", "not open"},
        {"[a", "a class is not closed"},
        {"*", "nothing to repeat"},
        {"a**", "nothing to repeat"},
        {"^*", "nothing to repeat"},
        {"\\b+", "nothing to repeat"},
        {"a{2,1}", "like {2}"},
        {"a{", "like {2}"},
        {"a{1001}", "too large"},
        {"}", "need a backslash"},
        {"]", "need a backslash"},
        {"[b-a]", "out of order"},
        {"[\\d-z]", "out of order"},
        {"\\u12", "hex digits"},
        {"\\xg1", "hex digits"},
        {"\\u{110000}", "code point"},
        {"\\u{}", "code point"},
        {"\\ud83d", "stands alone"},
        {"\\ud83d\\u0041", "stands alone"},
        {"\\udc00", "stands alone"},
        {"(a{1000}){3}", "too many steps"},
        {"\\01", "unknown escape"},
    };
    struct ph_arena *arena = ph_arena_new();
    struct ph_regex *regex;
    const char *fault;
    char deep[201];
    (void)state;

    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        if (ph_regex_compile(arena, ph_str_of(cases[i][0]), &regex, &fault) != PH_ERR_VALIDATION)
            fail_msg("%s is taken", cases[i][0]);
        if (!strstr(fault, cases[i][1]))
            fail_msg("%s: %s", cases[i][0], fault);
    }
    memset(deep, '(', 100);
    memset(deep + 100, ')', 100);
    deep[200] = '\0';
    assert_int_equal(ph_regex_compile(arena, ph_str_of(deep), &regex, &fault), PH_ERR_VALIDATION);
    ph_arena_free(arena);
}

/* What takes other engines until the end of time takes no longer than text times pattern, and less when told so. */
static void no_expression_is_slow(void **state)
{
    static const char *const patterns[] = {
        "^(a+)+$",
        "^(a|a)*$",
        "^(a|aa)+$",
        "(.*a){20}",
        "^(([a-z])+.)+[A-Z]([a-z])+$",
        "(x+x+)+y",
        "^(a?){100}a{100}$",
        "^([a-zA-Z0-9])(([\\-.]|[_]+)?([a-zA-Z0-9]+))*(@){1}$",
    };
    enum { LENGTH = 3000 };
    char text[LENGTH];
    (void)state;

    memset(text, 'a', LENGTH);
    text[LENGTH - 1] = '!';
    for (size_t i = 0; i < COUNT_OF(patterns); i++) {
        matches(patterns[i], (struct ph_str){text, LENGTH});
        assert_true(work >= 0);
    }
    matches("^(a?){600}a{600}$", (struct ph_str){text, LENGTH});
    assert_true(work < 0 && work > -10000); /* it stops when its work is done */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(texts_match_or_do_not),
        cmocka_unit_test(what_is_not_supported_is_refused),
        cmocka_unit_test(no_expression_is_slow),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
