#include "posthorn/guard.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define COUNT_OF(array) (sizeof(array) / sizeof((array)[0]))

static struct ph_arena *arena;

static int setup(void **state)
{
    (void)state;
    arena = ph_arena_new();
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    ph_arena_free(arena);
    return 0;
}

static void assert_str(struct ph_str got, const char *want)
{
    assert_int_equal(got.len, strlen(want));
    assert_memory_equal(got.ptr, want, got.len);
}

static void takes_urls_apart(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        bool tls;
        const char *host;
        bool ipv6;
        uint16_t port;
        const char *target;
    } cases[] = {
        {"http://example.com", false, "example.com", false, 80, "/"},
        {"https://example.com", true, "example.com", false, 443, "/"},
        {"https://example.com/", true, "example.com", false, 443, "/"},
        {"HtTpS://EXAMPLE.Com/Path", true, "example.com", false, 443, "/Path"},
        {"https://example.com:8443/a/b?c=d&e=%2F#frag", true, "example.com", false, 8443,
         "/a/b?c=d&e=%2F"},
        {"http://example.com?x=1", false, "example.com", false, 80, "/?x=1"},
        {"http://example.com?", false, "example.com", false, 80, "/?"},
        {"http://example.com#f?x", false, "example.com", false, 80, "/"},
        {"http://example.com:1/?a@b:c//d?e", false, "example.com", false, 1, "/?a@b:c//d?e"},
        {"http://example.com:65535", false, "example.com", false, 65535, "/"},
        {"http://example.com//a/../b/./", false, "example.com", false, 80, "//a/../b/./"},
        {"http://example.com/%00%0d%0A", false, "example.com", false, 80, "/%00%0d%0A"},
        {"http://example.com/-._~!$&'()*+,;=:@", false, "example.com", false, 80,
         "/-._~!$&'()*+,;=:@"},
        {"http://localhost", false, "localhost", false, 80, "/"},
        {"http://my_host-1.a-b.internal", false, "my_host-1.a-b.internal", false, 80, "/"},
        {"http://127.0.0.1:8080/x", false, "127.0.0.1", false, 8080, "/x"},
        {"http://1.2.3.com", false, "1.2.3.com", false, 80, "/"},
        {"http://0x7f.example", false, "0x7f.example", false, 80, "/"},
        {"http://7f", false, "7f", false, 80, "/"},
        {"http://127.0.0.0xg", false, "127.0.0.0xg", false, 80, "/"},
        {"http://[::1]", false, "::1", true, 80, "/"},
        {"https://[2001:DB8::A]:444/x", true, "2001:db8::a", true, 444, "/x"},
        {"http://[::ffff:127.0.0.1]?q", false, "::ffff:127.0.0.1", true, 80, "/?q"},
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct ph_url url;
        const char *reason = NULL;
        if (ph_url_parse(arena, ph_str_of(cases[i].text), &url, &reason) != PH_OK)
            fail_msg("refused %s: %s", cases[i].text, reason);
        assert_int_equal(url.tls, cases[i].tls);
        assert_str(url.host, cases[i].host);
        assert_int_equal(url.host_is_ipv6, cases[i].ipv6);
        assert_int_equal(url.port, cases[i].port);
        assert_str(url.target, cases[i].target);
    }
}

static void assert_refused(struct ph_str text)
{
    struct ph_url url = {.port = 7};
    const char *reason = NULL;
    /* An exact copy on the heap, so that AddressSanitizer sees a read past the end. */
    char *copy = malloc(text.len ? text.len : 1);
    assert_non_null(copy);
    if (text.len)
        memcpy(copy, text.ptr, text.len);
    if (ph_url_parse(arena, (struct ph_str){copy, text.len}, &url, &reason) != PH_ERR_OUT_URL)
        fail_msg("accepted %.*s", (int)text.len, text.ptr);
    free(copy);
    assert_non_null(reason);
    assert_int_equal(reason[strlen(reason) - 1], '.');
    assert_int_equal(url.port, 7);
}

static void refuses_odd_spellings(void **state)
{
    (void)state;
    static const char *const texts[] = {
        /* scheme */
        "",
        "h",
        "http",
        "http:",
        "http:/",
        "http:/example.com",
        "http:example.com",
        "//example.com",
        "example.com",
        "ftp://example.com",
        "file:///etc/passwd",
        "gopher://example.com",
        "javascript://example.com",
        "https:///",
        " http://example.com",
        "\thttp://example.com",
        "ht\ntp://example.com",
        "http ://example.com",
        "httpss://a.example",
        "http:\\\\example.com",
        "ws://example.com",
        "unix://x",
        /* host */
        "http://",
        "http:///",
        "http:///path",
        "http://?x",
        "http://#x",
        "http://:80",
        "http://:",
        "http://.",
        "http://a..b",
        "http://.a",
        "http://a.",
        "http://example.com.",
        "http://exa mple.com",
        "http://exa\tmple.com",
        "http://exa%6dple.com",
        "http://example.com%00",
        "http://example.com%2f",
        "http://ex\xc3\xa4mple.com",
        "http://a\\b",
        "http://example.com\\@evil.example",
        "http://a,b",
        "http://a;b",
        "http://a*b",
        "http://(a)",
        "http://a=b",
        "http://~a",
        "http://a\x7f",
        "http://<a>",
        "http://$a",
        "http://a!b",
        "http://a+b",
        /* user information */
        "http://user@example.com",
        "http://user:pw@example.com",
        "http://@example.com",
        "http://:@example.com",
        "http://example.com@127.0.0.1",
        "http://a@b@c",
        "http://example.com:80@127.0.0.1/",
        "http://[::1]@example.com",
        "http://user%40x@example.com",
        /* port */
        "http://example.com:",
        "http://example.com:/",
        "http://example.com:0",
        "http://example.com:00",
        "http://example.com:080",
        "http://example.com:65536",
        "http://example.com:99999",
        "http://example.com:100000",
        "http://example.com:4294967376",
        "http://example.com:-1",
        "http://example.com:+1",
        "http://example.com:8 0",
        "http://example.com:http",
        "http://example.com:80:80",
        "http://example.com:8%30",
        "http://example.com:1a",
        /* IPv6 */
        "http://[",
        "http://[]",
        "http://[::1",
        "http://::1",
        "http://[::1]x",
        "http://[::1]80",
        "http://[::1]:",
        "http://[::1]:0",
        "http://[::1%lo]",
        "http://[fe80::1%25eth0]",
        "http://[1.2.3.4]",
        "http://[::g]",
        "http://[v1.a]",
        "http://[[::1]]",
        "http://a[::1]",
        "http://[:::1]",
        "http://[1:2:3:4:5:6:7:8:9]",
        "http://[::1]]",
        "http://[::1.2.3]",
        "http://[0000:0000:0000:0000:0000:0000:0000:0000:0000:0000]",
        "http://[/]",
        "http://[::1]:80:80",
        /* numbers that resolvers would take for an address */
        "http://2130706433",
        "http://0x7f000001",
        "http://0x7f.1",
        "http://127.1",
        "http://127.0.1",
        "http://0177.0.0.1",
        "http://127.0.0.01",
        "http://127.0.0.0x1",
        "http://127.0.0.256",
        "http://1.2.3.4.5",
        "http://0",
        "http://0x",
        "http://example.0x7f",
        "http://example.1",
        "http://0X7F.0.0.0X1",
        "http://00000000177.1",
        "http://256.256.256.256",
        "http://017700000001",
        /* path, query, fragment */
        "http://example.com/a b",
        "http://example.com/a\tb",
        "http://example.com/a\nb",
        "http://example.com/a\r\nX: y",
        "http://example.com/\\",
        "http://example.com/a\x01",
        "http://example.com/a\x7f",
        "http://example.com/\xc3\xa9",
        "http://example.com/\xff",
        "http://example.com/%",
        "http://example.com/%2",
        "http://example.com/%zz",
        "http://example.com/%2",
        "http://example.com/a%2",
        "http://example.com/<",
        "http://example.com/>",
        "http://example.com/\"",
        "http://example.com/`",
        "http://example.com/{a}",
        "http://example.com/a|b",
        "http://example.com/a^b",
        "http://example.com/?a[]=1",
        "http://example.com/?a b",
        "http://example.com/? HTTP/1.1",
        "http://example.com/#a#b",
        "http://example.com/#a b",
        "http://example.com/#\xff",
        "http://example.com ",
        "http://example.com/ ",
        "http://example.com\n",
    };
    for (size_t i = 0; i < COUNT_OF(texts); i++)
        assert_refused(ph_str_of(texts[i]));
    assert_refused(PH_STR_NONE);
    assert_refused(PH_STR("http://exa\0mple.com"));
    assert_refused(PH_STR("http://example.com\0"));
    assert_refused(PH_STR("http://example.com/a\0b"));
    assert_refused(PH_STR("http://[::1\0]"));
    assert_refused(PH_STR("http://127.0.0.1\0.example.com"));
    assert_refused(PH_STR("http\0://example.com"));
}

static void says_what_is_wrong(void **state)
{
    (void)state;
    static const struct {
        const char *text, *part;
    } cases[] = {
        {"ftp://example.com", "http://"},
        {"http://u:p@example.com", "user name"},
        {"http://", "no host"},
        {"http://example.com:0", "port"},
        {"http://[::1", "closing bracket"},
        {"http://[::g]", "IPv6"},
        {"http://0x7f.1", "looks like a number"},
        {"http://example.com/ x", "percent-encoded"},
        {"http://example.com/%x", "hex digits"},
        {"http://a..b", "empty"},
        {"", "is empty"},
        {"http://ex\xc3\xa4mple.com", "host name"},
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct ph_url url;
        const char *reason = "";
        assert_int_equal(ph_url_parse(arena, ph_str_of(cases[i].text), &url, &reason),
                         PH_ERR_OUT_URL);
        if (!strstr(reason, cases[i].part))
            fail_msg("%s: %s", cases[i].text, reason);
    }
}

/* prefix, then `fill` characters 'a', then suffix. */
static enum ph_err parse_filled(const char *prefix, size_t fill, const char *suffix)
{
    struct ph_buf buf;
    struct ph_url url;
    const char *reason;
    ph_buf_init(&buf, 1 << 20);
    ph_buf_add_c(&buf, prefix);
    for (size_t i = 0; i < fill; i++)
        ph_buf_add_char(&buf, 'a');
    ph_buf_add_c(&buf, suffix);
    enum ph_err err = ph_url_parse(arena, ph_buf_str(&buf), &url, &reason);
    ph_buf_free(&buf);
    return err;
}

static void lengths_are_bounded(void **state)
{
    (void)state;
    assert_int_equal(parse_filled("http://example.com/", 65536 - 19, ""), PH_OK);
    assert_int_equal(parse_filled("http://example.com/", 65536 - 19 + 1, ""), PH_ERR_OUT_URL);
    assert_int_equal(parse_filled("http://", 63, ".example"), PH_OK);
    assert_int_equal(parse_filled("http://", 64, ".example"), PH_ERR_OUT_URL);

    char label[65] = {0}, host[400];
    memset(label, 'b', 60);
    snprintf(host, sizeof(host), "http://%s.%s.%s.%s.", label, label, label, label);
    assert_int_equal(strlen(host) - 7, 244);
    assert_int_equal(parse_filled(host, 9, "/"), PH_OK);
    assert_int_equal(parse_filled(host, 10, "/"), PH_ERR_OUT_URL);
}

static void result_does_not_need_the_text(void **state)
{
    (void)state;
    char text[] = "https://Example.com/a?b";
    struct ph_url url;
    const char *reason;
    assert_int_equal(ph_url_parse(arena, ph_str_of(text), &url, &reason), PH_OK);
    memset(text, 'x', sizeof(text) - 1);
    assert_str(url.host, "example.com");
    assert_str(url.target, "/a?b");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(takes_urls_apart),
        cmocka_unit_test(refuses_odd_spellings),
        cmocka_unit_test(says_what_is_wrong),
        cmocka_unit_test(lengths_are_bounded),
        cmocka_unit_test(result_does_not_need_the_text),
    };
    return cmocka_run_group_tests_name("url", tests, setup, teardown);
}
