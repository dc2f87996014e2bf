/*
 * What the files of the courier share.
 *
 * A delivery is on exactly one list: the queue of its target, under way in an attempt, or among the jobs of an outcome
 * batch. A target is in the courier's map for as long as it has any of them, and a while longer.
 */
#ifndef POSTHORN_DELIVER_COURIER_INTERNAL_H
#define POSTHORN_DELIVER_COURIER_INTERNAL_H

#include "posthorn/breaker.h"
#include "posthorn/courier.h"
#include "posthorn/http_client.h"
#include "posthorn/loop.h"
#include "posthorn/map.h"
#include "posthorn/outcome_batch.h"
#include "posthorn/subscription.h"
#include "posthorn/trial.h"

#include <pthread.h>

#define SIGNERS_MAX 12 /* the current secret and ten old ones, and one to spare */

/* What the endpoints of one tenant have under way at this courier. */
struct tenant_load {
    struct ph_map_node by_id;
    struct ph_id id;
    int in_flight;
    size_t targets; /* that point here */
};

/* An endpoint as its courier knows it. */
struct target {
    struct ph_map_node by_id;
    struct ph_courier *courier;
    struct ph_id id;
    struct ph_endpoint_config *config; /* NULL: not known, to be loaded */
    bool stale;                        /* to be loaded again before the next attempt */
    bool loading, gone;
    bool reload; /* it changed while it was loading */
    struct ph_arena *load_arena;
    struct ph_job_list queue;
    int in_flight;
    struct ph_job_list trials; /* that wait for the configuration */
    int trials_in_flight;
    struct tenant_load *tenant;
    struct ph_breaker breaker;
    bool
        ordered; /* its jobs are those of an ordered endpoint: one at a time, in their order, and then it is released */
    int64_t
        hold_ms; /* wall time until when its deliveries wait in the database; those in memory go back */
    uint64_t idle_since_ms; /* monotonic; when nothing was left to do */
    struct target
        *next_ready; /* on the list of those who wait for an attempt slot of the courier */
    bool is_ready;
    /* made from config */
    struct ph_http_origin *origin;
    struct token *token; /* NULL until one is wanted */
    struct ph_signer *signers[SIGNERS_MAX];
    int64_t signer_expires_ms[SIGNERS_MAX];
    int n_signers;
    struct ph_buf head; /* request head up to the lines that change with every attempt */
};

/* One attempt under way. Kept for reuse. */
struct attempt {
    struct ph_http_call call;
    struct ph_courier *courier;
    struct target *target;
    struct ph_job *job;
    bool is_trial;
    struct ph_id id;
    struct ph_endpoint_config *config; /* that it was made with */
    struct token *token;               /* of OAuth; NULL: none */
    uint64_t token_number;             /* of the one that was sent */
    bool token_refused;                /* the endpoint has refused one, and gets one other */
    struct attempt *next_waiting;      /* for the token */
    struct ph_buf head;
    struct ph_buf signature;     /* record of it; empty until it is signed */
    struct attempt *next, *prev; /* on the list of those under way, or of free ones */
};

/* Outcomes that are stored together, and their jobs, which count as in memory until then. */
struct report {
    struct ph_outcome_batch *batch;
    struct ph_job_list jobs;
    int64_t next_ms;              /* earliest time that one of them is due again; INT64_MAX: none */
    struct ph_tail_event *events; /* of them, the newest first; told when they are stored */
    struct report *next;
};

/* An endpoint that has room in memory again, once so many outcomes are stored. */
struct release {
    struct release *next;
    struct ph_arena *arena;
    struct ph_courier *courier;
    struct ph_id endpoint;
    uint64_t after;
};

struct ph_courier {
    struct ph_node *node;
    struct ph_loop *loop;
    pthread_t thread;
    struct ph_http_client *http;
    struct ph_db *db;
    struct ph_map targets, tenants;
    struct target *first_ready, *last_ready;
    int in_flight; /* attempts, all targets */
    struct attempt *active_attempts, *free_attempts;

    /* outcomes: filling, those that wait for their turn, and the one under way */
    struct report *filling, *first_full, *last_full, *flying, *free_reports;
    size_t n_unrecorded;        /* outcomes in any of them */
    uint64_t n_taken, n_stored; /* outcomes so far */
    struct release *releases;   /* oldest first */
    struct ph_task flush;
    bool flush_queued;
    struct ph_timer store_again, sweep, deadline;

    bool stopping;
    /* written by other threads */
    struct ph_queue inbox;
    struct ph_task wake;
};

/* courier_target.c */
struct target *courier_target(struct ph_courier *courier,
                              const struct ph_job *job); /* found or made */
struct target *courier_find_target(struct ph_courier *courier,
                                   struct ph_id id); /* NULL: not known */
void courier_target_apply(struct target *target,
                          struct ph_endpoint_config *config); /* takes a reference if it is newer */
void courier_target_load(struct target *target);
void courier_target_free(struct target *target);
void courier_sweep_targets(struct ph_courier *courier);

/* courier_health.c */
/* The endpoint wants nothing any more. */
void courier_disable(struct target *target, const char *reason);

/* courier_attempt.c */
void courier_attempt_start(struct target *target, struct ph_job *job);
/* Sends it; with OAuth its token is there. */
void courier_attempt_send(struct attempt *attempt);
/* There is no token: ends it with that reason; NULL: it was cancelled. */
void courier_attempt_without_token(struct attempt *attempt, const char *reason,
                                   int64_t duration_us);
/* Ends all that are under way; their deliveries are dropped, not recorded. */
void courier_attempts_cancel(struct ph_courier *courier);
void courier_attempts_free(struct ph_courier *courier);

/* courier_token.c: the OAuth token of one configuration of a target */
/* Sends the attempt, now or when its target's token has been fetched. */
void courier_token_want(struct attempt *attempt);
/* The endpoint has refused the token that the attempt was sent with. */
void courier_token_refuse(struct attempt *attempt);
/* Writes the header line with it. */
void courier_token_write(struct attempt *attempt);
void courier_token_unref(struct token *token); /* NULL is allowed */
/* A fetch that this attempt waits for ends early. */
void courier_token_cancel(struct attempt *attempt);

/* courier_outcome.c */
/* The job's outcome: takes the job, which is freed once it is stored. */
void courier_record(struct ph_courier *courier, struct ph_job *job,
                    const struct ph_outcome *outcome);
void courier_outcomes_init(struct ph_courier *courier);
void courier_outcomes_free(struct ph_courier *courier);
/* The endpoint has room in memory again: ends its second of grace once the outcomes so far are stored. */
void courier_room(struct ph_courier *courier, struct ph_id endpoint);
/* So many wait to be recorded that no attempt should start. */
bool courier_outcomes_full(const struct ph_courier *courier);

/* courier_trial.c */
/* Starts the trials that wait, or ends them. */
void courier_serve_trials(struct target *target);
void courier_end_trials(struct target *target, enum ph_err err);
void courier_end_trial(struct ph_job *job, enum ph_err err);

/* courier.c */
/* Whether an outcome releases the target's ordered endpoint: nothing else of it is left but so many attempts under way.
 * True once. */
bool courier_releases(struct target *target, int in_flight);
/* Starts what may start of the target's queue. */
void courier_serve(struct target *target);
/* A slot for an attempt is free again, or outcomes were recorded: goes on with those who waited for it. */
void courier_serve_ready(struct ph_courier *courier);
/* Until then nothing goes to the endpoint: what is queued goes back to the database, and new messages wait there too. */
void courier_hold(struct target *target, int64_t until_wall_ms);
/* The delivery is not this node's any more, or is left for later: forgets it. */
void courier_drop(struct ph_courier *courier, struct ph_job *job);
/* While stopping: ends the loop when nothing is left to do. */
void courier_check_stopped(struct ph_courier *courier);

#endif
