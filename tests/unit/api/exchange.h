/* Runs one handler behind a real server: what it reads came over a socket, and its answer went back over it. */
#ifndef POSTHORN_TEST_EXCHANGE_H
#define POSTHORN_TEST_EXCHANGE_H

#include "posthorn/api.h"

#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

static void (*exchange_handler)(struct ph_call *call);
static char exchange_answer[65536];

static void exchange_on_request(struct ph_request *request)
{
    struct ph_call *call = ph_arena_new_of(request->arena, struct ph_call);

    call->req = request;
    exchange_handler(call);
}

/* Sends the request to the handler; exchange_answer is what came back. Returns the status. */
static int exchange(void (*handler)(struct ph_call *call), const char *query, const char *body)
{
    struct ph_http_server_options options = {.listen = "127.0.0.1:0",
                                             .threads = 1,
                                             .max_connections = 2,
                                             .idle_timeout_ms = 5000,
                                             .body_bytes = 32768,
                                             .on_request = exchange_on_request};
    struct sockaddr_in sin = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    struct ph_http_server *server;
    struct ph_buf text;
    size_t len = 0;
    ssize_t got;
    int fd;

    exchange_handler = handler;
    ph_buf_init(&text, 65536);
    assert_int_equal(ph_http_server_start(&options, &text, &server), PH_OK);
    sin.sin_port =
        htons((uint16_t)strtol(strrchr(ph_http_server_address(server), ':') + 1, NULL, 10));
    fd = socket(AF_INET, SOCK_STREAM, 0);
    assert_int_equal(connect(fd, (struct sockaddr *)&sin, sizeof(sin)), 0);
    ph_buf_printf(
        &text,
        "POST /x%s HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: %zu\r\n\r\n%s",
        query, strlen(body), body);
    assert_int_equal(send(fd, text.ptr, text.len, MSG_NOSIGNAL), (ssize_t)text.len);
    while ((got = recv(fd, exchange_answer + len, sizeof(exchange_answer) - 1 - len, 0)) > 0)
        len += (size_t)got;
    exchange_answer[len] = '\0';
    close(fd);
    ph_http_server_stop(server, 1000);
    ph_buf_free(&text);
    assert_int_equal(strncmp(exchange_answer, "HTTP/1.1 ", 9), 0);
    return (int)strtol(exchange_answer + 9, NULL, 10);
}

/* The body of the last answer. */
static const char *exchange_body(void)
{
    const char *end = strstr(exchange_answer, "\r\n\r\n");

    assert_non_null(end);
    return end + 4;
}

#endif
