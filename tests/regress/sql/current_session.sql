-- What sso_session_use makes current is what policies go by: that session as each statement sees it, or
-- none. Nothing that a transaction does mixes it up, nothing of it outlives the transaction, and nobody
-- gets it without the token.
\pset format unaligned
\pset tuples_only on
\pset null '(null)'
\set VERBOSITY sqlstate
\set SHOW_CONTEXT never
CREATE ROLE current_session_web;
CREATE ROLE current_session_other;
CREATE ROLE current_session_nobody;
SELECT sso_attr_grant('current_session_web', 'holder'), sso_attr_grant('current_session_other', 'holder');
CREATE TABLE test.note (id integer PRIMARY KEY, owner text);
INSERT INTO test.note SELECT i, ('{ann,bob,eve}'::text[])[i % 3 + 1] FROM generate_series(1, 300) AS i;
INSERT INTO test.note VALUES (1000, NULL);
ALTER TABLE test.note ENABLE ROW LEVEL SECURITY;
CREATE POLICY own ON test.note TO current_session_web, current_session_nobody USING (owner = (SELECT sso_current_user_id()));
CREATE POLICY own_by_row ON test.note TO current_session_other USING (owner = sso_current_user_id());
GRANT SELECT, INSERT, UPDATE, DELETE ON test.note TO current_session_web, current_session_other, current_session_nobody;
CREATE FUNCTION test.plan_has(part text, statement text) RETURNS boolean LANGUAGE plpgsql AS $$
DECLARE
    line text;
    found boolean := false;
BEGIN
    FOR line IN EXECUTE 'EXPLAIN (COSTS OFF) ' || statement LOOP
        found := found OR position(part IN line) > 0;
    END LOOP;
    RETURN found;
END
$$;
-- An expiry that has come, waited for.
CREATE FUNCTION test.expire(ust text) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    ends_at timestamptz := sso_session_renew(ust, 0.01);
BEGIN
    WHILE clock_timestamp() < ends_at LOOP
        PERFORM pg_sleep(0.002);
    END LOOP;
END
$$;
SELECT sso_session_create('ann') AS ann, sso_session_create('bob') AS bob, sso_session_create() AS anonymous \gset
\set see 'SELECT sso_current_user_id(), sso_current_session_id() IS NOT NULL, count(*), string_agg(DISTINCT owner, \',\') FROM test.note'
SET ROLE current_session_web;

-- The user's rows and nobody else's, read and written.
BEGIN;
:see;
SELECT sso_session_use(:'ann');
:see;
SELECT sso_current_session_id() = (SELECT session_id FROM sso_session_get(:'ann'));
INSERT INTO test.note VALUES (301, 'ann');
WITH changed AS (UPDATE test.note SET id = id + 1000 RETURNING owner) SELECT owner, count(*) FROM changed GROUP BY owner;
DELETE FROM test.note WHERE owner = 'bob' RETURNING owner;
SAVEPOINT s;
INSERT INTO test.note VALUES (302, 'bob');
ROLLBACK TO s;
UPDATE test.note SET owner = 'bob';
ROLLBACK;
-- An anonymous session is one, of no user; its policy is not the one of rows without an owner.
BEGIN;
SELECT sso_session_use(:'anonymous');
:see;
COMMIT;

-- Nothing is left once the transaction is over, whatever ends it.
SELECT sso_session_use(:'ann');
:see;
BEGIN;
SELECT sso_session_use(:'ann');
COMMIT;
:see;
BEGIN;
SELECT sso_session_use(:'ann');
ROLLBACK;
:see;
BEGIN;
SELECT sso_session_use(:'ann');
COMMIT AND CHAIN;
:see;
SELECT sso_session_use(:'ann');
ROLLBACK AND CHAIN;
:see;
SELECT sso_session_use(:'ann');
SELECT 1 / 0;
COMMIT;
:see;
RESET ROLE;
CREATE FUNCTION test.told(who text) RETURNS text LANGUAGE sql AS $$ SELECT COALESCE(who, 'nobody') $$;
CREATE PROCEDURE test.tell(who text, INOUT said text) LANGUAGE plpgsql AS $$ BEGIN said := test.told(who); END $$;
CREATE PROCEDURE test.steps(ust text, INOUT seen text) LANGUAGE plpgsql AS $$
DECLARE
    said text;
BEGIN
    PERFORM sso_session_use(ust);
    seen := test.told(sso_current_user_id());
    COMMIT;
    CALL test.tell(sso_current_user_id(), said);
    seen := seen || ' ' || said;
    PERFORM sso_session_use(ust);
    CALL test.tell(sso_current_user_id(), said);
    seen := seen || ' ' || said;
    ROLLBACK;
    seen := seen || ' ' || test.told(sso_current_user_id());
END
$$;
CALL test.steps(:'ann', '');
SET ROLE current_session_web;

-- Prepared for a commit in two phases, a transaction is over for its session.
BEGIN;
SELECT sso_session_use(:'ann');
INSERT INTO test.note VALUES (303, 'ann');
PREPARE TRANSACTION 'current_session';
:see;
COMMIT PREPARED 'current_session';
:see;
SELECT sso_session_use(:'bob'); DELETE FROM test.note WHERE id = 303;
RESET ROLE;
DELETE FROM test.note WHERE id = 303 RETURNING owner;
SET ROLE current_session_web;

-- A rollback to a savepoint takes back what was made current after it; a release keeps it.
BEGIN;
SELECT sso_session_use(:'ann');
SAVEPOINT a;
SELECT sso_session_use(:'bob');
:see;
ROLLBACK TO a;
:see;
SELECT sso_session_use(:'bob');
RELEASE a;
:see;
SAVEPOINT b;
SAVEPOINT c;
SELECT sso_session_use(:'ann');
RELEASE c;
:see;
ROLLBACK TO b;
:see;
SELECT sso_session_use(NULL);
:see;
ROLLBACK TO b;
:see;
SAVEPOINT c;
SELECT sso_session_use(:'ann');
SAVEPOINT d;
SELECT sso_session_use(NULL);
SELECT sso_session_use(:'anonymous');
ROLLBACK TO d;
:see;
ROLLBACK TO b;
:see;
ROLLBACK;
BEGIN;
SAVEPOINT a;
SELECT sso_session_use(:'ann');
ROLLBACK TO a;
:see;
SELECT sso_session_use(:'ann');
RELEASE a;
SELECT sso_session_use(:'bob');
SAVEPOINT a;
ROLLBACK TO a;
:see;
SAVEPOINT e;
SELECT 1 / 0;
ROLLBACK TO e;
:see;
COMMIT;

-- So does an error that PL/pgSQL catches, at any depth.
RESET ROLE;
CREATE FUNCTION test.caught(ann text, bob text, OUT before text, OUT within text, OUT after text, OUT read_only text, OUT kept text) LANGUAGE plpgsql AS $$
BEGIN
    PERFORM sso_session_use(ann);
    before := test.told(sso_current_user_id());
    BEGIN
        PERFORM sso_session_use(NULL);
        BEGIN
            PERFORM sso_session_use(bob);
            within := test.told(sso_current_user_id());
            PERFORM sso_attr_update(bob, 'is not there', 1);
        EXCEPTION WHEN no_data_found THEN
            within := within || ' ' || test.told(sso_current_user_id());
        END;
        PERFORM 1 / 0;
    EXCEPTION WHEN division_by_zero THEN
        after := test.told(sso_current_user_id());
    END;
    BEGIN
        PERFORM sso_session_use(bob);
        read_only := test.told(sso_current_user_id());
        PERFORM 1 / 0;
    EXCEPTION WHEN division_by_zero THEN
        read_only := read_only || ' ' || test.told(sso_current_user_id());
    END;
    BEGIN
        PERFORM sso_session_use(bob);
    EXCEPTION WHEN OTHERS THEN
        after := SQLSTATE;
    END;
    kept := test.told(sso_current_user_id());
END
$$;
BEGIN;
SELECT * FROM test.caught(:'ann', :'bob');
:see;
COMMIT;

-- Neither does another role change it, nor a function of another owner, which may use one for its caller.
CREATE FUNCTION test.enter(ust text) RETURNS boolean LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$ SELECT public.sso_session_use(ust) $$;
CREATE FUNCTION test.who() RETURNS text LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$ SELECT current_user::text || ' ' || public.sso_current_user_id() $$;
GRANT CREATE ON SCHEMA test TO current_session_other;
ALTER FUNCTION test.enter OWNER TO current_session_other;
ALTER FUNCTION test.who OWNER TO current_session_other;
REVOKE CREATE ON SCHEMA test FROM current_session_other;
BEGIN;
SET LOCAL ROLE current_session_web;
SELECT test.enter(:'ann');
:see;
SELECT test.who(), current_user;
SET LOCAL ROLE current_session_other;
:see;
RESET ROLE;
SELECT sso_current_user_id(), count(*) FROM test.note;
SET LOCAL ROLE current_session_web;
:see;
-- A role without the grant is refused where a policy calls the functions, and everywhere else.
SET LOCAL ROLE current_session_nobody;
SAVEPOINT s;
SELECT count(*) FROM test.note;
ROLLBACK TO s;
SELECT sso_session_use(:'ann');
ROLLBACK TO s;
SELECT sso_current_session_id();
ROLLBACK;

-- A token of no live session is as good as none: it clears what was there.
SELECT sso_session_create('ann') AS over, sso_session_create('ann') AS rotated, sso_session_create('ann') AS expired \gset
SELECT sso_session_end(:'over'), length(sso_session_rotate(:'rotated')), test.expire(:'expired');
SELECT session_id AS id FROM sso_session_get(:'ann') \gset
SET ROLE current_session_web;
BEGIN;
SELECT sso_session_use(:'ann');
SELECT given, sso_session_use(token), sso_current_user_id()
FROM (VALUES ('ended', :'over'), ('ann', :'ann'), ('rotated', :'rotated'), ('ann', :'ann'), ('expired', :'expired'), ('ann', :'ann'), ('id', :'id'),
             ('ann', :'ann'), ('user', 'ann'), ('ann', :'ann'), ('changed', overlay(:'ann' PLACING '0000' FROM 60)), ('ann', :'ann'), ('empty', ''), ('ann', :'ann'), ('null', NULL)) AS t (given, token);
:see;
COMMIT;

-- A session that is over counts as such from the next statement on: ended, and the end taken back,
RESET ROLE;
SELECT sso_session_create('ann') AS ust \gset
SET ROLE current_session_web;
BEGIN;
SELECT sso_session_use(:'ust');
SAVEPOINT s;
SELECT sso_current_user_id(), sso_session_end(:'ust'), sso_current_user_id();
:see;
ROLLBACK TO s;
:see;
-- rotated, until the new token is used,
SELECT sso_session_rotate(:'ust') AS ust \gset
:see;
SELECT sso_session_use(:'ust');
:see;
-- renewed, and expired, also where all statements see one snapshot.
SELECT sso_session_renew(:'ust', 600) IS NOT NULL;
:see;
SELECT test.expire(:'ust');
:see;
ROLLBACK;
RESET ROLE;
SELECT sso_session_create('ann') AS ust \gset
SET ROLE current_session_web;
BEGIN ISOLATION LEVEL REPEATABLE READ;
SELECT sso_session_use(:'ust');
:see;
SELECT test.expire(:'ust');
:see;
ROLLBACK;
-- Past the cap it is over too.
RESET ROLE;
SELECT sso_session_create('ann') AS ust \gset
UPDATE sso_attr.session SET created_at = created_at - interval '2 hours' WHERE id = (SELECT session_id FROM sso_session_get(:'ust'));
BEGIN;
SELECT sso_session_use(:'ust');
SELECT sso_current_user_id();
SET LOCAL sso_attr.session_max_lifetime = '1h';
SELECT sso_current_user_id(), sso_current_session_id();
COMMIT;
-- All within one statement of the client.
CREATE FUNCTION test.within(ust text, OUT used text, OUT ended text, OUT back text, OUT rotated text, OUT again text, OUT expired text, OUT rows bigint) LANGUAGE plpgsql AS $$
BEGIN
    PERFORM sso_session_use(ust);
    used := test.told(sso_current_user_id());
    BEGIN
        PERFORM sso_session_end(ust);
        ended := test.told(sso_current_user_id());
        PERFORM 1 / 0;
    EXCEPTION WHEN division_by_zero THEN
        back := test.told(sso_current_user_id());
    END;
    ust := sso_session_rotate(ust);
    rotated := test.told(sso_current_user_id());
    PERFORM sso_session_use(ust);
    again := test.told(sso_current_user_id());
    PERFORM test.expire(ust);
    expired := test.told(sso_current_user_id());
    SELECT count(*) INTO rows FROM test.note WHERE owner = (SELECT sso_current_user_id());
END
$$;
SELECT sso_session_create('ann') AS ust \gset
SELECT * FROM test.within(:'ust');
-- Time alone makes the difference here: no statement writes.
CREATE FUNCTION test.wait_for_expiry() RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    ust text := sso_session_create('ann', expiration => 0.5);
    was text := 'never live';
BEGIN
    PERFORM sso_session_use(ust);
    WHILE sso_session_verify(ust) LOOP
        was := COALESCE(sso_current_user_id(), was);
        PERFORM pg_sleep(0.002);
    END LOOP;
    RETURN was || ' ' || test.told(sso_current_user_id()) || ' ' || sso_session_verify(ust);
END
$$;
SELECT test.wait_for_expiry();

-- A cursor goes by the session that was current when its first row was fetched, and what it holds over
-- the commit is that session's.
SET ROLE current_session_web;
BEGIN;
SELECT sso_session_use(:'ann');
DECLARE here CURSOR FOR SELECT id, owner FROM test.note ORDER BY id;
DECLARE held CURSOR WITH HOLD FOR SELECT id, owner FROM test.note ORDER BY id;
FETCH 2 FROM here;
SELECT sso_session_use(:'bob');
FETCH 2 FROM here;
SELECT sso_session_use(:'ann');
COMMIT;
:see;
FETCH 2 FROM held;
MOVE ALL FROM held;
BEGIN;
SELECT sso_session_use(:'bob');
MOVE BACKWARD ALL FROM held;
FETCH 1 FROM held;
CLOSE held;
COMMIT;

-- What is deferred to the commit still belongs to the session.
RESET ROLE;
CREATE TABLE test.change (who text);
CREATE FUNCTION test.log_change() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER AS $$ BEGIN INSERT INTO test.change VALUES (sso_current_user_id()); RETURN NULL; END $$;
CREATE CONSTRAINT TRIGGER log_change AFTER INSERT ON test.note DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION test.log_change();
SET ROLE current_session_web;
BEGIN;
SELECT sso_session_use(:'ann');
INSERT INTO test.note VALUES (304, 'ann');
COMMIT;
RESET ROLE;
SELECT who FROM test.change;
DROP TRIGGER log_change ON test.note;
DELETE FROM test.note WHERE id = 304;

-- Parallel plans ask the leader; a wrapper that says it is parallel safe finds no session in a worker,
-- which shows no rows.
CREATE FUNCTION test.not_safe() RETURNS text LANGUAGE plpgsql STABLE PARALLEL SAFE AS $$ BEGIN RETURN sso_current_user_id(); END $$;
BEGIN;
SELECT set_config(name, 'on', true) FROM pg_settings WHERE name IN ('debug_parallel_query', 'force_parallel_mode');
SET LOCAL parallel_setup_cost = 0;
SET LOCAL parallel_tuple_cost = 0;
SET LOCAL min_parallel_table_scan_size = 0;
SELECT sso_session_use(:'ann');
SELECT test.plan_has('Gather', 'SELECT test.not_safe()');
SELECT test.not_safe();
SET LOCAL ROLE current_session_web;
SELECT test.plan_has('Gather', 'SELECT FROM test.note WHERE id > 0');
:see;
SELECT sso_current_user_id();
SET LOCAL ROLE current_session_other;
:see;
SELECT test.plan_has('Gather', 'SELECT FROM test.note WHERE id > 0');
COMMIT;
DROP POLICY own_by_row ON test.note;

-- An attribute decides, sealed like any other, as the statement sees it.
SELECT sso_attr_create(:'ann', 'tenant', 'eve', encrypt => true), sso_attr_create(:'ann', 'short', 1, 0.001);
CREATE POLICY of_tenant ON test.note TO current_session_other USING (owner = (SELECT sso_current_attr('tenant') #>> '{}'));
SET ROLE current_session_other;
BEGIN;
:see;
SELECT sso_current_attr('tenant');
SELECT sso_session_use(:'ann');
:see;
SELECT sso_current_attr('tenant'), sso_current_attr('is not there'), sso_current_attr('short');
SELECT sso_attr_update(:'ann', 'tenant', 'bob'), sso_current_attr('tenant');
:see;
SAVEPOINT s;
SELECT sso_current_attr(NULL);
ROLLBACK TO s;
SELECT sso_session_end(:'ann');
:see;
SELECT sso_current_attr('tenant');
ROLLBACK;

-- Nothing that can be shown or set holds it: neither the token nor the session's id.
BEGIN;
SELECT sso_session_use(:'ann');
SELECT name FROM pg_settings WHERE setting LIKE '%' || :'ann' || '%' OR setting LIKE '%' || :'id' || '%' OR setting = 'ann';
SET LOCAL sso.current_user_id = 'bob';
RESET ALL;
CREATE TEMPORARY TABLE session AS SELECT 'bob' AS user_id;
SET LOCAL search_path = pg_temp, public;
SELECT sso_current_user_id();
COMMIT;
SELECT sso_current_user_id();

RESET ROLE;
RESET search_path;
DROP TABLE test.note, test.change, session;
DROP FUNCTION test.plan_has, test.expire, test.told, test.caught, test.enter, test.who, test.within, test.wait_for_expiry, test.log_change, test.not_safe;
DROP PROCEDURE test.tell, test.steps;
SELECT sso_session_end_all(u) > 0 FROM unnest('{ann,bob}'::text[]) AS u;
SELECT sso_attr_revoke('current_session_web', 'holder'), sso_attr_revoke('current_session_other', 'holder');
DROP ROLE current_session_web, current_session_other, current_session_nobody;
