-- Users, for those who have no user table of their own. Only the functions sso_user_* read it.

CREATE TABLE sso_attr.user (
    user_id text COLLATE pg_catalog."C" PRIMARY KEY,
    created_at timestamptz NOT NULL,
    password_changed_at timestamptz NOT NULL,
    failures bigint NOT NULL DEFAULT 0,
    failed_at timestamptz,
    refused_at timestamptz,
    locked_until timestamptz,
    refusal text,
    username text NOT NULL,
    username_key text COLLATE pg_catalog."C" NOT NULL UNIQUE,
    password text NOT NULL
) WITH (fillfactor = 80);

SELECT pg_catalog.pg_extension_config_dump('sso_attr.user', '');

COMMENT ON TABLE sso_attr.user IS 'Users of sso_user_login. Whose sessions are opened otherwise need not be here.';
COMMENT ON COLUMN sso_attr.user.user_id IS 'As in sso_attr.session.';
COMMENT ON COLUMN sso_attr.user.created_at IS 'When the user was created.';
COMMENT ON COLUMN sso_attr.user.password_changed_at IS 'When the password was last set.';
COMMENT ON COLUMN sso_attr.user.failures IS 'Wrong passwords in a row.';
COMMENT ON COLUMN sso_attr.user.failed_at IS 'When the last of them was counted; a wait counts from here. NULL = there is none.';
COMMENT ON COLUMN sso_attr.user.refused_at IS 'When a login was last refused.';
COMMENT ON COLUMN sso_attr.user.locked_until IS 'Until when logins are refused; infinity = until unlocked, NULL = not locked.';
COMMENT ON COLUMN sso_attr.user.refusal IS 'Why a login was last refused: wrong password, waiting, locked.';
COMMENT ON COLUMN sso_attr.user.username IS 'Name as it was given.';
COMMENT ON COLUMN sso_attr.user.username_key IS 'Name in lower case and Unicode normal form C, by which users are found.';
COMMENT ON COLUMN sso_attr.user.password IS 'Argon2id hash of the password, a PHC string.';
