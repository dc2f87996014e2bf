/*
 * YAML, turned into JSON: one document of mappings, sequences and scalars. Anchors and aliases, with which a small text can
 * stand for an endless one, are refused, and so are tags and keys that are no scalars.
 */
#ifndef POSTHORN_YAML_H
#define POSTHORN_YAML_H

#include "posthorn/arena.h"
#include "posthorn/str.h"

/* VALIDATION: *fault says why and where; in the arena. json: in the arena; a plain scalar is null, true, false or a number if it
 * is written like that in JSON, else a string. */
PH_MUST_CHECK enum ph_err ph_yaml_to_json(struct ph_arena *arena, struct ph_str yaml,
                                          struct ph_str *json, const char **fault);

#endif
