#include "posthorn/smtp.h"

#include "posthorn/arena.h"
#include "posthorn/mail_message.h"

#include <curl/curl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#define CONNECT_MS 10000
/* Replies from 500 on say that it is no use to try again. */
#define NEVER 500

struct ph_smtp {
    struct ph_smtp_options options;
    CURL *curl;         /* NULL: at rest */
    struct ph_str rest; /* of the message that is being sent */
    bool addressed;     /* the recipient has been named to the server */
    char error[CURL_ERROR_SIZE];
};

static char *url_part(CURLU *url, CURLUPart part)
{
    char *text = NULL;

    return curl_url_get(url, part, &text, 0) == CURLUE_OK ? text : NULL;
}

static bool is_absent(CURLU *url, CURLUPart part)
{
    char *text = url_part(url, part);
    bool absent = !text;

    curl_free(text);
    return absent;
}

bool ph_smtp_url_ok(const char *text)
{
    CURLU *url = curl_url();
    bool ok = curl_url_set(url, CURLUPART_URL, text, 0) == CURLUE_OK;
    char *scheme = ok ? url_part(url, CURLUPART_SCHEME) : NULL;

    ok = scheme && (strcmp(scheme, "smtp") == 0 || strcmp(scheme, "smtps") == 0) &&
         is_absent(url, CURLUPART_USER) && is_absent(url, CURLUPART_QUERY) &&
         is_absent(url, CURLUPART_FRAGMENT);
    curl_free(scheme);
    curl_url_cleanup(url);
    return ok;
}

struct ph_smtp *ph_smtp_new(const struct ph_smtp_options *options)
{
    struct ph_smtp *smtp = ph_calloc(1, sizeof *smtp);

    smtp->options = *options;
    return smtp;
}

/* libcurl says QUIT and waits for the answer, for which a server that hangs is no company. */
static void drop(struct ph_smtp *smtp)
{
    curl_socket_t fd = CURL_SOCKET_BAD;

    if (curl_easy_getinfo(smtp->curl, CURLINFO_ACTIVESOCKET, &fd) == CURLE_OK &&
        fd != CURL_SOCKET_BAD)
        shutdown(fd, SHUT_RDWR);
    curl_easy_cleanup(smtp->curl);
    smtp->curl = NULL;
}

void ph_smtp_rest(struct ph_smtp *smtp)
{
    if (smtp->curl && atomic_load(smtp->options.stop))
        drop(smtp);
    curl_easy_cleanup(smtp->curl);
    smtp->curl = NULL;
}

void ph_smtp_free(struct ph_smtp *smtp)
{
    ph_smtp_rest(smtp);
    free(smtp);
}

static size_t read_message(char *to, size_t size, size_t n, void *ctx)
{
    struct ph_smtp *smtp = ctx;
    size_t bytes = size * n < smtp->rest.len ? size * n : smtp->rest.len;

    memcpy(to, smtp->rest.ptr, bytes);
    smtp->rest.ptr += bytes;
    smtp->rest.len -= bytes;
    return bytes;
}

static size_t ignore(char *from, size_t size, size_t n, void *ctx)
{
    (void)from;
    (void)ctx;
    return size * n;
}

/* What is refused before is about us and our settings, from here on about this mail. */
static int watch(CURL *curl, curl_infotype type, char *data, size_t bytes, void *ctx)
{
    struct ph_smtp *smtp = ctx;

    (void)curl;
    if (type == CURLINFO_HEADER_OUT && bytes > 8 && memcmp(data, "RCPT TO:", 8) == 0)
        smtp->addressed = true;
    return 0;
}

static int go_on(void *ctx, curl_off_t a, curl_off_t b, curl_off_t c, curl_off_t d)
{
    const struct ph_smtp *smtp = ctx;

    (void)a, (void)b, (void)c, (void)d;
    return atomic_load(smtp->options.stop);
}

static void open_handle(struct ph_smtp *smtp)
{
    const struct ph_smtp_options *o = &smtp->options;
    CURL *curl = smtp->curl = curl_easy_init();

    curl_easy_setopt(curl, CURLOPT_URL, o->url);
    curl_easy_setopt(curl, CURLOPT_PROTOCOLS_STR, "smtp,smtps");
    curl_easy_setopt(curl, CURLOPT_PROXY, ""); /* whatever the environment says */
    curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(curl, CURLOPT_USE_SSL, (long)(o->needs_tls ? CURLUSESSL_ALL : CURLUSESSL_TRY));
    curl_easy_setopt(curl, CURLOPT_CAPATH, NULL); /* else its files are read for every connection */
    if (*o->ca_file)
        curl_easy_setopt(curl, CURLOPT_CAINFO, o->ca_file);
    if (*o->user) {
        curl_easy_setopt(curl, CURLOPT_USERNAME, o->user);
        curl_easy_setopt(curl, CURLOPT_PASSWORD, o->password);
    }
    curl_easy_setopt(curl, CURLOPT_CONNECTTIMEOUT_MS, (long)CONNECT_MS);
    curl_easy_setopt(curl, CURLOPT_TIMEOUT_MS, (long)o->timeout_ms);
    curl_easy_setopt(curl, CURLOPT_SERVER_RESPONSE_TIMEOUT, (long)(o->timeout_ms / 1000 + 1));
    curl_easy_setopt(curl, CURLOPT_ERRORBUFFER, smtp->error);
    curl_easy_setopt(curl, CURLOPT_UPLOAD, 1L);
    curl_easy_setopt(curl, CURLOPT_READFUNCTION, read_message);
    curl_easy_setopt(curl, CURLOPT_READDATA, smtp);
    curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, ignore);
    curl_easy_setopt(curl, CURLOPT_VERBOSE, 1L);
    curl_easy_setopt(curl, CURLOPT_DEBUGFUNCTION, watch);
    curl_easy_setopt(curl, CURLOPT_DEBUGDATA, smtp);
    curl_easy_setopt(curl, CURLOPT_NOPROGRESS, 0L);
    curl_easy_setopt(curl, CURLOPT_XFERINFOFUNCTION, go_on);
    curl_easy_setopt(curl, CURLOPT_XFERINFODATA, smtp);
}

static enum ph_smtp_outcome judge(struct ph_smtp *smtp, CURLcode code,
                                  char reason[PH_SMTP_REASON_MAX])
{
    long reply = 0;

    if (code == CURLE_OK)
        return PH_SMTP_SENT;
    snprintf(reason, PH_SMTP_REASON_MAX, "%s",
             *smtp->error ? smtp->error : curl_easy_strerror(code));
    if (code == CURLE_ABORTED_BY_CALLBACK)
        return PH_SMTP_STOPPED;
    curl_easy_getinfo(smtp->curl, CURLINFO_RESPONSE_CODE, &reply);
    return smtp->addressed && reply >= NEVER ? PH_SMTP_REFUSED : PH_SMTP_FAILED;
}

enum ph_smtp_outcome ph_smtp_send(struct ph_smtp *smtp, struct ph_str from, struct ph_str to,
                                  struct ph_str message, char reason[PH_SMTP_REASON_MAX])
{
    char address[PH_MAIL_ADDRESS_MAX + 1];
    struct curl_slist *recipients;
    enum ph_smtp_outcome outcome;

    if (!smtp->curl)
        open_handle(smtp);
    smtp->rest = message;
    smtp->addressed = false;
    *smtp->error = '\0';
    snprintf(address, sizeof address, "%.*s", (int)from.len, from.ptr);
    curl_easy_setopt(smtp->curl, CURLOPT_MAIL_FROM, address);
    snprintf(address, sizeof address, "%.*s", (int)to.len, to.ptr);
    recipients = curl_slist_append(NULL, address);
    curl_easy_setopt(smtp->curl, CURLOPT_MAIL_RCPT, recipients);
    outcome = judge(smtp, curl_easy_perform(smtp->curl), reason);
    curl_easy_setopt(smtp->curl, CURLOPT_MAIL_RCPT, NULL);
    curl_slist_free_all(recipients);
    if (outcome != PH_SMTP_SENT)
        drop(smtp);
    return outcome;
}
