#include "posthorn/request_head.h"

#define USER_AGENT "Posthorn/1.0"

static bool names_accept(struct ph_str header_lines)
{
    const struct ph_str name = PH_STR("accept:");
    struct ph_str line;

    while (ph_str_split(&header_lines, '\n', &line))
        if (line.len >= name.len && ph_str_ieq((struct ph_str){line.ptr, name.len}, name))
            return true;
    return false;
}

/* Each header comes once. */
static void add_custom_lines(struct ph_buf *head, const struct ph_sign_style *style,
                             struct ph_str header_lines, bool has_token)
{
    struct ph_str line, value, name;

    while (ph_str_split(&header_lines, '\n', &line)) {
        value = line;
        if (line.len == 0 || !ph_str_split(&value, ':', &name) ||
            ph_sign_style_sends(style, name) ||
            (has_token && ph_str_ieq(name, PH_STR("authorization"))))
            continue;
        ph_buf_add_str(head, line);
        ph_buf_add_char(head, '\n');
    }
}

void ph_request_head_begin(struct ph_buf *head, const struct ph_url *url,
                           const struct ph_sign_style *style, struct ph_str header_lines,
                           bool has_token)
{
    bool default_port = url->port == (url->tls ? 443 : 80);

    ph_buf_add_c(head, "POST ");
    ph_buf_add_str(head, url->target);
    ph_buf_add_c(head, url->host_is_ipv6 ? " HTTP/1.1\r\nHost: [" : " HTTP/1.1\r\nHost: ");
    ph_buf_add_str(head, url->host);
    if (url->host_is_ipv6)
        ph_buf_add_char(head, ']');
    if (!default_port)
        ph_buf_printf(head, ":%u", url->port);
    ph_buf_add_c(head, "\r\nUser-Agent: " USER_AGENT);
    if (!names_accept(header_lines))
        ph_buf_add_c(head, "\r\nAccept: */*");
    ph_buf_add_c(head, "\r\n");
    add_custom_lines(head, style, header_lines, has_token);
}

void ph_request_head_body(struct ph_buf *head, struct ph_str content_type, size_t body_bytes)
{
    ph_buf_add_c(head, "Content-Type: ");
    ph_buf_add_str(head, content_type);
    ph_buf_add_c(head, "\r\nContent-Length: ");
    ph_buf_add_i64(head, (int64_t)body_bytes);
    ph_buf_add_c(head, "\r\n");
}
