CREATE ROLE my_app_role;
