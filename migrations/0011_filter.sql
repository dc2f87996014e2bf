-- Payload filters of endpoints. include/posthorn/filter.h says what they mean; the function below means the same, for what
-- is matched in the database. tests/store/filter_test.c holds one against the other.
ALTER TABLE endpoints ADD COLUMN filter json;

-- Two scalars of one type and value.
CREATE FUNCTION json_equal(a json, b json) RETURNS boolean LANGUAGE sql IMMUTABLE PARALLEL SAFE
    RETURN json_typeof(a) = json_typeof(b)
           AND CASE json_typeof(a) WHEN 'string' THEN (a #>> '{}') COLLATE "C" = (b #>> '{}')
                                   WHEN 'number' THEN (a #>> '{}')::numeric = (b #>> '{}')::numeric
                                   WHEN 'boolean' THEN a::text = b::text
                                   ELSE json_typeof(a) = 'null' END;

-- What stands at the path of a condition; NULL: nothing.
CREATE FUNCTION filter_value(path json, payload json) RETURNS json LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE AS $$
DECLARE
    value json := payload;
    part json;
BEGIN
    IF json_typeof(path) = 'string' THEN
        SELECT json_agg(CASE WHEN m[1] IS NULL THEN to_json(m[2]::integer) ELSE to_json(m[1]) END) INTO path
        FROM regexp_matches(path #>> '{}', '([^.\[\]]+)|\[(\d+)\]', 'g') m;
    END IF;
    FOR part IN SELECT json_array_elements(path) LOOP
        value := CASE WHEN json_typeof(part) = 'string' AND json_typeof(value) = 'object' THEN value -> (part #>> '{}')
                      WHEN json_typeof(part) = 'number' AND json_typeof(value) = 'array' THEN value -> (part #>> '{}')::integer END;
    END LOOP;
    RETURN value;
END $$;

CREATE FUNCTION filter_holds(condition json, payload json) RETURNS boolean LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE AS $$
DECLARE
    op constant text := condition ->> 'op';
    operand constant json := condition -> 'value';
    value constant json := filter_value(condition -> 'path', payload);
    kind constant text := json_typeof(value);
    a text;
    b text;
BEGIN
    IF op = 'exists' THEN
        RETURN (value IS NOT NULL) = coalesce(operand::text <> 'false', true);
    ELSIF value IS NULL THEN
        RETURN op = 'ne';
    ELSIF op = 'eq' THEN
        RETURN json_equal(value, operand);
    ELSIF op = 'ne' THEN
        RETURN NOT json_equal(value, operand);
    ELSIF op = 'in' THEN
        RETURN EXISTS (SELECT FROM json_array_elements(operand) e (v) WHERE json_equal(value, e.v));
    ELSIF op = 'contains' AND kind = 'array' THEN
        RETURN EXISTS (SELECT FROM (SELECT v FROM json_array_elements(value) e (v) LIMIT 256) e WHERE json_equal(e.v, operand));
    ELSIF kind <> json_typeof(operand) OR kind NOT IN ('string', 'number') THEN
        RETURN false;
    END IF;
    a := value #>> '{}';
    b := operand #>> '{}';
    RETURN CASE op
        WHEN 'prefix' THEN kind = 'string' AND starts_with(a, b)
        WHEN 'contains' THEN kind = 'string'
                             AND position(convert_to(b, 'UTF8') IN substring(convert_to(a, 'UTF8') FOR 16384)) > 0
        WHEN 'lt' THEN CASE kind WHEN 'number' THEN a::numeric < b::numeric ELSE a COLLATE "C" < b END
        WHEN 'lte' THEN CASE kind WHEN 'number' THEN a::numeric <= b::numeric ELSE a COLLATE "C" <= b END
        WHEN 'gt' THEN CASE kind WHEN 'number' THEN a::numeric > b::numeric ELSE a COLLATE "C" > b END
        ELSE CASE kind WHEN 'number' THEN a::numeric >= b::numeric ELSE a COLLATE "C" >= b END END;
END $$;

CREATE FUNCTION filter_matches(filter json, payload json) RETURNS boolean LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE AS $$
BEGIN
    IF filter -> 'all' IS NOT NULL THEN
        RETURN NOT EXISTS (SELECT FROM json_array_elements(filter -> 'all') f (part) WHERE NOT filter_matches(part, payload));
    ELSIF filter -> 'any' IS NOT NULL THEN
        RETURN EXISTS (SELECT FROM json_array_elements(filter -> 'any') f (part) WHERE filter_matches(part, payload));
    ELSIF filter -> 'not' IS NOT NULL THEN
        RETURN NOT filter_matches(filter -> 'not', payload);
    END IF;
    RETURN filter_holds(filter, payload);
END $$;

-- No payload, and one with a number or a character that PostgreSQL does not have, is taken by no filter.
CREATE FUNCTION filter_takes(filter json, payload bytea) RETURNS boolean LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE COST 10000 AS $$
BEGIN
    RETURN payload IS NOT NULL AND filter_matches(filter, convert_from(payload, 'UTF8')::json);
EXCEPTION WHEN data_exception THEN
    RETURN false;
END $$;
