from django.urls import path

from . import views as shop

urlpatterns = [
    path("login", shop.log_in),
    path("logout", shop.log_out),
    path("password", shop.change_password),
    path("put", shop.put),
    path("slow", shop.put_slowly),
    path("add", shop.add_to_cart),
    path("show", shop.show),
    path("async/put", shop.aput),
    path("async/login", shop.alog_in),
    path("async/logout", shop.alog_out),
]
