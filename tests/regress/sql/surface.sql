-- The whole public surface, from the catalogs: a change of it is a decision, never an accident.
\pset format unaligned
\pset tuples_only on
\pset null '-'
CREATE VIEW test.member AS
    SELECT d.classid, d.objid, i.type, i.identity, obj_description(d.objid, d.classid::regclass::name) AS comment
    FROM pg_depend AS d JOIN pg_extension AS e ON d.refclassid = 'pg_extension'::regclass AND d.refobjid = e.oid, pg_identify_object(d.classid, d.objid, 0) AS i
    WHERE e.extname = 'sso_attr' AND d.deptype = 'e';
-- What it is made of; every object has a comment.
SELECT type, identity FROM test.member WHERE type <> 'type' AND type <> 'function' ORDER BY type COLLATE "C", identity COLLATE "C";
SELECT type, identity FROM test.member WHERE type <> 'type' AND comment IS NULL;
SELECT attrelid::regclass, attname FROM test.member JOIN pg_attribute ON attrelid = objid AND attnum > 0 AND NOT attisdropped
WHERE classid = 'pg_class'::regclass AND col_description(attrelid, attnum) IS NULL;

-- Functions: arguments, result, volatility, strictness, parallel safety, rights, settings, owner's grants.
SELECT format(E'%s.%s(%s)\n    returns %s; %s, %s, parallel %s, %s, %s; cost %s; language %s; settings %s; PUBLIC %s', p.pronamespace::regnamespace, p.proname, pg_get_function_arguments(p.oid), pg_get_function_result(p.oid),
              CASE p.provolatile WHEN 'i' THEN 'immutable' WHEN 's' THEN 'stable' ELSE 'volatile' END, CASE WHEN p.proisstrict THEN 'strict' ELSE 'null input' END,
              CASE p.proparallel WHEN 's' THEN 'safe' WHEN 'r' THEN 'restricted' ELSE 'unsafe' END, CASE WHEN p.prosecdef THEN 'definer' ELSE 'invoker' END,
              CASE WHEN p.proleakproof THEN 'leakproof' ELSE 'not leakproof' END, p.procost, l.lanname, COALESCE(array_to_string(p.proconfig, ' '), '-'),
              CASE WHEN EXISTS (SELECT FROM aclexplode(COALESCE(p.proacl, acldefault('f', p.proowner))) AS a WHERE a.grantee = 0) THEN 'yes' ELSE 'no' END)
FROM test.member JOIN pg_proc AS p ON p.oid = objid JOIN pg_language AS l ON l.oid = p.prolang
WHERE classid = 'pg_proc'::regclass ORDER BY p.pronamespace::regnamespace::text COLLATE "C", p.proname COLLATE "C", p.oid::regprocedure::text COLLATE "C";
SELECT format(E'%s: %s', p.proname, comment) FROM test.member JOIN pg_proc AS p ON p.oid = objid WHERE classid = 'pg_proc'::regclass ORDER BY p.proname COLLATE "C", p.oid::regprocedure::text COLLATE "C";

-- Tables: columns, constraints, indexes, storage; what a dump contains.
SELECT attrelid::regclass, attname, format_type(atttypid, atttypmod), CASE WHEN attnotnull THEN 'not null' ELSE 'null' END, c.collname, a.attstorage,
       CASE a.attgenerated WHEN 's' THEN 'generated' ELSE 'default' END, pg_get_expr(d.adbin, d.adrelid)
FROM test.member JOIN pg_attribute AS a ON attrelid = objid AND attnum > 0 AND NOT attisdropped LEFT JOIN pg_attrdef AS d ON d.adrelid = attrelid AND d.adnum = attnum LEFT JOIN pg_collation AS c ON c.oid = a.attcollation
WHERE classid = 'pg_class'::regclass ORDER BY attrelid::regclass::text COLLATE "C", attnum;
SELECT conrelid::regclass, conname, pg_get_constraintdef(pg_constraint.oid) FROM test.member JOIN pg_constraint ON conrelid = objid WHERE classid = 'pg_class'::regclass AND contype <> 'n' ORDER BY conrelid::regclass::text COLLATE "C", conname;
SELECT pg_get_indexdef(indexrelid) FROM test.member JOIN pg_index ON indrelid = objid WHERE classid = 'pg_class'::regclass ORDER BY indexrelid::regclass::text COLLATE "C";
SELECT oid::regclass, relpersistence, reloptions, relrowsecurity FROM test.member JOIN pg_class ON oid = objid WHERE classid = 'pg_class'::regclass ORDER BY oid::regclass::text COLLATE "C";
SELECT c::regclass, w FROM pg_extension, unnest(extconfig, extcondition) AS u (c, w) WHERE extname = 'sso_attr' ORDER BY c::regclass::text COLLATE "C";
SELECT tgrelid::regclass, tgname, pg_get_triggerdef(pg_trigger.oid) FROM test.member JOIN pg_trigger ON tgrelid = objid AND NOT tgisinternal WHERE classid = 'pg_class'::regclass ORDER BY tgrelid::regclass::text COLLATE "C", tgname;
DROP VIEW test.member;
