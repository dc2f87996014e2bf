/*
 * REST interface: from a request to a handler and back. routes.def is the one table of operations.
 *
 * A handler runs on the request's thread, reads typed input, starts one store or deliver function, and returns; the
 * callback of that function writes the answer. Everything it needs lives in call->req->arena.
 */
#ifndef POSTHORN_API_H
#define POSTHORN_API_H

#include "posthorn/credential.h"
#include "posthorn/db.h"
#include "posthorn/http_server.h"
#include "posthorn/id.h"
#include "posthorn/json.h"
#include "posthorn/store.h"

#include <jansson.h>

struct ph_node;   /* what all threads share: node.h */
struct ph_ingest; /* this thread's ingest: ingest.h */
struct ph_auth;
struct ph_trial_hub;
struct ph_tail_hub;
struct ph_inbox_hub;
struct ph_once; /* a request with an Idempotency-Key: api/once.h */
struct ph_once_table;
struct ph_portal_pages; /* api/portal_page.h */

/* What one http thread has; made on that thread. */
struct ph_api {
    struct ph_node *node;
    struct ph_loop *loop;
    struct ph_db *db;        /* role posthorn_api */
    struct ph_db *engine_db; /* role posthorn_engine: authentication, and what writes deliveries */
    struct ph_db *changes;   /* for transactions of several statements */
    struct ph_auth *auth;
    struct ph_ingest *ingest;
    struct ph_trial_hub *trials;
    struct ph_tail_hub *tails;
    struct ph_inbox_hub *inboxes;
    struct ph_once_table *once;
    struct ph_portal_pages *portal_pages;
    bool stopping; /* its databases are about to go */
};

#define PH_PATH_PARAMS_MAX 4

struct ph_call {
    struct ph_request *req;
    struct ph_api *api;
    const struct ph_route *route;
    struct ph_id tenant; /* who is asking; set unless the route is public */
    struct ph_identity identity;
    struct ph_id api_key; /* the credential */
    struct ph_str
        params[PH_PATH_PARAMS_MAX]; /* path parameters in order, percent-decoded, in the arena */
    struct ph_once *once;           /* how it is answered; NULL: plainly */
    void *data;                     /* the handler's own */
    json_t *body;                   /* what ph_body_object has read, in the arena; NULL: nothing */
    /* Set by a handler, for when it is committed: it made deliveries, which are looked for; it ended credentials of the tenant,
     * which this node forgets. */
    bool wakes_dispatcher, ends_credentials;
    bool
        is_operational; /* about operational endpoints: those of the tenant's internal application */
};

/* What a request costs, and how it is repeated: api/once.h. */
enum ph_route_class {
    PH_CLASS_PUBLIC,
    PH_CLASS_READ,
    PH_CLASS_WRITE,
    PH_CLASS_SLOW,
    PH_CLASS_SEND
};

/*
 * Who may use a route. Keys of a tenant: read those of READ and APP_READ, send those of SEND, all every one. A token that is
 * good for one application: those of APP_READ and, unless it only reads, of APP_WRITE, when the path names this application
 * or none. What is about the credential itself is SELF. OPERATOR is for the operator's token, which is good for nothing else.
 */
enum ph_route_scope {
    PH_SCOPE_PUBLIC,
    PH_SCOPE_SELF,
    PH_SCOPE_READ,
    PH_SCOPE_WRITE,
    PH_SCOPE_SEND,
    PH_SCOPE_APP_READ,
    PH_SCOPE_APP_WRITE,
    PH_SCOPE_OPERATOR,
};

struct ph_route {
    const char *method;
    const char *path; /* "/api/v1/app/{app_id}" */
    void (*handler)(struct ph_call *call);
    enum ph_route_scope scope;
    const char *rate_class;
    const char *summary;
};

/* All routes; ends with a row whose method is NULL. */
extern const struct ph_route ph_routes[];

/* Of a row of ph_routes. */
enum ph_route_class ph_route_class(const struct ph_route *route);
/* Whether its requests may change something, other than by sending a message. */
bool ph_route_changes(const struct ph_route *route);
/* Its name in the OpenAPI document without the version: "endpoint.create". "": the document does not have it. */
const char *ph_route_operation(const struct ph_route *route);

/* on_request of the server: finds the route, authenticates, calls the handler; answers 404, 405 and 401 itself. */
void ph_api_on_request(struct ph_request *request);

/* takes_big_body of the server: whether it is a batch of messages. Any thread. */
bool ph_api_takes_big_body(struct ph_str method, struct ph_str path);

/* Makes and frees the thread's api object (on_thread_start and on_thread_stop of the server). */
struct ph_api *ph_api_new(struct ph_loop *loop, struct ph_node *node, int thread_index);
void ph_api_free(struct ph_api *api);

/* The credential when it is good for one application only; else zero. */
struct ph_id ph_call_viewer(const struct ph_call *call);

/* ---- input ---- */

/* The address of who asks, as text in the arena: forwarded.h. Absent: the client has gone. */
struct ph_str ph_call_address(struct ph_call *call);

/* Percent-decodes into the arena ('+' is a space in a query); gives s itself when there is nothing to decode. False: a '%'
 * without two hex digits, or the result is not text. */
bool ph_percent_decode(struct ph_arena *arena, struct ph_str s, bool query, struct ph_str *out);

/* Value of a query parameter, percent-decoded into the arena; absent without. First one wins. */
struct ph_str ph_query(struct ph_call *call, const char *name);
#define PH_QUERY_LIST_MAX 64
/* Values of a list parameter: name=a,b, name=a&name=b, name[]=a; without empty ones. Returns how many there are; *out has
 * no more than the first PH_QUERY_LIST_MAX of them. */
size_t ph_query_list(struct ph_call *call, const char *name, struct ph_str **out);
/* true or false; false: answered 400, it is something else. */
bool ph_query_bool(struct ph_call *call, const char *name, bool def, bool *out);

/* Whether the request's If-None-Match names this tag, which has its quotes. */
bool ph_knows_etag(struct ph_call *call, const char *etag);

/*
 * Field faults of one request: gathered, then answered together as 422 {"detail":[{"loc":["body","field"],"msg","type"}]}.
 * Zero it first. The first 100 are told.
 */
struct ph_faults {
    json_t *list; /* owned by the request's arena */
};
/* where: "body", "query" or "path". field NULL: the whole of it. */
void ph_fault(struct ph_call *call, struct ph_faults *faults, const char *where, const char *field,
              const char *msg, const char *type);
/* The same for a place inside of the field: `pointer` is a JSON pointer from there, whose parts become parts of the loc. */
void ph_fault_at(struct ph_call *call, struct ph_faults *faults, const char *where,
                 const char *field, const char *pointer, const char *msg, const char *type);
/* {"detail":[…]}; there have to be faults. */
void ph_faults_write(struct ph_json_writer *w, const struct ph_faults *faults);
/* True when there were faults: the request has been answered 422. */
bool ph_faults_answer(struct ph_call *call, struct ph_faults *faults);

/* The body as a JSON object (jansson, owned by the arena). NULL: answered (422 malformed JSON or not an object). */
json_t *ph_body_object(struct ph_call *call);

/* Typed members of an object; each adds a fault and returns the default when the type or bounds are wrong. A member that
 * is absent gives the default without a fault unless `required`. *present (may be NULL): the member is there, null included.
 * null is a fault unless said otherwise. Strings live as long as `obj`, that is, as the arena. */
/* max_chars 0: no limit. null reads as absent unless `required`. */
struct ph_str ph_field_str(struct ph_call *call, struct ph_faults *f, json_t *obj, const char *name,
                           bool required, size_t min_chars, size_t max_chars, bool *present);
bool ph_field_bool(struct ph_call *call, struct ph_faults *f, json_t *obj, const char *name,
                   bool def, bool *present);
/* null is allowed and reads as -1 */
int64_t ph_field_int(struct ph_call *call, struct ph_faults *f, json_t *obj, const char *name,
                     int64_t min, int64_t max, bool *present);
/* Array of names in the alphabet of event types and channels; null allowed. Returns the count, *out NULL when absent or null. */
size_t ph_field_names(struct ph_call *call, struct ph_faults *f, json_t *obj, const char *name,
                      size_t max_items, size_t max_chars, struct ph_str **out, bool *present);
/* uid: 1 to 256 of [a-zA-Z0-9-_.], not beginning with the kind's own prefix; null allowed (absent). */
struct ph_str ph_field_uid(struct ph_call *call, struct ph_faults *f, json_t *obj, const char *name,
                           enum ph_id_kind kind, bool *present);
/* map<string> as JSON text in the arena; "{}" by default. */
struct ph_str ph_field_metadata(struct ph_call *call, struct ph_faults *f, json_t *obj,
                                const char *name, bool *present);
/* Whether a name has only [a-zA-Z0-9-_.] and 1 to max_chars characters. */
bool ph_name_ok(struct ph_str name, size_t max_chars);
/* Whether it may be the uid of such an object. */
bool ph_uid_ok(struct ph_str uid, enum ph_id_kind kind);

/* List parameters: limit (default 50, 1 to 250; over: 422; not a number: 400), iterator, order. False: answered. */
struct ph_page {
    int64_t limit;
    bool backwards;         /* iterator began with '-' */
    struct ph_str iterator; /* without the '-'; absent at the start */
    bool descending;        /* the list's own order */
};
bool ph_page_read(struct ph_call *call, bool descending_by_default, struct ph_page *page);
/* The same for a list ordered by id, whose iterator is an id of this kind. */
bool ph_page_read_ids(struct ph_call *call, bool descending_by_default, enum ph_id_kind kind,
                      struct ph_list *list);
/* The same, newest first, from the members limit and iterator of a body. */
void ph_page_read_body(struct ph_call *call, struct ph_faults *faults, json_t *body,
                       enum ph_id_kind kind, struct ph_list *list);

/* ---- output ---- */

/* A writer on a buffer of the request's arena, with room for `max_bytes`. */
struct ph_json_writer *ph_answer_writer(struct ph_call *call, size_t max_bytes);
/* Answers and gives the call up. body: JSON in the arena, or whatever else content_type says of a GET. */
void ph_answer(struct ph_call *call, int status, const char *content_type, struct ph_str body);
/* Answers with what the writer has; overflow answers 500. */
void ph_answer_json(struct ph_call *call, int status, struct ph_json_writer *w);
void ph_answer_empty(struct ph_call *call, int status);
/* {"code","detail"}; detail NULL: the error's own text. */
void ph_error_write(struct ph_json_writer *w, enum ph_err err, const char *detail);
/* The same as an answer with the error's status; detail NULL: the error's own text. A 503 carries Retry-After. */
void ph_answer_error(struct ph_call *call, enum ph_err err, const char *detail);

/* Begins a list envelope: object, key "data", array. */
void ph_answer_page_begin(struct ph_json_writer *w);
/*
 * Ends a list envelope. The handler calls ph_answer_page_begin, writes the items, then calls this, which closes the
 * array, writes iterator, prevIterator and done, and answers 200. first and last: wire id (or name) of the first and last
 * item, absent when the list is empty.
 */
void ph_answer_page(struct ph_call *call, struct ph_json_writer *w, struct ph_str first,
                    struct ph_str last, bool done);
/* The same with ids of this kind; first and last NULL when the list is empty. */
void ph_answer_page_ids(struct ph_call *call, struct ph_json_writer *w, enum ph_id_kind kind,
                        const struct ph_id *first, const struct ph_id *last, bool done);
/* The same for a page that ended as `end` says. */
void ph_answer_page_end(struct ph_call *call, struct ph_json_writer *w, enum ph_id_kind kind,
                        const struct ph_id *first, const struct ph_id *last,
                        const struct ph_list_end *end);

#endif
