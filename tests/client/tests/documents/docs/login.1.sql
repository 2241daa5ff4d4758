CREATE EXTENSION sso_attr;
CREATE ROLE my_login_role;
\set 1 ann
\set 2 'a long password'
\set 3 192.0.2.1
\set 4 Firefox
