SELECT sso_session_create('ann') AS ust \gset
SET ROLE web;
