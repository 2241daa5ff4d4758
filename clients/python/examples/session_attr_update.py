# -*- coding: utf-8 -*-

# sso-attr
from sso_attr import Service

class SessionAttrUpdate(Service):
    def handle(self):

        # Current user's data
        username = 'admin1'
        password = 'abxqDJpXMVXYEO8NOGx9nVZvv4xSew9'
        current_app = 'CRM'
        remote_addr = '127.0.0.1'
        user_agent = 'Firefox 139.0'

        # Log in current user
        session = self.sso.user.login(self.cid, username, password,
            current_app, remote_addr, user_agent)

        # Get current UST
        ust = session.ust

        # Get session object
        session = self.sso.user.session.get(self.cid, ust, ust, current_app, remote_addr)

        # Information about the attribute to be created and then updated
        name = 'my-attribute-abc'
        value1 = 'my-value1'
        value2 = 'my-value2'

        # Create a new attribute
        session.attr.create(name, value1)

        # Update the newly created attribute
        session.attr.update(name, value2)
