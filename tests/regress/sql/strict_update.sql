-- Updating a name that is not there raises; nothing is created, nothing is changed.
\set VERBOSITY sqlstate
SELECT sso_session_create('strict') AS ust \gset
SELECT sso_attr_update(:'ust', 'absent', 'value');
SELECT sso_attr_names(:'ust');
