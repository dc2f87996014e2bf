/*
 * Messages: what is stored of them, and reading it. Creating is the ingest batch's work (ingest.h).
 */
#ifndef POSTHORN_MESSAGE_H
#define POSTHORN_MESSAGE_H

#include "posthorn/arena.h"
#include "posthorn/id.h"
#include "posthorn/str.h"

/* A message as a client sees it. Slices belong to whoever filled it. */
struct ph_message_view {
    struct ph_id id; /* carries the message's time */
    struct ph_str event_type;
    struct ph_str event_id;        /* absent without one */
    const struct ph_str *channels; /* NULL: none */
    size_t n_channels;
    const struct ph_str *tags; /* NULL: none */
    size_t n_tags;
    struct ph_str payload; /* JSON text exactly as it was received */
};

#endif
