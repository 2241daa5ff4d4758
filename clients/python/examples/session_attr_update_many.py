# -*- coding: utf-8 -*-

# sso-attr
from sso_attr import Service

class SessionAttrUpdateMany(Service):
    def handle(self):

        # Current user's data
        username = 'admin1'
        password = 'abxqDJpXMVXYEO8NOGx9nVZvv4xSew9'
        current_app = 'CRM'
        remote_addr = '127.0.0.1'
        user_agent = 'Firefox 139.0'

        # Log in current user
        session = self.sso.user.login(
            self.cid, username, password, current_app, remote_addr, user_agent)

        # Get current UST
        ust = session.ust

        # Get session object
        session = self.sso.user.session.get(
            self.cid, ust, ust, current_app, remote_addr)

        # Prepare a list of dictionaries with attributes to create
        data = [
            {'name':'my-attr1', 'value':'my-value1'},
            {'name':'my-attr2', 'value':'my-value2', 'encrypt':True},
            {'name':'my-attr3', 'value':'my-value3', 'expiration':3600},
        ]

        # Create new attributes
        session.attr.create_many(data)

        # Now, prepare new values for the attributes
        data = [
            {'name':'my-attr1', 'value':'my-value1-abc'},
            {'name':'my-attr2', 'value':'my-value2-abc'},
            {'name':'my-attr3', 'value':'my-value3-abc'},
        ]

        # Update all of them
        session.attr.update_many(data)
