#include "posthorn/mail_message.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static void addresses(void **state)
{
    static const char *const good[] = {"a@b", "first.last+tag@mail.example", "o'brien@x-y.example",
                                       "#!$%&'*+-/=?^_`{|}~@a.b"};
    static const char *const bad[] = {
        "",      "a",      "@b",       "a@",      "a@b@c",         "a b@c",
        "a@b c", "<a@b>",  "a@-b",     "a@b-",    "a@b..c",        "a@b.",
        ".a@b",  "a.@b",   "a..b@c",   "\"a\"@b", "a@[127.0.0.1]", "a@b\r\nBcc: c@d",
        "a\n@b", "a@b\n",  "jürgen@b", "a@bü.c",  "a,b@c",         "a@b,c@d",
        "a@b>",  "(x)a@b", "a@b;c",    "a\t@b",
    };
    char longest[PH_MAIL_ADDRESS_MAX + 2];
    (void)state;

    for (size_t i = 0; i < sizeof good / sizeof *good; i++)
        if (!ph_mail_address_ok(ph_str_of(good[i])))
            fail_msg("%s", good[i]);
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        if (ph_mail_address_ok(ph_str_of(bad[i])))
            fail_msg("%s", bad[i]);
    assert_false(ph_mail_address_ok(PH_STR_NONE));
    memset(longest, 'a', sizeof longest);
    longest[1] = '@';
    for (size_t i = 40; i < sizeof longest; i += 40)
        longest[i] = '.';
    assert_true(ph_mail_address_ok((struct ph_str){longest, PH_MAIL_ADDRESS_MAX}));
    assert_false(ph_mail_address_ok((struct ph_str){longest, PH_MAIL_ADDRESS_MAX + 1}));
}

static void mailboxes(void **state)
{
    struct ph_mailbox box;
    (void)state;

    assert_int_equal(ph_mailbox_parse(PH_STR(" a@b "), &box), PH_OK);
    assert_true(ph_str_eq_c(box.address, "a@b") && !box.name.len);
    assert_int_equal(ph_mailbox_parse(PH_STR("Jürgen <a@b>"), &box), PH_OK);
    assert_true(ph_str_eq_c(box.address, "a@b") && ph_str_eq_c(box.name, "Jürgen"));
    assert_int_equal(ph_mailbox_parse(PH_STR("<a@b>"), &box), PH_OK);
    assert_int_equal(ph_mailbox_parse(PH_STR("a <b>"), &box), PH_ERR_CONFIG);
    assert_int_equal(ph_mailbox_parse(PH_STR("a <b@c"), &box), PH_ERR_CONFIG);
    assert_int_equal(ph_mailbox_parse(PH_STR(">"), &box), PH_ERR_CONFIG);
    assert_int_equal(ph_mailbox_parse(PH_STR("\xff <a@b>"), &box), PH_ERR_CONFIG);
    assert_int_equal(ph_mailbox_parse(PH_STR(""), &box), PH_ERR_CONFIG);
}

static const char *written(const char *name, const char *subject, const char *text)
{
    static char out[32768];
    struct ph_mail_message mail = {
        .id = PH_STR("0123"),
        .from = {ph_str_of(name), PH_STR("from@mail.example")},
        .to = {PH_STR_NONE, PH_STR("to@example.com")},
        .subject = ph_str_of(subject),
        .text = ph_str_of(text),
        .wall_ms = INT64_C(1764045296789),
    };
    struct ph_buf buf;

    ph_buf_init(&buf, sizeof out - 1);
    ph_mail_message_write(&mail, &buf);
    assert_false(buf.overflow);
    memcpy(out, buf.ptr, buf.len);
    out[buf.len] = '\0';
    ph_buf_free(&buf);
    return out;
}

static void a_plain_mail(void **state)
{
    (void)state;
    assert_string_equal(written("Posthorn", "Good news", "Hello,\n\nall = well. \nBye\n"),
                        "From: Posthorn\r\n <from@mail.example>\r\n"
                        "To: <to@example.com>\r\n"
                        "Subject: Good news\r\n"
                        "Date: Tue, 25 Nov 2025 04:34:56 +0000\r\n"
                        "Message-ID: <0123@mail.example>\r\n"
                        "Auto-Submitted: auto-generated\r\n"
                        "MIME-Version: 1.0\r\n"
                        "Content-Type: text/plain; charset=utf-8\r\n"
                        "Content-Transfer-Encoding: quoted-printable\r\n"
                        "\r\n"
                        "Hello,\r\n\r\nall =3D well.=20\r\nBye\r\n");
}

/* Base64 by Python's base64 module. */
static void what_is_not_plain_is_encoded(void **state)
{
    (void)state;
    assert_non_null(strstr(written("a, b", "x", ""), "From: =?utf-8?B?YSwgYg==?=\r\n <"));
    assert_non_null(strstr(written("a", "Grüße", ""), "Subject: =?utf-8?B?R3LDvMOfZQ==?=\r\n"));
    assert_non_null(strstr(written("a", "=?utf-8?B?YQ==?=", ""), "Subject: =?utf-8?B?PT91"));
    assert_non_null(strstr(written("a", "see =?utf-8?B?YQ==?=", ""), "Subject: =?utf-8?B?c2Vl"));
    assert_non_null(
        strstr(written("a", "x\r\nBcc: y", ""), "Subject: =?utf-8?B?eCAgQmNjOiB5?=\r\n"));
    assert_non_null(strstr(written("a\nb", "x", ""), "From: =?utf-8?B?YSBi?=\r\n <"));
    /* 38 bytes, then a character of two that would be cut by the end of the first word */
    assert_non_null(
        strstr(written("a", "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaüb", ""),
               "Subject: =?utf-8?B?YWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWE=?=\r\n"
               " =?utf-8?B?w7xi?=\r\n"));
}

static void no_line_is_too_long(void **state)
{
    char text[2000];
    const char *line, *end;
    (void)state;

    for (size_t i = 0; i < sizeof text; i++)
        text[i] = i % 7 ? 'x' : i % 3 ? '=' : ' ';
    text[sizeof text - 1] = '\0';
    for (line = written(text, text, text); (end = strstr(line, "\r\n")); line = end + 2)
        if (end - line > 76)
            fail_msg("%.*s", (int)(end - line), line);
    assert_string_equal(line, "");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(addresses),           cmocka_unit_test(mailboxes),
        cmocka_unit_test(a_plain_mail),        cmocka_unit_test(what_is_not_plain_is_encoded),
        cmocka_unit_test(no_line_is_too_long),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
