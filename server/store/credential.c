#include "posthorn/credential.h"

#include <jansson.h>
#include <pthread.h>
#include <sodium.h>

static const char *const texts[] = {
    [PH_ACCESS_ALL] = "all",
    [PH_ACCESS_READ] = "read",
    [PH_ACCESS_SEND] = "send",
};

const char *ph_access_text(enum ph_access access)
{
    return texts[access];
}

enum ph_err ph_access_parse(struct ph_str text, enum ph_access *out)
{
    for (size_t i = 0; i < sizeof(texts) / sizeof(*texts); i++) {
        if (ph_str_eq_c(text, texts[i])) {
            *out = (enum ph_access)i;
            return PH_OK;
        }
    }
    return PH_ERR_BAD_REQUEST;
}

static uint8_t secret[crypto_shorthash_KEYBYTES];
static pthread_once_t secret_once = PTHREAD_ONCE_INIT;

static void make_secret(void)
{
    randombytes_buf(secret, sizeof(secret));
}

/* Under a key that only this process knows: nobody can choose a uid that collides. */
static uint64_t hash_of(struct ph_str uid)
{
    uint64_t hash;

    pthread_once(&secret_once, make_secret);
    crypto_shorthash((unsigned char *)&hash, (const unsigned char *)uid.ptr, uid.len, secret);
    return hash | 1;
}

void ph_identity_set_uid(struct ph_identity *identity, struct ph_str uid)
{
    identity->uid_hash = uid.ptr ? hash_of(uid) : 0;
}

bool ph_identity_names(const struct ph_identity *identity, struct ph_str application)
{
    struct ph_id id;

    if (ph_id_is_zero(identity->application))
        return true;
    if (ph_id_parse(PH_ID_APPLICATION, application, &id) == PH_OK)
        return ph_id_eq(id, identity->application);
    return identity->uid_hash != 0 && identity->uid_hash == hash_of(application);
}

void ph_identity_set_poller(struct ph_identity *identity, struct ph_id poller, struct ph_str uid)
{
    identity->poller = poller;
    identity->poller_uid_hash = uid.ptr ? hash_of(uid) : 0;
}

bool ph_identity_names_poller(const struct ph_identity *identity, struct ph_str endpoint)
{
    struct ph_id id;

    if (ph_id_parse(PH_ID_ENDPOINT, endpoint, &id) == PH_OK)
        return ph_id_eq(id, identity->poller);
    return identity->poller_uid_hash != 0 && identity->poller_uid_hash == hash_of(endpoint);
}

enum ph_err ph_standing_parse(struct ph_str json, struct ph_standing *out)
{
    json_t *root = json_loadb(json.ptr, json.len, 0, NULL);
    const char *tenant = json_string_value(json_object_get(root, "root"));
    enum ph_err err = ph_quotas_read(json_object_get(root, "quotas"), &out->quotas);

    if (err == PH_OK)
        err = tenant ? ph_id_parse_uuid(tenant, &out->root) : PH_ERR_BAD_REQUEST;

    out->suspended = json_is_true(json_object_get(root, "suspended"));
    out->messages_today = json_integer_value(json_object_get(root, "messagesToday"));
    json_decref(root);
    return err == PH_OK ? PH_OK : PH_ERR_INTERNAL;
}

static const char *const sections[] = {[PH_SECTION_ENDPOINTS] = "endpoints",
                                       [PH_SECTION_MESSAGES] = "messages",
                                       [PH_SECTION_EVENT_TYPES] = "event-types"};

const char *ph_section_text(enum ph_section section)
{
    return sections[section];
}

enum ph_err ph_section_parse(struct ph_str text, enum ph_section *out)
{
    for (unsigned section = 1; section < PH_SECTIONS; section *= 2) {
        if (ph_str_eq_c(text, sections[section])) {
            *out = (enum ph_section)section;
            return PH_OK;
        }
    }
    return PH_ERR_BAD_REQUEST;
}
