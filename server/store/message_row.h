/*
 * Reading of rows that several statements return alike.
 */
#ifndef POSTHORN_STORE_MESSAGE_ROW_H
#define POSTHORN_STORE_MESSAGE_ROW_H

#include "posthorn/message.h"

/* Columns id, event_type, event_id, channels, tags, payload, the first of a row. */
void ph_message_read_row(struct ph_arena *arena, const PGresult *res, int row,
                         struct ph_message_view *out);

/* Columns last_status, owed, attempts, next_at, from `col` on. */
struct ph_message_fate ph_message_read_fate(const PGresult *res, int row, int col);

#endif
