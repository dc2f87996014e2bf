#include "posthorn/forwarded.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static struct sockaddr_storage peer_of(const char *text)
{
    struct sockaddr_storage peer = {0};
    struct sockaddr_in *v4 = (struct sockaddr_in *)&peer;
    struct sockaddr_in6 *v6 = (struct sockaddr_in6 *)&peer;

    if (inet_pton(AF_INET, text, &v4->sin_addr) == 1)
        peer.ss_family = AF_INET;
    else if (inet_pton(AF_INET6, text, &v6->sin6_addr) == 1)
        peer.ss_family = AF_INET6;
    return peer;
}

static const char *client(const char *trusted, const char *peer, struct ph_str header)
{
    static char out[PH_ADDRESS_MAX];
    struct sockaddr_storage from = peer_of(peer);
    struct ph_forwarded *forwarded;
    struct ph_buf problems;

    ph_buf_init(&problems, 256);
    assert_int_equal(ph_forwarded_new(ph_str_of(trusted), &problems, &forwarded), PH_OK);
    ph_forwarded_client(forwarded, (struct sockaddr *)&from, header, out);
    ph_forwarded_free(forwarded);
    ph_buf_free(&problems);
    return out;
}

#define CLIENT(trusted, peer, header) client(trusted, peer, ph_str_of(header))

static void nobody_is_trusted_unless_named(void **state)
{
    (void)state;
    assert_string_equal(CLIENT("", "192.0.2.1", "203.0.113.9"), "192.0.2.1");
    assert_string_equal(CLIENT("10.0.0.0/8", "192.0.2.1", "203.0.113.9"), "192.0.2.1");
    assert_string_equal(CLIENT("", "2001:db8::1", "203.0.113.9"), "2001:db8::1");
    assert_string_equal(CLIENT("0.0.0.0/0", "2001:db8::1", "203.0.113.9"), "2001:db8::1");
}

static void what_a_trusted_proxy_wrote_counts(void **state)
{
    (void)state;
    assert_string_equal(CLIENT("10.0.0.0/8", "10.1.1.1", "203.0.113.9"), "203.0.113.9");
    assert_string_equal(CLIENT("10.0.0.0/8", "10.1.1.1", "2001:DB8::7"), "2001:db8::7");
    assert_string_equal(CLIENT("fd00::/8", "fd00::1", "203.0.113.9"), "203.0.113.9");
    assert_string_equal(CLIENT("10.0.0.0/8", "::ffff:10.1.1.1", "::ffff:203.0.113.9"),
                        "203.0.113.9");
    assert_string_equal(CLIENT("10.0.0.0/8", "10.1.1.1", "203.0.113.9:4711"), "203.0.113.9");
    assert_string_equal(CLIENT("10.0.0.0/8", "10.1.1.1", "[2001:db8::7]:443"), "2001:db8::7");
    assert_string_equal(CLIENT("10.0.0.0/8", "10.1.1.1", "[2001:db8::7]"), "2001:db8::7");
    assert_string_equal(client("10.0.0.0/8", "10.1.1.1", PH_STR_NONE), "10.1.1.1");
}

static void what_the_client_wrote_itself_does_not_count(void **state)
{
    (void)state;
    assert_string_equal(CLIENT("10.0.0.0/8", "10.1.1.1", "1.2.3.4, 203.0.113.9"), "203.0.113.9");
    assert_string_equal(CLIENT("10.0.0.0/8", "10.1.1.1", "1.2.3.4, 203.0.113.9,10.2.2.2"),
                        "203.0.113.9");
    assert_string_equal(CLIENT("10.0.0.0/8", "10.1.1.1", "10.9.9.9,10.2.2.2"), "10.9.9.9");
}

static void what_is_no_address_ends_the_way_back(void **state)
{
    static const char *const wrong[] = {
        "",          "unknown",
        "203.0.113", "[x]",
        "1.2.3.4, ", "1.2.3.4, x",
        "::g",       "1.2.3.4,11111111111111111111111111111111111111111111111"};
    (void)state;
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++)
        assert_string_equal(CLIENT("10.0.0.0/8", "10.1.1.1", wrong[i]), "10.1.1.1");
    assert_string_equal(client("10.0.0.0/8", "10.1.1.1", (struct ph_str){"1.2.3.4\0", 8}),
                        "10.1.1.1");
}

static void wrong_ranges_are_named(void **state)
{
    struct ph_forwarded *forwarded;
    struct ph_buf problems;
    (void)state;

    ph_buf_init(&problems, 256);
    assert_int_equal(ph_forwarded_new(PH_STR("10.0.0.0/8, 10.0.0.1/8"), &problems, &forwarded),
                     PH_ERR_CONFIG);
    ph_buf_add_char(&problems, '\0');
    assert_non_null(strstr(problems.ptr, "10.0.0.1/8"));
    assert_null(forwarded);
    ph_buf_free(&problems);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nobody_is_trusted_unless_named),
        cmocka_unit_test(what_a_trusted_proxy_wrote_counts),
        cmocka_unit_test(what_the_client_wrote_itself_does_not_count),
        cmocka_unit_test(what_is_no_address_ends_the_way_back),
        cmocka_unit_test(wrong_ranges_are_named),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
