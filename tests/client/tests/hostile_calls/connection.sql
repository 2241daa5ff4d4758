-- Run on every connection: what arguments are made of. The tables are filled by COPY before the
-- functions are there. Each function is bound to its table whatever search_path says, and keeps
-- tokens and marked texts out of the statements.
CREATE FUNCTION pg_temp.h(integer) RETURNS text STABLE LANGUAGE sql
BEGIN ATOMIC SELECT t FROM pg_temp.hostile WHERE id = $1; END;

CREATE FUNCTION pg_temp.hj(integer) RETURNS jsonb STABLE LANGUAGE sql
BEGIN ATOMIC SELECT j FROM pg_temp.hostile_json WHERE id = $1; END;

CREATE FUNCTION pg_temp.token(integer) RETURNS text STABLE LANGUAGE sql
BEGIN ATOMIC SELECT ust FROM fuzz.token WHERE slot = $1; END;

CREATE FUNCTION pg_temp.session_id(integer) RETURNS uuid STABLE LANGUAGE sql
BEGIN ATOMIC SELECT session_id FROM fuzz.token WHERE slot = $1; END;

CREATE FUNCTION pg_temp.marker() RETURNS text IMMUTABLE LANGUAGE sql
BEGIN ATOMIC SELECT 'Zq9-hostile-secret-Zq9'; END;

CREATE FUNCTION pg_temp.adopted(integer) RETURNS text IMMUTABLE LANGUAGE sql
BEGIN ATOMIC SELECT 'Zq9-token-of-somebody-else-' || $1; END;

CREATE FUNCTION pg_temp.names(integer) RETURNS text[] IMMUTABLE LANGUAGE sql
BEGIN ATOMIC SELECT array_agg('n' || i) FROM generate_series(1, $1) AS i; END;

CREATE FUNCTION pg_temp.items(integer) RETURNS jsonb IMMUTABLE LANGUAGE sql
BEGIN ATOMIC SELECT jsonb_agg(jsonb_build_object('name', 'm' || i, 'value', i)) FROM generate_series(1, $1) AS i; END;

CREATE FUNCTION pg_temp.ends(integer) RETURNS jsonb IMMUTABLE LANGUAGE sql
BEGIN ATOMIC SELECT jsonb_agg(jsonb_build_object('name', 'm' || i, 'expiration', i)) FROM generate_series(1, $1) AS i; END;

-- Arrays of a depth, objects one more; negative: by so much less than the stack lets be parsed here.
CREATE TEMP TABLE deep (id integer, j jsonb);
CREATE FUNCTION pg_temp.deep(integer) RETURNS jsonb STABLE LANGUAGE sql
BEGIN ATOMIC SELECT j FROM pg_temp.deep WHERE id = $1; END;
DO $$
DECLARE
    least integer := 1000;
    most integer := 100000;
    depth integer;
BEGIN
    FOREACH depth IN ARRAY ARRAY[100, 1000, 3000, 6000] LOOP
        INSERT INTO deep VALUES (depth, (repeat('[', depth) || '0' || repeat(']', depth))::jsonb);
        INSERT INTO deep VALUES (depth + 1, (repeat('{"a":', depth) || '0' || repeat('}', depth))::jsonb);
    END LOOP;
    WHILE most - least > 1 LOOP
        depth := (least + most) / 2;
        BEGIN
            PERFORM (repeat('[', depth) || '0' || repeat(']', depth))::jsonb;
            least := depth;
        EXCEPTION WHEN statement_too_complex THEN
            most := depth;
        END;
    END LOOP;
    FOREACH depth IN ARRAY ARRAY[1, 5, 20, 50, 100, 200, 500, 1000] LOOP
        INSERT INTO deep SELECT -depth, (repeat('[', least - depth) || '0' || repeat(']', least - depth))::jsonb;
    END LOOP;
END
$$;
