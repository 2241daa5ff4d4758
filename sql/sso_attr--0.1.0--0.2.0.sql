-- Adds sso_session_id, which everyone with the functions of a holder can call.

CREATE OR REPLACE FUNCTION @extschema@.sso_session_id(ust text) RETURNS uuid
LANGUAGE c IMMUTABLE PARALLEL SAFE AS 'MODULE_PATHNAME', 'sso_session_id_wrapper';

COMMENT ON FUNCTION @extschema@.sso_session_id(text) IS
'The id of the session that a token names, from the token alone: whether there is such a session is not looked at. NULL for what is no token. For choosing a server or a partition by it. That of an adopted token is derived from its hash; where sso_session_rotate has adopted it, the session keeps an id of its own. Errors: 22021 text that is not UTF-8.';

-- As in sql/grants.sql.
CREATE OR REPLACE FUNCTION sso_attr.kind() RETURNS TABLE (what text, includes text[], opens text, functions name[])
LANGUAGE sql IMMUTABLE
BEGIN ATOMIC
    VALUES
        ('owner', '{}'::pg_catalog.text[], 'grants, and whether sessions outlive a crash', '{
            sso_attr_grant, sso_attr_revoke, sso_attr_set_logged
        }'::pg_catalog.name[]),
        ('holder', '{}', 'what needs a live token and acts on its session alone', '{
            sso_session_verify, sso_session_id,
            sso_session_get, sso_session_load, sso_session_save, sso_session_renew, sso_session_rotate, sso_session_end,
            sso_attr_create, sso_attr_update, sso_attr_set, sso_attr_delete, sso_attr_take,
            sso_attr_create_json, sso_attr_update_json, sso_attr_set_json,
            sso_attr_compare_and_set, sso_attr_increment,
            sso_attr_get, sso_attr_get_text, sso_attr_exists, sso_attr_set_expiry,
            sso_attr_create_many, sso_attr_update_many, sso_attr_set_many, sso_attr_delete_many,
            sso_attr_get_many, sso_attr_exists_many, sso_attr_set_expiry_many,
            sso_attr_get_all, sso_attr_names, sso_attr_list,
            sso_session_use, sso_current_user_id, sso_current_session_id, sso_current_attr
        }'),
        ('app', '{holder}', 'that, and opening sessions, listing and ending those of a user', '{
            sso_session_end_all, sso_session_end_one, sso_session_list, sso_session_create
        }'),
        ('login', '{}', 'users and passwords', '{
            sso_user_verify,
            sso_user_login, sso_user_create, sso_user_set_password, sso_user_lock, sso_user_unlock, sso_user_delete,
            sso_user_exists, sso_user_list
        }'),
        ('monitor', '{}', 'figures to watch', '{
            sso_attr_purge_status, sso_attr_keys, sso_attr_stats, sso_attr_version
        }'),
        ('operator', '{monitor}', 'those, and purge, rekey and check', '{
            sso_attr_purge, sso_attr_rekey, sso_attr_check
        }');
END;

SELECT sso_attr.close_to_others('pg_catalog.pg_proc'::pg_catalog.regclass, '@extschema@.sso_session_id(text)'::pg_catalog.regprocedure);
SELECT sso_attr.extend_grants();
