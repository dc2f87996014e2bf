/*
 * The JSON form of a message (MessageOut), one for creating, reading and listing it.
 */
#ifndef POSTHORN_API_MESSAGE_JSON_H
#define POSTHORN_API_MESSAGE_JSON_H

#include "posthorn/json.h"
#include "posthorn/message.h"

/* Bytes that ph_api_write_message needs at most besides the payload and the message's own texts. */
#define PH_MESSAGE_JSON_OVERHEAD 256

/* Upper bound of the bytes that ph_api_write_message writes for this message. */
size_t ph_api_message_bytes(const struct ph_message_view *message);
/* Writes one object: channels, eventId, eventType, id, payload, timestamp, tags. */
void ph_api_write_message(struct ph_json_writer *w, const struct ph_message_view *message);
/* The same members without the object's braces, for forms that add their own. */
void ph_api_write_message_members(struct ph_json_writer *w, const struct ph_message_view *message);

/* Bytes that ph_api_write_fate_members needs at most. */
#define PH_FATE_JSON_BYTES 192
/* attemptsMade, nextAttempt, state, status and statusText, as members of an object. */
void ph_api_write_fate_members(struct ph_json_writer *w, const struct ph_message_fate *fate);

#endif
