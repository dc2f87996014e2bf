#include "posthorn/mail_message.h"

#include <string.h>
#include <time.h>

#define LOCAL_MAX 64
#define LABEL_MAX 63
/* Of text in an encoded word: a line of 76 has its frame and "Subject: " too. */
#define WORD_BYTES 39
#define LINE_MAX   75 /* of the body, without the '=' that breaks a line */

static bool is_alnum(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
}

/* ---- addresses ---- */

static bool dot_atom(struct ph_str s)
{
    char before = '.';

    for (size_t i = 0; i < s.len; before = s.ptr[i++])
        if (s.ptr[i] == '.' ? before == '.'
                            : !is_alnum(s.ptr[i]) && !memchr("!#$%&'*+-/=?^_`{|}~", s.ptr[i], 19))
            return false;
    return before != '.';
}

static bool domain_ok(struct ph_str rest)
{
    struct ph_str label;

    while (ph_str_split(&rest, '.', &label)) {
        if (label.len == 0 || label.len > LABEL_MAX || label.ptr[0] == '-' ||
            label.ptr[label.len - 1] == '-')
            return false;
        for (size_t i = 0; i < label.len; i++)
            if (!is_alnum(label.ptr[i]) && label.ptr[i] != '-')
                return false;
    }
    return true;
}

bool ph_mail_address_ok(struct ph_str address)
{
    const char *at = address.len ? memchr(address.ptr, '@', address.len) : NULL;
    size_t local = at ? (size_t)(at - address.ptr) : 0;

    return local > 0 && local <= LOCAL_MAX && address.len <= PH_MAIL_ADDRESS_MAX &&
           dot_atom((struct ph_str){address.ptr, local}) &&
           domain_ok((struct ph_str){at + 1, address.len - local - 1});
}

enum ph_err ph_mailbox_parse(struct ph_str text, struct ph_mailbox *out)
{
    const char *open;

    text = ph_str_trim(text);
    *out = (struct ph_mailbox){PH_STR_NONE, text};
    open = text.len ? memchr(text.ptr, '<', text.len) : NULL;
    if (open && text.ptr[text.len - 1] == '>') {
        out->name = ph_str_trim((struct ph_str){text.ptr, (size_t)(open - text.ptr)});
        out->address = (struct ph_str){open + 1, text.len - (size_t)(open - text.ptr) - 2};
    }
    return ph_mail_address_ok(out->address) && (!out->name.len || ph_str_is_text(out->name))
               ? PH_OK
               : PH_ERR_CONFIG;
}

/* ---- headers ---- */

/* Whether it may stay as it is; `phrase`: as a name, in which more needs quotes. */
static bool is_plain(struct ph_str s, bool phrase)
{
    for (size_t i = 0; i < s.len; i++)
        if (phrase ? !is_alnum(s.ptr[i]) && s.ptr[i] != ' ' : s.ptr[i] < 0x20 || s.ptr[i] > 0x7e)
            return false;
    return s.len <= WORD_BYTES && !memmem(s.ptr, s.len, "=?", 2);
}

/* Bytes of the next encoded word: whole characters. */
static size_t word_len(struct ph_str s)
{
    size_t n = s.len < WORD_BYTES ? s.len : WORD_BYTES;

    while (n > 1 && n < s.len && ((unsigned char)s.ptr[n] & 0xc0) == 0x80)
        n--;
    return n;
}

static void add_text(struct ph_buf *out, struct ph_str s, bool phrase)
{
    char word[WORD_BYTES], coded[PH_BASE64_LEN(WORD_BYTES) + 1];

    if (is_plain(s, phrase)) {
        ph_buf_add_str(out, s);
        return;
    }
    for (size_t n; s.len; s.ptr += n, s.len -= n) {
        n = word_len(s);
        for (size_t i = 0; i < n; i++)
            word[i] = (unsigned char)s.ptr[i] < 0x20 || s.ptr[i] == 0x7f ? ' ' : s.ptr[i];
        ph_base64_encode(word, n, coded);
        ph_buf_printf(out, "=?utf-8?B?%s?=%s", coded, n < s.len ? "\r\n " : "");
    }
}

static void add_mailbox(struct ph_buf *out, const char *header, const struct ph_mailbox *box)
{
    ph_buf_printf(out, "%s: ", header);
    if (box->name.len) {
        add_text(out, box->name, true);
        ph_buf_add_c(out, "\r\n ");
    }
    ph_buf_printf(out, "<%.*s>\r\n", (int)box->address.len, box->address.ptr);
}

static void add_date(struct ph_buf *out, int64_t wall_ms)
{
    time_t seconds = (time_t)(wall_ms / 1000);
    struct tm tm;
    char text[64];

    gmtime_r(&seconds, &tm);
    strftime(text, sizeof text, "%a, %d %b %Y %H:%M:%S +0000", &tm);
    ph_buf_printf(out, "Date: %s\r\n", text);
}

/* ---- body ---- */

/* Quoted-printable (RFC 2045). */
static void add_body(struct ph_buf *out, struct ph_str text)
{
    size_t column = 0;

    for (size_t i = 0; i < text.len; i++) {
        unsigned char c = (unsigned char)text.ptr[i];
        bool at_end = i + 1 == text.len || text.ptr[i + 1] == '\n';
        bool literal = (c > 0x20 && c < 0x7f && c != '=') || (c == ' ' && !at_end);
        size_t width = literal ? 1 : 3;
        if (c == '\n') {
            ph_buf_add_c(out, "\r\n");
            column = 0;
            continue;
        }
        if (column + width > LINE_MAX) {
            ph_buf_add_c(out, "=\r\n");
            column = 0;
        }
        if (literal)
            ph_buf_add_char(out, (char)c);
        else
            ph_buf_printf(out, "=%02X", c);
        column += width;
    }
    if (column)
        ph_buf_add_c(out, "\r\n");
}

void ph_mail_message_write(const struct ph_mail_message *mail, struct ph_buf *out)
{
    struct ph_str address = mail->from.address;
    const char *at = memchr(address.ptr, '@', address.len);

    add_mailbox(out, "From", &mail->from);
    add_mailbox(out, "To", &mail->to);
    ph_buf_add_c(out, "Subject: ");
    add_text(out, mail->subject, false);
    ph_buf_add_c(out, "\r\n");
    add_date(out, mail->wall_ms);
    ph_buf_printf(out, "Message-ID: <%.*s%.*s>\r\n", (int)mail->id.len, mail->id.ptr,
                  (int)(address.ptr + address.len - at), at);
    ph_buf_add_c(out, "Auto-Submitted: auto-generated\r\n"
                      "MIME-Version: 1.0\r\n"
                      "Content-Type: text/plain; charset=utf-8\r\n"
                      "Content-Transfer-Encoding: quoted-printable\r\n"
                      "\r\n");
    add_body(out, mail->text);
}
