-- Protection changes only where it is mentioned, always together with the value, and what is
-- sealed opens in its own row only.
\set VERBOSITY sqlstate
\pset format unaligned
\pset tuples_only on
\pset null '(null)'
SELECT sso_session_create('seal-ann') AS ust, sso_session_create('seal-bob') AS other \gset
SELECT session_id AS id FROM sso_session_get(:'ust') \gset
SELECT session_id AS other_id FROM sso_session_get(:'other') \gset
CREATE VIEW test.stored AS
    SELECT a.session_id, a.name, a.value, a.sealed IS NOT NULL AS is_sealed, octet_length(a.sealed) AS bytes FROM sso_attr.attribute AS a;

-- The envelope: version 1, algorithm 1, key id 1 in big-endian, and 46 bytes more than the JSON text.
SELECT sso_attr_create(:'ust', 'card', '4111 1111', encrypt => true);
SELECT substr(sealed, 1, 6), octet_length(sealed) - octet_length('"4111 1111"'), position('4111'::bytea IN sealed) FROM sso_attr.attribute WHERE session_id = :'id';
SELECT sso_attr_get(:'ust', 'card'), sso_attr_get_text(:'ust', 'card'), sso_attr_get_many(:'ust', '{card}'), sso_attr_get_all(:'ust');
SELECT name, value, encrypted FROM sso_attr_list(:'ust');
-- The same text is never sealed into the same bytes.
SELECT sealed AS first FROM sso_attr.attribute WHERE session_id = :'id' \gset
SELECT sso_attr_update(:'ust', 'card', '4111 1111');
SELECT sealed <> :'first', substr(sealed, 7, 24) <> substr(:'first'::bytea, 7, 24) FROM sso_attr.attribute WHERE session_id = :'id';

-- Every verb that writes, from both states, with true, false, NULL and nothing said.
CREATE TABLE test.transition (position integer GENERATED ALWAYS AS IDENTITY, verb text, call text);
INSERT INTO test.transition (verb, call) SELECT 'update', format('sso_attr_update($1, ''t'', ''after'', encrypt => %s)', e) FROM unnest('{true,false,"NULL"}'::text[]) AS e;
INSERT INTO test.transition (verb, call) VALUES ('update', 'sso_attr_update($1, ''t'', ''after'')');
INSERT INTO test.transition (verb, call) SELECT 'set', format('sso_attr_set($1, ''t'', ''after'', encrypt => %s)', e) FROM unnest('{true,false,"NULL"}'::text[]) AS e;
INSERT INTO test.transition (verb, call) VALUES ('set', 'sso_attr_set($1, ''t'', ''after'')');
INSERT INTO test.transition (verb, call) SELECT 'many', format('sso_attr_%s_many($1, ''[{"name":"t","value":"after"}]'', encrypt => %s)', v, e) FROM unnest('{update,set}'::text[]) AS v, unnest('{true,false,"NULL"}'::text[]) AS e;
INSERT INTO test.transition (verb, call) SELECT 'item', format('sso_attr_%s_many($1, ''[{"name":"t","value":"after","encrypt":%s}]'', encrypt => %s)', v, lower(e), 'not ' || coalesce(nullif(e, 'NULL'), 'false'))
    FROM unnest('{update,set}'::text[]) AS v, unnest('{true,false,"NULL"}'::text[]) AS e;
CREATE FUNCTION test.protection_after(ust text, call text, was_sealed boolean) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    result text;
BEGIN
    PERFORM sso_attr_set(ust, 't', 'before', encrypt => was_sealed);
    result := test.attempt(call, ust);
    RETURN (SELECT concat_ws(' ', NULLIF(result, '(void)'), CASE WHEN l.encrypted THEN 'sealed' ELSE 'clear' END, l.value) FROM sso_attr_list(ust) AS l WHERE l.name = 't');
END
$$;
SELECT call, test.protection_after(:'ust', call, false) AS from_clear, test.protection_after(:'ust', call, true) AS from_sealed FROM test.transition ORDER BY position;
DROP TABLE test.transition;
DROP FUNCTION test.protection_after;
-- Set of what is not there starts in clear.
SELECT sso_attr_set(:'ust', 'fresh', 1), sso_attr_set(:'ust', 'fresh null', 1, encrypt => NULL), sso_attr_set(:'ust', 'fresh true', 1, encrypt => true);
SELECT name, is_sealed FROM test.stored WHERE session_id = :'id' AND name LIKE 'fresh%' ORDER BY name;
-- An expiry moved alone leaves the sealed bytes.
SELECT sealed AS before FROM sso_attr.attribute WHERE session_id = :'id' AND name = 'card' \gset
SELECT sso_attr_set_expiry(:'ust', 'card', 60), sso_attr_set_expiry_many(:'ust', '[{"name":"card"}]');
SELECT sealed = :'before' FROM sso_attr.attribute WHERE session_id = :'id' AND name = 'card';

-- Every type of value is sealed, not only strings.
SELECT sso_attr_set_many(:'ust', '[{"name":"v1","value":{"a":[1,2.50,null]}},{"name":"v2","value":""},{"name":"v3","value":null},{"name":"v4","value":0},{"name":"v5","value":false},{"name":"v6","value":[]}]', encrypt => true);
SELECT name, value, encrypted FROM sso_attr_list(:'ust') WHERE name LIKE 'v_';
SELECT count(*) FROM sso_attr.attribute WHERE session_id = :'id' AND name LIKE 'v_' AND value IS NOT NULL;
SELECT sso_attr_take(:'ust', 'v1'), sso_attr_take(:'ust', 'v1');

-- A change of value, protection and expiry is one new row version, and never a clear one in between.
SELECT sso_attr_set(:'ust', 'one', 'clear');
BEGIN;
SELECT n_tup_upd AS upd, n_tup_ins AS ins, n_tup_del AS del FROM pg_stat_xact_user_tables WHERE relid = 'sso_attr.attribute'::regclass \gset
SELECT sso_attr_update(:'ust', 'one', 'secret', 60, true);
SELECT n_tup_upd - :upd, n_tup_ins - :ins, n_tup_del - :del FROM pg_stat_xact_user_tables WHERE relid = 'sso_attr.attribute'::regclass;
SELECT sso_attr_set(:'ust', 'two', 'secret', 60, true), sso_attr_set_many(:'ust', '[{"name":"three","value":1},{"name":"four","value":2}]', 60, true);
SELECT n_tup_upd - :upd, n_tup_ins - :ins, n_tup_del - :del FROM pg_stat_xact_user_tables WHERE relid = 'sso_attr.attribute'::regclass;
COMMIT;

-- A sealed value opens in its own row only: not in another session, not under another name, not
-- with another key id, not altered, not cut. What does not open is not taken and not lost.
SELECT sso_attr_set(:'ust', 'mine', 'mine', encrypt => true), sso_attr_set(:'ust', 'MINE', 'another', encrypt => true), sso_attr_set(:'other', 'mine', 'theirs', encrypt => true);
CREATE FUNCTION test.read_with(ust text, id uuid, replacement bytea) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    kept bytea;
    outcome text;
BEGIN
    SELECT sealed INTO kept FROM sso_attr.attribute WHERE session_id = id AND name = 'mine';
    UPDATE sso_attr.attribute SET sealed = replacement WHERE session_id = id AND name = 'mine';
    outcome := concat_ws(' ', test.attempt('sso_attr_get($1, ''mine'')', ust), test.attempt('sso_attr_get_text($1, ''mine'')', ust), test.attempt('sso_attr_get_many($1, ''{mine}'')', ust),
        test.attempt('sso_attr_get_all($1)', ust), test.attempt('count(*) FROM sso_attr_list($1)', ust), test.attempt('sso_attr_take($1, ''mine'')', ust), test.attempt('sso_attr_exists($1, ''mine'')', ust),
        test.attempt('count(*) FROM sso_attr_names($1)', ust) > '0');
    UPDATE sso_attr.attribute SET sealed = kept WHERE session_id = id AND name = 'mine';
    RETURN outcome;
END
$$;
SELECT how, test.read_with(:'ust', :'id', replacement)
FROM (SELECT sealed AS s FROM sso_attr.attribute WHERE session_id = :'id' AND name = 'mine') AS own,
     LATERAL (VALUES ('of another session', (SELECT sealed FROM sso_attr.attribute WHERE session_id = :'other_id' AND name = 'mine')),
                     ('of another name', (SELECT sealed FROM sso_attr.attribute WHERE session_id = :'id' AND name = 'MINE')),
                     ('nonce altered', set_bit(s, 8 * 10, 1 - get_bit(s, 8 * 10))), ('ciphertext altered', set_bit(s, 8 * 31, 1 - get_bit(s, 8 * 31))),
                     ('tag altered', set_byte(s, octet_length(s) - 1, 255 - get_byte(s, octet_length(s) - 1))),
                     ('version altered', set_byte(s, 0, 2)), ('algorithm altered', set_byte(s, 1, 2)),
                     ('key id altered', set_byte(s, 5, 9)), ('cut by one', substr(s, 1, octet_length(s) - 1)), ('longer by one', s || '\x00'),
                     ('header only', substr(s, 1, 6)), ('no tag', substr(s, 1, 30)), ('one byte', '\x01'), ('empty', ''::bytea)) AS r (how, replacement);
SELECT sso_attr_get(:'ust', 'mine'), sso_attr_get(:'other', 'mine');
-- It can still be replaced or deleted.
UPDATE sso_attr.attribute SET sealed = '\x00' WHERE session_id = :'id' AND name IN ('mine', 'MINE');
SELECT sso_attr_update(:'ust', 'mine', 'again'), sso_attr_delete(:'ust', 'MINE');
SELECT sso_attr_get(:'ust', 'mine'), is_sealed FROM test.stored WHERE session_id = :'id' AND name = 'mine';
\set VERBOSITY default
UPDATE sso_attr.attribute SET sealed = '\x00' WHERE session_id = :'id' AND name = 'mine';
SELECT sso_attr_get(:'ust', 'mine');
DROP FUNCTION test.read_with;
DROP VIEW test.stored;
