from django.apps import AppConfig


class SsoAttrConfig(AppConfig):
    name = "sso_attr.django"
    label = "sso_attr"
    verbose_name = "sso_attr"

    def ready(self) -> None:
        from . import checks  # noqa: F401 (registers them)
