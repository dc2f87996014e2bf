#include "posthorn/guard.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/un.h>

#include <cmocka.h>

#define COUNT_OF(array) (sizeof(array) / sizeof((array)[0]))

static struct ph_guard *guard_of(const char *allow)
{
    struct ph_guard *guard;
    struct ph_buf problems;
    ph_buf_init(&problems, 4096);
    if (ph_guard_new(ph_str_of(allow), &problems, &guard) != PH_OK)
        fail_msg("refused %s: %.*s", allow, (int)problems.len, problems.ptr);
    assert_int_equal(problems.len, 0);
    ph_buf_free(&problems);
    return guard;
}

static bool allows(const struct ph_guard *guard, const char *text)
{
    struct sockaddr_in v4 = {.sin_family = AF_INET, .sin_port = htons(443)};
    struct sockaddr_in6 v6 = {.sin6_family = AF_INET6, .sin6_port = htons(443)};
    if (inet_pton(AF_INET, text, &v4.sin_addr) == 1)
        return ph_guard_allows(guard, (const struct sockaddr *)&v4);
    assert_int_equal(inet_pton(AF_INET6, text, &v6.sin6_addr), 1);
    return ph_guard_allows(guard, (const struct sockaddr *)&v6);
}

static void assert_all(const struct ph_guard *guard, bool want, const char *const *list, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (allows(guard, list[i]) != want)
            fail_msg("%s is %s", list[i], want ? "forbidden" : "allowed");
}

/* First and last address of every forbidden range. */
static const char *const forbidden_v4[] = {
    "0.0.0.0",         "0.255.255.255",   "10.0.0.0",        "10.255.255.255",  "100.64.0.0",
    "100.127.255.255", "127.0.0.0",       "127.0.0.1",       "127.255.255.255", "169.254.0.0",
    "169.254.169.254", "169.254.255.255", "172.16.0.0",      "172.31.255.255",  "192.0.0.0",
    "192.0.0.255",     "192.0.2.0",       "192.0.2.255",     "192.88.99.0",     "192.88.99.255",
    "192.168.0.0",     "192.168.255.255", "198.18.0.0",      "198.19.255.255",  "198.51.100.0",
    "198.51.100.255",  "203.0.113.0",     "203.0.113.255",   "224.0.0.0",       "239.255.255.255",
    "240.0.0.0",       "255.255.255.254", "255.255.255.255",
};
/* Their neighbours. */
static const char *const allowed_v4[] = {
    "1.0.0.0",         "9.255.255.255",   "11.0.0.0",        "100.63.255.255", "100.128.0.0",
    "126.255.255.255", "128.0.0.0",       "169.253.255.255", "169.255.0.0",    "172.15.255.255",
    "172.32.0.0",      "191.255.255.255", "192.0.1.0",       "192.0.1.255",    "192.0.3.0",
    "192.88.98.255",   "192.88.100.0",    "192.167.255.255", "192.169.0.0",    "198.17.255.255",
    "198.20.0.0",      "198.51.99.255",   "198.51.101.0",    "203.0.112.255",  "203.0.114.0",
    "223.255.255.255", "8.8.8.8",
};
static const char *const forbidden_v6[] = {
    "::",
    "::1",
    "::2",
    "::7f00:1",
    "::8.8.8.8",
    "::ffff:ffff", /* unspecified, loopback, compatible */
    "::ffff:0.0.0.0",
    "::ffff:127.0.0.1",
    "::ffff:8.8.8.8",
    "::ffff:255.255.255.255", /* mapped */
    "::ffff:0:8.8.8.8",       /* translated */
    "64:ff9b::",
    "64:ff9b::8.8.8.8",
    "64:ff9b::ffff:ffff",
    "64:ff9b:1::",
    "64:ff9b:1:ffff:ffff:ffff:ffff:ffff",
    "100::",
    "100::ffff:ffff:ffff:ffff",
    "1fff:ffff:ffff:ffff:ffff:ffff:ffff:ffff",
    "2001::",
    "2001:0:4136:e378:8000:63bf:3fff:fdd2",
    "2001:2::1",
    "2001:10::1",
    "2001:20::1",
    "2001:1ff:ffff:ffff:ffff:ffff:ffff:ffff",
    "2001:db8::",
    "2001:db8:ffff:ffff:ffff:ffff:ffff:ffff",
    "2002::",
    "2002:7f00:1::",
    "2002:808:808::1",
    "2002:ffff:ffff:ffff:ffff:ffff:ffff:ffff",
    "3fff::",
    "3fff:fff:ffff:ffff:ffff:ffff:ffff:ffff",
    "4000::",
    "5f00::",
    "5f00:ffff::1",
    "8000::1",
    "fc00::",
    "fd00:ec2::254",
    "fdff:ffff:ffff:ffff:ffff:ffff:ffff:ffff",
    "fe80::",
    "fe80::1",
    "febf:ffff:ffff:ffff:ffff:ffff:ffff:ffff",
    "fec0::",
    "feff:ffff:ffff:ffff:ffff:ffff:ffff:ffff",
    "ff00::",
    "ff02::1",
    "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff",
};
static const char *const allowed_v6[] = {
    "2000::",
    "2000:ffff:ffff:ffff:ffff:ffff:ffff:ffff",
    "2001:200::",
    "2001:db7:ffff:ffff:ffff:ffff:ffff:ffff",
    "2001:db9::",
    "2001:ffff:ffff:ffff:ffff:ffff:ffff:ffff",
    "2003::",
    "2606:4700:4700::1111",
    "3ffe:ffff:ffff:ffff:ffff:ffff:ffff:ffff",
    "3fff:1000::",
    "3fff:ffff:ffff:ffff:ffff:ffff:ffff:ffff",
};

static void judges_every_range_at_its_edges(void **state)
{
    (void)state;
    struct ph_guard *guard = guard_of("");
    assert_all(guard, false, forbidden_v4, COUNT_OF(forbidden_v4));
    assert_all(guard, true, allowed_v4, COUNT_OF(allowed_v4));
    assert_all(guard, false, forbidden_v6, COUNT_OF(forbidden_v6));
    assert_all(guard, true, allowed_v6, COUNT_OF(allowed_v6));
    ph_guard_free(guard);
    ph_guard_free(NULL);
}

static void other_families_are_forbidden(void **state)
{
    (void)state;
    struct ph_guard *guard = guard_of("0.0.0.0/0,::/0");
    struct sockaddr_un local = {.sun_family = AF_UNIX, .sun_path = "/tmp/x"};
    struct sockaddr_storage none = {.ss_family = AF_UNSPEC};
    assert_false(ph_guard_allows(guard, (const struct sockaddr *)&local));
    assert_false(ph_guard_allows(guard, (const struct sockaddr *)&none));
    none.ss_family = AF_PACKET;
    assert_false(ph_guard_allows(guard, (const struct sockaddr *)&none));
    ph_guard_free(guard);
}

static void port_and_scope_do_not_matter(void **state)
{
    (void)state;
    struct ph_guard *guard = guard_of("");
    struct sockaddr_in v4 = {
        .sin_family = AF_INET, .sin_port = 0, .sin_addr.s_addr = htonl(0x08080808)};
    struct sockaddr_in6 v6 = {.sin6_family = AF_INET6, .sin6_scope_id = 2};
    assert_true(ph_guard_allows(guard, (const struct sockaddr *)&v4));
    assert_int_equal(inet_pton(AF_INET6, "fe80::1", &v6.sin6_addr), 1);
    assert_false(ph_guard_allows(guard, (const struct sockaddr *)&v6));
    ph_guard_free(guard);
}

static void allow_list_opens_ranges_and_nothing_else(void **state)
{
    (void)state;
    static const char *const open[] = {
        "10.1.0.0", "10.1.255.255",         "127.0.0.1",      "fd00::",          "fdff::1",
        "::1",      "172.16.128.1",         "172.16.255.255", "::ffff:10.1.2.3", "::ffff:127.0.0.1",
        "8.8.8.8",  "2606:4700:4700::1111",
    };
    static const char *const closed[] = {
        "10.0.255.255",
        "10.2.0.0",
        "127.0.0.0",
        "127.0.0.2",
        "fc00::1",
        "fe00::1",
        "::",
        "::2",
        "172.16.127.255",
        "172.17.0.0",
        "::ffff:10.2.0.0",
        "::ffff:8.8.8.8",
        "::ffff:127.0.0.2",
        "::10.1.2.3",
        "64:ff9b::10.1.2.3",
        "2002:a01:203::1",
    };
    struct ph_guard *guard = guard_of(" 10.1.0.0/16 ,127.0.0.1,\tfd00::/8, ::1,172.16.128.0/17 ");
    assert_all(guard, true, open, COUNT_OF(open));
    assert_all(guard, false, closed, COUNT_OF(closed));
    ph_guard_free(guard);
}

static void widest_ranges_open_their_family_only(void **state)
{
    (void)state;
    struct ph_guard *v4 = guard_of("0.0.0.0/0"), *v6 = guard_of("::/0");
    assert_all(v4, true, forbidden_v4, COUNT_OF(forbidden_v4));
    assert_false(allows(v4, "::1"));
    assert_true(allows(v4, "::ffff:127.0.0.1"));
    assert_true(allows(v6, "::1"));
    assert_true(allows(v6, "fe80::1"));
    assert_false(allows(v6, "127.0.0.1"));
    assert_false(allows(v6, "::ffff:127.0.0.1"));
    ph_guard_free(v4);
    ph_guard_free(v6);
}

static void names_what_is_wrong_in_the_allow_list(void **state)
{
    (void)state;
    static const char *const wrong[] = {
        "x",           "10.0.0.0/",           "10.0.0.0/33",
        "10.0.0.0/-1", "10.0.0.0/8/8",        "10.0.0.0/ 8",
        "10.0.0/8",    "010.0.0.0/8",         "10.1.2.3/16",
        "10.0.0.0/0",  "fd00::/129",          "fd00::1/8",
        "fd00::/8x",   "::ffff:10.0.0.0/104", "::ffff:10.0.0.1",
        "localhost",   "10.0.0.0/08000",      "/8",
        "[::1]",       "fe80::1%lo",          "::1:2:3:4:5:6:7:8:9",
        "1.2.3.4.5",   "0x7f.0.0.1",          "10.0.0.0/4294967304",
    };
    for (size_t i = 0; i < COUNT_OF(wrong); i++) {
        struct ph_guard *guard = NULL;
        struct ph_buf problems;
        ph_buf_init(&problems, 4096);
        char list[64], quoted[64];
        snprintf(list, sizeof(list), "192.168.0.0/24, %s,fd00::/8", wrong[i]);
        snprintf(quoted, sizeof(quoted), "\"%s\"", wrong[i]);
        if (ph_guard_new(ph_str_of(list), &problems, &guard) != PH_ERR_CONFIG)
            fail_msg("accepted %s", wrong[i]);
        assert_null(guard);
        ph_buf_add_char(&problems, '\0');
        if (!strstr(problems.ptr, quoted))
            fail_msg("%s is not named in: %s", wrong[i], problems.ptr);
        assert_null(strstr(problems.ptr, "192.168"));
        ph_buf_free(&problems);
    }
}

static void empty_parts_are_refused(void **state)
{
    (void)state;
    static const char *const wrong[] = {",", "10.0.0.0/8,", ",10.0.0.0/8", "10.0.0.0/8,,fd00::/8"};
    for (size_t i = 0; i < COUNT_OF(wrong); i++) {
        struct ph_guard *guard = NULL;
        struct ph_buf problems;
        ph_buf_init(&problems, 4096);
        assert_int_equal(ph_guard_new(ph_str_of(wrong[i]), &problems, &guard), PH_ERR_CONFIG);
        assert_true(problems.len > 0);
        ph_buf_free(&problems);
    }
    ph_guard_free(guard_of("  "));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(judges_every_range_at_its_edges),
        cmocka_unit_test(other_families_are_forbidden),
        cmocka_unit_test(port_and_scope_do_not_matter),
        cmocka_unit_test(allow_list_opens_ranges_and_nothing_else),
        cmocka_unit_test(widest_ranges_open_their_family_only),
        cmocka_unit_test(names_what_is_wrong_in_the_allow_list),
        cmocka_unit_test(empty_parts_are_refused),
    };
    return cmocka_run_group_tests_name("guard", tests, NULL, NULL);
}
