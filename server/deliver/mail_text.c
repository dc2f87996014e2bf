#include "posthorn/mail_text.h"

#include <string.h>

#define LINES_MAX 100

struct form {
    const char *path, *subject, *text;
};

static const struct form forms[] = {
#define PH_MAIL(name, kind, path, subject, text) {path, subject, text},
#include "posthorn/mail.def"
#undef PH_MAIL
};

struct writing {
    const char *url, *path;
    const json_t *about;
    struct ph_str token;
    struct ph_buf *out;
};

static bool is_alnum(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
}

/* A dot inside of a word becomes one that looks the same and makes no domain. */
static void add_foreign(struct ph_buf *out, const char *s, size_t len)
{
    size_t n = len < PH_MAIL_WORD_MAX ? len : PH_MAIL_WORD_MAX;

    while (n > 0 && n < len && ((unsigned char)s[n] & 0xc0) == 0x80)
        n--;
    for (size_t i = 0; i < n; i++) {
        if ((unsigned char)s[i] < 0x20 || s[i] == 0x7f)
            ph_buf_add_char(out, ' ');
        else if (s[i] == '.' && i && i + 1 < n && is_alnum(s[i - 1]) && is_alnum(s[i + 1]))
            ph_buf_add_c(out, "\u2024");
        else
            ph_buf_add_char(out, s[i]);
    }
    if (n < len)
        ph_buf_add_c(out, "\u2026");
}

static void add_value(struct ph_buf *out, const json_t *value)
{
    const json_t *line;
    size_t i;

    if (json_is_string(value)) {
        add_foreign(out, json_string_value(value), json_string_length(value));
        return;
    }
    json_array_foreach(value, i, line)
    {
        if (i == LINES_MAX || !json_is_string(line))
            return;
        ph_buf_add_c(out, i ? "\n  " : "  ");
        add_foreign(out, json_string_value(line), json_string_length(line));
    }
}

static void add_link(const struct writing *w)
{
    size_t len = strlen(w->url);

    while (len && w->url[len - 1] == '/')
        len--;
    ph_buf_printf(w->out, "%.*s%s", (int)len, w->url, w->path);
    if (w->token.ptr)
        ph_buf_printf(w->out, "#token=%.*s", (int)w->token.len, w->token.ptr);
}

static void add_named(const struct writing *w, struct ph_str name)
{
    char key[32];

    if (ph_str_eq_c(name, "link")) {
        add_link(w);
    } else if (name.len < sizeof key) {
        memcpy(key, name.ptr, name.len);
        key[name.len] = '\0';
        add_value(w->out, json_object_get(w->about, key));
    }
}

static void fill(const struct writing *w, const char *form)
{
    for (const char *open, *close; *form; form = close + 1) {
        open = strchr(form, '{');
        close = open ? strchr(open, '}') : NULL;
        if (!close) {
            ph_buf_add_c(w->out, form);
            return;
        }
        ph_buf_add(w->out, form, (size_t)(open - form));
        add_named(w, (struct ph_str){open + 1, (size_t)(close - open) - 1});
    }
}

void ph_mail_text_write(enum ph_mail_kind kind, const char *url, const json_t *about,
                        struct ph_str token, struct ph_buf *subject, struct ph_buf *text)
{
    const struct form *form = &forms[kind];
    struct writing w = {url, form->path, about, token, subject};

    fill(&w, form->subject);
    w.out = text;
    fill(&w, form->text);
}
