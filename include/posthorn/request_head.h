/*
 * The head of a delivery's request, as couriers send it and as the interface shows it afterwards. Pure; every line ends with
 * CR LF. Between _begin and _body goes the line of an access token, behind them go those of the signature (sign_profile.h).
 */
#ifndef POSTHORN_REQUEST_HEAD_H
#define POSTHORN_REQUEST_HEAD_H

#include "posthorn/guard.h"
#include "posthorn/sign_profile.h"

/* The request line, and what is the same for every attempt. header_lines: custom headers as "Name: value\r\n"…; those that
 * the signature has, or an access token, are left out. */
void ph_request_head_begin(struct ph_buf *head, const struct ph_url *url,
                           const struct ph_sign_style *style, struct ph_str header_lines,
                           bool has_token);
/* What the body is. */
void ph_request_head_body(struct ph_buf *head, struct ph_str content_type, size_t body_bytes);

#endif
