CREATE EXTENSION sso_attr;
SELECT sso_session_create('ann') AS ust \gset
SELECT sso_attr_create(:'ust', 'card', '4111...', encrypt => true);
