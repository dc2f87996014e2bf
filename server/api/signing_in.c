#include "api/signing_in.h"

#include "api/custom_header.h"
#include "posthorn/node.h"
#include "posthorn/tenant.h"

#define SECRET_FAULT                                                                               \
    "has to be whsec_ and base64 of 24 to 75 bytes, or whsk_ and base64 of an Ed25519 key"

struct ph_str ph_api_field_profile(struct ph_call *call, struct ph_faults *faults, json_t *body,
                                   bool required, bool *present)
{
    struct ph_str name =
        ph_field_str(call, faults, body, "signatureProfile", required, 0, 0, present);
    enum ph_sign_profile profile;

    if (!name.ptr || ph_sign_profile_parse(name, &profile) == PH_OK)
        return name;
    ph_fault(call, faults, "body", "signatureProfile",
             ph_arena_printf(call->req->arena, "has to be one of %s", ph_sign_profile_names()),
             "value_error");
    return PH_STR_NONE;
}

struct ph_str ph_api_field_signature_header(struct ph_call *call, struct ph_faults *faults,
                                            json_t *body, bool *present)
{
    struct ph_str name = ph_field_str(call, faults, body, "signatureHeader", false, 0, 0, present);
    const char *reason;

    if (!name.ptr)
        return name;
    if (!ph_header_token_ok(name, PH_SIGNATURE_HEADER_MAX))
        reason = "has to be 1 to 64 of a-z A-Z 0-9 and, inside, -";
    else if (!(reason = ph_custom_header_name_fault(name)))
        return name;
    ph_fault(call, faults, "body", "signatureHeader", reason, "value_error");
    return PH_STR_NONE;
}

bool ph_api_field_secret(struct ph_call *call, struct ph_faults *faults, json_t *body,
                         const char *name, struct ph_secret *out)
{
    struct ph_str text = ph_field_str(call, faults, body, name, false, 0, 0, NULL);
    struct ph_str algorithm =
        ph_field_str(call, faults, body, "signatureAlgorithm", false, 0, 0, NULL);

    if (text.ptr && algorithm.ptr) {
        ph_fault(call, faults, "body", "signatureAlgorithm", "is of a secret that is to be made",
                 "value_error");
        return false;
    }
    if (text.ptr) {
        if (ph_secret_parse_any(text, out) == PH_OK)
            return true;
        ph_fault(call, faults, "body", name, SECRET_FAULT, "value_error");
    } else if (ph_str_eq(algorithm, PH_STR("ed25519"))) {
        ph_secret_new_ed25519(out);
        return true;
    } else if (ph_str_eq(algorithm, PH_STR("hmac-sha256"))) {
        ph_secret_new(out);
        return true;
    } else if (algorithm.ptr) {
        ph_fault(call, faults, "body", "signatureAlgorithm",
                 "has to be one of hmac-sha256, ed25519", "value_error");
    }
    return false;
}

struct check {
    struct ph_call *call;
    const char *member;
    void (*go_on)(struct ph_call *call);
};

static void check_profile(const struct check *check, struct ph_str profile)
{
    struct ph_faults faults = {0};

    if (ph_str_eq(profile, ph_sign_profile_name(PH_SIGN_STANDARD)))
        ph_fault(check->call, &faults, "body", check->member, SECRET_FAULT, "value_error");
    if (!ph_faults_answer(check->call, &faults))
        check->go_on(check->call);
}

static void on_tenant(void *ctx, enum ph_err err, const struct ph_tenant_settings *settings)
{
    struct check *check = ctx;

    if (err != PH_OK)
        ph_answer_error(check->call, err, NULL);
    else
        check_profile(check, settings->signature_profile);
}

void ph_api_check_secret(struct ph_call *call, const struct ph_secret *secret,
                         struct ph_str profile, const char *member,
                         void (*go_on)(struct ph_call *call))
{
    struct check *check = ph_arena_new_of(call->req->arena, struct check);

    *check = (struct check){call, member, go_on};
    if (secret->kind != PH_SECRET_TEXT)
        go_on(call);
    else if (profile.ptr)
        check_profile(check, profile);
    else
        ph_tenant_get_settings(call->api->db, call->req->arena, call->tenant, on_tenant, check);
}
