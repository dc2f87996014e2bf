/*
 * A scripted receiver of requests on loopback for tests of the outbound client: one thread that accepts, and one for each
 * connection that plays the script. Plain, or TLS when it has a context.
 */
#ifndef POSTHORN_TESTS_RECEIVER_H
#define POSTHORN_TESTS_RECEIVER_H

#include <arpa/inet.h>
#include <assert.h>
#include <netinet/in.h>
#include <openssl/ssl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define RECEIVER_CONNECTIONS_MAX 2048

struct receiver;

struct peer {
    struct receiver *receiver;
    int fd;
    SSL *ssl;
    int index; /* of the connection, from 0 */
    pthread_t thread;
    char head[2048]; /* of the request that was read last, NUL-terminated */
    size_t body_bytes;
    uint32_t body_sum;
};

struct receiver {
    void (*script)(struct peer *peer); /* the connection is closed when it returns */
    const char *answer;                /* for the script */
    SSL_CTX *tls;
    int fd;
    uint16_t port;
    pthread_t thread;
    atomic_int connections, requests, resumed, bad;
    struct peer *peers[RECEIVER_CONNECTIONS_MAX];
};

static inline uint32_t sum_add(uint32_t sum, const char *bytes, size_t n)
{
    for (size_t i = 0; i < n; i++)
        sum = sum * 31 + (unsigned char)bytes[i];
    return sum;
}

static inline ssize_t peer_read(struct peer *p, void *to, size_t n)
{
    return p->ssl != NULL ? SSL_read(p->ssl, to, (int)n) : recv(p->fd, to, n, 0);
}

static inline bool peer_write(struct peer *p, const char *from, size_t n)
{
    while (n > 0) {
        ssize_t w =
            p->ssl != NULL ? SSL_write(p->ssl, from, (int)n) : send(p->fd, from, n, MSG_NOSIGNAL);
        if (w <= 0)
            return false;
        from += w;
        n -= (size_t)w;
    }
    return true;
}

static inline bool peer_say(struct peer *p, const char *text)
{
    return peer_write(p, text, strlen(text));
}

/* Reads the head only, byte by byte so that nothing of the body is taken. False at the end. */
static inline bool peer_read_head(struct peer *p)
{
    size_t n = 0;
    while (n < sizeof(p->head) - 1) {
        if (peer_read(p, p->head + n, 1) != 1)
            return false;
        p->head[++n] = '\0';
        if (n >= 4 && memcmp(p->head + n - 4, "\r\n\r\n", 4) == 0)
            return true;
    }
    return false;
}

/* Reads one whole request. False at the end. */
static inline bool peer_read_request(struct peer *p)
{
    char piece[16384];
    if (!peer_read_head(p))
        return false;
    const char *length = strstr(p->head, "Content-Length: ");
    size_t left = length != NULL ? strtoul(length + 16, NULL, 10) : 0;
    p->body_bytes = left;
    p->body_sum = 0;
    while (left > 0) {
        ssize_t n = peer_read(p, piece, left < sizeof(piece) ? left : sizeof(piece));
        if (n <= 0)
            return false;
        p->body_sum = sum_add(p->body_sum, piece, (size_t)n);
        left -= (size_t)n;
    }
    atomic_fetch_add(&p->receiver->requests, 1);
    return true;
}

static inline void peer_wait_for_end(struct peer *p)
{
    char piece[4096];
    while (peer_read(p, piece, sizeof(piece)) > 0)
        continue;
}

/* Closing sends a reset instead of an end. */
static inline void peer_reset_on_close(struct peer *p)
{
    struct linger now = {.l_onoff = 1, .l_linger = 0};
    setsockopt(p->fd, SOL_SOCKET, SO_LINGER, &now, sizeof(now));
}

static inline void *peer_main(void *arg)
{
    struct peer *p = arg;
    bool ok = true;
    if (p->receiver->tls != NULL) {
        p->ssl = SSL_new(p->receiver->tls);
        ok = SSL_set_fd(p->ssl, p->fd) == 1 && SSL_accept(p->ssl) == 1;
        if (ok && SSL_session_reused(p->ssl))
            atomic_fetch_add(&p->receiver->resumed, 1);
    }
    if (ok)
        p->receiver->script(p);
    if (p->ssl != NULL) {
        SSL_shutdown(p->ssl);
        SSL_free(p->ssl);
    }
    close(p->fd);
    return NULL;
}

static inline void *receiver_main(void *arg)
{
    struct receiver *r = arg;
    for (;;) {
        int fd = accept(r->fd, NULL, NULL);
        if (fd < 0)
            return NULL;
        int index = atomic_load(&r->connections);
        if (index == RECEIVER_CONNECTIONS_MAX) {
            close(fd);
            continue;
        }
        struct peer *p = calloc(1, sizeof(*p));
        assert(p != NULL);
        p->receiver = r;
        p->fd = fd;
        p->index = index;
        r->peers[index] = p;
        atomic_fetch_add(&r->connections, 1);
        int rc = pthread_create(&p->thread, NULL, peer_main, p);
        assert(rc == 0);
        (void)rc;
    }
}

static inline int listen_on_loopback(uint16_t *port)
{
    struct sockaddr_in addr = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof(addr);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    int rc = fd < 0 ? -1 : bind(fd, (struct sockaddr *)&addr, len);
    if (rc == 0)
        rc = listen(fd, 512);
    if (rc == 0)
        rc = getsockname(fd, (struct sockaddr *)&addr, &len);
    if (rc != 0) {
        perror("receiver");
        abort();
    }
    *port = ntohs(addr.sin_port);
    return fd;
}

static inline struct receiver *receiver_start(void (*script)(struct peer *), const char *answer,
                                              SSL_CTX *tls)
{
    struct receiver *r = calloc(1, sizeof(*r));
    assert(r != NULL);
    r->script = script;
    r->answer = answer;
    r->tls = tls;
    r->fd = listen_on_loopback(&r->port);
    int rc = pthread_create(&r->thread, NULL, receiver_main, r);
    assert(rc == 0);
    (void)rc;
    return r;
}

/* The client's connections have to be closed before: scripts end with them. */
static inline void receiver_stop(struct receiver *r)
{
    shutdown(r->fd, SHUT_RDWR);
    pthread_join(r->thread, NULL);
    close(r->fd);
    for (int i = 0; i < atomic_load(&r->connections); i++) {
        pthread_join(r->peers[i]->thread, NULL);
        free(r->peers[i]);
    }
    free(r);
}

/* Scripts that many tests need */

/* Answers every request with `answer`. */
static inline void script_answer(struct peer *p)
{
    while (peer_read_request(p)) {
        if (!peer_say(p, p->receiver->answer))
            return;
    }
}

/* Answers one request and closes. */
static inline void script_answer_and_close(struct peer *p)
{
    if (peer_read_request(p))
        peer_say(p, p->receiver->answer);
}

/* Reads and never answers. */
static inline void script_silence(struct peer *p)
{
    peer_wait_for_end(p);
}

#endif
