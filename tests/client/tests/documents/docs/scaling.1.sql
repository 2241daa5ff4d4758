CREATE EXTENSION sso_attr;
SELECT sso_session_create('ann', ust => '0123456789abcdef0123456789abcdef') AS ust \gset
