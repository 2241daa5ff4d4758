-- The functions work wherever PostgreSQL can call a function, and leave who we are and what comes
-- after as it was: definer functions, policies, triggers, procedures, parallel workers, cursors,
-- prepared transactions, subtransactions.
\pset format unaligned
\pset tuples_only on
\pset null '(null)'
\set VERBOSITY sqlstate
\set SHOW_CONTEXT never
CREATE ROLE contexts_app;
CREATE ROLE contexts_definer;
SELECT sso_attr_grant('contexts_app'), sso_attr_grant('contexts_definer');
GRANT CREATE ON SCHEMA test TO contexts_definer;
SELECT sso_session_create('contexts-ann') AS ust \gset
SELECT sso_attr_create(:'ust', 'tenant', 7), sso_attr_create(:'ust', 'sealed', 'secret', encrypt => true);

-- Within a SECURITY DEFINER function its owner's rights count, and are back after each call.
SET ROLE contexts_definer;
CREATE FUNCTION test.tenant_of(ust text) RETURNS text LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    found text := current_user;
BEGIN
    found := found || ' ' || public.sso_attr_get_text(ust, 'tenant') || ' ' || current_user;
    PERFORM public.sso_attr_set(ust, 'from definer', 1);
    BEGIN
        PERFORM public.sso_attr_update(ust, 'gone', 1);
    EXCEPTION WHEN no_data_found THEN
        found := found || ' ' || current_user;
    END;
    RETURN found || ' ' || current_user;
END
$$;
RESET ROLE;
CREATE ROLE contexts_nobody;
SET ROLE contexts_nobody;
SELECT test.tenant_of(:'ust'), current_user;
SELECT sso_attr_get(:'ust', 'tenant');
RESET ROLE;
DROP ROLE contexts_nobody;

-- In a row security policy, for each row, as the role that reads.
CREATE TABLE test.invoice (tenant integer, total integer);
INSERT INTO test.invoice SELECT 5 + i % 4, i FROM generate_series(1, 20) AS i;
GRANT SELECT, INSERT ON test.invoice TO contexts_app;
ALTER TABLE test.invoice ENABLE ROW LEVEL SECURITY;
CREATE POLICY by_tenant ON test.invoice USING (tenant = sso_attr_get(current_setting('app.ust'), 'tenant')::integer) WITH CHECK (tenant = sso_attr_get(current_setting('app.ust'), 'tenant')::integer);
SET app.ust = :'ust';
SET ROLE contexts_app;
SELECT count(*), min(tenant), max(tenant) FROM test.invoice;
INSERT INTO test.invoice VALUES (7, 1);
INSERT INTO test.invoice VALUES (8, 1);
SET app.ust = 'no token';
SELECT count(*) FROM test.invoice;
RESET ROLE;
SET app.ust = :'ust';

-- In a trigger, and with the error of a trigger undoing the statement.
CREATE FUNCTION test.audit() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM sso_attr_set(current_setting('app.ust'), 'last total', NEW.total);
    PERFORM sso_attr_update(current_setting('app.ust'), CASE WHEN NEW.total < 0 THEN 'gone' ELSE 'tenant' END, NEW.tenant);
    RETURN NEW;
END
$$;
CREATE TRIGGER audit BEFORE INSERT ON test.invoice FOR EACH ROW EXECUTE FUNCTION test.audit();
INSERT INTO test.invoice VALUES (7, 41), (7, 42);
INSERT INTO test.invoice VALUES (7, 43), (7, -1);
SELECT sso_attr_get_many(:'ust', '{last total,tenant}');

-- In a procedure that commits between calls: what was committed stays, what was rolled back does not.
CREATE PROCEDURE test.steps(ust text) LANGUAGE plpgsql AS $$
BEGIN
    FOR i IN 1..3 LOOP
        PERFORM sso_attr_set(ust, 'step', i);
        COMMIT;
        PERFORM sso_attr_set(ust, 'step', -i);
        PERFORM sso_attr_set(ust, 'step' || i, i);
        IF i = 2 THEN ROLLBACK; ELSE COMMIT; END IF;
    END LOOP;
END
$$;
CALL test.steps(:'ust');
SELECT sso_attr_get_many(:'ust', '{step,step1,step2,step3}');
-- After a COMMIT there is no snapshot until a statement takes one: expressions and arguments do too.
CREATE PROCEDURE test.expressions(ust text, INOUT seen text) LANGUAGE plpgsql AS $$
BEGIN
    COMMIT;
    seen := seen || sso_attr_get(ust, 'step')::text;
    ROLLBACK;
    IF sso_session_verify(ust) AND sso_attr_exists(ust, 'step') THEN
        seen := seen || ' ' || (sso_attr_get_many(ust, ARRAY['step1']) ->> 'step1');
    END IF;
    COMMIT;
END
$$;
CALL test.expressions(:'ust', sso_attr_get_text(:'ust', 'tenant') || ' ');
-- A function that is declared STABLE still reads what was there when its statement began.
CREATE FUNCTION test.stable_read(ust text) RETURNS text LANGUAGE plpgsql STABLE AS $$
BEGIN
    RETURN sso_attr_get_text(ust, 'tenant');
END
$$;
SELECT sso_attr_set(:'ust', 'tenant', 8), test.stable_read(:'ust');
SELECT sso_attr_set(:'ust', 'tenant', 7), test.stable_read(:'ust');
-- In a materialized view, which is filled in a restricted context.
SELECT set_config('app.ust', :'ust', false) \g /dev/null
CREATE MATERIALIZED VIEW test.cached AS SELECT name, value FROM sso_attr_list(current_setting('app.ust')) WHERE name = 'tenant';
REFRESH MATERIALIZED VIEW test.cached;
SELECT * FROM test.cached;
DROP MATERIALIZED VIEW test.cached;

-- In a DO block with nested subtransactions: after each failure the next call works, the user is right.
\set VERBOSITY terse
SET ROLE contexts_app;
DO $$
DECLARE
    token text := current_setting('app.ust');
    caught text := '';
BEGIN
    FOR i IN 1..50 LOOP
        BEGIN
            PERFORM sso_attr_set(token, 'block', i);
            BEGIN
                PERFORM sso_attr_set(token, 'inner', i);
                PERFORM sso_attr_create(token, 'block', 0);
            EXCEPTION WHEN unique_violation THEN
                IF current_user <> 'contexts_app' OR sso_attr_get(token, 'block')::integer <> i OR sso_attr_exists(token, 'inner') THEN
                    RAISE EXCEPTION 'wrong after a caught error';
                END IF;
            END;
            IF i % 2 = 0 THEN PERFORM sso_attr_update(token, 'gone', 1); END IF;
        EXCEPTION WHEN no_data_found THEN
            caught := caught || '.';
        END;
    END LOOP;
    RAISE NOTICE 'caught %, block %, user %', length(caught), sso_attr_get(token, 'block'), current_user;
END
$$;
RESET ROLE;
\set VERBOSITY sqlstate
-- The same with savepoints and with an error that PostgreSQL raises while we run.
SET ROLE contexts_app;
BEGIN;
SAVEPOINT a;
SELECT sso_attr_set(:'ust', 'block', 'in savepoint');
SELECT sso_attr_create(:'ust', 'block', 0);
ROLLBACK TO a;
SELECT sso_attr_get(:'ust', 'block'), current_user;
COMMIT;
RESET ROLE;
CREATE FUNCTION test.give_up() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION USING ERRCODE = 'check_violation'; END $$;
CREATE TRIGGER give_up BEFORE UPDATE ON sso_attr.attribute FOR EACH ROW EXECUTE FUNCTION test.give_up();
SET ROLE contexts_app;
SELECT sso_attr_update(:'ust', 'tenant', 8);
SELECT current_user, test.attempt('sso_attr_update($1, ''tenant'', 8)', :'ust'), current_user, test.attempt('1 FROM sso_attr.attribute'), sso_attr_get(:'ust', 'tenant');
RESET ROLE;
DROP TRIGGER give_up ON sso_attr.attribute;
SELECT sso_attr_update(:'ust', 'tenant', 8), sso_attr_update(:'ust', 'tenant', 7);

-- In a parallel query, forced, the reads run in workers.
CREATE TABLE test.many AS SELECT i FROM generate_series(1, 20000) AS i;
ANALYZE test.many;
SET parallel_setup_cost = 0;
SET parallel_tuple_cost = 0;
SET min_parallel_table_scan_size = 0;
SET max_parallel_workers_per_gather = 2;
SET parallel_leader_participation = off;
CREATE FUNCTION test.plan_has(query text, what text) RETURNS boolean LANGUAGE plpgsql AS $$
DECLARE
    line text;
BEGIN
    FOR line IN EXECUTE 'EXPLAIN (COSTS OFF) ' || query LOOP
        IF position(what IN line) > 0 THEN RETURN true; END IF;
    END LOOP;
    RETURN false;
END
$$;
GRANT SELECT ON test.many TO contexts_app;
SET ROLE contexts_app;
PREPARE in_workers AS
    SELECT count(*), bool_and(sso_attr_get($1, 'sealed') = to_jsonb(text 'secret') AND sso_session_verify($1) AND sso_attr_exists($1, 'tenant')
                              AND sso_attr_get_all($1) ? 'tenant' AND sso_attr_get_many($1, ARRAY['tenant']) = '{"tenant": 7}' AND sso_attr_get_text($1, 'tenant') = '7'
                              AND sso_attr_exists_many($1, ARRAY['tenant']) = '{"tenant": true}')
    FROM test.many WHERE i % 20 = 0;
SELECT test.plan_has(format('EXECUTE in_workers(%L)', :'ust'), 'Parallel Seq Scan');
EXECUTE in_workers(:'ust');
-- Writes keep the plan serial.
SELECT test.plan_has(format('SELECT sso_attr_set(%L, ''n'', i) FROM test.many', :'ust'), 'Gather');
RESET ROLE;
RESET ALL;

-- Through a cursor each row is fetched when it is asked for, at the snapshot of the cursor.
BEGIN;
DECLARE listed CURSOR WITH HOLD FOR SELECT name FROM sso_attr_list(:'ust') WHERE name IN ('sealed', 'tenant', 'step');
FETCH 1 FROM listed;
SELECT sso_attr_delete(:'ust', 'step');
FETCH 1 FROM listed;
COMMIT;
FETCH ALL FROM listed;
CLOSE listed;

-- A prepared transaction holds what it wrote until it is decided.
BEGIN;
SELECT sso_attr_create(:'ust', 'two phases', 1, encrypt => true);
PREPARE TRANSACTION 'contexts';
SELECT sso_attr_exists(:'ust', 'two phases');
COMMIT PREPARED 'contexts';
SELECT sso_attr_get(:'ust', 'two phases');

-- Many calls in one statement, rows and verbs mixed.
SELECT count(sso_attr_set(:'ust', 'bulk' || i, i, encrypt => i % 2 = 0)) FROM generate_series(1, 500) AS i;
SELECT sum((sso_attr_get(:'ust', 'bulk' || i))::integer), sum((sso_attr_take(:'ust', 'bulk' || i))::integer) FROM generate_series(1, 500) AS i;
SELECT sum(length(sso_session_rotate(sso_session_create('contexts-bulk')))) FROM generate_series(1, 100);
SELECT sso_session_end_all('contexts-bulk');

-- Plans are kept through DISCARD ALL, new search paths and changes of the role.
SELECT sso_attr_get(:'ust', 'tenant');
DISCARD ALL;
SELECT sso_attr_get(:'ust', 'tenant'), sso_attr_set(:'ust', 'after discard', 1);
SET search_path = pg_catalog;
SELECT public.sso_attr_get(:'ust', 'tenant');
SET search_path = '';
SELECT public.sso_attr_get(:'ust', 'after discard'), public.sso_attr_update(:'ust', 'after discard', 2);
RESET search_path;
SET ROLE contexts_app;
SELECT sso_attr_get(:'ust', 'after discard');
RESET ROLE;
-- Also when the tables change under them.
ALTER TABLE sso_attr.attribute ALTER COLUMN value SET STATISTICS 10;
ANALYZE sso_attr.attribute, sso_attr.session;
CREATE INDEX attribute_by_time ON sso_attr.attribute (updated_at);
SELECT sso_attr_update(:'ust', 'after discard', 3), sso_attr_get(:'ust', 'after discard');
DROP INDEX sso_attr.attribute_by_time;
SELECT sso_attr_update(:'ust', 'after discard', 4);
SELECT sso_attr_get(:'ust', 'after discard');
ALTER TABLE sso_attr.attribute ALTER COLUMN value SET STATISTICS -1;

-- Serializable and repeatable transactions read what they read first.
BEGIN ISOLATION LEVEL REPEATABLE READ;
SELECT sso_attr_get(:'ust', 'tenant'), sso_attr_update(:'ust', 'tenant', 9);
SELECT sso_attr_get(:'ust', 'tenant');
ROLLBACK;
BEGIN ISOLATION LEVEL SERIALIZABLE;
SELECT sso_attr_update(:'ust', 'tenant', 9), sso_attr_update_many(:'ust', '[{"name":"tenant","value":10}]');
SELECT sso_attr_get(:'ust', 'tenant');
COMMIT;
SELECT sso_attr_get(:'ust', 'tenant');

DROP TABLE test.invoice, test.many;
DROP FUNCTION test.tenant_of, test.stable_read, test.audit, test.give_up, test.plan_has;
DROP PROCEDURE test.steps, test.expressions;
REVOKE CREATE ON SCHEMA test FROM contexts_definer;
SELECT sso_attr_revoke('contexts_app'), sso_attr_revoke('contexts_definer');
DROP ROLE contexts_app, contexts_definer;
