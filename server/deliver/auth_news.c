#include "posthorn/auth_news.h"

#define SILENCE_MS 2000

static size_t slot_of(struct ph_id tenant)
{
    return (size_t)(ph_id_hash(tenant) % PH_AUTH_NEWS_SLOTS);
}

void ph_auth_news_changed(struct ph_auth_news *news, const struct ph_id *tenant)
{
    for (size_t i = 0; i < PH_AUTH_NEWS_SLOTS; i++)
        if (!tenant || i == slot_of(*tenant))
            atomic_fetch_add(&news->epochs[i], 1);
    atomic_fetch_add(&news->changes, 1);
}

uint32_t ph_auth_news_changes(const struct ph_auth_news *news)
{
    return atomic_load(&news->changes);
}

uint32_t ph_auth_news_epoch(const struct ph_auth_news *news, struct ph_id tenant)
{
    return atomic_load(&news->epochs[slot_of(tenant)]);
}

void ph_auth_news_heard(struct ph_auth_news *news, uint64_t mono_ms)
{
    atomic_store(&news->heard_ms, mono_ms);
}

bool ph_auth_news_come(const struct ph_auth_news *news, uint64_t mono_ms)
{
    return mono_ms < atomic_load(&news->heard_ms) + SILENCE_MS;
}
