/*
 * What a credential, of whatever kind, allows whom.
 */
#ifndef POSTHORN_CREDENTIAL_H
#define POSTHORN_CREDENTIAL_H

#include "posthorn/err.h"
#include "posthorn/id.h"
#include "posthorn/quota.h"

enum ph_access { PH_ACCESS_ALL, PH_ACCESS_READ, PH_ACCESS_SEND };

/* What the database says of a tenant: standing(). */
struct ph_standing {
    struct ph_id
        root; /* that the environment belongs to; the quotas are for all of them together */
    bool suspended;
    struct ph_quotas quotas;
    int64_t messages_today; /* when they are limited */
};
/* INTERNAL: it says something else. */
PH_MUST_CHECK enum ph_err ph_standing_parse(struct ph_str json, struct ph_standing *out);

enum ph_credential_kind {
    PH_CREDENTIAL_API_KEY,
    PH_CREDENTIAL_PORTAL,
    PH_CREDENTIAL_JWT,
    PH_CREDENTIAL_POLLER,
    PH_CREDENTIAL_OPERATOR
};

/* What a portal shows; a token is good for nothing of the others. */
enum ph_section {
    PH_SECTION_ENDPOINTS = 1,
    PH_SECTION_MESSAGES = 2,
    PH_SECTION_EVENT_TYPES = 4,
    PH_SECTIONS = 7
};
/* "endpoints", "messages", "event-types". */
const char *ph_section_text(enum ph_section section);
/* BAD_REQUEST: it is none. */
PH_MUST_CHECK enum ph_err ph_section_parse(struct ph_str text, enum ph_section *out);

struct ph_identity {
    enum ph_credential_kind kind;
    enum ph_access access;
    struct ph_id credential;
    struct ph_id tenant;
    struct ph_id application;    /* all that it is good for; zero: every one of the tenant */
    uint64_t uid_hash;           /* of the application's uid; 0: it has none */
    struct ph_id poller;         /* the only endpoint of it; zero: whatever the application has */
    uint64_t poller_uid_hash;    /* 0: it has none */
    unsigned sections;           /* bits of enum ph_section, of a portal token */
    int64_t expires_ms;          /* 0: never */
    struct ph_standing standing; /* of the tenant */
    struct ph_rate *rates;       /* of the tenant's root at this node, by class */
};

/* Notes the uid of its application. */
void ph_identity_set_uid(struct ph_identity *identity, struct ph_str uid);
/* Whether this id or uid names the application that it is good for; true when it is good for every one. */
bool ph_identity_names(const struct ph_identity *identity, struct ph_str application);

/* Notes the poller that it is good for, and nothing else. */
void ph_identity_set_poller(struct ph_identity *identity, struct ph_id poller, struct ph_str uid);
/* Whether this id or uid names that poller. */
bool ph_identity_names_poller(const struct ph_identity *identity, struct ph_str endpoint);

/* The name in the interface and in the database: "all", "read", "send". */
const char *ph_access_text(enum ph_access access);
/* BAD_REQUEST: it is none. */
PH_MUST_CHECK enum ph_err ph_access_parse(struct ph_str text, enum ph_access *out);

/* identity is NULL unless err is OK. NOT_FOUND: there is no such credential, or it has expired. */
typedef void (*ph_identity_done)(void *ctx, enum ph_err err, const struct ph_identity *identity);

#endif
