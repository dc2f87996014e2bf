#include "api/openapi.h"

#include "api/routes.h"

#include <pthread.h>
#include <sodium.h>

#define HASH_BYTES 16

static char etag[2 + 2 * HASH_BYTES + 1]; /* with its quotes */
static pthread_once_t etag_once = PTHREAD_ONCE_INIT;

static void make_etag(void)
{
    unsigned char hash[HASH_BYTES];

    crypto_generichash(hash, sizeof hash, (const unsigned char *)ph_openapi_json,
                       ph_openapi_json_bytes, NULL, 0);
    sodium_bin2hex(etag + 1, 2 * HASH_BYTES + 1, hash, sizeof hash);
    etag[0] = etag[sizeof etag - 2] = '"';
    etag[sizeof etag - 1] = '\0';
}

void ph_api_openapi(struct ph_call *call)
{
    pthread_once(&etag_once, make_etag);
    ph_request_set_header(call->req, "etag", etag);
    ph_request_set_header(call->req, "cache-control", "no-cache");
    if (ph_knows_etag(call, etag))
        ph_answer_empty(call, 304);
    else
        ph_request_answer(call->req, 200, "application/json",
                          (struct ph_str){ph_openapi_json, ph_openapi_json_bytes});
}
