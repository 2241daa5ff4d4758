CREATE ROLE my_app_role;
CREATE ROLE my_ops_role;
