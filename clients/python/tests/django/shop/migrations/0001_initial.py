from django.db import migrations

from sso_attr.django.operations import CreateExtension


class Migration(migrations.Migration):
    operations = (CreateExtension(),)
