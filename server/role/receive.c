#include "posthorn/receive.h"

#include "posthorn/clock.h"
#include "posthorn/file.h"
#include "posthorn/http_server.h"
#include "posthorn/json.h"
#include "posthorn/role.h"

#include <errno.h>
#include <getopt.h>
#include <signal.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define BODY_BYTES   (64 << 20)
#define OUT_BYTES    ((size_t)256 << 20)
#define STOP_MS      2000
#define DELAY_MS_MAX 3600000

static const char usage[] =
    "usage: posthorn receive [options]\n"
    "\n"
    "A small receiver to try things out with: prints what arrives and checks its signature.\n"
    "\n"
    "  --listen ADDR:PORT   where to listen (127.0.0.1:8090)\n"
    "  --secret whsec_...   an endpoint's secret, to check signatures; may be repeated. What is\n"
    "                       not signed with one of them, or more than 5 minutes off, is\n"
    "                       answered 401\n"
    "  --status N           answer to everything else (200)\n"
    "  --delay-ms N         wait before each answer\n"
    "  --fail-percent N     answer so many of a hundred with 500, by chance\n"
    "  --json               one JSON object a line, with body_base64\n"
    "  --ready-file FILE    write {\"url\"} there once it listens\n"
    "  --help               show this\n";

/* ---- options ---- */

static bool read_number(const char *argv0, const char *name, const char *text, int64_t min,
                        int64_t max, int64_t *out)
{
    if (ph_str_to_i64(ph_str_of(text), out) == PH_OK && *out >= min && *out <= max)
        return true;
    fprintf(stderr, "%s: --%s is a number from %lld to %lld, not \"%s\"\n", argv0, name,
            (long long)min, (long long)max, text);
    return false;
}

static bool add_secret(const char *argv0, const char *text, struct ph_receive_options *options)
{
    if (options->n_secrets == PH_RECEIVE_SECRETS_MAX) {
        fprintf(stderr, "%s: at most %d secrets\n", argv0, PH_RECEIVE_SECRETS_MAX);
        return false;
    }
    if (ph_secret_parse(ph_str_of(text), &options->secrets[options->n_secrets]) != PH_OK) {
        fprintf(stderr, "%s: --secret is whsec_ and base64 of %d to %d bytes, or whsk_ and a key\n",
                argv0, PH_SECRET_BYTES_MIN, PH_SECRET_BYTES_MAX);
        return false;
    }
    options->n_secrets++;
    return true;
}

int ph_receive_parse(int argc, char **argv, struct ph_receive_options *out)
{
    enum { LISTEN = 256, SECRET, STATUS, DELAY, FAIL, JSON, READY, HELP };
    static const struct option known[] = {
        {"listen", required_argument, NULL, LISTEN},
        {"secret", required_argument, NULL, SECRET},
        {"status", required_argument, NULL, STATUS},
        {"delay-ms", required_argument, NULL, DELAY},
        {"fail-percent", required_argument, NULL, FAIL},
        {"json", no_argument, NULL, JSON},
        {"ready-file", required_argument, NULL, READY},
        {"help", no_argument, NULL, HELP},
        {NULL, 0, NULL, 0},
    };
    struct ph_receive_options options = {.listen = "127.0.0.1:8090", .status = 200};
    int64_t status = options.status;
    int c;
    optind = 0;
    while ((c = getopt_long(argc, argv, "", known, NULL)) != -1) {
        bool ok = true;
        switch (c) {
        case LISTEN:
            options.listen = optarg;
            break;
        case SECRET:
            ok = add_secret(argv[0], optarg, &options);
            break;
        case STATUS:
            ok = read_number(argv[0], "status", optarg, 200, 599, &status);
            break;
        case DELAY:
            ok = read_number(argv[0], "delay-ms", optarg, 0, DELAY_MS_MAX, &options.delay_ms);
            break;
        case FAIL:
            ok = read_number(argv[0], "fail-percent", optarg, 0, 100, &options.fail_percent);
            break;
        case JSON:
            options.json = true;
            break;
        case READY:
            options.ready_file = optarg;
            break;
        case HELP:
            fputs(usage, stdout);
            return PH_EXIT_OK;
        default:
            ok = false;
        }
        if (!ok)
            return PH_EXIT_USAGE;
    }
    if (optind < argc) {
        fprintf(stderr, "%s: unexpected argument \"%s\"\n", argv[0], argv[optind]);
        return PH_EXIT_USAGE;
    }
    options.status = (int)status;
    *out = options;
    return -1;
}

/* ---- the server's thread ---- */

struct waiting;

/* Belongs to the server's one thread, but for the options. */
struct receiver {
    const struct ph_receive_options *options;
    struct ph_signer *signers[PH_RECEIVE_SECRETS_MAX];
    struct ph_buf out;
    struct waiting *waiting; /* doubly linked */
    bool stopping;
    struct ph_task stop;
};

/* An answer that is held back. In the request's arena. */
struct waiting {
    struct receiver *receiver;
    struct ph_request *request;
    int status;
    struct ph_timer timer;
    struct waiting *next, **link;
};

static void answer(struct ph_request *request, int status)
{
    ph_request_answer(request, status, NULL, PH_STR(""));
}

static void answer_waiting(struct waiting *w)
{
    *w->link = w->next;
    if (w->next != NULL)
        w->next->link = w->link;
    answer(w->request, w->status);
}

static void on_delay_over(struct ph_timer *timer)
{
    answer_waiting(ph_container_of(timer, struct waiting, timer));
}

static void hold_back(struct receiver *r, struct ph_request *request, int status)
{
    struct waiting *w = ph_arena_new_of(request->arena, struct waiting);
    w->receiver = r;
    w->request = request;
    w->status = status;
    w->timer.on_timer = on_delay_over;
    w->next = r->waiting;
    w->link = &r->waiting;
    if (w->next != NULL)
        w->next->link = &w->next;
    r->waiting = w;
    ph_timer_set(request->loop, &w->timer,
                 ph_loop_now_ms(request->loop) + (uint64_t)r->options->delay_ms);
}

static void on_stop(struct ph_task *task)
{
    struct receiver *r = ph_container_of(task, struct receiver, stop);
    r->stopping = true;
    while (r->waiting != NULL) {
        ph_timer_clear(r->waiting->request->loop, &r->waiting->timer);
        answer_waiting(r->waiting);
    }
}

static void print_event(struct receiver *r, const struct ph_receive_event *event)
{
    ph_buf_clear(&r->out);
    if (r->options->json)
        ph_receive_write_json(event, &r->out);
    else
        ph_receive_write_text(event, &r->out);
    /* nobody reads any more: there is no reason to go on */
    if (ph_file_write_fd(STDOUT_FILENO, ph_buf_str(&r->out)) != PH_OK)
        kill(getpid(), SIGTERM);
}

static void on_request(struct ph_request *request)
{
    struct receiver *r = request->thread;
    struct ph_receive_event event = {
        .at_ms = ph_clock_wall_ms(),
        .method = request->method,
        .path = request->path,
        .query = request->query,
        .body = request->body,
        .webhook_id = ph_request_header(request, "webhook-id"),
        .webhook_timestamp = ph_request_header(request, "webhook-timestamp"),
        .webhook_signature = ph_request_header(request, "webhook-signature"),
        .content_type = ph_request_header(request, "content-type"),
        .user_agent = ph_request_header(request, "user-agent"),
    };
    event.verdict = ph_receive_verify(r->signers, r->options->n_secrets, &event);
    event.status = r->options->status;
    if (ph_receive_refused(event.verdict))
        event.status = 401;
    else if (randombytes_uniform(100) < (uint32_t)r->options->fail_percent)
        event.status = 500;
    print_event(r, &event);
    if (r->options->delay_ms > 0 && !r->stopping)
        hold_back(r, request, event.status);
    else
        answer(request, event.status);
}

static void *on_thread_start(struct ph_loop *loop, int index, void *ctx)
{
    (void)loop;
    (void)index;
    return ctx;
}

static void on_thread_stop(void *thread)
{
    (void)thread;
}

/* ---- main thread ---- */

static bool write_ready(const char *path, const char *url)
{
    struct ph_buf buf;
    struct ph_json_writer w;
    ph_buf_init(&buf, 1024);
    ph_jw_init(&w, &buf);
    ph_jw_object_begin(&w);
    ph_jw_key(&w, "url");
    ph_jw_cstr(&w, url);
    ph_jw_object_end(&w);
    ph_buf_add_char(&buf, '\n');
    enum ph_err err = ph_file_replace(path, ph_buf_str(&buf), 0644);
    ph_buf_free(&buf);
    if (err != PH_OK)
        fprintf(stderr, "posthorn receive: %s: %s\n", path, strerror(errno));
    return err == PH_OK;
}

static int run(struct receiver *r)
{
    const struct ph_receive_options *options = r->options;
    struct ph_http_server_options server_options = {
        .listen = options->listen,
        .threads = 1,
        .max_connections = 10000,
        .idle_timeout_ms = 75000,
        .body_bytes = BODY_BYTES,
        .on_thread_start = on_thread_start,
        .on_thread_stop = on_thread_stop,
        .on_request = on_request,
        .ctx = r,
    };
    struct ph_http_server *server;
    struct ph_buf problems;
    sigset_t stop_signals;
    int signal_number;
    int code = PH_EXIT_FAILURE;

    signal(SIGPIPE, SIG_IGN);
    sigemptyset(&stop_signals);
    sigaddset(&stop_signals, SIGINT);
    sigaddset(&stop_signals, SIGTERM);
    pthread_sigmask(SIG_BLOCK, &stop_signals, NULL);

    ph_buf_init(&problems, 4096);
    if (ph_http_server_start(&server_options, &problems, &server) != PH_OK) {
        struct ph_str text = ph_str_trim(ph_buf_str(&problems));
        fprintf(stderr, "posthorn receive: %.*s\n", (int)text.len, text.ptr);
        goto out;
    }
    char url[128];
    snprintf(url, sizeof(url), "http://%s/", ph_http_server_address(server));
    fprintf(options->json ? stderr : stdout, "Receiving on %s%s\n\n", url,
            options->n_secrets == 0 ? " (signatures are not checked: no --secret given)" : "");
    fflush(stdout);
    if (options->ready_file == NULL || write_ready(options->ready_file, url)) {
        sigwait(&stop_signals, &signal_number);
        code = PH_EXIT_OK;
    }
    ph_loop_post(ph_http_server_loop(server, 0), &r->stop);
    ph_http_server_stop(server, STOP_MS);
out:
    ph_buf_free(&problems);
    return code;
}

int ph_role_receive(int argc, char **argv)
{
    struct ph_receive_options options;
    int code = ph_receive_parse(argc, argv, &options);
    if (code >= 0)
        return code;
    struct receiver receiver = {.options = &options, .stop.run = on_stop};
    for (size_t i = 0; i < options.n_secrets; i++)
        receiver.signers[i] = ph_signer_new(&options.secrets[i]);
    ph_buf_init(&receiver.out, OUT_BYTES);
    code = run(&receiver);
    ph_buf_free(&receiver.out);
    for (size_t i = 0; i < options.n_secrets; i++) {
        ph_signer_free(receiver.signers[i]);
        ph_secret_wipe(&options.secrets[i]);
    }
    return code;
}
