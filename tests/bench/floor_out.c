/*
 * Floor of delivery: one epoll thread posts the same 600 bytes over keep-alive connections and reads the answers; a child
 * process is the receiver. Nothing is signed, resolved or recorded.
 *
 *   floor_out REQUESTS CONNECTIONS
 *
 * Prints the CPU of one request: user and system time of the posting process.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#define BODY_BYTES      600
#define CONNECTIONS_MAX 1000
#define EVENTS          256

static const char answer[] =
    "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 2\r\n\r\nOK";
static char request[2048];
static size_t request_len;

static void die(const char *what)
{
    perror(what);
    exit(1);
}

static void watch(int epoll, int fd)
{
    struct epoll_event event = {.events = EPOLLIN, .data.fd = fd};
    if (epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event) != 0)
        die("epoll_ctl");
}

static void prepare(int fd)
{
    int one = 1;
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
    if (fcntl(fd, F_SETFL, O_NONBLOCK) != 0)
        die("fcntl");
}

/* ---- receiver ---- */

/* Counts bytes: every request has the same length. */
static void receive(int listener)
{
    static size_t got[CONNECTIONS_MAX * 2 + 64];
    struct epoll_event events[EVENTS];
    char buf[16384];
    int epoll = epoll_create1(0);
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    watch(epoll, listener);
    for (;;) {
        int n = epoll_wait(epoll, events, EVENTS, -1);
        for (int i = 0; i < n; i++) {
            int fd = events[i].data.fd;
            if (fd == listener) {
                if ((fd = accept(listener, NULL, NULL)) < 0)
                    continue;
                if (fd >= (int)(sizeof(got) / sizeof(got[0])))
                    die("too many connections");
                prepare(fd);
                watch(epoll, fd);
                continue;
            }
            ssize_t r = read(fd, buf, sizeof(buf));
            if (r <= 0) {
                close(fd);
                got[fd] = 0;
                continue;
            }
            for (got[fd] += (size_t)r; got[fd] >= request_len; got[fd] -= request_len)
                if (write(fd, answer, sizeof(answer) - 1) < 0)
                    die("write");
        }
    }
}

/* ---- sender ---- */

static void make_request(void)
{
    char body[BODY_BYTES + 1];
    memset(body, 'x', BODY_BYTES);
    body[BODY_BYTES] = '\0';
    int n = snprintf(request, sizeof(request),
                     "POST /e0 HTTP/1.1\r\nHost: 127.0.0.1:12345\r\nUser-Agent: posthorn/0.1.0\r\n"
                     "Content-Type: application/json\r\nContent-Length: %d\r\n"
                     "webhook-id: msg_0123456789012345678901\r\nwebhook-timestamp: 1700000000\r\n"
                     "webhook-signature: v1,%044d\r\n\r\n%s",
                     BODY_BYTES, 0, body);
    request_len = (size_t)n;
}

static int connect_to(const struct sockaddr_in *address)
{
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    if (fd < 0 || connect(fd, (const struct sockaddr *)address, sizeof(*address)) != 0)
        die("connect");
    prepare(fd);
    return fd;
}

static void post(int fd)
{
    if (send(fd, request, request_len, 0) != (ssize_t)request_len)
        die("send");
}

static void send_all(const struct sockaddr_in *address, long requests, int connections)
{
    struct epoll_event events[EVENTS];
    char buf[4096];
    int epoll = epoll_create1(0);
    long sent = 0;
    for (int i = 0; i < connections && sent < requests; i++, sent++) {
        int fd = connect_to(address);
        watch(epoll, fd);
        post(fd);
    }
    for (long answered = 0; answered < requests;) {
        int n = epoll_wait(epoll, events, EVENTS, -1);
        for (int i = 0; i < n; i++) {
            ssize_t r = recv(events[i].data.fd, buf, sizeof(buf), 0);
            if (r < 0 && errno == EAGAIN)
                continue;
            if (r != (ssize_t)sizeof(answer) - 1)
                die("recv");
            answered++;
            if (sent < requests) {
                post(events[i].data.fd);
                sent++;
            }
        }
    }
}

static double cpu_us(void)
{
    struct rusage r;
    getrusage(RUSAGE_SELF, &r);
    return (double)(r.ru_utime.tv_sec + r.ru_stime.tv_sec) * 1e6 +
           (double)(r.ru_utime.tv_usec + r.ru_stime.tv_usec);
}

int main(int argc, char **argv)
{
    long requests = argc == 3 ? strtol(argv[1], NULL, 10) : 0;
    long connections = argc == 3 ? strtol(argv[2], NULL, 10) : 0;
    if (requests < 1 || connections < 1 || connections > CONNECTIONS_MAX) {
        fprintf(stderr, "usage: floor_out REQUESTS CONNECTIONS (at most %d)\n", CONNECTIONS_MAX);
        return 2;
    }
    make_request();
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof(address);
    int listener = socket(AF_INET, SOCK_STREAM, 0);
    if (listener < 0 || bind(listener, (struct sockaddr *)&address, len) != 0 ||
        listen(listener, 1024) != 0 ||
        getsockname(listener, (struct sockaddr *)&address, &len) != 0)
        die("listen");
    pid_t child = fork();
    if (child < 0)
        die("fork");
    if (child == 0)
        receive(listener);
    close(listener);

    double before = cpu_us();
    send_all(&address, requests, (int)connections);
    printf("{\"requests\": %ld, \"cpu_us\": %.2f}\n", requests,
           (cpu_us() - before) / (double)requests);
    kill(child, SIGKILL);
    waitpid(child, NULL, 0);
    return 0;
}
