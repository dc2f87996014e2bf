#include "posthorn/mail_text.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static char subject[PH_MAIL_SUBJECT_MAX + 1], text[PH_MAIL_TEXT_MAX + 1];

static void keep(struct ph_buf *buf, char *out)
{
    memcpy(out, buf->ptr, buf->len);
    out[buf->len] = '\0';
    ph_buf_free(buf);
}

static void write_text(const char *url, const char *about_text)
{
    json_t *about = json_loads(about_text, 0, NULL);
    struct ph_buf s, t;

    assert_non_null(about);
    ph_buf_init(&s, PH_MAIL_SUBJECT_MAX);
    ph_buf_init(&t, PH_MAIL_TEXT_MAX);
    ph_mail_text_write(PH_MAIL_ENDPOINT_DISABLED, url, about, PH_STR("phx_secret"), &s, &t);
    keep(&s, subject);
    keep(&t, text);
    json_decref(about);
}

static void places_are_filled(void **state)
{
    (void)state;
    write_text("https://hooks.example//",
               "{\"tenant\": \"Acme Inc.\", \"endpoints\": [\"a\", \"b\"]}");
    assert_string_equal(subject, "Acme Inc.: endpoints were disabled");
    assert_non_null(strstr(text, "endpoints of Acme Inc. were"));
    assert_non_null(strstr(text, "\n\n  a\n  b\n\n"));
    assert_non_null(strstr(text, "\nhttps://hooks.example/dashboard#token=phx_secret\n"));
    write_text("https://hooks.example", "{\"tenant\": 5}");
    assert_string_equal(subject, ": endpoints were disabled");
}

static void foreign_text_stays_in_its_place(void **state)
{
    char xs[PH_MAIL_WORD_MAX] = "", about[PH_MAIL_WORD_MAX + 64];
    (void)state;

    write_text("https://hooks.example",
               "{\"tenant\": \"a\\r\\nb\\u007f{link} www.evil.example/x\"}");
    assert_string_equal(subject,
                        "a  b {link} www\u2024evil\u2024example/x: endpoints were disabled");
    memset(xs, 'x', PH_MAIL_WORD_MAX - 1);
    snprintf(about, sizeof about, "{\"tenant\": \"%s\u00fc\u00fc\"}", xs);
    write_text("https://hooks.example", about);
    assert_int_equal(strspn(subject, "x"), PH_MAIL_WORD_MAX - 1);
    assert_string_equal(subject + PH_MAIL_WORD_MAX - 1, "\u2026: endpoints were disabled");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(places_are_filled),
        cmocka_unit_test(foreign_text_stays_in_its_place),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
