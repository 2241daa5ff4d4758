-- The address of a client, as inet or as the text that a driver or a proxy hands over.
\set VERBOSITY sqlstate
\pset format unaligned
\pset tuples_only on
\pset null '(null)'
CREATE FUNCTION test.shown(address text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    ust text;
BEGIN
    ust := sso_session_create('addr-ann', 'app', address);
    RETURN (SELECT COALESCE(remote_addr::text, '(none)') || CASE WHEN sso_session_end(ust) THEN '' END FROM sso_session_get(ust));
EXCEPTION WHEN OTHERS THEN
    RETURN SQLSTATE;
END
$$;
-- One address is one, spaces around it and its mask included; an empty text is none.
SELECT quote_nullable(address), test.shown(address)
FROM unnest('{192.0.2.1,192.0.2.1/24,192.0.2.1/32,::1,2001:db8::1,2001:DB8:0:0:0:0:0:1,2001:db8::1/64,::ffff:192.0.2.1,0.0.0.0/0," 192.0.2.1 ","","   ",NULL}'::text[]) WITH ORDINALITY AS t (address, n) ORDER BY n;
-- A list is not one, whatever is in it; nor is anything else.
SELECT quote_nullable(address), test.shown(address)
FROM unnest('{"192.0.2.1, 198.51.100.1","192.0.2.1,198.51.100.1","192.0.2.1,",",",", 192.0.2.1","garbage, too",garbage,192.0.2.256,192.0.2,192.0.2.1/33,192.0.2.1:8080,[::1],[2001:db8::1]:443,fe80::1%eth0,unknown,localhost,192.0.2.1 192.0.2.2,2001:db8::g,"''"}'::text[]) WITH ORDINALITY AS t (address, n) ORDER BY n;
SELECT test.shown(E'\t192.0.2.1\r\n'), test.shown(E'\t\n'), test.shown('日本'), test.shown(E'192.0.2.1\u0001');
-- Refused in few words, which do not repeat the text: it can be anything that a client sent.
CREATE FUNCTION test.refusal(address text) RETURNS text LANGUAGE plpgsql AS $$
BEGIN
    PERFORM sso_session_create('addr-ann', 'app', address);
EXCEPTION WHEN OTHERS THEN
    RETURN SQLSTATE || CASE WHEN length(SQLERRM) > 300 THEN ' at length' WHEN SQLERRM ~ 'garbage' THEN ' repeated' ELSE ' in short' END;
END
$$;
SELECT test.refusal('garbage'), test.refusal('garbage, 192.0.2.1'), test.refusal(repeat('1', 100000)), test.refusal(repeat('192.0.2.1, ', 10000)), test.refusal('192.0.2.1' || repeat('日', 100000));
DROP FUNCTION test.refusal;
\set VERBOSITY default
SELECT sso_session_create('addr-ann', 'app', '192.0.2.1, 198.51.100.1'::text);
\set VERBOSITY sqlstate
-- Which of the two is called: what has no type is text, an inet or cidr is one; every argument has its name.
SELECT sso_session_create('addr-bob', 'literal', '192.0.2.1/24') IS NOT NULL, sso_session_create('addr-bob', 'inet', '192.0.2.2/24'::inet) IS NOT NULL, sso_session_create('addr-bob', 'cidr', '192.0.2.0/24'::cidr) IS NOT NULL, sso_session_create('addr-bob', 'varchar', '192.0.2.3'::varchar(20)) IS NOT NULL,
       sso_session_create('addr-bob', 'null', NULL) IS NOT NULL, sso_session_create('addr-bob', 'null text', NULL::text) IS NOT NULL, sso_session_create('addr-bob', 'null inet', NULL::inet) IS NOT NULL, sso_session_create('addr-bob', 'empty', '') IS NOT NULL,
       sso_session_create('addr-bob', remote_addr => '192.0.2.4') IS NOT NULL, sso_session_create(remote_addr => '192.0.2.5', user_id => 'addr-bob', current_app => 'named') IS NOT NULL, sso_session_create(user_id => 'addr-bob', current_app => 'agent', user_agent => 'a') IS NOT NULL, sso_session_create('addr-bob', current_app => 'named empty', remote_addr => '') IS NOT NULL;
SELECT current_app, remote_addr FROM sso_session_list('addr-bob') ORDER BY current_app COLLATE "C";
PREPARE untyped AS SELECT sso_session_create($1, $2, $3, $4, $5, $6, $7, $8);
PREPARE typed (text, text, inet) AS SELECT sso_session_create($1, $2, $3);
SELECT parameter_types FROM pg_prepared_statements ORDER BY name;
DEALLOCATE ALL;
-- The argument is checked whatever else is wrong, and nothing is opened.
SELECT sso_session_create('', 'app', ','::text);
SELECT sso_session_create('addr-carol', 'app', 'garbage'::text, ust => 'short');
SELECT count(*) FROM sso_session_list('addr-carol');
-- An empty text for the inet itself is PostgreSQL's to refuse.
SELECT sso_session_create('addr-carol', remote_addr => '');
DROP FUNCTION test.shown;
SELECT sso_session_end_all('addr-bob'), sso_session_end_all('addr-ann');
