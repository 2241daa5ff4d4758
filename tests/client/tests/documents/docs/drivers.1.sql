CREATE EXTENSION sso_attr;
SELECT sso_session_create('ann') AS ust \gset
